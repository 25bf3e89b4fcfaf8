// SPDX-License-Identifier: Apache-2.0
// What is said of drivers and kernels that page-lock memory, and can only be tried where there is a GPU. Nothing here
// is a test: either answer is right, and worth knowing.
#pragma once

#include "cuda/types.hpp"
#include "fakes/libcuda/control.hpp"

#include <nearpool/nearpool.h>

#include <cstdint>
#include <string>
#include <vector>

namespace facts {

using namespace nearpool::cuda;

constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr std::size_t gib = std::size_t{1} << 30U;

struct Driver {
    Driver();
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) CUresult(*member) parameters = nullptr;
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    CUresult (*mem_alloc)(CUdeviceptr *memory, std::size_t bytes) = nullptr;
    CUresult (*mem_free)(CUdeviceptr memory) = nullptr;
    CUresult (*memcpy_to_device)(CUdeviceptr to, const void *from, std::size_t bytes, CUstream stream) = nullptr;
    CUresult (*memcpy_to_host)(void *to, CUdeviceptr from, std::size_t bytes, CUstream stream) = nullptr;
    bool is_fake = false;
};

// The pools, and the context of device 0 is current.
struct Place {
    numa_pool *workers = nullptr;
    device_pool *devices = nullptr;
    const Driver &driver;
    bool large = false; // what stops other GPU processes for a while may be done
};

struct Answer {
    enum Kind {
        no,
        yes,
        not_testable
    };
    Kind kind;
    std::string detail;
};

inline Answer not_testable(std::string why) {
    return {Answer::not_testable, std::move(why)};
}

inline std::string failure(const char *call, CUresult code) {
    return std::string(call) + ": CUDA error " + std::to_string(code);
}

template <class T> T sized() {
    T value{};
    value.struct_size = sizeof(T);
    return value;
}

Answer copy_crosses_chunks(const Place &place);
Answer driver_ignores_policy(const Place &place);
Answer half_a_tebibyte_fails(const Place &place);

Answer driver_memory_is_charged(const Place &place);
Answer registered_memory_is_charged(const Place &place);
Answer registering_moves_pages(const Place &place);

} // namespace facts

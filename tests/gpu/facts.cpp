// SPDX-License-Identifier: Apache-2.0
// Usage: nearpool_gpu_facts FILE [large]
#include "gpu/facts.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace facts {

Driver::Driver() {
    const fakes::cuda::Control control;
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    member = control.find<CUresult parameters>(#symbol);
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    mem_alloc = control.find<CUresult(CUdeviceptr *, std::size_t)>("cuMemAlloc_v2");
    mem_free = control.find<CUresult(CUdeviceptr)>("cuMemFree_v2");
    memcpy_to_device = control.find<CUresult(CUdeviceptr, const void *, std::size_t, CUstream)>("cuMemcpyHtoDAsync_v2");
    memcpy_to_host = control.find<CUresult(void *, CUdeviceptr, std::size_t, CUstream)>("cuMemcpyDtoHAsync_v2");
    is_fake = control.available();
}

namespace {

struct Question {
    const char *name;
    const char *statement;
    Answer (*ask)(const Place &place);
};

constexpr std::array<Question, 6> questions{{
    {"copy_across_chunks", "one copy crosses the border of two registrations", copy_crosses_chunks},
    {"driver_ignores_policy", "cuMemHostAlloc takes pages of the caller's node against its memory policy",
     driver_ignores_policy},
    {"registration_limit", "one registration of 512 GiB and more fails", half_a_tebibyte_fails},
    {"driver_memory_charged", "the cgroup is charged for memory of cuMemHostAlloc", driver_memory_is_charged},
    {"registered_memory_charged", "the cgroup is charged for memory that is registered", registered_memory_is_charged},
    {"registering_moves_pages", "registering moves pages out of the zone of movable pages", registering_moves_pages},
}};

nlohmann::ordered_json ask_all(const Place &place) {
    constexpr std::array<const char *, 3> names{"false", "true", "not testable here"};
    auto facts = nlohmann::ordered_json::array();
    for (const Question &question : questions) {
        const Answer answer = question.ask(place);
        facts.push_back({{"name", question.name},
                         {"statement", question.statement},
                         {"answer", names[answer.kind]},
                         {"detail", answer.detail}});
    }
    return facts;
}

int complain(const char *message) {
    std::fprintf(stderr, "%s\n", message);
    return EXIT_FAILURE;
}

int run(const char *path, bool large) {
    const Driver driver;
    Place place{nullptr, nullptr, driver, large};
    auto error = sized<near_error>();
    if (numa_pool_create(nullptr, &place.workers, &error) != NEAR_OK ||
        device_pool_create(nullptr, &place.devices, &error) != NEAR_OK ||
        device_pool_push(place.devices, 0, &error) != NEAR_OK) {
        return complain(error.message);
    }
    std::ofstream file(path);
    file << nlohmann::ordered_json{{"facts", ask_all(place)}}.dump(2) << '\n';
    file.close();
    if (device_pool_pop(&error) != NEAR_OK) {
        return complain(error.message);
    }
    device_pool_destroy(place.devices);
    numa_pool_destroy(place.workers);
    return file ? EXIT_SUCCESS : complain("the file cannot be written");
}

} // namespace
} // namespace facts

int main(int argc, char **argv) {
    const bool large = argc == 3 && std::strcmp(argv[2], "large") == 0;
    if (argc != 2 && !large) {
        std::fprintf(stderr, "usage: nearpool_gpu_facts FILE [large]\n");
        return 2;
    }
    return facts::run(argv[1], large);
}

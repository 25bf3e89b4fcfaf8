// SPDX-License-Identifier: Apache-2.0
#include "fuzz/world.hpp"

#include "fuzz/harness.hpp"

#include "fakes/libcuda/control.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

namespace nearpool::fuzz {
namespace {

// Never a real driver: what is done here could harm the programs that use it.
void *fake_driver() {
    static void *const library = [] {
        const char *path = std::getenv("NEARPOOL_CUDA_LIBRARY");
        void *opened = path != nullptr ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
        if (opened == nullptr || dlsym(opened, "fakeCudaReset") == nullptr) {
            std::printf("NEARPOOL_CUDA_LIBRARY must name the fake driver\n");
            std::exit(2);
        }
        return opened;
    }();
    return library;
}

template <class Function> Function *control(const char *name) {
    return reinterpret_cast<Function *>(dlsym(fake_driver(), name));
}

near_topology_options synthetic(const char *description) {
    near_topology_options options{};
    options.struct_size = sizeof options;
    options.source = NEAR_TOPOLOGY_SYNTHETIC;
    options.text = description;
    return options;
}

} // namespace

const near_topology *small_topology() {
    static const near_topology *const only = [] {
        const near_topology_options options = synthetic("pack:2 numa:1 core:2 pu:1");
        near_topology *made = nullptr;
        require(near_topology_create(&options, &made, nullptr) == NEAR_OK, "a synthetic machine is made");
        return made;
    }();
    return only;
}

void driver_fails(const char *symbol, uint64_t nth, int error) {
    control<decltype(fakeCudaFail)>("fakeCudaFail")(symbol, nth, error, 0);
}

void driver_loses(void *context) {
    constexpr int illegal_address = 700;
    control<decltype(fakeCudaLose)>("fakeCudaLose")(context, illegal_address);
}

const char *driver_holds() {
    return control<decltype(fakeCudaHeld)>("fakeCudaHeld")();
}

World::World() {
    const char *held = control<decltype(fakeCudaReset)>("fakeCudaReset")("", 0);
    require(held == nullptr, held == nullptr ? std::string() : std::string("the driver holds nothing before: ") + held);
}

World::~World() {
    stream_pool_destroy(streams_);
    numa_pool_destroy(pool_);
    device_pool_destroy(devices_);
    driver_fails("*", 0, 0);
    const std::string held = driver_holds();
    require(forgiven_ || held.empty(), "the driver holds nothing at the end: " + held);
    control<decltype(fakeCudaReset)>("fakeCudaReset")("", 1);
}

numa_pool *World::pool() {
    if (pool_ == nullptr) {
        numa_pool_options options{};
        options.struct_size = sizeof options;
        options.topology = small_topology();
        options.workers_per_node = 1;
        require(numa_pool_create(&options, &pool_, nullptr) == NEAR_OK, "a pool is made");
    }
    return pool_;
}

device_pool *World::devices() {
    if (devices_ == nullptr) {
        device_pool_options options{};
        options.struct_size = sizeof options;
        options.topology = small_topology();
        require(device_pool_create(&options, &devices_, nullptr) == NEAR_OK, "a pool of GPUs is made");
    }
    return devices_;
}

stream_pool *World::streams() {
    if (streams_ == nullptr) {
        stream_pool_options options{};
        options.struct_size = sizeof options;
        options.max_streams = 4;
        require(stream_pool_create(devices(), 0, &options, &streams_, nullptr) == NEAR_OK, "a pool of streams is made");
    }
    return streams_;
}

void check_status(near_status status) {
    require(status <= NEAR_OK && status >= NEAR_E_CANCELLED, "a status is one of the interface's");
    require(status != NEAR_E_INTERNAL, "no defect of the library's own");
}

} // namespace nearpool::fuzz

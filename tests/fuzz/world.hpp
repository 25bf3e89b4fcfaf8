// SPDX-License-Identifier: Apache-2.0
// Objects of the public interface on made-up machines and the fake driver, made when first asked for, and given back at
// the end.
#pragma once

#include <nearpool/nearpool.h>

#include <cstdint>

namespace nearpool::fuzz {

// Two nodes with two CPUs each, of no machine: pools on it pin nothing.
const near_topology *small_topology();

// The fake driver's controls (tests/fakes/libcuda/control.h).
void driver_fails(const char *symbol, uint64_t nth, int error);
void driver_loses(void *context);
const char *driver_holds();

class World {
public:
    World(); // the driver is as before its first use
    ~World();
    World(const World &) = delete;
    World &operator=(const World &) = delete;

    numa_pool *pool();      // one worker a node
    device_pool *devices(); // both GPUs
    stream_pool *streams(); // four at most, of GPU 0

    void forgive() { forgiven_ = true; } // the driver may hold things at the end: its calls were made to fail

private:
    numa_pool *pool_ = nullptr;
    device_pool *devices_ = nullptr;
    stream_pool *streams_ = nullptr;
    bool forgiven_ = false;
};

// A status of the public interface.
void check_status(near_status status);

} // namespace nearpool::fuzz

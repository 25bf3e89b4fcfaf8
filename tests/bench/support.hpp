// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nearpool/nearpool.h>

#include <cstdio>
#include <cstdlib>

namespace bench {

// A benchmark that cannot do its work measures nothing: it ends the program.
inline void must(near_status status, const char *what) {
    if (status != NEAR_OK) {
        std::fprintf(stderr, "%s: %s\n", what, near_status_text(status));
        std::exit(1);
    }
}

template <class T> T sized() {
    T value{};
    value.struct_size = sizeof(T);
    return value;
}

class Pool {
public:
    explicit Pool(uint32_t workers_per_node, uint64_t spin_ns = 0) {
        numa_pool_options options = sized<numa_pool_options>();
        options.workers_per_node = workers_per_node;
        options.spin_ns = spin_ns;
        must(numa_pool_create(&options, &pool_, nullptr), "numa_pool_create");
        node_ = near_topology_node_at(numa_pool_topology(pool_), 0);
    }
    ~Pool() { numa_pool_destroy(pool_); }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    numa_pool *get() const { return pool_; }
    uint32_t node() const { return node_; }
    void wait() const { must(numa_pool_wait_idle(pool_, NEAR_FOREVER, nullptr), "numa_pool_wait_idle"); }

private:
    numa_pool *pool_ = nullptr;
    uint32_t node_ = 0;
};

} // namespace bench

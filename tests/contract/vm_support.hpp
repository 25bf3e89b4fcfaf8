// SPDX-License-Identifier: Apache-2.0
// What the contract tests of the machines of tests/vm share: where the kernel sees tasks, and control groups.
#pragma once

#include "contract/numa_pool_support.hpp"
#include "support/vm_machine.hpp"

#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace nearpool_test {

// Runs tasks on a node, and says on which nodes and CPUs the kernel saw them.
inline std::pair<std::set<uint32_t>, std::set<uint32_t>> seen_by(numa_pool *pool, uint32_t node, int count = 100) {
    std::mutex mutex;
    std::pair<std::set<uint32_t>, std::set<uint32_t>> seen;
    for (int i = 0; i < count; i++) {
        EXPECT_EQ(submit(pool, node,
                         [&] {
                             const Place place = here();
                             const std::lock_guard<std::mutex> lock(mutex);
                             seen.first.insert(place.node);
                             seen.second.insert(place.cpu);
                         }),
                  NEAR_OK);
    }
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    return seen;
}

// Bound to a node, and faulted in there.
inline near_status create_region(uint32_t node, std::size_t bytes, uint32_t strict, int32_t pages, near_region **region,
                                 near_error *error) {
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = NEAR_POLICY_BIND;
    options.nodes = &node;
    options.node_count = 1;
    options.strict = strict;
    options.pages = pages;
    options.prefault = NEAR_PREFAULT_ON_NODE;
    return near_region_create(nullptr, bytes, &options, region, error);
}

inline bool write_file(const std::string &path, const std::string &text) {
    std::ofstream out(path);
    out << text;
    return static_cast<bool>(out.flush());
}

// A control group of this test's own, which it enters before its first call of the library.
class ControlGroup {
public:
    ControlGroup() { ::mkdir(folder_.c_str(), 0755); }
    bool set(const std::string &file, const std::string &value) { return write_file(folder_ + "/" + file, value); }
    bool enter() { return set("cgroup.procs", std::to_string(::getpid())); }
    ~ControlGroup() {
        std::ofstream("/sys/fs/cgroup/cgroup.procs") << ::getpid() << std::flush;
        ::rmdir(folder_.c_str());
    }
    ControlGroup(const ControlGroup &) = delete;
    ControlGroup &operator=(const ControlGroup &) = delete;

private:
    std::string folder_ = "/sys/fs/cgroup/test-" + std::to_string(::getpid());
};

} // namespace nearpool_test

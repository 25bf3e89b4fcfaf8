// SPDX-License-Identifier: Apache-2.0
// A machine made up for the memory layer's tests: real memory, nodes as the test says, and calls that fail on demand.
#pragma once

#include "fakes/ports.hpp"
#include "memory/region.hpp"
#include "support/vm_machine.hpp"
#include "sys/constants.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearpool::test {

// The kernel's own account of such a machine, from which this_machine() topologies are read.
inline void write_sysfs(fakes::FakeFiles *files, const std::vector<fakes::FakeNode> &nodes, const NumberSet &allowed) {
    NumberSet numbers;
    NumberSet cpus;
    for (const fakes::FakeNode &node : nodes) {
        numbers.add(node.number);
        cpus = cpus.unite(node.cpus);
    }
    files->hide("/sys/devices/system");
    files->set("/sys/devices/system/cpu/online", cpus.text() + "\n");
    files->set("/sys/devices/system/node/online", numbers.text() + "\n");
    files->set("/proc/self/status",
               "Cpus_allowed_list:\t" + cpus.text() + "\nMems_allowed_list:\t" + allowed.text() + "\n");
    for (const fakes::FakeNode &node : nodes) {
        const std::string folder = "/sys/devices/system/node/node" + std::to_string(node.number);
        const std::size_t kilobytes = node.room_pages * base_page_bytes() / 1024;
        files->set(folder + "/cpulist", (node.cpus.empty() ? "" : node.cpus.text()) + "\n");
        files->set(folder + "/meminfo", "Node 0 MemTotal: " + std::to_string(kilobytes) + " kB\n");
        std::string distances;
        for (const fakes::FakeNode &other : nodes) {
            const uint32_t apart = other.number > node.number ? other.number - node.number : node.number - other.number;
            distances += std::to_string(10 + 2 * apart) + " ";
        }
        files->set(folder + "/distance", distances + "\n");
    }
}

inline std::vector<fakes::FakeNode> four_nodes(std::size_t room_pages = 1U << 20) {
    return {{0, {0, 1}, room_pages}, {1, {2, 3}, room_pages}, {2, {4, 5}, room_pages}, {3, {6, 7}, room_pages}};
}

// Pages from the pool are not to be had here: a base mapping stands for them.
class PoolMemory final : public MemoryPort {
public:
    explicit PoolMemory(MemoryPort &inner) : inner_(inner) {}
    int map(std::size_t bytes, int protection, int flags, int descriptor, uint64_t offset, void **address) override {
        if (flags == plain(flags)) {
            return inner_.map(bytes, protection, flags, descriptor, offset, address);
        }
        pool_maps_++;
        const int result = inner_.map(bytes + alignment, protection, plain(flags), descriptor, offset, address);
        if (result == 0) {
            auto *begin = static_cast<char *>(*address);
            const std::size_t skipped = (alignment - reinterpret_cast<uintptr_t>(begin) % alignment) % alignment;
            *address = begin + skipped;
            inner_.unmap(begin, skipped);
            inner_.unmap(begin + skipped + bytes, alignment - skipped);
        }
        return result;
    }
    int protect(void *address, std::size_t bytes, int protection) override {
        return inner_.protect(address, bytes, protection);
    }
    int unmap(void *address, std::size_t bytes) override { return inner_.unmap(address, bytes); }
    int advise(void *address, std::size_t bytes, int advice) override {
        if (advice == sys::advice_populate_write && populate_error_ != 0) {
            return -populate_error_;
        }
        return inner_.advise(address, bytes, advice);
    }
    int lock(void *address, std::size_t bytes) override { return inner_.lock(address, bytes); }
    int unlock(void *address, std::size_t bytes) override { return inner_.unlock(address, bytes); }
    int create_memfd(const char *name, unsigned flags) override {
        pool_maps_ += (flags & sys::memfd_hugetlb) != 0 ? 1 : 0;
        return inner_.create_memfd(name, sys::memfd_close_on_exec);
    }

    void fail_populate(int error) { populate_error_ = error; }
    int pool_maps() const { return pool_maps_; }

private:
    static constexpr std::size_t alignment = std::size_t{2} << 20U;
    static int plain(int flags) { return flags & (sys::map_shared | sys::map_private | sys::map_anonymous); }

    MemoryPort &inner_;
    int pool_maps_ = 0;
    int populate_error_ = 0;
};

// The machine, its topology and a crew on it.
class World {
public:
    explicit World(std::vector<fakes::FakeNode> nodes = four_nodes()) : World(nodes, all(nodes)) {}

    // `allowed`: the nodes whose memory the cpuset allows.
    World(std::vector<fakes::FakeNode> nodes, const NumberSet &allowed)
        : machine(nodes), inner(machine.ports()),
          pool(inner.memory), under{pool,        inner.policy,  inner.affinity, inner.futex,
                                    inner.files, inner.threads, inner.libraries},
          ports(under) {
        write_sysfs(&machine.files(), nodes, allowed);
        topology = discover();
        crew = std::make_unique<Crew>(ports.ports());
    }

    // The same machine again, without reading it again.
    World(std::vector<fakes::FakeNode> nodes, Ref<const Topology> known)
        : machine(std::move(nodes)), inner(machine.ports()),
          pool(inner.memory), under{pool,        inner.policy,  inner.affinity, inner.futex,
                                    inner.files, inner.threads, inner.libraries},
          ports(under), topology(std::move(known)), crew(std::make_unique<Crew>(ports.ports())) {
        machine.files().hide("/sys/devices/system");
    }

    void set_pool(uint32_t node, const char *size, int free_pages) {
        machine.files().set("/sys/devices/system/node/node" + std::to_string(node) + "/hugepages/hugepages-" + size +
                                "/free_hugepages",
                            std::to_string(free_pages) + "\n");
    }

    // Nobody may look page by page, and /proc/self/numa_maps says where pages are.
    void forbid_looking() {
        ports.fail_always(fakes::Call::policy_query, EPERM);
        machine.files().set("/proc/self/numa_maps", [this] { return machine.nodes().numa_maps(); });
    }

    Result<std::unique_ptr<Region>> make(const RegionSpec &spec) {
        return Region::create(ports.ports(), topology, *crew, spec);
    }

    // A region that must be made.
    std::unique_ptr<Region> made(const RegionSpec &spec) {
        Result<std::unique_ptr<Region>> result = make(spec);
        EXPECT_TRUE(result) << (result ? "" : result.error().message);
        return result ? result.take() : nullptr;
    }

    fakes::FakeMachine machine;
    Ports inner;
    PoolMemory pool;
    Ports under;
    fakes::FailingPorts ports;
    Ref<const Topology> topology;
    std::unique_ptr<Crew> crew;

private:
    Ref<const Topology> discover() {
        Result<Ref<const Topology>> found = Topology::discover(ports.ports());
        EXPECT_TRUE(found) << (found ? "" : found.error().message);
        return found ? found.value() : Ref<const Topology>();
    }

    static NumberSet all(const std::vector<fakes::FakeNode> &nodes) {
        NumberSet numbers;
        for (const fakes::FakeNode &node : nodes) {
            if (node.room_pages != 0) {
                numbers.add(node.number);
            }
        }
        return numbers;
    }
};

inline RegionSpec spec_of(std::size_t pages, int32_t policy, std::vector<uint32_t> nodes, bool strict = false) {
    RegionSpec spec;
    spec.bytes = pages * base_page_bytes();
    spec.policy = policy;
    spec.nodes = std::move(nodes);
    spec.pages = NEAR_PAGES_BASE;
    spec.prefault = NEAR_PREFAULT_ON_NODE;
    spec.strict = strict;
    return spec;
}

inline std::string text_of(const near_placement &placement) {
    return std::string(near_level_name(placement.level)) + ", " + near_reason_name(placement.reason_code) + ": " +
           placement.reason + " (" + std::to_string(placement.near_pages) + " near of " +
           std::to_string(placement.present_pages) + " present of " + std::to_string(placement.page_count) + ")";
}

// Pages by node, as the region sees them.
inline std::map<uint32_t, std::size_t> histogram(Region *region) {
    std::map<uint32_t, std::size_t> result;
    const Result<std::vector<near_node_pages>> nodes = region->nodes();
    EXPECT_TRUE(nodes);
    if (nodes) {
        for (const near_node_pages &entry : nodes.value()) {
            result[entry.node] = entry.page_count;
        }
    }
    return result;
}

using Histogram = std::map<uint32_t, std::size_t>;

} // namespace nearpool::test

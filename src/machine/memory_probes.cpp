// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "machine/probes.hpp"
#include "sys/constants.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace nearpool::probes {
namespace {

// A fault under MPOL_BIND on a node without room kills the process, so nothing is touched there unless there is plenty.
bool has_room(uint64_t free_kib, uint64_t total_kib) {
    return free_kib >= uint64_t{8} * 1024 + total_kib / 64;
}

// A page of our own.
class ScratchPage {
public:
    explicit ScratchPage(MemoryPort &memory) : memory_(memory), bytes_(base_page_bytes()) {
        error_ = -memory_.map(bytes_, sys::protect_read_write, sys::map_private | sys::map_anonymous, -1, 0, &address_);
    }
    ~ScratchPage() {
        if (error_ == 0) {
            memory_.unmap(address_, bytes_);
        }
    }
    ScratchPage(const ScratchPage &) = delete;
    ScratchPage &operator=(const ScratchPage &) = delete;

    int error() const { return error_; } // positive
    void *address() const { return address_; }
    std::size_t bytes() const { return bytes_; }
    void touch() { *static_cast<volatile char *>(address_) = 1; }

private:
    MemoryPort &memory_;
    std::size_t bytes_;
    void *address_ = nullptr;
    int error_ = 0;
};

Capability refused(const char *what, int error) {
    return Capability::no(reason_of_errno(error), std::string(what) + " failed: " + errno_text(error));
}

// The node of a page that was touched, or -errno.
int node_of(PolicyPort &policy, const ScratchPage &page) {
    void *address = page.address();
    int state = -ENOENT;
    const long result = policy.move_pages(1, &address, nullptr, &state, 0);
    return result < 0 ? static_cast<int>(result) : state;
}

// The allowed node with the most free memory, not counting `except`; NEAR_NODE_UNKNOWN: none has enough to be touched.
uint32_t roomiest(FilePort &files, const Topology &topology, uint32_t except) {
    uint32_t best = NEAR_NODE_UNKNOWN;
    uint64_t most = 0;
    for (const uint32_t node : topology.allowed_nodes()) {
        const std::string path = "/sys/devices/system/node/node" + std::to_string(node) + "/meminfo";
        const uint64_t free_kib = number_in(files, path, "MemFree").value_or(0);
        const uint64_t total_kib = number_in(files, path, "MemTotal").value_or(0);
        if (node != except && free_kib > most && has_room(free_kib, total_kib)) {
            most = free_kib;
            best = node;
        }
    }
    return best;
}

uint32_t own_node(const Ports &ports) {
    uint32_t cpu = 0;
    uint32_t node = NEAR_NODE_UNKNOWN;
    return ports.affinity.current(&cpu, &node) == 0 ? node : NEAR_NODE_UNKNOWN;
}

// Another node than the one where the page would be anyway, so that the look proves something.
Capability verify_binding(const Ports &ports, const Topology &topology) {
    const uint32_t node = roomiest(ports.files, topology, own_node(ports));
    if (node == NEAR_NODE_UNKNOWN) {
        return Capability::yes("mbind() with MPOL_BIND is accepted (not tried out: no other node has memory to spare)");
    }
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    if (const int error = ports.policy.bind(page.address(), page.bytes(), sys::policy_bind, {node}, 0); error < 0) {
        return refused("mbind() with MPOL_BIND", -error);
    }
    page.touch();
    const int seen = node_of(ports.policy, page);
    if (seen < 0) {
        return Capability::yes(
            format("mbind() with MPOL_BIND to node %u is accepted; where the page went cannot be seen", node));
    }
    if (static_cast<uint32_t>(seen) != node) {
        return Capability::no(NEAR_REASON_ELSEWHERE, format("a page bound to node %u is on node %d", node, seen));
    }
    return Capability::yes(format("a page bound to node %u is there", node));
}

Capability policy_mode(const Ports &ports, const Topology &topology, int mode, const char *name, const char *since) {
    if (topology.allowed_nodes().empty()) {
        return Capability::no(NEAR_REASON_NOT_ALLOWED, "the cpuset allows no node with memory");
    }
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    const int error = -ports.policy.bind(page.address(), page.bytes(), mode, topology.allowed_nodes(), 0);
    if (error == EINVAL) {
        return Capability::no(NEAR_REASON_KERNEL, format("this kernel has no %s, which came with %s", name, since));
    }
    return error == 0 ? Capability::yes(format("the kernel takes %s", name)) : refused("mbind()", error);
}

} // namespace

Capability memory_binding(const Ports &ports, const Topology &topology) {
    if (topology.allowed_nodes().empty()) {
        return Capability::no(NEAR_REASON_NOT_ALLOWED, "the cpuset allows no node with memory");
    }
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    const NumberSet first{topology.allowed_nodes()[0]};
    if (const int error = ports.policy.bind(page.address(), page.bytes(), sys::policy_bind, first, 0); error < 0) {
        return refused("mbind() with MPOL_BIND", -error);
    }
    if (topology.allowed_nodes().size() > 1) {
        return verify_binding(ports, topology);
    }
    if (!topology.doubt().empty()) {
        return Capability::no(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
    }
    return Capability::yes(format("mbind() with MPOL_BIND is accepted (one node with memory: %u)", first[0]));
}

Capability placement_query(const Ports &ports) {
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    page.touch();
    const int node = node_of(ports.policy, page);
    return node < 0 ? refused("move_pages() as a question", -node)
                    : Capability::yes("move_pages() says where pages are");
}

Capability migration(const Ports &ports, const Topology &topology) {
    if (topology.allowed_nodes().size() < 2) {
        return Capability::no(NEAR_REASON_ONE_NODE, "there is one node with memory: nowhere to move pages to");
    }
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    page.touch();
    const int from = node_of(ports.policy, page);
    if (from < 0) {
        return refused("move_pages() as a question", -from);
    }
    const uint32_t to = roomiest(ports.files, topology, static_cast<uint32_t>(from));
    if (to == NEAR_NODE_UNKNOWN) {
        return Capability::no(NEAR_REASON_NO_MEMORY, "no other node has memory to spare, so that a move was not tried");
    }
    void *address = page.address();
    const int target = static_cast<int>(to);
    int state = 0;
    const long result = ports.policy.move_pages(1, &address, &target, &state, sys::move_own);
    if (result < 0 || state < 0) {
        return refused("move_pages()", static_cast<int>(-std::min<long>(result, state)));
    }
    const int seen = node_of(ports.policy, page);
    if (seen != target) {
        return Capability::no(NEAR_REASON_ELSEWHERE, format("a page moved to node %d is on node %d", target, seen));
    }
    return Capability::yes(format("a page was moved from node %d to node %d", from, target));
}

Capability locking(const Ports &ports) {
    const std::optional<uint64_t> limit = number_in(ports.files, "/proc/self/limits", "Max locked memory");
    const uint64_t bytes = limit.value_or(NEAR_NONE); // "unlimited" is no number
    const std::string bound =
        limit ? format("RLIMIT_MEMLOCK is %llu bytes", static_cast<unsigned long long>(bytes)) : "no limit";
    ScratchPage page(ports.memory);
    if (page.error() != 0) {
        return refused("mapping a page", page.error());
    }
    const int error = -ports.memory.lock(page.address(), page.bytes());
    if (error == 0) {
        ports.memory.unlock(page.address(), page.bytes());
        return Capability::yes("memory can be locked; " + bound, bytes);
    }
    const bool by_limit = error == ENOMEM || error == EAGAIN || (error == EPERM && bytes < page.bytes());
    return Capability::no(by_limit ? NEAR_REASON_LIMIT : reason_of_errno(error),
                          "mlock() of a page failed: " + errno_text(error) + "; " + bound, bytes);
}

Capability preferred_many(const Ports &ports, const Topology &topology) {
    return policy_mode(ports, topology, sys::policy_preferred_many, "MPOL_PREFERRED_MANY", "Linux 5.15");
}

Capability weighted_interleave(const Ports &ports, const Topology &topology) {
    return policy_mode(ports, topology, sys::policy_weighted_interleave, "MPOL_WEIGHTED_INTERLEAVE", "Linux 6.9");
}

} // namespace nearpool::probes

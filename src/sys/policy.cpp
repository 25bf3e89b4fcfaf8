// SPDX-License-Identifier: Apache-2.0
// System calls made directly: libnuma's wrappers of the same names add nothing, and the modes newer than its header
// are ours (sys/constants.hpp).
#include "sys/node_mask.hpp"
#include "sys/real.hpp"

#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace nearpool {
namespace {

constexpr std::size_t most_node_bits = 1U << 15; // more than any kernel can be built for; doubled into from 1024

long negated(long result) {
    return result < 0 ? -errno : result;
}

class RealPolicy final : public PolicyPort {
public:
    int bind(void *address, std::size_t bytes, int mode, const NumberSet &nodes, unsigned flags) override {
        const NodeMask mask(nodes);
        return static_cast<int>(
            negated(::syscall(SYS_mbind, address, bytes, mode, mask.words(), mask.maxnode(), flags)));
    }

    int set_thread(int mode, const NumberSet &nodes) override {
        const NodeMask mask(nodes);
        return static_cast<int>(negated(::syscall(SYS_set_mempolicy, mode, mask.words(), mask.maxnode())));
    }

    // EINVAL means that the kernel's masks are longer than ours: there is no other way to learn their length.
    int get_thread(int *mode, NumberSet *nodes) override {
        for (std::size_t bits = 1024;; bits *= 2) {
            NodeMask mask(bits);
            const long result = negated(::syscall(SYS_get_mempolicy, mode, mask.words(), mask.maxnode(), nullptr, 0UL));
            if (result == -EINVAL && bits < most_node_bits) {
                continue;
            }
            if (result == 0) {
                *nodes = mask.numbers();
            }
            return static_cast<int>(result);
        }
    }

    long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) override {
        return negated(::syscall(SYS_move_pages, 0, count, pages, nodes, states, flags));
    }
};

} // namespace

PolicyPort &real_policy() {
    static auto *const port = new RealPolicy;
    return *port;
}

} // namespace nearpool

// SPDX-License-Identifier: Apache-2.0
// What the tests of GPUs in the machines of tests/vm share: addresses of devices that are there, and the kernel's word
// on where pages are.
#pragma once

#include "gpu/support.hpp"
#include "support/seccomp.hpp"
#include "support/vm_machine.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>

namespace nearpool_gpu {

constexpr const char *pci_folder = "/sys/bus/pci/devices/";

inline int node_in_sysfs(const std::string &address) {
    int node = -2;
    std::ifstream(pci_folder + address + "/numa_node") >> node;
    return node;
}

// The first PCI device next to a node that is no bridge, or is one; node -1: the kernel does not know.
inline std::string address_on(int node, bool bridge = false) {
    std::set<std::string> addresses;
    for (const auto &entry : std::filesystem::directory_iterator(pci_folder)) {
        const std::string address = entry.path().filename();
        unsigned kind = 0;
        std::ifstream(entry.path() / "class") >> std::hex >> kind;
        const bool first_function = address.back() == '0';
        if (first_function && node_in_sysfs(address) == node && (kind >> 16U == 0x06) == bridge) {
            addresses.insert(address);
        }
    }
    EXPECT_FALSE(addresses.empty()) << "no device on node " << node;
    return addresses.empty() ? "" : *addresses.begin();
}

// {"pci": "0000:51:00.0", more}
inline std::string device_at(const std::string &address, const std::string &more = "") {
    return R"({"pci":")" + address + "\"" + (more.empty() ? "" : "," + more) + "}";
}

// Base pages by the node where they are, or by -errno.
using Histogram = std::map<int, std::size_t>;

constexpr std::size_t base_page = 4096;

// Asks move_pages(); with a node, to move them there first.
inline Histogram pages_of(const void *data, std::size_t bytes, int move_to = -1) {
    const auto begin = reinterpret_cast<uintptr_t>(data) / base_page;
    const auto end = (reinterpret_cast<uintptr_t>(data) + bytes + base_page - 1) / base_page;
    std::vector<void *> pages;
    for (uintptr_t page = begin; page < end; page++) {
        pages.push_back(reinterpret_cast<void *>(page * base_page));
    }
    const std::vector<int> nodes(pages.size(), move_to);
    std::vector<int> states(pages.size(), -1);
    EXPECT_GE(::syscall(SYS_move_pages, 0, pages.size(), pages.data(), move_to < 0 ? nullptr : nodes.data(),
                        states.data(), 0),
              0);
    Histogram histogram;
    for (const int state : states) {
        histogram[state]++;
    }
    return histogram;
}

// What numactl does: the calling thread and those that it starts want their memory so.
inline bool set_policy(int mode, unsigned long nodes) {
    return ::syscall(SYS_set_mempolicy, mode, mode == 0 ? nullptr : &nodes, mode == 0 ? 0 : 8 * sizeof nodes + 1) == 0;
}

} // namespace nearpool_gpu

// SPDX-License-Identifier: Apache-2.0
// The kernel's numbers, for the layers that may not include its headers (design.md section 7). Those that are newer
// than Debian 12's headers are written out; the others are checked against the headers in constants.cpp.
#pragma once

#include <cstdint>

namespace nearpool::sys {

enum Policy : int { // mbind(2), set_mempolicy(2)
    policy_default = 0,
    policy_preferred = 1,
    policy_bind = 2,
    policy_interleave = 3,
    policy_local = 4,
    policy_preferred_many = 5,      // Linux 5.15
    policy_weighted_interleave = 6, // Linux 6.9
};

enum MoveFlag : int { // move_pages(2), mbind(2)
    move_own = 1 << 1,
};

enum Protection : int { // mmap(2)
    protect_none = 0,
    protect_read = 1,
    protect_read_write = 3,
};

enum MapFlag : int {
    map_shared = 0x01,
    map_private = 0x02,
    map_anonymous = 0x20,
    map_hugetlb = 0x40000,
    map_huge_2m = 21 << 26,
    map_huge_1g = 30 << 26,
};

enum MemfdFlag : unsigned { // memfd_create(2)
    memfd_close_on_exec = 0x1U,
    memfd_hugetlb = 0x4U,
    memfd_huge_2m = 21U << 26,
    memfd_huge_1g = 30U << 26,
};

enum Advice : int { // madvise(2)
    advice_normal = 0,
    advice_random = 1,
    advice_sequential = 2,
    advice_will_need = 3,
    advice_dont_need = 4,
    advice_remove = 9,
    advice_dont_fork = 10,
    advice_huge_page = 14,
    advice_no_huge_page = 15,
    advice_dont_dump = 16,
    advice_cold = 20,
    advice_populate_read = 22,  // Linux 5.14
    advice_populate_write = 23, // Linux 5.14
};

enum Filesystem : long { // statfs(2)
    filesystem_tmpfs = 0x01021994,
    filesystem_hugetlbfs = 0x958458f6,
};

} // namespace nearpool::sys

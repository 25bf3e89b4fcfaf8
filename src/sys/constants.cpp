// SPDX-License-Identifier: Apache-2.0
#include "sys/constants.hpp"

#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>

namespace nearpool::sys {

static_assert(static_cast<int>(policy_default) == MPOL_DEFAULT && static_cast<int>(policy_preferred) == MPOL_PREFERRED);
static_assert(static_cast<int>(policy_bind) == MPOL_BIND && static_cast<int>(policy_interleave) == MPOL_INTERLEAVE);
static_assert(static_cast<int>(policy_local) == MPOL_LOCAL);
static_assert(static_cast<int>(policy_preferred_many) == MPOL_PREFERRED_MANY);
static_assert(move_own == MPOL_MF_MOVE);
static_assert(protect_none == PROT_NONE && protect_read == PROT_READ);
static_assert(protect_read_write == (PROT_READ | PROT_WRITE));
static_assert(map_shared == MAP_SHARED && map_private == MAP_PRIVATE && map_anonymous == MAP_ANONYMOUS);
static_assert(map_hugetlb == MAP_HUGETLB);
static_assert(memfd_close_on_exec == MFD_CLOEXEC && memfd_hugetlb == MFD_HUGETLB);
static_assert(memfd_huge_2m == MFD_HUGE_2MB && memfd_huge_1g == MFD_HUGE_1GB);
static_assert(advice_random == MADV_RANDOM && advice_sequential == MADV_SEQUENTIAL);
static_assert(advice_will_need == MADV_WILLNEED && advice_dont_need == MADV_DONTNEED && advice_remove == MADV_REMOVE);
static_assert(advice_dont_fork == MADV_DONTFORK && advice_huge_page == MADV_HUGEPAGE);
static_assert(advice_no_huge_page == MADV_NOHUGEPAGE && advice_cold == MADV_COLD);
static_assert(advice_dont_dump == MADV_DONTDUMP);
static_assert(filesystem_tmpfs == TMPFS_MAGIC && filesystem_hugetlbfs == HUGETLBFS_MAGIC);

} // namespace nearpool::sys

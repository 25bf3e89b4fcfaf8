// SPDX-License-Identifier: Apache-2.0
#include "machine/isolation.hpp"

#include "fakes/ports.hpp"

#include <gtest/gtest.h>

namespace nearpool::testing {
namespace {

TEST(Isolation, IsThatOfTheBootAndOfPartitions) {
    fakes::FakeFiles files;
    files.hide("/cg");
    files.hide("/sys/devices/system/cpu");
    files.set("/proc/self/cgroup", "3:cpuset:/old\n0::/a/b\n");
    files.set("/proc/self/mountinfo", "30 24 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
    EXPECT_TRUE(isolated_cpus(files).empty());
    files.set("/sys/devices/system/cpu/isolated", "\n");
    EXPECT_TRUE(isolated_cpus(files).empty());
    files.set("/sys/devices/system/cpu/isolated", "2-3\n");
    EXPECT_EQ(isolated_cpus(files), (NumberSet{2, 3}));
    files.set("/cg/a/cpuset.cpus.partition", "root\n");
    files.set("/cg/a/cpuset.cpus.effective", "0-7\n");
    EXPECT_EQ(isolated_cpus(files), (NumberSet{2, 3}));
    files.set("/cg/a/b/cpuset.cpus.partition", "isolated\n");
    files.set("/cg/a/b/cpuset.cpus.effective", "6-7\n");
    EXPECT_EQ(isolated_cpus(files), (NumberSet{2, 3, 6, 7}));
    files.set("/cg/a/b/cpuset.cpus.partition", "isolated invalid (Parent is not a partition root)\n");
    files.set("/cg/cpuset.cpus.isolated", "9\n");
    EXPECT_EQ(isolated_cpus(files), (NumberSet{2, 3, 9}));
}

} // namespace
} // namespace nearpool::testing

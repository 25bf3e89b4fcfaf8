// SPDX-License-Identifier: Apache-2.0
#include "machine/quota.hpp"

#include "fakes/ports.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace nearpool::testing {
namespace {

constexpr const char *version_2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr const char *version_1 = "30 24 0:26 / /cg/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
                                  "31 24 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n";

class Files {
public:
    Files(const std::string &groups, const std::string &mounts) {
        files.set("/proc/self/cgroup", groups);
        files.set("/proc/self/mountinfo", mounts);
        files.hide("/sys/fs/cgroup");
        files.hide("/cg");
    }
    fakes::FakeFiles files;
};

TEST(Quota, IsNoneWithoutAFileOrALimit) {
    Files world("0::/a\n", version_2);
    EXPECT_EQ(cpu_quota_millis(world.files), std::nullopt);
    world.files.set("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), std::nullopt);
}

TEST(Quota, IsThatOfTheOwnGroupInThousandths) {
    Files world("0::/a\n", version_2);
    world.files.set("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 1500U);
}

TEST(Quota, OfAGroupAboveCountsToo) {
    Files world("0::/a/b/c\n", version_2);
    world.files.set("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    world.files.set("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    world.files.set("/sys/fs/cgroup/a/cpu.max", "250000 50000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 5000U);
    world.files.set("/sys/fs/cgroup/cpu.max", "20000 10000\n"); // of the mount itself: a container's own group
    EXPECT_EQ(cpu_quota_millis(world.files), 2000U);
}

TEST(Quota, IsAtLeastOneThousandth) {
    Files world("0::/\n", version_2);
    world.files.set("/sys/fs/cgroup/cpu.max", "1000 1000000000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 1U);
}

TEST(Quota, OfVersion1IsReadWhereItsControllerIsMounted) {
    Files world("5:memory:/m\n3:cpu,cpuacct:/jobs/one\n0::/\n", version_1);
    world.files.set("/cg/cpu,cpuacct/jobs/one/cpu.cfs_quota_us", "-1\n");
    world.files.set("/cg/cpu,cpuacct/jobs/one/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), std::nullopt);
    world.files.set("/cg/cpu,cpuacct/jobs/cpu.cfs_quota_us", "300000\n");
    world.files.set("/cg/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 3000U);
}

TEST(Quota, OfACpusetOrCpuacctControllerAloneIsNotSought) {
    Files world("3:cpuset:/a\n4:cpuacct:/a\n", "30 24 0:26 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n");
    world.files.set("/cg/cpuset/a/cpu.cfs_quota_us", "100000\n");
    world.files.set("/cg/cpuset/a/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), std::nullopt);
}

// A container sees its own group as the mount's root, and the path of /proc/self/cgroup from outside.
TEST(Quota, OfAContainerIsFoundBelowTheMountsRoot) {
    Files world("0::/docker/abc/work\n", "30 24 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    world.files.set("/sys/fs/cgroup/work/cpu.max", "400000 100000\n");
    world.files.set("/sys/fs/cgroup/cpu.max", "700000 100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 4000U);
}

TEST(Quota, OfAnUnrelatedMountIsThatOfItsRoot) {
    Files world("0::/elsewhere\n", "30 24 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    world.files.set("/sys/fs/cgroup/cpu.max", "700000 100000\n");
    EXPECT_EQ(cpu_quota_millis(world.files), 7000U);
}

TEST(Quota, IsNoneWhereTheFilesMakeNoSense) {
    for (const char *text : {"", "many", "100000", "0 0", "-5 100000", "100000 0"}) {
        Files world("0::/a\n", version_2);
        world.files.set("/sys/fs/cgroup/a/cpu.max", text);
        EXPECT_EQ(cpu_quota_millis(world.files), std::nullopt) << text;
    }
    Files empty("", "");
    EXPECT_EQ(cpu_quota_millis(empty.files), std::nullopt);
    Files broken("0:\nx\n::\n0::/a", "30 24\n- - - -\n1 2 3 4 5 - cgroup2\n");
    EXPECT_EQ(cpu_quota_millis(broken.files), std::nullopt);
}

TEST(Quota, IsNoneWhereTheFilesAreRefused) {
    fakes::FailingPorts ports;
    ports.fail_always(fakes::Call::files_read, EACCES);
    EXPECT_EQ(cpu_quota_millis(ports.ports().files), std::nullopt);
}

} // namespace
} // namespace nearpool::testing

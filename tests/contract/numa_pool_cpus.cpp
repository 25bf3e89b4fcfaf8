// SPDX-License-Identifier: Apache-2.0
// numa_pool_options::cpus and excluded_cpus.
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <sched.h>

using namespace nearpool_test;

namespace {

std::vector<uint32_t> allowed() {
    std::size_t needed = 0;
    EXPECT_EQ(near_affinity_get(nullptr, 0, &needed, nullptr), NEAR_OK);
    std::vector<uint32_t> cpus(needed);
    EXPECT_EQ(near_affinity_get(cpus.data(), cpus.size(), &needed, nullptr), NEAR_OK);
    return cpus;
}

near_status create(const numa_pool_options &options, Error *error) {
    numa_pool *pool = nullptr;
    *error = Error();
    const near_status status = numa_pool_create(&options, &pool, error);
    EXPECT_EQ(pool != nullptr, status == NEAR_OK);
    numa_pool_destroy(pool);
    return status;
}

TEST(PoolCpus, BadListsAreRefused) {
    const uint32_t cpu = allowed().front();
    const uint32_t absent = 999999;
    numa_pool_options options = options_for(nullptr);
    Error error;
    options.cpu_count = 1;
    EXPECT_EQ(create(options, &error), NEAR_E_INVALID);
    EXPECT_STREQ(error.message, "numa_pool_create: cpus is NULL with a count of 1");
    options.cpus = &cpu;
    options.cpu_count = 0;
    EXPECT_EQ(create(options, &error), NEAR_E_EMPTY_SET);
    options.cpu_count = SIZE_MAX;
    EXPECT_EQ(create(options, &error), NEAR_E_INVALID) << "no array is so long";
    options.cpu_count = 1;
    options.excluded_cpus = &cpu;
    EXPECT_EQ(create(options, &error), NEAR_E_EMPTY_SET);
    EXPECT_TRUE(error.says("excluded_cpus is empty")) << error.message;
    options.excluded_count = 1;
    EXPECT_EQ(create(options, &error), NEAR_E_NO_CPU);
    EXPECT_TRUE(error.says("the lists leave none")) << error.message;
    options.excluded_cpus = &absent;
    EXPECT_EQ(create(options, &error), NEAR_E_NO_CPU);
    EXPECT_TRUE(error.says("CPU 999999 is not in this topology")) << error.message;
    options.cpus = &absent;
    options.excluded_cpus = nullptr;
    options.excluded_count = 0;
    EXPECT_EQ(create(options, &error), NEAR_E_NO_CPU);
}

TEST(PoolCpus, AnOlderCallerHasNoLists) {
    const uint32_t absent = 999999;
    numa_pool_options options = options_for(nullptr);
    options.struct_size = offsetof(numa_pool_options, cpus);
    options.cpus = &absent;
    options.cpu_count = 1;
    Error error;
    EXPECT_EQ(create(options, &error), NEAR_OK) << error.message;
}

TEST(PoolCpus, TasksRunOnListedOnesThatAreNotExcluded) {
    const std::vector<uint32_t> all = allowed();
    for (const uint32_t wanted : {all.front(), all.back()}) {
        std::vector<uint32_t> others = all;
        others.erase(std::find(others.begin(), others.end(), wanted));
        numa_pool_options listing = options_for(nullptr, 2);
        listing.strict = 1;
        listing.cpus = &wanted;
        listing.cpu_count = 1;
        numa_pool_options excluding = options_for(nullptr, 2);
        excluding.excluded_cpus = others.empty() ? nullptr : others.data();
        excluding.excluded_count = others.size();
        for (const numa_pool_options &options : {listing, excluding}) {
            const Pool pool(options);
            std::atomic<int> elsewhere{0};
            for (int i = 0; i < 100; i++) {
                ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL,
                                 [&] { elsewhere += ::sched_getcpu() == static_cast<int>(wanted) ? 0 : 1; }),
                          NEAR_OK);
            }
            ASSERT_EQ(wait_idle(pool), NEAR_OK);
            EXPECT_EQ(elsewhere, 0) << "CPU " << wanted;
        }
    }
}

} // namespace

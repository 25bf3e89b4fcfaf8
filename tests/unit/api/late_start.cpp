// SPDX-License-Identifier: Apache-2.0
// A pool that starts its threads with the first task, as the default pool does, and cannot: through the C functions,
// over ports that fail.
#include "api/handles.hpp"
#include "fakes/ports.hpp"
#include "pools/numa/worker.hpp"
#include "support/limits.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

using namespace nearpool;
using namespace nearpool::api;
using fakes::Call;

namespace {

near_status count_run(void *counter) {
    ++*static_cast<std::atomic<int> *>(counter);
    return NEAR_OK;
}

near_status count_part(std::size_t begin, std::size_t end, uint32_t, void *counter) {
    *static_cast<std::atomic<int> *>(counter) += static_cast<int>(end - begin);
    return NEAR_OK;
}

class LateStart : public testing::Test {
protected:
    void SetUp() override {
        Result<Ref<const Topology>> machine = Topology::from_synthetic("numa:2 core:2 pu:1");
        ASSERT_TRUE(machine) << machine.error().message;
        numa::PoolOptions options;
        options.process_wide = true;
        options.request.workers_per_node = 2;
        Result<Ref<numa::Pool>> made = numa::Pool::create(ports_.ports(), crew_, machine.take(), options);
        ASSERT_TRUE(made) << made.error().message;
        pool_ = made.value().detach();
    }
    void TearDown() override { pool_->destroy(); }

    // The start of each of the four threads fails once, and leaves none; then the pool starts after all.
    template <class Call> void expect_system_then_success(Call &&call) {
        for (uint64_t nth = 1; nth <= 4; nth++) {
            ports_.fail_nth(fakes::Call::threads_start, nth, EAGAIN);
            EXPECT_EQ(call(), NEAR_E_SYSTEM) << "thread " << nth;
            EXPECT_EQ(ports_.held(), fakes::Held{}) << "threads are left after thread " << nth;
            EXPECT_EQ(pool_->counts(std::nullopt).accepted, 0U);
            EXPECT_EQ(pool_->enforcement().reason, NEAR_REASON_NOT_STARTED);
        }
        EXPECT_EQ(call(), NEAR_OK) << "the pool cannot be started again";
        EXPECT_EQ(numa_pool_wait_idle(handle(), nearpool_test::long_enough_ns, nullptr), NEAR_OK);
        EXPECT_NE(pool_->enforcement().reason, NEAR_REASON_NOT_STARTED);
    }
    numa_pool *handle() const { return handle_of(pool_); }

    fakes::FailingPorts ports_;
    Crew crew_{real_ports()};
    numa::Pool *pool_ = nullptr;
    std::atomic<int> run_{0};
};

TEST_F(LateStart, OfSubmitFailsAndIsTriedAgain) {
    expect_system_then_success([this] { return numa_pool_submit(handle(), 1, count_run, &run_); });
    EXPECT_EQ(run_, 1);
}

TEST_F(LateStart, OfSubmitTasksFailsAndIsTriedAgain) {
    const std::vector<near_task> tasks(3, near_task{count_run, nullptr, &run_});
    expect_system_then_success(
        [&] { return numa_pool_submit_tasks(handle(), 0, tasks.data(), tasks.size(), nullptr); });
    EXPECT_EQ(run_, 3);
}

TEST_F(LateStart, OfGroupSubmitFailsAndIsTriedAgain) {
    numa_pool_group *group = nullptr;
    ASSERT_EQ(numa_pool_group_create(handle(), &group, nullptr), NEAR_OK);
    expect_system_then_success([&] { return numa_pool_group_submit(group, 1, count_run, &run_); });
    EXPECT_EQ(numa_pool_group_wait(group, nearpool_test::long_enough_ns, nullptr), NEAR_OK);
    numa_pool_group_counts counts{};
    counts.struct_size = sizeof counts;
    EXPECT_EQ(numa_pool_group_get_counts(group, &counts), NEAR_OK);
    EXPECT_EQ(counts.accepted, 1U) << "a refused task was counted";
    numa_pool_group_destroy(group);
    EXPECT_EQ(run_, 1);
}

TEST_F(LateStart, OfALoopFailsSaysWhichThreadAndIsTriedAgain) {
    near_error error{};
    error.struct_size = sizeof error;
    expect_system_then_success([&] { return numa_pool_parallel_for(handle(), 0, 100, 1, count_part, &run_, &error); });
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_ERRNO);
    EXPECT_EQ(error.native_code, EAGAIN);
    EXPECT_NE(std::strstr(error.message, "numa_pool_parallel_for: worker"), nullptr) << error.message;
    EXPECT_EQ(run_, 100);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0
// What becomes of promises when everybody decides at once.
#include "pools/numa/promise.hpp"

#include "unit/pools/numa/promise_support.hpp"

#include <array>
#include <functional>
#include <vector>

namespace nearpool::numa {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int slowness = 5;
#else
constexpr int slowness = 1;
#endif

using PromiseRace = PromiseTest;

// Runs the same thing in several threads that start together.
void together(const std::vector<std::function<void()>> &bodies) {
    std::atomic<std::size_t> ready{0};
    std::vector<std::thread> threads;
    for (const std::function<void()> &body : bodies) {
        threads.emplace_back([&] {
            for (ready++; ready < bodies.size();) {
                std::this_thread::yield();
            }
            body();
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

TEST_F(PromiseRace, OfThoseWhoDecideAtOnceOneDoes) {
    constexpr std::size_t count = 5000;
    PoolOptions how = options();
    how.queue_capacity = count; // so that every promise changes the two numbers that a bounded queue counts
    how.request.steal_policy = NUMA_POOL_STEAL_ANY;
    Ref<Pool> pool = create(how);
    auto *group = new Group(pool);
    for (int round = 0; round < 10 / slowness; round++) {
        std::vector<Task> tasks(count);
        std::vector<Ref<Promise>> promises;
        for (Task &task : tasks) {
            promises.push_back(promise(*pool, task, static_cast<uint32_t>(promises.size()) % 4, group));
        }
        std::vector<int> kept(count);
        std::vector<int> broken(count);
        std::vector<int> kept_again(count);
        std::vector<Ref<Promise>> own = promises;
        together({[&] {
                      for (std::size_t i = 0; i < count; i++) {
                          kept[i] = promises[i]->keep();
                      }
                  },
                  [&] {
                      for (std::size_t i = count; i-- > 0;) {
                          broken[i] = promises[i]->break_off();
                      }
                  },
                  [&] {
                      for (std::size_t i = 0; i < count; i++) {
                          kept_again[i] = own[i]->keep();
                          own[i] = {};
                      }
                  }});
        const Status ended = group->wait(long_enough_ns).error().status;
        ASSERT_TRUE(ended == NEAR_OK || ended == NEAR_E_CANCELLED) << status_text(ended);
        for (std::size_t i = 0; i < count; i++) {
            ASSERT_EQ(kept[i] + broken[i] + kept_again[i], 1);
            ASSERT_EQ(tasks[i].discarded, broken[i]);
            ASSERT_EQ(tasks[i].ran, kept[i] + kept_again[i]);
        }
    }
    EXPECT_EQ(group->counts().accepted, uint64_t{10 / slowness} * count);
    group->drop();
    end(std::move(pool));
}

// So that what is raced with is met at another point in each round.
void wait_turns(int count) {
    for (int i = 0; i < count; i++) {
        std::this_thread::yield();
    }
}

// A thread promises until it is refused, others decide, and the pool ends meanwhile.
class EndRace {
public:
    EndRace(Ref<Pool> pool, uint32_t nodes, Group *group) : pool_(std::move(pool)), nodes_(nodes), group_(group) {}

    void promise() {
        Status status = NEAR_OK;
        for (std::size_t i = 0; i < tasks_.size() && status == NEAR_OK; i++) {
            status = pool_->promise(static_cast<uint32_t>(i) % nodes_, tasks_[i].item(group_), promises_[i]);
            accepted_ += status == NEAR_OK ? 1 : 0;
        }
        for (std::size_t i = 2; i < accepted_; i += 3) { // those that decide() leaves
            if (i % 2 == 0) {
                promises_[i] = {};
            } else {
                promises_[i]->keep();
            }
        }
        EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_SHUTDOWN || status == NEAR_E_BUSY) << status_text(status);
        done_ = true;
    }
    void decide(bool keep) {
        for (std::size_t i = keep ? 0 : 1; !done_ || i < accepted_; i += 3) { // every third is promise()'s
            while (i >= accepted_ && !done_) {
                std::this_thread::yield();
            }
            if (i >= accepted_) {
                break;
            }
            if (keep) {
                promises_[i]->keep();
            } else if (i % 2 == 0) {
                promises_[i]->break_off();
            } else if (i % 4 == 1) {
                withdrawn_[i] = promises_[i]->withdraw();
            } else {
                promises_[i] = {};
            }
        }
    }
    void expect_each_once(Pool &pool, uint64_t others_ran) const {
        uint64_t ran = others_ran;
        uint64_t discarded = 0;
        for (std::size_t i = 0; i < tasks_.size(); i++) {
            ASSERT_EQ(tasks_[i].ran + tasks_[i].discarded, i < accepted_ && !withdrawn_[i] ? 1 : 0) << "task " << i;
            ran += static_cast<uint64_t>(tasks_[i].ran);
            discarded += static_cast<uint64_t>(tasks_[i].discarded);
        }
        const numa_pool_counts counts = pool.counts(std::nullopt);
        EXPECT_EQ(counts.accepted, ran + discarded);
        EXPECT_EQ(counts.run_local + counts.run_remote, ran);
        EXPECT_EQ(counts.discarded, discarded);
    }

private:
    const Ref<Pool> pool_;
    const uint32_t nodes_;
    Group *const group_;
    std::array<Task, 60> tasks_;
    std::array<Ref<Promise>, 60> promises_;
    std::array<bool, 60> withdrawn_{};
    std::atomic<std::size_t> accepted_{0};
    std::atomic<bool> done_{false};
};

TEST_F(PromiseRace, RacesWithTheEndOfThePool) {
    for (int round = 0; round < 1500 / slowness; round++) {
        Ref<Pool> pool = create();
        EndRace race(pool, 4, nullptr);
        Pool &alive = *pool;
        Pool *handle = Ref<Pool>(pool).detach();
        Gate gate;
        gate.open = true;
        gate.then = [&] { handle->destroy(); };
        together({[&] { race.promise(); }, [&] { race.decide(true); }, [&] { race.decide(false); },
                  [&] {
                      wait_turns(round % 50);
                      if (round % 3 == 0) {
                          uint64_t left = 77;
                          EXPECT_TRUE(handle->shutdown(long_enough_ns, &left));
                          EXPECT_EQ(left, 0U);
                          handle->release();
                      } else if (round % 3 == 1) {
                          handle->destroy();
                      } else {
                          gate.block(alive, 3);
                      }
                  }});
        ASSERT_TRUE(eventually([&] { return ports_.held() == fakes::Held{}; })) << "threads are left";
        race.expect_each_once(alive, round % 3 == 2 ? 1 : 0);
        if (HasFailure()) {
            break;
        }
    }
}

TEST_F(PromiseRace, RacesWithTheCancelOfItsGroup) {
    Ref<Pool> pool = create();
    for (int round = 0; round < 1500 / slowness; round++) {
        auto *group = new Group(pool);
        EndRace race(pool, 4, group);
        together({[&] { race.promise(); }, [&] { race.decide(true); }, [&] { race.decide(false); },
                  [&] {
                      wait_turns(round % 50);
                      group->cancel();
                  }});
        ASSERT_NE(group->wait(long_enough_ns).error().status, NEAR_E_TIMEOUT) << "a promise was left open";
        const numa_pool_group_counts counts = group->counts();
        EXPECT_EQ(counts.accepted, counts.run + counts.discarded);
        group->drop();
    }
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    end(std::move(pool));
}

} // namespace
} // namespace nearpool::numa

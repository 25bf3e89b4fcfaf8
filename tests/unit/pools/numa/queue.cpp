// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/queue.hpp"

#include "support/limited_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace nearpool::numa {
namespace {

near_status nothing(void *) {
    return NEAR_OK;
}

Item numbered(uintptr_t number) {
    return Item{nothing, nullptr, reinterpret_cast<void *>(number), nullptr};
}

uintptr_t number_of(const Item &item) {
    return reinterpret_cast<uintptr_t>(item.user_data);
}

TEST(Queue, GivesTasksInTheOrderOfTheirSubmission) { // peers N26: LIFO starves the oldest
    Queue queue(0);
    for (uintptr_t i = 0; i < 1000; i++) {
        const Item item = numbered(i);
        ASSERT_EQ(queue.push(&item, 1, {}), NEAR_OK);
    }
    EXPECT_EQ(queue.size(), 1000U);
    Item item;
    for (uintptr_t i = 0; i < 1000; i++) {
        ASSERT_TRUE(queue.pop(item));
        ASSERT_EQ(number_of(item), i);
    }
    EXPECT_FALSE(queue.pop(item));
    EXPECT_EQ(queue.size(), 0U);
}

TEST(Queue, StoresAllOfAnArrayOrNothing) {
    Queue queue(10);
    const std::vector<Item> eight(8, numbered(1));
    const std::vector<Item> three(3, numbered(2));
    ASSERT_EQ(queue.push(eight.data(), eight.size(), {}), NEAR_OK);
    EXPECT_EQ(queue.push(three.data(), three.size(), {}), NEAR_E_AGAIN);
    EXPECT_EQ(queue.size(), 8U);
    EXPECT_EQ(queue.push(three.data(), 2, {}), NEAR_OK);
    EXPECT_EQ(queue.push(three.data(), 1, {}), NEAR_E_AGAIN);
    EXPECT_EQ(queue.push(three.data(), 1, {false, true}), NEAR_OK) << "the pool's own may pass the capacity";
    Item item;
    ASSERT_TRUE(queue.pop(item) && queue.pop(item));
    EXPECT_EQ(queue.push(three.data(), 1, {}), NEAR_OK) << "room again";
}

TEST(Queue, RefusesAfterCloseAndKeepsWhatItHas) {
    Queue queue(0);
    const Item item = numbered(7);
    ASSERT_EQ(queue.push(&item, 1, {}), NEAR_OK);
    queue.close();
    EXPECT_EQ(queue.push(&item, 1, {}), NEAR_E_SHUTDOWN);
    EXPECT_EQ(queue.push(&item, 1, {true, false}), NEAR_OK);
    EXPECT_EQ(queue.size(), 2U);
    EXPECT_EQ(queue.accepted(), 2U);
}

TEST(Queue, RecyclesItsSegments) {
    Queue queue(0);
    Item item = numbered(1);
    std::vector<Item> many(700, item);
    for (int round = 0; round < 50; round++) {
        ASSERT_EQ(queue.push(many.data(), many.size(), {}), NEAR_OK);
        for (std::size_t i = 0; i < many.size(); i++) {
            ASSERT_TRUE(queue.pop(item));
        }
    }
    EXPECT_LE(queue.segment_count(), 5U) << "35 000 tasks went through, 700 waited at most";
}

TEST(Queue, HoldsManyTasksInLittleMemory) { // issue: at most 64 bytes a queued task
    Queue queue(0);
    const std::vector<Item> many(100000, numbered(1));
    ASSERT_EQ(queue.push(many.data(), many.size(), {}), NEAR_OK);
    EXPECT_LE(queue.segment_count() * Queue::segment_bytes(), many.size() * 64);
}

TEST(Queue, APromiseHoldsAPlaceAndIsStoredWhenItIsKept) {
    Queue queue(3);
    const Item early = numbered(1);
    const Item late = numbered(2);
    ASSERT_EQ(queue.promise({}), NEAR_OK);
    EXPECT_EQ(queue.size(), 0U) << "there is nothing to take";
    EXPECT_EQ(queue.accepted(), 1U);
    ASSERT_EQ(queue.push(&early, 1, {}), NEAR_OK);
    ASSERT_EQ(queue.promise({}), NEAR_OK);
    EXPECT_EQ(queue.push(&early, 1, {}), NEAR_E_AGAIN);
    EXPECT_EQ(queue.promise({}), NEAR_E_AGAIN);
    queue.keep(late);
    EXPECT_EQ(queue.push(&early, 1, {}), NEAR_E_AGAIN) << "its place has its task";
    Item item;
    ASSERT_TRUE(queue.pop(item));
    EXPECT_EQ(number_of(item), 1U);
    EXPECT_EQ(queue.push(&early, 1, {}), NEAR_OK) << "room again, beside a promise";
    EXPECT_EQ(queue.push(&early, 1, {}), NEAR_E_AGAIN);
    queue.keep(late);
    for (const uintptr_t number : {2U, 1U, 2U}) {
        ASSERT_TRUE(queue.pop(item));
        EXPECT_EQ(number_of(item), number) << "oldest first, as they were stored";
    }
}

TEST(Queue, RefusesPromisesAfterCloseAndStoresThoseItGave) {
    Queue queue(0);
    ASSERT_EQ(queue.promise({}), NEAR_OK);
    queue.close();
    EXPECT_EQ(queue.promise({}), NEAR_E_SHUTDOWN);
    EXPECT_EQ(queue.accepted(), 1U);
    queue.keep(numbered(7));
    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(queue.accepted(), 1U);
    Item item;
    EXPECT_TRUE(queue.pop(item) && number_of(item) == 7U);
}

// Whenever others have used up all the slots that are not theirs, there is one more for a promise.
TEST(Queue, StoresWhatWasPromisedWithoutMemory) {
    constexpr uintptr_t promised = 1000;
    Queue queue(0);
    for (uintptr_t i = 0; i < promised; i++) {
        ASSERT_EQ(queue.promise({}), NEAR_OK);
    }
    EXPECT_LE(queue.segment_count(), 5U) << "promises share segments";
    const Item other = numbered(promised);
    const uint64_t before = nearpool_test::limit_allocations(0);
    uintptr_t others = 0;
    Status refused = NEAR_OK;
    for (uintptr_t i = 0; i < promised; i++) {
        for (refused = NEAR_OK; refused == NEAR_OK && others < 100000;) {
            refused = queue.push(&other, 1, {});
            others += refused == NEAR_OK ? 1 : 0;
        }
        queue.keep(numbered(i));
    }
    const Status no_more = queue.promise({});
    nearpool_test::limit_allocations(before);
    EXPECT_EQ(refused, NEAR_E_NOMEM);
    EXPECT_TRUE(no_more == NEAR_OK || no_more == NEAR_E_NOMEM);
    EXPECT_EQ(queue.size(), promised + others);
    Item item;
    for (uintptr_t next = 0; queue.pop(item);) {
        if (number_of(item) != promised) {
            ASSERT_EQ(number_of(item), next++);
        }
    }
    EXPECT_EQ(queue.size(), 0U);
}

TEST(Queue, APromiseWithoutMemoryLeavesNothing) {
    Queue queue(5);
    EXPECT_GT(nearpool_test::call_until_memory_suffices([&] {
                  EXPECT_EQ(queue.accepted(), 0U);
                  return queue.promise({});
              }),
              0U);
    const std::vector<Item> four(4, numbered(1));
    EXPECT_EQ(queue.push(four.data(), four.size(), {}), NEAR_OK);
    EXPECT_EQ(queue.push(four.data(), 1, {}), NEAR_E_AGAIN);
}

// Producers with several sizes of arrays, consumers, and segments that are recycled all the time.
TEST(Queue, LosesAndRepeatsNothingUnderThreads) {
    constexpr uintptr_t each = 40000;
    constexpr uintptr_t producers = 3;
    Queue queue(0);
    std::vector<std::atomic<uint8_t>> seen(each * producers);
    std::atomic<uintptr_t> taken{0};
    std::vector<std::thread> threads;
    for (uintptr_t producer = 0; producer < producers; producer++) {
        threads.emplace_back([&, producer] {
            for (uintptr_t i = 0; i < each;) {
                std::vector<Item> items;
                for (uintptr_t k = 0; k <= producer && i < each; k++, i++) {
                    items.push_back(numbered(producer * each + i));
                }
                ASSERT_EQ(queue.push(items.data(), items.size(), {}), NEAR_OK);
            }
        });
    }
    for (int consumer = 0; consumer < 2; consumer++) {
        threads.emplace_back([&] {
            Item item;
            while (taken.load() < each * producers) {
                if (queue.pop(item)) {
                    seen[number_of(item)].fetch_add(1);
                    taken.fetch_add(1);
                } else {
                    std::this_thread::yield();
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    for (const std::atomic<uint8_t> &count : seen) {
        ASSERT_EQ(count.load(), 1);
    }
}

// One thread stores tasks, one promises several and stores them afterwards.
class Producers {
public:
    Producers(Queue &queue, uint64_t capacity, uintptr_t each) : queue_(queue), capacity_(capacity), each_(each) {}

    void store() {
        for (uintptr_t i = 0; i < each_; i++) {
            const Item item = numbered(i);
            while (queue_.push(&item, 1, {}) != NEAR_OK) {
                std::this_thread::yield();
            }
            queue_.settle(1);
            look();
        }
    }
    void promise(uintptr_t first) {
        for (uintptr_t i = 0; i < each_;) {
            uintptr_t promised = 0;
            while (promised < 1 + i % 7 && i + promised < each_ && queue_.promise({}) == NEAR_OK) {
                promised++;
            }
            for (; promised > 0; promised--, i++) {
                queue_.keep(numbered(first + i));
                look();
            }
            std::this_thread::yield();
        }
    }
    bool overfull() const { return overfull_; }

private:
    void look() {
        const uint64_t stored = queue_.tickets(); // before the look at those taken: never more than waited then
        if (capacity_ != 0 && stored > queue_.oldest() + capacity_) {
            overfull_ = true;
        }
    }

    Queue &queue_;
    const uint64_t capacity_;
    const uintptr_t each_;
    std::atomic<bool> overfull_{false};
};

TEST(Queue, LosesNothingThatWasPromisedUnderThreadsAndIsNeverOverfull) {
    constexpr uintptr_t each = 20000;
    for (const uint64_t capacity : {uint64_t{0}, uint64_t{8}}) {
        Queue queue(capacity);
        Producers producers(queue, capacity, each);
        std::vector<std::thread> threads;
        threads.emplace_back([&] { producers.store(); });
        threads.emplace_back([&] { producers.promise(each); });
        threads.emplace_back([&] { producers.promise(2 * each); });
        std::vector<int> seen(3 * each);
        Item item;
        for (uintptr_t taken = 0; taken < 3 * each;) {
            if (queue.pop(item)) {
                seen[number_of(item)]++;
                taken++;
            }
            if (queue.size() == 0 || taken % 8 == 0) { // so that a bounded one is full most of the time
                std::this_thread::yield();
            }
        }
        for (std::thread &thread : threads) {
            thread.join();
        }
        EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 3 * each);
        EXPECT_FALSE(producers.overfull());
        EXPECT_EQ(queue.accepted(), 3 * each);
        EXPECT_TRUE(queue.settled());
    }
}

} // namespace
} // namespace nearpool::numa

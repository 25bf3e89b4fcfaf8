// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/queue.hpp"

#include <gtest/gtest.h>

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

} // namespace
} // namespace nearpool::numa

// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/deque.hpp"

#include <gtest/gtest.h>

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

TEST(Deque, OwnerTakesTheNewestAndThievesTheOldest) {
    Deque deque;
    deque.allocate();
    for (uintptr_t i = 0; i < 4; i++) {
        const Item item = numbered(i);
        ASSERT_TRUE(deque.push(&item, 1));
    }
    Item item;
    ASSERT_TRUE(deque.pop(item));
    EXPECT_EQ(number_of(item), 3U);
    ASSERT_TRUE(deque.steal(item));
    EXPECT_EQ(number_of(item), 0U);
    EXPECT_EQ(deque.size(), 2U);
}

TEST(Deque, AnArrayIsTakenFromItsBeginning) {
    Deque deque;
    deque.allocate();
    const std::vector<Item> items{numbered(1), numbered(2), numbered(3)};
    ASSERT_TRUE(deque.push(items.data(), items.size()));
    Item item;
    for (uintptr_t i = 1; i <= 3; i++) {
        ASSERT_TRUE(deque.pop(item));
        EXPECT_EQ(number_of(item), i);
    }
    EXPECT_FALSE(deque.pop(item));
    EXPECT_FALSE(deque.steal(item));
}

TEST(Deque, StoresAllOrNothingWhenItIsFull) {
    Deque deque;
    deque.allocate();
    const std::vector<Item> most(8190, numbered(1));
    ASSERT_TRUE(deque.push(most.data(), most.size()));
    EXPECT_FALSE(deque.push(most.data(), 3));
    EXPECT_EQ(deque.size(), 8190U);
    EXPECT_TRUE(deque.push(most.data(), 2));
    EXPECT_FALSE(deque.push(most.data(), 1));
}

TEST(Deque, WithoutMemoryItIsAlwaysFull) {
    Deque deque;
    const Item item = numbered(1);
    EXPECT_FALSE(deque.push(&item, 1));
    EXPECT_EQ(deque.size(), 0U);
}

TEST(Deque, OwnerAndThievesShareEveryTaskOnce) {
    constexpr uintptr_t count = 200000;
    Deque deque;
    deque.allocate();
    std::vector<std::atomic<uint8_t>> seen(count);
    std::atomic<uintptr_t> taken{0};
    const auto note = [&](const Item &item) {
        seen[number_of(item)].fetch_add(1);
        taken.fetch_add(1);
    };
    std::vector<std::thread> thieves;
    for (int thief = 0; thief < 2; thief++) {
        thieves.emplace_back([&] {
            Item item;
            while (taken.load() < count) {
                deque.steal(item) ? note(item) : std::this_thread::yield();
            }
        });
    }
    Item item;
    for (uintptr_t next = 0; next < count;) {
        item = numbered(next);
        next += deque.push(&item, 1) ? 1 : 0;
        if (next % 3 == 0 && deque.pop(item)) {
            note(item);
        }
    }
    while (deque.pop(item)) {
        note(item);
    }
    for (std::thread &thief : thieves) {
        thief.join();
    }
    for (const std::atomic<uint8_t> &times : seen) {
        ASSERT_EQ(times.load(), 1);
    }
}

} // namespace
} // namespace nearpool::numa

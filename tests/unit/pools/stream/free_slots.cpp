// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/free_slots.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace nearpool::stream {
namespace {

// Any address but null: a slot that has it has a stream.
cuda::CUstream some_stream() {
    static int object = 0;
    return reinterpret_cast<cuda::CUstream>(&object);
}

struct Table {
    explicit Table(std::size_t count) : slots(new Slot[count]), free(slots.get(), count) {}

    // nullptr: none is left.
    Slot *lend(FreeSlots::Kind kind) {
        for (std::size_t shard = 0; shard < free.shard_count(); shard++) {
            if (Claim claim = free.take(kind, shard)) {
                free.lent(*claim);
                return claim.keep();
            }
        }
        return nullptr;
    }
    std::set<Slot *> lend_all(FreeSlots::Kind kind) {
        std::set<Slot *> lent;
        for (Slot *slot = lend(kind); slot != nullptr; slot = lend(kind)) {
            EXPECT_TRUE(lent.insert(slot).second) << "twice";
        }
        return lent;
    }

    std::unique_ptr<Slot[]> slots;
    FreeSlots free;
};

TEST(FreeSlots, HasEverySlotOnceWhateverTheirNumber) {
    for (const std::size_t count : {1U, 2U, 15U, 16U, 17U, 31U, 33U, 1000U, 65536U}) {
        Table table(count);
        EXPECT_LE(table.free.shard_count(), 16U);
        EXPECT_LT(table.free.home(), table.free.shard_count());
        EXPECT_EQ(table.lend_all(FreeSlots::empty).size(), count);
        EXPECT_EQ(table.free.lent_count(), count);
        EXPECT_EQ(table.lend(FreeSlots::returned), nullptr);
        for (std::size_t i = 0; i < count; i += 2) {
            table.slots[i].own.handle = some_stream();
        }
        for (std::size_t i = 0; i < count; i++) {
            table.free.give_back(table.slots[i]);
        }
        EXPECT_EQ(table.free.lent_count(), 0U);
        EXPECT_EQ(table.lend_all(FreeSlots::returned).size(), (count + 1) / 2);
        EXPECT_EQ(table.lend_all(FreeSlots::empty).size(), count / 2);
    }
}

TEST(FreeSlots, GivesTheOneThatHasWaitedLongestAndPutsItBackBehindTheOthers) {
    Table table(48); // three in a shard
    std::vector<Slot *> slots;
    for (int i = 0; i < 3; i++) {
        slots.push_back(table.lend(FreeSlots::empty));
        slots.back()->own.handle = some_stream();
    }
    for (const std::size_t i : {1U, 2U, 0U}) {
        table.free.give_back(*slots[i]);
    }
    EXPECT_EQ(table.free.count(FreeSlots::returned, 0), 3U);
    for (const std::size_t i : {1U, 2U, 0U, 1U, 2U, 0U}) {
        Claim claim = table.free.take(FreeSlots::returned, 0);
        EXPECT_EQ(&*claim, slots[i]);
        EXPECT_EQ(table.free.count(FreeSlots::returned, 0), 2U);
        claim.found_busy();
    }
}

// What an acquire may conclude from: nothing while a slot is out that may come back, and a new number when one has come
// back that others can have.
TEST(FreeSlots, SaysWhenSomethingMayHaveBeenMissed) {
    Table table(2);
    const std::optional<uint64_t> first = table.free.arrivals();
    ASSERT_TRUE(first);
    {
        const Claim claim = table.free.take(FreeSlots::empty, 0);
        ASSERT_TRUE(claim);
        EXPECT_EQ(table.free.arrivals(), std::nullopt);
    }
    const std::optional<uint64_t> second = table.free.arrivals();
    EXPECT_NE(second, first) << "it came back";
    table.free.take(FreeSlots::empty, 0).found_busy();
    EXPECT_EQ(table.free.arrivals(), second) << "what nobody can have is no news";
    Slot *lent = table.lend(FreeSlots::empty);
    EXPECT_EQ(table.free.arrivals(), second) << "what is lent does not come back unasked";
    table.free.give_back(*lent);
    EXPECT_NE(table.free.arrivals(), second);
}

TEST(FreeSlots, LosesNoneBetweenThreads) {
    Table table(40);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&table, i] {
            for (int turn = 0; turn < 5000; turn++) {
                Claim claim = table.free.take(FreeSlots::empty, (table.free.home() + turn) % 5);
                if (!claim) {
                    continue;
                }
                if ((turn + i) % 3 == 0) {
                    claim.found_busy();
                } else if ((turn + i) % 3 == 1) {
                    table.free.lent(*claim);
                    table.free.give_back(*claim.keep());
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(table.free.arrivals());
    EXPECT_EQ(table.free.lent_count(), 0U);
    EXPECT_EQ(table.lend_all(FreeSlots::empty).size(), 40U);
}

} // namespace
} // namespace nearpool::stream

// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/heap.hpp"

#include "support.hpp"
#include "support/limited_memory.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace nearpool::pinned {
namespace {

using nearpool_test::limit_allocations;

// A span of four blocks in use of 16 KiB each.
struct Four : Spans {
    Four() {
        add_idle(64 * kibibyte);
        for (Block *&block : blocks) {
            block = heap.take(16 * kibibyte, block_unit);
        }
    }
    Block *blocks[4];
};

TEST(PinnedHeap, HandsOutANewSpanWhole) {
    Heap heap;
    auto *const memory = reinterpret_cast<Memory *>(&heap);
    Block *const block = heap.add(memory, at(Spans::first), 2 * mebibyte);
    EXPECT_EQ(block->memory, memory);
    EXPECT_EQ(block->data, at(Spans::first));
    EXPECT_EQ(block->bytes, 2 * mebibyte);
    EXPECT_TRUE(block->in_use);
    EXPECT_TRUE(block->whole());
    EXPECT_EQ(heap.span_bytes(), 2 * mebibyte);
    EXPECT_EQ(heap.live_bytes(), 2 * mebibyte);
    EXPECT_EQ(heap.live_count(), 1U);
    EXPECT_EQ(heap.idle(), nullptr);
    EXPECT_EQ(heap.take(1, block_unit), nullptr);
}

TEST(PinnedHeap, CutsARequestFromTheFrontAndRoundsItUp) {
    Spans spans;
    Block *const span = spans.add(mebibyte);
    span->ordinal = 7;
    EXPECT_EQ(spans.heap.give(span), span);
    Block *const block = spans.heap.take(4097, block_unit);
    EXPECT_EQ(address_of(block), Spans::first);
    EXPECT_EQ(block->bytes, 4096 + block_unit);
    EXPECT_EQ(block->ordinal, 7);
    EXPECT_EQ(block->before, nullptr);
    ASSERT_NE(block->after, nullptr);
    EXPECT_FALSE(block->after->in_use);
    EXPECT_EQ(block->after->before, block);
    EXPECT_EQ(block->after->data, block->end());
    EXPECT_EQ(block->bytes + block->after->bytes, mebibyte);
    EXPECT_EQ(spans.heap.live_bytes(), block->bytes);
    EXPECT_EQ(spans.heap.free_bytes(), block->after->bytes);
    EXPECT_EQ(spans.heap.idle_bytes(), 0U);
}

TEST(PinnedHeap, GivesARequestOfNoBytesAUnit) {
    Spans spans;
    spans.add_idle(mebibyte);
    EXPECT_EQ(spans.heap.take(0, block_unit)->bytes, block_unit);
}

TEST(PinnedHeap, LeavesNothingOfAnExactFit) {
    Spans spans;
    spans.add_idle(mebibyte);
    Block *const block = spans.heap.take(mebibyte, block_unit);
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(block->whole());
    EXPECT_EQ(spans.heap.take(1, block_unit), nullptr);
}

TEST(PinnedHeap, JoinsNothingToABlockBetweenUsedOnes) {
    Four four;
    Block *const free = four.heap.give(four.blocks[1]);
    EXPECT_EQ(free, four.blocks[1]);
    EXPECT_EQ(free->bytes, 16 * kibibyte);
    EXPECT_FALSE(free->whole());
}

TEST(PinnedHeap, JoinsAFreeBlockInFront) {
    Four four;
    four.heap.give(four.blocks[1]);
    Block *const free = four.heap.give(four.blocks[2]);
    EXPECT_EQ(address_of(free), Spans::first + 16 * kibibyte);
    EXPECT_EQ(free->bytes, 32 * kibibyte);
    EXPECT_EQ(free->before, four.blocks[0]);
    EXPECT_EQ(four.blocks[3]->before, free);
}

TEST(PinnedHeap, JoinsAFreeBlockBehind) {
    Four four;
    four.heap.give(four.blocks[2]);
    Block *const free = four.heap.give(four.blocks[1]);
    EXPECT_EQ(address_of(free), Spans::first + 16 * kibibyte);
    EXPECT_EQ(free->bytes, 32 * kibibyte);
    EXPECT_EQ(four.blocks[0]->after, free);
    EXPECT_EQ(free->after, four.blocks[3]);
    EXPECT_EQ(four.blocks[3]->before, free);
}

TEST(PinnedHeap, JoinsFreeBlocksOnBothSides) {
    Four four;
    four.heap.give(four.blocks[0]);
    four.heap.give(four.blocks[2]);
    Block *const free = four.heap.give(four.blocks[1]);
    EXPECT_EQ(address_of(free), Spans::first);
    EXPECT_EQ(free->bytes, 48 * kibibyte);
    EXPECT_EQ(free->before, nullptr);
    EXPECT_EQ(free->after, four.blocks[3]);
    EXPECT_EQ(four.heap.idle(), nullptr);
    EXPECT_TRUE(four.heap.give(four.blocks[3])->whole());
    EXPECT_EQ(four.heap.idle_bytes(), 64 * kibibyte);
    EXPECT_EQ(four.heap.live_count(), 0U);
}

TEST(PinnedHeap, JoinsNothingAcrossSpansThatTouch) {
    Heap heap;
    Block *const low = heap.add(nullptr, at(Spans::first), mebibyte);
    Block *const high = heap.add(nullptr, at(Spans::first + mebibyte), mebibyte);
    heap.give(low);
    heap.give(high);
    EXPECT_EQ(heap.take(2 * mebibyte, block_unit), nullptr);
    EXPECT_EQ(heap.idle_bytes(), 2 * mebibyte);
}

TEST(PinnedHeap, AlignsABlockAndKeepsWhatIsInFrontOfIt) {
    Spans spans;
    spans.add_idle(mebibyte);
    Block *const first = spans.heap.take(block_unit, block_unit);
    Block *const aligned = spans.heap.take(100 * kibibyte, 64 * kibibyte);
    ASSERT_NE(aligned, nullptr);
    EXPECT_EQ(address_of(aligned), Spans::first + 64 * kibibyte);
    Block *const gap = aligned->before;
    EXPECT_FALSE(gap->in_use);
    EXPECT_EQ(gap->before, first);
    EXPECT_EQ(first->after, gap);
    EXPECT_EQ(gap->bytes, 64 * kibibyte - block_unit);
    EXPECT_EQ(aligned->after->data, aligned->end());
    EXPECT_EQ(spans.heap.take(gap->bytes, block_unit), gap);
}

TEST(PinnedHeap, CountsThePaddingWhenItLooksForAnAlignedBlock) {
    Spans spans;
    spans.add_idle(mebibyte); // begins on a multiple of 1 MiB
    Block *const first = spans.heap.take(block_unit, block_unit);
    EXPECT_EQ(spans.heap.take(mebibyte / 2 + block_unit, mebibyte / 2), nullptr);
    Block *const half = spans.heap.take(mebibyte / 2, mebibyte / 2);
    ASSERT_NE(half, nullptr);
    EXPECT_EQ(half->end(), at(Spans::first + mebibyte));
    spans.heap.give(first);
    EXPECT_EQ(spans.heap.take(mebibyte / 2, mebibyte), first);
}

TEST(PinnedHeap, ShrinksToTheFirstBytesRoundedUp) {
    Spans spans;
    Block *const block = spans.add(mebibyte);
    spans.heap.shrink(block, 100 * kibibyte + 1);
    EXPECT_TRUE(block->in_use);
    EXPECT_EQ(address_of(block), Spans::first);
    EXPECT_EQ(block->bytes, 100 * kibibyte + block_unit);
    EXPECT_EQ(spans.heap.live_bytes(), block->bytes);
    EXPECT_EQ(spans.heap.live_count(), 1U);
    Block *const rest = spans.heap.take(mebibyte - block->bytes, block_unit);
    EXPECT_EQ(rest, block->after);
}

TEST(PinnedHeap, JoinsWhatShrinkingFreesToAFreeBlockBehind) {
    Four four;
    four.heap.give(four.blocks[2]);
    four.heap.shrink(four.blocks[1], 8 * kibibyte);
    Block *const rest = four.blocks[1]->after;
    EXPECT_FALSE(rest->in_use);
    EXPECT_EQ(rest->bytes, 24 * kibibyte);
    EXPECT_EQ(rest->after, four.blocks[3]);
    EXPECT_EQ(four.blocks[3]->before, rest);
    EXPECT_EQ(four.heap.take(24 * kibibyte, block_unit), rest);
}

TEST(PinnedHeap, DoesNotShrinkToWhatIsNotLess) {
    Four four;
    four.heap.give(four.blocks[2]);
    for (const std::size_t bytes : {16 * kibibyte, 16 * kibibyte - 1, 17 * kibibyte, SIZE_MAX}) {
        four.heap.shrink(four.blocks[1], bytes);
        EXPECT_EQ(four.blocks[1]->bytes, 16 * kibibyte);
    }
    four.heap.shrink(four.blocks[1], 0);
    EXPECT_EQ(four.blocks[1]->bytes, block_unit);
}

TEST(PinnedHeap, RefusesWhenNothingFitsAndServesAgainAfterwards) {
    Four four;
    EXPECT_EQ(four.heap.take(1, block_unit), nullptr);
    EXPECT_EQ(four.heap.free_bytes(), 0U);
    four.heap.give(four.blocks[3]);
    EXPECT_EQ(four.heap.take(16 * kibibyte + 1, block_unit), nullptr);
    EXPECT_EQ(four.heap.take(16 * kibibyte, block_unit), four.blocks[3]);
}

TEST(PinnedHeap, TakesTheBlockThatFitsBest) {
    Spans spans;
    std::vector<Block *> blocks;
    spans.add_idle(2 * mebibyte);
    for (const std::size_t size : {512, 64, 20, 128}) {
        blocks.push_back(spans.heap.take(size * kibibyte, block_unit));
        spans.heap.take(block_unit, block_unit);
    }
    for (Block *block : blocks) {
        spans.heap.give(block);
    }
    EXPECT_EQ(spans.heap.take(50 * kibibyte, block_unit), blocks[1]);
    EXPECT_EQ(spans.heap.take(100 * kibibyte, block_unit), blocks[3]);
    EXPECT_EQ(spans.heap.take(128 * kibibyte, block_unit), blocks[0]);
    EXPECT_EQ(spans.heap.take(20 * kibibyte, block_unit), blocks[2]);
}

TEST(PinnedHeap, PrefersTheLowestOfLikeBlocks) {
    for (const auto &[first, second] : {std::pair(0, 2), std::pair(2, 0)}) {
        Four four;
        four.heap.give(four.blocks[first]);
        four.heap.give(four.blocks[second]);
        EXPECT_EQ(four.heap.take(16 * kibibyte, block_unit), four.blocks[0]);
        EXPECT_EQ(four.heap.take(16 * kibibyte, block_unit), four.blocks[2]);
    }
}

TEST(PinnedHeap, LeavesIdleSpansAlone) {
    Spans spans;
    spans.add_idle(64 * kibibyte);
    Block *const used = spans.add(mebibyte);
    spans.heap.shrink(used, block_unit);
    EXPECT_EQ(spans.heap.take(64 * kibibyte, block_unit)->memory, used->memory);
    EXPECT_EQ(spans.heap.idle_bytes(), 64 * kibibyte);
    EXPECT_NE(spans.heap.take(mebibyte - 64 * kibibyte - block_unit, block_unit), nullptr);
    EXPECT_NE(spans.heap.take(64 * kibibyte, block_unit), nullptr);
    EXPECT_EQ(spans.heap.idle(), nullptr);
}

TEST(PinnedHeap, FindsTheOneBlockThatFitsBehindManyThatDoNot) {
    Spans spans;
    spans.add_idle(16 * mebibyte);
    std::vector<Block *> blocks;
    for (int i = 0; i < 200; i++) { // all of one class
        blocks.push_back(spans.heap.take(64 * kibibyte + (i == 100 ? kibibyte : 0), block_unit));
        spans.heap.take(block_unit, block_unit);
    }
    while (spans.heap.take(64 * kibibyte, block_unit) != nullptr) {
    }
    for (Block *block : blocks) {
        spans.heap.give(block);
    }
    EXPECT_EQ(spans.heap.take(64 * kibibyte + 1, block_unit), blocks[100]);
    EXPECT_EQ(spans.heap.take(64 * kibibyte + 1, block_unit), nullptr);
}

TEST(PinnedHeap, NamesEveryIdleSpanAndRemovesIt) {
    Spans spans;
    std::vector<Block *> kept;
    std::set<char *> idle;
    for (std::size_t i = 0; i < 1000; i++) {
        Block *const block = spans.add((1 + i % 7) * mebibyte);
        if (i % 10 == 0) {
            kept.push_back(block);
        } else {
            idle.insert(spans.heap.give(block)->data);
        }
    }
    while (Block *const block = spans.heap.idle()) {
        EXPECT_TRUE(block->whole());
        EXPECT_FALSE(block->in_use);
        EXPECT_EQ(idle.erase(block->data), 1U);
        spans.heap.remove(block);
    }
    EXPECT_TRUE(idle.empty());
    EXPECT_EQ(spans.heap.idle_bytes(), 0U);
    EXPECT_EQ(spans.heap.free_bytes(), 0U);
    EXPECT_EQ(spans.heap.live_count(), kept.size());
    EXPECT_EQ(spans.heap.span_bytes(), spans.heap.live_bytes());
    EXPECT_EQ(spans.heap.take(1, block_unit), nullptr);
}

TEST(PinnedHeap, UsesRecordsAgain) {
    Spans spans;
    spans.add_idle(mebibyte);
    const std::size_t before = spans.heap.bookkeeping_bytes();
    EXPECT_GT(before, sizeof(Heap));
    for (int i = 0; i < 10000; i++) {
        Block *const block = spans.heap.take(4096, 64 * kibibyte);
        spans.heap.give(spans.heap.take(4096, 64 * kibibyte));
        spans.heap.shrink(block, 64);
        spans.heap.give(block);
        spans.heap.remove(spans.heap.idle());
        spans.add_idle(mebibyte);
    }
    EXPECT_EQ(spans.heap.bookkeeping_bytes(), before);
}

TEST(PinnedHeap, ThrowsWithoutMemoryForASpan) {
    Spans spans;
    limit_allocations(0);
    EXPECT_THROW(spans.heap.add(nullptr, at(Spans::first), mebibyte), std::bad_alloc);
    limit_allocations(UINT64_MAX);
    EXPECT_EQ(spans.heap.span_bytes(), 0U);
    EXPECT_EQ(spans.heap.live_count(), 0U);
    EXPECT_EQ(spans.heap.bookkeeping_bytes(), sizeof(Heap));
    EXPECT_TRUE(spans.add(mebibyte)->whole());
}

TEST(PinnedHeap, StaysWholeWithoutMemoryForRecords) {
    Spans spans;
    spans.add_idle(16 * mebibyte);
    Block *const last = spans.add(mebibyte);
    std::vector<Block *> taken;
    taken.reserve(1000);
    limit_allocations(0);
    while (Block *const block = spans.heap.take(4096, 8192)) {
        taken.push_back(block);
    }
    const std::size_t live = spans.heap.live_bytes();
    spans.heap.shrink(last, mebibyte / 2); // one record may be left
    spans.heap.shrink(last, mebibyte / 4);
    limit_allocations(UINT64_MAX);
    EXPECT_GT(taken.size(), 10U);
    EXPECT_LT(taken.size(), 100U);
    EXPECT_EQ(live, taken.size() * 4096 + mebibyte);
    EXPECT_GE(last->bytes, mebibyte / 2);
    EXPECT_EQ(spans.heap.live_bytes(), taken.size() * 4096 + last->bytes);
    EXPECT_NE(spans.heap.take(4096, 8192), nullptr);
    for (Block *block : taken) {
        spans.heap.give(block);
    }
    EXPECT_EQ(spans.heap.live_count(), 2U);
}

TEST(PinnedHeap, RefusesAbsurdSizes) {
    Spans spans;
    spans.add_idle(mebibyte);
    for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX - 62, SIZE_MAX - 63, SIZE_MAX / 2 + 1, mebibyte + 1}) {
        for (std::size_t alignment = block_unit; alignment != 0; alignment *= 2) {
            EXPECT_EQ(spans.heap.take(bytes, alignment), nullptr) << bytes << " on " << alignment;
        }
    }
    EXPECT_EQ(spans.heap.take(1, std::size_t{1} << 63), nullptr);
    EXPECT_EQ(spans.heap.take(mebibyte, std::size_t{1} << 31), nullptr);
    EXPECT_EQ(spans.heap.idle_bytes(), mebibyte);
    EXPECT_NE(spans.heap.take(mebibyte, Spans::first), nullptr);
}

TEST(PinnedSpanSize, IsModestAtFirst) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, 4 * kibibyte, 2 * mebibyte}) {
        EXPECT_EQ(span_size(bytes, 0), 2 * mebibyte) << bytes;
    }
    EXPECT_EQ(span_size(2 * mebibyte + 1, 0), 4 * mebibyte);
    EXPECT_EQ(span_size(64 * mebibyte, 0), 64 * mebibyte);
}

TEST(PinnedSpanSize, GrowsWithTheHeapWithinBounds) {
    std::size_t last = 0;
    for (std::size_t reserved = 0; reserved <= std::size_t{16} << 30; reserved += 3 * mebibyte) {
        const std::size_t size = span_size(1, reserved);
        EXPECT_GE(size, last);
        EXPECT_LE(size, 2 * mebibyte + reserved / 4);
        EXPECT_EQ(size % (2 * mebibyte), 0U);
        EXPECT_EQ(span_size(size - 1, reserved), size);
        EXPECT_EQ(span_size(size + 1, reserved), size + 2 * mebibyte);
        last = size;
    }
    EXPECT_EQ(last, 256 * mebibyte);
    EXPECT_EQ(span_size(1, SIZE_MAX), 256 * mebibyte);
}

TEST(PinnedSpanSize, SaysWhenThereIsNone) {
    EXPECT_EQ(span_size(SIZE_MAX, 0), 0U);
    EXPECT_EQ(span_size(SIZE_MAX - 2 * mebibyte + 2, SIZE_MAX), 0U);
    EXPECT_EQ(span_size(SIZE_MAX - 2 * mebibyte + 1, 0), SIZE_MAX - 2 * mebibyte + 1);
}

} // namespace
} // namespace nearpool::pinned

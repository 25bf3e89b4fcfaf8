// SPDX-License-Identifier: Apache-2.0
// Blocks of which only the end is wanted: for an alignment that a span does not begin at.
#include "pools/pinned/heap.hpp"

#include "support.hpp"
#include "support/limited_memory.hpp"

#include <gtest/gtest.h>

namespace nearpool::pinned {
namespace {

TEST(PinnedHeapFront, IsFreeAndTheRestStaysInUse) {
    Spans spans;
    Block *const span = spans.add(mebibyte);
    Block *const kept = spans.heap.drop_front(span, 64 * kibibyte);
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(address_of(kept), Spans::first + 64 * kibibyte);
    EXPECT_EQ(kept->bytes, mebibyte - 64 * kibibyte);
    EXPECT_TRUE(kept->in_use);
    EXPECT_EQ(spans.heap.live_bytes(), kept->bytes);
    EXPECT_EQ(spans.heap.live_count(), 1U);
    Block *const front = spans.heap.take(64 * kibibyte, block_unit);
    ASSERT_NE(front, nullptr);
    EXPECT_EQ(address_of(front), Spans::first);
    EXPECT_EQ(front->after, kept);
    spans.heap.give(front);
    EXPECT_TRUE(spans.heap.give(kept)->whole());
    EXPECT_EQ(spans.heap.live_bytes(), 0U);
}

TEST(PinnedHeapFront, JoinsWhatIsFreeBeforeIt) {
    Spans spans;
    Block *const later = spans.heap.drop_front(spans.add(mebibyte), 64 * kibibyte);
    Block *const last = spans.heap.drop_front(later, 128 * kibibyte);
    EXPECT_EQ(last->before->bytes, 192 * kibibyte);
    EXPECT_FALSE(last->before->in_use);
    EXPECT_EQ(last->before->before, nullptr);
    EXPECT_NE(spans.heap.take(192 * kibibyte, block_unit), nullptr);
}

TEST(PinnedHeapFront, OfNoBytesIsNoChange) {
    Spans spans;
    Block *const span = spans.add(mebibyte);
    EXPECT_EQ(spans.heap.drop_front(span, 0), span);
    EXPECT_TRUE(span->whole());
}

TEST(PinnedHeapFront, StaysWithoutMemoryForARecord) {
    Spans spans;
    Block *block = spans.add(16 * mebibyte);
    nearpool_test::limit_allocations(0);
    while (spans.heap.take(block_unit, block_unit) != nullptr ||
           block->before == nullptr) { // so that fronts do not join
        block = spans.heap.drop_front(block, block_unit);
    }
    spans.heap.shrink(block, block->bytes / 2); // takes the last record, if one is left
    Block *const left = spans.heap.drop_front(block, block_unit);
    nearpool_test::limit_allocations(UINT64_MAX);
    EXPECT_EQ(left, nullptr);
    EXPECT_TRUE(block->in_use);
    EXPECT_NE(spans.heap.drop_front(block, block_unit), nullptr);
}

} // namespace
} // namespace nearpool::pinned

// SPDX-License-Identifier: Apache-2.0
// A million random operations beside a model that knows only what was handed out.
#include "support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace nearpool::pinned {
namespace {

class Model {
public:
    explicit Model(uint64_t seed) : random_(seed) {}

    void take();
    void give();
    void shrink();
    void remove_idle();
    void look_at_all();
    std::size_t live_count() const { return live_.size(); }
    std::size_t span_bytes() const { return spans_.heap.span_bytes(); }
    uint64_t below(uint64_t bound) { return random_() % bound; }

private:
    void add(std::size_t bytes);
    void expect_placed(const Block &block, std::size_t bytes, std::size_t alignment);
    void expect_sums() const;
    std::size_t look_at_span(const Block *block) const;
    std::size_t largest_free() const;

    std::mt19937_64 random_;
    Spans spans_;
    std::map<char *, std::size_t> extents_;             // spans
    std::map<char *, std::pair<Block *, char *>> live_; // and where each ends
    std::vector<Block *> order_;                        // what is live, to choose from
    std::size_t live_bytes_ = 0;
};

void Model::add(std::size_t bytes) {
    const std::size_t size = (bytes + 64 * kibibyte) & ~std::size_t{4095};
    Block *const block = spans_.add(size);
    extents_.emplace(block->data, size);
    spans_.heap.give(block);
}

void Model::take() {
    const std::size_t bytes = 1 + below(std::size_t{1} << (6 + below(13)));
    const std::size_t alignment = below(4) == 0 ? block_unit << below(9) : block_unit;
    Block *block = spans_.heap.take(bytes, alignment);
    if (block == nullptr) {
        ASSERT_LT(largest_free(), bytes + alignment);
        add(bytes + alignment);
        block = spans_.heap.take(bytes, alignment);
    }
    ASSERT_NE(block, nullptr);
    expect_placed(*block, bytes, alignment);
    live_.emplace(block->data, std::pair(block, block->end()));
    order_.push_back(block);
    live_bytes_ += block->bytes;
    expect_sums();
}

void Model::expect_placed(const Block &block, std::size_t bytes, std::size_t alignment) {
    ASSERT_TRUE(block.in_use);
    ASSERT_GE(block.bytes, bytes);
    ASSERT_LT(block.bytes, bytes + block_unit);
    ASSERT_EQ(block.bytes % block_unit, 0U);
    ASSERT_EQ(address_of(&block) % alignment, 0U);
    const auto span = std::prev(extents_.upper_bound(block.data));
    ASSERT_LE(block.end(), span->first + span->second);
    const auto above = live_.lower_bound(block.data);
    ASSERT_TRUE(above == live_.end() || block.end() <= above->first);
    ASSERT_TRUE(above == live_.begin() || std::prev(above)->second.second <= block.data);
}

void Model::give() {
    if (order_.empty()) {
        return;
    }
    std::swap(order_[below(order_.size())], order_.back());
    Block *const block = order_.back();
    char *const data = block->data;
    order_.pop_back();
    live_.erase(data);
    live_bytes_ -= block->bytes;
    const Block *const free = spans_.heap.give(block);
    ASSERT_FALSE(free->in_use);
    ASSERT_LE(free->data, data);
    ASSERT_GT(free->end(), data);
    expect_sums();
}

void Model::shrink() {
    if (order_.empty()) {
        return;
    }
    Block *const block = order_[below(order_.size())];
    const std::size_t before = block->bytes;
    const std::size_t bytes = 1 + below(before + block_unit);
    spans_.heap.shrink(block, bytes);
    ASSERT_EQ(block->bytes, std::min(before, (bytes + block_unit - 1) / block_unit * block_unit));
    live_bytes_ -= before - block->bytes;
    live_[block->data].second = block->end();
    expect_sums();
}

void Model::remove_idle() {
    Block *const block = spans_.heap.idle();
    ASSERT_EQ(block == nullptr, spans_.heap.idle_bytes() == 0);
    if (block != nullptr) {
        ASSERT_TRUE(block->whole());
        ASSERT_EQ(extents_[block->data], block->bytes);
        extents_.erase(block->data);
        spans_.heap.remove(block);
    }
}

void Model::expect_sums() const {
    ASSERT_EQ(spans_.heap.live_count(), live_.size());
    ASSERT_EQ(spans_.heap.live_bytes(), live_bytes_);
    ASSERT_EQ(spans_.heap.free_bytes(), spans_.heap.span_bytes() - live_bytes_);
}

// As the model knows it: beside a block in use, or a span without any.
std::size_t Model::largest_free() const {
    std::size_t largest = 0;
    for (const auto &[data, live] : live_) {
        for (const Block *block : {live.first->before, live.first->after}) {
            largest = std::max(largest, block != nullptr && !block->in_use ? block->bytes : 0);
        }
    }
    for (const auto &[data, bytes] : extents_) {
        const auto first = live_.lower_bound(data);
        largest = std::max(largest, first == live_.end() || first->first >= data + bytes ? bytes : 0);
    }
    return largest;
}

// From its first block on; how many of them are in use.
std::size_t Model::look_at_span(const Block *block) const {
    const auto span = extents_.find(block->data);
    EXPECT_NE(span, extents_.end());
    char *const end = span->first + span->second;
    std::size_t used = 0;
    for (const Block *before = nullptr; block != nullptr; before = block, block = block->after) {
        EXPECT_EQ(block->before, before);
        EXPECT_EQ(block->data, before != nullptr ? before->end() : span->first);
        EXPECT_TRUE(block->in_use || before == nullptr || before->in_use) << "two free blocks side by side";
        EXPECT_EQ(live_.count(block->data), block->in_use ? 1U : 0U);
        EXPECT_TRUE(block->after != nullptr || block->end() == end);
        used += block->in_use ? 1 : 0;
    }
    return used;
}

void Model::look_at_all() {
    std::size_t used = 0;
    std::size_t idle = spans_.heap.span_bytes();
    std::size_t spans = 0;
    for (const auto &[data, live] : live_) {
        const Block *block = live.first;
        ASSERT_EQ(block->end(), live.second);
        const auto span = std::prev(extents_.upper_bound(data));
        while (block->before != nullptr) {
            block = block->before;
            if (block->in_use) {
                break; // not the first in its span that is in use
            }
        }
        if (block->before == nullptr && (block == live.first || !block->in_use)) {
            used += look_at_span(block);
            idle -= span->second;
            spans++;
        }
    }
    ASSERT_EQ(used, live_.size());
    ASSERT_EQ(idle, spans_.heap.idle_bytes());
    ASSERT_LE(spans, extents_.size());
}

// One operation; mostly takes while there are fewer blocks than wanted.
void step(Model &model, std::size_t wanted) {
    const uint64_t choice = model.below(100);
    if (choice < 4) {
        model.shrink();
    } else if (choice < 5) {
        model.remove_idle();
    } else if (choice < (model.live_count() < wanted ? 70U : 35U)) {
        model.take();
    } else {
        model.give();
    }
}

TEST(PinnedHeap, KeepsItsPromisesThroughAMillionOperations) {
    Model model(20250607);
    const std::size_t phases[] = {500, 20, 1000, 100};
    for (int i = 0; i < 1000000; i++) {
        step(model, phases[i / 50000 % 4]);
        if (i % 2000 == 0) {
            model.look_at_all();
        }
        ASSERT_FALSE(testing::Test::HasFailure()) << "operation " << i;
    }
    while (model.live_count() != 0) {
        model.give();
    }
    model.look_at_all();
    while (model.span_bytes() != 0) {
        model.remove_idle();
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

} // namespace
} // namespace nearpool::pinned

// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/lot.hpp"

#include "base/checked.hpp"

#include <new>
#include <tuple>

namespace nearpool::pinned {
namespace {

auto all_of(const Lot::Kind &kind) {
    return std::tie(kind.method, kind.asked_methods, kind.pages, kind.ordinal, kind.node_known, kind.one_pointer,
                    kind.locks, kind.forks, kind.dumps, kind.strict, kind.kept);
}

} // namespace

bool Lot::Kind::operator==(const Kind &other) const {
    return all_of(*this) == all_of(other);
}

Lot::Kind Lot::kind_of(const Memory &memory, const Wish &wish, bool kept) {
    const Gpu &gpu = memory.gpu();
    Kind kind;
    kind.method = memory.method();
    kind.asked_methods = wish.methods;
    kind.pages = wish.pages;
    kind.ordinal = memory.only_its_device() ? gpu.device->facts().ordinal : -1;
    kind.node_known = gpu.node_known;
    kind.one_pointer = gpu.one_pointer;
    kind.locks = gpu.locks;
    kind.forks = wish.has(NEAR_PINNED_FORK);
    kind.dumps = !wish.has(NEAR_PINNED_NO_DUMP);
    kind.strict = memory.proven();
    kind.kept = kept;
    return kind;
}

bool Lot::serves(const Wish &wish, const Gpu &gpu) const {
    return kind_.kept && kind_.asked_methods == wish.methods && kind_.pages == wish.pages &&
           kind_.node_known == gpu.node_known && kind_.one_pointer == gpu.one_pointer && kind_.locks == gpu.locks &&
           kind_.forks == wish.has(NEAR_PINNED_FORK) && kind_.dumps != wish.has(NEAR_PINNED_NO_DUMP) &&
           (kind_.strict || !wish.strict) && (kind_.ordinal < 0 || kind_.ordinal == gpu.device->facts().ordinal);
}

Block *Lot::cut(Memory *memory, const Wish &wish) {
    const Range range = memory->range();
    const std::size_t padding = -reinterpret_cast<uintptr_t>(range.data) & (wish.alignment - 1);
    if (padding > range.bytes || range.bytes - padding < wish.bytes) {
        return nullptr;
    }
    // Of adopted memory the last unit may be a part only.
    Block *span = heap.add(memory, range.data, checked_round_up(range.bytes, block_unit).value_or(range.bytes));
    Block *block = heap.drop_front(span, padding);
    if (block == nullptr) {
        heap.remove(heap.give(span));
        throw std::bad_alloc();
    }
    heap.shrink(block, wish.bytes);
    return block;
}

} // namespace nearpool::pinned

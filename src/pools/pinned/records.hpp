// SPDX-License-Identifier: Apache-2.0
// Where the records of blocks come from: slabs that grow in number to the most that was ever needed.
#pragma once

#include "pools/pinned/block.hpp"

#include <memory>
#include <new>
#include <utility>

namespace nearpool::pinned {

class Records {
public:
    Records() = default;
    Records(const Records &) = delete;
    Records &operator=(const Records &) = delete;
    ~Records() {
        while (slabs_ != nullptr) {
            ::operator delete(std::exchange(slabs_, slabs_->next));
        }
    }

    // Whether so many can be had now: fewer than a slab holds.
    bool has(std::size_t count) noexcept { return count <= spare_count_ || grow(); }

    // After has().
    Block *get() noexcept {
        Block *const block = spare_;
        spare_ = block->links.next;
        spare_count_--;
        return block;
    }

    void put(Block *block) noexcept {
        block->links.next = spare_;
        spare_ = block;
        spare_count_++;
    }

    std::size_t bytes() const { return slab_count_ * slab_bytes; }

private:
    struct Slab {
        Slab *next;
    };
    // With what puts the first record on a line of the cache, a slab stays below a page and malloc's own.
    static constexpr std::size_t blocks_per_slab = 62;
    static constexpr std::size_t slab_bytes = sizeof(Slab) + sizeof(Block) - 1 + blocks_per_slab * sizeof(Block);

    bool grow() noexcept {
        void *const memory = ::operator new(slab_bytes, std::nothrow);
        if (memory == nullptr) {
            return false;
        }
        slabs_ = new (memory) Slab{slabs_};
        slab_count_++;
        void *room = slabs_ + 1;
        std::size_t room_bytes = slab_bytes - sizeof(Slab);
        auto *const blocks = static_cast<char *>(std::align(sizeof(Block), 1, room, room_bytes));
        for (std::size_t i = blocks_per_slab; i != 0; i--) {
            put(new (blocks + (i - 1) * sizeof(Block)) Block);
        }
        return true;
    }

    Slab *slabs_ = nullptr;
    Block *spare_ = nullptr;
    std::size_t spare_count_ = 0;
    std::size_t slab_count_ = 0;
};

} // namespace nearpool::pinned

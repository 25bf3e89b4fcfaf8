// SPDX-License-Identifier: Apache-2.0
// Where the records of blocks come from: slabs that grow in number to the most that was ever needed.
#pragma once

#include "pools/pinned/block.hpp"

#include <new>

namespace nearpool::pinned {

class Records {
public:
    Records() = default;
    Records(const Records &) = delete;
    Records &operator=(const Records &) = delete;
    ~Records() {
        while (slabs_ != nullptr) {
            Slab *const next = slabs_->next;
            delete slabs_;
            slabs_ = next;
        }
    }

    // Whether so many can be had now. They are far fewer than a slab holds.
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

    std::size_t bytes() const { return slab_count_ * sizeof(Slab); }

private:
    struct Slab {
        Slab *next;
        Block blocks[63]; // the slab stays below a page together with malloc's own
    };

    bool grow() noexcept {
        Slab *const slab = new (std::nothrow) Slab;
        if (slab == nullptr) {
            return false;
        }
        slab->next = slabs_;
        slabs_ = slab;
        slab_count_++;
        for (Block &block : slab->blocks) {
            put(&block);
        }
        return true;
    }

    Slab *slabs_ = nullptr;
    Block *spare_ = nullptr;
    std::size_t spare_count_ = 0;
    std::size_t slab_count_ = 0;
};

} // namespace nearpool::pinned

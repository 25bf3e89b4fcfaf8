// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pools/pinned/memory.hpp"

#include <memory>

namespace nearpool::pinned {

// Memory that goes when this does: after the locks, for the driver takes its time. A list that needs no memory.
class Gone {
public:
    Gone() = default;
    Gone(const Gone &) = delete;
    Gone &operator=(const Gone &) = delete;
    ~Gone() {
        while (first_ != nullptr) {
            const std::unique_ptr<Memory> memory(first_);
            first_ = memory->next_gone;
        }
    }
    void add(Memory *memory) {
        memory->next_gone = first_;
        first_ = memory;
        bytes_ += memory->range().bytes;
    }
    std::size_t bytes() const { return bytes_; }

private:
    Memory *first_ = nullptr;
    std::size_t bytes_ = 0;
};

} // namespace nearpool::pinned

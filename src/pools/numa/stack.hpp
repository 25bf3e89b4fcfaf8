// SPDX-License-Identifier: Apache-2.0
// How full the stack of a worker is, for waits that run other tasks above the waiting one.
#pragma once

#include <cstdint>

namespace nearpool::numa {

class Stack {
public:
    void measure(); // the calling thread's, once

    // Called on that thread: a quarter is left for the tasks themselves.
    bool has_room() const { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) > lowest_; }

private:
    uintptr_t lowest_ = 0; // 0 where the stack is not known
};

} // namespace nearpool::numa

// SPDX-License-Identifier: Apache-2.0
// Remembers in which process an object was made. Forks are counted by a pthread_atfork handler, because asking for the
// process id costs a system call each time.
#pragma once

#include <atomic>
#include <cstdint>

namespace nearpool {

namespace detail {
extern std::atomic<uint64_t> fork_count; // forks between the start of the program and this process
}

class ForkMark {
public:
    ForkMark();

    // Whether this process is a child of the one in which the object was made.
    bool forked() const { return detail::fork_count.load(std::memory_order_relaxed) != count_; }

private:
    uint64_t count_;
};

} // namespace nearpool

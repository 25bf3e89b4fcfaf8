// SPDX-License-Identifier: Apache-2.0
#include "base/fork_mark.hpp"

#include <pthread.h>

namespace nearpool {

std::atomic<uint64_t> detail::fork_count{0};

namespace {

void count_fork() {
    detail::fork_count.fetch_add(1, std::memory_order_relaxed);
}

} // namespace

ForkMark::ForkMark() {
    static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
    static_cast<void>(registered);
    count_ = detail::fork_count.load(std::memory_order_relaxed);
}

} // namespace nearpool

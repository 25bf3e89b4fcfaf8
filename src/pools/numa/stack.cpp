// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/stack.hpp"

#include <cstddef>
#include <pthread.h>

namespace nearpool::numa {

void Stack::measure() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    void *begin = nullptr;
    std::size_t bytes = 0;
    if (pthread_attr_getstack(&attributes, &begin, &bytes) == 0) {
        lowest_ = reinterpret_cast<uintptr_t>(begin) + bytes / 4;
    }
    pthread_attr_destroy(&attributes);
}

} // namespace nearpool::numa

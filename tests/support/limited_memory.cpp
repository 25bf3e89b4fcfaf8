// SPDX-License-Identifier: Apache-2.0
#include "support/limited_memory.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace {

thread_local uint64_t allocations_left = UINT64_MAX; // of this thread, before none succeeds any more

void *allocate(std::size_t bytes) noexcept {
    if (allocations_left == 0) {
        return nullptr;
    }
    allocations_left -= allocations_left != UINT64_MAX ? 1 : 0;
    return std::malloc(bytes != 0 ? bytes : 1);
}

void *allocate_or_throw(std::size_t bytes) {
    void *memory = allocate(bytes);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

} // namespace

uint64_t nearpool_test::limit_allocations(uint64_t count) {
    return std::exchange(allocations_left, count);
}

void *operator new(std::size_t bytes) {
    return allocate_or_throw(bytes);
}
void *operator new[](std::size_t bytes) {
    return allocate_or_throw(bytes);
}
void *operator new(std::size_t bytes, const std::nothrow_t &) noexcept {
    return allocate(bytes);
}
void *operator new[](std::size_t bytes, const std::nothrow_t &) noexcept {
    return allocate(bytes);
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete[](void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void *memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void *memory, const std::nothrow_t &) noexcept {
    std::free(memory);
}
void operator delete[](void *memory, const std::nothrow_t &) noexcept {
    std::free(memory);
}

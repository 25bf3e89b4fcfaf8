// SPDX-License-Identifier: Apache-2.0
// The fake driver's own memory: a test program that lets its own run out means nearpool's, not the driver's. Hidden, so
// that nobody else gets these. What the C++ library allocates in the program's name is freed here too: the program's
// operator new must be malloc, as that of the test programs is.
#include <cstdlib>
#include <new>

void *operator new(std::size_t bytes) {
    void *memory = std::malloc(bytes != 0 ? bytes : 1);
    if (memory == nullptr) {
        std::abort();
    }
    return memory;
}

void operator delete(void *memory) noexcept {
    std::free(memory);
}

void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}

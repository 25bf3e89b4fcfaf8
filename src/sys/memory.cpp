// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <cerrno>
#include <sys/mman.h>

namespace nearpool {
namespace {

int negated(int result) {
    return result < 0 ? -errno : result;
}

class RealMemory final : public MemoryPort {
public:
    int map(std::size_t bytes, int protection, int flags, int descriptor, uint64_t offset, void **address) override {
        void *mapped = ::mmap(nullptr, bytes, protection, flags, descriptor, static_cast<off_t>(offset));
        if (mapped == MAP_FAILED) {
            return -errno;
        }
        *address = mapped;
        return 0;
    }

    int protect(void *address, std::size_t bytes, int protection) override {
        return negated(::mprotect(address, bytes, protection));
    }

    int unmap(void *address, std::size_t bytes) override { return negated(::munmap(address, bytes)); }

    int advise(void *address, std::size_t bytes, int advice) override {
        return negated(::madvise(address, bytes, advice));
    }

    int lock(void *address, std::size_t bytes) override { return negated(::mlock(address, bytes)); }

    int unlock(void *address, std::size_t bytes) override { return negated(::munlock(address, bytes)); }

    int create_memfd(const char *name, unsigned flags) override { return negated(::memfd_create(name, flags)); }
};

} // namespace

MemoryPort &real_memory() {
    static auto *const port = new RealMemory;
    return *port;
}

} // namespace nearpool

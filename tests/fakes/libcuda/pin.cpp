// SPDX-License-Identifier: Apache-2.0
#include "pin.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace fakes::cuda {

namespace {

constexpr std::size_t largest_buffer = std::size_t{1} << 30;
constexpr std::size_t page = 4096;

/// Before Linux 5.14: asks whether the pages are mapped, then touches them.
Populate touch(void *memory, std::size_t bytes, bool read_only) {
    std::vector<unsigned char> states((bytes + page - 1) / page);
    if (mincore(memory, bytes, states.data()) != 0) {
        return Populate::not_mapped;
    }
    auto *at = static_cast<char *>(memory);
    for (std::size_t offset = 0; offset < bytes; offset += page) {
        if (read_only) {
            (void)*static_cast<volatile char *>(at + offset);
        } else {
            __atomic_fetch_add(at + offset, char{0}, __ATOMIC_RELAXED);
        }
    }
    return Populate::done;
}

bool can_populate() {
    static const bool can = [] {
        void *own = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const bool worked = own != MAP_FAILED && madvise(own, page, MADV_POPULATE_WRITE) == 0;
        munmap(own, page);
        return worked;
    }();
    return can;
}

} // namespace

Pinned::~Pinned() {
    // Closing alone would unlock them some time later.
    syscall(__NR_io_uring_register, ring_, IORING_UNREGISTER_BUFFERS, nullptr, 0);
    close(ring_);
}

std::shared_ptr<Pinned> Pinned::pin(void *memory, std::size_t bytes) {
    io_uring_params parameters{};
    const long ring = syscall(__NR_io_uring_setup, 1, &parameters);
    if (ring < 0) {
        return nullptr;
    }
    std::shared_ptr<Pinned> pinned(new Pinned(static_cast<int>(ring)));
    std::vector<iovec> buffers;
    for (std::size_t done = 0; done < bytes; done += largest_buffer) {
        buffers.push_back({static_cast<char *>(memory) + done, std::min(largest_buffer, bytes - done)});
    }
    const long result = syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, buffers.data(), buffers.size());
    return result == 0 ? pinned : nullptr;
}

Populate populate(void *memory, std::size_t bytes, bool read_only) {
    if (madvise(memory, bytes, read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE) == 0) {
        return Populate::done;
    }
    if (errno == EINVAL) {
        // The pages may not be written, or the kernel does not know this.
        return can_populate() ? Populate::not_mapped : touch(memory, bytes, read_only);
    }
    return errno == ENOMEM || errno == EFAULT ? Populate::not_mapped : Populate::no_memory;
}

} // namespace fakes::cuda

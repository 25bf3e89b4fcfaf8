// SPDX-License-Identifier: Apache-2.0
// Page-locking memory that is there already, in chunks: one call of 512 GiB fails, and a long one holds up every mmap
// of this process and every GPU call of the machine.
#pragma once

#include "pools/device/device.hpp"
#include "pools/pinned/steps.hpp"

#include <vector>

namespace nearpool::pinned {

// How long chunks of a range are: whole pages.
struct ChunkSize {
    std::size_t bytes;
    std::size_t least; // one that the driver refuses is halved, down to this
};

// At most as long as asked (0: as is good), and no longer than this kernel can lock at once.
ChunkSize chunk_size(FilePort &files, std::size_t asked, std::size_t page_bytes);

// How many chunks a range needs: two must not share a page, so borders are between pages, also where the first byte is
// not.
std::size_t chunks_of(const char *data, std::size_t bytes, std::size_t chunk_bytes);

// The registrations of one range in the context of a device, which must outlive them. What goes gives them back, the
// last first, on any thread.
class Registration {
public:
    Registration(device::Device &device, cuda::CUcontext context) : device_(&device), context_(context) {}
    Registration(const Registration &) = delete;
    Registration &operator=(const Registration &) = delete;
    ~Registration();

    // NEAR_E_CUDA; NEAR_E_CANCELLED where nobody wants it any more. What was locked until then stays so, and the next
    // call for the same range goes on behind it.
    Done lock(char *data, std::size_t bytes, ChunkSize chunk, Steps &steps);

    std::size_t chunk_count() const { return chunks_.size(); }

private:
    cuda::CUresult lock_chunk(char *data, std::size_t bytes);
    void unlock(char *chunk) const noexcept;

    device::Device *device_;
    cuda::CUcontext context_;
    std::vector<char *> chunks_;
    std::size_t locked_bytes_ = 0;
};

} // namespace nearpool::pinned

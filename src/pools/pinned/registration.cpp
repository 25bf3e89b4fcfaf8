// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/registration.hpp"

#include "base/log.hpp"
#include "cuda/current.hpp"

#include <algorithm>
#include <cstdio>

namespace nearpool::pinned {
namespace {

using namespace cuda;

constexpr std::size_t usual_chunk = std::size_t{64} << 30U;
constexpr std::size_t capped_chunk = std::size_t{2} << 30U; // must be less
constexpr std::size_t small_chunk = std::size_t{2} << 20U;  // no driver refuses less for its size

// Linux 6.11 to 6.13 lock less than 2 GiB in one call.
bool kernel_caps_locking(FilePort &files) {
    std::string release;
    unsigned major = 0;
    unsigned minor = 0;
    return files.read("/proc/sys/kernel/osrelease", &release) == 0 &&
           std::sscanf(release.c_str(), "%u.%u", &major, &minor) == 2 && major == 6 && minor >= 11 && minor <= 13;
}

std::size_t into_page(const char *data) {
    return reinterpret_cast<uintptr_t>(data) % base_page_bytes();
}

bool is_gone(CUresult code) {
    return code == cuda_success || code == cuda_error_deinitialized || code == cuda_error_context_is_destroyed ||
           code == cuda_error_host_memory_not_registered;
}

// Kernels, memory limits and drivers say this in many ways.
bool may_be_for_its_size(CUresult code) {
    return code != cuda_success && code != cuda_error_not_permitted && code != cuda_error_not_supported &&
           code != cuda_error_host_memory_already_registered && !is_lost(code);
}

} // namespace

ChunkSize chunk_size(FilePort &files, std::size_t asked, std::size_t page_bytes) {
    const std::size_t most = kernel_caps_locking(files) ? capped_chunk - base_page_bytes() : usual_chunk;
    const std::size_t wanted = asked == 0 ? most : std::min(asked, most);
    const std::size_t bytes = std::max(wanted / page_bytes * page_bytes, page_bytes);
    return {bytes, std::min(std::max(small_chunk, page_bytes), bytes)};
}

std::size_t chunks_of(const char *data, std::size_t bytes, std::size_t chunk_bytes) {
    return (into_page(data) + bytes - 1) / chunk_bytes + 1;
}

Registration::~Registration() {
    if (chunks_.empty()) {
        return;
    }
    give_back_in(device_->driver(), context_, [this] {
        for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend(); ++chunk) {
            unlock(*chunk);
        }
    });
}

// A driver that refuses is asked once more: the range is still ours, so nobody else's can be meant.
void Registration::unlock(char *chunk) const noexcept {
    const Driver &driver = device_->driver();
    CUresult code = driver.mem_host_unregister(chunk);
    if (!is_gone(code)) {
        code = driver.mem_host_unregister(chunk);
    }
    if (!is_gone(code)) {
        log(NEAR_LOG_WARN, "device %d: the driver does not unlock the memory at %p: %s", device_->facts().ordinal,
            static_cast<void *>(chunk), driver.name_of(code));
    }
}

Done Registration::lock(char *data, std::size_t bytes, ChunkSize chunk, Steps &steps) {
    const Driver &driver = device_->driver();
    const Current current(driver, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    while (locked_bytes_ < bytes) {
        if (!steps.wanted()) {
            return fail(NEAR_E_CANCELLED, "%zu of %zu bytes were page-locked, and nobody waits for them", locked_bytes_,
                        bytes);
        }
        char *const next = data + locked_bytes_;
        const std::size_t length = std::min(chunk.bytes - into_page(next), bytes - locked_bytes_);
        const CUresult code = lock_chunk(next, length);
        if (code == cuda_success) {
            locked_bytes_ += length;
            steps.locked(length);
        } else if (may_be_for_its_size(code) && length > chunk.least) {
            chunk.bytes = std::max(length / 2 / chunk.least * chunk.least, chunk.least);
        } else {
            return driver.error(code, "cuMemHostRegister");
        }
    }
    return {};
}

CUresult Registration::lock_chunk(char *data, std::size_t bytes) {
    if (chunks_.size() == chunks_.capacity()) { // before, so that what is locked is always kept in mind
        chunks_.reserve(2 * chunks_.size() + 1);
    }
    const CUresult code =
        device_->driver().mem_host_register(data, bytes, host_register_portable | host_register_device_map);
    if (code == cuda_success) {
        chunks_.push_back(data);
    }
    return code;
}

} // namespace nearpool::pinned

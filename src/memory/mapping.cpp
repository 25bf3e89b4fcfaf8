// SPDX-License-Identifier: Apache-2.0
#include "memory/mapping.hpp"

#include "base/checked.hpp"
#include "sys/constants.hpp"

#include <cinttypes>
#include <fcntl.h>
#include <utility>

namespace nearpool {
namespace {

std::size_t pool_page_bytes(int32_t pages) {
    return pages == NEAR_PAGES_1G ? giant_page_bytes : large_page_bytes;
}

bool from_pool(int32_t pages) {
    return pages == NEAR_PAGES_1G || pages == NEAR_PAGES_2M;
}

// The sum of what a range needs around it: guards, and room to align.
std::optional<std::size_t> outer_size(std::size_t bytes, std::size_t alignment, std::size_t guard) {
    const std::optional<std::size_t> aligned = checked_add(bytes, alignment);
    return aligned ? checked_add(*aligned, 2 * guard) : std::nullopt;
}

} // namespace

Mapping::Mapping(Mapping &&other) noexcept
    : ports_(other.ports_), outer_(std::exchange(other.outer_, nullptr)), outer_bytes_(other.outer_bytes_),
      data_(other.data_), bytes_(other.bytes_), page_bytes_(other.page_bytes_),
      descriptor_(std::exchange(other.descriptor_, -1)), pool_pages_(other.pool_pages_),
      takes_policy_(other.takes_policy_), writable_(other.writable_), not_in_children_(other.not_in_children_),
      mark_(other.mark_) {}

// In a child that does not have the pages, something else may be there by now.
Mapping::~Mapping() {
    if (outer_ != nullptr && !absent()) {
        ports_->memory.unmap(outer_, outer_bytes_);
    }
    if (descriptor_ >= 0) {
        ports_->files.close(descriptor_);
    }
}

Result<Mapping> Mapping::make(const Ports &ports, const RegionSpec &spec, int32_t pages) {
    Mapping mapping(ports);
    mapping.pool_pages_ = from_pool(pages) && spec.backing != NEAR_BACKING_FILE;
    mapping.page_bytes_ = mapping.pool_pages_ ? pool_page_bytes(pages) : base_page_bytes();
    if (spec.backing == NEAR_BACKING_FILE) {
        if (Done done = mapping.open(spec); !done) {
            return done.error();
        }
    }
    const std::optional<std::size_t> bytes = checked_round_up(spec.bytes, mapping.page_bytes_);
    if (!bytes) {
        return fail(NEAR_E_INVALID, "%zu bytes overflow when rounded up to pages of %zu bytes", spec.bytes,
                    mapping.page_bytes_);
    }
    mapping.bytes_ = *bytes;
    if (spec.backing == NEAR_BACKING_SHARED) {
        if (Done done = mapping.make_memfd(pages); !done) {
            return done.error();
        }
    }
    const bool guarded = !mapping.pool_pages_ && !mapping.shared();
    if (Done done = guarded ? mapping.map_between_guards() : mapping.map_anywhere(spec, pages); !done) {
        return done.error();
    }
    return mapping;
}

Mapping Mapping::of_others(const Ports &ports, char *data, std::size_t bytes, std::size_t page_bytes) {
    Mapping mapping(ports);
    mapping.data_ = data;
    mapping.bytes_ = bytes;
    mapping.page_bytes_ = page_bytes;
    return mapping;
}

// O_NONBLOCK: a path that names a pipe must not hold the caller.
Done Mapping::open(const RegionSpec &spec) {
    writable_ = (spec.flags & NEAR_REGION_READ_ONLY) == 0;
    const int descriptor = ports_->files.open(spec.path, (writable_ ? O_RDWR : O_RDONLY) | O_NONBLOCK);
    if (descriptor < 0) {
        return fail_system(-descriptor, "%s cannot be opened for %s", spec.path.c_str(),
                           writable_ ? "reading and writing" : "reading");
    }
    descriptor_ = descriptor;
    long magic = 0;
    std::size_t block = 0;
    if (const int error = ports_->files.filesystem(descriptor, &magic, &block); error < 0) {
        return fail_system(-error, "the file system of %s cannot be read", spec.path.c_str());
    }
    pool_pages_ = magic == sys::filesystem_hugetlbfs;
    takes_policy_ = pool_pages_ || magic == sys::filesystem_tmpfs;
    page_bytes_ = pool_pages_ ? block : page_bytes_;
    return check_file(spec);
}

Done Mapping::check_file(const RegionSpec &spec) {
    uint64_t size = 0;
    if (const int error = ports_->files.size(descriptor_, &size); error < 0) {
        return fail_system(-error, "the size of %s cannot be read", spec.path.c_str());
    }
    if (size < spec.file_offset || size - spec.file_offset < spec.bytes) {
        return fail(NEAR_E_INVALID,
                    "%s has %" PRIu64 " bytes and must reach to %" PRIu64 " + %zu: make it longer first",
                    spec.path.c_str(), size, spec.file_offset, spec.bytes);
    }
    if (spec.file_offset % page_bytes_ != 0) {
        return fail(NEAR_E_INVALID, "file_offset is %" PRIu64 ", which is no multiple of the page size of %s, %zu",
                    spec.file_offset, spec.path.c_str(), page_bytes_);
    }
    return {};
}

Done Mapping::make_memfd(int32_t pages) {
    unsigned flags = sys::memfd_close_on_exec;
    if (from_pool(pages)) {
        flags |= sys::memfd_hugetlb | (pages == NEAR_PAGES_1G ? sys::memfd_huge_1g : sys::memfd_huge_2m);
    }
    const int descriptor = ports_->memory.create_memfd("nearpool", flags);
    if (descriptor < 0) {
        return fail_system(-descriptor, "a memfd cannot be made");
    }
    descriptor_ = descriptor;
    if (const int error = ports_->files.truncate(descriptor, bytes_); error < 0) {
        return fail_system(-error, "a memfd cannot be made %zu bytes long", bytes_);
    }
    return {};
}

// Nothing is ever mapped over anything: a mapping that the kernel refuses after it has made room for it leaves a hole,
// which another thread may be given. Ranges that transparent huge pages could fill are aligned for them, whatever the
// page size asked for: the system may be set to use them everywhere.
Done Mapping::map_between_guards() {
    const std::size_t alignment = bytes_ >= large_page_bytes ? large_page_bytes : page_bytes_;
    const std::optional<std::size_t> outer = outer_size(bytes_, alignment, base_page_bytes());
    if (!outer) {
        return fail(NEAR_E_INVALID, "%zu bytes overflow with the guard pages around them", bytes_);
    }
    void *address = nullptr;
    const int flags = sys::map_private | sys::map_anonymous;
    if (const int error = ports_->memory.map(*outer, sys::protect_none, flags, -1, 0, &address); error < 0) {
        return fail_system(-error, "%zu bytes of address space cannot be reserved", *outer);
    }
    outer_ = static_cast<char *>(address);
    outer_bytes_ = *outer;
    trim(alignment);
    return {};
}

Done Mapping::open_up() {
    const int protection = writable_ ? sys::protect_read_write : sys::protect_read;
    if (const int error = ports_->memory.protect(data_, bytes_, protection); error < 0) {
        return fail_system(-error, "%zu bytes cannot be made %s", bytes_, writable_ ? "writable" : "readable");
    }
    return {};
}

// Leaves the aligned data and one guard page on each side.
void Mapping::trim(std::size_t alignment) {
    const std::size_t guard = base_page_bytes();
    const auto begin = reinterpret_cast<uintptr_t>(outer_) + guard;
    const std::size_t skipped = (alignment - begin % alignment) % alignment;
    if (skipped != 0 && ports_->memory.unmap(outer_, skipped) == 0) {
        outer_ += skipped;
        outer_bytes_ -= skipped;
        data_ = outer_ + guard;
    } else {
        data_ = outer_ + guard + skipped;
    }
    char *end = data_ + bytes_ + guard;
    const auto left = static_cast<std::size_t>(outer_ + outer_bytes_ - end);
    if (left != 0 && ports_->memory.unmap(end, left) == 0) {
        outer_bytes_ -= left;
    }
}

// The kernel aligns what huge pages could fill.
Done Mapping::map_anywhere(const RegionSpec &spec, int32_t pages) {
    int flags = shared() ? sys::map_shared : sys::map_private | sys::map_anonymous | sys::map_hugetlb;
    if (!shared()) {
        flags |= pages == NEAR_PAGES_1G ? sys::map_huge_1g : sys::map_huge_2m;
    }
    void *address = nullptr;
    const int error = ports_->memory.map(bytes_, sys::protect_none, flags, descriptor_, spec.file_offset, &address);
    if (error < 0) {
        return fail_system(-error, "%zu bytes cannot be mapped%s%s", bytes_, spec.path.empty() ? "" : " from ",
                           spec.path.c_str());
    }
    data_ = static_cast<char *>(address);
    outer_ = data_;
    outer_bytes_ = bytes_;
    return {};
}

Done Mapping::keep_from_children() {
    if (const int error = ports_->memory.advise(data_, bytes_, sys::advice_dont_fork); error < 0) {
        return fail_system(-error, "the region cannot be kept from children (MADV_DONTFORK)");
    }
    not_in_children_ = true;
    return {};
}

Done Mapping::keep_from_dumps() {
    const int error = ports_->memory.advise(data_, bytes_, sys::advice_dont_dump);
    return error == 0 ? Done() : fail_system(-error, "the region cannot be left out of core dumps (MADV_DONTDUMP)");
}

} // namespace nearpool

// SPDX-License-Identifier: Apache-2.0
// The address range of a region, with the file behind it. Anonymous memory of base pages lies between two guard pages,
// lest the kernel make one mapping of it and its neighbour; the others it never merges, but for parts of one file.
#pragma once

#include "memory/region.hpp"

namespace nearpool {

constexpr std::size_t large_page_bytes = std::size_t{2} << 20U;
constexpr std::size_t giant_page_bytes = std::size_t{1} << 30U;

// Gives everything back when it goes.
class Mapping {
public:
    // With pages of the rung `pages`: NEAR_PAGES_2M and _1G come from the pool, all others are base pages to the
    // mapping.
    static Result<Mapping> make(const Ports &ports, const RegionSpec &spec, int32_t pages);

    // Memory that somebody else has mapped and will unmap. Whole pages; page_bytes: those that it is looked at in.
    static Mapping of_others(const Ports &ports, char *data, std::size_t bytes, std::size_t page_bytes);

    Mapping(Mapping &&other) noexcept;
    Mapping &operator=(Mapping &&) = delete;
    Mapping(const Mapping &) = delete;
    ~Mapping();

    char *data() const { return data_; }
    std::size_t bytes() const { return bytes_; } // whole pages
    std::size_t page_bytes() const { return page_bytes_; }
    std::size_t page_count() const { return bytes_ / page_bytes_; }
    int descriptor() const { return descriptor_; } // -1: anonymous

    bool pool_pages() const { return pool_pages_; }     // hugetlb
    bool shared() const { return descriptor_ >= 0; }    // a file of some kind is behind it
    bool takes_policy() const { return takes_policy_; } // a regular file's page cache does not
    bool writable() const { return writable_; }

    // Until then nobody, not even the kernel of its own accord (mlockall(2)), can fault a page in.
    Done open_up();

    // Makes a child of fork() do without the pages.
    Done keep_from_children();
    Done keep_from_dumps();
    bool absent() const { return not_in_children_ && mark_.forked(); } // this is such a child

private:
    explicit Mapping(const Ports &ports) : ports_(&ports) {}
    Done open(const RegionSpec &spec);
    Done make_memfd(int32_t pages);
    Done check_file(const RegionSpec &spec);
    Done map_between_guards();
    void trim(std::size_t alignment);
    Done map_anywhere(const RegionSpec &spec, int32_t pages);

    const Ports *ports_;
    char *outer_ = nullptr; // what is unmapped: the data and its guards, if any
    std::size_t outer_bytes_ = 0;
    char *data_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t page_bytes_ = 0;
    int descriptor_ = -1;
    bool pool_pages_ = false;
    bool takes_policy_ = true;
    bool writable_ = true;
    bool not_in_children_ = false;
    ForkMark mark_;
};

} // namespace nearpool

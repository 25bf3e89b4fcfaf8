// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/wish.hpp"

#include "base/checked.hpp"
#include "base/structs.hpp"
#include "sys/ports.hpp"

#include <algorithm>
#include <array>

namespace nearpool::pinned {
namespace {

constexpr std::size_t gib = std::size_t{1} << 30U;
constexpr std::size_t most_alignment = gib;
constexpr uint32_t all_flags = NEAR_PINNED_FORK | NEAR_PINNED_SHARED | NEAR_PINNED_NO_CACHE | NEAR_PINNED_NO_DUMP;
constexpr uint32_t all_methods =
    1U << NEAR_PINNED_PLACED | 1U << NEAR_PINNED_DRIVER_NODE | 1U << NEAR_PINNED_TOUCHED | 1U << NEAR_PINNED_DRIVER;

constexpr std::array<const char *, NEAR_PINNED_ADOPTED + 1> method_names{
    "unknown", "placed", "driver on node", "touched", "driver", "adopted",
};

bool power_of_two(std::size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

Done check(const near_pinned_options &options) {
    if (options.strict > 1) {
        return fail(NEAR_E_INVALID, "strict is %u; it must be 0 or 1", options.strict);
    }
    if (options.pages < NEAR_PAGES_DEFAULT || options.pages > NEAR_PAGES_HUGE) {
        return fail(NEAR_E_INVALID, "pages is %d; it must be a NEAR_PAGES_* value", options.pages);
    }
    if ((options.flags & ~all_flags) != 0) {
        return fail(NEAR_E_INVALID,
                    "flags is %#x; it must be made of NEAR_PINNED_FORK, _SHARED, _NO_CACHE and _NO_DUMP",
                    options.flags);
    }
    if ((options.methods & ~all_methods) != 0) {
        return fail(NEAR_E_INVALID,
                    "methods is %#x; it must be made of 1 << NEAR_PINNED_PLACED, _DRIVER_NODE, _TOUCHED "
                    "and _DRIVER",
                    options.methods);
    }
    if (options.alignment != 0 && (!power_of_two(options.alignment) || options.alignment > most_alignment)) {
        return fail(NEAR_E_INVALID, "alignment is %zu; it must be 0 or a power of two up to 1 GiB", options.alignment);
    }
    if ((options.flags & NEAR_PINNED_SHARED) != 0 && options.alignment > base_page_bytes()) {
        return fail(NEAR_E_INVALID, "alignment is %zu; shared memory is aligned to pages, and no more",
                    options.alignment);
    }
    if (options.reserved != 0) {
        return fail(NEAR_E_VERSION, "near_pinned_options::reserved is %u; it must be 0", options.reserved);
    }
    return {};
}

} // namespace

Result<Wish> wish_of(std::size_t bytes, const near_pinned_options *given) {
    if (bytes == 0) {
        return fail(NEAR_E_INVALID, "0 bytes were asked for");
    }
    const Result<near_pinned_options> read = read_struct(given, "near_pinned_options");
    if (!read) {
        return read.error();
    }
    const near_pinned_options &options = read.value();
    if (Done ok = check(options); !ok) {
        return ok.error();
    }
    Wish wish;
    wish.bytes = bytes;
    wish.alignment = std::max(options.alignment, least_alignment);
    const std::optional<std::size_t> with_room = checked_add(bytes, wish.alignment);
    if (!with_room || !checked_round_up(*with_room, gib)) {
        return fail(NEAR_E_INVALID, "%zu bytes overflow when rounded up to pages", bytes);
    }
    wish.strict = options.strict != 0;
    wish.pages = options.pages == NEAR_PAGES_DEFAULT ? NEAR_PAGES_HUGE : options.pages;
    wish.methods = options.methods == 0 ? all_methods : options.methods;
    wish.flags = options.flags;
    wish.chunk_bytes = options.chunk_bytes;
    wish.timeout_ns = options.timeout_ns != 0 ? options.timeout_ns : usual_timeout_ns(bytes);
    return wish;
}

Result<Wish> adoption_of(const void *data, std::size_t bytes, const near_pinned_options *given) {
    Result<Wish> wish = wish_of(bytes, given);
    if (!wish) {
        return wish;
    }
    if (!checked_add(reinterpret_cast<uintptr_t>(data), bytes)) {
        return fail(NEAR_E_INVALID, "%zu bytes from %p on go past the end of the address space", bytes, data);
    }
    const near_pinned_options other = read_struct(given, "near_pinned_options").value(); // wish_of() could read it
    if (other.pages != 0 || other.flags != 0 || other.methods != 0 || other.alignment != 0 || other.timeout_ns != 0) {
        return fail(NEAR_E_INVALID,
                    "of the options only strict and chunk_bytes have a meaning for memory that is there");
    }
    wish.value().alignment = 1; // it is where it is
    return wish;
}

uint64_t usual_timeout_ns(std::size_t bytes) {
    constexpr uint64_t most = 290; // whole GiB that are counted
    return (10 + std::min<uint64_t>(bytes / gib, most)) * NEAR_SECOND;
}

const char *method_name(int32_t method) {
    return method_names[method > 0 && method <= NEAR_PINNED_ADOPTED ? static_cast<std::size_t>(method) : 0];
}

} // namespace nearpool::pinned

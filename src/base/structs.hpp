// SPDX-License-Identifier: Apache-2.0
// The one reader and writer of structs that cross the ABI with their size in front (design.md section 2).
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace nearpool {

// Whether this library can take a struct of `size` bytes for one that it knows with `known` bytes and that alignment.
Done check_struct_size(const char *name, std::size_t size, std::size_t known, std::size_t alignment);

// Whether the bytes past `known` of a longer input struct are all zero.
Done check_struct_tail(const char *name, const void *data, std::size_t size, std::size_t known);

// Reads an input struct. NULL gives all defaults; a shorter struct is taken as it is; fields past its end are zero.
template <class T> Result<T> read_struct(const T *user, const char *name) {
    static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
    T known{};
    known.struct_size = sizeof(T);
    if (user == nullptr) {
        return known;
    }
    const std::size_t size = user->struct_size;
    if (Done ok = check_struct_size(name, size, sizeof(T), alignof(T)); !ok) {
        return ok.error();
    }
    if (Done ok = check_struct_tail(name, user, size, sizeof(T)); !ok) {
        return ok.error();
    }
    std::memcpy(static_cast<void *>(&known), user, size < sizeof(T) ? size : sizeof(T));
    known.struct_size = sizeof(T);
    return known;
}

// Checks an output struct before the work is done, so that nothing is written when it cannot be taken.
template <class T> Done check_output(const T *user, const char *name) {
    if (user == nullptr) {
        return fail(NEAR_E_INVALID, "%s is NULL", name);
    }
    return check_struct_size(name, user->struct_size, sizeof(T), alignof(T));
}

// Writes as much of `value` as the user's struct has room for, and zeros past what this library knows.
template <class T> void write_struct(T *user, const T &value) {
    const std::size_t size = user->struct_size;
    auto *bytes = reinterpret_cast<unsigned char *>(user);
    const auto *from = reinterpret_cast<const unsigned char *>(&value);
    const std::size_t copied = size < sizeof(T) ? size : sizeof(T);
    std::memcpy(bytes + sizeof(uint32_t), from + sizeof(uint32_t), copied - sizeof(uint32_t));
    std::memset(bytes + copied, 0, size - copied);
}

} // namespace nearpool

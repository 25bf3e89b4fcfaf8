// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that says so when it overflows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace nearpool {

inline std::optional<std::size_t> checked_add(std::size_t a, std::size_t b) {
    std::size_t result = 0;
    return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

inline std::size_t saturating_add(std::size_t a, std::size_t b) {
    return checked_add(a, b).value_or(SIZE_MAX);
}

inline std::optional<std::size_t> checked_multiply(std::size_t a, std::size_t b) {
    std::size_t result = 0;
    return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

// The next multiple of `unit`, which is a power of two.
inline std::optional<std::size_t> checked_round_up(std::size_t value, std::size_t unit) {
    const std::optional<std::size_t> sum = checked_add(value, unit - 1);
    return sum ? std::optional(*sum & ~(unit - 1)) : std::nullopt;
}

} // namespace nearpool

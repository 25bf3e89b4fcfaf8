// SPDX-License-Identifier: Apache-2.0
// When a declaration of ours and one of the Toolkit's mean the same to a caller: the same numbers of the same width in
// the same places, pointers to the same things. Names of types differ and enumerations are plain numbers here, so
// std::is_same says too little.
#pragma once

#include <cstddef>
#include <type_traits>

namespace compare {

// Whether a struct, or what a handle points to, is ours for that one of the Toolkit. The table (table.hpp) says so for
// each: any other pair is a mistake, as a stream where an event belongs.
template <class Ours, class Theirs> struct Corresponds : std::false_type {};

template <class Ours, class Theirs> struct Function : std::false_type {};

template <class Type> constexpr bool is_number() {
    return std::is_integral_v<Type> || std::is_enum_v<Type>;
}

// An enumeration's own signedness is the compiler's choice and no part of the ABI, that of a number is.
template <class Ours, class Theirs> constexpr bool is_same_number() {
    constexpr bool free_sign = std::is_enum_v<Ours> || std::is_enum_v<Theirs>;
    return sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs) &&
           (free_sign || std::is_signed_v<Ours> == std::is_signed_v<Theirs>);
}

template <class Ours, class Theirs> constexpr bool is_compatible() {
    if constexpr (std::is_const_v<Ours> != std::is_const_v<Theirs>) {
        return false;
    } else if constexpr (std::is_const_v<Ours>) {
        return is_compatible<std::remove_const_t<Ours>, std::remove_const_t<Theirs>>();
    } else if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) {
        return is_compatible<std::remove_pointer_t<Ours>, std::remove_pointer_t<Theirs>>();
    } else if constexpr (std::is_array_v<Ours> && std::is_array_v<Theirs>) {
        return std::extent_v<Ours> == std::extent_v<Theirs> &&
               is_compatible<std::remove_extent_t<Ours>, std::remove_extent_t<Theirs>>();
    } else if constexpr (std::is_function_v<Ours> && std::is_function_v<Theirs>) {
        return Function<Ours, Theirs>::is_same();
    } else if constexpr (is_number<Ours>() && is_number<Theirs>()) {
        return is_same_number<Ours, Theirs>();
    } else {
        return std::is_same_v<Ours, Theirs> || Corresponds<Ours, Theirs>::value;
    }
}

template <class Ours, class... OurParameters, class Theirs, class... TheirParameters>
struct Function<Ours(OurParameters...), Theirs(TheirParameters...)> {
    static constexpr bool is_same() {
        if constexpr (sizeof...(OurParameters) == sizeof...(TheirParameters)) {
            return is_compatible<Ours, Theirs>() && (is_compatible<OurParameters, TheirParameters>() && ...);
        } else {
            return false;
        }
    }
};

template <class Ours, class Theirs> constexpr bool is_same_layout() {
    return sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs) && std::is_standard_layout_v<Ours>;
}

template <class Ours, class Theirs> constexpr bool is_same_value(Ours ours, Theirs theirs) {
    return static_cast<long long>(ours) == static_cast<long long>(theirs);
}

constexpr bool is_same_text(const char *one, const char *other) {
    for (; *one != '\0' && *one == *other; one++, other++) {
    }
    return *one == *other;
}

} // namespace compare

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdarg>
#include <cstddef>
#include <string>
#include <string_view>

namespace nearpool {

[[gnu::format(printf, 1, 2)]] std::string format(const char *text, ...);
[[gnu::format(printf, 1, 0)]] std::string format_list(const char *text, va_list list);

// Copies as much of `text` as fits and ends it with NUL; never cuts inside a UTF-8 character.
void copy_text(char *target, std::size_t capacity, std::string_view text);

template <std::size_t N> void copy_text(char (&target)[N], std::string_view text) {
    copy_text(target, N, text);
}

} // namespace nearpool

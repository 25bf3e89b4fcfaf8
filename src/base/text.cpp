// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace nearpool {

std::string format_list(const char *text, va_list list) {
    va_list again;
    va_copy(again, list);
    const int length = std::vsnprintf(nullptr, 0, text, again);
    va_end(again);
    std::string result(static_cast<std::size_t>(std::max(length, 0)), '\0');
    std::vsnprintf(result.data(), result.size() + 1, text, list);
    return result;
}

std::string format(const char *text, ...) {
    va_list list;
    va_start(list, text);
    std::string result = format_list(text, list);
    va_end(list);
    return result;
}

void copy_text(char *target, std::size_t capacity, std::string_view text) {
    if (capacity == 0) {
        return;
    }
    std::size_t length = std::min(text.size(), capacity - 1);
    if (length < text.size()) {
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
            length--;
        }
    }
    std::memcpy(target, text.data(), length);
    target[length] = '\0';
}

} // namespace nearpool

// SPDX-License-Identifier: Apache-2.0
#include "base/structs.hpp"

namespace nearpool {
namespace {

constexpr std::size_t smallest = 8;
constexpr std::size_t largest = 4096; // no struct of ours will ever come near; a larger size is an unset field

} // namespace

// A sizeof is a multiple of the alignment: any other size would end inside a pointer or a 64-bit number.
Done check_struct_size(const char *name, std::size_t size, std::size_t known, std::size_t alignment) {
    if (size < smallest || size > largest || size % alignment != 0) {
        return fail(NEAR_E_VERSION, "%s has struct_size %zu; set it to sizeof(%s), %zu in this version", name, size,
                    name, known);
    }
    return {};
}

Done check_struct_tail(const char *name, const void *data, std::size_t size, std::size_t known) {
    const auto *bytes = static_cast<const unsigned char *>(data);
    for (std::size_t i = known; i < size; i++) {
        if (bytes[i] != 0) {
            return fail(NEAR_E_VERSION,
                        "%s has struct_size %zu and sets a field past byte %zu that this version does not know", name,
                        size, known);
        }
    }
    return {};
}

} // namespace nearpool

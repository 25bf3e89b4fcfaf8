// SPDX-License-Identifier: Apache-2.0
// What each part of the harness must find: the fuzzer a byte read past the end, both runners a word on descriptor 2 and
// a promise that does not hold.
#include "fuzz/harness.hpp"

#include <unistd.h>
#include <vector>

namespace nearpool::fuzz {

void self_test(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    const std::string_view word = input.rest();
    if (word.substr(0, 4) == "past") {
        const std::vector<uint8_t> copy(data, data + size);
        const volatile uint8_t *one_past = copy.data() + copy.size();
        require(*one_past != 1, "the byte past the end is not 1");
    }
    require(word != "promise", "the input is not a promise");
    if (word == "speak" && write(2, "a word\n", 7) != 7) {
        require(false, "descriptor 2 can be written to");
    }
}

} // namespace nearpool::fuzz

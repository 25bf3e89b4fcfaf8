// SPDX-License-Identifier: Apache-2.0
// Sequences of calls, one a byte, on a small machine that is made up and on the fake driver: pools, groups, regions,
// streams and page-locked memory, with calls of the driver that fail. Everything that was made is given back, every
// task has ended once, and the driver holds nothing.
#include "fuzz/play.hpp"

namespace nearpool::fuzz {

void calls(const uint8_t *data, std::size_t size) {
    constexpr int most_steps = 48;
    Bytes input(data, size);
    Play play;
    for (int step = 0; step < most_steps && !input.empty(); step++) {
        play.step(input);
    }
    play.finish();
}

} // namespace nearpool::fuzz

// SPDX-License-Identifier: Apache-2.0
#include "fuzz/harness.hpp"

#include <cstdio>
#include <cstdlib>

namespace nearpool::fuzz {

void require(bool holds, const char *what) {
    if (holds) {
        return;
    }
    std::printf("does not hold: %s%s\n", what, planted() ? " (planted)" : "");
    std::fflush(stdout);
    std::abort();
}

void require(bool holds, const std::string &what) {
    require(holds, what.c_str());
}

bool planted() {
    static const bool asked = std::getenv("NEARPOOL_FUZZ_PLANT") != nullptr;
    return asked;
}

} // namespace nearpool::fuzz

// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. A target is a function of bytes: run by libFuzzer, which makes the bytes up, and by
// replay.cpp on the inputs of the corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nearpool::fuzz {

// An input, taken from its beginning. Past its end come zeros.
class Bytes {
public:
    Bytes(const uint8_t *data, std::size_t size) : data_(reinterpret_cast<const char *>(data)), left_(size) {}

    bool empty() const { return left_ == 0; }
    uint8_t byte() { return static_cast<uint8_t>(number<1>()); }
    bool flag() { return (byte() & 1) != 0; }
    uint32_t number32() { return static_cast<uint32_t>(number<4>()); }
    uint64_t number64() { return number<8>(); }
    uint32_t below(uint32_t limit) { return byte() % limit; } // limit: up to 256

    std::string_view take(std::size_t count) {
        const std::string_view taken(data_, count < left_ ? count : left_);
        data_ += taken.size();
        left_ -= taken.size();
        return taken;
    }
    std::string_view rest() { return take(left_); }

private:
    template <int Count> uint64_t number() {
        uint64_t value = 0;
        int shift = 0;
        for (const char each : take(Count)) {
            value |= static_cast<uint64_t>(static_cast<uint8_t>(each)) << shift;
            shift += 8;
        }
        return value;
    }

    const char *data_;
    std::size_t left_;
};

// What a target promises of the library. Where it does not hold: says so on standard output, and aborts.
void require(bool holds, const char *what);
void require(bool holds, const std::string &what);

// Whether NEARPOOL_FUZZ_PLANT asks for a fault: each target then gets one of its checks wrong, to show that it can
// fail.
bool planted();

using Target = void (*)(const uint8_t *data, std::size_t size);

struct NamedTarget {
    const char *name;
    Target run;
};

#define NEARPOOL_FUZZ(name) void name(const uint8_t *data, std::size_t size);
#include "fuzz/targets.inc"
#undef NEARPOOL_FUZZ

} // namespace nearpool::fuzz

// SPDX-License-Identifier: Apache-2.0
// A public struct made of input: in a block that is as long as its struct_size says, and no longer.
#pragma once

#include "fuzz/harness.hpp"

#include <nearpool/status.h>

#include <cstring>
#include <memory>

namespace nearpool::fuzz {

constexpr std::size_t size_bytes = sizeof(uint32_t);
constexpr std::size_t smallest_struct = 8;
constexpr std::size_t largest_struct = 4096;

template <class T> class Given {
public:
    explicit Given(Bytes &input) {
        struct_size_ = choose_size(input);
        held_ = struct_size_ >= size_bytes && struct_size_ <= largest_struct ? struct_size_ : size_bytes;
        bytes_ = std::make_unique<unsigned char[]>(held_);
        std::memcpy(bytes_.get(), &struct_size_, size_bytes);
        const std::size_t wanted = held_ - size_bytes;
        const std::string_view fields =
            input.take(wanted < sizeof(T) || input.flag() ? wanted : sizeof(T) - size_bytes);
        std::memcpy(bytes_.get() + size_bytes, fields.data(), fields.size());
        before_.assign(reinterpret_cast<const char *>(bytes_.get()), held_);
    }

    // As a caller casts it.
    T *get() { return reinterpret_cast<T *>(bytes_.get()); }

    // Writes a field at this offset, where the struct is long enough for it.
    template <class Field> void set(std::size_t offset, Field value) {
        if (offset + sizeof value <= held_) {
            std::memcpy(bytes_.get() + offset, &value, sizeof value);
        }
    }
    template <class Field> Field at(std::size_t offset) const {
        Field value{};
        if (offset + sizeof value <= held_) {
            std::memcpy(&value, bytes_.get() + offset, sizeof value);
        }
        return value;
    }

    bool acceptable_size() const {
        return struct_size_ >= smallest_struct && struct_size_ <= largest_struct && struct_size_ % alignof(T) == 0;
    }
    // Whether the library can take it as an input: nothing is set past what it knows.
    bool acceptable_input() const { return acceptable_size() && tail_is_zero(); }

    // What the library promises of an input struct.
    void check_input(near_status status) const {
        require((status == NEAR_E_VERSION) != (acceptable_input() && !planted()),
                "a struct of unknown size or fields is NEAR_E_VERSION, and no other is");
    }

    // And of an output struct: written wholly or not at all.
    void check_output(near_status status) const {
        require((status == NEAR_E_VERSION) != (acceptable_size() && !planted()),
                "an output struct of unknown size is NEAR_E_VERSION, and no other is");
        require(at<uint32_t>(0) == struct_size_, "struct_size stays as it is");
        if (status == NEAR_OK) {
            require(tail_is_zero(), "what the library does not know is zero");
        } else if (status == NEAR_E_VERSION || status == NEAR_E_INVALID) {
            require(std::memcmp(before_.data(), bytes_.get(), held_) == 0, "a refused struct is not written to");
        }
    }

private:
    static uint32_t choose_size(Bytes &input) {
        switch (input.below(8)) {
        case 0:
            return input.number32();
        case 1: // near the struct's own
            return static_cast<uint32_t>(sizeof(T)) + input.byte() - 128;
        case 2:
            return static_cast<uint32_t>(sizeof(T)) + 8 * input.byte();
        default:
            return sizeof(T);
        }
    }

    bool tail_is_zero() const {
        for (std::size_t i = sizeof(T); i < held_; i++) {
            if (bytes_[i] != 0) {
                return false;
            }
        }
        return true;
    }

    uint32_t struct_size_ = 0;
    std::size_t held_ = 0;
    std::unique_ptr<unsigned char[]> bytes_;
    std::string before_;
};

} // namespace nearpool::fuzz

// SPDX-License-Identifier: Apache-2.0
// The way into every exported function: is the driver in a state for it, does a test want it to fail, to be slow, to be
// logged? Where none of that is asked for, it is one load of `obstacles` and what the function needs.
#pragma once

#include "capture.hpp"
#include "state.hpp"

namespace fakes::cuda {

using Need = unsigned;
constexpr Need asks_init = 1;
constexpr Need asks_context = 2;
constexpr Need asks_no_capture = 4;
constexpr Need asks_start = 8; // cuInit itself

/// The words of symbols.inc.
namespace needs {
constexpr Need always = 0;
constexpr Need starting = asks_start;
constexpr Need initialised = asks_init;
constexpr Need initialised_unsafe = asks_init | asks_no_capture;
constexpr Need current = asks_init | asks_context;
constexpr Need current_unsafe = asks_init | asks_context | asks_no_capture;
} // namespace needs

/// What a call was given, for the log.
struct Arguments {
    uint64_t values[6];
    unsigned count;
};

inline uint64_t to_word(std::nullptr_t) {
    return 0;
}
template <typename T> uint64_t to_word(T value) {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<std::uintptr_t>(value);
    } else if constexpr (std::is_integral_v<T>) {
        return static_cast<uint64_t>(value);
    } else {
        return 0; // a structure
    }
}
template <typename... Values> Arguments pack(Values... values) {
    return {{to_word(values)...}, static_cast<unsigned>(sizeof...(values))};
}

/// Where a call gives what it makes; at is nullptr: nowhere.
struct Output {
    void *at;
    std::size_t bytes;
};

inline Output output_of() {
    return {nullptr, 0};
}
/// Of a call with parameters it is the first one, if that points to a handle, an address or a number.
template <typename First, typename... Rest> Output output_of(First first, Rest...) {
    if constexpr (std::is_pointer_v<First>) {
        using Value = std::remove_pointer_t<First>;
        constexpr bool is_one = std::is_pointer_v<Value> || (std::is_integral_v<Value> && !std::is_same_v<Value, char>);
        if constexpr (is_one && !std::is_const_v<Value>) {
            return {first, sizeof(Value)};
        }
    }
    return {nullptr, 0};
}

/// A call whose body runs once the hooks and the driver's state let it.
struct Call {
    Symbol symbol;
    const char *text;
    Need need;
    int version;
    Arguments arguments;
    Output output;
};
CUresult enter_slowly(ThreadState &self, const Call &call, const std::function<CUresult()> &body);

inline CUresult admit(const ThreadState &self, Need need) {
    if ((need & asks_context) != 0) {
        if (const CUresult refused = check_current(self); refused != cuda_success) {
            return refused;
        }
    }
    return (need & asks_no_capture) != 0 ? check_no_capture(self) : cuda_success;
}

template <Need need, typename Body, typename Describe>
CUresult enter(Symbol symbol, int version, bool is_twin, Body body, Describe describe) {
    ThreadState &self = this_thread();
    std::atomic<uint64_t> &calls = self.calls[symbol];
    calls.store(calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    self.default_is_per_thread = is_twin;
    const bool is_plain = (need & asks_start) == 0 && version <= 11080;
    if (is_plain && obstacles.load(std::memory_order_acquire) == obstacle_none && !self.in_callback) {
        const CUresult refused = admit(self, need);
        return refused != cuda_success ? refused : body();
    }
    return enter_slowly(self, describe(), body);
}

} // namespace fakes::cuda

// SPDX-License-Identifier: Apache-2.0
#include "api/stream_budget.hpp"

#include "base/checked.hpp"
#include "base/environment.hpp"
#include "base/log.hpp"

#include <nearpool/stream_pool_work.h>

#include <atomic>
#include <charconv>
#include <new>
#include <optional>
#include <string>

namespace nearpool::api {
namespace {

constexpr uint64_t mebibyte = UINT64_C(1) << 20;
constexpr uint64_t default_budget = 256 * mebibyte;

std::optional<uint64_t> positive_number(const std::string &text) {
    const std::size_t begin = text.find_first_not_of(" \t\n");
    if (begin == std::string::npos) {
        return std::nullopt;
    }
    const std::size_t end = text.find_last_not_of(" \t\n") + 1;
    uint64_t number = 0;
    const auto parsed = std::from_chars(text.data() + begin, text.data() + end, number);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + end;
    return whole && number > 0 && number <= UINT64_MAX / mebibyte ? std::optional(number) : std::nullopt;
}

} // namespace

uint64_t stream_budget() {
    const std::optional<std::string> text = environment("NEARPOOL_STREAM_MB");
    if (!text) {
        return default_budget;
    }
    const std::optional<uint64_t> chosen = positive_number(*text);
    static std::atomic<bool> reported{false};
    if (!chosen && !reported.exchange(true)) {
        log(NEAR_LOG_WARN, "NEARPOOL_STREAM_MB=%s is no positive number of MiB; %llu is used", text->c_str(),
            static_cast<unsigned long long>(default_budget / mebibyte));
    }
    return chosen ? *chosen * mebibyte : default_budget;
}

} // namespace nearpool::api

extern "C" {

uint64_t stream_pool_planned_budget(uint64_t arms, uint64_t streams) {
    uint64_t budget = nearpool::api::default_budget;
    try {
        budget = nearpool::api::stream_budget();
    } catch (const std::bad_alloc &) { // for the variable's text
    }
    const auto all = nearpool::checked_multiply(arms, streams);
    const auto bytes = all ? nearpool::checked_multiply(*all, budget) : std::nullopt;
    return bytes.value_or(UINT64_MAX);
}
}

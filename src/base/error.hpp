// SPDX-License-Identifier: Apache-2.0
// Errors inside the library travel as values; api/ turns them into a near_status and a near_error.
#pragma once

#include <nearpool/status.h>

#include <string>
#include <utility>
#include <variant>

namespace nearpool {

using Status = near_status;

struct Error {
    Status status = NEAR_E_INTERNAL;
    int32_t domain = NEAR_DOMAIN_NONE;
    int32_t code = 0;
    std::string message;
    int32_t reason = 0; // NEAR_REASON_*, where a placement was not achieved
};

// An error with a sentence: what was asked, what is there, what to do.
[[gnu::format(printf, 2, 3)]] Error fail(Status status, const char *format, ...);

// The same for a system call that answered `error_number`; its text is appended. ENOMEM becomes NEAR_E_NOMEM.
[[gnu::format(printf, 2, 3)]] Error fail_system(int error_number, const char *format, ...);

// The same with a status of the caller's choice; errno and its text are kept.
[[gnu::format(printf, 3, 4)]] Error fail_system_as(Status status, int error_number, const char *format, ...);

// A value or an error.
template <class T> class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}     // NOLINT(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {} // NOLINT(google-explicit-constructor)

    explicit operator bool() const { return state_.index() == 0; }
    T &value() { return std::get<0>(state_); }
    const T &value() const { return std::get<0>(state_); }
    T take() { return std::move(std::get<0>(state_)); }
    Error &error() { return std::get<1>(state_); }
    const Error &error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

// Done, or an error.
template <> class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), ok_(false) {} // NOLINT(google-explicit-constructor)

    explicit operator bool() const { return ok_; }
    Error &error() { return error_; }
    const Error &error() const { return error_; }

private:
    Error error_{NEAR_OK, NEAR_DOMAIN_NONE, 0, {}};
    bool ok_ = true;
};

using Done = Result<void>;

} // namespace nearpool

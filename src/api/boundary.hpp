// SPDX-License-Identifier: Apache-2.0
// The boundary of the library: C in, C++ out. Every extern "C" function runs its body through one of these, so that
// there is one place where an error or an exception becomes a status and a sentence.
#pragma once

#include "base/error.hpp"
#include "base/structs.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace nearpool::api {

// Whether the caller's error struct can be written.
bool usable(const near_error *error);

// NEAR_E_VERSION for one that cannot, with a word in the log, since there is no other place for it.
near_status refuse(const char *operation, const near_error *error) noexcept;

// Writes the sentence "operation: message", if there is somewhere to write it, and gives the status back.
near_status report(const char *operation, const Error &why, near_error *error) noexcept;

// What the exception that is being handled means. Passes on the unwinding of a thread that is being cancelled.
near_status report_exception(const char *operation, near_error *error);

// Runs `body`, which returns a Done.
template <class Body> near_status guarded(const char *operation, near_error *error, Body &&body) {
    if (!usable(error)) {
        return refuse(operation, error);
    }
    try {
        const Done done = body();
        return done ? NEAR_OK : report(operation, done.error(), error);
    } catch (...) {
        return report_exception(operation, error);
    }
}

// The same for functions that return only a status; the sentence of a check that both kinds share goes nowhere.
template <class Body> near_status guarded(Body &&body) {
    return guarded("", nullptr, static_cast<Body &&>(body));
}

// An error of a function that returns only a status: nobody reads a sentence.
inline Done as_done(Status status) {
    return status == NEAR_OK ? Done() : Done(Error{status, NEAR_DOMAIN_NONE, 0, {}});
}

// "name is NULL", in the order of the parameters.
Done check_pointer(const void *pointer, const char *name);

// "name is 2; it must be 0 or 1".
Done check_flag(uint32_t value, const char *name);

// No array has so many elements: who names such a count has computed it wrong, and looking would leave the memory.
Done check_count(std::size_t count, std::size_t element_bytes, const char *name);

// The rules of an input list: NULL with 0 is the default, a pointer with 0 an empty set, NULL with a count invalid.
Done check_list(const void *list, std::size_t count, std::size_t element_bytes, const char *name);

// The rules of an output list (nearpool.h), checked before the work is done.
Done check_output_list(const void *list, std::size_t capacity, const std::size_t *needed, const char *name);

// Hands a text out, with its NUL; NEAR_E_CAPACITY when the buffer is too short.
Done write_text(const std::string &text, char *buffer, std::size_t capacity, std::size_t *needed);

// Hands a list out; NEAR_E_CAPACITY when the array is too short.
template <class T>
Done write_list(const std::vector<T> &values, T *list, std::size_t capacity, std::size_t *needed, const char *name) {
    *needed = values.size();
    if (list == nullptr) {
        return {};
    }
    if (capacity < values.size()) {
        return fail(NEAR_E_CAPACITY, "%s has room for %zu, and there are %zu", name, capacity, values.size());
    }
    std::size_t index = 0;
    for (const T &value : values) {
        list[index++] = value;
    }
    return {};
}

} // namespace nearpool::api

// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"

#include <cstring>

#include "base/log.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

#include <cxxabi.h>
#include <exception>
#include <new>
#include <stdexcept>

namespace nearpool::api {
namespace {

constexpr std::size_t message_offset = offsetof(near_error, message);

void write_error(near_error *error, const Error &why, const char *operation) {
    if (error == nullptr) {
        return;
    }
    const std::size_t size = error->struct_size < sizeof(near_error) ? error->struct_size : sizeof(near_error);
    error->status = why.status;
    error->native_domain = why.domain;
    error->native_code = why.code;
    const std::string sentence = why.message.empty() ? status_text(why.status) : why.message;
    copy_text(error->message, size - message_offset, operation + (": " + sentence));
}

} // namespace

bool usable(const near_error *error) {
    return error == nullptr ||
           (check_struct_size("near_error", error->struct_size, sizeof(near_error), alignof(near_error)) &&
            error->struct_size > message_offset);
}

near_status refuse(const char *operation, const near_error *error) noexcept {
    log(NEAR_LOG_WARN, "%s: near_error has struct_size %u; set it to sizeof(near_error), %zu in this version",
        operation, error->struct_size, sizeof(near_error));
    return NEAR_E_VERSION;
}

near_status report(const char *operation, const Error &why, near_error *error) noexcept {
    try {
        write_error(error, why, operation);
    } catch (...) { // no memory for the sentence: the status is what matters
        error->status = why.status;
        error->message[0] = '\0';
    }
    return why.status;
}

near_status report_exception(const char *operation, near_error *error) {
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return report(operation, Error{NEAR_E_NOMEM, NEAR_DOMAIN_NONE, 0, {}}, error);
    } catch (const std::length_error &) { // more than any memory has room for
        return report(operation, Error{NEAR_E_NOMEM, NEAR_DOMAIN_NONE, 0, {}}, error);
    } catch (const abi::__forced_unwind &) { // must not be swallowed
        throw;
    } catch (const std::exception &exception) {
        return report(operation, fail(NEAR_E_INTERNAL, "unexpected exception: %s", exception.what()), error);
    } catch (...) {
        return report(operation, Error{NEAR_E_INTERNAL, NEAR_DOMAIN_NONE, 0, {}}, error);
    }
}

Done check_pointer(const void *pointer, const char *name) {
    return pointer != nullptr ? Done() : fail(NEAR_E_INVALID, "%s is NULL", name);
}

Done check_flag(uint32_t value, const char *name) {
    return value <= 1 ? Done() : fail(NEAR_E_INVALID, "%s is %u; it must be 0 or 1", name, value);
}

Done check_count(std::size_t count, std::size_t element_bytes, const char *name) {
    if (count > PTRDIFF_MAX / element_bytes) {
        return fail(NEAR_E_INVALID, "%s has a count of %zu, and no memory holds so many", name, count);
    }
    return {};
}

Done check_list(const void *list, std::size_t count, std::size_t element_bytes, const char *name) {
    if (list == nullptr && count != 0) {
        return fail(NEAR_E_INVALID, "%s is NULL with a count of %zu", name, count);
    }
    if (list != nullptr && count == 0) {
        return fail(NEAR_E_EMPTY_SET, "%s is empty; pass NULL for the default", name);
    }
    return check_count(count, element_bytes, name);
}

Done check_output_list(const void *list, std::size_t capacity, const std::size_t *needed, const char *name) {
    if (list == nullptr && capacity != 0) {
        return fail(NEAR_E_INVALID, "%s is NULL with a capacity of %zu", name, capacity);
    }
    return check_pointer(needed, "needed");
}

Done write_text(const std::string &text, char *buffer, std::size_t capacity, std::size_t *needed) {
    *needed = text.size() + 1;
    if (buffer == nullptr) {
        return {};
    }
    if (capacity < *needed) {
        return fail(NEAR_E_CAPACITY, "buffer has room for %zu bytes, and the text with its NUL takes %zu", capacity,
                    *needed);
    }
    std::memcpy(buffer, text.c_str(), *needed);
    return {};
}

} // namespace nearpool::api

// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"

#include "base/text.hpp"

#include <cerrno>
#include <cstdarg>
#include <system_error>

namespace nearpool {
namespace {

Error native_error(Status status, int error_number, std::string message) {
    message += ": " + std::system_category().message(error_number);
    return Error{status, NEAR_DOMAIN_ERRNO, error_number, std::move(message)};
}

} // namespace

Error fail(Status status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Error error{status, NEAR_DOMAIN_NONE, 0, format_list(format, list)};
    va_end(list);
    return error;
}

Error fail_system(int error_number, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Error error =
        native_error(error_number == ENOMEM ? NEAR_E_NOMEM : NEAR_E_SYSTEM, error_number, format_list(format, list));
    va_end(list);
    return error;
}

Error fail_system_as(Status status, int error_number, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Error error = native_error(status, error_number, format_list(format, list));
    va_end(list);
    return error;
}

} // namespace nearpool

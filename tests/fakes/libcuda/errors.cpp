// SPDX-License-Identifier: Apache-2.0
// The names of errors, and what the driver says about itself.
#include "state.hpp"

#include <cstring>

namespace fakes::cuda {

namespace {

struct ErrorText {
    CUresult error;
    const char *name;
    const char *text;
};

constexpr ErrorText error_texts[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "API call requires a newer CUDA driver"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "peer access is not supported between these two devices"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {401, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is already enabled"},
    {705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "peer access has not been enabled"},
    {708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "the primary context is active"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not initiated in this stream"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing stream"},
    {907, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a capture from another thread"},
    {909, "CUDA_ERROR_TIMEOUT", "wait operation timed out"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

CUresult find_text(CUresult error, const char **text, const char *ErrorText::*member) {
    if (text == nullptr) {
        return cuda_error_invalid_value;
    }
    *text = nullptr;
    for (const ErrorText &entry : error_texts) {
        if (entry.error == error) {
            *text = entry.*member;
            return cuda_success;
        }
    }
    return cuda_error_invalid_value;
}

constexpr int symbol_found = 0;
constexpr int symbol_not_found = 1;
constexpr int version_not_sufficient = 2;
constexpr uint64_t flag_legacy_stream = 1;
constexpr uint64_t flag_per_thread_stream = 2;

/// The newest interface of a name that a program of some CUDA version knows; its twin, where asked for and there.
const Entry *find_entry(const char *name, int version, bool per_thread, bool *known) {
    const Entry *best = nullptr;
    const int driver_version = driver().version.load();
    for (const Entry &entry : entries()) {
        if (std::strcmp(entry.name, name) != 0 || entry.version > driver_version || entry.is_twin) {
            continue;
        }
        *known = true;
        if (entry.version <= version && (best == nullptr || entry.version > best->version)) {
            best = &entry;
        }
    }
    // A twin stands behind its entry.
    return best != nullptr && per_thread && best->has_twin && best[1].version <= version ? best + 1 : best;
}

CUresult proc_address(const char *symbol, void **function, int version, uint64_t flags, int *status) {
    if (symbol == nullptr || function == nullptr || version > driver().version.load() ||
        (flags & ~(flag_legacy_stream | flag_per_thread_stream)) != 0) {
        return cuda_error_invalid_value;
    }
    bool known = false;
    const Entry *found = find_entry(symbol, version, (flags & flag_per_thread_stream) != 0, &known);
    *function = found == nullptr ? nullptr : found->function;
    *status = found != nullptr ? symbol_found : known ? version_not_sufficient : symbol_not_found;
    return cuda_success;
}

} // namespace

namespace calls {

CUresult cuGetErrorName(CUresult error, const char **text) {
    return find_text(error, text, &ErrorText::name);
}

CUresult cuGetErrorString(CUresult error, const char **text) {
    return find_text(error, text, &ErrorText::text);
}

CUresult cuDriverGetVersion(int *version) {
    if (version == nullptr) {
        return cuda_error_invalid_value;
    }
    *version = driver().version.load();
    return cuda_success;
}

CUresult cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
    int status = symbol_found;
    const CUresult result = proc_address(symbol, function, version, flags, &status);
    // Before CUDA 12 there was no other place to say so.
    return result == cuda_success && status != symbol_found ? CUresult{500} : result;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags,
                             CUdriverProcAddressQueryResult *status) {
    int found = symbol_found;
    const CUresult result = proc_address(symbol, function, version, flags, &found);
    if (status != nullptr && result == cuda_success) {
        *status = found;
    }
    return result;
}

} // namespace calls

} // namespace fakes::cuda

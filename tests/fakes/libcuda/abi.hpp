// SPDX-License-Identifier: Apache-2.0
// What the fake driver offers beyond what nearpool itself calls, declared as src/cuda/types.hpp does.
#pragma once

#include "cuda/types.hpp"

namespace fakes::cuda {

using namespace nearpool::cuda;

using CUpointer_attribute = int;                  // NOLINT(readability-identifier-naming)
using CUgraph = struct CUgraph_st *;              // NOLINT(readability-identifier-naming)
using CUgreenCtx = struct CUgreenCtx_st *;        // NOLINT(readability-identifier-naming)
using CUmemoryPool = struct CUmemPoolHandle_st *; // NOLINT(readability-identifier-naming)
using CUhostFn = void (*)(void *user_data);

struct CUmemPoolProps {
    int type;
    int handle_types;
    CUmemLocation location;
    void *win32_security_attributes;
    std::size_t max_size;
    unsigned char rest[56];
};
struct CUctxCreateParams {
    void *exec_affinity;
    int exec_affinity_count;
    void *cig;
};

constexpr CUresult cuda_error_call_requires_newer_driver = 36;
constexpr CUresult cuda_error_invalid_device = 101;
constexpr CUresult cuda_error_peer_access_unsupported = 217;
constexpr CUresult cuda_error_operating_system = 304;
constexpr CUresult cuda_error_illegal_state = 401;
constexpr CUresult cuda_error_peer_access_already_enabled = 704;
constexpr CUresult cuda_error_primary_context_active = 708;
constexpr CUresult cuda_error_capture_unsupported = 900;
constexpr CUresult cuda_error_capture_invalidated = 901;
constexpr CUresult cuda_error_capture_unmatched = 903;
constexpr CUresult cuda_error_capture_unjoined = 904;
constexpr CUresult cuda_error_capture_isolation = 905;
constexpr CUresult cuda_error_capture_implicit = 906;
constexpr CUresult cuda_error_captured_event = 907;
constexpr CUresult cuda_error_capture_wrong_thread = 908;

constexpr CUstreamCaptureMode capture_mode_global = 0;
constexpr CUstreamCaptureMode capture_mode_thread_local = 1;
constexpr CUstreamCaptureStatus capture_status_active = 1;
constexpr CUstreamCaptureStatus capture_status_invalidated = 2;

constexpr unsigned host_alloc_write_combined = 4;
constexpr unsigned host_register_io_memory = 4;
constexpr unsigned host_register_read_only = 8;

constexpr int memory_type_host = 1;
constexpr int memory_type_device = 2;

constexpr int location_host = 2;

} // namespace fakes::cuda

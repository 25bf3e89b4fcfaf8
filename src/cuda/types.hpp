// SPDX-License-Identifier: Apache-2.0
// What of the CUDA driver's interface is used here, under the driver's own names. The driver is opened, never linked,
// so that the same build runs without one; tests/abi/cuda compares each declaration with the CUDA Toolkit's cuda.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearpool::cuda {

using CUresult = int;
using CUdevice = int;
using CUdevice_attribute = int;    // NOLINT(readability-identifier-naming)
using CUdevice_P2PAttribute = int; // NOLINT(readability-identifier-naming)
using CUstreamCaptureStatus = int; // NOLINT(readability-identifier-naming)
using CUstreamCaptureMode = int;   // NOLINT(readability-identifier-naming)
using CUdriverProcAddressQueryResult = int;
using CUcontext = struct CUctx_st *;   // NOLINT(readability-identifier-naming)
using CUstream = struct CUstream_st *; // NOLINT(readability-identifier-naming)
using CUevent = struct CUevent_st *;   // NOLINT(readability-identifier-naming)
using CUdeviceptr = unsigned long long;
using CUmemGenericAllocationHandle = unsigned long long;
struct CUuuid {
    char bytes[16];
};
struct CUmemLocation {
    int type;
    int id;
};
struct CUmemAllocationProp {
    int type;
    int requested_handle_types;
    CUmemLocation location;
    void *win32_handle_meta_data;
    unsigned char flags[8]; // a structure of the Toolkit's, none of whose wishes is asked for here
};
struct CUmemAccessDesc {
    CUmemLocation location;
    int flags;
};
using CUstreamCallback = void (*)(CUstream stream, CUresult status, void *user_data);

constexpr CUresult cuda_success = 0;
constexpr CUresult cuda_error_invalid_value = 1;
constexpr CUresult cuda_error_out_of_memory = 2;
constexpr CUresult cuda_error_not_initialized = 3;
constexpr CUresult cuda_error_deinitialized = 4;
constexpr CUresult cuda_error_stub_library = 34;
constexpr CUresult cuda_error_no_device = 100;
constexpr CUresult cuda_error_invalid_context = 201;
constexpr CUresult cuda_error_ecc_uncorrectable = 214;
constexpr CUresult cuda_error_nvlink_uncorrectable = 220;
constexpr CUresult cuda_error_operating_system = 304;
constexpr CUresult cuda_error_invalid_handle = 400;
constexpr CUresult cuda_error_not_ready = 600;
constexpr CUresult cuda_error_illegal_address = 700;
constexpr CUresult cuda_error_launch_timeout = 702;
constexpr CUresult cuda_error_context_is_destroyed = 709;
constexpr CUresult cuda_error_assert = 710;
constexpr CUresult cuda_error_hardware_stack_error = 714;
constexpr CUresult cuda_error_launch_failed = 719;
constexpr CUresult cuda_error_host_memory_already_registered = 712;
constexpr CUresult cuda_error_host_memory_not_registered = 713;
constexpr CUresult cuda_error_not_permitted = 800;
constexpr CUresult cuda_error_not_supported = 801;
constexpr CUresult cuda_error_system_not_ready = 802;
constexpr CUresult cuda_error_system_driver_mismatch = 803;
constexpr CUresult cuda_error_stream_capture_unsupported = 900; // the first and the last of what captures forbid
constexpr CUresult cuda_error_stream_capture_wrong_thread = 908;

constexpr CUdevice_attribute attribute_compute_mode = 20;
constexpr CUdevice_attribute attribute_compute_capability_major = 75;
constexpr CUdevice_attribute attribute_compute_capability_minor = 76;
constexpr CUdevice_attribute attribute_can_use_host_pointer_for_registered_mem = 91;
constexpr CUdevice_attribute attribute_host_register_supported = 99;
constexpr CUdevice_attribute attribute_pageable_memory_access_uses_host_page_tables = 100;
constexpr CUdevice_attribute attribute_numa_config = 130;  // since CUDA 12.2
constexpr CUdevice_attribute attribute_numa_id = 131;      // since CUDA 12.2: the node of the GPU's own memory
constexpr CUdevice_attribute attribute_host_numa_id = 134; // since CUDA 12.2; -1: the machine has no NUMA

constexpr int compute_mode_prohibited = 2;
constexpr int numa_config_node = 1; // the GPU's memory is a node of the machine

constexpr CUdevice_P2PAttribute peer_performance_rank = 1;
constexpr CUdevice_P2PAttribute peer_access_supported = 2;
constexpr CUdevice_P2PAttribute peer_native_atomic_supported = 3;
constexpr CUdevice_P2PAttribute peer_array_access_supported = 4;

constexpr unsigned stream_non_blocking = 1;
constexpr unsigned event_disable_timing = 2;
constexpr CUstreamCaptureMode capture_mode_relaxed = 2;
constexpr CUstreamCaptureStatus capture_status_none = 0;

constexpr unsigned host_alloc_portable = 1;
constexpr unsigned host_alloc_device_map = 2;
constexpr unsigned host_register_portable = 1;
constexpr unsigned host_register_device_map = 2;

constexpr int location_device = 1;
constexpr int location_host_numa = 3; // since CUDA 12.2
constexpr int allocation_pinned = 1;
constexpr int access_read_write = 3;
constexpr int granularity_minimum = 0;

// The handles that stand for default streams: they name no stream of their own.
constexpr std::uintptr_t stream_legacy = 1;
constexpr std::uintptr_t stream_per_thread = 2;

} // namespace nearpool::cuda

// SPDX-License-Identifier: Apache-2.0
//! The part of nearpool's C interface that this example uses, as the headers have it.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_void};

pub type near_status = i32;
pub const NEAR_OK: near_status = 0;
pub const NEAR_E_TASK: near_status = -9;
pub const NEAR_FOREVER: u64 = u64::MAX;
pub const NEAR_SECOND: u64 = 1_000_000_000;
pub const NEAR_NODE_UNKNOWN: u32 = u32::MAX;
pub const NEAR_CAPABILITY_STRICT: i32 = 0;

/// A struct that starts with its own size, which nearpool looks at; zero is the default of every other field.
///
/// # Safety
/// The type is `repr(C)`, its first field is `struct_size: u32`, and all zero is a value of it.
pub unsafe trait Sized32: Sized {
    fn sized() -> Self {
        unsafe {
            let mut value: Self = std::mem::zeroed();
            *(&mut value as *mut Self).cast::<u32>() = std::mem::size_of::<Self>() as u32;
            value
        }
    }
}

macro_rules! sized_struct {
    ($(#[$note:meta])* $name:ident { $($field:ident: $kind:ty,)* }) => {
        $(#[$note])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        #[allow(dead_code)] // the layout is the header's, whether or not every field is read here
        pub struct $name { pub struct_size: u32, $(pub $field: $kind,)* }
        unsafe impl Sized32 for $name {}
    };
}

macro_rules! handle {
    ($($name:ident)*) => { $(#[repr(C)] pub struct $name { _private: [u8; 0] })* };
}

handle! { near_topology near_capabilities near_region numa_pool }

sized_struct! { near_error {
    status: near_status, native_domain: i32, native_code: i32, message: [c_char; 496],
} }
sized_struct! { near_capability {
    available: u32, reason_code: i32, reserved: u32, value: u64, text: [c_char; 232],
} }
sized_struct! { near_placement {
    level: i32, reason_code: i32, policy: i32, pages: i32, pages_reason: i32, page_bytes: usize, page_count: usize,
    looked_at_pages: usize, present_pages: usize, near_pages: usize, huge_bytes: usize, reason: [c_char; 232],
} }
sized_struct! { numa_pool_options {
    steal_policy: i32, topology: *const near_topology, nodes: *const u32, node_count: usize, workers_per_node: u32,
    strict: u32, queue_capacity: u64, spin_ns: u64, steal_delay_ns: u64, thread_start: Option<numa_pool_thread_fn>,
    thread_stop: Option<numa_pool_thread_fn>, user_data: *mut c_void,
} }
sized_struct! { numa_pool_info {
    steal_policy: i32, node_count: u32, worker_count: u32, strict: u32, level: i32, reason_code: i32,
    reason: [c_char; 228],
} }
sized_struct! { numa_pool_node_info {
    node: u32, serving_node: u32, worker_count: u32, package: u32, level: i32, reason_code: i32, reason: [c_char; 228],
} }
sized_struct! { numa_pool_counts {
    reserved: u32, accepted: u64, run_local: u64, run_remote: u64, failed: u64, discarded: u64, queued: u64, taken: u64,
    wakeups: u64, busy_ns: u64,
} }

pub type numa_pool_thread_fn = unsafe extern "C" fn(node: u32, worker: u32, user_data: *mut c_void);
pub type numa_pool_task_fn = unsafe extern "C" fn(user_data: *mut c_void) -> near_status;

extern "C" {
    pub fn near_status_text(status: near_status) -> *const c_char;
    pub fn near_level_name(level: i32) -> *const c_char;
    pub fn near_task_fail(text: *const c_char) -> near_status;
    pub fn near_topology_node_count(topology: *const near_topology) -> usize;
    pub fn near_capabilities_create(
        topology: *const near_topology,
        capabilities: *mut *mut near_capabilities,
        error: *mut near_error,
    ) -> near_status;
    pub fn near_capabilities_get(
        capabilities: *const near_capabilities,
        which: i32,
        capability: *mut near_capability,
    ) -> near_status;
    pub fn near_capabilities_destroy(capabilities: *mut near_capabilities);
    pub fn near_region_data(region: *const near_region) -> *mut c_void;
    pub fn near_region_placement(
        region: *mut near_region,
        placement: *mut near_placement,
        error: *mut near_error,
    ) -> near_status;
    pub fn near_region_destroy(region: *mut near_region);
    pub fn numa_pool_create(
        options: *const numa_pool_options,
        pool: *mut *mut numa_pool,
        error: *mut near_error,
    ) -> near_status;
    pub fn numa_pool_destroy(pool: *mut numa_pool);
    pub fn numa_pool_alloc(
        pool: *mut numa_pool,
        node: u32,
        bytes: usize,
        options: *const c_void,
        region: *mut *mut near_region,
        error: *mut near_error,
    ) -> near_status;
    pub fn numa_pool_nodes(pool: *const numa_pool, nodes: *mut u32, capacity: usize, needed: *mut usize)
        -> near_status;
    pub fn numa_pool_get_info(pool: *mut numa_pool, info: *mut numa_pool_info) -> near_status;
    pub fn numa_pool_get_node_info(pool: *mut numa_pool, node: u32, info: *mut numa_pool_node_info) -> near_status;
    pub fn numa_pool_get_counts(pool: *mut numa_pool, node: u32, counts: *mut numa_pool_counts) -> near_status;
    pub fn numa_pool_steal_policy_name(steal_policy: i32) -> *const c_char;
    pub fn numa_pool_submit(
        pool: *mut numa_pool,
        node: u32,
        run: numa_pool_task_fn,
        user_data: *mut c_void,
    ) -> near_status;
    pub fn numa_pool_wait_idle(pool: *mut numa_pool, timeout_ns: u64, error: *mut near_error) -> near_status;
    pub fn numa_pool_shutdown(
        pool: *mut numa_pool,
        timeout_ns: u64,
        left: *mut u64,
        error: *mut near_error,
    ) -> near_status;
    pub fn numa_pool_current(pool: *mut *mut numa_pool, node: *mut u32, worker: *mut u32) -> near_status;
}

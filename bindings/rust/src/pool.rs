// SPDX-License-Identifier: Apache-2.0
//! Owners of nearpool's handles, errors as values, closures as tasks: just enough for the example.

use crate::ffi::{self, near_error, near_status, Sized32, NEAR_OK};
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

pub type Result<T> = std::result::Result<T, String>;

/// The text of a C string that the library owns or wrote.
pub fn text(from: *const c_char) -> String {
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

pub fn check(status: near_status) -> Result<()> {
    match status {
        NEAR_OK => Ok(()),
        _ => Err(text(unsafe { ffi::near_status_text(status) })),
    }
}

/// Calls a function that makes a handle and explains a failure.
fn made<T>(make: impl FnOnce(*mut *mut T, *mut near_error) -> near_status) -> Result<*mut T> {
    let mut handle = ptr::null_mut();
    let mut error = near_error::sized();
    match make(&mut handle, &mut error) {
        NEAR_OK => Ok(handle),
        _ => Err(text(error.message.as_ptr())),
    }
}

/// Fills a struct that starts with its size.
pub fn filled<T: Sized32>(fill: impl FnOnce(*mut T) -> near_status) -> Result<T> {
    let mut value = T::sized();
    check(fill(&mut value)).map(|()| value)
}

/// Whether strict mode is available, and a sentence about it.
pub fn strict_mode() -> Result<(bool, String)> {
    let capabilities = made(|handle, error| unsafe { ffi::near_capabilities_create(ptr::null(), handle, error) })?;
    let strict =
        filled(|answer| unsafe { ffi::near_capabilities_get(capabilities, ffi::NEAR_CAPABILITY_STRICT, answer) });
    unsafe { ffi::near_capabilities_destroy(capabilities) };
    strict.map(|answer| (answer.available == 1, text(answer.text.as_ptr())))
}

/// The node of the worker that runs the calling task.
pub fn current_node() -> Result<u32> {
    let mut node = ffi::NEAR_NODE_UNKNOWN;
    check(unsafe { ffi::numa_pool_current(ptr::null_mut(), &mut node, ptr::null_mut()) })?;
    Ok(node)
}

/// Numbers in memory of one node.
pub struct Buffer {
    region: *mut ffi::near_region,
    words: usize,
}

unsafe impl Send for Buffer {}
unsafe impl Sync for Buffer {}

impl Buffer {
    pub fn words(&self) -> &[u64] {
        unsafe { std::slice::from_raw_parts(ffi::near_region_data(self.region).cast(), self.words) }
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        unsafe { std::slice::from_raw_parts_mut(ffi::near_region_data(self.region).cast(), self.words) }
    }

    pub fn placement(&self) -> Result<ffi::near_placement> {
        filled(|placement| unsafe { ffi::near_region_placement(self.region, placement, ptr::null_mut()) })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        unsafe { ffi::near_region_destroy(self.region) }
    }
}

type Job = Box<dyn FnOnce() -> Result<()> + Send>;

/// Runs a boxed closure. A panic ends the task, never the worker: it must not unwind into C.
unsafe extern "C" fn run_job(job: *mut c_void) -> near_status {
    let job = Box::from_raw(job.cast::<Job>());
    let outcome = catch_unwind(AssertUnwindSafe(*job)).unwrap_or_else(|_| Err("the task panicked".into()));
    match outcome {
        Ok(()) => NEAR_OK,
        Err(why) => match CString::new(why) {
            Ok(why) => ffi::near_task_fail(why.as_ptr()),
            Err(_) => ffi::NEAR_E_TASK,
        },
    }
}

/// A pool; dropping it runs what was accepted.
pub struct Pool(*mut ffi::numa_pool);

impl Pool {
    pub fn new(workers_per_node: u32) -> Result<Pool> {
        let mut options = ffi::numa_pool_options::sized();
        options.workers_per_node = workers_per_node;
        made(|handle, error| unsafe { ffi::numa_pool_create(&options, handle, error) }).map(Pool)
    }

    pub fn nodes(&self) -> Result<Vec<u32>> {
        let mut needed = 0;
        check(unsafe { ffi::numa_pool_nodes(self.0, ptr::null_mut(), 0, &mut needed) })?;
        let mut nodes = vec![0; needed];
        check(unsafe { ffi::numa_pool_nodes(self.0, nodes.as_mut_ptr(), nodes.len(), &mut needed) })?;
        Ok(nodes)
    }

    pub fn info(&self) -> Result<ffi::numa_pool_info> {
        filled(|info| unsafe { ffi::numa_pool_get_info(self.0, info) })
    }

    pub fn node_info(&self, node: u32) -> Result<ffi::numa_pool_node_info> {
        filled(|info| unsafe { ffi::numa_pool_get_node_info(self.0, node, info) })
    }

    pub fn counts(&self) -> Result<ffi::numa_pool_counts> {
        filled(|counts| unsafe { ffi::numa_pool_get_counts(self.0, ffi::NEAR_NODE_UNKNOWN, counts) })
    }

    pub fn buffer(&self, node: u32, words: usize) -> Result<Buffer> {
        let bytes = words * std::mem::size_of::<u64>();
        made(|handle, error| unsafe { ffi::numa_pool_alloc(self.0, node, bytes, ptr::null(), handle, error) })
            .map(|region| Buffer { region, words })
    }

    pub fn submit(&self, node: u32, job: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let job: Box<Job> = Box::new(Box::new(job));
        let raw = Box::into_raw(job);
        let status = unsafe { ffi::numa_pool_submit(self.0, node, run_job, raw.cast()) };
        if status != NEAR_OK {
            drop(unsafe { Box::from_raw(raw) }); // nothing was queued: the closure is still ours
        }
        check(status)
    }

    pub fn wait_idle(&self) -> Result<()> {
        check(unsafe { ffi::numa_pool_wait_idle(self.0, ffi::NEAR_FOREVER, ptr::null_mut()) })
    }

    pub fn shutdown(&self, timeout_ns: u64) -> Result<()> {
        check(unsafe { ffi::numa_pool_shutdown(self.0, timeout_ns, ptr::null_mut(), ptr::null_mut()) })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        unsafe { ffi::numa_pool_destroy(self.0) }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The worker-pool example in Rust: closures as tasks, each adding up a buffer of its node.

mod ffi;
mod pool;

use pool::{text, Buffer, Pool, Result};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TASKS: u64 = 100;
const WORDS: u64 = 1 << 17;

/// What the program has on one node.
struct Home {
    node: u32,
    serving_node: u32,
    buffer: Buffer,
    ran: AtomicU64,
    ran_local: AtomicU64,
}

fn settle(pool: &Pool, node: u32) -> Result<Arc<Home>> {
    let info = pool.node_info(node)?;
    let mut buffer = pool.buffer(node, WORDS as usize)?;
    for (word, value) in buffer.words_mut().iter_mut().zip(1..) {
        *word = value;
    }
    let placement = buffer.placement()?;
    println!(
        "node {node}: {} workers, {} of {} pages near, {} {}",
        info.worker_count,
        placement.near_pages,
        placement.page_count,
        text(unsafe { ffi::near_level_name(placement.level) }),
        text(placement.reason.as_ptr())
    );
    let counter = || AtomicU64::new(0);
    Ok(Arc::new(Home { node, serving_node: info.serving_node, buffer, ran: counter(), ran_local: counter() }))
}

fn add_up(home: &Home) -> Result<()> {
    if home.buffer.words().iter().sum::<u64>() != WORDS * (WORDS + 1) / 2 {
        return Err("the buffer does not add up".into());
    }
    home.ran.fetch_add(1, Relaxed);
    if pool::current_node()? == home.serving_node {
        home.ran_local.fetch_add(1, Relaxed);
    }
    Ok(())
}

fn run_tasks(pool: &Pool, homes: &[Arc<Home>]) -> Result<Duration> {
    let start = Instant::now();
    for home in homes.iter().cycle().take(TASKS as usize) {
        let task_home = Arc::clone(home);
        pool.submit(home.node, move || add_up(&task_home))?;
    }
    pool.wait_idle()?;
    Ok(start.elapsed())
}

fn report(pool: &Pool, homes: &[Arc<Home>], elapsed: Duration) -> Result<()> {
    let info = pool.info()?;
    let counts = pool.counts()?;
    let ran: u64 = homes.iter().map(|home| home.ran.load(Relaxed)).sum();
    let local: u64 = homes.iter().map(|home| home.ran_local.load(Relaxed)).sum();
    println!(
        "{} workers, steal {}; {ran} tasks completed in {:.3} ms, {:.0} per second; local share {:.1} %",
        info.worker_count,
        text(unsafe { ffi::numa_pool_steal_policy_name(info.steal_policy) }),
        elapsed.as_secs_f64() * 1e3,
        ran as f64 / elapsed.as_secs_f64(),
        100.0 * counts.run_local as f64 / ran as f64
    );
    if ran != TASKS || counts.run_local + counts.run_remote != ran || counts.run_local != local || counts.failed != 0 {
        return Err(format!("{ran} of {TASKS} tasks ran, {} failed", counts.failed));
    }
    Ok(())
}

fn run() -> Result<()> {
    let (strict, why) = pool::strict_mode()?;
    let nodes = unsafe { ffi::near_topology_node_count(std::ptr::null()) };
    println!("nodes {nodes}, strict mode {}: {why}", if strict { "yes" } else { "no" });

    let pool = Pool::new(2)?;
    let homes = pool.nodes()?.into_iter().map(|node| settle(&pool, node)).collect::<Result<Vec<_>>>()?;
    let elapsed = run_tasks(&pool, &homes)?;
    pool.shutdown(10 * ffi::NEAR_SECOND)?;
    report(&pool, &homes, elapsed)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

//! Closed loop: a fixed number of units goes on at a time, the next begins when one ends.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{runtime::Handle, task::JoinSet};

use super::courier::Courier;

/// Starts as many workers as streams, which send all units in workload order; dropping the set stops them.
pub(super) fn start(handle: &Handle, courier: &Courier, streams: u32, units: Range<u32>) -> JoinSet<()> {
    let next = Arc::new(AtomicU32::new(units.start));
    let mut workers = JoinSet::new();
    for _ in 0..streams.min(units.end.saturating_sub(units.start)) {
        workers.spawn_on(work(courier.clone(), Arc::clone(&next), units.end), handle);
    }
    workers
}

async fn work(courier: Courier, next: Arc<AtomicU32>, end: u32) {
    while !courier.is_over() {
        let unit = next.fetch_add(1, Ordering::Relaxed);
        if unit >= end || !courier.serve(unit, None).await {
            return;
        }
    }
}

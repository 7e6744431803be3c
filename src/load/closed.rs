//! Closed loop: a fixed number of units goes on at a time, the next begins when one ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{runtime::Handle, task::JoinSet};

use super::courier::Courier;

/// Starts as many workers as streams, which send all units in workload order; dropping the set stops them.
pub(super) fn start(handle: &Handle, courier: &Courier, streams: u32, units: Vec<u32>) -> JoinSet<()> {
    let workers_needed = (streams as usize).min(units.len());
    let (units, next): (Arc<[u32]>, _) = (units.into(), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..workers_needed {
        workers.spawn_on(work(courier.clone(), Arc::clone(&next), Arc::clone(&units)), handle);
    }
    workers
}

async fn work(courier: Courier, next: Arc<AtomicUsize>, units: Arc<[u32]>) {
    while !courier.is_over() {
        let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return;
        };
        if !courier.serve(*unit, None).await {
            return;
        }
    }
}

//! Open loop: units are sent on a schedule, whatever the answers do.

use tokio::{runtime::Handle, sync::mpsc::UnboundedReceiver, task::JoinSet};

use super::{
    LoadError,
    courier::Courier,
    pacer::{self, Due, Timetable},
    runner::pass_on_panic,
    threads::Threads,
};

/// As many units as the dispatcher takes at a time.
const BATCH: usize = 256;

/// Starts to send all units when they are due; dropping the set stops it.
///
/// # Errors
/// The system gives no thread for the pacer.
pub(super) fn start(
    handle: &Handle,
    courier: Courier,
    timetable: Timetable,
    threads: &Threads,
) -> Result<JoinSet<()>, LoadError> {
    let (arrived, alarms) = pacer::start(courier.client.clock, timetable, threads.clone())?;
    let courier = Courier {
        alarms: Some(alarms),
        ..courier
    };
    let mut set = JoinSet::new();
    set.spawn_on(dispatch(courier, arrived), handle);
    Ok(set)
}

async fn dispatch(courier: Courier, mut arrived: UnboundedReceiver<Due>) {
    let mut in_flight = JoinSet::new();
    let mut batch = Vec::with_capacity(BATCH);
    while arrived.recv_many(&mut batch, BATCH).await > 0 && !courier.is_over() {
        for (unit, due_ns) in batch.drain(..) {
            let courier = courier.clone();
            in_flight.spawn(async move {
                courier.serve(unit, Some(due_ns)).await;
            });
        }
        while let Some(joined) = in_flight.try_join_next() {
            pass_on_panic(joined);
        }
    }
    drop(arrived);
    while let Some(joined) = in_flight.join_next().await {
        pass_on_panic(joined);
    }
}

//! Open loop: requests are sent on a schedule, whatever the answers do.
//!
//! A thread of its own keeps the time, since the runtime's timers tick in milliseconds: it sleeps to just before each
//! arrival and yields through the rest.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use super::{
    LoadError,
    client::{Client, Reply},
    dialect::Stimulus,
};

/// Sleeping threads wake up about this late; the rest of the wait is spent awake.
const AWAKE: Duration = Duration::from_micros(150);

/// The pacer looks this often whether it is still wanted.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// When the requests of a run are due.
pub(super) struct Timetable {
    /// The zero of the schedule on the client's clock.
    pub(super) origin_ns: u64,
    /// Arrivals after the origin, rising, one for each request.
    pub(super) arrivals_ns: Vec<u64>,
}

/// Starts to send all requests when they are due; dropping the set stops it.
///
/// # Errors
/// The system gives no thread for the pacer.
pub(super) fn start(
    handle: &Handle,
    client: &Arc<Client>,
    stimulus: &Arc<Stimulus>,
    timetable: Timetable,
    replies: &UnboundedSender<Reply>,
) -> Result<JoinSet<()>, LoadError> {
    let (due, arrived) = unbounded_channel();
    let clock = client.clock;
    thread::Builder::new()
        .name("pacer".into())
        .spawn(move || {
            for (index, arrival_ns) in (0_u32..).zip(timetable.arrivals_ns) {
                let due_ns = timetable.origin_ns + arrival_ns;
                if !wait_until(clock.instant(due_ns), || due.is_closed()) || due.send((index, due_ns)).is_err() {
                    return;
                }
            }
        })
        .map_err(|source| LoadError::Setup {
            what: "the pacing thread",
            source: source.into(),
        })?;
    let (client, stimulus, replies) = (Arc::clone(client), Arc::clone(stimulus), replies.clone());
    let mut set = JoinSet::new();
    set.spawn_on(dispatch(client, stimulus, arrived, replies), handle);
    Ok(set)
}

/// Waits for an instant; `false` where nobody waits for it any more.
fn wait_until(due: Instant, is_unwanted: impl Fn() -> bool) -> bool {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        match left.checked_sub(AWAKE) {
            Some(asleep) => {
                if is_unwanted() {
                    return false;
                }
                thread::sleep(asleep.min(LOOK_AROUND));
            }
            None => thread::yield_now(),
        }
    }
}

async fn dispatch(
    client: Arc<Client>,
    stimulus: Arc<Stimulus>,
    mut arrived: UnboundedReceiver<(u32, u64)>,
    replies: UnboundedSender<Reply>,
) {
    let mut in_flight = JoinSet::new();
    while let Some((index, due_ns)) = arrived.recv().await {
        let (client, stimulus, replies) = (Arc::clone(&client), Arc::clone(&stimulus), replies.clone());
        in_flight.spawn(async move {
            if let Some(body) = stimulus.body(index) {
                let mut reply = client.request(index, body).await;
                reply.record.scheduled_ns = Some(due_ns);
                // Nobody listens to a run that was stopped.
                let _ = replies.send(reply);
            }
        });
        while let Some(joined) = in_flight.try_join_next() {
            super::runner::pass_on_panic(joined);
        }
    }
    while let Some(joined) = in_flight.join_next().await {
        super::runner::pass_on_panic(joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_never_ends_early_and_ends_when_unwanted() {
        let due = Instant::now() + Duration::from_millis(3);
        assert!(wait_until(due, || false));
        assert!(Instant::now() >= due);
        assert!(!wait_until(Instant::now() + Duration::from_secs(3600), || true));
        assert!(wait_until(Instant::now(), || true));
    }
}

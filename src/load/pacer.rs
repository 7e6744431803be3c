//! Keeps the time of an open loop, in a thread of its own, since the runtime's timers tick in milliseconds.
//!
//! The thread sleeps until the next moment and never spins: on a small machine it would take its time from the server.
//! Linux wakes a sleeping thread up to 60 µs late, a tenth of what the send lag may be; without its timer slack (see
//! `threads.rs`), some 50 µs less.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    iter::Peekable,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
    vec,
};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

use super::{LoadError, clock::Clock, threads::Threads};

/// The pacer looks this often whether it is still wanted.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// A unit and the time at which it is due.
pub(super) type Due = (u32, u64);

/// When the units of a part are due.
pub(super) struct Timetable {
    /// The zero of the schedule on the client's clock.
    pub(super) origin_ns: u64,
    /// The units.
    pub(super) units: Vec<u32>,
    /// Arrivals after the origin, rising, one for each unit.
    pub(super) arrivals_ns: Vec<u64>,
}

/// Lets tasks wait for moments that are known only during the run; while one is held, the pacer lives.
#[derive(Clone)]
pub(super) struct Alarms(Sender<Alarm>);

impl Alarms {
    /// Waits for a moment, not to the next millisecond.
    pub(super) async fn wait_until(&self, at: Instant) {
        let (ring, bell) = oneshot::channel();
        // A pacer that is gone belongs to a run that was stopped; its tasks are about to be dropped.
        if self.0.send(Alarm { at, ring }).is_ok() {
            let _ = bell.await;
        }
    }
}

/// Starts a pacer; units come out of its channel when they are due.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(
    clock: Clock,
    timetable: Timetable,
    threads: Threads,
) -> Result<(UnboundedReceiver<Due>, Alarms), LoadError> {
    let (due, arrived) = unbounded_channel();
    let (sender, set) = channel();
    let due_ns: Vec<u64> = timetable
        .arrivals_ns
        .iter()
        .map(|arrival_ns| timetable.origin_ns.saturating_add(*arrival_ns))
        .collect();
    let pacer = Pacer {
        clock,
        arrivals: timetable
            .units
            .into_iter()
            .zip(due_ns)
            .collect::<Vec<_>>()
            .into_iter()
            .peekable(),
        due: Some(due),
        alarms: BinaryHeap::new(),
        set,
    };
    let thread = thread::Builder::new().name("pacer".into());
    let work = move || {
        threads.enter();
        pacer.run();
        threads.leave();
    };
    thread.spawn(work).map_err(|source| LoadError::Setup {
        what: "the pacing thread",
        source: source.into(),
    })?;
    Ok((arrived, Alarms(sender)))
}

struct Pacer {
    clock: Clock,
    arrivals: Peekable<vec::IntoIter<Due>>,
    /// `None` once all have arrived.
    due: Option<UnboundedSender<Due>>,
    alarms: BinaryHeap<Reverse<Alarm>>,
    set: Receiver<Alarm>,
}

impl Pacer {
    fn run(mut self) {
        while self.ring() {
            let wait = match self.next() {
                Some(at) => at.saturating_duration_since(Instant::now()).min(LOOK_AROUND),
                None => LOOK_AROUND,
            };
            match self.set.recv_timeout(wait) {
                Ok(alarm) => self.alarms.push(Reverse(alarm)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Lets go of all that is due; `false` where nobody waits for the rest any more.
    fn ring(&mut self) -> bool {
        let now = Instant::now();
        while self.alarms.peek().is_some_and(|Reverse(alarm)| alarm.at <= now) {
            let Some(Reverse(alarm)) = self.alarms.pop() else { break };
            // Whoever set it may have been stopped.
            let _ = alarm.ring.send(());
        }
        let now_ns = self.clock.now_ns();
        while let Some(arrival) = self.arrivals.next_if(|(_, due_ns)| *due_ns <= now_ns) {
            if self.due.as_ref().is_some_and(|due| due.send(arrival).is_err()) {
                return false;
            }
        }
        if self.arrivals.peek().is_none() {
            self.due = None;
        }
        self.due.as_ref().is_none_or(|due| !due.is_closed())
    }

    fn next(&mut self) -> Option<Instant> {
        let arrival = self.arrivals.peek().map(|(_, due_ns)| self.clock.instant(*due_ns));
        let alarm = self.alarms.peek().map(|Reverse(alarm)| alarm.at);
        arrival.into_iter().chain(alarm).min()
    }
}

struct Alarm {
    at: Instant,
    ring: oneshot::Sender<()>,
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

#[cfg(test)]
mod tests {
    use super::*;

    fn timetable(clock: Clock, arrivals_ms: &[u64]) -> Timetable {
        Timetable {
            origin_ns: clock.now_ns(),
            units: (5..).take(arrivals_ms.len()).collect(),
            arrivals_ns: arrivals_ms.iter().map(|ms| ms * 1_000_000).collect(),
        }
    }

    #[test]
    fn units_come_in_order_and_never_early() {
        let clock = Clock::start();
        let (mut arrived, _alarms) = start(clock, timetable(clock, &[0, 1, 1, 4, 9]), Threads::default()).unwrap();
        let mut units = Vec::new();
        while let Some((unit, due_ns)) = arrived.blocking_recv() {
            assert!(clock.now_ns() >= due_ns);
            units.push(unit);
        }
        assert_eq!(units, [5, 6, 7, 8, 9]);
    }

    #[tokio::test]
    async fn alarms_ring_in_their_order_and_never_early() {
        let clock = Clock::start();
        let (_arrived, alarms) = start(clock, timetable(clock, &[]), Threads::default()).unwrap();
        let begun = Instant::now();
        let late = alarms.wait_until(begun + Duration::from_millis(8));
        let early = alarms.wait_until(begun + Duration::from_millis(2));
        let order = async {
            tokio::select! {
                () = late => "late",
                () = early => "early",
            }
        };
        assert_eq!(order.await, "early");
        assert!(begun.elapsed() >= Duration::from_millis(2));
        alarms.wait_until(begun).await;
    }

    #[test]
    fn a_pacer_that_nobody_listens_to_ends() {
        let clock = Clock::start();
        let (arrived, alarms) = start(clock, timetable(clock, &[3_600_000]), Threads::default()).unwrap();
        drop(arrived);
        let (ring, bell) = oneshot::channel();
        let at = Instant::now() + Duration::from_secs(3600);
        // Its channel closes when the thread ends; until then it takes the alarm.
        let _ = alarms.0.send(Alarm { at, ring });
        assert!(bell.blocking_recv().is_err());
    }
}

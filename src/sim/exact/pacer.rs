//! One thread that writes every token when it is due, and stamps when it did.
//!
//! A thread for each stream would cost a wake-up a token, and the client shares the machine.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::Write,
    net::TcpStream,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Shared, Truth,
    answer::{self, Ask},
    locked,
};

/// The longest sleep in one piece, so that a stop is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// An answer under way.
#[derive(Debug)]
pub(super) struct Playing {
    pub(super) answer: u32,
    pub(super) ask: Ask,
    pub(super) socket: Arc<TcpStream>,
    /// When the last byte of the request was read.
    pub(super) arrived: Instant,
    /// When the next token is due.
    pub(super) due: Instant,
    pub(super) next_index: u32,
    pub(super) sent: Option<Sent>,
    pub(super) late: Duration,
}

/// When its first and its latest token were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    first: Instant,
    last: Instant,
}

impl PartialEq for Playing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Playing {}

impl PartialOrd for Playing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Playing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.answer).cmp(&(other.due, other.answer))
    }
}

/// All answers under way, the one due first on top.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    queue: Mutex<BinaryHeap<Reverse<Playing>>>,
    changed: Condvar,
}

impl Pacer {
    pub(super) fn add(&self, playing: Playing) {
        let mut queue = locked(&self.queue);
        let is_next = queue.peek().is_none_or(|Reverse(first)| playing.due < first.due);
        queue.push(Reverse(playing));
        if is_next {
            self.changed.notify_one();
        }
    }

    pub(super) fn wake(&self) {
        let _queue = locked(&self.queue);
        self.changed.notify_one();
    }

    /// Waits until an answer is due, and takes it out; `None` from time to time, to look around.
    fn next_due(&self) -> Option<Playing> {
        let mut queue = locked(&self.queue);
        let now = Instant::now();
        let sleep = match queue.peek() {
            Some(Reverse(first)) if first.due <= now => return queue.pop().map(|Reverse(playing)| playing),
            Some(Reverse(first)) => (first.due - now).min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        };
        drop(
            self.changed
                .wait_timeout(queue, sleep)
                .unwrap_or_else(PoisonError::into_inner),
        );
        None
    }
}

/// Writes tokens until the server stops.
pub(super) fn play(shared: &Shared) {
    while !shared.is_stopped() {
        let Some(mut playing) = shared.pacer.next_due() else {
            continue;
        };
        if !write_next(&mut playing) {
            // The client is gone or has stopped reading; the answer ends here.
            continue;
        }
        let last_index = playing.next_index;
        playing.next_index += 1;
        let is_whole = !playing.ask.is_stream || last_index + 1 >= playing.ask.tokens;
        if is_whole {
            locked(&shared.truths).push(truth(&playing));
        } else {
            playing.due += shared.timing.tpot;
            shared.pacer.add(playing);
        }
    }
}

/// Writes the next token; `false` where nobody takes it. The stamp is of before the write, which delivers on a loopback.
fn write_next(playing: &mut Playing) -> bool {
    let bytes = if playing.ask.is_stream {
        answer::token(playing.ask, playing.answer, playing.next_index)
    } else {
        answer::whole(playing.ask, playing.answer)
    };
    let now = Instant::now();
    let first = playing.sent.map_or(now, |sent| sent.first);
    playing.sent = Some(Sent { first, last: now });
    playing.late = playing.late.max(now.saturating_duration_since(playing.due));
    (&*playing.socket).write_all(&bytes).is_ok()
}

fn truth(playing: &Playing) -> Truth {
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let (first, last) = playing
        .sent
        .map_or((playing.arrived, playing.arrived), |sent| (sent.first, sent.last));
    Truth {
        answer: playing.answer,
        ttft_ns: ns(first.saturating_duration_since(playing.arrived)),
        span_ns: ns(last.saturating_duration_since(first)),
        late_ns: ns(playing.late),
    }
}

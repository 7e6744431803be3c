//! A thread that reads many connections, and polls the work on each when there is news of it.
//!
//! Why our own, and not the runtime's: a token costs a runtime a timer, a waker and its queues beside the read itself,
//! more than half of what it costs the system (`docs/performance.md`).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{EpollEvent, EpollFlags, EpollTimeout},
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
};

use super::{
    clock::Clock,
    rest::Rest,
    seat::{Arrival, BELL, Door, Work},
    threads::Threads,
    turn,
};

/// As many news as one look may bring.
const EVENTS: usize = 1024;

/// The name of the timer among the news.
const TIMER: u64 = BELL - 1;

/// Starts an event loop; it ends when its door is closed.
///
/// # Errors
/// The system gives no epoll, no timer or no thread.
pub(super) fn start(clock: Clock, threads: Threads) -> io::Result<Arc<Door>> {
    let door = Arc::new(Door::new(clock)?);
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
    // Nobody reads the timer: at an edge, each expiry is news.
    door.epoll.add(
        &timer,
        EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER),
    )?;
    let event_loop = EventLoop {
        clock,
        door: Arc::clone(&door),
        timer,
        slots: Vec::new(),
        late: BinaryHeap::new(),
        again: Vec::new(),
        turns: turn::OUTSIDE,
        busy: 0,
        rest: Rest::default(),
    };
    let work = move || {
        threads.enter();
        event_loop.run();
        threads.leave();
    };
    thread::Builder::new().name("reader".into()).spawn(work)?;
    Ok(door)
}

struct EventLoop {
    clock: Clock,
    door: Arc<Door>,
    timer: TimerFd,
    /// By file number.
    slots: Vec<Slot>,
    /// When which place is to be looked at without news; at most one entry of a place counts.
    late: BinaryHeap<Reverse<(u64, usize)>>,
    /// Places with more to read.
    again: Vec<usize>,
    turns: u64,
    /// Places with work.
    busy: u64,
    rest: Rest,
}

/// What a loop knows of one connection.
struct Slot {
    work: Option<Work>,
    ticket: u64,
    /// Its peer sends no more than what is here.
    is_closing: bool,
    /// When the work is to be polled at the latest.
    wake_ns: u64,
    /// Its entry among the late ones that counts: never later than that.
    armed_ns: u64,
}

impl Slot {
    const EMPTY: Self = Self {
        work: None,
        ticket: 0,
        is_closing: false,
        wake_ns: u64::MAX,
        armed_ns: u64::MAX,
    };
}

impl EventLoop {
    fn run(mut self) {
        let mut news = vec![EpollEvent::empty(); EVENTS];
        loop {
            let timeout = if self.again.is_empty() {
                self.rest.span().into_iter().for_each(thread::sleep);
                EpollTimeout::NONE
            } else {
                EpollTimeout::ZERO
            };
            let count = match self.door.epoll.wait(&mut news, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(_) => return,
            };
            let now_ns = self.clock.now_ns();
            for place in std::mem::take(&mut self.again) {
                self.poll(place, now_ns);
            }
            for event in news.iter().take(count) {
                match event.data() {
                    BELL if !self.take_in() => return,
                    TIMER if !self.look_at_late(now_ns) => return,
                    BELL | TIMER => {}
                    place => self.tell(place, event.events(), now_ns),
                }
            }
            self.rest.looked(now_ns, self.busy);
        }
    }

    /// There is news of a connection.
    fn tell(&mut self, place: u64, flags: EpollFlags, now_ns: u64) {
        let Ok(place) = usize::try_from(place) else { return };
        if self.slots.get(place).is_none_or(|slot| slot.work.is_none()) {
            // It may have come just now; an idle connection has none, and whoever uses it next looks for himself.
            self.take_in();
        }
        if let Some(slot) = self.slots.get_mut(place) {
            slot.is_closing |= flags.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
            self.poll(place, now_ns);
        }
    }

    fn poll(&mut self, place: usize, now_ns: u64) {
        self.turns += 1;
        let Some(slot) = self.slots.get_mut(place) else { return };
        let Some(work) = &mut slot.work else { return };
        let poll = || work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let (polled, wish) = turn::take(self.turns, now_ns, slot.is_closing, poll);
        self.rest.read(wish.hasty, polled.is_ready());
        match polled {
            Poll::Ready(()) => {
                slot.work = None;
                self.busy -= 1;
            }
            Poll::Pending => {
                slot.wake_ns = wish.wake_ns;
                if wish.again {
                    self.again.push(place);
                }
                self.arm(place);
            }
        }
    }

    /// Takes work in, and lets go of what nobody waits for; `false` once the loop is to end.
    fn take_in(&mut self) -> bool {
        let door = Arc::clone(&self.door);
        let mut inbox = door.inbox();
        let (arrived, left) = (std::mem::take(&mut inbox.arrived), std::mem::take(&mut inbox.left));
        let is_open = !inbox.is_closed;
        drop(inbox);
        for arrival in arrived {
            self.seat(arrival);
        }
        for (place, ticket) in left {
            if let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.ticket == ticket)
                && slot.work.take().is_some()
            {
                self.busy -= 1;
            }
        }
        is_open
    }

    fn seat(&mut self, arrival: Arrival) {
        let place = arrival.place;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || Slot::EMPTY);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            self.busy += u64::from(slot.work.is_none());
            *slot = Slot {
                work: Some(arrival.work),
                ticket: arrival.ticket,
                wake_ns: arrival.wake_ns,
                is_closing: false,
                armed_ns: slot.armed_ns,
            };
            self.arm(place);
        }
    }

    /// Sees to it that a place is looked at when its work wishes.
    fn arm(&mut self, place: usize) {
        if let Some(slot) = self.slots.get_mut(place)
            && slot.wake_ns < slot.armed_ns
        {
            slot.armed_ns = slot.wake_ns;
            self.late.push(Reverse((slot.wake_ns, place)));
            self.set_timer();
        }
    }

    /// Polls the work whose time has come; that of most has been put off meanwhile. `false` once the loop is to end.
    fn look_at_late(&mut self, now_ns: u64) -> bool {
        // Work that came with a later limit did not ring, as the loop would wake before: it has to be taken in now, and what
        // comes from here on rings.
        self.door.inbox().wakes_ns = u64::MAX;
        let is_open = self.take_in();
        while let Some(&Reverse((at_ns, place))) = self.late.peek().filter(|Reverse((at_ns, _))| *at_ns <= now_ns) {
            self.late.pop();
            let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.armed_ns == at_ns) else {
                continue;
            };
            slot.armed_ns = u64::MAX;
            if slot.work.is_some() && slot.wake_ns <= now_ns {
                self.poll(place, now_ns);
            } else if slot.work.is_some() {
                self.arm(place);
            }
        }
        self.set_timer();
        is_open
    }

    /// Sets the timer to the first of the late ones, where it is not set to that or an earlier time.
    fn set_timer(&self) {
        let Some(Reverse((at_ns, _))) = self.late.peek() else {
            return;
        };
        let mut inbox = self.door.inbox();
        if *at_ns < inbox.wakes_ns {
            // A timer that is set to no time at all never rings.
            let left = Duration::from_nanos(at_ns.saturating_sub(self.clock.now_ns()).max(1));
            let expiry = Expiration::OneShot(TimeSpec::from_duration(left));
            // It fails only for times that are none.
            let _ = self.timer.set(expiry, TimerSetTimeFlags::empty());
            inbox.wakes_ns = *at_ns;
        }
    }
}

impl Drop for EventLoop {
    /// Also after a panic in the work: nobody may wait for ever.
    fn drop(&mut self) {
        let mut inbox = self.door.inbox();
        inbox.is_closed = true;
        let arrived = std::mem::take(&mut inbox.arrived);
        drop(inbox);
        // Not under the lock: what it holds may close this door.
        drop(arrived);
    }
}

#[cfg(test)]
mod tests;

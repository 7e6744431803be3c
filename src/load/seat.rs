//! A connection's place at an event loop, and how work on it gets there.
//!
//! The task that has work for a connection gives it its first turn itself, so that a request leaves at once; then the
//! loop has it until it is done.

use std::{
    fmt,
    future::Future,
    io,
    net::TcpStream,
    os::fd::{AsFd, AsRawFd},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
    eventfd::{EfdFlags, EventFd},
};
use tokio::sync::oneshot;

use super::{clock::Clock, turn};

/// What is done with a connection until it is done.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One connection's place at an event loop.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    door: Arc<Door>,
    tcp: Arc<TcpStream>,
}

/// What a loop and all who have work for it share.
pub(super) struct Door {
    clock: Clock,
    pub(super) epoll: Epoll,
    bell: EventFd,
    inbox: Mutex<Inbox>,
}

/// What waits for a loop.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) arrived: Vec<Arrival>,
    /// Places and tickets of work that nobody waits for any more.
    pub(super) left: Vec<(usize, u64)>,
    /// When the loop wakes by itself at the latest; it need not be told of work that can wait until then.
    pub(super) wakes_ns: u64,
    /// The loop ends, or has ended.
    pub(super) is_closed: bool,
    tickets: u64,
}

/// Work, and when it is to be polled at the latest.
pub(super) struct Arrival {
    pub(super) place: usize,
    pub(super) ticket: u64,
    pub(super) wake_ns: u64,
    pub(super) work: Work,
}

/// The name of the bell among the loop's news; others are file numbers.
pub(super) const BELL: u64 = u64::MAX;

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// The door of a loop that does not run yet.
    ///
    /// # Errors
    /// The system gives no epoll or no bell.
    pub(super) fn new(clock: Clock) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        // Nobody reads the bell: at an edge, each stroke is news.
        epoll.add(&bell, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, BELL))?;
        Ok(Self {
            clock,
            epoll,
            bell,
            inbox: Mutex::new(Inbox {
                wakes_ns: u64::MAX,
                ..Inbox::default()
            }),
        })
    }

    /// What waits for the loop.
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the loop look into its inbox.
    pub(super) fn ring(&self) {
        // It fails only where the loop has not heard 2^64 strokes before.
        let _ = self.bell.write(1);
    }

    /// Ends the loop; what it still holds is dropped.
    pub(super) fn close(&self) {
        self.inbox().is_closed = true;
        self.ring();
    }

    /// Gives a connection a place; it must be one that does not block.
    ///
    /// # Errors
    /// The system watches no more connections.
    pub(super) fn seat(self: &Arc<Self>, tcp: TcpStream) -> io::Result<Seat> {
        self.epoll.add(&tcp, news_of(&tcp, false))?;
        Ok(Seat {
            door: Arc::clone(self),
            tcp: Arc::new(tcp),
        })
    }
}

impl Seat {
    /// The connection.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Begins work at once, and hands it to the loop where it has to wait; dropping what is returned stops it.
    pub(super) fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        let (done, result) = oneshot::channel();
        let mut work: Work = Box::pin(async move {
            // Nobody waits for what was stopped.
            let _ = done.send(work.await);
        });
        let poll = || work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let (polled, wish) = turn::take(turn::OUTSIDE, self.door.clock.now_ns(), false, poll);
        let mut handed = polled.is_pending().then(|| self.hand_over(work, wish));
        async move {
            let result = result.await;
            // Dropped before this, it stops the work.
            handed.iter_mut().for_each(Handed::is_done);
            result.unwrap_or_else(|_| broken())
        }
    }

    fn hand_over(self, work: Work, wish: turn::Wish) -> Handed {
        let place = place_of(&self.tcp);
        let mut inbox = self.door.inbox();
        inbox.tickets += 1;
        let ticket = inbox.tickets;
        if !inbox.is_closed {
            let wake_ns = wish.wake_ns;
            let arrival = Arrival {
                place,
                ticket,
                wake_ns,
                work,
            };
            inbox.arrived.push(arrival);
        }
        let is_urgent = wish.wake_ns < inbox.wakes_ns;
        drop(inbox);
        // What came before the loop knew of the work is told once more.
        // It cannot fail for a connection that is watched already.
        let _ = self.door.epoll.modify(&self.tcp, &mut news_of(&self.tcp, wish.room));
        if is_urgent {
            self.door.ring();
        }
        Handed {
            door: Some(self.door),
            place,
            ticket,
        }
    }
}

/// Work that a loop has; it stops where this is dropped before the work is done.
struct Handed {
    door: Option<Arc<Door>>,
    place: usize,
    ticket: u64,
}

impl Handed {
    fn is_done(&mut self) {
        self.door = None;
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(door) = &self.door {
            door.inbox().left.push((self.place, self.ticket));
            door.ring();
        }
    }
}

/// What the loop is to be told of a connection: bytes and its end, and room where that is waited for.
fn news_of(tcp: &TcpStream, room: bool) -> EpollEvent {
    let mut flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    flags.set(EpollFlags::EPOLLOUT, room);
    EpollEvent::new(flags, place_of(tcp) as u64)
}

/// File numbers are small, and no two open connections share one.
fn place_of(tcp: &TcpStream) -> usize {
    usize::try_from(tcp.as_fd().as_raw_fd()).unwrap_or_default()
}

/// The loop has ended in the middle of work: a bug of ours, which its own thread has told.
fn broken() -> ! {
    std::panic::resume_unwind(Box::new("an event loop of the load generator has ended"))
}

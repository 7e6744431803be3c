//! The event loops that read the answers of HTTP/1 connections, one a thread; a system other than Linux has none.

use std::io;
#[cfg(target_os = "linux")]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{LoadError, clock::Clock, socket::Socket, threads::Threads};
#[cfg(target_os = "linux")]
use super::{event_loop, seat::Door, threads::readers};

/// All event loops of a load generator; they end with it.
#[derive(Debug)]
pub(super) struct Readers {
    #[cfg(target_os = "linux")]
    doors: Vec<Arc<Door>>,
    #[cfg(target_os = "linux")]
    seated: AtomicUsize,
}

#[cfg(target_os = "linux")]
impl Readers {
    /// Starts them.
    ///
    /// # Errors
    /// The system gives no threads, or nothing to watch connections with.
    pub(super) fn start(clock: Clock, threads: &Threads) -> Result<Self, LoadError> {
        let doors = (0..readers()).map(|_| event_loop::start(clock, threads.clone()));
        let doors = doors.collect::<io::Result<_>>().map_err(|source| LoadError::Setup {
            what: "the threads that read answers",
            source: source.into(),
        })?;
        Ok(Self {
            doors,
            seated: AtomicUsize::new(0),
        })
    }

    /// A connection that the runtime waits for, given to the loops in turn; where that fails, the runtime keeps it.
    pub(super) fn seat(&self, socket: &Socket) -> Option<Socket> {
        use std::os::fd::AsFd as _;
        let Socket::Runtime(tcp) = socket else { return None };
        let turn = self.seated.fetch_add(1, Ordering::Relaxed);
        let door = self.doors.get(turn.checked_rem(self.doors.len())?)?;
        let own = tcp.as_fd().try_clone_to_owned().ok()?;
        let seat = door.seat(own.into()).ok()?;
        Some(Socket::Loop { seat, empty_in: 0 })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Readers {
    fn drop(&mut self) {
        self.doors.iter().for_each(|door| door.close());
    }
}

#[cfg(not(target_os = "linux"))]
impl Readers {
    /// There are none.
    ///
    /// # Errors
    /// Never.
    pub(super) fn start(_clock: Clock, _threads: &Threads) -> Result<Self, LoadError> {
        Ok(Self {})
    }

    /// The runtime keeps every connection.
    pub(super) fn seat(&self, _socket: &Socket) -> Option<Socket> {
        None
    }
}

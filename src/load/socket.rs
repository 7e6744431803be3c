//! One TCP connection, waited for by the runtime or by an event loop of ours.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{io::AsyncWrite as _, net::TcpStream};

use super::kernel;
#[cfg(target_os = "linux")]
use super::{seat::Seat, turn};

/// Who waits for it.
#[derive(Debug)]
pub(super) enum Socket {
    /// The runtime.
    Runtime(TcpStream),
    /// An event loop.
    #[cfg(target_os = "linux")]
    Loop {
        /// Where it has its place.
        seat: Seat,
        /// The turn in which it was read empty.
        empty_in: u64,
    },
}

impl Socket {
    /// Waits for bytes; tells how many came, and when the kernel had the last of them by the wall clock, since 1970.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<u64>)>> {
        match self {
            Self::Runtime(tcp) => kernel::poll_read(tcp, cx, buffer),
            #[cfg(target_os = "linux")]
            Self::Loop { seat, empty_in } => read_in_turn(seat, empty_in, buffer),
        }
    }

    /// Sends what there is room for.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Runtime(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(target_os = "linux")]
            Self::Loop { seat, .. } => write_in_turn(seat, bytes),
        }
    }

    /// Says that nothing more will be sent.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Runtime(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(target_os = "linux")]
            Self::Loop { seat, .. } => Poll::Ready(seat.tcp().shutdown(std::net::Shutdown::Write)),
        }
    }

    /// Whether nothing has arrived, not even the end of the stream.
    pub(super) fn is_silent(&self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Runtime(tcp) => kernel::is_silent(tcp, cx),
            #[cfg(target_os = "linux")]
            Self::Loop { seat, .. } => kernel::is_empty(seat.tcp()),
        }
    }
}

/// One read a turn: the loop tells when there is more.
#[cfg(target_os = "linux")]
fn read_in_turn(seat: &Seat, empty_in: &mut u64, buffer: &mut [u8]) -> Poll<io::Result<(usize, Option<u64>)>> {
    let turn = turn::number();
    if turn != turn::OUTSIDE && turn == *empty_in {
        return Poll::Pending;
    }
    let read = retried(|| kernel::receive(seat.tcp(), buffer));
    if let Poll::Ready(Ok((count, _))) = &read
        && *count == buffer.len()
    {
        // The others first: a stream that never pauses would keep them waiting.
        *empty_in = turn;
        turn::again();
    } else if !turn::is_closing() {
        // A short read leaves the socket empty, and a new byte is news; the end that is already there would not be.
        *empty_in = turn;
    }
    read
}

#[cfg(target_os = "linux")]
fn write_in_turn(seat: &Seat, bytes: &[u8]) -> Poll<io::Result<usize>> {
    use std::io::Write as _;
    let written = retried(|| seat.tcp().write(bytes));
    if written.is_pending() {
        turn::wait_for_room();
    }
    written
}

/// A call that does not block, again where a signal came between.
#[cfg(target_os = "linux")]
fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            done => return Poll::Ready(done),
        }
    }
}

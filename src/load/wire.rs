//! One byte stream to the server, plain or TLS, whose reads are stamped on arrival.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

#[cfg(target_os = "linux")]
use super::turn;
use super::{
    kernel,
    readers::Readers,
    socket::Socket,
    stamp::{Reads, Stamper},
};

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    reads: Arc<Reads>,
    takes_turns: bool,
    /// It is the others' turn before the next read.
    others_turn: bool,
}

/// With or without TLS.
#[derive(Debug)]
pub(super) enum Stream {
    /// `http`.
    Plain(Wire),
    /// `https`; a read has the stamp of the encrypted bytes that completed it.
    Tls(Box<TlsStream<Wire>>),
}

/// One large buffer a thread: a stream keeps only what it has not finished, so that ten thousand of them fit.
const BUFFER_BYTES: usize = 256 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

impl Wire {
    /// Wraps a fresh connection.
    pub(super) fn new(tcp: TcpStream, stamper: Arc<Stamper>) -> Self {
        kernel::ask_for_stamps(&tcp);
        Self {
            socket: Socket::Runtime(tcp),
            reads: Arc::new(Reads::new(stamper)),
            takes_turns: false,
            others_turn: false,
        }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.others_turn) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (count, kernel_ns) = ready!(self.socket.poll_read(cx, buffer))?;
        // The stamp is taken here, at the read, so that nothing of TLS, HTTP, SSE or JSON comes before it.
        if count > 0 {
            let is_believed = self.reads.stamp(kernel_ns);
            #[cfg(target_os = "linux")]
            if !is_believed {
                turn::hasty();
            }
            self.others_turn = self.takes_turns;
        }
        Poll::Ready(Ok(count))
    }
}

impl Stream {
    /// Stamps of what arrived.
    pub(super) fn reads(&self) -> &Arc<Reads> {
        &self.wire().reads
    }

    /// From now on, other tasks run after each read before the next one may replace its stamp.
    pub(super) fn take_turns(&mut self) {
        self.wire_mut().takes_turns = true;
    }

    /// From now on an event loop waits for it, where this system has them.
    pub(super) fn leave_runtime(&mut self, readers: &Readers) {
        let wire = self.wire_mut();
        if let Some(socket) = readers.seat(&wire.socket) {
            wire.socket = socket;
        }
    }

    /// Who waits for it.
    pub(super) fn socket(&self) -> &Socket {
        &self.wire().socket
    }

    /// Whether the server has chosen HTTP/2 while TLS was set up.
    pub(super) fn has_chosen_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// Waits for the next bytes and hands them to `each` with their stamp; an empty slice is the stream's end.
    pub(super) fn poll_take<T>(
        &mut self,
        cx: &mut Context<'_>,
        each: impl FnOnce(&[u8], u64) -> T,
    ) -> Poll<io::Result<T>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut filled = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut filled))?;
            Poll::Ready(Ok(each(filled.filled(), self.reads().last_ns())))
        })
    }

    /// Writes as much as there is room for; moves `written` along.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        while let Some(left) = bytes.get(*written..).filter(|left| !left.is_empty()) {
            let count = ready!(Pin::new(&mut *self).poll_write(cx, left))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += count;
        }
        Pin::new(self).poll_flush(cx)
    }

    /// Whether the server holds an idle connection open and has said nothing on it.
    ///
    /// The system is asked, since its news may not have come round to us yet.
    pub(super) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        if self.wire().socket.is_silent(cx) {
            return true;
        }
        // Under TLS the news may be none of ours, as a session ticket.
        matches!(self, Self::Tls(_)) && self.poll_take(cx, |_, _| ()).is_pending()
    }

    fn wire_mut(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(tls) => tls.get_mut().0,
        }
    }

    fn wire(&self) -> &Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.poll_bytes(cx, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(cx, bytes)
    }

    /// What was written has been sent: there is no buffer of ours.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(wire) => Pin::new(wire).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

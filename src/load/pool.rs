//! HTTP/1.1 connections that are ready, and those kept open between requests.
//!
//! Why our own, and not a client library's: a request's clock starts when it is handed to a connection that is ready; a
//! reused connection that turns out dead is replaced once and counted; bytes have the kernel's stamps. Libraries hide
//! these moments, and cost more than half of what a token costs here.

use std::{
    future::poll_fn,
    io,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use super::{
    deadline::Deadline,
    framing::{BadChunk, Framing},
    http1::{Head, read_head},
    socket::Socket,
    stamp::Reads,
    wire::Stream,
};

/// One open connection.
pub(super) struct Connection {
    stream: Stream,
    /// What has been read but not understood: of a head at first, then the beginning of the body.
    unread: Vec<u8>,
    incoming: Incoming,
    fresh: bool,
    /// How long it took to open, until somebody asks.
    connect_ns: Option<u64>,
    opening_ns: u64,
}

/// The body that is being read.
struct Incoming {
    framing: Framing,
    /// Whether the server means to go on after this answer, and has kept to it so far.
    reusable: bool,
}

/// The request that is being sent.
struct Sending<'a> {
    request: &'a [u8],
    sent_bytes: usize,
    error: Option<io::Error>,
}

/// What a wait on a connection brought.
pub(super) enum Step<T> {
    /// What was waited for.
    Got(T),
    /// The connection or the HTTP on it is broken.
    Broken(io::Error),
    /// The deadline passed first.
    Late,
}

/// Whether a body goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// More may come.
    More,
    /// It has ended as its head said.
    Complete,
}

impl Connection {
    /// Starts HTTP on a stream that took so long to connect.
    pub(super) fn new(stream: Stream, connect_ns: u64) -> Self {
        let framing = Framing::Length(0);
        Self {
            stream,
            fresh: true,
            connect_ns: Some(connect_ns),
            opening_ns: connect_ns,
            unread: Vec::new(),
            incoming: Incoming {
                framing,
                reusable: true,
            },
        }
    }

    /// Stamps of what arrived.
    pub(super) fn reads(&self) -> &Reads {
        self.stream.reads()
    }

    /// Who waits for it.
    pub(super) fn socket(&self) -> &Socket {
        self.stream.socket()
    }

    /// Whether no request has been sent on it.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// How long it took to open, told once: to the first request that it carries.
    pub(super) fn take_connect_ns(&mut self) -> Option<u64> {
        self.connect_ns.take()
    }

    pub(super) fn opening_ns(&self) -> u64 {
        self.opening_ns
    }

    /// Whether the server still holds an idle connection open, as far as the system knows.
    pub(super) async fn is_alive(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.stream.is_quiet(cx))).await
    }

    /// Whether another request may follow: the answer is complete, and nothing came behind it.
    pub(super) fn is_reusable(&self) -> bool {
        self.incoming.reusable && self.incoming.framing.is_complete() && self.unread.is_empty()
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// An answer that comes before the whole request is sent is taken as it is.
    pub(super) async fn send(&mut self, request: &[u8], deadline: &mut Deadline) -> Step<Head> {
        self.fresh = false;
        let mut sending = Sending {
            request,
            sent_bytes: 0,
            error: None,
        };
        poll_fn(|cx| {
            self.poll_send(cx, &mut sending);
            match self.poll_head(cx) {
                Poll::Ready(Ok(head)) => {
                    self.incoming.reusable = head.keeps_alive && sending.is_whole();
                    return Poll::Ready(Step::Got(head));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Step::Broken(error)),
                Poll::Pending => {}
            }
            deadline.poll_passed(cx).map(|()| Step::Late)
        })
        .await
    }

    /// Waits for the next bytes of a body and hands each piece of it to `each`.
    pub(super) async fn next(&mut self, deadline: &mut Deadline, mut each: impl FnMut(&[u8], u64)) -> Step<Body> {
        poll_fn(|cx| match self.poll_body(cx, &mut each) {
            Poll::Ready(Ok(body)) => Poll::Ready(Step::Got(body)),
            Poll::Ready(Err(error)) => Poll::Ready(Step::Broken(error)),
            Poll::Pending => deadline.poll_passed(cx).map(|()| Step::Late),
        })
        .await
    }

    /// Sends what there is room for. Trouble is kept for later: the server may have said why it hangs up.
    fn poll_send(&mut self, cx: &mut Context<'_>, sending: &mut Sending<'_>) {
        if sending.error.is_none()
            && let Poll::Ready(Err(error)) = self.stream.poll_send(cx, sending.request, &mut sending.sent_bytes)
        {
            sending.error = Some(error);
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Head>> {
        loop {
            let unread = &mut self.unread;
            let read = self.stream.poll_take(cx, |bytes, _| {
                unread.extend_from_slice(bytes);
                !bytes.is_empty()
            });
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(false)) => return Poll::Ready(Err(ended("before the answer's head was whole"))),
                Poll::Ready(Ok(true)) => {}
            }
            match read_head(&self.unread) {
                Err(problem) => return Poll::Ready(Err(broken(problem))),
                Ok(None) => {}
                Ok(Some((head, framing, length))) => {
                    self.incoming.framing = framing;
                    self.unread.drain(..length);
                    return Poll::Ready(Ok(head));
                }
            }
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, each: &mut impl FnMut(&[u8], u64)) -> Poll<io::Result<Body>> {
        if self.incoming.framing.is_complete() {
            self.incoming.reusable &= self.unread.is_empty();
            return Poll::Ready(Ok(Body::Complete));
        }
        if self.unread.is_empty() {
            let Self { stream, incoming, .. } = self;
            let read = stream.poll_take(cx, |bytes, at_ns| incoming.take(bytes, |piece| each(piece, at_ns)));
            return read.map(Result::flatten);
        }
        // It came with the head, and has its stamp.
        let at_ns = self.reads().last_ns();
        let unread = std::mem::take(&mut self.unread);
        Poll::Ready(self.incoming.take(&unread, |piece| each(piece, at_ns)))
    }
}

impl Incoming {
    /// Takes what a read brought, nothing at the connection's end.
    fn take(&mut self, bytes: &[u8], each: impl FnMut(&[u8])) -> io::Result<Body> {
        if bytes.is_empty() {
            self.reusable = false;
            return match self.framing {
                Framing::UntilClose => Ok(Body::Complete),
                _ => Err(ended("in the middle of the answer's body")),
            };
        }
        let used = self
            .framing
            .push(bytes, each)
            .map_err(|BadChunk(problem)| broken(format!("the answer's chunks are broken: {problem}")))?;
        // What follows a complete answer belongs to no request.
        self.reusable &= used == bytes.len();
        Ok(if self.framing.is_complete() {
            Body::Complete
        } else {
            Body::More
        })
    }
}

impl Sending<'_> {
    fn is_whole(&self) -> bool {
        self.sent_bytes == self.request.len()
    }
}

fn ended(place: &str) -> io::Error {
    let problem = format!("the server closed the connection {place}");
    io::Error::new(io::ErrorKind::UnexpectedEof, problem)
}

fn broken(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Connections that wait for their next request; the latest used goes first.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// An idle connection, if there is one.
    pub(super) fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// How many connections wait.
    pub(super) fn len(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Keeps a connection for the next request, if its answer was read to its end and its server means to keep it open.
    ///
    /// Whether the server kept its word is looked at when the connection is used again, so that a broken word counts
    /// the same however fast it was broken.
    pub(super) fn keep(&self, connection: Connection) {
        if connection.is_reusable() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }
}

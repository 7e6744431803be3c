//! HTTP/1.1 connections that are ready, and those kept open between requests.
//!
//! Why our own, and not reqwest's: a request's clock starts when it is handed to a connection that is ready, and a
//! reused connection that turns out dead is replaced once and counted. reqwest hides both moments. A connection is
//! driven by the task that uses it, so a token costs one wake-up, not two.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;

use super::{
    deadline::Deadline,
    wire::{Clock, Reads, Stream, Wire},
};

type Body = Full<Bytes>;

/// One open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Body>,
    /// The HTTP machinery; it moves only while we poll it.
    driver: Pin<Box<http1::Connection<TokioIo<Wire>, Body>>>,
    driver_ended: bool,
    reads: Arc<Reads>,
}

/// What a wait on a connection brought.
pub(super) enum Step<T> {
    /// What was waited for.
    Got(T),
    /// The connection or the HTTP on it is broken.
    Broken(hyper::Error),
    /// The deadline passed first.
    Late,
}

impl Connection {
    /// Starts HTTP on a connected stream.
    ///
    /// # Errors
    /// The connection ended at once.
    pub(super) async fn open(stream: Stream, clock: Clock) -> Result<Self, hyper::Error> {
        let (wire, reads) = Wire::new(stream, clock);
        let (sender, driver) = http1::handshake(TokioIo::new(wire)).await?;
        let mut connection = Self {
            sender,
            driver: Box::pin(driver),
            driver_ended: false,
            reads,
        };
        poll_fn(|cx| connection.poll_ready(cx)).await?;
        Ok(connection)
    }

    /// Stamps of what arrived.
    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Whether the server still holds an idle connection open, as far as we can see.
    pub(super) async fn is_alive(&mut self) -> bool {
        poll_fn(|cx| match self.poll_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(!self.driver_ended),
            _ => Poll::Ready(false),
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Body>, deadline: &mut Deadline) -> Step<Response<Incoming>> {
        let mut response = pin!(self.sender.send_request(request));
        poll_fn(|cx| {
            drive(&mut self.driver, &mut self.driver_ended, cx);
            match response.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => Poll::Ready(Step::Got(response)),
                Poll::Ready(Err(error)) => Poll::Ready(Step::Broken(error)),
                Poll::Pending => deadline.poll_passed(cx).map(|()| Step::Late),
            }
        })
        .await
    }

    /// Waits for the next bytes of a body; `None` at its end.
    pub(super) async fn next(&mut self, body: &mut Incoming, deadline: &mut Deadline) -> Step<Option<Bytes>> {
        poll_fn(|cx| {
            // What is buffered comes first: driving the connection may read, and stamp, what follows it.
            if let Poll::Ready(step) = poll_data(body, cx) {
                return Poll::Ready(step);
            }
            drive(&mut self.driver, &mut self.driver_ended, cx);
            if let Poll::Ready(step) = poll_data(body, cx) {
                return Poll::Ready(step);
            }
            deadline.poll_passed(cx).map(|()| Step::Late)
        })
        .await
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        drive(&mut self.driver, &mut self.driver_ended, cx);
        self.sender.poll_ready(cx)
    }
}

/// Lets the machinery read and write as far as it can; how it ended is told by the answer.
fn drive(driver: &mut Pin<Box<http1::Connection<TokioIo<Wire>, Body>>>, ended: &mut bool, cx: &mut Context<'_>) {
    if !*ended {
        *ended = driver.as_mut().poll(cx).is_ready();
    }
}

/// The next data of a body; trailers are passed over.
fn poll_data(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Step<Option<Bytes>>> {
    loop {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(Step::Got(None)),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Broken(error)),
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Step::Got(Some(data)));
                }
            }
        }
    }
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

    /// Keeps a connection whose answer was read to its end and whose server means to keep it open.
    ///
    /// Whether the server kept its word is looked at when the connection is used again, so that a broken word counts
    /// the same however fast it was broken.
    pub(super) fn keep(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}

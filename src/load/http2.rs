//! HTTP/2: many answers over one connection.
//!
//! A read may bring parts of several answers; all of them have its stamp. The connection is read by a task of its own,
//! which lets the answers take what came before it reads again, so that no later stamp gets in between.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Request, Response,
    body::{Body as _, Incoming},
    client::conn::http2::{self, SendRequest},
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{
    deadline::Deadline,
    http1::Head,
    pool::{Body, Step},
    server_words,
    stamp::Reads,
    wire::Stream,
};

/// One connection, of which every request has a copy.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    reads: Arc<Reads>,
    connect_ns: Arc<Mutex<Option<u64>>>,
    /// Whether the other side has ever answered in HTTP/2.
    is_spoken: Arc<AtomicBool>,
}

/// One request and its answer on a shared connection.
pub(super) struct Exchange {
    connection: Connection,
    body: Option<Incoming>,
    any: bool,
}

impl Connection {
    /// Starts HTTP/2 on a stream that took so long to connect; a task of the runtime drives it from now on.
    ///
    /// # Errors
    /// The connection ended at once.
    pub(super) async fn open(mut stream: Stream, connect_ns: u64) -> Result<Self, hyper::Error> {
        stream.take_turns();
        let reads = Arc::clone(stream.reads());
        let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // How it ends is told by the answers.
        tokio::spawn(async move { driver.await.ok() });
        Ok(Self {
            sender,
            reads,
            connect_ns: Arc::new(Mutex::new(Some(connect_ns))),
            is_spoken: Arc::default(),
        })
    }

    /// A place for one request.
    pub(super) fn exchange(&self) -> Exchange {
        Exchange {
            connection: self.clone(),
            body: None,
            any: false,
        }
    }
}

/// The connection that all requests to a server share, while it lasts.
#[derive(Default)]
pub(super) struct Shared(Mutex<Option<Connection>>);

impl Shared {
    /// The connection, if it is open.
    pub(super) fn get(&self) -> Option<Connection> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().filter(|connection| !connection.sender.is_closed())
    }

    /// Shares a connection from now on.
    pub(super) fn put(&self, connection: &Connection) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
    }
}

impl Exchange {
    /// Stamps of what arrived on the whole connection.
    pub(super) fn reads(&self) -> &Reads {
        &self.connection.reads
    }

    /// Whether anything of the answer has arrived.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// How long the connection took to open, told once: to the first request that it carries.
    pub(super) fn take_connect_ns(&self) -> Option<u64> {
        let connect_ns = &self.connection.connect_ns;
        connect_ns.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>, deadline: &mut Deadline) -> Step<Head> {
        let mut response = pin!(self.connection.sender.send_request(request));
        let step = poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => deadline.poll_passed(cx).map(|()| None),
        });
        match step.await {
            None => Step::Late,
            Some(Err(error)) if self.connection.is_spoken.load(Ordering::Relaxed) => Step::Broken(broken(error)),
            Some(Err(error)) => Step::Broken(not_spoken(&broken(error))),
            Some(Ok(response)) => {
                self.any = true;
                self.connection.is_spoken.store(true, Ordering::Relaxed);
                let head = head(&response);
                self.body = Some(response.into_body());
                Step::Got(head)
            }
        }
    }

    /// Waits for the next bytes of a body and hands them to `each`; trailers are passed over.
    pub(super) async fn next(&mut self, deadline: &mut Deadline, mut each: impl FnMut(&[u8], u64)) -> Step<Body> {
        let Self { body, connection, .. } = self;
        let Some(body) = body else {
            return Step::Got(Body::Complete);
        };
        poll_fn(|cx| {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(Step::Got(Body::Complete)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Broken(broken(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        each(data, connection.reads.last_ns());
                    }
                    return Poll::Ready(Step::Got(Body::More));
                }
                Poll::Pending => {}
            }
            deadline.poll_passed(cx).map(|()| Step::Late)
        })
        .await
    }
}

fn head(response: &Response<Incoming>) -> Head {
    let headers = response.headers();
    let text = |name: HeaderName| Some(value(headers, &name)).filter(|value| !value.is_empty());
    Head {
        status: response.status().as_u16(),
        content_type: value(headers, &CONTENT_TYPE),
        content_encoding: value(headers, &CONTENT_ENCODING),
        location: text(LOCATION),
        retry_after: text(RETRY_AFTER),
        keeps_alive: true,
    }
}

fn value(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

/// An error before any answer: most often of a server that takes HTTP/2 for garbage.
fn not_spoken(error: &io::Error) -> io::Error {
    let words = server_words::chain(error);
    io::Error::new(
        error.kind(),
        format!("no answer in HTTP/2: {words}; if the server speaks HTTP/1 only, give `http: 1`"),
    )
}

/// As an error of the connection: the peer's end of it is told apart from all else.
fn broken(error: hyper::Error) -> io::Error {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
            return io::Error::new(io::ErrorKind::UnexpectedEof, error);
        }
        source = cause.source();
    }
    io::Error::other(error)
}

//! A way to the server that carries one request now: an HTTP/1.1 connection, or a share of an HTTP/2 one.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::{
    deadline::Deadline,
    http1::Head,
    http2,
    pool::{Body, Connection, Step},
    stamp::Reads,
};
#[cfg(target_os = "linux")]
use super::{seat::Seat, socket::Socket};

/// One of the two.
pub(super) enum Lane {
    /// A connection of our own.
    One(Connection),
    /// One answer of many on a connection.
    Two(Box<http2::Exchange>),
}

/// A request, ready to be sent.
pub(super) enum Prepared {
    /// Bytes as they go out.
    One(Vec<u8>),
    /// For the HTTP/2 machinery.
    Two(Box<Request<Full<Bytes>>>),
}

impl Lane {
    /// Stamps of what arrived.
    pub(super) fn reads(&self) -> &Reads {
        match self {
            Self::One(connection) => connection.reads(),
            Self::Two(exchange) => exchange.reads(),
        }
    }

    /// Its place at an event loop; `None` where the runtime waits for it.
    #[cfg(target_os = "linux")]
    pub(super) fn seat(&self) -> Option<Seat> {
        match self {
            Self::One(connection) => match connection.socket() {
                Socket::Loop { seat, .. } => Some(seat.clone()),
                Socket::Runtime(_) => None,
            },
            Self::Two(_) => None,
        }
    }

    /// A request is sent now.
    pub(super) fn request_sent(&self, sent_ns: u64) {
        // On a shared connection other answers may arrive at any time.
        if let Self::One(connection) = self {
            connection.reads().request_sent(sent_ns);
        }
    }

    /// Whether anything of the answer has arrived.
    pub(super) fn any(&self) -> bool {
        match self {
            Self::One(connection) => connection.reads().any(),
            Self::Two(exchange) => exchange.any(),
        }
    }

    /// Whether no request has been sent on it.
    pub(super) fn is_fresh(&self) -> bool {
        match self {
            Self::One(connection) => connection.is_fresh(),
            Self::Two(_) => false,
        }
    }

    /// How long the connection took to open, where that is known.
    pub(super) fn opening_ns(&self) -> u64 {
        match self {
            Self::One(connection) => connection.opening_ns(),
            Self::Two(_) => 0,
        }
    }

    /// How long the connection took to open, where this request is the first on it.
    pub(super) fn take_connect_ns(&mut self) -> Option<u64> {
        match self {
            Self::One(connection) => connection.take_connect_ns(),
            Self::Two(exchange) => exchange.take_connect_ns(),
        }
    }

    /// Whether the server still holds it open, as far as can be seen.
    pub(super) async fn is_alive(&mut self) -> bool {
        match self {
            Self::One(connection) => connection.is_alive().await,
            Self::Two(_) => true,
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Prepared, deadline: &mut Deadline) -> Step<Head> {
        match (self, request) {
            (Self::One(connection), Prepared::One(bytes)) => connection.send(&bytes, deadline).await,
            (Self::Two(exchange), Prepared::Two(request)) => exchange.send(*request, deadline).await,
            _ => Step::Broken(std::io::Error::other("the request was prepared for another HTTP")),
        }
    }

    /// Waits for the next bytes of a body and hands them to `each` with their stamp.
    pub(super) async fn next(&mut self, deadline: &mut Deadline, each: impl FnMut(&[u8], u64)) -> Step<Body> {
        match self {
            Self::One(connection) => connection.next(deadline, each).await,
            Self::Two(exchange) => exchange.next(deadline, each).await,
        }
    }
}

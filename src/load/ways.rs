//! The ways to one server: connections that wait for requests, and how a new one is opened.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    client::Failed,
    endpoint::Endpoint,
    http2,
    lane::Lane,
    pool::{Connection, Pool},
    readers::Readers,
    server_words,
    stamp::Stamper,
};
use crate::session::FailureClass;

/// What is open to one server.
pub(super) struct Ways {
    stamper: Arc<Stamper>,
    readers: Arc<Readers>,
    pool: Pool,
    /// The connection that requests share, in HTTP/2.
    shared: http2::Shared,
    /// Held while a connection is opened that others may share.
    opening: tokio::sync::Mutex<()>,
    /// Whether a connection carries more than one request.
    reuses: bool,
}

impl Ways {
    /// None yet.
    pub(super) fn new(stamper: Arc<Stamper>, readers: Arc<Readers>, reuses: bool) -> Self {
        Self {
            stamper,
            readers,
            pool: Pool::default(),
            shared: http2::Shared::default(),
            opening: tokio::sync::Mutex::default(),
            reuses,
        }
    }

    /// How many connections wait for requests.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.pool.len()
    }

    /// How many connections are missing until this many wait for requests.
    pub(super) fn missing(&self, connections: usize) -> usize {
        match (self.reuses, self.shared.get()) {
            (true, None) => connections.saturating_sub(self.pool.len()),
            _ => 0,
        }
    }

    /// Opens connections for requests to come; what cannot be opened is left to the requests.
    pub(super) async fn warm(&self, endpoint: &Endpoint, timeout: Duration, connections: usize) {
        for _ in 0..connections {
            match self.connect(endpoint, timeout).await {
                Ok(Lane::One(connection)) => self.pool.keep(connection),
                _ => return,
            }
        }
    }

    /// A connection that is open already.
    pub(super) fn idle(&self) -> Option<Lane> {
        match self.shared.get() {
            Some(shared) => Some(Lane::Two(Box::new(shared.exchange()))),
            None => self.pool.take().map(Lane::One),
        }
    }

    /// A fresh connection, or a share of one that somebody else has just opened.
    ///
    /// # Errors
    /// What kind of failure it is, and why.
    pub(super) async fn connect(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Lane, Failed> {
        if self.reuses && endpoint.may_be_http2() {
            let _others_wait = self.opening.lock().await;
            match self.shared.get() {
                Some(shared) => Ok(Lane::Two(Box::new(shared.exchange()))),
                None => self.open(endpoint, timeout).await,
            }
        } else {
            self.open(endpoint, timeout).await
        }
    }

    async fn open(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Lane, Failed> {
        let began = Instant::now();
        let mut stream = endpoint.connect(&self.stamper, timeout).await?;
        let connect_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if !endpoint.is_http2(&stream) {
            stream.leave_runtime(&self.readers);
            return Ok(Lane::One(Connection::new(stream, connect_ns)));
        }
        let opened = http2::Connection::open(stream, connect_ns).await;
        let connection = opened.map_err(|error| (FailureClass::Connect, server_words::chain(&error)))?;
        if self.reuses {
            self.shared.put(&connection);
        }
        Ok(Lane::Two(Box::new(connection.exchange())))
    }

    /// Keeps a way for the next request.
    pub(super) fn keep(&self, lane: Lane) {
        if let Lane::One(connection) = lane
            && self.reuses
        {
            self.pool.keep(connection);
        }
    }
}

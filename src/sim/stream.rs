//! From the driver's tokens to the bytes of one answer.
//!
//! The driver hands over all tokens of a step at once; one task on the HTTP thread passes them on to their answers.
//! That wakes each connection from its own thread: waking 256 of them from another one costs a system call each.

use std::{
    collections::HashMap,
    convert::Infallible,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    answer::Answer,
    ask::Ask,
    driver::{Driver, Request},
    scheduler::Emission,
};

/// Where the tokens of each open answer go.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(Arc<Mutex<HashMap<u64, UnboundedSender<Emission>>>>);

impl Routes {
    fn table(&self) -> MutexGuard<'_, HashMap<u64, UnboundedSender<Emission>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes tokens on until the driver stops.
    pub(super) async fn pass_on(self, mut steps: UnboundedReceiver<Vec<Emission>>) {
        while let Some(emissions) = steps.recv().await {
            let table = self.table();
            for emission in emissions {
                if let Some(answer) = table.get(&emission.id) {
                    // An answer that was closed in this moment wants no more tokens.
                    let _ = answer.send(emission);
                }
            }
        }
    }
}

/// The tokens of one request; dropping it before the last one takes the request out of the engine.
#[derive(Debug)]
pub(super) struct Tokens {
    id: u64,
    driver: Arc<Driver>,
    routes: Routes,
    arrivals: UnboundedReceiver<Emission>,
    finished: bool,
}

impl Tokens {
    /// Submits a request that arrived at `arrived_ns` of engine time.
    pub(super) fn of(ask: &Ask, arrived_ns: u64, driver: &Arc<Driver>, routes: &Routes) -> Self {
        let id = driver.next_id();
        let (sender, arrivals) = unbounded_channel();
        // Before the submission, so that the first token finds it.
        routes.table().insert(id, sender);
        driver.submit(Request {
            id,
            arrived_ns,
            prompt_tokens: ask.prompt_tokens,
            cached_tokens: driver.cached_tokens(&ask.prompt_ids),
            output_tokens: ask.output_tokens,
            finish: ask.finish,
        });
        Self {
            id,
            driver: Arc::clone(driver),
            routes: routes.clone(),
            arrivals,
            finished: false,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the last token; `false` when the engine stopped before it.
    pub(super) async fn all(mut self) -> bool {
        while let Some(emission) = self.arrivals.recv().await {
            self.finished |= emission.last;
            if self.finished {
                return true;
            }
        }
        false
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Emission>> {
        let polled = self.arrivals.poll_recv(context);
        if let Poll::Ready(Some(emission)) = &polled {
            self.finished |= emission.last;
        }
        polled
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.routes.table().remove(&self.id);
        if !self.finished {
            self.driver.cancel(self.id);
        }
    }
}

/// The body of a streamed answer: one frame, and so one write, for each chunk of tokens.
#[derive(Debug)]
pub(super) struct TokenStream {
    tokens: Tokens,
    answer: Answer,
    tokens_per_chunk: u32,
    /// The tokens that came and were not written yet.
    held: Range<u32>,
    wrote: bool,
}

impl TokenStream {
    pub(super) fn new(tokens: Tokens, answer: Answer, tokens_per_chunk: u32) -> Self {
        Self {
            tokens,
            answer,
            tokens_per_chunk,
            held: 0..0,
            wrote: false,
        }
    }

    /// Adds a token to those that are held; gives all of them once they make a chunk.
    fn hold(&mut self, last: bool) -> Option<Range<u32>> {
        self.held.end += 1;
        let (start, end) = (self.held.start, self.held.end);
        if !last && end - start < self.tokens_per_chunk && !self.answer.parts_before(end) {
            return None;
        }
        self.held = end..end;
        Some(start..end)
    }
}

impl Body for TokenStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.tokens.finished {
            return Poll::Ready(None);
        }
        // A token that is there already must not share the write of the one before: hyper flushes when it has to wait.
        if std::mem::take(&mut this.wrote) && !this.tokens.arrivals.is_empty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let Some(token) = ready!(this.tokens.poll(context)) else {
                return Poll::Ready(None);
            };
            if let Some(chunk) = this.hold(token.last) {
                this.wrote = true;
                return Poll::Ready(Some(Ok(Frame::data(this.answer.chunk(chunk)))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tokens.finished
    }
}

//! One request: over a connection that waits or a fresh one, to one record.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use hyper::StatusCode;

#[cfg(target_os = "linux")]
use super::turn;
use super::{
    answer::{Answer, BodyEnd, Facts, failed},
    belief,
    clock::Clock,
    deadline::{Deadline, Patience, Phase},
    dialect::{Ask, Dialect},
    endpoint::Endpoint,
    http1::Head,
    lane::{Lane, Prepared},
    pool::{Body, Step},
    server_words,
    ways::Ways,
};
use crate::{
    plan::Timeouts,
    session::{FailureClass, Outcome, RequestRecord},
};

/// Of an answer that is no event stream, only the beginning is read.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// Sends requests to one server.
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) dialect: Dialect,
    pub(super) clock: Clock,
    pub(super) timeouts: Timeouts,
    pub(super) ways: Ways,
    /// Whether replies carry the text of their answers, as conversations need.
    pub(super) keeps_text: bool,
}

/// What one request left; stamps count from the clock's start.
pub(super) struct Reply {
    pub(super) record: RequestRecord,
    pub(super) gaps_ns: Vec<u64>,
    pub(super) replaced_connections: u32,
    /// What the model said, where the client keeps it.
    pub(super) text: String,
}

impl Reply {
    /// One that holds a record and nothing else.
    pub(super) fn of(record: RequestRecord) -> Self {
        Self {
            record,
            gaps_ns: Vec::new(),
            replaced_connections: 0,
            text: String::new(),
        }
    }
}

/// A reply, and how long the server asked to wait before the next try.
pub(super) struct Tried {
    pub(super) reply: Reply,
    pub(super) retry_after: Option<Duration>,
}

/// A connection that broke before the first byte of an answer.
struct Dead {
    sent_ns: u64,
    /// When that was seen.
    at_ns: u64,
    error: io::Error,
}

/// A server that had closed a waiting connection by the time of the send tells so within a round trip, of which opening the
/// connection took one or two; beside those, so long, for a client that looks late.
const NEWS_NS: u64 = 50_000_000;

/// Outcome and facts of an answer, and when it ended.
struct Heard {
    outcome: Outcome,
    facts: Facts,
    end_ns: u64,
    retry_after: Option<Duration>,
}

/// Class and message of a failure.
pub(super) type Failed = (FailureClass, String);

impl Client {
    /// Sends one request and reads its answer; whatever happens is in the reply.
    ///
    /// `began_ns` is when the first try of it was sent, of one that is sent again.
    pub(super) async fn request(self: &Arc<Self>, index: u32, ask: &Ask, mut began_ns: Option<u64>) -> Tried {
        let mut replaced_connections = 0;
        if let Some(mut idle) = self.ways.idle() {
            if idle.is_alive().await {
                let (is_fresh, opening_ns) = (idle.is_fresh(), idle.opening_ns());
                match self.send(idle, ask, index, began_ns).await {
                    Ok(tried) => return tried,
                    // One that took the request and dropped it later has failed it.
                    Err(dead) if is_fresh || dead.at_ns - dead.sent_ns > NEWS_NS + 2 * opening_ns => {
                        return self.lost(index, &dead);
                    }
                    Err(dead) => began_ns = began_ns.or(Some(dead.sent_ns)),
                }
            }
            replaced_connections = 1;
        }
        let started_ns = self.clock.now_ns();
        let mut tried = match self.ways.connect(&self.endpoint, self.timeouts.connect).await {
            Err(failure) => self.tried(index, started_ns, self.heard_nothing(failure)),
            Ok(fresh) => {
                let tried = self.send(fresh, ask, index, began_ns).await;
                tried.unwrap_or_else(|dead| self.lost(index, &dead))
            }
        };
        tried.reply.replaced_connections = replaced_connections;
        tried
    }

    /// A request whose connection was fresh, and died.
    fn lost(&self, index: u32, dead: &Dead) -> Tried {
        let failure = (FailureClass::ConnectionLost, server_words::chain(&dead.error));
        self.tried(index, dead.sent_ns, self.heard_nothing(failure))
    }

    /// One try on a connection that is ready, by whoever waits for that connection.
    async fn send(self: &Arc<Self>, lane: Lane, ask: &Ask, index: u32, began_ns: Option<u64>) -> Result<Tried, Dead> {
        let request = match &lane {
            Lane::One(_) => self.endpoint.request(ask),
            Lane::Two(_) => self.endpoint.request_http2(ask),
        };
        let mut tried = Arc::clone(self).seated(lane, request, (index, began_ns)).await?;
        belief::disbelieve(&mut tried.reply.record, ask);
        Ok(tried)
    }

    /// The exchange where the lane is read: in its event loop, if it has one.
    async fn seated(self: Arc<Self>, lane: Lane, request: Prepared, of: (u32, Option<u64>)) -> Result<Tried, Dead> {
        #[cfg(target_os = "linux")]
        if let Some(seat) = lane.seat() {
            return seat.run(self.exchange(lane, request, of, Deadline::in_turn)).await;
        }
        // In a box: it would take its room in every task, also where an event loop has it.
        Box::pin(self.exchange(lane, request, of, Deadline::new)).await
    }

    async fn exchange(
        self: Arc<Self>,
        mut lane: Lane,
        request: Prepared,
        (index, began_ns): (u32, Option<u64>),
        deadline: fn(Clock, u64) -> Deadline,
    ) -> Result<Tried, Dead> {
        let sent_ns = self.clock.now_ns();
        let patience = Patience {
            began_ns: began_ns.unwrap_or(sent_ns),
            sent_ns,
            timeouts: self.timeouts,
        };
        let connect_ns = lane.take_connect_ns();
        lane.request_sent(sent_ns);
        let (limit_ns, late_class) = patience.limit(Phase::Waiting);
        let mut deadline = deadline(self.clock, limit_ns);
        let heard = match lane.send(request, &mut deadline).await {
            Step::Got(head) => self.listen(lane, &head, patience, &mut deadline).await,
            Step::Late => self.heard_nothing((late_class, patience.words(late_class))),
            Step::Broken(error) if !lane.any() => {
                let at_ns = self.clock.now_ns();
                return Err(Dead { sent_ns, at_ns, error });
            }
            Step::Broken(error) => self.heard_nothing((FailureClass::ConnectionLost, server_words::chain(&error))),
        };
        let mut tried = self.tried(index, sent_ns, heard);
        tried.reply.record.connect_ns = connect_ns;
        Ok(tried)
    }

    /// Reads the answer that belongs to a head.
    async fn listen(&self, lane: Lane, head: &Head, patience: Patience, deadline: &mut Deadline) -> Heard {
        let is_answer = head.is_of(self.dialect.content_type()) && !head.is_compressed();
        if head.status == StatusCode::OK && is_answer {
            self.listen_to_answer(lane, patience, deadline).await
        } else {
            self.listen_to_refusal(lane, head, deadline).await
        }
    }

    async fn listen_to_answer(&self, mut lane: Lane, patience: Patience, deadline: &mut Deadline) -> Heard {
        let mut answer = Answer::new(self.dialect, self.keeps_text);
        let mut any_byte = false;
        loop {
            let chunks = answer.chunks();
            let step = lane.next(deadline, |bytes, at_ns| {
                any_byte = true;
                answer.push(bytes, at_ns);
            });
            let step = step.await;
            #[cfg(target_os = "linux")]
            if answer.chunks() > chunks + 1 {
                turn::hasty();
            }
            let last_read_ns = lane.reads().last_ns();
            match step {
                Step::Got(Body::More) => {}
                Step::Got(Body::Complete) => {
                    let (outcome, facts) = answer.end(BodyEnd::Clean, last_read_ns);
                    if outcome == Outcome::Completed {
                        self.ways.keep(lane);
                    }
                    return heard(outcome, facts, last_read_ns);
                }
                Step::Broken(error) => return self.body_broke(answer, &error, any_byte, last_read_ns),
                Step::Late => return self.gave_up(answer, patience, last_read_ns),
            }
            if answer.has_failed() {
                let (outcome, facts) = answer.end(BodyEnd::Clean, last_read_ns);
                return heard(outcome, facts, self.clock.now_ns());
            }
            let (limit_ns, _) = patience.limit(phase(&answer, last_read_ns));
            if limit_ns <= last_read_ns {
                // A server that never pauses would never let the timer be looked at.
                return self.gave_up(answer, patience, last_read_ns);
            }
            deadline.move_to(limit_ns);
        }
    }

    fn body_broke(&self, answer: Answer, error: &io::Error, any_byte: bool, last_read_ns: u64) -> Heard {
        let end = if any_byte && error.kind() == io::ErrorKind::UnexpectedEof {
            BodyEnd::Cut(server_words::chain(error))
        } else {
            BodyEnd::Broken(server_words::chain(error))
        };
        let (outcome, facts) = answer.end(end, last_read_ns);
        let end_ns = match outcome {
            Outcome::Completed => last_read_ns,
            Outcome::Failed(_) => self.clock.now_ns(),
        };
        heard(outcome, facts, end_ns)
    }

    fn gave_up(&self, answer: Answer, patience: Patience, last_read_ns: u64) -> Heard {
        if answer.is_done() {
            // The answer was whole; only the server's hanging up was missing.
            let (outcome, facts) = answer.end(BodyEnd::Clean, last_read_ns);
            return heard(outcome, facts, last_read_ns);
        }
        let class = patience.limit(phase(&answer, last_read_ns)).1;
        let (outcome, facts) = answer.give_up(class, patience.words(class));
        heard(outcome, facts, self.clock.now_ns())
    }

    /// Reads an answer that is no event stream for the server's own words.
    async fn listen_to_refusal(&self, mut lane: Lane, head: &Head, deadline: &mut Deadline) -> Heard {
        let mut text = Vec::new();
        while text.len() < ERROR_BODY_BYTES {
            match lane.next(deadline, |bytes, _| text.extend_from_slice(bytes)).await {
                Step::Got(Body::More) => {}
                Step::Got(Body::Complete) => {
                    self.ways.keep(lane);
                    break;
                }
                Step::Broken(_) | Step::Late => break,
            }
        }
        Heard {
            retry_after: head.retry_after(SystemTime::now()),
            ..self.heard_nothing(self.refusal(head, &text))
        }
    }

    /// Class and message of an answer that is no event stream.
    fn refusal(&self, head: &Head, body: &[u8]) -> Failed {
        let readable = if head.is_compressed() { &[] } else { body };
        if head.status != StatusCode::OK {
            let words = server_words::from_body(readable, |text| self.endpoint.redact(text));
            let status = StatusCode::from_u16(head.status).ok();
            let reason = status.and_then(|status| status.canonical_reason());
            let reason = reason.unwrap_or("the server says no more");
            let mut message = if words.trim().is_empty() {
                reason.to_owned()
            } else {
                words
            };
            if let Some(location) = &head.location {
                message = format!("it sends us to `{location}`, where perfgate does not follow: {message}");
            }
            return (FailureClass::Http(head.status), message);
        }
        if head.is_compressed() {
            let problem = "the answer is compressed, though perfgate asks for `accept-encoding: identity`";
            return (
                FailureClass::NotEventStream,
                format!("{problem}: `{}`", head.content_encoding),
            );
        }
        if let Some(words) = server_words::error_in_json(body) {
            return (FailureClass::ErrorInStream, words);
        }
        let kind = Some(head.content_type.as_str()).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or("no content type");
        let text = server_words::text(body);
        let wanted = self.dialect.content_type();
        let class = if self.dialect.is_streaming() {
            FailureClass::NotEventStream
        } else {
            FailureClass::BadBody
        };
        (class, format!("the answer is `{kind}`, not `{wanted}`: {text}"))
    }

    /// A request that failed before any event.
    fn heard_nothing(&self, (class, message): Failed) -> Heard {
        heard(failed(class, message), Facts::default(), self.clock.now_ns())
    }

    fn tried(&self, index: u32, sent_ns: u64, heard: Heard) -> Tried {
        let mut outcome = heard.outcome;
        if let Outcome::Failed(failure) = &mut outcome {
            // In this order: of a key across the cut, the part before it could not be found any more.
            failure.message = server_words::clip(&self.endpoint.redact(&failure.message));
        }
        let mut record = RequestRecord {
            index,
            sent_ns,
            end_ns: heard.end_ns,
            outcome,
            ..RequestRecord::default()
        };
        heard.facts.fill(&mut record);
        let reply = Reply {
            record,
            gaps_ns: heard.facts.gaps_ns,
            replaced_connections: 0,
            text: heard.facts.text.unwrap_or_default(),
        };
        Tried {
            reply,
            retry_after: heard.retry_after,
        }
    }
}

fn heard(outcome: Outcome, facts: Facts, end_ns: u64) -> Heard {
    Heard {
        outcome,
        facts,
        end_ns,
        retry_after: None,
    }
}

fn phase(answer: &Answer, last_read_ns: u64) -> Phase {
    if answer.is_done() {
        let done_ns = answer.last_event_ns().unwrap_or(last_read_ns);
        Phase::Done { done_ns }
    } else if let Some(last_event_ns) = answer.last_event_ns().filter(|_| answer.has_begun()) {
        Phase::Streaming { last_event_ns }
    } else {
        Phase::Waiting
    }
}

//! One request: over a pooled connection or a fresh one, to one record.

use std::{io, sync::Arc};

use bytes::Bytes;
use hyper::StatusCode;

use super::{
    answer::{Answer, BodyEnd, Facts, failed},
    clock::Clock,
    deadline::{Deadline, Patience, Phase},
    endpoint::Endpoint,
    http1::Head,
    pool::{Body, Connection, Pool, Step},
    server_words,
    stamp::Stamper,
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
    pub(super) clock: Clock,
    pub(super) stamper: Arc<Stamper>,
    pub(super) timeouts: Timeouts,
    pub(super) pool: Pool,
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

/// A connection that broke before the first byte of an answer.
struct Dead {
    sent_ns: u64,
    error: io::Error,
}

/// Outcome and facts of an answer, and when it ended.
struct Heard {
    outcome: Outcome,
    facts: Facts,
    end_ns: u64,
}

impl Client {
    /// Sends one request and reads its answer; whatever happens is in the reply.
    pub(super) async fn request(&self, index: u32, body: Bytes) -> Reply {
        let mut replaced_connections = 0;
        if let Some(mut idle) = self.pool.take() {
            if idle.is_alive().await
                && let Ok(reply) = self.exchange(idle, &body, index).await
            {
                return reply;
            }
            replaced_connections = 1;
        }
        let started_ns = self.clock.now_ns();
        let mut reply = match self.connect().await {
            Err(failure) => self.reply(index, started_ns, self.heard_nothing(failure)),
            Ok(fresh) => self.exchange(fresh, &body, index).await.unwrap_or_else(|dead| {
                let failure = (FailureClass::ConnectionLost, server_words::chain(&dead.error));
                self.reply(index, dead.sent_ns, self.heard_nothing(failure))
            }),
        };
        reply.replaced_connections = replaced_connections;
        reply
    }

    async fn connect(&self) -> Result<Connection, (FailureClass, String)> {
        let stream = self.endpoint.connect(&self.stamper, self.timeouts.connect).await?;
        Ok(Connection::new(stream))
    }

    /// One try on a connection that is ready.
    async fn exchange(&self, mut connection: Connection, body: &Bytes, index: u32) -> Result<Reply, Dead> {
        let request = self.endpoint.request(body);
        let patience = Patience {
            sent_ns: self.clock.now_ns(),
            timeouts: self.timeouts,
        };
        let sent_ns = patience.sent_ns;
        connection.reads().request_sent(sent_ns);
        let (limit_ns, late_class) = patience.limit(Phase::Waiting);
        let mut deadline = Deadline::new(self.clock, limit_ns);
        let heard = match connection.send(&request, &mut deadline).await {
            Step::Got(head) => self.listen(connection, &head, patience, &mut deadline).await,
            Step::Late => self.heard_nothing((late_class, patience.words(late_class))),
            Step::Broken(error) if !connection.reads().any() => return Err(Dead { sent_ns, error }),
            Step::Broken(error) => self.heard_nothing((FailureClass::ConnectionLost, server_words::chain(&error))),
        };
        Ok(self.reply(index, sent_ns, heard))
    }

    /// Reads the answer that belongs to a head.
    async fn listen(&self, connection: Connection, head: &Head, patience: Patience, deadline: &mut Deadline) -> Heard {
        if head.status == StatusCode::OK && head.content_type.starts_with("text/event-stream") {
            self.listen_to_stream(connection, patience, deadline).await
        } else {
            self.listen_to_refusal(connection, head, deadline).await
        }
    }

    async fn listen_to_stream(&self, mut connection: Connection, patience: Patience, deadline: &mut Deadline) -> Heard {
        let mut answer = Answer::new(self.keeps_text);
        let mut any_byte = false;
        loop {
            let step = connection.next(deadline, |bytes, at_ns| {
                any_byte = true;
                answer.push(bytes, at_ns);
            });
            let step = step.await;
            let last_read_ns = connection.reads().last_ns();
            match step {
                Step::Got(Body::More) => {}
                Step::Got(Body::Complete) => {
                    let (outcome, facts) = answer.end(BodyEnd::Clean, last_read_ns);
                    if outcome == Outcome::Completed {
                        self.pool.keep(connection);
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
    async fn listen_to_refusal(&self, mut connection: Connection, head: &Head, deadline: &mut Deadline) -> Heard {
        let mut text = Vec::new();
        while text.len() < ERROR_BODY_BYTES {
            match connection
                .next(deadline, |bytes, _| text.extend_from_slice(bytes))
                .await
            {
                Step::Got(Body::More) => {}
                Step::Got(Body::Complete) => {
                    self.pool.keep(connection);
                    break;
                }
                Step::Broken(_) | Step::Late => break,
            }
        }
        self.heard_nothing(self.refusal(head, &text))
    }

    /// Class and message of an answer that is no event stream.
    fn refusal(&self, head: &Head, body: &[u8]) -> (FailureClass, String) {
        if head.status != StatusCode::OK {
            let words = server_words::from_body(body, |text| self.endpoint.redact(text));
            let status = StatusCode::from_u16(head.status).ok();
            let reason = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
            let message = if words.trim().is_empty() {
                reason.to_owned()
            } else {
                words
            };
            return (FailureClass::Http(head.status), message);
        }
        if let Some(words) = server_words::error_in_json(body) {
            return (FailureClass::ErrorInStream, words);
        }
        let kind = Some(head.content_type.as_str()).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or("no content type");
        let text = server_words::text(body);
        let message = format!("the answer is `{kind}`, not `text/event-stream`: {text}");
        (FailureClass::NotEventStream, message)
    }

    /// A request that failed before any event.
    fn heard_nothing(&self, (class, message): (FailureClass, String)) -> Heard {
        heard(failed(class, message), Facts::default(), self.clock.now_ns())
    }

    fn reply(&self, index: u32, sent_ns: u64, heard: Heard) -> Reply {
        let mut outcome = heard.outcome;
        if let Outcome::Failed(failure) = &mut outcome {
            // In this order: of a key across the cut, the part before it could not be found any more.
            failure.message = server_words::clip(&self.endpoint.redact(&failure.message));
        }
        let (output_tokens, tokens_from) = heard.facts.output_tokens();
        let record = RequestRecord {
            index,
            scheduled_ns: None,
            sent_ns,
            first_token_ns: heard.facts.first_token_ns,
            last_token_ns: heard.facts.last_token_ns,
            end_ns: heard.end_ns,
            input_tokens: heard.facts.input_tokens(),
            output_tokens,
            chunks: heard.facts.chunks,
            tokens_from,
            outcome,
            ..RequestRecord::default()
        };
        Reply {
            record,
            gaps_ns: heard.facts.gaps_ns,
            replaced_connections: 0,
            text: heard.facts.text.unwrap_or_default(),
        }
    }
}

fn heard(outcome: Outcome, facts: Facts, end_ns: u64) -> Heard {
    Heard { outcome, facts, end_ns }
}

fn phase(answer: &Answer, last_read_ns: u64) -> Phase {
    if answer.is_done() {
        Phase::Done { last_read_ns }
    } else if let Some(last_event_ns) = answer.last_event_ns().filter(|_| answer.has_begun()) {
        Phase::Streaming { last_event_ns }
    } else {
        Phase::Waiting
    }
}

//! One request: over a pooled connection or a fresh one, to one record.

use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{CONNECTION, CONTENT_TYPE},
};

use super::{
    answer::{Answer, BodyEnd, Facts, failed},
    deadline::{Deadline, Patience, Phase},
    endpoint::Endpoint,
    pool::{Connection, Pool, Step},
    server_words,
    wire::Clock,
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
    pub(super) timeouts: Timeouts,
    pub(super) pool: Pool,
}

/// What one request left; stamps count from the clock's start.
pub(super) struct Reply {
    pub(super) record: RequestRecord,
    pub(super) gaps_ns: Vec<u64>,
    pub(super) replaced_connections: u32,
}

/// A connection that broke before the first byte of an answer.
struct Dead {
    sent_ns: u64,
    error: hyper::Error,
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
        let stream = self.endpoint.connect(self.timeouts.connect).await?;
        let opened = Connection::open(stream, self.clock).await;
        opened.map_err(|error| (FailureClass::Connect, server_words::chain(&error)))
    }

    /// One try on a connection that is ready.
    async fn exchange(&self, mut connection: Connection, body: &Bytes, index: u32) -> Result<Reply, Dead> {
        let request = self.prepare(body);
        let reads_before = connection.reads().count();
        let patience = Patience {
            sent_ns: self.clock.now_ns(),
            timeouts: self.timeouts,
        };
        let sent_ns = patience.sent_ns;
        let (limit_ns, late_class) = patience.limit(Phase::Waiting);
        let mut deadline = Deadline::new(self.clock, limit_ns);
        let heard = match connection.send(request, &mut deadline).await {
            Step::Got(response) => self.listen(connection, response, patience, &mut deadline).await,
            Step::Late => self.heard_nothing((late_class, patience.words(late_class))),
            Step::Broken(error) if connection.reads().count() == reads_before => return Err(Dead { sent_ns, error }),
            Step::Broken(error) => self.heard_nothing((FailureClass::ConnectionLost, server_words::chain(&error))),
        };
        Ok(self.reply(index, sent_ns, heard))
    }

    fn prepare(&self, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.path().clone();
        *request.headers_mut() = self.endpoint.headers().clone();
        request
    }

    /// Reads the answer that belongs to a head.
    async fn listen(
        &self,
        connection: Connection,
        response: Response<Incoming>,
        patience: Patience,
        deadline: &mut Deadline,
    ) -> Heard {
        let is_stream = header(&response, CONTENT_TYPE).starts_with("text/event-stream");
        if response.status() == StatusCode::OK && is_stream {
            self.listen_to_stream(connection, response, patience, deadline).await
        } else {
            self.listen_to_refusal(connection, response, deadline).await
        }
    }

    async fn listen_to_stream(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        patience: Patience,
        deadline: &mut Deadline,
    ) -> Heard {
        let reusable = keeps_alive(&response);
        let mut body = response.into_body();
        let mut answer = Answer::default();
        let mut any_byte = false;
        loop {
            let step = connection.next(&mut body, deadline).await;
            let last_read_ns = connection.reads().last_ns();
            match step {
                Step::Got(Some(bytes)) => {
                    any_byte = true;
                    answer.push(&bytes, last_read_ns);
                }
                Step::Got(None) => {
                    let (outcome, facts) = answer.end(BodyEnd::Clean, last_read_ns);
                    if reusable && outcome == Outcome::Completed {
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
            deadline.move_to(patience.limit(phase(&answer, last_read_ns)).0);
        }
    }

    fn body_broke(&self, answer: Answer, error: &hyper::Error, any_byte: bool, last_read_ns: u64) -> Heard {
        let end = if any_byte && is_incomplete(error) {
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
    async fn listen_to_refusal(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        deadline: &mut Deadline,
    ) -> Heard {
        let status = response.status();
        let kind = header(&response, CONTENT_TYPE);
        let reusable = keeps_alive(&response);
        let mut body = response.into_body();
        let mut text = Vec::new();
        let mut whole = false;
        while text.len() < ERROR_BODY_BYTES {
            match connection.next(&mut body, deadline).await {
                Step::Got(Some(bytes)) => text.extend_from_slice(&bytes),
                Step::Got(None) => {
                    whole = true;
                    break;
                }
                Step::Broken(_) | Step::Late => break,
            }
        }
        if whole && reusable {
            self.pool.keep(connection);
        }
        self.heard_nothing(self.refusal(status, &kind, &text))
    }

    /// Class and message of an answer that is no event stream.
    fn refusal(&self, status: StatusCode, kind: &str, body: &[u8]) -> (FailureClass, String) {
        if status != StatusCode::OK {
            let words = server_words::from_body(body, |text| self.endpoint.redact(text));
            let reason = status.canonical_reason().unwrap_or_default();
            let message = if words.trim().is_empty() {
                reason.to_owned()
            } else {
                words
            };
            return (FailureClass::Http(status.as_u16()), message);
        }
        if let Some(words) = server_words::error_in_json(body) {
            return (FailureClass::ErrorInStream, words);
        }
        let kind = if kind.is_empty() { "no content type" } else { kind };
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

/// A header's value in lower case, empty where there is none.
fn header(response: &Response<Incoming>, name: hyper::header::HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

/// Whether the server means to keep the connection open.
fn keeps_alive(response: &Response<Incoming>) -> bool {
    response.version() == Version::HTTP_11 && !header(response, CONNECTION).contains("close")
}

/// Whether the peer ended the connection in the middle of a body.
fn is_incomplete(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::UnexpectedEof;
        }
        source = cause.source();
    }
    error.is_incomplete_message()
}

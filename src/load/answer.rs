//! An answer and its arrival stamps to one outcome. Knows no socket: bytes and stamps come in as arguments.

use super::{
    dialect::{Course, Dialect, Pattern, Said},
    server_words,
    sse::{Event, Reader},
    told::Told,
};
use crate::session::{Failure, FailureClass, Finish, Outcome, RequestRecord, TokensFrom};

/// A whole answer beyond this is no answer of a model; 256 embeddings of 8,192 numbers take 40 MiB.
const WHOLE_LIMIT_BYTES: usize = 64 << 20;

/// The answer to one request as far as it has arrived.
#[derive(Debug)]
pub(super) struct Answer {
    dialect: Dialect,
    body: Body,
    facts: Facts,
}

/// The bytes that are not understood yet.
#[derive(Debug)]
enum Body {
    /// Of an event stream, the unfinished event.
    Stream(Reader),
    /// Of a whole answer, everything.
    Whole(Vec<u8>),
}

/// What the answer said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Arrival of the first output.
    first_token_ns: Option<u64>,
    /// Arrival of the first output that is no reasoning.
    first_answer_ns: Option<u64>,
    /// Arrival of the last output.
    last_token_ns: Option<u64>,
    /// Events that carried output.
    chunks: u32,
    /// Gaps between neighbouring events with output; events of one read share its stamp.
    pub(super) gaps_ns: Vec<u64>,
    /// What the model said, where somebody asked for it.
    pub(super) text: Option<String>,
    pattern: Pattern,
    /// Prompt tokens, of repeated counts the last.
    input_tokens: Option<u32>,
    /// What was told of output tokens.
    told: Told,
    finish: Option<Finish>,
    /// Arrival of the latest event; comments that only keep a connection open are none.
    last_event_ns: Option<u64>,
    done: bool,
    failure: Option<Failure>,
}

/// How the body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// As HTTP says a body ends.
    Clean,
    /// The connection ended first, in the middle of the body.
    Cut(String),
    /// The connection broke.
    Broken(String),
}

impl Answer {
    /// The answer to a request that was just sent; `keeps_text`: what the model says is wanted, and not only when.
    pub(super) fn new(dialect: Dialect, keeps_text: bool) -> Self {
        Self {
            dialect,
            body: if dialect.is_streaming() {
                Body::Stream(Reader::default())
            } else {
                Body::Whole(Vec::new())
            },
            facts: Facts {
                text: keeps_text.then(String::new),
                ..Facts::default()
            },
        }
    }

    /// Takes the next bytes of the body, which arrived at `at_ns`.
    pub(super) fn push(&mut self, bytes: &[u8], at_ns: u64) {
        let (dialect, facts) = (self.dialect, &mut self.facts);
        match &mut self.body {
            Body::Stream(reader) => {
                if reader.push(bytes, |event| facts.event(dialect, event, at_ns)).is_err() {
                    let message = "a line of the stream is longer than 4 MiB";
                    facts.fail(FailureClass::BadEvent, message.into());
                }
            }
            Body::Whole(whole) if whole.len() + bytes.len() > WHOLE_LIMIT_BYTES => {
                facts.fail(FailureClass::BadBody, "the answer is longer than 64 MiB".into());
            }
            Body::Whole(whole) => whole.extend_from_slice(bytes),
        }
    }

    /// Whether a first token has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.facts.first_token_ns.is_some()
    }

    /// Events with output so far.
    pub(super) fn chunks(&self) -> u32 {
        self.facts.chunks
    }

    /// Arrival of the latest event.
    pub(super) fn last_event_ns(&self) -> Option<u64> {
        self.facts.last_event_ns
    }

    /// Whether the server said that the answer is over (`[DONE]`).
    pub(super) fn is_done(&self) -> bool {
        self.facts.done
    }

    /// Whether more bytes cannot change that the request failed.
    pub(super) fn has_failed(&self) -> bool {
        self.facts.failure.is_some()
    }

    /// The outcome once the body has ended, at `at_ns`.
    pub(super) fn end(self, end: BodyEnd, at_ns: u64) -> (Outcome, Facts) {
        let (dialect, mut facts) = (self.dialect, self.facts);
        let outcome = match self.body {
            Body::Stream(mut reader) => {
                if end == BodyEnd::Clean && !facts.done {
                    facts.last_words(dialect, &mut reader, at_ns);
                }
                facts.outcome_of_stream(dialect, end)
            }
            Body::Whole(body) => facts.outcome_of_whole(dialect, &body, end),
        };
        (outcome, facts)
    }

    /// The outcome of a request that was given up.
    pub(super) fn give_up(self, class: FailureClass, message: String) -> (Outcome, Facts) {
        (failed(class, message), self.facts)
    }
}

impl Facts {
    /// Writes what the answer said into its record.
    pub(super) fn fill(&self, record: &mut RequestRecord) {
        let (output_tokens, tokens_from) = self.output_tokens();
        record.first_token_ns = self.first_token_ns;
        record.first_answer_ns = self.first_answer_ns;
        record.last_token_ns = self.last_token_ns;
        record.input_tokens = self.input_tokens;
        record.output_tokens = output_tokens;
        record.tokens_from = tokens_from;
        record.chunks = self.chunks;
        record.first_chunk_tokens = self.told.first_tokens();
        record.finish = self.finish;
    }

    /// Output tokens and where they come from.
    ///
    /// The server's count, or the number of chunks where it gives none. A server that counts nothing although output
    /// came is not believed.
    fn output_tokens(&self) -> (Option<u32>, TokensFrom) {
        match self.told.output_tokens() {
            // Beside a whole answer's output a count of nothing is not believed either, and there are no chunks to count.
            Some(tokens) if tokens > 0 => (Some(tokens), TokensFrom::Usage),
            _ if self.chunks > 0 => (Some(self.chunks), TokensFrom::Chunks),
            _ => (None, TokensFrom::Usage),
        }
    }

    fn event(&mut self, dialect: Dialect, event: Event<'_>, at_ns: u64) {
        if self.done || self.failure.is_some() || event.data.trim_ascii().is_empty() {
            return;
        }
        self.last_event_ns = Some(at_ns);
        if event.name == b"error" {
            self.fail(FailureClass::ErrorInStream, server_words::from_event(event.data));
        } else if event.data.trim_ascii() == b"[DONE]" {
            self.done = true;
        } else if let Some(said) = self.pattern.read(event.data) {
            self.take(&said, event.data, at_ns);
        } else {
            match dialect.event(event.data) {
                Ok(said) => {
                    self.pattern.learn(event.data, &said);
                    self.take(&said, event.data, at_ns);
                }
                Err(problem) => self.not_read(FailureClass::BadEvent, &format!("{problem} in event"), event.data),
            }
        }
    }

    fn take(&mut self, said: &Said<'_>, data: &[u8], at_ns: u64) {
        if said.course == Course::Failed {
            return self.fail(FailureClass::ErrorInStream, server_words::from_event(data));
        }
        self.count(said);
        self.done |= said.course == Course::Over;
        if said.answer {
            self.first_answer_ns = self.first_answer_ns.or(Some(at_ns));
        }
        if said.answer || said.reasoning {
            if let Some(before) = self.last_token_ns {
                self.gaps_ns.push(at_ns.saturating_sub(before));
            }
            self.first_token_ns = self.first_token_ns.or(Some(at_ns));
            self.last_token_ns = Some(at_ns);
            self.chunks += 1;
        }
    }

    /// Counts and finish, of repeated ones the last, and the text where it is wanted.
    fn count(&mut self, said: &Said<'_>) {
        self.input_tokens = said.usage.input_tokens.or(self.input_tokens);
        self.told.take(said);
        self.finish = said.finish.or(self.finish);
        if let Some(text) = &mut self.text {
            text.push_str(&said.text);
        }
    }

    /// The event that the end of a clean body left open; half an event is the mark of a cut stream, not of a broken one.
    fn last_words(&mut self, dialect: Dialect, reader: &mut Reader, at_ns: u64) {
        let mut half = false;
        reader.finish(|event| {
            if event.data == b"[DONE]" || dialect.event(event.data).is_ok() {
                self.event(dialect, event, at_ns);
            } else {
                half = true;
            }
        });
        self.done |= dialect.end_mark().is_none() && !half;
    }

    fn outcome_of_stream(&mut self, dialect: Dialect, end: BodyEnd) -> Outcome {
        if let Some(failure) = self.failure.take() {
            return Outcome::Failed(Box::new(failure));
        }
        let chunks = self.chunks;
        match end {
            BodyEnd::Cut(problem) if !self.done => failed(FailureClass::Truncated, problem),
            BodyEnd::Broken(problem) if !self.done => failed(FailureClass::ConnectionLost, problem),
            _ if self.last_event_ns.is_none() => {
                failed(FailureClass::EmptyStream, "the stream ended without any event".into())
            }
            _ if !self.done && self.finish.is_none() => {
                let mark = dialect.end_mark().unwrap_or("its last event");
                let message = format!("the stream ended after {chunks} chunks without {mark}");
                failed(FailureClass::Truncated, message)
            }
            _ if chunks == 0 => no_tokens("the stream was whole but held no output token"),
            _ => Outcome::Completed,
        }
    }

    fn outcome_of_whole(&mut self, dialect: Dialect, body: &[u8], end: BodyEnd) -> Outcome {
        match end {
            BodyEnd::Cut(problem) => return failed(FailureClass::Truncated, problem),
            BodyEnd::Broken(problem) => return failed(FailureClass::ConnectionLost, problem),
            BodyEnd::Clean => {}
        }
        if self.failure.is_none() {
            match dialect.whole(body) {
                Ok(said) if said.course == Course::Failed => {
                    self.fail(FailureClass::ErrorInStream, server_words::from_event(body));
                }
                Ok(said) => {
                    self.count(&said);
                    if !said.answer && !said.reasoning {
                        return no_tokens("the answer was whole but held no output");
                    }
                }
                Err(problem) => self.not_read(FailureClass::BadBody, &format!("{problem} in answer"), body),
            }
        }
        self.failure
            .take()
            .map_or(Outcome::Completed, |failure| Outcome::Failed(Box::new(failure)))
    }

    fn not_read(&mut self, class: FailureClass, problem: &str, data: &[u8]) {
        // Of a long answer that is not read, a message keeps no more than its beginning.
        let shown = data.get(..EXCERPT_BYTES).unwrap_or(data);
        self.fail(class, format!("{problem} `{}`", server_words::text(shown)));
    }

    fn fail(&mut self, class: FailureClass, message: String) {
        self.failure.get_or_insert(Failure { class, message });
    }
}

/// Long enough for any message, short enough to be copied for each of many failures.
const EXCERPT_BYTES: usize = 4 << 10;

fn no_tokens(message: &str) -> Outcome {
    failed(FailureClass::NoTokens, message.into())
}

/// A failed outcome; whoever makes the record takes secrets out of the whole message and then shortens it.
pub(super) fn failed(class: FailureClass, message: String) -> Outcome {
    Outcome::Failed(Box::new(Failure { class, message }))
}

#[cfg(test)]
mod tests;

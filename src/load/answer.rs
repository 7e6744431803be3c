//! Events and their arrival stamps to one outcome. Knows no socket: bytes and stamps come in as arguments.

use super::{
    chunk::{self, Chunk, Usage},
    server_words,
    sse::{Event, Reader},
};
use crate::session::{Failure, FailureClass, Outcome, TokensFrom};

/// The answer to one request as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct Answer {
    reader: Reader,
    facts: Facts,
}

/// What the events said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Arrival of the first output.
    pub(super) first_token_ns: Option<u64>,
    /// Arrival of the last output.
    pub(super) last_token_ns: Option<u64>,
    /// Events that carried output.
    pub(super) chunks: u32,
    /// Gaps between neighbouring events with output; events of one read share its stamp.
    pub(super) gaps_ns: Vec<u64>,
    /// What the model said, where somebody asked for it.
    pub(super) text: Option<String>,
    usage: Usage,
    /// Arrival of the latest event; comments that only keep a connection open are none.
    last_event_ns: Option<u64>,
    finished: bool,
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
    /// An empty one; `keeps_text`: what the model says is wanted, and not only when.
    pub(super) fn new(keeps_text: bool) -> Self {
        let text = keeps_text.then(String::new);
        Self {
            facts: Facts {
                text,
                ..Facts::default()
            },
            ..Self::default()
        }
    }

    /// Takes the next bytes of the body, which arrived at `at_ns`.
    pub(super) fn push(&mut self, bytes: &[u8], at_ns: u64) {
        let facts = &mut self.facts;
        let read = self.reader.push(bytes, |event| facts.event(event, at_ns));
        if read.is_err() {
            facts.fail(
                FailureClass::BadEvent,
                "a line of the stream is longer than 4 MiB".into(),
            );
        }
    }

    /// Whether a first token has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.facts.first_token_ns.is_some()
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
    pub(super) fn end(mut self, end: BodyEnd, at_ns: u64) -> (Outcome, Facts) {
        if end == BodyEnd::Clean && !self.facts.done {
            let facts = &mut self.facts;
            // A half event is the mark of a cut stream, not of a broken event.
            self.reader.finish(|event| {
                if event.data == b"[DONE]" || Chunk::parse(event.data).is_ok() {
                    facts.event(event, at_ns);
                }
            });
        }
        let outcome = self.facts.outcome(end);
        (outcome, self.facts)
    }

    /// The outcome of a request that was given up.
    pub(super) fn give_up(self, class: FailureClass, message: String) -> (Outcome, Facts) {
        (failed(class, message), self.facts)
    }
}

impl Facts {
    /// Prompt tokens as the server counted them.
    pub(super) fn input_tokens(&self) -> Option<u32> {
        self.usage.prompt_tokens
    }

    /// Output tokens and where they come from.
    ///
    /// The server's count, or the number of chunks where it gives none. A server that counts nothing although output
    /// came is not believed.
    pub(super) fn output_tokens(&self) -> (Option<u32>, TokensFrom) {
        match self.usage.completion_tokens {
            Some(tokens) if tokens > 0 || self.chunks == 0 => (Some(tokens), TokensFrom::Usage),
            _ => ((self.chunks > 0).then_some(self.chunks), TokensFrom::Chunks),
        }
    }

    fn event(&mut self, event: Event<'_>, at_ns: u64) {
        if self.done || self.failure.is_some() || event.data.trim_ascii().is_empty() {
            return;
        }
        self.last_event_ns = Some(at_ns);
        if event.name == b"error" {
            self.fail(FailureClass::ErrorInStream, server_words::from_event(event.data));
        } else if event.data.trim_ascii() == b"[DONE]" {
            self.done = true;
        } else {
            self.chunk(event.data, at_ns);
        }
    }

    fn chunk(&mut self, data: &[u8], at_ns: u64) {
        match Chunk::parse(data) {
            Ok(chunk) if chunk.is_error() => self.fail(FailureClass::ErrorInStream, server_words::from_event(data)),
            Ok(chunk) if chunk.choices.is_some() || chunk.usage.is_some() => {
                self.count(&chunk, at_ns);
                if let Some(text) = &mut self.text {
                    text.push_str(&chunk::text(data));
                }
            }
            Ok(_) => self.bad_event("neither `choices` nor `usage`", data),
            Err(error) => self.bad_event(&error.to_string(), data),
        }
    }

    fn count(&mut self, chunk: &Chunk, at_ns: u64) {
        if let Some(usage) = chunk.usage {
            self.usage = Usage {
                prompt_tokens: usage.prompt_tokens.or(self.usage.prompt_tokens),
                completion_tokens: usage.completion_tokens.or(self.usage.completion_tokens),
            };
        }
        let choices = chunk.choices.unwrap_or_default();
        self.finished |= choices.finished;
        if choices.output {
            if let Some(before) = self.last_token_ns {
                self.gaps_ns.push(at_ns.saturating_sub(before));
            }
            self.first_token_ns = self.first_token_ns.or(Some(at_ns));
            self.last_token_ns = Some(at_ns);
            self.chunks += 1;
        }
    }

    fn bad_event(&mut self, problem: &str, data: &[u8]) {
        let text = server_words::text(data);
        self.fail(FailureClass::BadEvent, format!("{problem} in event `{text}`"));
    }

    fn fail(&mut self, class: FailureClass, message: String) {
        self.failure.get_or_insert(Failure { class, message });
    }

    fn outcome(&mut self, end: BodyEnd) -> Outcome {
        if let Some(failure) = self.failure.take() {
            return Outcome::Failed(failure);
        }
        match end {
            BodyEnd::Cut(problem) if !self.done => failed(FailureClass::Truncated, problem),
            BodyEnd::Broken(problem) if !self.done => failed(FailureClass::ConnectionLost, problem),
            _ if self.last_event_ns.is_none() => {
                failed(FailureClass::EmptyStream, "the stream ended without any event".into())
            }
            _ if !self.done && !self.finished => failed(
                FailureClass::Truncated,
                format!(
                    "the stream ended after {} chunks without `[DONE]` or `finish_reason`",
                    self.chunks
                ),
            ),
            _ if self.chunks == 0 => failed(
                FailureClass::NoTokens,
                "the stream was whole but held no output token".into(),
            ),
            _ => Outcome::Completed,
        }
    }
}

/// A failed outcome; whoever makes the record takes secrets out of the whole message and then shortens it.
pub(super) fn failed(class: FailureClass, message: String) -> Outcome {
    Outcome::Failed(Failure { class, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    const TOKEN: &str = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
    const FINISH: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#;
    const DONE: &str = "data: [DONE]";

    /// Each entry is one read: its stamp and its events.
    fn answer(reads: &[(u64, &[&str])]) -> Answer {
        let mut answer = Answer::default();
        for (at_ns, events) in reads {
            let text = [events.join("\n\n"), "\n\n".into()].concat();
            answer.push(text.as_bytes(), *at_ns);
        }
        answer
    }

    fn class(end: BodyEnd, events: &[&str]) -> String {
        match answer(&[(1, events)]).end(end, 2).0 {
            Outcome::Completed => "completed".into(),
            Outcome::Failed(failure) => failure.class.key(),
        }
    }

    #[test]
    fn the_first_token_is_the_first_output_not_the_role() {
        let (outcome, facts) = answer(&[
            (10, &[ROLE]),
            (20, &[TOKEN]),
            (50, &[TOKEN]),
            (60, &[FINISH, USAGE, DONE]),
        ])
        .end(BodyEnd::Clean, 60);
        assert_eq!(outcome, Outcome::Completed);
        assert_eq!((facts.first_token_ns, facts.last_token_ns), (Some(20), Some(50)));
        assert_eq!((facts.chunks, facts.gaps_ns.as_slice()), (2, [30].as_slice()));
        assert_eq!(facts.output_tokens(), (Some(7), TokensFrom::Usage));
        assert_eq!(facts.input_tokens(), Some(9));
    }

    #[test]
    fn events_of_one_read_share_its_stamp_and_leave_a_gap_of_zero() {
        let (_, facts) = answer(&[(10, &[ROLE, TOKEN, TOKEN]), (30, &[TOKEN, DONE])]).end(BodyEnd::Clean, 30);
        assert_eq!(facts.first_token_ns, Some(10));
        assert_eq!(facts.gaps_ns, [0, 20]);
    }

    #[test]
    fn without_usage_chunks_are_counted() {
        let (_, facts) = answer(&[(1, &[TOKEN, TOKEN, DONE])]).end(BodyEnd::Clean, 1);
        assert_eq!(facts.output_tokens(), (Some(2), TokensFrom::Chunks));
    }

    #[test]
    fn the_last_usage_wins_and_a_zero_beside_output_is_not_believed() {
        let early =
            r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
        let (_, facts) = answer(&[(1, &[early, USAGE, DONE])]).end(BodyEnd::Clean, 1);
        assert_eq!(facts.output_tokens(), (Some(7), TokensFrom::Usage));
        let zero = r#"data: {"choices":[],"usage":{"completion_tokens":0}}"#;
        let (_, facts) = answer(&[(1, &[TOKEN, zero, DONE])]).end(BodyEnd::Clean, 1);
        assert_eq!(facts.output_tokens(), (Some(1), TokensFrom::Chunks));
    }

    #[test]
    fn a_stream_ends_in_the_class_that_fits() {
        let cut = || BodyEnd::Cut("unexpected end".into());
        let broken = || BodyEnd::Broken("reset".into());
        let cases: [(BodyEnd, &[&str], &str); 16] = [
            (BodyEnd::Clean, &[TOKEN, FINISH, DONE], "completed"),
            (BodyEnd::Clean, &[TOKEN, DONE], "completed"),
            (BodyEnd::Clean, &[TOKEN, FINISH], "completed"),
            (cut(), &[TOKEN, DONE], "completed"),
            (BodyEnd::Clean, &[], "empty_stream"),
            (BodyEnd::Clean, &[": ping"], "empty_stream"),
            (BodyEnd::Clean, &[ROLE, FINISH, DONE], "no_tokens"),
            (BodyEnd::Clean, &[TOKEN], "truncated"),
            (BodyEnd::Clean, &[TOKEN, "data: {\"cho"], "bad_event"),
            (cut(), &[TOKEN], "truncated"),
            (broken(), &[TOKEN], "connection_lost"),
            (BodyEnd::Clean, &[TOKEN, "data: oops", DONE], "bad_event"),
            (BodyEnd::Clean, &["data: {\"a\": 1}", DONE], "bad_event"),
            (
                BodyEnd::Clean,
                &[TOKEN, r#"data: {"error":{"message":"boom"}}"#, DONE],
                "error_in_stream",
            ),
            (BodyEnd::Clean, &["event: error\ndata: boom"], "error_in_stream"),
            (
                BodyEnd::Clean,
                &[r#"data: {"object":"error","message":"boom"}"#],
                "error_in_stream",
            ),
        ];
        for (end, events, expected) in cases {
            assert_eq!(class(end.clone(), events), expected, "{end:?} {events:?}");
        }
    }

    #[test]
    fn a_half_event_at_the_end_is_a_cut_stream_and_an_unclosed_one_counts() {
        for (tail, expected) in [
            ("data: {\"cho", "truncated"),
            ("data: [DONE]", "completed"),
            (FINISH, "completed"),
        ] {
            let mut answer = answer(&[(1, &[TOKEN])]);
            answer.push(tail.as_bytes(), 2);
            let key = match answer.end(BodyEnd::Clean, 3).0 {
                Outcome::Completed => "completed".into(),
                Outcome::Failed(failure) => failure.class.key(),
            };
            assert_eq!(key, expected, "{tail}");
        }
    }

    #[test]
    fn an_error_in_the_stream_keeps_the_server_s_words() {
        let (outcome, _) = answer(&[(1, &[r#"data: {"error":{"message":"out of memory"}}"#])]).end(BodyEnd::Clean, 1);
        let Outcome::Failed(failure) = outcome else {
            panic!("completed")
        };
        assert_eq!(failure.message, "out of memory");
    }
}

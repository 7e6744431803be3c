//! One request: its stamps, its tokens, and how it ended.

use crate::plan::Slo;

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestRecord {
    /// Its place in the workload of its run: the same index of the same cell and repeat is the same prompt in every
    /// session of the plan; in other runs of a session it is another prompt, of the same lengths if synthetic.
    pub index: u32,
    /// Intended send time, in open loop.
    pub scheduled_ns: Option<u64>,
    /// How long the connection took to open (DNS, TCP, TLS), where this request is the first on it; before `sent_ns`.
    pub connect_ns: Option<u64>,
    /// When the request was handed to a connection that was ready (connect time is before it).
    pub sent_ns: u64,
    /// Arrival of the first non-empty output token, content or reasoning.
    pub first_token_ns: Option<u64>,
    /// Arrival of the first non-empty output token that is no reasoning, where the server tells them apart.
    pub first_answer_ns: Option<u64>,
    /// Arrival of the last non-empty output token.
    pub last_token_ns: Option<u64>,
    /// Arrival of the answer's last byte, or when the request was given up.
    pub end_ns: u64,
    /// Prompt tokens as the server counted them.
    pub input_tokens: Option<u32>,
    /// Output tokens; where they come from is `tokens_from`.
    pub output_tokens: Option<u32>,
    /// Chunks that carried output.
    pub chunks: u32,
    /// Tokens of the first of them, where the server counts them before the end.
    pub first_chunk_tokens: Option<u32>,
    /// Where `output_tokens` comes from.
    pub tokens_from: TokensFrom,
    /// What the server's `usage` said where that cannot be true; such a count is not used.
    pub false_usage: Option<UsageClaim>,
    /// Why the model stopped, as the server says.
    pub finish: Option<Finish>,
    /// Which stage of its load it belongs to, from 0.
    pub stage: u16,
    /// Which turn of which conversation it is, where there are conversations.
    pub turn: Option<Turn>,
    /// Its own latency limits, where they differ from the plan's; few requests have any, so that they stand elsewhere.
    pub slo: Option<Box<Slo>>,
    /// How often it was refused and sent again; `sent_ns` is of the first try.
    pub retries: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finish {
    /// By itself: end of text, or a stop word.
    Stop,
    /// At the length that was asked for, or the model's limit.
    Length,
    /// Anything else (`tool_calls`, `content_filter`).
    Other,
}

/// A place in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which conversation of the run, from 0.
    pub conversation: u32,
    /// Which turn of it, from 0.
    pub turn: u32,
}

/// Where a token count comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokensFrom {
    /// The server's `usage` object.
    #[default]
    Usage,
    /// The number of chunks with output, where the server sends no `usage`.
    Chunks,
    /// The tokenizer of the tool that measured, which counted the text of the answer.
    Tokenizer,
}

/// Token counts as a server stated them, those that cannot be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageClaim {
    /// Prompt tokens: none at all, or far more than the request has bytes.
    pub input_tokens: Option<u32>,
    /// Output tokens: far more than were asked for, or fewer than the chunks that carried them.
    pub output_tokens: Option<u32>,
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// A whole, non-empty answer.
    #[default]
    Completed,
    /// Anything else; few requests fail, so that the words stand elsewhere.
    Failed(Box<Failure>),
}

/// Why a request failed, with the server's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub class: FailureClass,
    /// The server's own message, or the transport's; at most 300 characters.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// No connection: unknown host, TLS, no port left on this machine.
    Connect,
    /// No connection: nobody listens there.
    ConnectRefused,
    /// No connection in time.
    ConnectTimeout,
    /// A status other than 200 (`http_404`).
    Http(u16),
    /// The answer was no event stream.
    NotEventStream,
    /// The stream ended without any event.
    EmptyStream,
    /// The stream was whole, but held no output token.
    NoTokens,
    /// The server sent an `error` object inside the stream.
    ErrorInStream,
    /// An event that is not the API's JSON.
    BadEvent,
    /// A whole answer that is not the API's JSON.
    BadBody,
    /// The stream ended cleanly, but before the answer did.
    Truncated,
    /// The connection broke.
    ConnectionLost,
    /// No first token in time.
    FirstTokenTimeout,
    /// The stream stalled after its first token.
    Stalled,
    /// The whole answer took too long.
    TotalTimeout,
    /// A turn that was never sent, because one before it in its conversation failed.
    Abandoned,
}

impl FailureClass {
    /// As written in files and reports (`http_404`, `stalled`).
    pub fn key(self) -> String {
        match self {
            Self::Connect => "connect".into(),
            Self::ConnectRefused => "connect_refused".into(),
            Self::ConnectTimeout => "connect_timeout".into(),
            Self::Http(status) => format!("http_{status}"),
            Self::NotEventStream => "not_event_stream".into(),
            Self::EmptyStream => "empty_stream".into(),
            Self::NoTokens => "no_tokens".into(),
            Self::ErrorInStream => "error_in_stream".into(),
            Self::BadEvent => "bad_event".into(),
            Self::BadBody => "bad_body".into(),
            Self::Truncated => "truncated".into(),
            Self::ConnectionLost => "connection_lost".into(),
            Self::FirstTokenTimeout => "first_token_timeout".into(),
            Self::Stalled => "stalled".into(),
            Self::TotalTimeout => "total_timeout".into(),
            Self::Abandoned => "abandoned".into(),
        }
    }

    /// The class with this key, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        if let Some(status) = key.strip_prefix("http_") {
            return status.parse().ok().map(Self::Http);
        }
        PLAIN.into_iter().find(|class| class.key() == key)
    }
}

/// The classes without a number of their own.
const PLAIN: [FailureClass; 15] = [
    FailureClass::Connect,
    FailureClass::ConnectRefused,
    FailureClass::ConnectTimeout,
    FailureClass::NotEventStream,
    FailureClass::EmptyStream,
    FailureClass::NoTokens,
    FailureClass::ErrorInStream,
    FailureClass::BadEvent,
    FailureClass::BadBody,
    FailureClass::Truncated,
    FailureClass::ConnectionLost,
    FailureClass::FirstTokenTimeout,
    FailureClass::Stalled,
    FailureClass::TotalTimeout,
    FailureClass::Abandoned,
];

impl RequestRecord {
    /// Whether the answer was whole.
    pub fn completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// The same with all its stamps moved.
    #[must_use]
    pub fn moved(&self, by: impl Fn(u64) -> u64) -> Self {
        Self {
            scheduled_ns: self.scheduled_ns.map(&by),
            sent_ns: by(self.sent_ns),
            first_token_ns: self.first_token_ns.map(&by),
            first_answer_ns: self.first_answer_ns.map(&by),
            last_token_ns: self.last_token_ns.map(&by),
            end_ns: by(self.end_ns),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_class_finds_itself_again() {
        for class in [
            FailureClass::Http(404),
            FailureClass::Stalled,
            FailureClass::NotEventStream,
            FailureClass::TotalTimeout,
            FailureClass::Abandoned,
        ] {
            assert_eq!(FailureClass::from_key(&class.key()), Some(class));
        }
        assert_eq!(FailureClass::from_key("nonsense"), None);
    }
}

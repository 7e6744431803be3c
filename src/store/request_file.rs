//! How a request looks in a file. Every `///` line here is the description in the JSON Schema.
//!
//! Values that most requests share are left out of the file: a session of 300,000 requests is read at every comparison.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use super::{defaults::is_default, plan_file::SloFile};
use crate::{
    plan::Slo,
    session::{Failure, FailureClass, Finish, Outcome, RequestRecord, TokensFrom, Turn, UsageClaim},
};

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    /// Its place in the workload, from 0: the same index is the same prompt in every session of the plan.
    /// Left out: its place in `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    /// Intended send time, in open loop; not after `sent_ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scheduled_ns: Option<u64>,
    /// How long its connection took to open (DNS, TCP, TLS), before `sent_ns`. Left out: an earlier request had used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) connect_ns: Option<u64>,
    /// When the request was handed to a ready connection (connect time is before it).
    pub(super) sent_ns: u64,
    /// Arrival of the first non-empty output token, content or reasoning; a completed request has one, where it was
    /// streamed and holds tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_token_ns: Option<u64>,
    /// Arrival of the first non-empty output token that is no reasoning, where the server tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_answer_ns: Option<u64>,
    /// Arrival of the last non-empty output token; a completed request has one, where it was streamed and holds tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_token_ns: Option<u64>,
    /// Arrival of the answer's last byte, or when the request was given up.
    pub(super) end_ns: u64,
    /// Prompt tokens as the server counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input_tokens: Option<u32>,
    /// Output tokens; without them the request has no TPOT and adds nothing to throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output_tokens: Option<u32>,
    /// Chunks that carried output. Left out: as many as output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chunks: Option<u32>,
    /// Tokens of the first of them, where the server counts them before the end; TPOT is of those after it. Left out: not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_chunk_tokens: Option<u32>,
    /// Where `output_tokens` comes from. Left out: the server's `usage` object.
    #[serde(default, skip_serializing_if = "is_default", with = "TokensFromFile")]
    pub(super) tokens_from: TokensFrom,
    /// What the server's `usage` said where that cannot be true and was not used. Left out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) false_usage: Option<ClaimEntry>,
    /// Why the model stopped, as the server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finish: Option<FinishEntry>,
    /// Which stage of its load it belongs to, from 0. Left out: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) stage: u16,
    /// Which turn of which conversation it is, where there are conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<TurnEntry>,
    /// Its own latency limits, where they differ from the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slo: Option<SloEntry>,
    /// How often it was refused and sent again; `sent_ns` is of the first try. Left out: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) retries: u32,
    /// Why the request failed. Left out: it completed with a whole, non-empty answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Box<FailureFile>>,
}

/// The requests of a run. Each becomes its record as it is read: a session of 300,000 never stands in memory twice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Records(pub(super) Vec<RequestRecord>);

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let requests = (0_u32..).zip(&self.0);
        to.collect_seq(requests.map(|(place, record)| RequestFile::at(place, record)))
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(EachAsItComes)
    }
}

impl JsonSchema for Records {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<RequestFile>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<RequestFile>::json_schema(generator)
    }
}

struct EachAsItComes;

impl<'de> Visitor<'de> for EachAsItComes {
    type Value = Records;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<Records, A::Error> {
        let mut records = Vec::new();
        let mut place = 0;
        while let Some(request) = requests.next_element::<RequestFile>()? {
            records.push(request.record(place));
            place += 1;
        }
        Ok(Records(records))
    }
}

/// Where a token count comes from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "TokensFrom", rename_all = "snake_case")]
enum TokensFromFile {
    /// The server's `usage` object.
    Usage,
    /// The number of chunks with output.
    Chunks,
    /// The tokenizer of the tool that measured.
    Tokenizer,
}

/// A claim where one was not believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct ClaimEntry(#[serde(with = "ClaimFile")] pub(super) UsageClaim);

/// Token counts that cannot be true.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "UsageClaim", deny_unknown_fields)]
struct ClaimFile {
    /// Prompt tokens: none at all, or far more than the request has bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u32>,
    /// Output tokens: far more than were asked for, or fewer than the chunks that carried them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u32>,
}

/// Why a model stopped, where it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct FinishEntry(#[serde(with = "FinishFile")] pub(super) Finish);

/// Why a model stopped.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Finish", rename_all = "snake_case")]
enum FinishFile {
    /// By itself: end of text, or a stop word.
    Stop,
    /// At the length that was asked for, or the model's limit.
    Length,
    /// Anything else.
    Other,
}

/// A turn where there are conversations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct TurnEntry(#[serde(with = "TurnFile")] pub(super) Turn);

/// A place in a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Turn", deny_unknown_fields)]
struct TurnFile {
    /// Which conversation of the run, from 0.
    conversation: u32,
    /// Which turn of it, from 0.
    turn: u32,
}

/// Latency limits of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct SloEntry(#[serde(with = "SloFile")] pub(super) Slo);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureFile {
    /// The kind: `connect`, `connect_refused`, `connect_timeout`, `http_` and the status (`http_404`),
    /// `not_event_stream`, `empty_stream`, `no_tokens`, `error_in_stream`, `bad_event`, `bad_body`, `truncated`,
    /// `connection_lost`, `first_token_timeout`, `stalled`, `total_timeout` or `abandoned`.
    #[serde(serialize_with = "class_key", deserialize_with = "class_from_key")]
    #[schemars(with = "String")]
    pub(super) class: FailureClass,
    /// The server's own message, or the transport's.
    pub(super) message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn class_key<S: Serializer>(class: &FailureClass, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&class.key())
}

fn class_from_key<'de, D: Deserializer<'de>>(from: D) -> Result<FailureClass, D::Error> {
    let key = String::deserialize(from)?;
    FailureClass::from_key(&key)
        .ok_or_else(|| de::Error::custom(format!("unknown failure class `{key}`; docs/files.md lists them")))
}

impl RequestFile {
    /// A record that stands at a place in its run.
    pub(super) fn at(place: u32, record: &RequestRecord) -> Self {
        Self {
            index: (record.index != place).then_some(record.index),
            scheduled_ns: record.scheduled_ns,
            connect_ns: record.connect_ns,
            sent_ns: record.sent_ns,
            first_token_ns: record.first_token_ns,
            first_answer_ns: record.first_answer_ns,
            last_token_ns: record.last_token_ns,
            end_ns: record.end_ns,
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            chunks: (record.chunks != record.output_tokens.unwrap_or(0)).then_some(record.chunks),
            first_chunk_tokens: record.first_chunk_tokens,
            tokens_from: record.tokens_from,
            false_usage: record.false_usage.map(ClaimEntry),
            finish: record.finish.map(FinishEntry),
            stage: record.stage,
            turn: record.turn.map(TurnEntry),
            slo: record.slo.as_deref().copied().map(SloEntry),
            retries: record.retries,
            outcome: match &record.outcome {
                Outcome::Completed => None,
                Outcome::Failed(failure) => Some(Box::new(FailureFile {
                    class: failure.class,
                    message: failure.message.clone(),
                })),
            },
        }
    }

    /// The record, whose place in its run is its index unless the file says otherwise.
    pub(super) fn record(self, place: u32) -> RequestRecord {
        RequestRecord {
            index: self.index.unwrap_or(place),
            scheduled_ns: self.scheduled_ns,
            connect_ns: self.connect_ns,
            sent_ns: self.sent_ns,
            first_token_ns: self.first_token_ns,
            first_answer_ns: self.first_answer_ns,
            last_token_ns: self.last_token_ns,
            end_ns: self.end_ns,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            chunks: self.chunks.or(self.output_tokens).unwrap_or(0),
            first_chunk_tokens: self.first_chunk_tokens,
            tokens_from: self.tokens_from,
            false_usage: self.false_usage.map(|entry| entry.0),
            finish: self.finish.map(|entry| entry.0),
            stage: self.stage,
            turn: self.turn.map(|entry| entry.0),
            slo: self.slo.map(|entry| Box::new(entry.0)),
            retries: self.retries,
            outcome: match self.outcome {
                None => Outcome::Completed,
                Some(failure) => Outcome::Failed(Box::new(Failure {
                    class: failure.class,
                    message: failure.message,
                })),
            },
        }
    }
}

//! How the prompts and answer lengths look in a file. Every `///` line here is the description in the JSON Schema.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    defaults::{self, is_default, is_one, nanoseconds},
    lengths_file::LengthsFile,
};
use crate::plan::{
    Conversation, DatasetFormat, Images, Lengths, ModelShare, Prompts, ThinkTime, Tokenizer, TraceFormat, Workload,
};

/// The prompts and answer lengths of every run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkloadFile {
    /// Where prompts come from.
    #[serde(with = "PromptsFile")]
    prompts: Prompts,
    /// Answer lengths in tokens; a row of a dataset or trace that states its own keeps it.
    #[serde(with = "LengthsFile")]
    output_tokens: Lengths,
    /// Who counted the tokens of synthetic prompts. Left out: the server where it can, else its own `usage`.
    #[serde(default, skip_serializing_if = "is_default", with = "TokenizerFile")]
    tokenizer: Tokenizer,
    /// Conversations of several turns. Left out: each request stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationEntry>,
    /// Synthetic images in each chat message. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    images: Option<ImagesEntry>,
    /// Models (or `LoRA` adapters) that share the requests by weight. Left out: all go to the target's model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<ModelEntry>,
    /// Texts in one embeddings request. Left out: 1.
    #[serde(default = "defaults::one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1))]
    batch: u32,
    /// Whether warm-up and runs may see a prompt again. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    reuse_prompts: bool,
}

/// Where prompts come from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Prompts", rename_all = "snake_case", deny_unknown_fields)]
enum PromptsFile {
    /// Made from the seed.
    Synthetic {
        /// Prompt lengths in tokens.
        #[serde(with = "LengthsFile")]
        input_tokens: Lengths,
    },
    /// Made from the seed, in groups whose prompts begin alike.
    SharedPrefix {
        /// How many different prefixes.
        #[schemars(range(min = 1))]
        groups: u32,
        /// Lengths of the shared beginnings in tokens.
        #[serde(with = "LengthsFile")]
        prefix_tokens: Lengths,
        /// Lengths of what follows the prefix, in tokens.
        #[serde(with = "LengthsFile")]
        input_tokens: Lengths,
        /// Requests of one group that follow each other. Left out: the group of each request is drawn from the seed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompts_per_group: Option<u32>,
    },
    /// A file of prompts.
    Dataset {
        /// Its path, as configured.
        path: String,
        /// How the file is read. Left out: by its content.
        #[serde(default, skip_serializing_if = "is_default", with = "DatasetFormatFile")]
        format: DatasetFormat,
        /// Column or key that holds the prompt, where it has another name than usual.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt_column: Option<String>,
        /// Column or key whose text's length (or number) is the answer length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_column: Option<String>,
        /// SHA-256 of its bytes, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// A trace: lengths (or prompts) with the times at which they came.
    Trace {
        /// Its path, as configured.
        path: String,
        /// How the file is read. Left out: by its content.
        #[serde(default, skip_serializing_if = "is_default", with = "TraceFormatFile")]
        format: TraceFormat,
        /// SHA-256 of its bytes, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// Those of another tool, whose result was imported.
    Foreign {
        /// In a few signs.
        name: String,
        /// What the tool was asked for, as it says itself. Left out: nothing is known.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        asked: BTreeMap<String, String>,
    },
}

/// How a dataset file is read.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "DatasetFormat", rename_all = "lowercase")]
enum DatasetFormatFile {
    /// By its content.
    Auto,
    /// One JSON object a line.
    Jsonl,
    /// A JSON array of conversations, as `ShareGPT` has them.
    ShareGpt,
    /// Comma-separated values with a header line.
    Csv,
}

/// How a trace file is read.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "TraceFormat", rename_all = "snake_case")]
enum TraceFormatFile {
    /// By its content.
    Auto,
    /// JSON lines with `timestamp` (ms), `input_length`, `output_length`, `hash_ids`.
    Mooncake,
    /// CSV with `TIMESTAMP`, `ContextTokens`, `GeneratedTokens`.
    AzureLlm,
    /// CSV with `Timestamp` (s), `Request tokens`, `Response tokens`.
    #[serde(rename = "burstgpt")]
    BurstGpt,
    /// JSON lines with `timestamp_s` and a prompt or lengths.
    Jsonl,
}

/// Who counts the tokens of synthetic prompts.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Tokenizer", rename_all = "snake_case", deny_unknown_fields)]
enum TokenizerFile {
    /// The server's `/tokenize` where it has one, else calibrated.
    Auto,
    /// A local Hugging Face `tokenizer.json`.
    File {
        /// Its path, as configured.
        path: String,
        /// SHA-256 of its bytes, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// The server's `/tokenize`.
    Server,
    /// Tokens per word, measured once from the server's own `usage`.
    Calibrated,
    /// One word counts as one token.
    Words,
}

/// Conversations where a plan has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct ConversationEntry(#[serde(with = "ConversationFile")] Conversation);

/// Conversations of several turns, in which the model's own answers are sent back.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Conversation", deny_unknown_fields)]
struct ConversationFile {
    /// Turns of one conversation.
    #[serde(with = "LengthsFile")]
    turns: Lengths,
    /// Pause between an answer's end and the next turn.
    #[serde(with = "ThinkTimeFile")]
    think_time: ThinkTime,
}

/// The pause of a user between two turns, in nanoseconds.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ThinkTime")]
enum ThinkTimeFile {
    /// Always the same.
    #[serde(rename = "fixed_ns")]
    Fixed(
        #[serde(with = "nanoseconds")]
        #[schemars(with = "u64")]
        Duration,
    ),
    /// Exponential with this mean.
    #[serde(rename = "exponential_ns")]
    Exponential(
        #[serde(with = "nanoseconds")]
        #[schemars(with = "u64")]
        Duration,
    ),
}

/// Images where a plan has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct ImagesEntry(#[serde(with = "ImagesFile")] Images);

/// Synthetic images in each chat message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Images", deny_unknown_fields)]
struct ImagesFile {
    /// Width in pixels.
    #[schemars(range(min = 1))]
    width_px: u32,
    /// Height in pixels.
    #[schemars(range(min = 1))]
    height_px: u32,
    /// Images in one request.
    #[schemars(range(min = 1))]
    per_request: u32,
}

/// A model as an entry of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct ModelEntry(#[serde(with = "ModelFile")] ModelShare);

/// A model's share of the requests.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ModelShare", deny_unknown_fields)]
struct ModelFile {
    /// Model or adapter name sent with its requests.
    name: String,
    /// Its weight among all, above zero.
    weight: f64,
}

impl From<&Workload> for WorkloadFile {
    fn from(workload: &Workload) -> Self {
        let workload = workload.clone();
        Self {
            prompts: workload.prompts,
            output_tokens: workload.output_tokens,
            tokenizer: workload.tokenizer,
            conversation: workload.conversation.map(ConversationEntry),
            images: workload.images.map(ImagesEntry),
            models: workload.models.into_iter().map(ModelEntry).collect(),
            batch: workload.batch,
            reuse_prompts: workload.reuse_prompts,
        }
    }
}

impl From<WorkloadFile> for Workload {
    fn from(file: WorkloadFile) -> Self {
        Self {
            prompts: file.prompts,
            output_tokens: file.output_tokens,
            tokenizer: file.tokenizer,
            conversation: file.conversation.map(|entry| entry.0),
            images: file.images.map(|entry| entry.0),
            models: file.models.into_iter().map(|entry| entry.0).collect(),
            batch: file.batch,
            reuse_prompts: file.reuse_prompts,
        }
    }
}

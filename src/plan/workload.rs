//! What is sent: prompts, answer lengths, conversations, images, and who counts the tokens.

use std::{collections::BTreeMap, fmt, time::Duration};

/// The prompts and answer lengths of every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Where prompts come from.
    pub prompts: Prompts,
    /// Answer lengths in tokens; a row of a dataset or trace that states its own keeps it.
    pub output_tokens: Lengths,
    /// Who counts the tokens of synthetic prompts.
    pub tokenizer: Tokenizer,
    /// Whether requests belong to conversations of several turns.
    pub conversation: Option<Conversation>,
    /// Synthetic images in each chat message.
    pub images: Option<Images>,
    /// Models (or `LoRA` adapters) that share the requests by weight; empty where all go to the target's model.
    pub models: Vec<ModelShare>,
    /// Texts in one embeddings request.
    pub batch: u32,
    /// Whether warm-up and runs may see a prompt again: what a prefix cache answers faster.
    pub reuse_prompts: bool,
}

impl Workload {
    /// The usual workload of these prompts and answer lengths: one model, one turn, no image, no prompt seen twice.
    pub fn new(prompts: Prompts, output_tokens: Lengths) -> Self {
        Self {
            prompts,
            output_tokens,
            tokenizer: Tokenizer::Auto,
            conversation: None,
            images: None,
            models: Vec::new(),
            batch: 1,
            reuse_prompts: false,
        }
    }

    /// Short name for cells (`synthetic-1000±200/200±50`, `chat.jsonl/128`; a trace has lengths of its own).
    pub fn name(&self) -> String {
        let prompts = self.name_of_prompts();
        let answers = match &self.prompts {
            Prompts::Trace { .. } | Prompts::Foreign { .. } => String::new(),
            _ => format!("/{}", self.output_tokens),
        };
        let turns = self
            .conversation
            .as_ref()
            .map(|talk| format!(" × {} turns", talk.turns));
        format!("{prompts}{answers}{}", turns.unwrap_or_default())
    }

    /// The same of the prompts alone (`synthetic-1000±200`).
    pub fn name_of_prompts(&self) -> String {
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        match &self.prompts {
            Prompts::Synthetic { input_tokens } => format!("synthetic-{input_tokens}"),
            Prompts::SharedPrefix {
                groups,
                prefix_tokens,
                input_tokens,
                ..
            } => format!("prefix-{groups}x{prefix_tokens}+{input_tokens}"),
            Prompts::Dataset { path, .. } | Prompts::Trace { path, .. } => file_name(path),
            Prompts::Foreign { name, .. } => name.clone(),
        }
    }
}

/// Where prompts come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompts {
    /// Made from the seed; lengths in tokens.
    Synthetic {
        /// Prompt lengths in tokens.
        input_tokens: Lengths,
    },
    /// Made from the seed, in groups whose prompts begin alike: what a prefix cache is for.
    SharedPrefix {
        /// How many different prefixes.
        groups: u32,
        /// Lengths of the shared beginnings in tokens.
        prefix_tokens: Lengths,
        /// Lengths of what follows the prefix, in tokens.
        input_tokens: Lengths,
        /// Requests of one group that follow each other; `None` draws the group of each request from the seed.
        prompts_per_group: Option<u32>,
    },
    /// A file of prompts.
    Dataset {
        /// As configured, relative to the configuration file or the working directory.
        path: String,
        /// How the file is read.
        format: DatasetFormat,
        /// Column or key that holds the prompt, where it has another name than usual.
        prompt_column: Option<String>,
        /// Column or key whose text's length (or number) is the answer length.
        output_column: Option<String>,
        /// SHA-256 of the file's bytes in hex; `None` until the file was read.
        sha256: Option<String>,
    },
    /// A trace: lengths (or prompts) with the times at which they came.
    Trace {
        /// As configured, relative to the configuration file or the working directory.
        path: String,
        /// How the file is read.
        format: TraceFormat,
        /// SHA-256 of the file's bytes in hex; `None` until the file was read.
        sha256: Option<String>,
    },
    /// Those of another tool, whose result was imported: of the plan's other numbers its owner is not known to have set any.
    Foreign {
        /// In a few signs (`random`).
        name: String,
        /// What the tool was asked for, as it says itself (`num_prompts` → `200`).
        asked: BTreeMap<String, String>,
    },
}

impl Prompts {
    /// Whether another tool measured.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }

    /// A dataset at a path, read by its content.
    pub fn dataset(path: impl Into<String>) -> Self {
        Self::Dataset {
            path: path.into(),
            format: DatasetFormat::Auto,
            prompt_column: None,
            output_column: None,
            sha256: None,
        }
    }
}

/// How a dataset file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatasetFormat {
    /// By its content.
    #[default]
    Auto,
    /// One JSON object a line, with `prompt` or `messages`, or the configured column.
    Jsonl,
    /// A JSON array of conversations, as `ShareGPT` has them.
    ShareGpt,
    /// Comma-separated values with a header line.
    Csv,
}

/// How a trace file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceFormat {
    /// By its content.
    #[default]
    Auto,
    /// JSON lines with `timestamp` (ms), `input_length`, `output_length`, `hash_ids`.
    Mooncake,
    /// CSV with `TIMESTAMP`, `ContextTokens`, `GeneratedTokens`.
    AzureLlm,
    /// CSV with `Timestamp` (s), `Request tokens`, `Response tokens`.
    BurstGpt,
    /// JSON lines with `timestamp_s` and a prompt or lengths.
    Jsonl,
}

/// Who counts the tokens of synthetic prompts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tokenizer {
    /// The server's `/tokenize` where it has one, else [`Self::Calibrated`].
    #[default]
    Auto,
    /// A local Hugging Face `tokenizer.json`.
    File {
        /// As configured.
        path: String,
        /// SHA-256 of the file's bytes in hex; `None` until the file was read.
        sha256: Option<String>,
    },
    /// The server's `/tokenize`.
    Server,
    /// Tokens per word, measured once from the server's own `usage.prompt_tokens`.
    Calibrated,
    /// One word counts as one token: about right, asks nobody.
    Words,
}

/// Conversations of several turns, in which the model's own answers are sent back.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Turns of one conversation.
    pub turns: Lengths,
    /// Pause between an answer's end and the next turn.
    pub think_time: ThinkTime,
}

/// The pause of a user between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkTime {
    /// Always the same.
    Fixed(Duration),
    /// Exponential with this mean.
    Exponential(Duration),
}

/// Synthetic images in each chat message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Images {
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// Images in one request.
    pub per_request: u32,
}

/// A model's share of the requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelShare {
    /// Model or adapter name sent with its requests.
    pub name: String,
    /// Its weight among all, above zero.
    pub weight: f64,
}

/// A distribution of lengths in tokens (or of turns).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lengths {
    /// Always the same.
    Fixed(u32),
    /// Normal, rounded, cut at one token.
    Normal {
        /// Mean in tokens.
        mean: f64,
        /// Standard deviation in tokens.
        std: f64,
    },
    /// Lognormal with this mean and deviation of the lengths themselves, rounded, cut at one token.
    LogNormal {
        /// Mean in tokens.
        mean: f64,
        /// Standard deviation in tokens.
        std: f64,
    },
    /// Uniform over whole numbers, both ends included.
    Uniform {
        /// Smallest length in tokens.
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
    /// Zipf over whole numbers, both ends included: `P(min + k − 1) ∝ k^−exponent`.
    Zipf {
        /// Smallest and most frequent length in tokens.
        min: u32,
        /// Largest length in tokens.
        max: u32,
        /// Above zero; the larger, the rarer long ones are.
        exponent: f64,
    },
    /// Another distribution whose draws outside the range are drawn again (at most a hundred times, then cut).
    Within {
        /// The distribution: `Normal` or `LogNormal`.
        shape: Shape,
        /// Smallest length in tokens.
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
}

/// A bell that a range cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// As [`Lengths::Normal`].
    Normal {
        /// Mean in tokens, before the cut.
        mean: f64,
        /// Standard deviation in tokens, before the cut.
        std: f64,
    },
    /// As [`Lengths::LogNormal`].
    LogNormal {
        /// Mean in tokens, before the cut.
        mean: f64,
        /// Standard deviation in tokens, before the cut.
        std: f64,
    },
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(tokens) => write!(f, "{tokens}"),
            Self::Normal { mean, std } => write!(f, "{mean}±{std}"),
            Self::LogNormal { mean, std } => write!(f, "{mean}±{std} lognormal"),
            Self::Uniform { min, max } => write!(f, "{min}–{max}"),
            Self::Zipf { min, max, exponent } => write!(f, "{min}–{max} zipf {exponent}"),
            Self::Within { shape, min, max } => match shape {
                Shape::Normal { mean, std } => write!(f, "{mean}±{std} in {min}–{max}"),
                Shape::LogNormal { mean, std } => write!(f, "{mean}±{std} lognormal in {min}–{max}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_named_by_prompts_and_answers() {
        let normal = Lengths::Normal {
            mean: 1000.0,
            std: 200.0,
        };
        let synthetic = Prompts::Synthetic { input_tokens: normal };
        let mut workload = Workload::new(synthetic, Lengths::Fixed(128));
        assert_eq!(workload.name(), "synthetic-1000±200/128");
        workload.conversation = Some(Conversation {
            turns: Lengths::Uniform { min: 2, max: 5 },
            think_time: ThinkTime::Fixed(Duration::ZERO),
        });
        assert_eq!(workload.name(), "synthetic-1000±200/128 × 2–5 turns");
        let trace = Prompts::Trace {
            path: "traces/azure.csv".into(),
            format: TraceFormat::Auto,
            sha256: None,
        };
        let own_lengths = Workload::new(trace, Lengths::Fixed(128));
        assert_eq!(own_lengths.name(), "azure.csv");
    }
}

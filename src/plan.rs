//! What was asked: target, workload, load levels, repeats. Resolved once by `config`; nothing after that reads flags.
//!
//! A plan holds no secret: the API key and header values travel apart, in [`Secrets`].

use std::{collections::BTreeMap, fmt, time::Duration};

/// Everything that is needed to measure one arm, and to tell whether another session measured the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The server under test.
    pub target: Target,
    /// The prompts and answer lengths.
    pub workload: Workload,
    /// Load levels; each is one cell, in the order given.
    pub loads: Vec<Load>,
    /// Measured requests of one run.
    pub requests_per_run: u32,
    /// Warm-up requests before each run; other prompts than the measured ones.
    pub warmup_requests: u32,
    /// Runs of each cell.
    pub repeats: u32,
    /// Seed of prompts, lengths and schedules.
    pub seed: u64,
    /// A run with a larger share of failed requests is invalid (0.01 = 1 %).
    pub max_error_rate: f64,
    /// The hardware as its owner describes it, flattened (`gpu` → `H100-80GB SXM`).
    pub hardware: BTreeMap<String, String>,
    /// The serving framework as its owner describes it, flattened (`config.tensor_parallel_size` → `8`).
    pub framework: BTreeMap<String, String>,
}

/// The server under test.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Base address, with or without a trailing `/v1` (`http://127.0.0.1:8000`).
    pub url: String,
    /// Model name sent with each request; `None` asks the server for its only model.
    pub model: Option<String>,
    /// Which API the requests use.
    pub api: Api,
    /// Names of extra headers, as configured; their values are not part of a plan.
    pub header_names: Vec<String>,
    /// Name of the environment variable that holds the API key.
    pub api_key_env: Option<String>,
    /// How long each phase of a request may take.
    pub timeouts: Timeouts,
    /// Extra fields of the request body, each as JSON text (`ignore_eos` → `true`).
    pub extra_body: BTreeMap<String, String>,
}

/// What the requests need and no file, log or report may hold.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Sent as `Authorization: Bearer …`.
    pub api_key: Option<String>,
    /// Extra headers with their values, in the order given.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets { .. }")
    }
}

/// The API that the requests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
}

impl Api {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
        }
    }
}

/// How long each phase of a request may take before it counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection.
    pub connect: Duration,
    /// From send to the first token.
    pub first_token: Duration,
    /// Between two reads of a stream that has begun.
    pub between_tokens: Duration,
    /// From send to the last byte.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            between_tokens: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// The prompts and answer lengths of every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Where prompts come from.
    pub prompts: Prompts,
    /// Answer lengths in tokens.
    pub output_tokens: Lengths,
}

/// Where prompts come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompts {
    /// Made from the seed; lengths in tokens.
    Synthetic {
        /// Prompt lengths in tokens.
        input_tokens: Lengths,
    },
    /// A JSONL file, one object a line with `prompt` or `messages` and optionally `output_tokens`.
    Dataset {
        /// As configured, relative to the configuration file or the working directory.
        path: String,
        /// SHA-256 of the file's bytes in hex; `None` until the file was read.
        sha256: Option<String>,
    },
}

/// A distribution of lengths in tokens.
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
    /// Uniform over whole numbers, both ends included.
    Uniform {
        /// Smallest length in tokens.
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(tokens) => write!(f, "{tokens}"),
            Self::Normal { mean, std } => write!(f, "{mean}±{std}"),
            Self::Uniform { min, max } => write!(f, "{min}–{max}"),
        }
    }
}

/// One load level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed loop: this many requests in flight, the next sent when one ends.
    Concurrency(u32),
    /// Open loop: requests are sent on a schedule, whatever the answers do.
    Rate {
        /// Mean rate in requests per second.
        rate_rps: f64,
        /// Spacing of the sends.
        arrivals: Arrivals,
    },
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concurrency(streams) => write!(f, "c={streams}"),
            Self::Rate {
                rate_rps,
                arrivals: Arrivals::Poisson,
            } => write!(f, "{rate_rps} req/s"),
            Self::Rate {
                rate_rps,
                arrivals: Arrivals::Constant,
            } => write!(f, "{rate_rps} req/s constant"),
        }
    }
}

/// Spacing of the sends in open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Equal gaps.
    Constant,
    /// Independent exponential gaps.
    Poisson,
}

impl Arrivals {
    /// As written in configuration and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

impl Workload {
    /// Short name for cells (`synthetic-1000±200/200±50`, `chat.jsonl/128`).
    pub fn name(&self) -> String {
        match &self.prompts {
            Prompts::Synthetic { input_tokens } => format!("synthetic-{input_tokens}/{}", self.output_tokens),
            Prompts::Dataset { path, .. } => {
                let file = path.rsplit('/').next().unwrap_or(path);
                format!("{file}/{}", self.output_tokens)
            }
        }
    }
}

impl Plan {
    /// The name of one cell: workload and load level (`synthetic-512/128 @ c=16`).
    pub fn cell_name(&self, load: &Load) -> String {
        format!("{} @ {load}", self.workload.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_named_by_workload_and_load() {
        let workload = Workload {
            prompts: Prompts::Synthetic {
                input_tokens: Lengths::Normal {
                    mean: 1000.0,
                    std: 200.0,
                },
            },
            output_tokens: Lengths::Fixed(128),
        };
        assert_eq!(workload.name(), "synthetic-1000±200/128");
        assert_eq!(
            Load::Rate {
                rate_rps: 8.5,
                arrivals: Arrivals::Poisson
            }
            .to_string(),
            "8.5 req/s"
        );
    }
}

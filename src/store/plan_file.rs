//! How a plan looks in a file. Every `///` line here is the description in the JSON Schema.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Api, Arrivals, DatasetFormat, Lengths, Load, Plan, Prompts, Slo, Target, Timeouts, Workload};

/// What was asked: two sessions of equal plans measured the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    /// The server under test.
    target: TargetFile,
    /// The prompts and answer lengths.
    workload: WorkloadFile,
    /// Load levels, at least one, no two alike; each is one cell.
    loads: Vec<LoadFile>,
    /// Measured requests of one run.
    #[schemars(range(min = 1))]
    requests_per_run: u32,
    /// Warm-up requests before each run. Left out: 0.
    #[serde(default)]
    warmup_requests: u32,
    /// Runs of each cell.
    #[schemars(range(min = 1))]
    repeats: u32,
    /// Seed of prompts, lengths and schedules.
    seed: u64,
    /// A run with a larger share of failed requests is invalid. Left out: 0.01, which is 1 %.
    #[serde(default = "default_max_error_rate")]
    #[schemars(range(min = 0.0, max = 1.0))]
    max_error_rate: f64,
    /// The hardware as its owner describes it (`"gpu": "H100-80GB SXM"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    hardware: BTreeMap<String, String>,
    /// The serving framework as its owner describes it (`"config.tensor_parallel_size": "8"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    framework: BTreeMap<String, String>,
}

/// The server under test. Header values and API keys are never in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    /// Base address (`http://127.0.0.1:8000`).
    url: String,
    /// Model name sent with each request; left out where the server was asked for its only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Which API the requests used.
    api: ApiFile,
    /// Names of extra headers, without their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    header_names: Vec<String>,
    /// Name of the environment variable that held the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key_env: Option<String>,
    /// How long each phase of a request may take.
    #[serde(default)]
    timeouts: TimeoutsFile,
    /// Extra fields of the request body, each as JSON text (`"ignore_eos": "true"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extra_body: BTreeMap<String, String>,
}

/// The API that the requests use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ApiFile {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
}

/// How long each phase of a request may take, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "a number's name ends in its unit")]
struct TimeoutsFile {
    /// Opening a connection.
    connect_ns: u64,
    /// From send to the first token.
    first_token_ns: u64,
    /// Between two reads of a stream that has begun.
    between_tokens_ns: u64,
    /// From send to the last byte.
    total_ns: u64,
}

/// The prompts and answer lengths of every run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WorkloadFile {
    /// Where prompts come from.
    prompts: PromptsFile,
    /// Answer lengths in tokens.
    output_tokens: LengthsFile,
}

/// Where prompts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PromptsFile {
    /// Made from the seed.
    Synthetic {
        /// Prompt lengths in tokens.
        input_tokens: LengthsFile,
    },
    /// A JSONL file.
    Dataset {
        /// Its path, as configured.
        path: String,
        /// SHA-256 of its bytes, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
}

/// A distribution of lengths in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LengthsFile {
    /// Always the same.
    Fixed(#[schemars(range(min = 1))] u32),
    /// Normal, rounded, cut at one token.
    Normal {
        /// Mean in tokens, above zero.
        mean: f64,
        /// Standard deviation in tokens.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
    /// Uniform over whole numbers, both ends included.
    Uniform {
        /// Smallest length in tokens.
        #[schemars(range(min = 1))]
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
}

/// One load level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LoadFile {
    /// Closed loop: this many requests in flight, the next sent when one ends.
    Concurrency(#[schemars(range(min = 1))] u32),
    /// Open loop: requests are sent on a schedule, whatever the answers do.
    Rate {
        /// Mean rate in requests per second, above zero.
        rate_rps: f64,
        /// Spacing of the sends.
        arrivals: ArrivalsFile,
    },
}

/// Spacing of the sends in open loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ArrivalsFile {
    /// Equal gaps.
    Constant,
    /// Independent exponential gaps.
    Poisson,
}

fn default_max_error_rate() -> f64 {
    0.01
}

impl Default for TimeoutsFile {
    fn default() -> Self {
        Timeouts::default().into()
    }
}

impl From<&Plan> for PlanFile {
    fn from(plan: &Plan) -> Self {
        Self {
            target: TargetFile::from(&plan.target),
            workload: WorkloadFile::from(&plan.workload),
            loads: plan.loads.iter().cloned().map(LoadFile::from).collect(),
            requests_per_run: plan.requests_per_run,
            warmup_requests: plan.warmup_requests,
            repeats: plan.repeats,
            seed: plan.seed,
            max_error_rate: plan.max_error_rate,
            hardware: plan.hardware.clone(),
            framework: plan.framework.clone(),
        }
    }
}

impl From<PlanFile> for Plan {
    fn from(file: PlanFile) -> Self {
        Self {
            target: file.target.into(),
            workload: file.workload.into(),
            loads: file.loads.into_iter().map(Load::from).collect(),
            requests_per_run: file.requests_per_run,
            warmup_requests: file.warmup_requests,
            warmup_limit: None,
            slo: Slo::default(),
            repeats: file.repeats,
            seed: file.seed,
            max_error_rate: file.max_error_rate,
            hardware: file.hardware,
            framework: file.framework,
        }
    }
}

impl From<&Target> for TargetFile {
    fn from(target: &Target) -> Self {
        Self {
            url: target.url.clone(),
            model: target.model.clone(),
            api: match target.api {
                Api::Chat => ApiFile::Chat,
                _ => ApiFile::Completions,
            },
            header_names: target.header_names.clone(),
            api_key_env: target.api_key_env.clone(),
            timeouts: target.timeouts.into(),
            extra_body: target.extra_body.clone(),
        }
    }
}

impl From<TargetFile> for Target {
    fn from(file: TargetFile) -> Self {
        let url = file.url;
        Self {
            model: file.model,
            api: match file.api {
                ApiFile::Chat => Api::Chat,
                ApiFile::Completions => Api::Completions,
            },
            header_names: file.header_names,
            api_key_env: file.api_key_env,
            timeouts: file.timeouts.into(),
            extra_body: file.extra_body,
            ..Self::at(&url)
        }
    }
}

/// Whole nanoseconds; what does not fit (584 years) is cut.
fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Timeouts> for TimeoutsFile {
    fn from(timeouts: Timeouts) -> Self {
        Self {
            connect_ns: ns(timeouts.connect),
            first_token_ns: ns(timeouts.first_token),
            between_tokens_ns: ns(timeouts.between_tokens),
            total_ns: ns(timeouts.total),
        }
    }
}

impl From<TimeoutsFile> for Timeouts {
    fn from(file: TimeoutsFile) -> Self {
        Self {
            connect: Duration::from_nanos(file.connect_ns),
            first_token: Duration::from_nanos(file.first_token_ns),
            between_tokens: Duration::from_nanos(file.between_tokens_ns),
            total: Duration::from_nanos(file.total_ns),
        }
    }
}

impl From<&Workload> for WorkloadFile {
    fn from(workload: &Workload) -> Self {
        let prompts = match &workload.prompts {
            Prompts::SharedPrefix { input_tokens, .. } | Prompts::Synthetic { input_tokens } => {
                PromptsFile::Synthetic {
                    input_tokens: (*input_tokens).into(),
                }
            }
            Prompts::Trace { path, sha256, .. } | Prompts::Dataset { path, sha256, .. } => PromptsFile::Dataset {
                path: path.clone(),
                sha256: sha256.clone(),
            },
        };
        Self {
            prompts,
            output_tokens: workload.output_tokens.into(),
        }
    }
}

impl From<WorkloadFile> for Workload {
    fn from(file: WorkloadFile) -> Self {
        let prompts = match file.prompts {
            PromptsFile::Synthetic { input_tokens } => Prompts::Synthetic {
                input_tokens: input_tokens.into(),
            },
            PromptsFile::Dataset { path, sha256 } => Prompts::Dataset {
                path,
                format: DatasetFormat::Auto,
                prompt_column: None,
                output_column: None,
                sha256,
            },
        };
        Self::new(prompts, file.output_tokens.into())
    }
}

impl From<Lengths> for LengthsFile {
    fn from(lengths: Lengths) -> Self {
        match lengths {
            Lengths::LogNormal { .. } | Lengths::Zipf { .. } | Lengths::Within { .. } => Self::Fixed(1),
            Lengths::Fixed(tokens) => Self::Fixed(tokens),
            Lengths::Normal { mean, std } => Self::Normal { mean, std },
            Lengths::Uniform { min, max } => Self::Uniform { min, max },
        }
    }
}

impl From<LengthsFile> for Lengths {
    fn from(file: LengthsFile) -> Self {
        match file {
            LengthsFile::Fixed(tokens) => Self::Fixed(tokens),
            LengthsFile::Normal { mean, std } => Self::Normal { mean, std },
            LengthsFile::Uniform { min, max } => Self::Uniform { min, max },
        }
    }
}

impl From<Load> for LoadFile {
    fn from(load: Load) -> Self {
        match load {
            Load::Ramp { .. } | Load::Stages { .. } | Load::Trace { .. } | Load::Capacity(_) => Self::Concurrency(1),
            Load::Concurrency(streams) => Self::Concurrency(streams),
            Load::Rate { rate_rps, arrivals } => Self::Rate {
                rate_rps,
                arrivals: match arrivals {
                    Arrivals::Constant => ArrivalsFile::Constant,
                    _ => ArrivalsFile::Poisson,
                },
            },
        }
    }
}

impl From<LoadFile> for Load {
    fn from(file: LoadFile) -> Self {
        match file {
            LoadFile::Concurrency(streams) => Self::Concurrency(streams),
            LoadFile::Rate { rate_rps, arrivals } => Self::Rate {
                rate_rps,
                arrivals: match arrivals {
                    ArrivalsFile::Constant => Arrivals::Constant,
                    ArrivalsFile::Poisson => Arrivals::Poisson,
                },
            },
        }
    }
}

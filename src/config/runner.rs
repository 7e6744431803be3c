//! Another tool that measures in perfgate's place: which, how it is called, and how its results are read.

use std::time::Duration;

/// An external runner, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerSettings {
    /// How it is called.
    pub call: Call,
    /// Format of what it writes; `None`: by its content.
    pub format: Option<String>,
    /// How long one run may take.
    pub timeout: Duration,
}

/// How an external runner is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A tool whose command line is made from the plan, with further arguments.
    Tool(Tool, Vec<String>),
    /// Program and arguments with places for what the plan says.
    Command(Vec<String>),
}

/// A tool whose command line is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `vllm bench serve`.
    Vllm,
    /// `sglang.bench_serving`.
    Sglang,
    /// `aiperf profile`.
    Aiperf,
    /// `genai-perf profile`.
    GenaiPerf,
    /// `perf_analyzer`.
    PerfAnalyzer,
    /// `guidellm run`.
    Guidellm,
    /// `inference-perf`.
    InferencePerf,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Vllm,
        Self::Sglang,
        Self::Aiperf,
        Self::GenaiPerf,
        Self::PerfAnalyzer,
        Self::Guidellm,
        Self::InferencePerf,
    ];

    /// As written in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Aiperf => "aiperf",
            Self::GenaiPerf => "genai-perf",
            Self::PerfAnalyzer => "perf-analyzer",
            Self::Guidellm => "guidellm",
            Self::InferencePerf => "inference-perf",
        }
    }
}

//! What the load generator itself adds to the numbers, and how much it can carry, on one machine.

/// The figures of one `perfgate selftest`: against a server of exact timing in another process of the same machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelfTest {
    /// The perfgate that was measured (`0.1.0`).
    pub tool_version: String,
    /// When, seconds since 1970 UTC.
    pub measured_unix_s: u64,
    /// CPU model of the machine.
    pub cpu: Option<String>,
    /// Its logical cores.
    pub cpu_cores: Option<u32>,
    /// What it adds to each latency at [`SelfTest::streams`].
    pub added: Added,
    /// Streams at which the added latencies were measured.
    pub streams: u32,
    /// The most streams that were tried and kept their figures.
    pub max_streams: u32,
    /// Output tokens per second that it read at that many.
    pub tokens_per_s: f64,
    /// The highest rate that was tried and left on schedule, in requests per second.
    pub max_rate_rps: f64,
}

/// What client and kernel add to the server's own times: measured minus true.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Added {
    /// Median of the added time to first token, in milliseconds.
    pub ttft_p50_ms: f64,
    /// Its P99.
    pub ttft_p99_ms: f64,
    /// Median of the added time per output token, in milliseconds.
    pub tpot_p50_ms: f64,
    /// P99 of its size, in milliseconds.
    pub tpot_p99_ms: f64,
    /// CPU time of the client for a million output tokens, in seconds, where it is known.
    pub cpu_s_per_million_tokens: Option<f64>,
}

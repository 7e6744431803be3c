//! How a self-test looks in a file of its own, and inside a session.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StoreError, read, write};
use crate::session::{Added, SelfTest};

const SELFTEST_SCHEMA: &str = "perfgate-llm/selftest/1";

/// What perfgate itself adds to the numbers, and how much it can carry, on the machine that measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfTestFile {
    /// Kind and version, where it stands in a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    /// The version of the program that was measured.
    tool_version: String,
    /// When, seconds since 1970 UTC.
    measured_unix_s: u64,
    /// CPU model of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    /// Its logical cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_cores: Option<u32>,
    /// Median of what is added to TTFT, in milliseconds.
    added_ttft_p50_ms: f64,
    /// P99 of it.
    added_ttft_p99_ms: f64,
    /// Median of what is added to TPOT, in milliseconds.
    added_tpot_p50_ms: f64,
    /// P99 of its size.
    added_tpot_p99_ms: f64,
    /// CPU time of the client for a million output tokens, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_s_per_million_tokens: Option<f64>,
    /// Streams at which these were measured.
    streams: u32,
    /// The most streams that were tried and kept their figures.
    max_streams: u32,
    /// Output tokens per second that were read at that many.
    tokens_per_s: f64,
    /// The highest rate that was tried and left on schedule, in requests per second.
    max_rate_rps: f64,
}

impl From<&SelfTest> for SelfTestFile {
    fn from(test: &SelfTest) -> Self {
        Self {
            schema: None,
            tool_version: test.tool_version.clone(),
            measured_unix_s: test.measured_unix_s,
            cpu: test.cpu.clone(),
            cpu_cores: test.cpu_cores,
            added_ttft_p50_ms: test.added.ttft_p50_ms,
            added_ttft_p99_ms: test.added.ttft_p99_ms,
            added_tpot_p50_ms: test.added.tpot_p50_ms,
            added_tpot_p99_ms: test.added.tpot_p99_ms,
            cpu_s_per_million_tokens: test.added.cpu_s_per_million_tokens,
            streams: test.streams,
            max_streams: test.max_streams,
            tokens_per_s: test.tokens_per_s,
            max_rate_rps: test.max_rate_rps,
        }
    }
}

impl From<SelfTestFile> for SelfTest {
    fn from(file: SelfTestFile) -> Self {
        Self {
            tool_version: file.tool_version,
            measured_unix_s: file.measured_unix_s,
            cpu: file.cpu,
            cpu_cores: file.cpu_cores,
            added: Added {
                ttft_p50_ms: file.added_ttft_p50_ms,
                ttft_p99_ms: file.added_ttft_p99_ms,
                tpot_p50_ms: file.added_tpot_p50_ms,
                tpot_p99_ms: file.added_tpot_p99_ms,
                cpu_s_per_million_tokens: file.cpu_s_per_million_tokens,
            },
            streams: file.streams,
            max_streams: file.max_streams,
            tokens_per_s: file.tokens_per_s,
            max_rate_rps: file.max_rate_rps,
        }
    }
}

/// Keeps a self-test, for the sessions that this machine will measure.
///
/// # Errors
/// When the path is a directory, or the file system refuses or is full.
pub fn write_selftest(path: &Path, test: &SelfTest) -> Result<(), StoreError> {
    let file = SelfTestFile {
        schema: Some(SELFTEST_SCHEMA.to_owned()),
        ..SelfTestFile::from(test)
    };
    write::json(path, &file, 1)
}

/// The self-test that was kept; `None` where none is, or not one that this version can read: it is a cache, and a
/// broken one is as good as none.
pub fn read_selftest(path: &Path) -> Option<SelfTest> {
    let bytes = read::bytes_of(path).ok()?;
    let file: SelfTestFile = serde_json::from_slice(&bytes).ok()?;
    (file.schema.as_deref() == Some(SELFTEST_SCHEMA)).then(|| file.into())
}

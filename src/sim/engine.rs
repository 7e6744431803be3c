//! What an engine is: its settings, their defaults and their ranges.
//!
//! How the settings become times is `step.rs`; who gets into a step is `scheduler.rs`.

use std::{fmt, path::PathBuf};

use super::{SimError, Slowdown};

/// All settings of an embedded engine.
///
/// The defaults answer a lone request of 64 tokens in about 8 ms and then give a token every 5 ms; noise and drift are
/// small enough for five runs to tell a change of +12 % from none.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// Name of the served model.
    pub model: String,
    /// Most sequences in one step; further requests wait.
    pub max_num_seqs: u32,
    /// Number of KV-cache blocks; when they run out, requests wait or are preempted.
    pub kv_blocks: u32,
    /// Tokens in one KV-cache block.
    pub block_tokens: u32,
    /// Whether blocks of prompts that were seen before need no prefill.
    pub prefix_cache: bool,
    /// Most tokens computed in one step, decode and prefill together; longer prompts are prefilled in chunks.
    pub max_batched_tokens: u32,
    /// Longest prompt and answer together, in tokens (less where the KV cache is smaller).
    pub max_model_len: u32,
    /// Time from the arrival of a request to its place in the queue, in microseconds; it does not hold up the engine.
    pub entry_us: f64,
    /// Time that one prompt token adds to a step, in microseconds.
    pub prefill_us_per_token: f64,
    /// Time of a step before its sequences and prompts are counted, in microseconds.
    pub decode_step_us: f64,
    /// Time that one sequence adds to a step, in microseconds.
    pub decode_us_per_seq: f64,
    /// Noise of one step: standard deviation in percent, log-normal with mean one.
    pub step_noise_pct: f64,
    /// Slow drift of all times: standard deviation in percent of a factor that changes every half second.
    pub drift_pct: f64,
    /// Seed of noise and drift; answers depend on the prompt alone, so that two engines give the same ones.
    pub seed: u64,
    /// Planted changes.
    pub slow: Slowdown,
    /// Output tokens of each answer that are reasoning and come first, where the API tells them apart.
    pub reasoning_tokens: u32,
    /// Output tokens that one event carries, as with speculative decoding.
    pub tokens_per_chunk: u32,
    /// Version that `/version` reports; this crate's where absent.
    pub version: Option<String>,
    /// Key that requests to `/v1` must carry as a bearer token; none is asked for where absent.
    pub api_key: Option<ApiKey>,
    /// Folder for traces of its own profiler, which is switched by `/start_profile` and `/stop_profile`; none where absent.
    pub profile_dir: Option<PathBuf>,
}

/// A key that stays out of debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            model: "sim".to_owned(),
            max_num_seqs: 64,
            kv_blocks: 4096,
            block_tokens: 16,
            prefix_cache: true,
            max_batched_tokens: 2048,
            max_model_len: 8192,
            entry_us: 3000.0,
            // Cheap prefill on purpose: which requests share a step varies from run to run, and each joining prompt
            // stretches the gaps of those already there. At 2 µs, 64 tokens cost others 0.13 ms of one gap.
            prefill_us_per_token: 2.0,
            decode_step_us: 5000.0,
            decode_us_per_seq: 20.0,
            step_noise_pct: 2.0,
            drift_pct: 1.5,
            seed: 42,
            slow: Slowdown::default(),
            reasoning_tokens: 0,
            tokens_per_chunk: 1,
            version: None,
            api_key: None,
            profile_dir: None,
        }
    }
}

impl EngineConfig {
    /// Longest prompt and answer together that one sequence can reach, in tokens.
    pub fn longest_tokens(&self) -> u32 {
        self.max_model_len.min(self.kv_blocks.saturating_mul(self.block_tokens))
    }

    /// The version that `/version` reports.
    pub fn reported_version(&self) -> &str {
        self.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    pub(super) fn check(&self) -> Result<(), SimError> {
        if self.model.is_empty() {
            return Err(out_of_range("model", &"", "a name"));
        }
        at_least("max_num_seqs", self.max_num_seqs, 1)?;
        at_least("kv_blocks", self.kv_blocks, 1)?;
        at_least("block_tokens", self.block_tokens, 1)?;
        at_least("tokens_per_chunk", self.tokens_per_chunk, 1)?;
        // Fewer could not give every running sequence its token in each step.
        at_least("max_batched_tokens", self.max_batched_tokens, self.max_num_seqs)?;
        // One prompt token and one answer token.
        at_least("max_model_len", self.max_model_len, 2)?;
        if self.longest_tokens() < 2 {
            return Err(out_of_range(
                "kv_blocks",
                &self.kv_blocks,
                "blocks for at least 2 tokens",
            ));
        }
        let minute_us = 60e6;
        within("decode_step_us", self.decode_step_us, 1.0, minute_us)?;
        within("entry_us", self.entry_us, 0.0, minute_us)?;
        within("prefill_us_per_token", self.prefill_us_per_token, 0.0, minute_us)?;
        within("decode_us_per_seq", self.decode_us_per_seq, 0.0, minute_us)?;
        within("step_noise_pct", self.step_noise_pct, 0.0, 100.0)?;
        within("drift_pct", self.drift_pct, 0.0, 100.0)?;
        self.slow.check()
    }
}

fn at_least(setting: &'static str, value: u32, lowest: u32) -> Result<(), SimError> {
    if value < lowest {
        return Err(out_of_range(setting, &value, &format!("at least {lowest}")));
    }
    Ok(())
}

fn within(setting: &'static str, value: f64, lowest: f64, highest: f64) -> Result<(), SimError> {
    // Written so that NaN is out of every range.
    if (lowest..=highest).contains(&value) {
        return Ok(());
    }
    Err(out_of_range(
        setting,
        &value,
        &format!("a number from {lowest} to {highest}"),
    ))
}

fn out_of_range(setting: &'static str, value: &dyn fmt::Display, allowed: &str) -> SimError {
    SimError::Setting {
        setting,
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        EngineConfig::default().check().unwrap();
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_value() {
        type Change = fn(&mut EngineConfig);
        let cases: &[(Change, &str)] = &[
            (|c| c.model.clear(), "`model` is ``"),
            (|c| c.max_num_seqs = 0, "`max_num_seqs` is `0`; give at least 1"),
            (|c| c.kv_blocks = 0, "`kv_blocks` is `0`"),
            (|c| c.block_tokens = 0, "`block_tokens` is `0`"),
            (
                |c| c.max_batched_tokens = 63,
                "`max_batched_tokens` is `63`; give at least 64",
            ),
            (|c| c.max_model_len = 1, "`max_model_len` is `1`"),
            (|c| c.tokens_per_chunk = 0, "`tokens_per_chunk` is `0`; give at least 1"),
            (
                |c| (c.kv_blocks, c.block_tokens) = (1, 1),
                "`kv_blocks` is `1`; give blocks for at least 2",
            ),
            (
                |c| c.decode_step_us = 0.0,
                "`decode_step_us` is `0`; give a number from 1",
            ),
            (|c| c.entry_us = f64::NAN, "`entry_us` is `NaN`"),
            (|c| c.prefill_us_per_token = -1.0, "`prefill_us_per_token` is `-1`"),
            (|c| c.step_noise_pct = 101.0, "`step_noise_pct` is `101`"),
            (|c| c.slow.throughput_pct = 100.0, "`throughput=100%`"),
        ];
        for (change, expected) in cases {
            let mut config = EngineConfig::default();
            change(&mut config);
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains(expected), "{message} lacks {expected}");
        }
    }

    #[test]
    fn a_small_kv_cache_shortens_the_longest_sequence() {
        let config = EngineConfig {
            kv_blocks: 10,
            block_tokens: 16,
            ..EngineConfig::default()
        };
        assert_eq!(config.longest_tokens(), 160);
    }

    #[test]
    fn debug_output_holds_no_key() {
        let config = EngineConfig {
            api_key: Some(ApiKey("hunter2".to_owned())),
            ..EngineConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

//! `perfgate sim`: the embedded engine's flags, and serving until it is stopped.

use std::{
    env, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;

use crate::{
    commands::{CommandError, Done},
    sim::{self, ApiKey, EngineConfig, ExactServer, ExactTiming, Server, Slowdown},
};

/// Where vLLM before 0.13 is told the same.
const PROFILE_DIR: &str = "VLLM_TORCH_PROFILER_DIR";

#[derive(Debug, Args)]
pub(super) struct EngineArgs {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one. The address is printed.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Planted changes, such as `tpot=8%` or `ttft=20%,tpot=5%`.
    #[arg(long, value_name = "METRIC=CHANGE,…", value_parser = sim::parse_slow, allow_hyphen_values = true)]
    slow: Option<Slowdown>,
    /// Name of the served model.
    #[arg(long, default_value = "sim")]
    model: String,
    /// Seed of noise and drift.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Most sequences in one step; further requests wait.
    #[arg(long, value_name = "N")]
    max_num_seqs: Option<u32>,
    /// Most tokens computed in one step, decode and prefill together.
    #[arg(long, value_name = "N")]
    max_batched_tokens: Option<u32>,
    /// Longest prompt and answer together, in tokens.
    #[arg(long, value_name = "N")]
    max_model_len: Option<u32>,
    /// Number of KV-cache blocks of 16 tokens.
    #[arg(long, value_name = "N")]
    kv_blocks: Option<u32>,
    /// Compute every prompt anew, also where its start has been seen before.
    #[arg(long)]
    no_prefix_cache: bool,
    /// Time of a step before its sequences and prompts are counted, in microseconds.
    #[arg(long, value_name = "US")]
    decode_step_us: Option<f64>,
    /// Time that one sequence adds to a step, in microseconds.
    #[arg(long, value_name = "US")]
    decode_us_per_seq: Option<f64>,
    /// Time that one prompt token adds to a step, in microseconds.
    #[arg(long, value_name = "US")]
    prefill_us_per_token: Option<f64>,
    /// Standard deviation of the noise of a step, in percent.
    #[arg(long, value_name = "PERCENT")]
    step_noise_pct: Option<f64>,
    /// Standard deviation of the slow drift, in percent.
    #[arg(long, value_name = "PERCENT")]
    drift_pct: Option<f64>,
    /// Tokens of each answer that are reasoning and come first, where the API tells them apart.
    #[arg(long, value_name = "N")]
    reasoning: Option<u32>,
    /// Output tokens in one event, as with speculative decoding.
    #[arg(long, value_name = "K")]
    tokens_per_chunk: Option<u32>,
    /// Version that `/version` reports.
    #[arg(long, value_name = "TEXT")]
    engine_version: Option<String>,
    /// Environment variable with the key that requests must carry.
    #[arg(long, value_name = "VARIABLE")]
    api_key_env: Option<String>,
    /// Folder for traces of its own profiler, which `POST /start_profile` and `/stop_profile` switch [env: `VLLM_TORCH_PROFILER_DIR`]
    #[arg(long, value_name = "DIR")]
    profile_dir: Option<PathBuf>,
    /// No engine but a clock: every token at exactly this time, to measure load generators with (`ttft=50ms,tpot=10ms`).
    #[arg(long, value_name = "TIMES", value_parser = sim::parse_exact, conflicts_with_all = ["slow", "api_key_env"])]
    exact: Option<ExactTiming>,
    /// Stop when standard input closes, as a child that must not outlive its parent.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Serves until Ctrl-C; the first line on standard output is the address.
pub(super) fn sim(args: EngineArgs, print: &dyn Fn(&str)) -> Result<Done, CommandError> {
    let address = SocketAddr::new(args.host, args.port);
    let until_stdin_closes = args.until_stdin_closes;
    let wait = || {
        if !until_stdin_closes {
            return sim::wait_for_stop();
        }
        // An error ends the reading as well.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        Ok(())
    };
    if let Some(timing) = args.exact {
        let server = ExactServer::start(timing, address)?;
        print(&format!("serving on {}\n", server.url()));
        wait()?;
    } else {
        let server = Server::start(config(args)?, address)?;
        print(&format!("serving on {}\n", server.url()));
        wait()?;
    }
    Ok(Done::ok(""))
}

fn config(args: EngineArgs) -> Result<EngineConfig, CommandError> {
    let plain = EngineConfig::default();
    let key = args.api_key_env.map(|name| {
        let missing = || CommandError::Usage(format!("`--api-key-env`: the variable `{name}` is not set"));
        env::var(&name).map(ApiKey).map_err(|_| missing())
    });
    Ok(EngineConfig {
        model: args.model,
        slow: args.slow.unwrap_or_default(),
        seed: args.seed.unwrap_or(plain.seed),
        max_num_seqs: args.max_num_seqs.unwrap_or(plain.max_num_seqs),
        max_batched_tokens: args.max_batched_tokens.unwrap_or(plain.max_batched_tokens),
        max_model_len: args.max_model_len.unwrap_or(plain.max_model_len),
        prefix_cache: !args.no_prefix_cache,
        kv_blocks: args.kv_blocks.unwrap_or(plain.kv_blocks),
        decode_step_us: args.decode_step_us.unwrap_or(plain.decode_step_us),
        decode_us_per_seq: args.decode_us_per_seq.unwrap_or(plain.decode_us_per_seq),
        prefill_us_per_token: args.prefill_us_per_token.unwrap_or(plain.prefill_us_per_token),
        step_noise_pct: args.step_noise_pct.unwrap_or(plain.step_noise_pct),
        drift_pct: args.drift_pct.unwrap_or(plain.drift_pct),
        reasoning_tokens: args.reasoning.unwrap_or(plain.reasoning_tokens),
        tokens_per_chunk: args.tokens_per_chunk.unwrap_or(plain.tokens_per_chunk),
        version: args.engine_version,
        api_key: key.transpose()?,
        profile_dir: args.profile_dir.or_else(|| env::var_os(PROFILE_DIR).map(PathBuf::from)),
        ..plain
    })
}

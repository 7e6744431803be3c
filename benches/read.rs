//! How long two large session files take to read, and how much memory: `cargo bench --bench read`.
//!
//! Each is 60 cells × 5 runs × 1,000 requests; two such files and their comparison must stay within 1 s and 300 MB.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    path::Path,
    process::{self, Command},
    time::Instant,
};

use perfgate::{
    plan::{Lengths, Load, Plan, Prompts, Slo, Target, Workload},
    session::{CellRuns, Ended, Environment, GapCounts, Outcome, RequestRecord, Run, Session, TokensFrom},
    store,
};

const CELLS: u32 = 60;
const RUNS: u32 = 5;
const REQUESTS: u32 = 1000;

/// Names the file to read in the child process: the peak memory there is that of reading alone.
const CHILD: &str = "PERFGATE_BENCH_READ";

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = env::var_os(CHILD) {
        return read_twice(Path::new(&path));
    }
    let dir = env::temp_dir().join(format!("perfgate-bench-{}", process::id()));
    let path = dir.join("session.json");
    let began = Instant::now();
    store::write_session(&path, &session())?;
    let megabytes = fs::metadata(&path)?.len() / 1_000_000;
    println!("write: {:.3} s, {megabytes} MB", began.elapsed().as_secs_f64());
    let status = Command::new(env::current_exe()?).env(CHILD, &path).status();
    fs::remove_dir_all(&dir)?;
    if status?.success() {
        return Ok(());
    }
    Err("the reading process failed".into())
}

fn read_twice(path: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let baseline = store::read_session(path)?;
    println!("read one: {:.3} s", began.elapsed().as_secs_f64());
    let candidate = store::read_session(path)?;
    println!("read both: {:.3} s", began.elapsed().as_secs_f64());
    let equal = baseline == candidate;
    println!("equal: {equal}, peak RSS: {}", peak_rss());
    Ok(())
}

/// `VmHWM` of this process, where there is a `/proc`.
fn peak_rss() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |peak| peak.trim().into())
}

fn session() -> Session {
    let plan = plan();
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: (0..RUNS).map(run).collect(),
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s: 1_790_000_000,
        commit: None,
        origin: None,
        definitions: "perfgate/1".into(),
        cells: cells.collect(),
        plan,
        environment: Environment::default(),
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

fn plan() -> Plan {
    Plan {
        target: Target::at("http://127.0.0.1:8000"),
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(512),
            },
            Lengths::Fixed(128),
        ),
        loads: (1..=CELLS).map(Load::Concurrency).collect(),
        requests_per_run: REQUESTS,
        warmup_requests: 10,
        warmup_limit: None,
        repeats: RUNS,
        seed: 42,
        max_error_rate: 0.01,
        slo: Slo::default(),
        scenario: None,
        shard: None,
        price: None,
        hardware: BTreeMap::new(),
        framework: BTreeMap::new(),
    }
}

fn run(repeat: u32) -> Run {
    Run {
        repeat,
        started_unix_s: 1_790_000_000,
        requests: (0..REQUESTS).map(record).collect(),
        itl: GapCounts {
            bins: (1..400).map(|bin| (bin * 100_003, bin)).collect(),
        },
        ..Run::default()
    }
}

fn record(index: u32) -> RequestRecord {
    let sent_ns = u64::from(index) * 123_456_789;
    RequestRecord {
        index,
        scheduled_ns: Some(sent_ns),
        sent_ns,
        first_token_ns: Some(sent_ns + 45_678_901),
        last_token_ns: Some(sent_ns + 2_345_678_901),
        end_ns: sent_ns + 2_345_999_999,
        input_tokens: Some(512),
        output_tokens: Some(128),
        chunks: 127,
        tokens_from: TokensFrom::Usage,
        outcome: Outcome::Completed,
        ..RequestRecord::default()
    }
}

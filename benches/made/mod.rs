//! Sessions as large as they come, made up in memory.

use std::collections::BTreeMap;

use perfgate::{
    metric::DEFINITIONS_ID,
    plan::{Lengths, Load, Plan, Prompts, Slo, Target, Workload},
    session::{CellRuns, Ended, Environment, GapCounts, Outcome, RequestRecord, Run, Session, TokensFrom},
};

pub(crate) const CELLS: u32 = 60;
pub(crate) const REQUESTS: u32 = 1000;

/// A number from 0 to 999 that looks random.
fn scatter(seed: u64) -> u64 {
    seed.wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
        >> 33
        & 0x3ff
}

fn record(index: u32, seed: u64) -> RequestRecord {
    let sent_ns = u64::from(index) * 10_000_000;
    let first_ns = sent_ns + 50_000_000 + scatter(seed) * 20_000;
    let last_ns = first_ns + 1_270_000_000 + scatter(seed + 1) * 400_000;
    RequestRecord {
        index,
        scheduled_ns: Some(sent_ns),
        sent_ns,
        first_token_ns: Some(first_ns),
        last_token_ns: Some(last_ns),
        end_ns: last_ns + 100_000,
        input_tokens: Some(512),
        output_tokens: Some(128),
        chunks: 128,
        tokens_from: TokensFrom::Usage,
        outcome: Outcome::Completed,
        ..RequestRecord::default()
    }
}

fn run(repeat: u32, seed: u64) -> Run {
    let requests = (0..REQUESTS).map(|index| record(index, seed + 2 * u64::from(index)));
    Run {
        repeat,
        requests: requests.collect(),
        itl: GapCounts {
            bins: (0..800).map(|step| (9_000_000 + step * 10_000, 159)).collect(),
        },
        ..Run::default()
    }
}

/// A session of so many runs of each cell; another seed gives another one.
pub(crate) fn session(seed: u64, runs: u32) -> Session {
    let loads: Vec<Load> = (1..=CELLS).map(Load::Concurrency).collect();
    let plan = plan(loads, runs);
    let cells = plan.loads.iter().zip(0_u64..).map(|(load, cell)| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: (0..runs)
            .map(|repeat| run(repeat, seed + (cell * u64::from(runs) + u64::from(repeat)) * 9973))
            .collect(),
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s: 0,
        commit: None,
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        environment: Environment::default(),
        cells: cells.collect(),
        plan,
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

fn plan(loads: Vec<Load>, repeats: u32) -> Plan {
    Plan {
        target: Target {
            model: Some("llama".into()),
            ..Target::at("http://127.0.0.1:8000")
        },
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(512),
            },
            Lengths::Fixed(128),
        ),
        loads,
        requests_per_run: REQUESTS,
        warmup_requests: 10,
        warmup_limit: None,
        repeats,
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

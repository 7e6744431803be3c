//! Sessions and baselines at rest.

mod baselines;
mod chains;
mod noise;
mod older;
mod places;
mod plans;
mod properties;
mod refusals;
mod sessions;

use std::{collections::BTreeMap, error::Error};

use perfgate::{
    plan::{Api, Arrivals, DatasetFormat, Lengths, Load, Plan, Prompts, Slo, Target, Workload},
    session::{
        Added, CellRuns, Ended, Environment, Failure, FailureClass, GapCounts, GpuUse, Outcome, PairArm, Pairing,
        Remeasured, RequestRecord, Run, SelfTest, Session, TokensFrom, Warmup, WarmupEnd,
    },
};

/// A small session in which nothing has its default value.
fn session() -> Session {
    let plan = plan();
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: vec![run(0), run(1)],
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s: 1_790_000_000,
        commit: Some("4eda7ef".into()),
        origin: None,
        definitions: "perfgate/1".into(),
        cells: cells.collect(),
        plan,
        environment: Environment {
            engine_name: Some("vllm".into()),
            model: Some("tiny".into()),
            gpus: vec!["NVIDIA H100 80GB HBM3".into()],
            cpu_cores: Some(2),
            ..Environment::default()
        },
        ended: Ended::Complete,
        notes: vec!["the clock of this machine is a virtual one".into()],
        selftest: Some(SelfTest {
            tool_version: "0.1.0".into(),
            measured_unix_s: 1_790_000_000,
            cpu: Some("AMD EPYC".into()),
            cpu_cores: Some(2),
            added: Added {
                ttft_p50_ms: 0.09,
                cpu_s_per_million_tokens: Some(6.5),
                ..Added::default()
            },
            streams: 64,
            max_streams: 1024,
            tokens_per_s: 98_000.5,
            max_rate_rps: 4000.0,
        }),
        pairing: Some(Pairing {
            id: "5f0c1e".into(),
            arm: PairArm::Candidate,
            looks: vec![3, 5],
            blocks: 20,
            remeasured: vec![Remeasured {
                dead: false,
                cell: "any".into(),
                pair: 1,
                arm: PairArm::Baseline,
                reason: "8 % of the CPU time went to other machines".into(),
            }],
            stopped_early: Some("every blocking check was settled".into()),
        }),
    }
}

fn plan() -> Plan {
    Plan {
        target: Target {
            model: Some("tiny".into()),
            api: Api::Completions,
            header_names: vec!["x-team".into()],
            api_key_env: Some("STORE_TEST_API_KEY".into()),
            extra_body: BTreeMap::from([("ignore_eos".into(), "true".into())]),
            ..Target::at("http://127.0.0.1:8000")
        },
        workload: Workload::new(
            Prompts::Dataset {
                path: "chat.jsonl".into(),
                format: DatasetFormat::Auto,
                prompt_column: None,
                output_column: None,
                sha256: Some("00ff".into()),
            },
            Lengths::Normal { mean: 200.5, std: 50.0 },
        ),
        loads: vec![
            Load::Concurrency(4),
            Load::Rate {
                rate_rps: 8.1,
                arrivals: Arrivals::Poisson,
            },
        ],
        requests_per_run: 100,
        warmup_requests: 3,
        warmup_limit: None,
        repeats: 2,
        seed: u64::MAX,
        max_error_rate: 0.5,
        slo: Slo::default(),
        shard: "2/4".parse().ok(),
        scenario: None,
        price: None,
        hardware: BTreeMap::from([("gpu".into(), "H100-80GB SXM".into())]),
        framework: BTreeMap::from([("config.tensor_parallel_size".into(), "8".into())]),
    }
}

fn run(repeat: u32) -> Run {
    Run {
        repeat,
        started_unix_s: 1_790_000_010,
        requests: vec![completed(0), completed(7), failed(8)],
        itl: GapCounts {
            bins: vec![(9_000_000, 40), (9_100_000, 2)],
        },
        itl_by_stage: Vec::new(),
        warmup: Warmup {
            requests: 3,
            failed: 1,
            end: WarmupEnd::Planned,
        },
        replaced_connections: 1,
        gpu: GpuUse::Measured {
            memory_peak_bytes: 71_000_000_000,
            utilization_mean_pct: Some(93.7),
            utilization_untold: None,
            samples: 12,
        },
        cut_short: None,
        ..Run::default()
    }
}

fn completed(index: u32) -> RequestRecord {
    RequestRecord {
        index,
        scheduled_ns: Some(1_000),
        sent_ns: 2_000,
        first_token_ns: Some(45_000_000),
        last_token_ns: Some(945_000_000),
        end_ns: 945_100_000,
        input_tokens: Some(512),
        output_tokens: Some(101),
        chunks: 51,
        tokens_from: TokensFrom::Chunks,
        outcome: Outcome::Completed,
        ..RequestRecord::default()
    }
}

fn failed(index: u32) -> RequestRecord {
    RequestRecord {
        scheduled_ns: None,
        first_token_ns: None,
        last_token_ns: None,
        output_tokens: None,
        chunks: 0,
        tokens_from: TokensFrom::Usage,
        outcome: Outcome::Failed(Box::new(Failure {
            class: FailureClass::Http(503),
            message: "the model is loading: \"soon\"\n".into(),
        })),
        ..completed(index)
    }
}

/// An error with all its causes, as the door prints it.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

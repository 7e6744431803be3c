//! How long `perfgate noise` takes: 10,000 measurements put together from stored sessions, in pairs and apart, each judged
//! by the real rule. `cargo bench --bench noise`.
#![expect(clippy::print_stdout, reason = "a bench tells its figure")]

use std::time::Instant;

use perfgate::{
    compare::PairNoise,
    measure::measure,
    metric::DEFINITIONS_ID,
    noise::{Looks, Material, false_blocks, noise},
    plan::{Lengths, Load, Plan, Prompts, Target, Workload},
    session::{CellRuns, Ended, Environment, GapCounts, Outcome, RequestRecord, Run, Session, TokensFrom},
    stats::draws::Draws,
    verdict::Policy,
};

const SESSIONS: u64 = 12;
const RUNS: u32 = 6;
const RESAMPLES: u32 = 10_000;

/// Roughly normal around 0 with this standard deviation.
fn normal(draws: &mut Draws, sd: f64) -> f64 {
    let thousandth = |draws: &mut Draws| {
        draws
            .below(1000)
            .and_then(|one| u32::try_from(one).ok())
            .map_or(0.5, f64::from)
    };
    let sum: f64 = (0..12).map(|_| thousandth(draws) / 1000.0).sum();
    sd * (sum - 6.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds in nanoseconds"
)]
fn run(repeat: u32, slowness: f64) -> Run {
    let ns = |ms: f64| (ms * slowness * 1e6).round() as u64;
    let requests = (0..200_u32).map(|index| {
        let sent_ns = ns(210.0 * f64::from(index / 4));
        RequestRecord {
            index,
            sent_ns,
            first_token_ns: Some(sent_ns + ns(50.0)),
            last_token_ns: Some(sent_ns + ns(210.0)),
            end_ns: sent_ns + ns(210.0),
            input_tokens: Some(64),
            output_tokens: Some(17),
            chunks: 17,
            tokens_from: TokensFrom::Usage,
            outcome: Outcome::Completed,
            ..RequestRecord::default()
        }
    });
    Run {
        repeat,
        requests: requests.collect(),
        itl: GapCounts {
            bins: vec![(ns(10.0), 3200)],
        },
        ..Run::default()
    }
}

fn session(start: u64, cells: u32, sd: f64, draws: &mut Draws) -> Session {
    let workload = Workload::new(
        Prompts::Synthetic {
            input_tokens: Lengths::Fixed(64),
        },
        Lengths::Fixed(17),
    );
    let loads = (1..=cells).map(Load::Concurrency).collect();
    let plan = Plan::new(Target::at("http://127.0.0.1:8000"), workload, loads);
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: (0..RUNS).map(|repeat| run(repeat, normal(draws, sd).exp())).collect(),
        skipped: None,
    });
    Session {
        tool_version: String::new(),
        started_unix_s: start,
        commit: None,
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        cells: cells.collect(),
        plan,
        environment: Environment::default(),
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

fn main() {
    let looks = Looks {
        pairs: vec![3, 5, 8, 12],
        blocks: 20,
    };
    for (cells, sd) in [(3, 0.01), (3, 0.03), (3, 0.06), (10, 0.03)] {
        let mut draws = Draws::new(1);
        let sessions = (0..SESSIONS).map(|start| measure(&session(start, cells, sd, &mut draws)));
        let material = Material::of(sessions.collect(), PairNoise::default());
        let began = Instant::now();
        let found = noise(&material, &Policy::default(), &looks);
        let table_s = began.elapsed().as_secs_f64();
        let blocks = false_blocks(&material, &Policy::default(), &looks, (RESAMPLES, 42));
        let seconds = began.elapsed().as_secs_f64() - table_s;
        let counts: Vec<u32> = blocks.iter().map(|one| one.blocked).collect();
        println!(
            "{cells} cells, runs {:.0} % apart: {} rows in {table_s:.3} s; 2 x {RESAMPLES} resamples in {seconds:.2} s, blocked {counts:?}",
            sd * 100.0,
            found.rows.len()
        );
    }
}

//! Sessions made from figures, as files on a disk: what a history or a measurement of noise looks at.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::path::{Path, PathBuf};

use perfgate::{
    compare::Fingerprint,
    metric::DEFINITIONS_ID,
    plan::{Lengths, Load, Plan, Prompts, Target, Workload},
    session::{
        CellRuns, Ended, Environment, GapCounts, Outcome, PairArm, Pairing, RequestRecord, Run, Session, TokensFrom,
    },
    store::{self, Baselines},
};

/// The fewest requests from which a P95 is judged.
const REQUESTS: u32 = 200;
/// Tokens of each answer.
const TOKENS: u32 = 17;

/// A session of one cell (c = 4) whose runs take these multiples of the usual time.
pub(crate) fn session(commit: &str, started_unix_s: u64, runs: &[f64]) -> Session {
    let load = Load::Concurrency(4);
    let workload = Workload::new(
        Prompts::Synthetic {
            input_tokens: Lengths::Fixed(64),
        },
        Lengths::Fixed(TOKENS),
    );
    let plan = Plan {
        requests_per_run: REQUESTS,
        repeats: u32::try_from(runs.len()).unwrap(),
        ..Plan::new(
            Target {
                model: Some("tiny".into()),
                ..Target::at("http://127.0.0.1:8000")
            },
            workload,
            vec![load.clone()],
        )
    };
    let runs = (0..).zip(runs).map(|(repeat, slowness)| run(repeat, *slowness));
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s,
        commit: Some(commit.into()),
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        environment: Environment {
            model: Some("tiny".into()),
            os: Some("linux x86_64".into()),
            ..Environment::default()
        },
        cells: vec![CellRuns {
            name: plan.cell_name(&load),
            load,
            schedule_sha256: None,
            runs: runs.collect(),
            skipped: None,
        }],
        plan,
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

/// The same session as an arm of an A/B measurement.
pub(crate) fn arm(session: Session, id: &str, arm: PairArm) -> Session {
    Session {
        pairing: Some(Pairing {
            id: id.into(),
            arm,
            looks: vec![3, 5, 8, 12],
            blocks: 1,
            remeasured: Vec::new(),
            stopped_early: None,
        }),
        ..session
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds in nanoseconds"
)]
fn run(repeat: u32, slowness: f64) -> Run {
    let ns = |ms: f64| (ms * slowness * 1e6).round() as u64;
    let whole = 50.0 + 10.0 * f64::from(TOKENS - 1);
    let requests = (0..REQUESTS).map(|index| {
        // Four in flight, one after the other.
        let sent_ns = ns(whole * f64::from(index / 4));
        RequestRecord {
            index,
            sent_ns,
            first_token_ns: Some(sent_ns + ns(50.0)),
            last_token_ns: Some(sent_ns + ns(whole)),
            end_ns: sent_ns + ns(whole),
            input_tokens: Some(64),
            output_tokens: Some(TOKENS),
            chunks: TOKENS,
            tokens_from: TokensFrom::Usage,
            outcome: Outcome::Completed,
            ..RequestRecord::default()
        }
    });
    Run {
        repeat,
        requests: requests.collect(),
        itl: GapCounts {
            bins: vec![(ns(10.0), u64::from(REQUESTS * (TOKENS - 1)))],
        },
        ..Run::default()
    }
}

/// Writes a session into a folder under a name.
pub(crate) fn write(folder: &Path, name: &str, session: &Session) -> PathBuf {
    let path = folder.join(name);
    store::write_session(&path, session).unwrap();
    path
}

/// Saves a session into a store, as `perfgate baseline save` does.
pub(crate) fn save(store: &Path, name: &str, session: &Session) {
    let print = Fingerprint::of(session);
    let (plan, environment) = (print.plan_hash(), print.environment_hash());
    let baselines = Baselines::open(store).unwrap();
    let now = session.started_unix_s + 60;
    baselines
        .save(session, Some(name), &plan, &environment, now, &[])
        .unwrap();
}

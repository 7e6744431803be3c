//! `perfgate gate --ab`: two arms in alternation, against real servers.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod commands;
mod disturbed;
mod resting;
mod trouble;

use std::{path::Path, sync::Mutex};

use perfgate::{
    commands::{
        Console, Stage,
        ab::{self, Follow, Wanted},
    },
    load::Interrupt,
    plan::{Alternation, ArmPlace, Arms, Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    session::{Block, Ended, PairArm, Pairing, RequestRecord, Run, Session},
};

use crate::command::{Sim, expect, perfgate};

/// A measurement of a second or two, large enough to judge TPOT P95.
const SMALL: &[&str] = &[
    "--concurrency",
    "8",
    "--warmup",
    "8",
    "--input-tokens",
    "16",
    "--output-tokens",
    "4",
    "--quiet",
];

/// An engine that is quick, so that tests are.
const QUICK: &[&str] = &["--decode-step-us", "500", "--decode-us-per-seq", "10"];

/// One whose answers take so long that a busy machine seldom reads them as one, which would spoil a pair.
const STEADY: &[&str] = &["--decode-step-us", "4000", "--decode-us-per-seq", "10"];

fn sessions(folder: &Path) -> [Session; 2] {
    ["session.baseline.json", "session.json"].map(|name| match perfgate::store::read(&folder.join(name)).unwrap() {
        perfgate::store::Stored::Session(session) => session,
        perfgate::store::Stored::Baseline(_) => unreachable!("a session was written"),
    })
}

fn gate(urls: [&str; 2], more: &[&str]) -> Vec<String> {
    let arms = ["gate", "--ab", "--baseline-url", urls[0], "--candidate-url", urls[1]];
    [&arms, SMALL, more].concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn both_arms_are_measured_pair_by_pair_into_two_sessions_that_know_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (old, new) = (
        Sim::start(QUICK),
        Sim::start(&[QUICK, &["--slow", "tpot=600%"]].concat()),
    );
    let args = gate(
        [&old.url, &new.url],
        &[
            "--requests",
            "200",
            "--looks",
            "3,4",
            "--commit",
            "abc",
            "--blocks",
            "off",
        ],
    );
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = perfgate(folder, &args).output().unwrap();
    let [baseline, candidate] = sessions(folder);
    let (one, other) = (baseline.pairing.clone(), candidate.pairing.clone());
    assert!(Pairing::is_pair(one.as_ref(), other.as_ref()), "{one:?}, {other:?}");
    assert_eq!(one.unwrap().looks, [3, 4]);
    assert_eq!((baseline.commit, candidate.commit), (None, Some("abc".into())));
    assert_eq!(
        (&baseline.plan.target.url, &candidate.plan.target.url),
        (&old.url, &new.url)
    );
    for session in [&baseline.cells, &candidate.cells] {
        let repeats: Vec<u32> = session[0].runs.iter().map(|run| run.repeat).collect();
        assert!(repeats == [0, 1, 2] || repeats == [0, 1, 2, 3], "{repeats:?}");
        assert!(session[0].runs.iter().all(|run| run.requests.len() == 200));
    }
    assert_eq!(baseline.ended, Ended::Complete);

    let report = std::fs::read_to_string(folder.join("perfgate-report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let code = output.status.code().unwrap();
    assert_eq!(Some(i64::from(code)), report["exit_code"].as_i64(), "{report}");
    let (again, _) = expect(
        folder,
        code,
        &["compare", "session.baseline.json", "session.json", "--format", "json"],
    );
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(
        (&again["verdict"], &again["checks"]),
        (&report["verdict"], &report["checks"])
    );
}

#[test]
fn without_both_arms_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trouble) = expect(
        folder.path(),
        2,
        &["gate", "--ab", "--baseline-url", "http://127.0.0.1:9"],
    );
    assert!(trouble.contains("needs two arms"), "{trouble}");
    assert!(!folder.path().join("session.json").exists());
}

/// Remembers which arm was measured when.
#[derive(Default)]
struct Recorder(Mutex<Vec<(Option<&'static str>, bool, u32)>>);

impl Console for Recorder {
    fn say(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn begin(&self, stage: &Stage) {
        self.0.lock().unwrap().push((stage.arm, stage.warm_up, stage.run));
    }
    fn request_done(&self, _: Option<&'static str>, _: &RequestRecord) {}
    fn end(&self) {}
}

/// Looks at nothing, or stops at once; Ctrl-C after so many pairs.
struct Follower {
    is_settled: bool,
    interrupt_after: Option<(usize, Interrupt)>,
}

impl Follow for Follower {
    fn on_pair(&mut self, sessions: &[Session; 2]) {
        if let Some((pairs, interrupt)) = &self.interrupt_after
            && sessions
                .iter()
                .all(|session| session.cells.iter().all(|cell| cell.runs.len() == *pairs))
        {
            interrupt.trigger();
        }
    }

    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String> {
        assert!(sessions.iter().all(|session| session.ended == Ended::Complete));
        self.is_settled.then(|| "settled".to_owned())
    }
}

fn wanted(urls: [&str; 2], loads: Vec<Load>, blocks: u32) -> Wanted<'static> {
    let [baseline, candidate] = urls.map(|url| ArmPlace::Url(url.to_owned()));
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(8),
    };
    let workload = Workload::new(prompts, Lengths::Uniform { min: 2, max: 6 });
    Wanted {
        plan: Plan {
            requests_per_run: 40,
            warmup_requests: 2,
            ..Plan::new(Target::at("http://unused"), workload, loads)
        },
        alternation: Alternation {
            looks: vec![3, 4],
            blocks,
            max: None,
        },
        arms: Arms {
            baseline,
            candidate,
            together: true,
            start_timeout: std::time::Duration::from_secs(10),
            metrics: [None, None],
            build_timeout: std::time::Duration::from_secs(10),
        },
        secrets: Secrets::default(),
        dataset_dir: Path::new(""),
        idle_answers: None,
        log_dir: std::path::PathBuf::new(),
        commit: None,
        built: None,
        withholds_secrets: false,
    }
}

/// What was measured, without the tries of a pair that a busy machine disturbed: each pair's last one counts.
fn kept<T: Clone>(stages: &[(T, bool, u32)]) -> Vec<(T, bool, u32)> {
    let pairs = stages.chunk_by(|one, other| one.2 == other.2);
    pairs
        .flat_map(|pair| pair.get(pair.len().saturating_sub(4)..).unwrap().to_vec())
        .collect()
}

#[test]
fn whole_runs_alternate_ab_ba_ab_each_after_its_own_warm_up() {
    let (old, new) = (Sim::start(STEADY), Sim::start(STEADY));
    let recorder = Recorder::default();
    let mut follower = Follower {
        is_settled: true,
        interrupt_after: None,
    };
    let wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], 1);
    let sessions = ab::measure(&wanted, &mut follower, &recorder, &Interrupt::never()).unwrap();
    let (a, b) = (Some("baseline"), Some("candidate"));
    let measured: Vec<_> = kept(&recorder.0.into_inner().unwrap());
    let order = [(a, 1), (b, 1), (b, 2), (a, 2), (a, 3), (b, 3)];
    let expected: Vec<_> = order
        .into_iter()
        .flat_map(|(arm, pair)| [(arm, true, pair), (arm, false, pair)])
        .collect();
    assert_eq!(measured, expected, "settled at the first look");
    for session in sessions {
        let pairing = session.pairing.unwrap();
        assert_eq!(pairing.stopped_early.as_deref(), Some("settled, after 3 pairs"));
        assert_eq!((pairing.blocks, session.cells[0].runs.len()), (1, 3));
        assert!(session.cells[0].runs.iter().all(|run| run.blocks.is_empty()));
    }
}

/// When each block of each arm began, in the order in which they should have been measured.
fn block_starts(old: &[Run], new: &[Run]) -> Vec<u64> {
    let mut starts = Vec::new();
    for (pair, (old, new)) in old.iter().zip(new).enumerate() {
        for (at, (a, b)) in old.blocks.iter().zip(&new.blocks).enumerate() {
            let (first, second) = if (pair + at) % 2 == 0 { (a, b) } else { (b, a) };
            starts.extend([first.started_unix_ms, second.started_unix_ms]);
        }
    }
    starts
}

#[test]
fn blocks_alternate_within_a_pair_and_are_pooled_into_one_run_an_arm() {
    let (old, new) = (Sim::start(QUICK), Sim::start(QUICK));
    let poisson = Load::Rate {
        rate_rps: 400.0,
        arrivals: perfgate::plan::Arrivals::Poisson,
    };
    let ramp = Load::Ramp {
        from_rps: 200.0,
        to_rps: 400.0,
        shape: perfgate::plan::RampShape::Linear,
        arrivals: perfgate::plan::Arrivals::Constant,
    };
    let mut follower = Follower {
        is_settled: false,
        interrupt_after: None,
    };
    let wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(4), poisson, ramp], 20);
    let [old, new] = ab::measure(&wanted, &mut follower, &Recorder::default(), &Interrupt::never()).unwrap();
    assert!(
        old.notes.iter().any(|note| note.contains("whole runs")),
        "{:?}",
        old.notes
    );
    assert_eq!(old.pairing.as_ref().unwrap().blocks, 20);
    for (cell, blocks) in [(0, 10), (1, 4), (2, 0)] {
        let (old, new) = (&old.cells[cell].runs, &new.cells[cell].runs);
        assert_eq!((old.len(), new.len()), (4, 4));
        let starts = block_starts(old, new);
        assert_eq!(starts.len(), 4 * 2 * blocks);
        assert!(starts.is_sorted(), "{starts:?}");
        for (old, new) in old.iter().zip(new) {
            let work = |run: &Run| -> Vec<_> {
                let all = run.requests.iter();
                all.map(|record| (record.index, record.input_tokens, record.output_tokens))
                    .collect()
            };
            assert_eq!(work(old), work(new));
            assert_eq!(old.requests.len(), 40);
            assert!(old.client.is_some() && old.warmup.requests == 2);
            let edges = |run: &Run| run.blocks.iter().map(|block| block.requests).collect::<Vec<_>>();
            assert_eq!(edges(old), edges(new));
            assert_eq!(edges(old).iter().sum::<u32>(), if blocks == 0 { 0 } else { 40 });
            is_spliced(old);
            is_spliced(new);
        }
    }
}

/// Every request lies within its block, and no block waits for the other arm.
fn is_spliced(run: &Run) {
    let mut ended_ns = 0;
    for (block, requests) in run.blocks.iter().zip(run.pieces()) {
        let Block { start_ns, .. } = *block;
        assert_eq!(start_ns, ended_ns, "the block begins when the one before ended");
        assert!(
            requests
                .iter()
                .all(|record| record.sent_ns >= start_ns && record.completed())
        );
        assert!(
            requests
                .iter()
                .all(|record| record.scheduled_ns.is_none_or(|due| due >= start_ns))
        );
        ended_ns = requests.iter().map(|record| record.end_ns).max().unwrap();
    }
}

#[test]
fn ctrl_c_keeps_the_pairs_that_are_whole() {
    let (old, new) = (Sim::start(QUICK), Sim::start(QUICK));
    let interrupt = Interrupt::never();
    let mut follower = Follower {
        is_settled: false,
        interrupt_after: Some((2, interrupt.clone())),
    };
    let wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(4)], 20);
    let sessions = ab::measure(&wanted, &mut follower, &Recorder::default(), &interrupt).unwrap();
    for session in &sessions {
        assert_eq!(session.ended, Ended::Interrupted);
        assert_eq!(session.cells[0].runs.len(), 2);
        assert!(session.cells[0].runs.iter().all(|run| run.requests.len() == 40));
        assert_eq!(session.pairing.as_ref().unwrap().stopped_early, None);
    }
    assert_eq!(sessions[1].pairing.as_ref().unwrap().arm, PairArm::Candidate);
}

#[test]
fn creep_of_the_baselines_arm_away_from_the_pinned_one_is_a_warning_of_the_gate_and_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (quick, slow) = (
        Sim::start(QUICK),
        Sim::start(&[QUICK, &["--slow", "tpot=900%"]].concat()),
    );
    let gated = |server: &Sim| {
        let args = gate(
            [&server.url, &server.url],
            &[
                "--requests",
                "200",
                "--looks",
                "3",
                "--blocks",
                "off",
                "--format",
                "json",
            ],
        );
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = perfgate(folder, &args).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let warnings = report["warnings"].as_array().unwrap().iter();
        let creep: Vec<String> = warnings
            .map(|warning| warning.as_str().unwrap().to_owned())
            .filter(|warning| warning.contains("pinned reference"))
            .collect();
        (creep, report["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(gated(&quick).0, [""; 0], "nothing is pinned");
    let save = ["baseline", "save", "session.baseline.json", "--name", "main", "--force"];
    expect(folder, 0, &save);
    expect(folder, 0, &["baseline", "pin", "--who", "Ada"]);
    assert_eq!(gated(&quick).0, [""; 0], "nothing has crept");
    let (creep, verdict) = gated(&slow);
    let throughput = creep
        .iter()
        .find(|told| told.starts_with("baseline: Output throughput at "));
    assert!(
        throughput.is_some_and(|told| told.contains("limit −5.0 %: slow creep")),
        "{creep:?}"
    );
    assert_ne!(verdict, "regression", "both arms are the same server");
    // What was pinned was measured in whole runs: blocks are another fingerprint, of which nothing is pinned.
    let args = gate(
        [&slow.url, &slow.url],
        &["--requests", "200", "--looks", "3", "--blocks", "5", "--format", "json"],
    );
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = perfgate(folder, &args).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("pinned reference"));
}

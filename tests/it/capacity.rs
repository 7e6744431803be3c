//! `capacity` and `sweep` against the embedded engine over a real socket.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::path::Path;

use perfgate::{
    plan::{Axis, Load},
    session::{Run, Search, SearchEnd, SearchStep, Session},
    store::{self, Stored},
};

use crate::command::{Sim, assert_code, expect, perfgate};

const SMALL: &[&str] = &[
    "--warmup",
    "4",
    "--requests",
    "40",
    "--input-tokens",
    "16",
    "--output-tokens",
    "4",
];

/// A search for the most requests in flight, of few and small ones.
const IN_FLIGHT: &[&str] = &[
    "--axis",
    "concurrency",
    "--repeat",
    "3",
    "--warmup",
    "4",
    "--requests",
    "12",
    "--input-tokens",
    "16",
];

/// A step of 1 ms, and 2 ms more for each sequence, without noise: TPOT stays below 10 ms up to four in flight.
const FOUR_AT_10_MS: &[&str] = &[
    "--decode-step-us",
    "1000",
    "--decode-us-per-seq",
    "2000",
    "--step-noise-pct",
    "0",
    "--drift-pct",
    "0",
];

fn session(path: &Path) -> Session {
    match store::read(path).unwrap() {
        Stored::Session(session) => session,
        Stored::Baseline(_) => panic!("a baseline"),
    }
}

/// All that a search says, and its session; `None` where this machine was too busy to be a client, which is said and is code 4.
fn search(folder: &Path, sim: &Sim, output: &str, more: &[&str]) -> Option<(String, Session)> {
    search_sized(folder, sim, output, &[SMALL, more].concat())
}

/// The same with the sizes of all that is sent among the flags.
fn search_sized(folder: &Path, sim: &Sim, output: &str, more: &[&str]) -> Option<(String, Session)> {
    let start = ["capacity", "--url", &sim.url, "-o", output, "--attainment", "80%"];
    let args = [&start, more].concat();
    let ended = perfgate(folder, &args).output().unwrap();
    let said = String::from_utf8(ended.stderr.clone()).unwrap();
    if ended.status.code() == Some(4) && said.contains("the client was the bottleneck") {
        return None;
    }
    let (text, told) = assert_code(&ended, 0, &args);
    Some((text + &told, session(&folder.join(output))))
}

fn ends(session: &Session) -> Vec<SearchEnd> {
    let runs: &[Run] = &session.cells.first().unwrap().runs;
    runs.iter().map(|run| run.search.as_ref().unwrap().end).collect()
}

#[test]
fn the_most_requests_in_flight_are_found_and_a_loss_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let own = [
        "--max",
        "32",
        "--slo",
        "tpot=10ms",
        "--batch-duration",
        "500ms",
        "--output-tokens",
        "16",
    ];
    let concurrency = [IN_FLIGHT, &own].concat();
    let sim = Sim::start(FOUR_AT_10_MS);
    let Some((text, session)) = search_sized(folder, &sim, "base.json", &concurrency) else {
        return;
    };
    assert!(
        text.contains("Capacity: ") && text.contains("requests in flight"),
        "{text}"
    );
    assert!(text.contains("TPOT ≤ 10 ms, for 80 % of the requests"), "{text}");
    let found = ends(&session);
    assert_eq!(found.len(), 3);
    for end in &found {
        // The machine can make it less, and not more: the engine is never faster than its model.
        assert!(matches!(end, SearchEnd::Found(level) if *level <= 5.0) || matches!(end, SearchEnd::BelowMin(_)));
    }
    assert!(matches!(session.plan.loads.as_slice(), [Load::Capacity(search)] if search.axis == Axis::Concurrency));
    expect(folder, 0, &["baseline", "save", "base.json", "--force"]);

    let slow = Sim::start(&[FOUR_AT_10_MS, &["--slow", "tpot=150%"]].concat());
    if search_sized(folder, &slow, "slow.json", &concurrency).is_none() {
        return;
    }
    let output = perfgate(folder, &["compare", "base.json", "slow.json", "--format", "json"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let metrics: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["metric"].as_str())
        .collect();
    assert_eq!(metrics, ["max_concurrency_under_slo"], "{report}");
    assert_ne!(report["verdict"], "pass", "{report}");
}

#[test]
fn a_level_above_the_requests_of_a_run_is_held_by_a_longer_batch() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(&["--step-noise-pct", "0"]);
    let easy = [
        "--axis",
        "concurrency",
        "--min",
        "60",
        "--max",
        "60",
        "--slo",
        "e2e=60s",
        "--repeat",
        "1",
        "--batch-duration",
        "1s",
    ];
    let Some((text, session)) = search(folder.path(), &sim, "easy.json", &easy) else {
        return;
    };
    assert_eq!(ends(&session), [SearchEnd::AboveMax(60.0)], "{text}");
    let steps = &session.cells.first().unwrap().runs[0].search.as_ref().unwrap().steps;
    // Six for each in flight, of which the first and the last do not count.
    assert!(steps.iter().all(|step| step.requests >= 4 * 60), "{steps:?}");
}

/// 4 ms a step for each sequence, and 24 tokens an answer: 16 ms a token with four in flight, 20 ms with five.
const FOUR_BELOW_18_MS: &[&str] = &[
    "--decode-step-us",
    "1",
    "--decode-us-per-seq",
    "4000",
    "--prefill-us-per-token",
    "1",
    "--step-noise-pct",
    "0",
    "--drift-pct",
    "0",
];

#[test]
fn the_most_requests_in_flight_of_an_engine_of_known_speed_are_four() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(FOUR_BELOW_18_MS);
    let own = [
        "--max",
        "16",
        "--slo",
        "tpot=18ms",
        "--batch-duration",
        "1500ms",
        "--output-tokens",
        "24",
    ];
    let args = [IN_FLIGHT, &own].concat();
    let Some((text, session)) = search_sized(folder.path(), &sim, "four.json", &args) else {
        return;
    };
    let found = ends(&session);
    // A busy machine can make it less, never more: the engine is no faster than its model.
    for end in &found {
        assert!(matches!(end, SearchEnd::Found(level) if *level <= 4.0) || matches!(end, SearchEnd::BelowMin(_)));
    }
    assert!(found.contains(&SearchEnd::Found(4.0)), "{text}");
    let runs = &session.cells.first().unwrap().runs;
    for step in runs.iter().flat_map(|run| &run.search.as_ref().unwrap().steps) {
        // As many as the engine completes in the time that was asked, or more; those that begin and end are left out.
        let asked = 1.5 * step.completed_rps / 1.1 - step.level;
        assert!(!step.met || f64::from(step.requests) >= asked.max(12.0), "{step:?}");
    }
    if found.iter().all(|end| *end == SearchEnd::Found(4.0)) {
        // All agree, and yet the limit may be anywhere up to the level that was not met.
        assert!(text.contains("95 % interval 4 … 5"), "{text}");
    }
    // Answers of one length, four at a time and all at once.
    assert!(text.contains("marched in waves"), "{text}");
}

#[test]
fn a_ladder_has_no_level_that_a_run_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(&["--step-noise-pct", "0"]);
    let ladder = [
        "sweep",
        "--url",
        &sim.url,
        "--all",
        "--repeat",
        "1",
        "-o",
        "ladder.json",
    ];
    let from = |from: &'static str| [&ladder[..], &["--from", from, "--to", "90", "--steps", "3"], SMALL].concat();
    let ended = perfgate(folder.path(), &from("10")).output().unwrap();
    // A busy machine may make the client the bottleneck of a run, which is said and is code 4.
    assert!(matches!(ended.status.code(), Some(0 | 4)), "{ended:?}");
    let levels = session(&folder.path().join("ladder.json")).plan.loads;
    assert_eq!(levels, [Load::Concurrency(10), Load::Concurrency(30)]);
    let (_, told) = expect(folder.path(), 2, &from("41"));
    assert!(told.contains("runs of 40 requests"), "{told}");
    // Conversations are in flight, and not their turns.
    let talks = [&from("11")[..], &["--conversation", "turns=4,think_time=0s"]].concat();
    let (_, told) = expect(folder.path(), 2, &talks);
    assert!(told.contains("the 40 requests of a run are 10 conversations"), "{told}");
}

#[test]
fn the_highest_rate_is_found_with_its_steps() {
    let folder = tempfile::tempdir().unwrap();
    // One sequence at a time, 16 ms and more an answer: 60 a second are the most.
    let engine = [
        "--max-num-seqs",
        "1",
        "--decode-step-us",
        "4000",
        "--step-noise-pct",
        "0",
        "--drift-pct",
        "0",
    ];
    let sim = Sim::start(&engine);
    let rate = [
        "--min",
        "20",
        "--max",
        "500",
        "--precision",
        "20%",
        "--slo",
        "ttft=80ms",
        "--repeat",
        "2",
        "--batch-duration",
        "3s",
    ];
    let Some((text, session)) = search(folder.path(), &sim, "rate.json", &rate) else {
        return;
    };
    assert!(text.contains("counted from their schedule"), "{text}");
    let runs = &session.cells.first().unwrap().runs;
    let searches: Vec<&Search> = runs.iter().map(|run| run.search.as_ref().unwrap()).collect();
    assert!(runs.iter().all(|run| run.requests.is_empty()), "{runs:?}");
    assert_eq!(runs[0].cache_reset.as_deref(), Some("/reset_prefix_cache"));
    if cfg!(target_os = "linux") {
        assert!(runs[0].client.unwrap().wall_s > 0.0, "{:?}", runs[0].client);
    }
    let steps: Vec<&SearchStep> = searches.iter().flat_map(|search| &search.steps).collect();
    assert!(searches.iter().all(|search| search.steps.len() >= 2), "{searches:?}");
    for step in &steps {
        assert!((0.0..=1.0).contains(&step.attainment), "{step:?}");
        // As long as asked, at the rate that was asked.
        assert!(
            f64::from(step.requests) >= (3.0 * step.level).floor().max(40.0),
            "{step:?}"
        );
        assert!((step.offered_rps.unwrap() / step.level - 1.0).abs() < 1e-3, "{step:?}");
        // More than the engine can serve is never met, however short the search is.
        assert!(!step.met || step.level <= 62.0, "{step:?}");
    }
    for search in searches {
        match search.end {
            SearchEnd::Found(rate) => assert!(rate <= 62.0, "{rate} of an engine that can 60"),
            SearchEnd::BelowMin(rate) => assert!((rate - 20.0).abs() < 1e-9, "a machine too busy for 20 a second"),
            SearchEnd::AboveMax(rate) => panic!("{rate} of an engine that can 60"),
            SearchEnd::Wide(met, _) => assert!(met <= 62.0, "{met} of an engine that can 60"),
        }
    }
}

#[test]
fn a_batch_that_ends_before_its_answers_is_measured_again_for_longer() {
    let folder = tempfile::tempdir().unwrap();
    // 64 at a time, each answer of 4 tokens takes 800 ms: 80 a second are the most.
    let engine = [
        "--decode-step-us",
        "200000",
        "--step-noise-pct",
        "0",
        "--drift-pct",
        "0",
    ];
    let sim = Sim::start(&[&engine[..], &["--max-num-seqs", "64"]].concat());
    let rate = [
        "--min",
        "60",
        "--max",
        "60",
        "--slo",
        "e2e=10s",
        "--repeat",
        "1",
        "--batch-duration",
        "1s",
    ];
    let Some((_, session)) = search(folder.path(), &sim, "rate.json", &rate) else {
        return;
    };
    let steps = &session.cells.first().unwrap().runs[0].search.as_ref().unwrap().steps;
    // A busy machine may have made it more than two batches longer than it was, or not met.
    let first = &steps[0];
    assert!(
        first.requests >= 60 * 2 || first.attainment < 0.8,
        "three answers last 2.4 s: {steps:?}"
    );
}

#[test]
fn a_search_without_a_promise_or_with_a_bad_range_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, trouble) = expect(folder, 2, &["capacity"]);
    assert!(trouble.contains("`--slo ttft=2s,tpot=200ms`"), "{trouble}");
    for (more, said) in [
        (&["--min", "0"][..], "`--min` is `0`"),
        (&["--min", "9", "--max", "8"], "`--max` is `8`"),
        (&["--precision", "0.1%"], "`--precision`"),
        (&["--attainment", "100%"], "`--attainment` is `100`"),
        (&["--attainment", "many"], "is no share"),
    ] {
        let (_, trouble) = expect(folder, 2, &[&["capacity", "--slo", "ttft=1s"], more].concat());
        assert!(trouble.contains(said), "{trouble}");
    }
}

#[test]
fn a_dead_server_ends_a_search_and_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "capacity",
        "--url",
        "http://127.0.0.1:9",
        "--model",
        "x",
        "--slo",
        "ttft=1s",
        "--min",
        "40",
        "--quiet",
    ];
    let (_, trouble) = expect(folder.path(), 4, &args);
    assert!(trouble.contains("every request failed"), "{trouble}");
}

#[test]
fn a_ladder_ends_where_the_server_is_saturated() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Two at a time: more in flight only wait.
    let sim = Sim::start(&[
        "--max-num-seqs",
        "2",
        "--decode-step-us",
        "4000",
        "--step-noise-pct",
        "0",
    ]);
    let sweep = |output: &str, more: &[&str]| {
        let ladder = [
            "sweep", "--url", &sim.url, "--to", "32", "--steps", "6", "--repeat", "2", "-o", output,
        ];
        let ended = perfgate(folder, &[&ladder, SMALL, more].concat()).output().unwrap();
        // A busy machine may make the client the bottleneck of a run, which is said and is code 4.
        assert!(matches!(ended.status.code(), Some(0 | 4)), "{ended:?}");
        (String::from_utf8(ended.stdout).unwrap(), ended.status.code() == Some(0))
    };
    let (text, is_valid) = sweep("sweep.json", &["--svg", "curve.svg"]);
    assert!(
        text.contains("saturated at c=") && text.contains("not measured: "),
        "{text}"
    );
    assert!(text.contains("E2E P50 against throughput"), "{text}");
    let session = session(&folder.join("sweep.json"));
    let runs: Vec<usize> = session.cells.iter().map(|cell| cell.runs.len()).collect();
    assert!(runs.len() == 6 && runs[0] == 2 && runs[5] == 0, "{runs:?}");
    assert!(
        session
            .cells
            .iter()
            .all(|cell| cell.skipped.is_some() == cell.runs.is_empty())
    );
    let svg = std::fs::read_to_string(folder.join("curve.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.matches("<circle").count() >= 2, "{svg}");
    let compare = ["compare", "sweep.json", "sweep.json", "--format", "html"];
    let page = String::from_utf8(perfgate(folder, &compare).output().unwrap().stdout).unwrap();
    let measured = runs.iter().filter(|runs| **runs > 0).count();
    for arm in ["baseline", "candidate"] {
        let marks = page.matches(&format!("<title>{arm} at c=")).count();
        // Throughput against latency, and the P99 of TTFT and of TPOT.
        assert_eq!(marks, if measured < 3 { 0 } else { 3 * measured }, "{page}");
    }

    let (_, is_valid_too) = sweep("all.json", &["--all"]);
    if !(is_valid && is_valid_too) {
        return;
    }
    let output = perfgate(folder, &["compare", "sweep.json", "all.json", "--format", "json"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("the baseline left") && warnings.contains("which the candidate measured"),
        "{warnings}"
    );
    assert_eq!(
        output.status.code(),
        Some(3),
        "a level that only one side has is no pass"
    );
}

#[test]
fn a_ladder_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (more, said) in [
        (&["--from", "0"][..], "`--from` is `0`"),
        (&["--from", "9", "--to", "8"], "`--to` is `8`"),
        (&["--steps", "1"], "`--steps` is `1`"),
    ] {
        let (_, trouble) = expect(folder.path(), 2, &[&["sweep"], more].concat());
        assert!(trouble.contains(said), "{trouble}");
    }
}

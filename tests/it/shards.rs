//! Four processes that share out one plan against one engine, and what they make together.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{collections::BTreeSet, path::Path, process::Child, process::Stdio};

use perfgate::{
    plan::Sharing,
    session::{Ended, Session},
    store::{self, Stored},
};

use crate::command::{Sim, assert_code, expect, perfgate};

const SHARDS: u32 = 4;
const LOAD: [&str; 12] = [
    "--input-tokens",
    "16",
    "--output-tokens",
    "8",
    "--requests",
    "64",
    "--warmup",
    "8",
    "--repeat",
    "2",
    "--seed",
    "7",
];

fn session(path: &Path) -> Session {
    match store::read(path).unwrap() {
        Stored::Session(session) => session,
        Stored::Baseline(_) => unreachable!("a session was written"),
    }
}

fn start(folder: &Path, load: &[&str]) -> Vec<Child> {
    let one = |index: u32| {
        let (shard, output) = (format!("{}/{SHARDS}", index + 1), format!("shard-{}.json", index + 1));
        let own = ["--shard", &shard, "--meet", "meeting", "-o", &output, "--quiet"];
        let args = [&["run"], load, &LOAD[..], &own].concat();
        let mut command = perfgate(folder, &args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..SHARDS).map(one).collect()
}

const FILES: [&str; 4] = ["shard-1.json", "shard-2.json", "shard-3.json", "shard-4.json"];

/// Which requests a run has, and when each was due.
fn due(session: &Session) -> BTreeSet<(u32, Option<u64>)> {
    let records = session.cells[0].runs[1].requests.iter();
    records.map(|record| (record.index, record.scheduled_ns)).collect()
}

#[test]
fn four_shards_send_what_one_machine_would_and_merge_into_its_session() {
    let engine = Sim::start(&["--decode-step-us", "5000", "--step-noise-pct", "0", "--drift-pct", "0"]);
    let mut compared = 0;
    for load in [["--rate", "40"], ["--concurrency", "8"]] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let load = [&["--url", engine.url.as_str()], &load[..]].concat();
        for child in start(folder, &load) {
            let output = child.wait_with_output().unwrap();
            // A busy machine may make a client late, which is said; what is sent is the same.
            assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
        }
        let args = [&["run"], &load[..], &LOAD[..], &["-o", "whole.json", "--quiet"]].concat();
        let whole = perfgate(folder, &args).output().unwrap();
        assert!(matches!(whole.status.code(), Some(0 | 4)), "{whole:?}");
        let output = perfgate(folder, &[&["merge"], &FILES[..], &["-o", "merged.json"]].concat())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(2) {
            // Clocks and starts are one machine's: only a busy one lets a shard begin late.
            assert!(said.contains("after the time that was agreed"), "{said}");
            continue;
        }
        compared += 1;
        let (merged, whole) = (
            session(&folder.join("merged.json")),
            session(&folder.join("whole.json")),
        );
        assert_eq!(merged.cells[0].schedule_sha256, whole.cells[0].schedule_sha256);
        // In closed loop each shard has its own last requests, which is another measurement.
        let is_open = load.contains(&"--rate");
        let sharing = (!is_open).then_some(Sharing::All(SHARDS));
        assert_eq!((merged.cells[0].runs.len(), merged.plan.shard), (2, sharing));
        let indexes = |session: &Session| {
            due(session)
                .into_iter()
                .map(|(index, _)| index)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(indexes(&merged), indexes(&whole));
        let spread = |(one, other): (Option<u64>, Option<u64>)| one.unwrap_or(0).abs_diff(other.unwrap_or(0));
        let apart = due(&merged)
            .into_iter()
            .zip(due(&whole))
            .map(|(one, other)| spread((one.1, other.1)));
        // To what the starts lie apart, which may be 100 ms.
        assert!(apart.max().unwrap() <= 200_000_000, "each is due when it would be");
        let same = perfgate(folder, &["compare", "whole.json", "merged.json", "--format", "json"])
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&same.stdout).unwrap();
        let differing = told["differences"].to_string();
        assert_eq!(differing.contains("plan.shard"), !is_open, "{told}");
    }
    assert!(compared > 0, "no load was compared");
}

#[test]
fn a_shard_that_is_killed_makes_the_whole_invalid_and_the_others_records_stay() {
    let engine = Sim::start(&["--decode-step-us", "20000", "--step-noise-pct", "0"]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut children = start(folder, &["--url", engine.url.as_str(), "--concurrency", "8"]);
    // Into the second run, for which all have met again.
    let met = folder.join("meeting/cell0-run1.go");
    while !met.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    children[2].kill().unwrap();
    for child in children {
        child.wait_with_output().unwrap();
    }
    let args = [&["merge"], &FILES[..], &["-o", "merged.json"]].concat();
    let output = perfgate(folder, &args).output().unwrap();
    let (_, said) = assert_code(&output, 4, &args);
    assert!(said.contains("shard 3/4"), "{said}");
    let merged = session(&folder.join("merged.json"));
    assert!(
        matches!(&merged.ended, Ended::Aborted(reason) if reason.contains("shard 3/4")),
        "{:?}",
        merged.ended
    );
    let runs = &merged.cells[0].runs;
    assert!(runs[0].cut_short.is_none() && runs[0].requests.len() == 64);
    assert!(
        runs[1].cut_short.is_some() && runs[1].requests.len() == 48,
        "{:?}",
        runs[1].cut_short
    );
    let (_, said) = expect(folder, 2, &["merge", "shard-1.json", "shard-2.json", "-o", "some.json"]);
    assert!(said.contains("shards 3, 4 are missing"), "{said}");
    let over = [&["merge"], &FILES[..], &["-o", "shard-1.json"]].concat();
    let (_, said) = expect(folder, 2, &over);
    assert!(said.contains("is a shard: give the whole another file"), "{said}");
}

#[test]
fn a_part_that_nobody_could_measure_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "--url", "http://127.0.0.1:9", "--model", "x"];
    for (more, says) in [
        (&["--shard", "5/4", "--meet", "m"][..], "no part of a whole"),
        (&["--shard", "1/2"], "nobody knows when the others begin"),
        (
            &["--shard", "1/2", "--start-at", "1790000000"],
            "the time of the first says nothing of the others",
        ),
        (
            &[
                "--shard",
                "1/2",
                "--start-at",
                "12",
                "--repeat",
                "1",
                "--concurrency",
                "4",
            ],
            "no time in seconds",
        ),
        (
            &["--shard", "1/8", "--meet", "m", "--concurrency", "4"],
            "cannot be shared out over 8 machines",
        ),
        (&["--shard", "auto", "--meet", "m"], "SLURM_PROCID"),
        (
            &["--shard", "1/2", "--meet", "m", "--warmup", "auto"],
            "give `warmup` a number",
        ),
        (
            &["--shard", "1/2", "--meet", "m", "--stages", "rate=5:10,rate=9:10"],
            "stages, each of which",
        ),
        (
            &[
                "--shard",
                "1/4",
                "--meet",
                "m",
                "--requests",
                "8",
                "--conversation",
                "turns=4",
                "--concurrency",
                "4",
            ],
            "shard 3 would have nothing to send",
        ),
    ] {
        let (_, said) = expect(folder.path(), 2, &[&run, more].concat());
        assert!(said.contains(says), "{says}: {said}");
    }
}

//! `perfgate baseline` through the binary, over every kind of place that baselines are kept in.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use perfgate::{
    commands::place,
    config::StoreAddress,
    history::{Accepted, Entry},
    store::Baseline,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{command::expect, made};

const REF: &str = "git:refs/perfgate/baselines";
/// Runs 1 % apart.
const RUNS: [f64; 5] = [0.99, 1.0, 1.01, 1.002, 0.998];
/// When the first session of a test was measured.
const FIRST_UNIX_S: u64 = 1_790_000_000;

/// A repository with one commit and room for stores beside it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        let scratch = Self(tempfile::tempdir().unwrap());
        fs::create_dir(scratch.beside("repo")).unwrap();
        git(&scratch.repo(), &["init", "--quiet", "--initial-branch", "main"]);
        git(
            &scratch.repo(),
            &["commit", "--quiet", "--allow-empty", "--message", "first"],
        );
        scratch
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn repo(&self) -> PathBuf {
        self.beside("repo")
    }

    fn at_files(&self) -> String {
        format!("file://{}", self.beside("objects").display())
    }

    /// A folder, a ref and objects.
    fn stores(&self) -> [String; 3] {
        ["baselines".to_owned(), REF.to_owned(), self.at_files()]
    }

    /// Runs `perfgate` in the repository.
    fn says(&self, code: i32, args: &[&str]) -> String {
        let (text, trouble) = expect(&self.repo(), code, args);
        format!("{text}{trouble}")
    }

    /// Saves a session that was measured so many hours after the first one, at so many times the usual times.
    fn save(&self, store: &str, (hour, level): (u64, f64), more: &[&str], code: i32) -> String {
        let commit = format!("{hour:04}{}", "c".repeat(36));
        let session = made::session(&commit, FIRST_UNIX_S + 3600 * hour, &RUNS.map(|run| run * level));
        made::write(&self.repo(), "session.json", &session);
        let save = ["baseline", "save", "session.json", "--name", "main", "--store", store];
        self.says(code, &[&save, more].concat())
    }

    /// The one baseline of a store.
    fn stored(&self, store: &str) -> Baseline<Entry> {
        let address = match StoreAddress::parse(store).unwrap() {
            StoreAddress::Folder(folder) => StoreAddress::Folder(self.repo().join(folder)),
            address => address,
        };
        let baselines = place::open_from(&address, &self.repo()).unwrap();
        let entry = |session, link: &perfgate::store::Link| Entry::of(&session, &link.sha256, &link.forced);
        baselines.get_with("main", entry).unwrap()
    }

    fn history(&self, store: &str) -> Value {
        let (text, _) = expect(&self.repo(), 0, &["history", "--store", store, "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    }
}

/// What git says in a folder, whatever the settings of this machine.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=Alice", "-c", "user.email=alice@example.com"])
        .args(args)
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {trouble}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_step_is_accepted_where_it_lies_wherever_the_baseline_is_kept() {
    let scratch = Scratch::new();
    for store in scratch.stores() {
        for hour in 0..3 {
            scratch.save(&store, (hour, 1.0), &[], 0);
        }
        let said = scratch.save(&store, (4, 1.5), &[], 2);
        assert!(said.contains("worse than its limits"), "{store}: {said}");
        let why = ["--accept", "fp8 gave wrong answers", "--who", "Ada"];
        scratch.save(&store, (4, 1.5), &why, 0);
        let stored = scratch.stored(&store);
        let after = |step: &Accepted| step.after.as_deref() == Some(stored.history[2].sha256.as_str());
        assert!(
            !stored.accepted.is_empty() && stored.accepted.iter().all(after),
            "{store}: {:?}",
            stored.accepted
        );
        let told = scratch.history(&store);
        let step = &told["baselines"][0]["courses"][0]["steps"][0];
        assert_eq!(
            (&step["session"], &step["alert"]),
            (&3.into(), &false.into()),
            "{store}: {told}"
        );

        // What is as slow as that is held against it alone, and passes.
        scratch.save(&store, (5, 1.5), &[], 0);
        // A session older than the newest one changes no level.
        scratch.save(&store, (3, 3.0), &[], 0);
        assert_eq!(scratch.stored(&store).history.len(), 6, "{store}");
    }
}

/// The same of many sessions, which have less to be read.
const FEW_RUNS: [f64; 3] = [0.995, 1.0, 1.005];

/// Stores sessions, an hour apart, at so many times the usual times, in the folder `baselines`.
fn store_all(scratch: &Scratch, levels: &[f64]) {
    for (hour, level) in (0..).zip(levels) {
        let commit = format!("{hour:04}{}", "c".repeat(36));
        let session = made::session(&commit, FIRST_UNIX_S + 3600 * hour, &FEW_RUNS.map(|run| run * level));
        made::save(&scratch.repo().join("baselines"), "main", &session);
    }
}

/// Six sessions around a level.
fn around(level: f64) -> [f64; 6] {
    [1.0, 1.004, 0.997, 1.002, 0.999, 1.003].map(|wobble| wobble * level)
}

#[test]
fn what_is_tidied_up_still_says_that_main_got_worse() {
    let scratch = Scratch::new();
    store_all(&scratch, &[around(1.3), around(1.0), around(1.2)].concat());
    let alert = "main got worse: TPOT P95 at synthetic-64/17 @ c=4 by +20.0 % in 0011cccccccc..0012cccccccc";
    let before = scratch.says(1, &["history", "--check"]);
    assert!(before.contains(alert), "{before}");
    let rehearsed = scratch.says(0, &["baseline", "gc", "--keep", "3", "--dry-run"]);
    assert!(
        rehearsed.contains("12 sessions stay (a verdict, an alert"),
        "{rehearsed}"
    );
    assert!(rehearsed.contains("6 would go"), "{rehearsed}");
    let done = scratch.says(0, &["baseline", "gc", "--keep", "3"]);
    assert!(done.contains("6 went"), "{done}");
    let after = scratch.says(1, &["history", "--check"]);
    assert!(after.contains("main: 12 sessions") && after.contains(alert), "{after}");

    // Once somebody answers for the step, only the new level is a measure.
    let accept = [
        "baseline",
        "accept",
        "--reason",
        "fp8 gave wrong answers",
        "--who",
        "Ada",
    ];
    scratch.says(0, &accept);
    let done = scratch.says(0, &["baseline", "gc", "--keep", "3"]);
    assert!(done.contains("6 sessions stay (") && done.contains("6 went"), "{done}");
    scratch.says(0, &["history", "--check"]);
}

#[test]
fn what_is_tidied_up_still_tells_slow_creep_as_before() {
    let scratch = Scratch::new();
    // No step is as large as the limit, and the window is the last level alone.
    store_all(
        &scratch,
        &[around(1.3), around(1.0), around(1.045), around(1.09)].concat(),
    );
    scratch.says(0, &["baseline", "pin", "--commit", "0011", "--who", "Ada"]);
    let candidate = made::session("later", FIRST_UNIX_S + 900_000, &FEW_RUNS.map(|run| run * 1.09));
    made::write(&scratch.repo(), "new.json", &candidate);
    let creep = || -> Vec<String> {
        let compare = ["compare", "new.json", "--format", "json"];
        let output = crate::command::perfgate(&scratch.repo(), &compare).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let warnings = report["warnings"].as_array().unwrap();
        let texts = warnings.iter().filter_map(Value::as_str);
        let creep = texts.filter(|text| text.contains("the pinned reference"));
        // The noise is learnt from fewer sessions, so the interval is another one.
        let without_interval = |text: &str| {
            let (figure, rest) = text.split_once(" (90 %").unwrap();
            format!("{figure}{}", rest.split_once(')').unwrap().1)
        };
        creep.map(without_interval).collect()
    };
    let before = creep();
    assert!(
        before.iter().any(|text| text.contains("sessions before it")),
        "{before:#?}"
    );
    let done = scratch.says(0, &["baseline", "gc", "--keep", "3"]);
    // The pinned session, the four before it and all since.
    assert_eq!(scratch.stored("baselines").history.len(), 17, "{done}");
    assert_eq!(creep(), before);
}

#[test]
fn nothing_is_copied_from_where_nothing_is() {
    let scratch = Scratch::new();
    let beside = format!("file://{}", scratch.beside("nowhere").display());
    fs::create_dir(scratch.repo().join("empty")).unwrap();
    for from in ["git:refs/perfgate/other", &beside, "empty"] {
        let said = scratch.says(2, &["baseline", "copy", from, REF]);
        assert!(said.contains(&format!("there are no baselines in `{from}`")), "{said}");
    }
    let said = scratch.says(2, &["baseline", "copy", "nowhere", REF]);
    assert!(said.contains("there is no folder of baselines `nowhere`"), "{said}");
    let said = scratch.says(2, &["baseline", "list", "--store", "file:/srv/base"]);
    assert!(said.contains("write `file:///srv/base`"), "{said}");
}

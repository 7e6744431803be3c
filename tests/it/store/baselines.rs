#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{collections::BTreeSet, fs, thread};

use perfgate::{
    session::{Ended, Session},
    store::{self, Baselines, MAX_HISTORY, Saved, StoreError, Stored},
};
use tempfile::TempDir;

use super::session;

fn scratch() -> (TempDir, Baselines) {
    let dir = tempfile::tempdir().unwrap();
    let baselines = Baselines::open(dir.path().join("baselines")).unwrap();
    (dir, baselines)
}

/// A session that differs from the others by its start.
fn session_at(started_unix_s: u64) -> Session {
    Session {
        started_unix_s,
        ..session()
    }
}

fn save(baselines: &Baselines, started_unix_s: u64, name: Option<&str>, plan: &str, environment: &str) -> Saved {
    let session = session_at(started_unix_s);
    baselines
        .save(&session, name, plan, environment, started_unix_s + 60, &[])
        .unwrap()
}

#[test]
fn sessions_of_one_plan_and_environment_gather_in_one_file() {
    let (dir, baselines) = scratch();
    assert_eq!(save(&baselines, 1, Some("main"), "aaaa", "eeee").sessions, 1);
    let saved = save(&baselines, 2, None, "aaaa", "eeee");
    assert_eq!((saved.sessions, saved.already_there), (2, false));
    assert_eq!(saved.path, dir.path().join("baselines/aaaa-eeee.json"));

    let baseline = baselines.get("main").unwrap();
    assert_eq!(baseline.history, [session_at(1), session_at(2)]);
    assert_eq!(baseline.latest(), Some(&session_at(2)));
    assert_eq!((baseline.plan_hash.as_str(), baseline.last_saved_unix_s), ("aaaa", 62));
    assert_eq!(store::read(&saved.path).unwrap(), Stored::Baseline(baseline));
    let error = store::read_session(&saved.path).unwrap_err();
    assert!(
        error.to_string().ends_with("holds a baseline, not a session"),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(dir.path().join("baselines")).unwrap().count(),
        1,
        "no lock and no temporary file"
    );
}

#[test]
fn the_same_session_counts_once() {
    let (_dir, baselines) = scratch();
    save(&baselines, 1, None, "aaaa", "eeee");
    let again = save(&baselines, 1, Some("late-name"), "aaaa", "eeee");
    assert_eq!((again.sessions, again.already_there), (1, true));
    assert_eq!(baselines.get("late-name").unwrap().history.len(), 1);
}

#[test]
fn the_oldest_sessions_make_room() {
    let (_dir, baselines) = scratch();
    let kept = MAX_HISTORY as u64;
    for start in 1..=kept + 2 {
        save(&baselines, start, None, "aaaa", "eeee");
    }
    let starts: Vec<u64> = baselines
        .get("aaaa")
        .unwrap()
        .history
        .iter()
        .map(|s| s.started_unix_s)
        .collect();
    assert_eq!(starts, (3..=kept + 2).collect::<Vec<_>>());
}

#[test]
fn concurrent_saves_lose_no_session() {
    let (_dir, baselines) = scratch();
    thread::scope(|scope| {
        for writer in 0..4 {
            let baselines = &baselines;
            scope.spawn(move || {
                for round in 0..5 {
                    save(baselines, writer * 10 + round, None, "aaaa", "eeee");
                }
            });
        }
    });
    let history = baselines.get("aaaa-eeee").unwrap().history;
    let starts: BTreeSet<u64> = history.iter().map(|session| session.started_unix_s).collect();
    assert_eq!(starts, (0..4).flat_map(|w| (0..5).map(move |r| w * 10 + r)).collect());
}

#[test]
fn a_baseline_is_found_by_name_file_and_beginning_of_a_fingerprint() {
    let (_dir, baselines) = scratch();
    save(&baselines, 1, Some("h100"), "aaaa1", "eeee1");
    save(&baselines, 2, Some("h200"), "aaaa1", "eeee2");
    save(&baselines, 3, None, "bbbb1", "eeee1");
    for (key, start) in [
        ("h100", 1),
        ("h200", 2),
        ("aaaa1-eeee2", 2),
        ("aaaa1-eeee2.json", 2),
        ("bbbb", 3),
        ("eeee2", 2),
    ] {
        assert_eq!(baselines.get(key).unwrap().history[0].started_unix_s, start, "{key}");
    }
    assert!(matches!(baselines.get("aaaa1"), Err(StoreError::Ambiguous { .. })));
    for unknown in ["h1", "", "aaa", "../h100", "baselines/h100"] {
        let error = baselines.get(unknown).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("there are `h100`, `h200`, `bbbb1-eeee1.json`"),
            "{error}"
        );
    }
    let plans = |hash| baselines.for_plan(hash).unwrap().len();
    assert_eq!(
        (plans("aaaa1"), plans("bbbb1"), plans("aaaa"), plans("cccc")),
        (2, 1, 0, 0)
    );
}

#[test]
fn a_name_stands_for_one_baseline() {
    let (_dir, baselines) = scratch();
    save(&baselines, 1, Some("main"), "aaaa", "eeee");
    let error = baselines
        .save(&session(), Some("main"), "bbbb", "eeee", 9, &[])
        .unwrap_err();
    assert!(error.to_string().contains("the name `main` belongs to"), "{error}");
    for bad in ["..", "a/b", "Main", ""] {
        let error = baselines
            .save(&session(), Some(bad), "bbbb", "eeee", 9, &[])
            .unwrap_err();
        assert!(matches!(error, StoreError::BadName { .. }), "{bad}: {error}");
    }
    assert!(baselines.save(&session(), None, "../../etc", "eeee", 9, &[]).is_err());
    assert_eq!(baselines.list().unwrap().len(), 1);
}

#[test]
fn a_removed_baseline_is_gone_and_its_name_free() {
    let (_dir, baselines) = scratch();
    assert!(matches!(baselines.remove("main"), Err(StoreError::Unknown { .. })));
    let saved = save(&baselines, 1, Some("main"), "aaaa", "eeee");
    assert_eq!(baselines.remove("main").unwrap(), saved.path);
    assert!(!saved.path.exists());
    save(&baselines, 1, Some("main"), "bbbb", "eeee");
}

#[test]
fn a_list_shows_whole_and_broken_files() {
    let (dir, baselines) = scratch();
    assert!(baselines.list().unwrap().is_empty());
    let saved = save(&baselines, 1, Some("main"), "bbbb", "eeee");
    let folder = dir.path().join("baselines");
    fs::write(folder.join("aaaa-eeee.json"), "{\"schema\": \"perfgate-llm/bas").unwrap();
    fs::write(folder.join("notes.txt"), "not ours").unwrap();
    store::write_session(&folder.join("zzzz.json"), &session()).unwrap();

    let listed = baselines.list().unwrap();
    let [cut, whole, foreign] = listed.as_slice() else {
        panic!("three files, not {listed:?}")
    };
    assert!(matches!(cut.baseline, Err(StoreError::CutOff { .. })));
    assert!(matches!(foreign.baseline, Err(StoreError::OtherKind { .. })));
    assert_eq!(whole.file, saved.path);
    let info = whole.baseline.as_ref().unwrap();
    assert_eq!(
        (info.name.as_deref(), info.sessions, info.last_saved_unix_s),
        (Some("main"), 1, 61)
    );
    assert_eq!(info.model.as_deref(), Some("tiny"));
    assert_eq!((info.cells.len(), info.runs.as_slice()), (2, &[2, 2][..]));

    assert_eq!(
        baselines.for_plan("aaaa").unwrap(),
        [folder.join("aaaa-eeee.json")],
        "a broken baseline must not look like none"
    );
    assert!(
        baselines.save(&session(), None, "aaaa", "eeee", 9, &[]).is_err(),
        "nor be overwritten"
    );
    baselines.remove("aaaa-eeee").unwrap();
    assert_eq!(baselines.list().unwrap().len(), 2);
}

#[test]
fn a_baseline_of_a_newer_perfgate_is_not_written_into() {
    let (_dir, baselines) = scratch();
    let saved = save(&baselines, 1, None, "aaaa", "eeee");
    let newer = fs::read_to_string(&saved.path)
        .unwrap()
        .replacen("baseline/2", "baseline/3", 1);
    fs::write(&saved.path, &newer).unwrap();
    let error = baselines.save(&session(), None, "aaaa", "eeee", 9, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert_eq!(fs::read_to_string(&saved.path).unwrap(), newer);
}

#[test]
fn a_wrong_value_in_a_history_is_named_with_its_place() {
    let (_dir, baselines) = scratch();
    let saved = save(&baselines, 1, None, "aaaa", "eeee");
    let text = fs::read_to_string(&saved.path).unwrap();
    for (from, to, expected) in [
        ("session/1", "session/2", "`history[0]`: it, or the one before it"),
        ("\"seed\":", "\"sead\":", "`history[0].session.plan.sead`"),
        ("\"sha256\":", "\"sha1\":", "`history[0].sha1`"),
        ("\"history\"", "\"course\"", "`course`: unknown field"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&saved.path, text.replacen(from, to, 1)).unwrap();
        let error = baselines.get("aaaa").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n  lacks {expected}");
    }
}

#[test]
fn a_session_that_carries_no_verdict_becomes_no_baseline() {
    let (dir, baselines) = scratch();
    let mut strict = session();
    strict.plan.max_error_rate = 0.01;
    let mut cut_short = session();
    cut_short.cells[1].runs[0].cut_short = Some("the server went away".into());
    let mut empty = session();
    empty.ended = Ended::Interrupted;
    empty.cells.iter_mut().for_each(|cell| cell.runs.clear());
    let mut contradictory = session();
    contradictory.cells[0].runs[0].requests[0].end_ns = 0;
    for (session, expected) in [
        (strict, "% of requests failed"),
        (cut_short, "the server went away"),
        (empty, "it holds no finished run"),
        (contradictory, "`cells[0].runs[0].requests[0].end_ns` is `0`"),
    ] {
        let error = baselines
            .save(&session, None, "aaaa", "eeee", 9, &[])
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("this session cannot become a baseline: "), "{error}");
        assert!(error.contains(expected), "{error}\n  lacks {expected}");
    }
    assert!(!dir.path().join("baselines").exists());
}

#[test]
fn a_file_is_no_directory_of_baselines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baselines");
    fs::write(&path, "").unwrap();
    assert!(matches!(Baselines::open(&path), Err(StoreError::NotADirectory { .. })));
}

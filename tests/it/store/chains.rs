//! The hashes of a baseline: what was changed is told and never judged by, and files without hashes get them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helper")]

use std::{fs, path::Path};

use perfgate::{
    history::Accepted,
    metric::{Metric, Percentile},
    session::Session,
    store::{Baselines, Link, MAX_HISTORY, StoreError, Stored, read_with},
};
use proptest::{collection, prelude::*};
use serde_json::Value;

use super::session;

fn session_at(started_unix_s: u64) -> Session {
    Session {
        started_unix_s,
        commit: Some(format!("{started_unix_s:040x}")),
        ..session()
    }
}

fn save(store: &Baselines, started_unix_s: u64) -> std::path::PathBuf {
    let session = session_at(started_unix_s);
    store
        .save(&session, Some("main"), "aaaa", "eeee", started_unix_s + 60, &[])
        .unwrap()
        .path
}

/// Hashes of the stored sessions, oldest first.
fn hashes(path: &Path) -> Vec<String> {
    match read_with(path, |_, link: &Link| link.sha256.clone()).unwrap() {
        Stored::Baseline(baseline) => baseline.history,
        Stored::Session(_) => unreachable!("a baseline"),
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

fn accepted() -> Accepted {
    Accepted {
        after: None,
        commit: Some("4eda7ef".into()),
        metric: Some(Metric::Tpot(Percentile::P95)),
        cell: None,
        reason: "fp8 is off: \"wrong answers\"".into(),
        who: "Ada".into(),
        accepted_unix_s: 1_790_000_500,
    }
}

#[test]
fn each_session_has_the_hash_of_its_content_and_of_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    let first = hashes(&path);
    save(&store, 2);
    let both = hashes(&path);
    assert_eq!((both.len(), &both[..1]), (2, first.as_slice()));
    assert!(both.iter().all(|hash| hash.len() == 64), "{both:?}");
    assert_ne!(both[0], both[1]);
    // The same session after another one has another hash.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = save(&Baselines::open(elsewhere.path()).unwrap(), 2);
    assert_ne!(hashes(&other)[0], both[1]);
}

#[test]
fn a_session_that_is_saved_late_takes_its_place_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    for started in [100, 300, 200] {
        save(&store, started);
    }
    let path = save(&store, 300);
    let read = |key: &str| store.get(key).unwrap();
    let baseline = read(path.file_name().unwrap().to_str().unwrap());
    let started: Vec<u64> = baseline.history.iter().map(|session| session.started_unix_s).collect();
    assert_eq!(started, [100, 200, 300], "in the file they stand as they were saved");
    assert_eq!(baseline.latest().unwrap().started_unix_s, 300);
    let mut newest = None;
    perfgate::store::read_with(&path, |session, _| perfgate::store::keep_newer(&mut newest, session)).unwrap();
    assert_eq!(newest.unwrap().started_unix_s, 300);
}

#[test]
fn blanks_and_order_of_keys_are_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    let before = store.get("main").unwrap();
    // serde_json's map sorts its keys.
    edit(&path, |_| {});
    assert_eq!(store.get("main").unwrap(), before);
}

type Edit = fn(&mut Value);

#[test]
fn whatever_is_changed_is_told_with_its_place_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    save(&store, 2);
    save(&store, 3);
    store.accept("main", &accepted()).unwrap();
    store.pin("main", &hashes(&path)[1], "Ada", 9).unwrap();
    let whole = fs::read_to_string(&path).unwrap();

    let edits: [(&str, Edit); 12] = [
        ("history[1]", |file| {
            file["history"][1]["session"]["cells"][0]["runs"][0]["requests"][0]["end_ns"] = 945_100_001.into();
        }),
        ("history[1]", |file| {
            file["history"][1]["session"]["commit"] = "f00".into();
        }),
        ("history[1]", |file| {
            file["history"][1]["forced"] = serde_json::json!(["nothing"]);
        }),
        ("history[1]", |file| file["history"][1]["sha256"] = "00".into()),
        ("history[1]", |file| {
            drop(file["history"][1].as_object_mut().unwrap().remove("sha256"));
        }),
        ("history[0]", |file| {
            drop(file["history"].as_array_mut().unwrap().remove(0));
        }),
        ("history[0]", |file| file["history"].as_array_mut().unwrap().swap(0, 1)),
        ("seal", |file| drop(file["history"].as_array_mut().unwrap().pop())),
        ("seal", |file| file["accepted"][0]["reason"] = "none".into()),
        ("seal", |file| file["pinned"]["session"]["started_unix_s"] = 7.into()),
        ("seal", |file| file["last_saved_unix_s"] = 7.into()),
        ("seal", |file| drop(file.as_object_mut().unwrap().remove("seal"))),
    ];
    for (place, change) in edits {
        fs::write(&path, &whole).unwrap();
        edit(&path, change);
        let error = store.get("main").unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::ChainBroken { .. }), "{place}: {text}");
        let begins = format!("`{}`: `{place}`: ", path.display());
        assert!(text.starts_with(&begins), "{text}\n  does not start with {begins}");
        assert!(text.contains("restore the file from version control"), "{text}");
        // Nothing is added to what is not whole, and a list tells it.
        let edited = fs::read_to_string(&path).unwrap();
        assert!(store.save(&session_at(4), None, "aaaa", "eeee", 9, &[]).is_err());
        assert!(store.accept("main", &accepted()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), edited);
        assert!(store.list().unwrap()[0].baseline.is_err());
    }
    fs::write(&path, whole.replace(&hashes_of(&whole)[0], &"0".repeat(64))).unwrap();
    assert!(store.get("main").is_err());
}

fn hashes_of(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).unwrap();
    let history = value["history"].as_array().unwrap();
    history
        .iter()
        .map(|one| one["sha256"].as_str().unwrap().to_owned())
        .collect()
}

/// Turns a file back into one of the first version, without hashes.
fn downgrade(path: &Path) {
    edit(path, |file| {
        let file = file.as_object_mut().unwrap();
        file.insert("schema".into(), "perfgate-llm/baseline/1".into());
        file.remove("seal");
        for entry in file["history"].as_array_mut().unwrap() {
            *entry = entry["session"].take();
        }
    });
}

fn doubts(store: &Baselines) -> Vec<(String, usize)> {
    store.list().unwrap().swap_remove(0).baseline.unwrap().doubts
}

#[test]
fn a_file_of_the_first_version_is_read_with_a_doubt_and_gets_its_hashes_at_the_next_save() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    save(&store, 2);
    assert_eq!(doubts(&store), []);
    downgrade(&path);
    assert_eq!(store.get("main").unwrap().history, [session_at(1), session_at(2)]);
    let (doubt, sessions) = doubts(&store).swap_remove(0);
    assert_eq!(sessions, 2);
    assert!(doubt.contains("version 1, which has no hashes"), "{doubt}");
    let first = hashes(&path);

    save(&store, 3);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("{\n \"schema\": \"perfgate-llm/baseline/2\"")
            || text.starts_with("{\n \"schema\":\"perfgate-llm/baseline/2\""),
        "{}",
        &text[..80]
    );
    assert_eq!(
        &hashes_of(&text)[..2],
        first.as_slice(),
        "the hashes that they had already"
    );
    assert_eq!(doubts(&store), [(doubt, 2)], "what was in doubt stays so");

    // A value that contradicts another is named there, where no hash speaks first.
    let old = r#"{"schema":"perfgate-llm/baseline/1","plan_hash":"aaaa","environment_hash":"eeee","last_saved_unix_s":1,"history":[]}"#;
    fs::write(&path, old).unwrap();
    let error = store.get("aaaa").unwrap_err().to_string();
    assert!(error.contains("`history`: is empty"), "{error}");
    let mut wrong =
        serde_json::to_value(serde_json::from_str::<Value>(&text).unwrap()["history"][0]["session"].clone()).unwrap();
    wrong["cells"][0]["runs"][1]["repeat"] = 0.into();
    fs::write(&path, old.replace("[]", &format!("[{wrong}]"))).unwrap();
    let error = store.get("aaaa").unwrap_err().to_string();
    assert!(error.contains("`history[0].cells[0].runs[1].repeat`"), "{error}");
}

#[test]
fn what_was_turned_back_into_the_first_version_is_told_by_what_that_never_held() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    save(&store, 2);
    store.accept("main", &accepted()).unwrap();
    store.pin("main", &hashes(&path)[1], "Ada", 9).unwrap();
    let edits: [(&str, Edit); 4] = [
        ("accepted", |file| drop(file.as_object_mut().unwrap().remove("pinned"))),
        ("pinned", |file| drop(file.as_object_mut().unwrap().remove("accepted"))),
        ("before", |file| {
            let file = file.as_object_mut().unwrap();
            file.retain(|key, _| !matches!(key.as_str(), "accepted" | "pinned"));
            file.insert("before".into(), "00".into());
        }),
        ("seal", |file| {
            let file = file.as_object_mut().unwrap();
            file.retain(|key, _| !matches!(key.as_str(), "accepted" | "pinned"));
            file.insert("seal".into(), "00".into());
        }),
    ];
    downgrade(&path);
    let whole = fs::read_to_string(&path).unwrap();
    for (place, change) in edits {
        fs::write(&path, &whole).unwrap();
        edit(&path, change);
        let error = store.get("main").unwrap_err();
        let begins = format!("`{}`: `{place}`: no perfgate wrote it", path.display());
        assert!(error.to_string().starts_with(&begins), "{error}");
        assert!(store.save(&session_at(4), None, "aaaa", "eeee", 9, &[]).is_err());
    }
}

#[test]
fn what_was_accepted_pinned_and_forced_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let path = save(&store, 1);
    let forced = ["it was interrupted".to_owned()];
    store.save(&session_at(2), None, "aaaa", "eeee", 9, &forced).unwrap();
    store.accept("main", &accepted()).unwrap();
    let first = hashes(&path)[0].clone();
    store.pin("main", &first, "Ada", 77).unwrap();
    assert!(matches!(
        store.pin("main", "00", "Ada", 77),
        Err(StoreError::NoSession { .. })
    ));

    let mut links = Vec::new();
    let baseline = store
        .get_with("main", |_, link| links.push(link.forced.clone()))
        .unwrap();
    assert_eq!(links, [Vec::new(), forced.to_vec()]);
    assert_eq!(baseline.accepted, [accepted()]);
    let pinned = baseline.pinned.unwrap();
    assert_eq!(
        (pinned.sha256, pinned.who.as_str(), pinned.pinned_unix_s),
        (first, "Ada", 77)
    );
    assert_eq!(pinned.session, session_at(1));
    // The pinned session stays when the history has moved on.
    for start in 10..10 + MAX_HISTORY as u64 {
        save(&store, start);
    }
    let baseline = store.get("main").unwrap();
    assert_eq!(baseline.history.len(), MAX_HISTORY);
    assert!(!baseline.history.contains(&session_at(1)));
    assert_eq!(baseline.pinned.unwrap().session, session_at(1));
    store.unpin("main").unwrap();
    assert_eq!(store.get("main").unwrap().pinned, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_saved_history_reads_back_with_a_whole_chain(
        starts in collection::vec(0..9_u64, 1..40),
        accept_at in 0..40_usize,
        reason in ".*",
    ) {
        let dir = tempfile::tempdir()?;
        let store = Baselines::open(dir.path())?;
        let mut expected: Vec<Session> = Vec::new();
        for (at, start) in starts.iter().enumerate() {
            save(&store, *start);
            if !expected.contains(&session_at(*start)) {
                expected.push(session_at(*start));
            }
            if at == accept_at {
                store.accept("main", &Accepted { reason: reason.clone(), ..accepted() })?;
            }
        }
        expected.drain(..expected.len().saturating_sub(MAX_HISTORY));
        expected.sort_by_key(|session| session.started_unix_s);
        prop_assert_eq!(store.get("main")?.history, expected);
    }
}

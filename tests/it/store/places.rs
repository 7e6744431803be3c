//! One contract for every place that baselines may be kept in, and what each may do wrong by itself.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helper")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use perfgate::{
    commands::place,
    compare::PairVariance,
    config::StoreAddress,
    history::Accepted,
    metric::Metric,
    session::Session,
    store::{Baselines, Link, MAX_HISTORY, StoreError},
};
use tempfile::TempDir;

use super::{in_words, session};
use crate::kept::git;

const REF: &str = "git:refs/perfgate/baselines";

/// A repository with one commit, a bare remote and a second clone of it, and room for folders.
struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new() -> Self {
        let scratch = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let path = scratch.path("");
        git(&path, &["init", "--quiet", "--bare", "remote.git"]);
        git(&path, &["init", "--quiet", "--initial-branch", "main", "repo"]);
        let repo = scratch.path("repo");
        fs::write(repo.join("code"), "1").unwrap();
        git(&repo, &["add", "code"]);
        git(&repo, &["commit", "--quiet", "--message", "first"]);
        git(&repo, &["remote", "add", "origin", "../remote.git"]);
        git(&repo, &["push", "--quiet", "origin", "main"]);
        git(&path, &["clone", "--quiet", "--branch", "main", "remote.git", "other"]);
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn open(&self, clone: &str, address: &str) -> Baselines {
        place::open_from(&StoreAddress::parse(address).unwrap(), &self.path(clone)).unwrap()
    }

    /// Every kind of place, by its address.
    fn addresses(&self) -> [String; 4] {
        [
            self.path("baselines").display().to_string(),
            REF.to_owned(),
            format!("{REF}@origin"),
            format!("file://{}", self.path("objects").display()),
        ]
    }
}

fn session_at(started_unix_s: u64) -> Session {
    Session {
        started_unix_s,
        ..session()
    }
}

fn save(baselines: &Baselines, started_unix_s: u64, name: Option<&str>) -> usize {
    let session = session_at(started_unix_s);
    let saved = baselines.save(&session, name, "aaaa1", "eeee1", started_unix_s + 60, &[]);
    saved.unwrap_or_else(|error| panic!("{}", in_words(&error))).sessions
}

fn starts(baselines: &Baselines) -> BTreeSet<u64> {
    let history = baselines.get("aaaa1-eeee1").unwrap().history;
    history.iter().map(|session| session.started_unix_s).collect()
}

fn variance(id: &str) -> PairVariance {
    PairVariance {
        id: id.into(),
        measured_unix_s: 7,
        cell: "any".into(),
        metric: Metric::from_key("tpot_p95").unwrap(),
        blocks: 20,
        variance: 0.25,
        df: 4,
    }
}

fn step() -> Accepted {
    Accepted {
        after: None,
        commit: None,
        metric: None,
        cell: None,
        reason: "fp8".into(),
        who: "ada".into(),
        accepted_unix_s: 9,
    }
}

#[test]
fn every_place_gives_back_what_it_was_given() {
    let scratch = Scratch::new();
    for address in scratch.addresses() {
        let baselines = scratch.open("repo", &address);
        assert!(baselines.list().unwrap().is_empty(), "{address}");
        assert!(matches!(baselines.get("main"), Err(StoreError::Unknown { .. })));
        assert!(baselines.pair_noise("aaaa1", "eeee1").unwrap().0.is_empty());

        assert_eq!(save(&baselines, 1, Some("main")), 1);
        assert_eq!(save(&baselines, 2, None), 2);
        let again = baselines.save(&session_at(2), None, "aaaa1", "eeee1", 70, &[]).unwrap();
        assert_eq!((again.sessions, again.already_there), (2, true), "{address}");
        let taken = baselines.save(&session_at(3), Some("main"), "bbbb1", "eeee1", 70, &[]);
        assert!(matches!(taken, Err(StoreError::NameTaken { .. })), "{address}");
        baselines.accept("main", &step()).unwrap();
        let mut hashes = Vec::new();
        baselines
            .get_with("main", |_, link: &Link| hashes.push(link.sha256.clone()))
            .unwrap();
        baselines.pin("main", &hashes[0], "ada", 5).unwrap();
        baselines.add_pair_noise("aaaa1", "eeee1", &[variance("x")]).unwrap();
        baselines.add_pair_noise("aaaa1", "eeee1", &[variance("y")]).unwrap();

        // Another process sees the same.
        let other = scratch.open("repo", &address);
        let found = other.get("main").unwrap();
        assert_eq!(found.history, [session_at(1), session_at(2)], "{address}");
        assert_eq!(found.accepted, [step()]);
        assert_eq!(found.pinned.unwrap().session, session_at(1));
        let noise = other.pair_noise("aaaa1", "eeee1").unwrap().0;
        assert_eq!(noise, [variance("x"), variance("y")]);
        let listed = other.list().unwrap();
        let info = listed[0].baseline.as_ref().unwrap();
        assert_eq!((info.sessions, info.last_saved_unix_s), (2, 62), "{address}");
        assert_eq!(
            (info.name.as_deref(), info.commit.as_deref()),
            (Some("main"), Some("4eda7ef"))
        );
        assert_eq!(info.runs, [2, 2], "{address}");
        assert_eq!(other.for_plan("aaaa1").unwrap(), [other.path("main").unwrap()]);

        other.unpin("main").unwrap();
        // What a remote said is believed for some seconds by who asked it.
        let anew = scratch.open("repo", &address);
        assert_eq!(anew.get("main").unwrap().pinned, None);
        other.remove("main").unwrap();
        assert!(scratch.open("repo", &address).list().unwrap().is_empty(), "{address}");
    }
}

#[test]
fn two_writers_lose_no_session_anywhere() {
    let scratch = Scratch::new();
    for address in scratch.addresses() {
        thread::scope(|scope| {
            for writer in 0..2 {
                let (scratch, address) = (&scratch, &address);
                // Clones of their own where a remote is between them, else the same repository.
                let clone = if address.ends_with("@origin") && writer == 1 {
                    "other"
                } else {
                    "repo"
                };
                scope.spawn(move || {
                    for round in 0..4 {
                        save(&scratch.open(clone, address), writer * 10 + round + 1, None);
                    }
                });
            }
        });
        let expected: BTreeSet<u64> = (0..2).flat_map(|w| (0..4).map(move |r| w * 10 + r + 1)).collect();
        assert_eq!(starts(&scratch.open("repo", &address)), expected, "{address}");
    }
}

#[test]
fn the_oldest_sessions_make_room_and_the_chain_still_holds() {
    let scratch = Scratch::new();
    let address = format!("file://{}", scratch.path("objects").display());
    let kept = MAX_HISTORY as u64;
    for start in 1..=kept + 2 {
        save(&scratch.open("repo", &address), start, None);
    }
    let baselines = scratch.open("repo", &address);
    assert_eq!(starts(&baselines), (3..=kept + 2).collect());
    let needed = BTreeSet::new();
    assert_eq!(baselines.trim("aaaa1", 5, &needed, true).unwrap().dropped, 25);
    assert_eq!(starts(&baselines).len(), 30, "a rehearsal changes nothing");
    assert_eq!(baselines.trim("aaaa1", 5, &needed, false).unwrap().kept, 5);
    assert_eq!(starts(&scratch.open("repo", &address)), (kept - 2..=kept + 2).collect());
    assert_eq!(save(&baselines, 100, None), 6);
    // What nothing refers to is too young to go: a writer might be about to refer to it.
    assert_eq!(baselines.sweep(false).unwrap().objects, 0);
    let objects = fs::read_dir(scratch.path("objects/sessions")).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for object in objects {
        fs::File::options()
            .write(true)
            .open(object.unwrap().path())
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    assert_eq!(baselines.sweep(true).unwrap().objects, 27);
    assert_eq!(baselines.sweep(false).unwrap().objects, 27);
    assert_eq!(starts(&scratch.open("repo", &address)).len(), 6);
}

#[test]
fn what_is_needed_stays_with_all_that_came_after_it() {
    let scratch = Scratch::new();
    let baselines = scratch.open("repo", &scratch.addresses()[0]);
    for start in 1..=8 {
        save(&baselines, start, None);
    }
    let mut hashes = Vec::new();
    baselines
        .get_with("aaaa1", |_, link: &Link| hashes.push(link.sha256.clone()))
        .unwrap();
    let needed = BTreeSet::from([hashes[3].clone()]);
    let trimmed = baselines.trim("aaaa1", 2, &needed, false).unwrap();
    assert_eq!((trimmed.kept, trimmed.dropped), (5, 3));
    assert_eq!(starts(&baselines), (4..=8).collect());
    let text = fs::read_to_string(baselines.path("aaaa1").unwrap()).unwrap();
    assert!(text.contains(&format!("\"before\":\"{}\"", hashes[2])), "{text}");
}

#[test]
fn a_ref_leaves_the_work_tree_and_every_branch_alone() {
    let scratch = Scratch::new();
    let repo = scratch.path("repo");
    let head = git(&repo, &["rev-parse", "HEAD"]);
    for address in [REF.to_owned(), format!("{REF}@origin")] {
        for start in 1..=3 {
            save(&scratch.open("repo", &address), start, None);
        }
        let baselines = scratch.open("repo", &address);
        // Each save is a commit; tidied up it is one without a past.
        assert_eq!(baselines.sweep(true).unwrap().objects, 2);
        assert_eq!(baselines.sweep(false).unwrap().objects, 2);
        let place = if address == REF {
            &repo
        } else {
            &scratch.path("remote.git")
        };
        assert_eq!(git(place, &["rev-list", "--count", "refs/perfgate/baselines"]), "1");
        assert_eq!(starts(&baselines).len(), 3);
        assert_eq!(save(&baselines, 9, None), 4);
    }
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
    assert_eq!(git(&repo, &["rev-parse", "HEAD"]), head);
    assert_eq!(
        git(&repo, &["branch", "--all", "--format", "%(refname)"]),
        "refs/heads/main\nrefs/remotes/origin/main"
    );

    let error = scratch
        .open("repo", "git:refs/heads/main")
        .save(&session_at(1), None, "a", "e", 1, &[]);
    let error = in_words(&error.unwrap_err());
    assert!(error.contains("holds something else than baselines"), "{error}");
    assert_eq!(git(&repo, &["rev-parse", "main"]), head);
}

#[test]
fn a_folder_is_no_remote_whatever_it_is_called() {
    let scratch = Scratch::new();
    let repo = scratch.path("repo");
    // As a commit may hold one: baselines in what git takes for a bare repository.
    save(&scratch.open("repo", REF), 1, Some("main"));
    git(&repo, &["clone", "--quiet", "--mirror", ".", "planted"]);
    for setting in [None, Some("fetch"), Some("pushurl")] {
        if let Some(setting) = setting {
            git(&repo, &["config", &format!("remote.planted.{setting}"), "x"]);
        }
        let address = StoreAddress::parse(&format!("{REF}@planted")).unwrap();
        let error = in_words(&place::open_from(&address, &repo).unwrap_err());
        assert!(
            error.contains("this clone has no remote `planted`"),
            "{setting:?}: {error}"
        );
    }
    git(&repo, &["remote", "add", "kept", "./planted"]);
    assert_eq!(
        starts(&scratch.open("repo", &format!("{REF}@kept"))),
        BTreeSet::from([1])
    );
}

#[test]
fn a_push_that_the_remote_refuses_is_an_error_and_no_endless_try() {
    let scratch = Scratch::new();
    let address = format!("{REF}@origin");
    save(&scratch.open("repo", &address), 1, None);
    let hook = scratch.path("remote.git/hooks/pre-receive");
    fs::write(&hook, "#!/bin/sh\necho 'baselines are closed' >&2\nexit 1\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let error = scratch
        .open("repo", &address)
        .save(&session_at(2), None, "aaaa1", "eeee1", 1, &[]);
    let error = in_words(&error.unwrap_err());
    assert!(
        error.contains("cannot write `git:refs/perfgate/baselines@origin`"),
        "{error}"
    );
    assert!(error.contains("baselines are closed"), "{error}");
    assert_eq!(starts(&scratch.open("other", &address)), BTreeSet::from([1]));

    fs::remove_dir_all(scratch.path("remote.git")).unwrap();
    let error = in_words(&scratch.open("repo", &address).list().unwrap_err());
    assert!(
        error.contains("cannot read `git:refs/perfgate/baselines@origin`"),
        "{error}"
    );
}

#[test]
fn what_was_changed_by_hand_is_an_error_that_says_where() {
    let scratch = Scratch::new();
    let address = format!("file://{}", scratch.path("objects").display());
    let baselines = scratch.open("repo", &address);
    save(&baselines, 1, Some("main"));
    let index = scratch.path("objects/index.json");
    let whole = fs::read_to_string(&index).unwrap();
    fs::write(&index, whole.replace("\"main\"", "\"mine\"")).unwrap();
    let error = in_words(&baselines.list().unwrap_err());
    assert!(error.contains("index.json`: `seal`: does not fit"), "{error}");
    let saved = baselines.save(&session_at(2), None, "aaaa1", "eeee1", 1, &[]);
    assert!(
        matches!(saved, Err(StoreError::BrokenIndex { .. })),
        "nothing is added to it"
    );
    for (text, part) in [
        ("", "it is empty"),
        (&whole[..whole.len() / 2], "it ends in the middle"),
        ("no index", "it is no JSON"),
    ] {
        fs::write(&index, text).unwrap();
        let error = in_words(&baselines.list().unwrap_err());
        assert!(
            error.contains(part) && error.contains("put an earlier version of it back"),
            "{error}"
        );
        assert!(
            !error.contains("baseline rm") && !error.contains("measure again"),
            "{error}"
        );
    }
    fs::write(&index, whole).unwrap();

    let object = fs::read_dir(scratch.path("objects/sessions"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    let error = in_words(&scratch.open("repo", &address).get("main").unwrap_err());
    assert!(
        error.contains("this object does not hold what was saved there"),
        "{error}"
    );
    fs::remove_file(&object).unwrap();
    let error = in_words(&scratch.open("repo", &address).get("main").unwrap_err());
    assert!(error.contains("of one of its sessions is not there"), "{error}");
}

#[test]
fn a_session_that_was_changed_at_a_ref_is_found() {
    let scratch = Scratch::new();
    let repo = scratch.path("repo");
    save(&scratch.open("repo", REF), 1, Some("main"));
    let name = "refs/perfgate/baselines";
    let path = git(&repo, &["ls-tree", "-r", "--name-only", name, "sessions"]);
    let text = git(&repo, &["show", &format!("{name}:{path}")]);
    assert!(
        text.contains("\"started_unix_s\":1,"),
        "it can be read as it is: {text}"
    );
    fs::write(
        repo.join("forged"),
        text.replace("\"started_unix_s\":1,", "\"started_unix_s\":8,"),
    )
    .unwrap();
    let blob = git(&repo, &["hash-object", "-w", "forged"]);
    let forged = |args: &[&str]| {
        let output = Command::new("git")
            .current_dir(&repo)
            .env("GIT_INDEX_FILE", ".git/forged")
            .args(["-c", "user.name=Eve", "-c", "user.email=eve@example.com"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    forged(&["read-tree", name]);
    forged(&["update-index", "--cacheinfo", &format!("100644,{blob},{path}")]);
    let tree = forged(&["write-tree"]);
    let commit = forged(&["commit-tree", &tree, "-m", "forged"]);
    git(&repo, &["update-ref", name, &commit]);
    let error = in_words(&scratch.open("repo", REF).get("main").unwrap_err());
    assert!(
        error.contains("this object does not hold what was saved there"),
        "{error}"
    );
}

#[test]
fn a_copy_through_every_place_comes_back_to_the_last_byte() {
    let scratch = Scratch::new();
    let [folder, at_ref, at_remote, objects] = scratch.addresses();
    let from = scratch.open("repo", &folder);
    for start in 1..=4 {
        save(&from, start, Some("main"));
    }
    from.accept("main", &step()).unwrap();
    let mut hashes = Vec::new();
    from.get_with("main", |_, link: &Link| hashes.push(link.sha256.clone()))
        .unwrap();
    from.pin("main", &hashes[1], "ada", 5).unwrap();
    from.add_pair_noise("aaaa1", "eeee1", &[variance("x")]).unwrap();

    let back = scratch.path("back").display().to_string();
    let way = [&folder, &at_ref, &at_remote, &objects, &back];
    for pair in way.windows(2) {
        let copied = scratch
            .open("repo", pair[0])
            .copy_to(&scratch.open("repo", pair[1]))
            .unwrap();
        assert_eq!(
            (copied.len(), copied[0].sessions, copied[0].there_before),
            (1, 4, 0),
            "{pair:?}"
        );
    }
    for file in ["aaaa1-eeee1.json", "noise-aaaa1-eeee1.json"] {
        let read = |folder: &str| fs::read_to_string(Path::new(folder).join(file)).unwrap();
        assert_eq!(read(&folder), read(&back), "{file}");
    }

    // What goes on is continued.
    save(&from, 5, None);
    let to = scratch.open("repo", &objects);
    assert_eq!(from.copy_to(&to).unwrap()[0].there_before, 4);
    assert_eq!(starts(&to), (1..=5).collect());
    assert_eq!(from.copy_to(&to).unwrap()[0].there_before, 5);
}

/// The hash of each session of the one baseline, in the order of their chain.
fn hashes(baselines: &Baselines) -> Vec<String> {
    let mut hashes = Vec::new();
    let each = |_, link: &Link| hashes.push(link.sha256.clone());
    baselines.get_with("aaaa1-eeee1", each).unwrap();
    hashes
}

#[test]
fn a_copy_takes_nothing_from_what_is_there() {
    let scratch = Scratch::new();
    let [folder, _, _, objects] = scratch.addresses();
    let (from, to) = (scratch.open("repo", &folder), scratch.open("repo", &objects));
    for start in 1..=8 {
        save(&from, start, None);
    }
    from.copy_to(&to).unwrap();
    // There it got a name, a pin and a step; here it was trimmed and went on.
    save(&to, 8, Some("main"));
    let old = hashes(&to);
    to.pin("main", &old[1], "ada", 5).unwrap();
    to.accept(
        "main",
        &Accepted {
            after: Some(old[3].clone()),
            ..step()
        },
    )
    .unwrap();
    from.trim("aaaa1", 2, &BTreeSet::new(), false).unwrap();
    save(&from, 9, None);
    let copied = &from.copy_to(&to).unwrap()[0];
    assert_eq!((copied.sessions, copied.there_before, copied.added), (9, 8, 1));
    assert!(!copied.is_relinked, "one history continues the other");

    let found = to.get("main").unwrap();
    assert_eq!(starts(&to), (1..=9).collect());
    assert_eq!(found.pinned.unwrap().session, session_at(2));
    assert_eq!(found.accepted[0].after.as_ref(), Some(&old[3]));
    assert_eq!(hashes(&to)[..8], old[..]);
    // And back, where only the newest sessions were left.
    let copied = &to.copy_to(&from).unwrap()[0];
    assert_eq!((copied.sessions, copied.there_before, copied.added), (9, 3, 6));
    assert_eq!(hashes(&from), hashes(&to));
    assert_eq!(from.get("main").unwrap().pinned.unwrap().session, session_at(2));
}

#[test]
fn two_histories_that_parted_become_one_in_the_order_of_time() {
    let scratch = Scratch::new();
    let [folder, at_ref, ..] = scratch.addresses();
    let (from, to) = (scratch.open("repo", &folder), scratch.open("repo", &at_ref));
    for start in [1, 2] {
        save(&from, start, Some("main"));
    }
    from.copy_to(&to).unwrap();
    let common = hashes(&to);
    for start in [4, 6, 8] {
        save(&to, start, None);
    }
    for start in [3, 6, 7] {
        save(&from, start, None);
    }
    // Steps after session 4 there and after session 3 here; session 7 here is pinned.
    let (there, here) = (hashes(&to), hashes(&from));
    let after = |hash: &String, reason: &str| Accepted {
        after: Some(hash.clone()),
        reason: reason.into(),
        ..step()
    };
    to.accept("main", &after(&there[2], "there")).unwrap();
    from.accept("main", &after(&here[2], "here")).unwrap();
    from.pin("main", &here[4], "ada", 5).unwrap();

    let copied = &from.copy_to(&to).unwrap()[0];
    assert_eq!((copied.sessions, copied.added, copied.is_relinked), (7, 2, true));
    let (found, joined) = (to.get("main").unwrap(), hashes(&to));
    let measured: Vec<u64> = found.history.iter().map(|session| session.started_unix_s).collect();
    assert_eq!(measured, [1, 2, 3, 4, 6, 7, 8]);
    assert_eq!(joined[..2], common[..]);
    let place = |reason: &str| {
        let step = found.accepted.iter().find(|step| step.reason == reason).unwrap();
        joined.iter().position(|hash| Some(hash) == step.after.as_ref())
    };
    assert_eq!((place("here"), place("there")), (Some(2), Some(3)));
    let pinned = found.pinned.unwrap();
    assert_eq!((pinned.session, &pinned.sha256), (session_at(7), &joined[5]));

    // The other way round it comes to the same, and once more it changes nothing.
    to.copy_to(&from).unwrap();
    assert_eq!(hashes(&from), joined);
    let again = &from.copy_to(&to).unwrap()[0];
    assert_eq!((again.added, again.is_relinked), (0, false));
}

#[test]
fn what_two_baselines_say_differently_is_no_one_baseline() {
    let scratch = Scratch::new();
    let [folder, _, _, objects] = scratch.addresses();
    let (from, to) = (scratch.open("repo", &folder), scratch.open("repo", &objects));
    save(&from, 1, Some("main"));
    save(&from, 2, None);
    from.copy_to(&to).unwrap();
    from.pin("main", &hashes(&from)[0], "ada", 5).unwrap();
    to.pin("main", &hashes(&to)[1], "bob", 6).unwrap();
    let error = in_words(&from.copy_to(&to).unwrap_err());
    assert!(error.contains("take one of the two pins away"), "{error}");
    assert_eq!(to.get("main").unwrap().pinned.unwrap().who, "bob");

    from.unpin("main").unwrap();
    save(&from, 2, Some("other"));
    let error = in_words(&from.copy_to(&to).unwrap_err());
    assert!(
        error.contains("it is called `main` there and `other` in what comes"),
        "{error}"
    );
}

#[test]
fn a_full_history_makes_room_for_what_comes_and_says_so() {
    let scratch = Scratch::new();
    let [folder, _, _, objects] = scratch.addresses();
    let (from, to) = (scratch.open("repo", &folder), scratch.open("repo", &objects));
    let most = MAX_HISTORY as u64;
    for start in 1..=most {
        save(&from, start, None);
    }
    from.copy_to(&to).unwrap();
    for start in most + 1..=most + 3 {
        save(&from, start, None);
    }
    let copied = &from.copy_to(&to).unwrap()[0];
    assert_eq!((copied.sessions, copied.added, copied.made_room), (MAX_HISTORY, 3, 3));
    assert_eq!(hashes(&from), hashes(&to));
}

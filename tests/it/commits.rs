//! The commits of a range, on real repositories.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{path::Path, process::Command};

use perfgate::git::{Between, Commit, FileChange, GitError, Repository};

use crate::trust::repository::Repo;

/// A commit that writes a file of its name, with the message `add NAME`.
fn add(repo: &Repo, name: &str) -> String {
    repo.write(name, format!("{name}\n"));
    repo.commit(&format!("add {name}"))
}

fn open(repo: &Repo) -> Repository {
    Repository::open(&repo.path()).unwrap()
}

fn between(repo: &Repo, good: &str, bad: &str, only: &Between) -> Vec<Commit> {
    open(repo).commits_between(good, bad, only).unwrap()
}

fn all() -> Between {
    Between::default()
}

fn first_parent() -> Between {
    Between {
        first_parent: true,
        paths: Vec::new(),
    }
}

fn within(paths: &[&str]) -> Between {
    Between {
        first_parent: false,
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
    }
}

fn subjects(commits: &[Commit]) -> Vec<&str> {
    commits.iter().map(|commit| commit.subject.as_str()).collect()
}

/// Parents come before their children, the last is `bad`, and the ids are those that git lists.
fn check_order(repo: &Repo, commits: &[Commit], good: &str, bad: &str) {
    for (place, commit) in commits.iter().enumerate() {
        assert!(commit.parents.iter().all(|parent| *parent < place), "{commits:?}");
    }
    assert_eq!(commits.last().unwrap().id, repo.git(&["rev-parse", bad]));
    let range = format!("{good}..{bad}");
    let mut listed: Vec<String> = repo.git(&["rev-list", &range]).lines().map(str::to_owned).collect();
    let mut found: Vec<String> = commits.iter().map(|commit| commit.id.clone()).collect();
    listed.sort();
    found.sort();
    assert_eq!(found, listed);
}

fn merge(repo: &Repo, branches: &[&str], message: &str) -> String {
    let args = [&["merge", "--quiet", "--no-ff", "-m", message], branches].concat();
    repo.git(&args);
    repo.git(&["rev-parse", "HEAD"])
}

#[test]
fn a_line_is_listed_from_old_to_new_and_one_commit_is_a_range() {
    let repo = Repo::new();
    let good = add(&repo, "a");
    let second = add(&repo, "b");
    repo.write("c", "c\n");
    let bad = repo.commit("  third: it is told\n\nWhy: because.\n");
    let commits = between(&repo, &good, &bad, &all());
    assert_eq!(subjects(&commits), ["add b", "third: it is told"]);
    assert_eq!(
        commits.iter().map(|commit| commit.parents.clone()).collect::<Vec<_>>(),
        [vec![], vec![0]]
    );
    assert!(commits.iter().all(|commit| commit.touches && commit.author == "Alice"));
    assert!(commits.iter().all(|commit| commit.time_unix_s > 1_500_000_000));
    check_order(&repo, &commits, &good, &bad);
    assert_eq!(
        subjects(&between(&repo, &second, "HEAD", &all())),
        ["third: it is told"]
    );
    let message = open(&repo).message(&bad).unwrap();
    assert_eq!(message, "third: it is told\n\nWhy: because.");
}

#[test]
fn merges_octopuses_and_criss_crosses_keep_parents_before_children() {
    let repo = Repo::new();
    let good = add(&repo, "root");
    // One octopus of three branches.
    for branch in ["x", "y", "z"] {
        repo.git(&["switch", "--quiet", "--create", branch, "main"]);
        add(&repo, branch);
    }
    repo.git(&["switch", "--quiet", "main"]);
    add(&repo, "main");
    merge(&repo, &["x", "y", "z"], "octopus");
    // Two branches that merge each other.
    for branch in ["left", "right"] {
        repo.git(&["switch", "--quiet", "--create", branch, "main"]);
        add(&repo, branch);
    }
    repo.git(&["switch", "--quiet", "left"]);
    let left = repo.git(&["rev-parse", "left"]);
    merge(&repo, &["right"], "right into left");
    repo.git(&["switch", "--quiet", "right"]);
    merge(&repo, &[&left], "left into right");
    repo.git(&["switch", "--quiet", "main"]);
    merge(&repo, &["left", "right"], "both");

    let commits = between(&repo, &good, "main", &all());
    check_order(&repo, &commits, &good, "main");
    let octopus = commits.iter().find(|commit| commit.subject == "octopus").unwrap();
    assert_eq!(octopus.parents.len(), 4, "{commits:?}");

    let line = between(&repo, &good, "main", &first_parent());
    let listed = repo.git(&["rev-list", "--first-parent", "--reverse", &format!("{good}..main")]);
    assert_eq!(
        line.iter().map(|commit| commit.id.as_str()).collect::<Vec<_>>(),
        listed.lines().collect::<Vec<_>>()
    );
    assert!(
        line.iter()
            .enumerate()
            .all(|(place, commit)| { commit.parents == place.checked_sub(1).into_iter().collect::<Vec<_>>() })
    );
}

#[test]
fn a_good_commit_of_a_side_branch_bounds_the_line_of_first_parents() {
    let repo = Repo::new();
    add(&repo, "root");
    repo.git(&["switch", "--quiet", "--create", "side"]);
    let side = add(&repo, "side");
    repo.git(&["switch", "--quiet", "main"]);
    add(&repo, "before");
    merge(&repo, &["side"], "merge side");
    add(&repo, "after");
    let line = between(&repo, &side, "main", &first_parent());
    assert_eq!(subjects(&line), ["add before", "merge side", "add after"]);
}

#[test]
fn a_commit_touches_the_paths_that_it_changes() {
    let repo = Repo::new();
    let good = add(&repo, "src/a.rs");
    add(&repo, "docs/a.md");
    add(&repo, "src/b.rs");
    repo.git(&["mv", "src/a.rs", "src/c.rs"]);
    repo.commit("move");
    repo.git(&["switch", "--quiet", "--create", "side", &good]);
    add(&repo, "src/d.rs");
    repo.git(&["switch", "--quiet", "main"]);
    merge(&repo, &["side"], "merge side");
    let touched = |only: &Between| {
        let commits = between(&repo, &good, "main", only);
        check_order(&repo, &commits, &good, "main");
        let touched = commits.iter().filter(|commit| commit.touches);
        let mut touched: Vec<String> = touched.map(|commit| commit.subject.clone()).collect();
        touched.sort();
        touched
    };
    assert_eq!(touched(&within(&["docs"])), ["add docs/a.md"]);
    assert_eq!(
        touched(&within(&["src/a.rs"])),
        ["move"],
        "neither a merge whose branch has it still"
    );
    assert_eq!(
        touched(&within(&["src/b.rs", "docs/"])),
        ["add docs/a.md", "add src/b.rs"]
    );
    // The merge differs from both of its parents there.
    assert_eq!(
        touched(&within(&["src"])),
        ["add src/b.rs", "add src/d.rs", "merge side", "move"]
    );
    assert_eq!(touched(&within(&["no/such/file"])), [""; 0]);
    let line = between(
        &repo,
        &good,
        "main",
        &Between {
            first_parent: true,
            ..within(&["src/d.rs"])
        },
    );
    let touched: Vec<bool> = line.iter().map(|commit| commit.touches).collect();
    assert_eq!(touched, [false, false, false, true], "a merge stands for its branch");
    for bad in ["../x", "/etc", ".git/config"] {
        let error = open(&repo).commits_between(&good, "main", &within(&[bad])).unwrap_err();
        assert!(matches!(error, GitError::BadPath { .. }), "{error}");
    }
}

#[test]
fn ends_that_make_no_range_are_told_with_what_to_do() {
    let repo = Repo::new();
    let root = add(&repo, "root");
    repo.git(&["switch", "--quiet", "--create", "side"]);
    add(&repo, "side");
    repo.git(&["switch", "--quiet", "main"]);
    add(&repo, "main");
    let error = |good: &str, bad: &str| open(&repo).commits_between(good, bad, &all()).unwrap_err().to_string();
    let apart = error("side", "main");
    assert!(
        apart.starts_with("`side` does not come before `main`: they part at"),
        "{apart}"
    );
    assert!(apart.contains(&root[..12]), "{apart}");
    assert!(error("main", &root).contains("give the older commit as the good one"));
    assert!(error("main", "main").contains("the same commit"));
    assert!(error("v9", "main").contains("`v9` is no commit of this clone"));
    repo.git(&["switch", "--quiet", "--orphan", "apart"]);
    add(&repo, "apart");
    assert!(error("apart", "main").contains("no commit in common"));
}

/// A clone of so many commits of each branch.
fn clone(repo: &Repo, depth: &str) -> Repository {
    let target = repo.beside(&format!("clone-{depth}"));
    let from = format!("file://{}", repo.path().display());
    let args: [&dyn AsRef<std::ffi::OsStr>; 6] = [&"clone", &"--quiet", &"--depth", &depth, &from, &target];
    let done = Command::new("git").args(args.map(AsRef::as_ref)).status().unwrap();
    assert!(done.success());
    Repository::open(&target).unwrap()
}

fn git_in(folder: &Path, args: &[&str]) {
    let done = Command::new("git").current_dir(folder).args(args).status().unwrap();
    assert!(done.success(), "{args:?}");
}

#[test]
fn a_clone_that_hides_a_part_of_the_range_says_how_to_get_it() {
    let repo = Repo::new();
    let commits: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|name| add(&repo, name)).collect();
    let shallow = clone(&repo, "3");
    // The good commit is there, and nothing of the range is hidden.
    let range = shallow.commits_between(&commits[2], &commits[4], &all()).unwrap();
    assert_eq!(subjects(&range), ["add d", "add e"]);
    let error = shallow
        .commits_between(&commits[0], &commits[4], &all())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`git fetch --deepen=1000`") && error.contains("`git fetch --unshallow`"),
        "{error}"
    );
    assert!(error.contains(&commits[0]), "{error}");
    // Now it is there, but what leads from it is not.
    git_in(
        shallow.root(),
        &["fetch", "--quiet", "--depth", "1", "origin", &commits[0]],
    );
    let error = shallow
        .commits_between(&commits[0], &commits[4], &all())
        .unwrap_err()
        .to_string();
    assert!(error.contains("what leads from"), "{error}");
    assert!(matches!(shallow.diffstat(&commits[0]), Err(GitError::Shallow { .. })));
    git_in(shallow.root(), &["fetch", "--quiet", "--unshallow"]);
    let whole = Repository::open(shallow.root()).unwrap();
    assert_eq!(
        whole.commits_between(&commits[0], &commits[4], &all()).unwrap().len(),
        4
    );
}

#[test]
fn a_merged_branch_that_is_cut_off_hides_a_part_of_the_range() {
    let repo = Repo::new();
    add(&repo, "root");
    repo.git(&["switch", "--quiet", "--create", "side"]);
    for name in ["s1", "s2", "s3", "s4"] {
        add(&repo, name);
    }
    repo.git(&["switch", "--quiet", "main"]);
    let good = add(&repo, "main");
    merge(&repo, &["side"], "merge side");
    let shallow = clone(&repo, "2");
    let error = shallow.commits_between(&good, "HEAD", &all()).unwrap_err().to_string();
    assert!(error.contains("commits between"), "{error}");
}

#[test]
fn a_commit_is_told_with_its_lines_against_its_first_parent() {
    let repo = Repo::new();
    repo.write("old.rs", "one\ntwo\nthree\nfour\nfive\nsix\n");
    repo.write("gone.md", "a\nb\n");
    let first = repo.commit("first");
    repo.git(&["mv", "old.rs", "new.rs"]);
    repo.write("new.rs", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
    repo.git(&["rm", "--quiet", "gone.md"]);
    repo.write("model.bin", [0_u8, 1, 2, 0]);
    let second = repo.commit("second");
    let change = |path: &str, added: Option<usize>, removed: Option<usize>| FileChange {
        path: path.into(),
        added,
        removed,
    };
    let stat = open(&repo).diffstat(&second).unwrap();
    assert_eq!(
        stat.files,
        [
            change("gone.md", Some(0), Some(2)),
            change("model.bin", None, None),
            change("new.rs", Some(1), Some(0)),
        ]
    );
    let stat = open(&repo).diffstat(&first).unwrap();
    assert_eq!(
        (stat.files.len(), stat.more_files),
        (2, 0),
        "the first one added them all"
    );
    for number in 0..203 {
        repo.write(&format!("many/{number:03}"), "x\n");
    }
    let many = repo.commit("many");
    let stat = open(&repo).diffstat(&many).unwrap();
    assert_eq!((stat.files.len(), stat.more_files), (200, 3));
}

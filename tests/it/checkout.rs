//! Checkouts of our own: nothing of a repository runs in them (T16), and nothing but them is deleted (T17).
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use perfgate::git::{Call, Checkout, Cleaned, GitError, Repository};

use crate::trust::repository::Repo;

/// What a user's repository is like, as far as a checkout might change it.
#[derive(Debug, PartialEq)]
struct State {
    status: String,
    refs: String,
    head: String,
    worktrees: String,
    entries: Vec<PathBuf>,
}

fn state(repo: &Repo) -> State {
    let entries = fs::read_dir(repo.path().join(".git")).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    State {
        status: repo.git(&["status", "--porcelain", "--ignored"]),
        refs: repo.git(&["for-each-ref"]),
        head: repo.git(&["symbolic-ref", "HEAD"]),
        worktrees: repo.git(&["worktree", "list", "--porcelain"]),
        entries,
    }
}

/// The same of what runs none of the repository's own programs.
fn known(repo: &Repo) -> [String; 2] {
    [&["for-each-ref"][..], &["worktree", "list", "--porcelain"]].map(|args| repo.git(args))
}

/// A repository with two commits, work that is not committed, and a work tree of the user's own.
fn used() -> (Repo, [String; 2]) {
    let repo = Repo::new();
    repo.write("server.txt", "fast\n");
    repo.write(".gitignore", "build/\n");
    let first = repo.commit("first");
    repo.write("server.txt", "slow\n");
    repo.write("more.txt", "more\n");
    let second = repo.commit("second");
    repo.git(&["branch", "topic", &first]);
    let own = repo.beside("own");
    repo.git(&["worktree", "add", "--quiet", own.to_str().unwrap(), "topic"]);
    repo.write("server.txt", "not committed\n");
    repo.write("new.txt", "not known\n");
    (repo, [first, second])
}

fn create(repo: &Repo, commit: &str) -> Checkout {
    let repository = Repository::open(&repo.path()).unwrap();
    Checkout::create(&repository, &repo.beside("tmp"), "good", commit).unwrap()
}

fn cleanup(repo: &Repo) -> Cleaned {
    let repository = Repository::open(&repo.path()).unwrap();
    Checkout::cleanup(&repository, &repo.beside("tmp")).unwrap()
}

/// The folder that holds the marker and the work tree.
fn outer(checkout: &Checkout) -> PathBuf {
    checkout.path().parent().unwrap().to_owned()
}

fn read(checkout: &Checkout, name: &str) -> String {
    fs::read_to_string(checkout.path().join(name)).unwrap_or_default()
}

#[test]
fn a_checkout_holds_the_commit_and_goes_from_one_to_the_next() {
    let (repo, [first, second]) = used();
    let before = state(&repo);
    let checkout = create(&repo, "HEAD~1");
    let name = outer(&checkout).file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        name.starts_with("perfgate-bisect-") && name.ends_with("-good"),
        "{name}"
    );
    assert_eq!(
        (checkout.head().unwrap(), read(&checkout, "server.txt")),
        (first.clone(), "fast\n".into())
    );
    assert_eq!(
        checkout.git(&["status", "--porcelain", "--ignored"]).unwrap(),
        "",
        "clean"
    );

    // Builds go on from what is there, unless it is to be clean.
    fs::create_dir(checkout.path().join("build")).unwrap();
    fs::write(checkout.path().join("build/o"), "o").unwrap();
    fs::write(checkout.path().join("server.txt"), "patched by a build").unwrap();
    fs::write(checkout.path().join("more.txt"), "in the way").unwrap();
    checkout.switch(&second).unwrap();
    assert_eq!(
        (checkout.head().unwrap(), read(&checkout, "server.txt")),
        (second, "slow\n".into())
    );
    assert_eq!(
        (read(&checkout, "more.txt"), read(&checkout, "build/o")),
        ("more\n".into(), "o".into())
    );
    checkout.switch_clean(&first).unwrap();
    assert!(!checkout.path().join("build").exists() && !checkout.path().join("more.txt").exists());

    let folder = outer(&checkout);
    checkout.remove().unwrap();
    assert!(!folder.exists());
    assert_eq!(state(&repo), before);
}

#[test]
fn a_bisect_of_git_runs_in_it_and_leaves_no_ref_behind() {
    let (repo, [first, second]) = used();
    repo.git(&["commit", "--quiet", "--allow-empty", "--message", "third"]);
    let before = state(&repo);
    let checkout = create(&repo, "HEAD");
    checkout.git(&["bisect", "start", "HEAD", &first]).unwrap();
    assert_eq!(checkout.head().unwrap(), second);
    let call = Call {
        env: &[("ANSWER", OsStr::new("1"))],
        ..Call::of(&["bisect", "run", "sh", "-c", "exit $ANSWER"])
    };
    let said = checkout.call(&call).unwrap();
    assert!(said.contains(&format!("{second} is the first bad commit")), "{said}");
    let log = checkout.git(&["bisect", "log"]).unwrap();
    assert!(log.contains(&format!("# first bad commit: [{second}]")), "{log}");
    drop(checkout);
    assert_eq!(state(&repo), before);
}

#[test]
fn a_call_ends_when_nobody_wants_it_or_it_takes_too_long() {
    let (repo, [_, second]) = used();
    let checkout = create(&repo, &second);
    let args = ["-c", "alias.wait=!sleep 600 & wait", "wait"];
    let begun = Instant::now();
    let short = Call {
        limit: Some(Duration::from_millis(200)),
        ..Call::of(&args)
    };
    let error = checkout.call(&short).unwrap_err().to_string();
    assert!(error.contains("was not done within"), "{error}");
    let unwanted = Call {
        wanted: &|| begun.elapsed() < Duration::from_secs(1),
        ..Call::of(&args)
    };
    assert_eq!(checkout.call(&unwanted), Err(GitError::Interrupted));
    assert!(begun.elapsed() < Duration::from_secs(25));
    let failed = checkout.git(&["rev-parse", "--verify", "nothing"]).unwrap_err();
    assert!(matches!(&failed, GitError::Program { code: Some(128), .. }), "{failed}");
    assert!(failed.to_string().contains("Needed a single revision"), "{failed}");
}

/// A script that leaves a file.
fn canary(repo: &Repo) -> (PathBuf, String) {
    let file = repo.beside("canary");
    let script = repo.beside("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\ncat\n", file.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    (file, script.to_str().unwrap().to_owned())
}

/// All that a checkout does; the canary must not sing, and the files are as git keeps them.
fn exercise(repo: &Repo, canary: &Path) {
    let before = known(repo);
    let checkout = create(repo, "HEAD");
    checkout.switch("HEAD~1").unwrap();
    checkout.switch_clean("main").unwrap();
    checkout.git(&["status", "--porcelain"]).unwrap();
    checkout.git(&["bisect", "start", "HEAD", "HEAD~2"]).unwrap();
    checkout.git(&["bisect", "run", "true"]).unwrap();
    checkout.switch("main").unwrap();
    assert_eq!(read(&checkout, "data.txt"), "data\n");
    assert!(!canary.exists(), "while it is used");
    checkout.remove().unwrap();
    assert!(!canary.exists(), "when it is deleted");
    assert_eq!(known(repo), before);
}

fn three_commits() -> Repo {
    let repo = Repo::new();
    for text in ["oldest", "old"] {
        repo.write("data.txt", format!("{text}\n"));
        repo.commit(text);
    }
    repo.write("data.txt", "data\n");
    repo.commit("newest");
    repo
}

#[test]
fn t16_no_hook_runs() {
    let repo = three_commits();
    let (canary, script) = canary(&repo);
    for hook in [
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
    ] {
        let hook = repo.path().join(".git/hooks").join(hook);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::copy(&script, hook).unwrap();
    }
    let own = repo.beside("own");
    repo.git(&["worktree", "add", "--quiet", "--detach", own.to_str().unwrap()]);
    assert!(canary.exists(), "the hooks work");
    fs::remove_file(&canary).unwrap();
    repo.git(&["worktree", "remove", own.to_str().unwrap()]);
    let _ = fs::remove_file(&canary);
    // The one hook that `git bisect` runs whatever the settings say.
    let checkout = create(&repo, "HEAD");
    let error = checkout.git(&["bisect", "start"]).unwrap_err();
    assert!(matches!(error, GitError::Hook { .. }), "{error}");
    checkout.switch("HEAD~1").unwrap();
    checkout.switch_clean("main").unwrap();
    checkout.remove().unwrap();
    assert!(!canary.exists());
    fs::remove_file(repo.path().join(".git/hooks/reference-transaction")).unwrap();
    exercise(&repo, &canary);
}

#[test]
fn t16_no_monitor_of_the_file_system_runs() {
    let repo = three_commits();
    let (canary, script) = canary(&repo);
    repo.git(&["config", "core.fsmonitor", &script]);
    repo.git(&["status"]);
    assert!(canary.exists(), "the monitor works");
    fs::remove_file(&canary).unwrap();
    exercise(&repo, &canary);
}

#[test]
fn t16_no_filter_of_the_attributes_runs() {
    for (key, required) in [("smudge", "false"), ("smudge", "true"), ("process", "true")] {
        let repo = three_commits();
        let (canary, script) = canary(&repo);
        repo.write(".gitattributes", "*.txt filter=evil.Filter\n");
        repo.commit("attributes");
        repo.write("data.txt", "data\n");
        repo.write("more.txt", "more\n");
        repo.commit("third");
        repo.git(&["config", &format!("filter.evil.Filter.{key}"), &script]);
        repo.git(&["config", "filter.evil.Filter.required", required]);
        exercise(&repo, &canary);
        let checkout = create(&repo, "HEAD");
        assert_eq!(checkout.switched_off().unwrap(), ["filter.evil.Filter"]);
        drop(checkout);
        if required == "false" {
            fs::remove_file(repo.path().join("data.txt")).unwrap();
            repo.git(&["checkout", "--", "data.txt"]);
            assert!(canary.exists(), "the filter works");
        }
    }
}

#[test]
fn t16_no_submodule_of_a_command_runs() {
    let repo = three_commits();
    let (canary, script) = canary(&repo);
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.write(
        ".gitmodules",
        format!("[submodule \"evil\"]\n\tpath = evil\n\turl = ext::{script}\n"),
    );
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},evil")]);
    repo.git(&["add", ".gitmodules"]);
    repo.git(&["commit", "--quiet", "--message", "submodule"]);
    repo.git(&["config", "submodule.recurse", "true"]);
    repo.git(&["config", "protocol.ext.allow", "always"]);
    exercise(&repo, &canary);
    let checkout = create(&repo, "HEAD");
    // Asked for, it is refused.
    checkout.update_submodules(&|| true).unwrap_err();
    drop(checkout);
    assert!(!canary.exists());
}

#[test]
fn t16_no_program_of_the_work_tree_is_taken_for_git() {
    let repo = three_commits();
    let (canary, script) = canary(&repo);
    fs::copy(&script, repo.path().join("git")).unwrap();
    repo.commit("git");
    // The same in a process of its own, as the variable holds for all of it.
    let mut command = again("checkout::helper_goes_through_a_checkout", &repo);
    command.env("PATH", format!(".::{}", env::var("PATH").unwrap()));
    command.env("GIT_DIR", "/nowhere").env("GIT_EXTERNAL_DIFF", &script);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(!canary.exists());
}

/// Runs a test of this file again, on a repository, in a process of its own.
fn again(test: &str, repo: &Repo) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--ignored"])
        .env("PERFGATE_TEST_CHECKOUT", repo.path())
        .current_dir(repo.path());
    command
}

/// The repository of [`again`], and where its checkouts go.
fn given() -> Option<(Repository, PathBuf)> {
    let path = PathBuf::from(env::var_os("PERFGATE_TEST_CHECKOUT")?);
    let parent = path.parent().unwrap().join("tmp");
    Some((Repository::open(&path).unwrap(), parent))
}

#[test]
#[ignore = "run by another test"]
fn helper_goes_through_a_checkout() {
    let Some((repository, parent)) = given() else { return };
    let checkout = Checkout::create(&repository, &parent, "good", "HEAD").unwrap();
    checkout.switch("HEAD~1").unwrap();
    checkout.remove().unwrap();
}

#[test]
#[ignore = "run by another test"]
fn helper_makes_a_checkout_and_stays() {
    let Some((repository, parent)) = given() else { return };
    let checkout = Checkout::create(&repository, &parent, "good", "HEAD").unwrap();
    fs::write(parent.join("ready"), checkout.path().to_str().unwrap()).unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn t17_what_a_killed_process_left_is_cleaned_up_and_nothing_else() {
    let (repo, _) = used();
    let before = state(&repo);
    let mut child = again("checkout::helper_makes_a_checkout_and_stays", &repo)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = repo.beside("tmp/ready");
    let until = Instant::now() + Duration::from_secs(60);
    while fs::read(&ready).unwrap_or_default().is_empty() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(10));
    }
    let tree = PathBuf::from(fs::read_to_string(&ready).unwrap());
    let folder = tree.parent().unwrap().to_owned();
    // As builds do: folders that nobody may write or read, and links that lead out.
    let own = repo.beside("own");
    symlink(&own, tree.join("link")).unwrap();
    symlink(own.join("server.txt"), folder.join("link")).unwrap();
    fs::create_dir_all(tree.join("cache/deep")).unwrap();
    fs::write(tree.join("cache/deep/file"), "x").unwrap();
    for (name, mode) in [("cache/deep", 0o000), ("cache", 0o555)] {
        fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    // What looks like one of ours, and is none.
    let foreign = repo.beside("tmp/perfgate-bisect-0123456789abcdef-good");
    fs::create_dir_all(foreign.join("perfgate-0123456789abcdef")).unwrap();
    fs::write(
        foreign.join("perfgate-checkout"),
        "perfgate checkout 1\nfedcba9876543210\n",
    )
    .unwrap();
    let linked = repo.beside("tmp/perfgate-bisect-00000000000000aa-good");
    symlink(&own, &linked).unwrap();

    let found = cleanup(&repo);
    assert_eq!(found.in_use, std::slice::from_ref(&folder), "its owner runs");
    assert!(found.removed.is_empty() && tree.exists(), "{found:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let found = cleanup(&repo);
    assert_eq!((found.removed, found.in_use), (vec![folder.clone()], vec![]));
    let refused: Vec<&PathBuf> = found.refused.iter().map(|(path, _)| path).collect();
    assert_eq!(refused, [&linked, &foreign]);
    assert!(found.refused[0].1.contains("symbolic link"), "{:?}", found.refused);
    assert!(!folder.exists() && foreign.exists() && linked.exists() && own.join("server.txt").exists());
    assert_eq!(state(&repo), before);
}

#[test]
fn t17_a_folder_that_became_a_link_is_refused_and_told() {
    let (repo, [first, _]) = used();
    let before = state(&repo);
    let precious = repo.beside("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "mine").unwrap();
    let checkout = create(&repo, &first);
    let folder = outer(&checkout);
    // With the very marker in it.
    fs::copy(folder.join("perfgate-checkout"), precious.join("perfgate-checkout")).unwrap();
    let moved = repo.beside("moved");
    fs::rename(&folder, &moved).unwrap();
    symlink(&precious, &folder).unwrap();
    let error = checkout.remove().unwrap_err().to_string();
    assert!(error.contains("a symbolic link stands in its place"), "{error}");
    assert!(precious.join("file").exists() && moved.exists());
    assert_eq!(state(&repo), before);
    // Another folder is as little ours.
    fs::remove_file(&folder).unwrap();
    let checkout = create(&repo, &first);
    let folder = outer(&checkout);
    fs::rename(&folder, repo.beside("moved again")).unwrap();
    fs::rename(&precious, &folder).unwrap();
    let error = checkout.remove().unwrap_err().to_string();
    assert!(error.contains("another folder stands in its place"), "{error}");
    assert!(folder.join("file").exists());
}

#[test]
fn t17_links_in_a_checkout_are_deleted_and_what_they_lead_to_is_not() {
    let (repo, [first, _]) = used();
    let checkout = create(&repo, &first);
    let precious = repo.beside("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "mine").unwrap();
    let tree = checkout.path();
    fs::remove_dir_all(&tree).unwrap();
    symlink(&precious, &tree).unwrap();
    let folder = outer(&checkout);
    checkout.remove().unwrap();
    assert!(precious.join("file").exists() && !folder.exists());
}

#[test]
fn t17_without_its_link_to_the_repository_git_does_not_look_for_another() {
    let (repo, [first, _]) = used();
    // The folder of the checkouts lies in another repository, as a home may.
    let around = repo.beside("tmp");
    fs::create_dir(&around).unwrap();
    fs::write(around.join("precious"), "mine").unwrap();
    let done = Command::new("git")
        .current_dir(&around)
        .args(["init", "--quiet"])
        .status();
    assert!(done.unwrap().success());
    let checkout = create(&repo, &first);
    fs::remove_file(checkout.path().join(".git")).unwrap();
    let error = checkout.switch_clean(&first).unwrap_err().to_string();
    assert!(error.contains("is not what git has put there"), "{error}");
    assert!(around.join("precious").exists());
    checkout.remove().unwrap();
}

#[test]
fn a_checkout_lies_outside_of_the_work_tree_and_has_a_plain_name() {
    let (repo, [first, _]) = used();
    let before = state(&repo);
    let repository = Repository::open(&repo.path()).unwrap();
    let error = |parent: &Path, name: &str, commit: &str| {
        let made = Checkout::create(&repository, parent, name, commit);
        made.map(|_| ()).unwrap_err().to_string()
    };
    let inside = error(&repo.path(), "good", &first);
    assert!(inside.contains("in the work tree of the repository itself"), "{inside}");
    let tmp = repo.beside("tmp");
    for name in ["", "../x", "a b", &"x".repeat(65)] {
        assert!(error(&tmp, name, &first).contains("is no name"), "{name}");
    }
    assert!(error(&tmp, "good", "v9").contains("no commit of this clone"));
    fs::create_dir(&tmp).unwrap();
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    assert_eq!(state(&repo), before);
    assert_eq!(
        Checkout::cleanup(&repository, &repo.beside("nowhere")).unwrap(),
        Cleaned::default()
    );
}

#[test]
fn a_work_tree_whose_folder_is_gone_is_forgotten_and_the_users_is_not() {
    let (repo, [first, _]) = used();
    let before = state(&repo);
    // The user's is gone as well, as on a disk that is not plugged in.
    fs::rename(repo.beside("own"), repo.beside("unplugged")).unwrap();
    let checkout = create(&repo, &first);
    let tree = checkout.path();
    let folder = outer(&checkout);
    std::mem::forget(checkout);
    fs::remove_dir_all(folder).unwrap();
    let found = cleanup(&repo);
    assert_eq!(found.forgotten, [tree]);
    fs::rename(repo.beside("unplugged"), repo.beside("own")).unwrap();
    assert_eq!(state(&repo), before);
}

#[test]
fn submodules_are_checked_out_when_asked() {
    let (repo, _) = used();
    let library = Repo::new();
    library.write("lib.txt", "lib\n");
    library.commit("lib");
    repo.git(&["checkout", "--quiet", "--force"]);
    let from = library.path();
    repo.git(&["submodule", "--quiet", "add", from.to_str().unwrap(), "lib"]);
    let commit = repo.commit("with a submodule");
    // As after a clone.
    repo.git(&["config", "--remove-section", "submodule.lib"]);
    let settings = || fs::read_to_string(repo.path().join(".git/config")).unwrap();
    let (before, settings_before) = (state(&repo), settings());
    // git takes folders of this machine as addresses only where the user's own settings say so.
    let home = repo.beside("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[protocol \"file\"]\n\tallow = always\n").unwrap();
    let mut command = again("checkout::helper_checks_submodules_out", &repo);
    let done = command
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(fs::read_to_string(repo.beside("lib.txt")).unwrap(), "lib\n");
    assert_eq!((state(&repo), settings()), (before, settings_before));
    assert_eq!(commit, repo.git(&["rev-parse", "HEAD"]));
}

#[test]
#[ignore = "run by another test"]
fn helper_checks_submodules_out() {
    let Some((repository, parent)) = given() else { return };
    let checkout = Checkout::create(&repository, &parent, "good", "HEAD").unwrap();
    let file = checkout.path().join("lib/lib.txt");
    assert!(!file.exists());
    checkout.update_submodules(&|| true).unwrap();
    fs::copy(file, parent.parent().unwrap().join("lib.txt")).unwrap();
    checkout.remove().unwrap();
}

//! `perfgate bisect` on real repositories, with real servers: each commit says in a file how fast its server is.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::command::unless_busy;

/// A repository whose commits say how fast their server is.
struct Repository {
    folder: tempfile::TempDir,
}

/// What a commit does to the server.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    /// TPOT becomes four times as long.
    Slower,
    /// Its server does not start any more.
    Broken,
    /// Its server starts and builds again.
    Mended,
    /// It does not build any more.
    Unbuildable,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        repository.git(&["init", "--quiet", "-b", "main"]);
        repository.git(&["config", "user.name", "Ann"]);
        repository.git(&["config", "user.email", "ann@example.com"]);
        let serve = format!(
            "test ! -e broken || {{ echo broken; exit 1; }}\nexec {} sim --port $1 --exact ttft=4ms,tpot=$(cat tpot)\n",
            env!("CARGO_BIN_EXE_perfgate")
        );
        repository.write("serve.sh", &serve);
        repository.write("tpot", "5ms\n");
        repository.write(
            "perfgate.yaml",
            "arms:\n  candidate:\n    build: [sh, -c, 'test ! -e unbuildable']\n    command: [sh, serve.sh, '{port}']\n",
        );
        repository.commit("start");
        repository.git(&["tag", "good"]);
        repository
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        fs::create_dir_all(self.path()).unwrap();
        git_in(&self.path(), args)
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn change(&self, number: usize, change: Change) -> String {
        match change {
            Change::None => self.write("n", &number.to_string()),
            Change::Slower => self.write("tpot", "20ms\n"),
            Change::Broken => self.write("broken", ""),
            Change::Unbuildable => self.write("unbuildable", ""),
            Change::Mended => {
                let mended = ["broken", "unbuildable"].map(|name| fs::remove_file(self.path().join(name)).is_ok());
                assert!(mended.contains(&true));
            }
        }
        self.commit(&format!("change {number}"))
    }

    /// Commits with these changes; their hashes, oldest first.
    fn changes(&self, changes: &[Change]) -> Vec<String> {
        let numbered = changes.iter().enumerate();
        numbered.map(|(number, change)| self.change(number, *change)).collect()
    }

    /// A search; where the machine was too busy for our own client, which it says, it is made again.
    fn bisect(&self, more: &[&str]) -> Output {
        let mut is_again = false;
        unless_busy(0, || {
            if std::mem::replace(&mut is_again, true) {
                let _ = fs::remove_dir_all(self.out());
            }
            self.command(more).output().unwrap()
        })
    }

    fn command(&self, more: &[&str]) -> Command {
        let temporary = self.folder.path().join("temporary");
        fs::create_dir_all(&temporary).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
        command
            .args(["bisect", "--concurrency", "8", "--requests", "24", "--warmup", "8"])
            .args(["--input-tokens", "16", "--output-tokens", "8", "--gate", "tpot_p50=10%"])
            .args(["--folder", self.out().to_str().unwrap()])
            .args(more)
            .current_dir(self.path())
            .env("RUNNER_TEMP", temporary)
            .env_remove("GITHUB_EVENT_NAME");
        command
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.out().join("bisect.json")).unwrap_or_else(|_| b"null".to_vec())).unwrap()
    }

    /// What a search must leave as it was.
    fn state(&self) -> [String; 4] {
        let left = fs::read_dir(self.folder.path().join("temporary")).map_or(0, Iterator::count);
        [
            self.git(&["status", "--porcelain"]),
            self.git(&["for-each-ref"]),
            self.git(&["worktree", "list"]),
            left.to_string(),
        ]
    }
}

fn told(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What git answers in a folder.
pub(crate) fn git_in(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(folder).output().unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The folders below one in which processes work.
pub(crate) fn processes_in(folder: &Path) -> Vec<String> {
    let own = folder.canonicalize().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let folders = entries.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
    folders
        .filter(|folder| folder.starts_with(&own))
        .map(|folder| folder.display().to_string())
        .collect()
}

const ENDS: [&str; 7] = [
    "--good",
    "good",
    "--bad",
    "main",
    "--yes-run-code",
    "--metric",
    "tpot_p50",
];

#[test]
fn the_commit_is_found_among_broken_ones_and_merges_and_nothing_is_left_behind() {
    use Change::{Broken, Mended, None, Slower};
    let repository = Repository::new();
    repository.changes(&[None, None, Broken, None, Mended]);
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    let side = repository.changes(&[None, Slower, None]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("other", "");
    repository.commit("on main");
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merge side", "side"]);
    repository.changes(&[None, None, None]);
    repository.write("n", "not committed");
    let before = repository.state();
    let output = repository.bisect(&ENDS);
    let result = repository.result();
    assert_eq!(output.status.code(), Some(0), "{}\n{result:#}", told(&output));
    assert_eq!(result["found"]["commits"][0]["commit"], side[1]);
    assert_eq!(result["found"]["confirmed"]["verdict"], "regression");
    assert!(result["found"]["git_log"].as_str().unwrap().contains("git bisect bad"));
    assert!(told(&output).contains("tpot | +1 −1"), "{}", told(&output));
    assert_eq!(repository.state(), before, "work tree, refs, work trees, folders");
    assert_eq!(processes_in(repository.folder.path()), [""; 0]);
    let markdown = fs::read_to_string(repository.out().join("bisect.md")).unwrap();
    assert!(markdown.contains("first bad commit"), "{markdown}");
}

#[test]
fn git_bisect_run_finds_it_too() {
    use Change::{Broken, Mended, None, Slower};
    let repository = Repository::new();
    let commits = repository.changes(&[None, None, Broken, Mended, None, None, Slower, None, None, None]);
    let before = repository.state();
    let output = repository.bisect(&[&ENDS[..], &["--strategy", "git"]].concat());
    let result = repository.result();
    assert_eq!(output.status.code(), Some(0), "{}\n{result:#}", told(&output));
    assert_eq!(result["found"]["commits"][0]["commit"], commits[6]);
    let log = result["found"]["git_log"].as_str().unwrap();
    assert!(log.contains(&format!("# first bad commit: [{}]", commits[6])), "{log}");
    assert_eq!(repository.state(), before);
}

#[test]
fn commits_that_cannot_be_measured_beside_it_are_told_with_it() {
    use Change::{Mended, None, Slower, Unbuildable};
    let repository = Repository::new();
    let commits = repository.changes(&[None, None, Unbuildable, Slower, Mended, None, None]);
    let output = repository.bisect(&ENDS);
    let result = repository.result();
    assert_eq!(output.status.code(), Some(3), "{}\n{result:#}", told(&output));
    let suspects = result["found"]["commits"].as_array().unwrap();
    let mut found: Vec<&str> = suspects
        .iter()
        .map(|suspect| suspect["commit"].as_str().unwrap())
        .collect();
    found.sort_by_key(|commit| commits.iter().position(|known| known == commit));
    assert_eq!(found, [&commits[2], &commits[3], &commits[4]]);
    assert_eq!(result["found"]["is_sharp"], false);
    assert!(
        told(&output).contains("not settled: the first bad commit is one of 3"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_search_that_was_stopped_goes_on() {
    use Change::{None, Slower};
    let repository = Repository::new();
    let commits = repository.changes(&[None, None, None, Slower, None, None, None, None]);
    let first = repository.bisect(&[&ENDS[..], &["--max-runs", "1", "--strategy", "bayes"]].concat());
    assert_eq!(first.status.code(), Some(3), "{}", told(&first));
    let (ends, runs) = (repository.result()["ends"].clone(), repository.result()["runs"].clone());
    assert_eq!(runs.as_array().unwrap().len(), 1);
    let second = repository.bisect(&[&ENDS[..], &["--strategy", "bayes"]].concat());
    assert_eq!(second.status.code(), Some(0), "{}", told(&second));
    let result = repository.result();
    assert_eq!(
        (&result["ends"], &result["runs"][0]),
        (&ends, &runs[0]),
        "nothing is measured twice"
    );
    assert_eq!(result["found"]["commits"][0]["commit"], commits[3]);
}

#[test]
fn a_commit_that_was_slow_for_a_while_only_is_not_held_to_be_the_one() {
    use Change::{None, Slower};
    let repository = Repository::new();
    let slow_starts = repository.folder.path().join("slow starts");
    fs::create_dir(&slow_starts).unwrap();
    repository.changes(&[None, None, None]);
    // Its first two servers are slow, as if something else had kept the machine busy then.
    let serve = fs::read_to_string(repository.path().join("serve.sh")).unwrap();
    let seldom = format!(
        "if [ $(ls '{0}' | wc -l) -lt 2 ]; then touch '{0}'/$$; exec {1} sim --port $1 --exact ttft=4ms,tpot=20ms; fi\n{serve}",
        slow_starts.display(),
        env!("CARGO_BIN_EXE_perfgate")
    );
    repository.write("serve.sh", &seldom);
    let innocent = repository.commit("blamed");
    repository.write("serve.sh", &serve);
    let commits = repository.changes(&[None, Slower, None, None]);
    let goes_on = format!("{} is no worse than its parent; the search goes on", &innocent[..10]);
    let search = || {
        let _ = fs::remove_dir_all(repository.out());
        fs::remove_dir_all(&slow_starts).unwrap();
        fs::create_dir(&slow_starts).unwrap();
        let args = [&ENDS[..], &["--strategy", "bayes"]].concat();
        let output = repository.command(&args).output().unwrap();
        (output.status.code(), told(&output))
    };
    // On a busy machine another run may be a slow one too, or our client the slow one: begun again then.
    let mut searches = std::iter::repeat_with(search).take(3);
    let (code, told) = searches
        .find(|(code, told)| *code == Some(0) && told.contains(&goes_on))
        .unwrap_or_else(search);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&goes_on), "{told}");
    assert_eq!(
        repository.result()["found"]["commits"][0]["commit"],
        commits[1],
        "{told}"
    );
}

#[test]
fn what_cannot_be_searched_is_told_before_anything_runs() {
    let repository = Repository::new();
    repository.changes(&[Change::None, Change::None]);
    let ended = |more: &[&str], code: i32, says: &str| {
        let output = repository.bisect(more);
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(told(&output).contains(says), "{}", told(&output));
    };
    ended(&ENDS[..4], 2, "builds and runs the code of 2 commits");
    ended(&["--good", "main", "--bad", "good", "--yes-run-code"], 2, "good");
    ended(
        &["--good", "nowhere", "--bad", "main", "--yes-run-code"],
        2,
        "`nowhere` is no commit of this clone",
    );
    ended(&[&ENDS[..], &["--arms-start-timeout", "x"]].concat(), 2, "");
    let cell = [&ENDS[..], &["--cell", "synthetic-16/8 @ c=80"]].concat();
    ended(
        &cell,
        2,
        "the plan has no cell `synthetic-16/8 @ c=80`; it has `synthetic-16/8 @ c=8`",
    );
    let many = [&ENDS[..6], &["tpot_p95"]].concat();
    ended(
        &many,
        2,
        "TPOT P95 needs 200 requests a run to be judged, and a run sends 24",
    );
    ended(&[&ENDS[..6], &["tpott_p50"]].concat(), 2, "did you mean `tpot_p50`?");
    assert!(!repository.out().join("logs").exists(), "nothing was started");
}

#[test]
fn where_both_ends_are_alike_there_is_nothing_to_search() {
    let repository = Repository::new();
    repository.changes(&[Change::None, Change::None]);
    let output = repository.bisect(&ENDS);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(
        told(&output).contains("there is nothing to search for"),
        "{}",
        told(&output)
    );
}

#[test]
fn t16_a_job_with_rights_runs_no_code_of_commits() {
    let repository = Repository::new();
    repository.changes(&[Change::None]);
    let output = repository
        .command(&ENDS)
        .env("GITHUB_EVENT_NAME", "workflow_run")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("holds rights that the code of commits must not have"),
        "{}",
        told(&output)
    );
}

//! `perfgate bisect` over long histories whose servers are noisy: real repositories, real servers, and noise that is drawn once.
//!
//! Each start of a server takes the next number of a fixed file, so that a run differs from another of the same commit by a
//! standard deviation of 10 %, and a search takes the same course each time.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::Value;

use crate::{
    bisect::{git_in, processes_in},
    command::unless_busy,
};

/// Standard deviation of the logarithm of one run.
const RUN_SD: f64 = 0.1;
/// So long that a busy machine moves it little.
const TPOT_US: f64 = 30_000.0;

/// The middles of the upper ten twentieths of a normal distribution.
const TWENTIETHS: [f64; 10] = [0.063, 0.189, 0.319, 0.454, 0.598, 0.755, 0.935, 1.150, 1.440, 1.960];

struct History {
    folder: tempfile::TempDir,
    /// Subject of the first slow commit.
    culprit: String,
}

/// One in so many commits does not build, and one in so many is a merge of a side branch.
const BROKEN_EVERY: usize = 13;
const MERGE_EVERY: usize = 9;

impl History {
    /// So many commits after the good end, the culprit at a place, its effect in standard deviations of a run.
    fn new(commits: usize, culprit: usize, ratio: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let history = Self {
            culprit: format!("change {culprit}"),
            folder,
        };
        fs::create_dir_all(history.repository()).unwrap();
        fs::create_dir_all(history.temporary()).unwrap();
        history.write_noise(1);
        history.git(&["init", "--quiet", "-b", "main"]);
        let slower = TPOT_US * (ratio * RUN_SD).exp();
        history.import(&history.stream(commits, culprit, slower));
        history.git(&["checkout", "--quiet", "-f", "main"]);
        let config =
            "arms:\n  candidate:\n    build: [sh, -c, 'test ! -e broken']\n    command: [sh, serve.sh, '{port}']\n";
        fs::write(history.folder.path().join("perfgate.yaml"), config).unwrap();
        history
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn temporary(&self) -> PathBuf {
        self.folder.path().join("temporary")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Factors in thousandths, one a line: in each twenty of them the twentieths of a normal distribution, shuffled.
    fn write_noise(&self, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut text = String::new();
        for _ in 0..40 {
            let mut block: Vec<f64> = TWENTIETHS.iter().flat_map(|normal| [*normal, -normal]).collect();
            while !block.is_empty() {
                let normal = block.swap_remove(random.next_u32() as usize % block.len());
                writeln!(text, "{:.0}", (normal * RUN_SD).exp() * 1000.0).unwrap();
            }
        }
        fs::write(self.folder.path().join("noise"), text).unwrap();
    }

    /// What a commit serves with; the number of the start is kept outside of all commits.
    fn serve(&self) -> String {
        let (folder, own) = (self.folder.path().display(), env!("CARGO_BIN_EXE_perfgate"));
        format!(
            "n=$(cat {folder}/starts 2>/dev/null || echo 0)\nn=$((n + 1))\necho $n > {folder}/starts\n\
             factor=$(sed -n \"${{n}}p\" {folder}/noise)\ntpot=$(($(cat tpot_us) * factor / 1000))\n\
             exec {own} sim --port $1 --exact ttft=4ms,tpot=${{tpot}}us\n"
        )
    }

    /// For `git fast-import`: a main line with side branches of two commits that are merged, and commits that do not build.
    fn stream(&self, commits: usize, culprit: usize, slower_us: f64) -> String {
        let mut text = String::new();
        let mut commit = |mark: usize, subject: &str, from: &[usize], files: &[(&str, Option<&str>)]| {
            writeln!(
                text,
                "commit refs/heads/main\nmark :{mark}\ncommitter Ann <ann@example.com> {} +0000\ndata {}\n{subject}",
                1_700_000_000 + mark * 60,
                subject.len()
            )
            .unwrap();
            for (number, parent) in from.iter().enumerate() {
                writeln!(text, "{} :{parent}", if number == 0 { "from" } else { "merge" }).unwrap();
            }
            for (name, content) in files {
                match content {
                    Some(content) => {
                        write!(text, "M 100644 inline {name}\ndata {}\n{content}\n", content.len()).unwrap();
                    }
                    None => writeln!(text, "D {name}").unwrap(),
                }
            }
        };
        let (serve, usual, slower) = (self.serve(), format!("{TPOT_US:.0}\n"), format!("{slower_us:.0}\n"));
        commit(
            1,
            "start",
            &[],
            &[("serve.sh", Some(&serve)), ("tpot_us", Some(&usual))],
        );
        // What the last commits before a side branch were, by place; place 0 is the start.
        let mut fork = 1;
        for place in 1..=commits {
            let mark = place + 1;
            let number = place.to_string();
            let mut files = vec![("n", Some(number.as_str()))];
            if place == culprit {
                files.push(("tpot_us", Some(slower.as_str())));
            }
            if place % BROKEN_EVERY == 0 {
                files.push(("broken", Some("")));
            } else if place % BROKEN_EVERY == 1 && place > 1 {
                files.push(("broken", None));
            }
            // A branch leaves one commit before and comes back here: its content is that of its second parent.
            let is_merge = place % MERGE_EVERY == 0 && place != culprit && place > 2;
            let from = if is_merge { vec![fork, mark - 1] } else { vec![mark - 1] };
            if is_merge {
                // From the first parent, all that the second one brought has to be told.
                let brought = if place > culprit { &slower } else { &usual };
                let broken = (place % BROKEN_EVERY == 0).then_some("");
                let all = [
                    ("n", Some(number.as_str())),
                    ("tpot_us", Some(brought.as_str())),
                    ("broken", broken),
                ];
                commit(mark, &format!("change {place}"), &from, &all);
            } else {
                commit(mark, &format!("change {place}"), &from, &files);
            }
            if place % MERGE_EVERY == MERGE_EVERY - 3 {
                fork = mark;
            }
        }
        text
    }

    fn import(&self, stream: &str) {
        let mut git = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(self.repository())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        assert!(git.wait().unwrap().success());
    }

    fn git(&self, args: &[&str]) -> String {
        git_in(&self.repository(), args)
    }

    fn command(&self, strategy: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
        let good = self.git(&["rev-list", "--max-parents=0", "main"]);
        command
            .args(["bisect", "--good", &good, "--bad", "main", "--yes-run-code"])
            .args(["--concurrency", "12", "--requests", "24", "--warmup", "4"])
            .args(["--input-tokens", "16", "--output-tokens", "3"])
            .args(["--gate", "tpot_p50=2%", "--metric", "tpot_p50"])
            .args(["--config", self.folder.path().join("perfgate.yaml").to_str().unwrap()])
            .args(["--folder", self.out().to_str().unwrap()])
            .args(["--strategy", strategy, "--no-confirm"])
            .current_dir(self.repository())
            .env("RUNNER_TEMP", self.temporary())
            .env_remove("GITHUB_EVENT_NAME");
        command
    }

    /// Where the machine was too busy for our own client, which it says, the search goes on.
    fn bisect(&self, strategy: &str) -> Output {
        unless_busy(0, || self.command(strategy).output().unwrap())
    }

    fn result(&self) -> Value {
        let bytes = fs::read(self.out().join("bisect.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    fn subject(&self, commit: &Value) -> String {
        self.git(&["log", "-1", "--format=%s", commit.as_str().unwrap()])
    }

    fn starts(&self) -> usize {
        let starts = fs::read_to_string(self.folder.path().join("starts")).unwrap_or_default();
        starts.trim().parse().unwrap_or(0)
    }

    fn state(&self) -> [String; 3] {
        [
            self.git(&["status", "--porcelain"]),
            self.git(&["for-each-ref"]),
            self.git(&["worktree", "list"]),
        ]
    }

    /// Processes that work in a folder of this search.
    fn processes(&self) -> Vec<String> {
        processes_in(self.folder.path())
    }

    /// Begins a search, and kills it when it has made some runs and its server is up.
    fn kill_in_the_middle(&self) {
        let until = Instant::now() + Duration::from_secs(180);
        let quietly = || {
            let mut search = self.command("bayes");
            search.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut search = quietly();
        let runs = || self.result()["runs"].as_array().map_or(0, Vec::len);
        while runs() < 2 || self.processes().len() < 2 {
            assert!(Instant::now() < until, "it never came to its third run");
            // Where the machine was too busy for our own client, it goes on.
            if search.try_wait().unwrap().is_some() {
                search = quietly();
            }
            thread::sleep(Duration::from_millis(5));
        }
        search.kill().unwrap();
        search.wait().unwrap();
    }

    fn nothing_is_left(&self, before: &[String; 3]) {
        assert_eq!(&self.state(), before, "work tree, refs, work trees");
        assert_eq!(self.processes(), [""; 0], "processes");
        assert_eq!(files(&self.temporary()), [""; 0], "folders");
    }

    /// The search finds the culprit in no more than so many runs beside those of the ends.
    fn is_found(&self, most_runs: usize, strategy: &str) {
        let named = self.named(most_runs, strategy);
        assert!(named.0, "{}", named.1);
    }

    /// Whether the search names the culprit, and what it told; it may need no more than so many runs beside those of the ends.
    fn named(&self, most_runs: usize, strategy: &str) -> (bool, String) {
        let before = self.state();
        let output = self.bisect(strategy);
        let result = self.result();
        let told = told(&output);
        let found = &result["found"]["commits"];
        let is_named = output.status.code() == Some(0) && self.subject(&found[0]["commit"]) == self.culprit;
        let runs = result["runs"].as_array().unwrap().len();
        assert!(runs <= most_runs, "{runs} runs: {told}");
        self.nothing_is_left(&before);
        (is_named, told)
    }
}

fn told(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// An answer that is sure to 90 % is wrong in one of ten, and a busy machine adds noise of its own: where the first noise misleads,
/// a second one that is drawn anew must not.
fn is_found_at_twice_the_noise(commits: usize, culprit: usize, most_runs: usize) {
    let mut missed = Vec::new();
    for seed in [1, 2] {
        let history = History::new(commits, culprit, 2.0);
        history.write_noise(seed);
        let (is_named, told) = history.named(most_runs, "bayes");
        if is_named {
            return;
        }
        missed.push(told);
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn one_of_16_is_found_at_an_effect_of_four_times_the_noise() {
    History::new(16, 6, 4.0).is_found(20, "bayes");
}

#[test]
fn one_of_16_is_found_at_an_effect_of_twice_the_noise() {
    is_found_at_twice_the_noise(16, 11, 60);
}

#[test]
fn one_of_64_is_found_at_an_effect_of_four_times_the_noise() {
    History::new(64, 22, 4.0).is_found(24, "bayes");
}

#[test]
fn one_of_64_is_found_at_an_effect_of_twice_the_noise() {
    is_found_at_twice_the_noise(64, 41, 70);
}

#[test]
fn one_of_256_is_found_at_an_effect_of_four_times_the_noise_through_git_bisect_run() {
    History::new(256, 100, 4.0).is_found(40, "git");
}

#[test]
fn one_of_256_is_found_at_an_effect_of_twice_the_noise() {
    is_found_at_twice_the_noise(256, 201, 80);
}

#[test]
fn a_search_that_was_killed_is_cleaned_up_after_and_goes_on_without_measuring_anything_twice() {
    let history = History::new(64, 30, 4.0);
    let before = history.state();
    history.kill_in_the_middle();
    let earlier = history.result()["runs"].as_array().unwrap().clone();
    assert!(!files(&history.temporary()).is_empty(), "its work trees are there");

    let cleaned = Command::new(env!("CARGO_BIN_EXE_perfgate"))
        .args(["bisect", "--cleanup"])
        .current_dir(history.repository())
        // Of another job: the repository itself knows where they are.
        .env("RUNNER_TEMP", history.folder.path().join("another"))
        .output()
        .unwrap();
    assert!(cleaned.status.success(), "{}", told(&cleaned));
    assert!(told(&cleaned).contains("removed `"), "{}", told(&cleaned));
    history.nothing_is_left(&before);

    let starts = history.starts();
    let output = history.bisect("bayes");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(told(&output).contains("going on from"), "{}", told(&output));
    let result = history.result();
    assert_eq!(
        history.subject(&result["found"]["commits"][0]["commit"]),
        history.culprit
    );
    let all = result["runs"].as_array().unwrap();
    assert_eq!(all[..earlier.len()], earlier[..], "what was measured stands");
    // Neither the ends nor these runs were measured again, but for runs that the machine spoilt.
    let spoilt = told(&output).matches("is made again").count();
    assert_eq!(
        history.starts() - starts,
        all.len() - earlier.len() + spoilt,
        "{}",
        told(&output)
    );
    history.nothing_is_left(&before);
}

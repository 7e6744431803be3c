//! `perfgate check`, by itself and under the real `git bisect run`.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::command::{Sim, expect, perfgate, unless_busy};

/// A quarter of a second a run.
const SMALL: [&str; 14] = [
    "--concurrency",
    "8",
    "--requests",
    "24",
    "--warmup",
    "8",
    "--input-tokens",
    "16",
    "--output-tokens",
    "8",
    "--repeat",
    "4",
    "--gate",
    "tpot_p50=50%",
];

/// So many microseconds a token.
fn engine(step_us: &str) -> Sim {
    let constant = ["--decode-us-per-seq", "0", "--step-noise-pct", "0", "--drift-pct", "0"];
    Sim::start(&[&["--decode-step-us", step_us], &constant[..]].concat())
}

/// Where the machine was too busy for our own client, which it says, it is asked again.
fn check(folder: &Path, code: i32, more: &[&str]) -> Output {
    let args = [&["check"], &SMALL[..], more].concat();
    unless_busy(code, || perfgate(folder, &args).output().unwrap())
}

/// What the others are held against.
fn store(folder: &Path, args: &[&str]) {
    let args = [&["run"], args, &SMALL[..12]].concat();
    expect(folder, 0, &args);
}

fn expect_check(folder: &Path, code: i32, says: &str, more: &[&str]) {
    let output = check(folder, code, more);
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(says), "{told}");
}

#[test]
fn its_exit_codes_are_those_of_git_bisect_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (good, same, slow) = (engine("5000"), engine("5000"), engine("20000"));
    store(folder, &["--url", &good.url, "-o", "good.json"]);
    let against = ["--against", "good.json", "--metric", "tpot_p50"];
    let at = |url: &str| -> Vec<String> {
        [&against[..], &["--url", url]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let told = |code: i32, says: &str, url: &str, more: &[&str]| {
        let args = at(url);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        expect_check(folder, code, says, &args);
    };
    told(0, "not slower: TPOT P50", &same.url, &[]);
    told(1, "slower: TPOT P50", &slow.url, &[]);
    // All gated metrics.
    expect_check(
        folder,
        1,
        "slower: regression",
        &["--against", "good.json", "--url", &slow.url],
    );
    let down = {
        let gone = engine("5000");
        gone.url.clone()
    };
    told(125, "not told: ", &down, &["--model", "sim"]);
    let file = "perfgate.yaml";
    let start = |command: &str| {
        fs::write(
            folder.join(file),
            format!("arms: {{candidate: {{command: {command}}}}}\n"),
        )
        .unwrap();
    };
    start("[sh, -c, 'echo no such model; exit 3', '{port}']");
    expect_check(folder, 125, "no such model", &against);
    start("[sh, -c, 'exit 3', '{port}'], build: [sh, -c, 'echo no such type; exit 2']");
    expect_check(folder, 125, "no such type", &against);
    fs::remove_file(folder.join(file)).unwrap();
}

#[test]
fn what_is_no_commits_fault_stops_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = engine("5000");
    let url = ["--url", &server.url];
    expect_check(folder, 128, "unexpected argument", &["--nonsense"]);
    expect_check(
        folder,
        128,
        "nowhere.json",
        &[&url[..], &["--against", "nowhere.json"]].concat(),
    );
    expect_check(
        folder,
        128,
        "TTFT P99 has no limit",
        &[&url[..], &["--metric", "ttft_p99"]].concat(),
    );
    expect_check(folder, 128, "stopped: ", &url);
    fs::write(folder.join("perfgate.yaml"), "nonsense: 1\n").unwrap();
    expect_check(folder, 128, "nonsense", &url);
}

#[test]
fn git_bisect_run_finds_the_commit_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let ask = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(args)
            .current_dir(&repository)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), told)
    };
    let git = |args: &[&str]| {
        let (is_done, told) = ask(args);
        assert!(is_done, "git {args:?}: {told}");
        told
    };
    git(&["init", "--quiet", "-b", "main"]);
    let serve = format!(
        "test ! -e broken || exit 1\nexec {} sim --port $1 --exact ttft=4ms,tpot=$(cat tpot)\n",
        env!("CARGO_BIN_EXE_perfgate")
    );
    fs::write(repository.join("serve.sh"), serve).unwrap();
    let commit = |number: u32| {
        fs::write(repository.join("n"), number.to_string()).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "--quiet", "-m", &format!("change {number}")]);
        git(&["rev-parse", "HEAD"]).trim().to_owned()
    };
    fs::write(repository.join("tpot"), "5ms").unwrap();
    let good = commit(0);
    let mut culprit = String::new();
    for number in 1..=8 {
        match number {
            // The first that is asked about does not start.
            4 => fs::write(repository.join("broken"), "").unwrap(),
            5 => fs::remove_file(repository.join("broken")).unwrap(),
            6 => fs::write(repository.join("tpot"), "20ms").unwrap(),
            _ => {}
        }
        let made = commit(number);
        if number == 6 {
            culprit = made;
        }
    }
    // Outside of the repository, so that no commit changes what is asked.
    let config = folder.path().join("perfgate.yaml");
    fs::write(&config, "arms: {candidate: {command: [sh, serve.sh, '{port}']}}\n").unwrap();
    let (config, stored) = (config.to_str().unwrap(), folder.path().join("good.json"));
    let (stored, now) = (stored.to_str().unwrap(), folder.path().join("now.json"));
    git(&["checkout", "--quiet", &good]);
    store(&repository, &["--config", config, "-o", stored]);
    git(&["bisect", "start", "main", &good]);
    let own = env!("CARGO_BIN_EXE_perfgate");
    let asked = [
        "check",
        "--config",
        config,
        "--against",
        stored,
        "-o",
        now.to_str().unwrap(),
    ];
    let run = [
        &["bisect", "run", own],
        &asked[..],
        &["--metric", "tpot_p50"],
        &SMALL[..],
    ]
    .concat();
    // Where the machine was too busy for our own client, it stops, and goes on from there.
    let mut told = ask(&run);
    for _ in 0..6 {
        if told.0 || !told.1.contains("client was the bottleneck") {
            break;
        }
        told = ask(&run);
    }
    let (is_done, told) = told;
    assert!(is_done, "{told}");
    assert!(told.contains(&format!("{culprit} is the first bad commit")), "{told}");
    assert!(
        told.contains("git bisect skip") || git(&["bisect", "log"]).contains("git bisect skip"),
        "{told}"
    );
}

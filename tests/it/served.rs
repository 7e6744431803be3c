//! A server that perfgate starts for a verb: awaited until it answers, known to be what was built, as new before each run, found
//! again when perfgate itself was killed.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use perfgate::{
    session::{Ended, Session},
    store::{self, Stored},
};

use crate::{
    command::{Sim, assert_code, expect, perfgate, unless_busy},
    target::sim,
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A run of a fraction of a second.
const TINY: [&str; 14] = [
    "--concurrency",
    "4",
    "--requests",
    "20",
    "--warmup",
    "4",
    "--input-tokens",
    "16",
    "--output-tokens",
    "4",
    "--repeat",
    "2",
    "--commit",
    COMMIT,
];

fn session(folder: &Path) -> Session {
    match store::read(&folder.join("session.json")).unwrap() {
        Stored::Session(session) => session,
        Stored::Baseline(_) => unreachable!("a session was written"),
    }
}

/// A configuration whose candidate is the embedded engine, with more under its `launch`.
fn configure(folder: &Path, flags: &str, more: &str) {
    let command = sim(&format!("--decode-step-us 500 {flags}"));
    let text = format!("arms:\n  candidate:\n    launch:\n      command: \"{command}\"\n{more}");
    fs::write(folder.join("perfgate.yaml"), text).unwrap();
}

fn run(more: &[&'static str]) -> Vec<&'static str> {
    [&["run"], &TINY[..], more].concat()
}

/// A run that is of use; where the machine was too busy for our own client, which it says, it is made again.
fn measured(folder: &Path, args: &[&str]) -> Session {
    let ask = || {
        let _ = fs::remove_dir_all(folder.join("session.logs"));
        let _ = fs::remove_file(folder.join("done"));
        perfgate(folder, args).output().unwrap()
    };
    assert_code(&unless_busy(0, ask), 0, args);
    session(folder)
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("session.logs/candidate.log")).unwrap()
}

#[test]
fn a_run_without_an_address_starts_the_candidate_for_each_repeat_and_one_with_an_address_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "", "      build: touch built\n");
    let measured = measured(folder, &run(&[]));
    let runs = &measured.cells[0].runs;
    assert_eq!((measured.ended.clone(), runs.len()), (Ended::Complete, 2));
    assert!(
        runs.iter()
            .all(|run| run.startup_s.is_some_and(|startup_s| startup_s > 0.0))
    );
    assert_eq!(
        log(folder).matches("serving on").count(),
        3,
        "once to be asked, then for each repeat"
    );
    assert!(folder.join("built").exists());
    let url = measured.plan.target.url.trim_start_matches("http://").to_owned();
    assert!(TcpStream::connect(url).is_err(), "it is stopped");
    let (shown, _) = expect(folder, 0, &["show", "session.json"]);
    assert!(shown.contains("Startup"), "{shown}");

    let other = Sim::start(&[]);
    let args: Vec<&str> = [&run(&[])[..], &["--url", &other.url]].concat();
    let measured = self::measured(folder, &args);
    assert!(measured.cells[0].runs.iter().all(|run| run.startup_s.is_none()));
    assert_eq!(measured.plan.target.url, other.url);
}

#[test]
fn a_server_that_is_ready_and_does_not_answer_is_told_with_its_own_words_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "--api-key-env KEY --model sim", "      env: {KEY: hunter2}\n");
    let (_, trouble) = expect(folder, 4, &run(&["--model", "sim"]));
    let told = "the candidate's server is ready, but gives no answer: http_401: ";
    assert!(trouble.contains(told), "{trouble}");
    assert!(trouble.contains("serving on"), "the end of its log: {trouble}");
    assert!(!trouble.contains("hunter2"), "{trouble}");
    assert!(!folder.join("session.json").exists());
}

#[test]
fn what_was_not_built_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let version = "      version: {path: /version, contains: \"{short_commit}\"}\n";
    configure(folder, "--engine-version 1.0+g{short_commit}", version);
    let measured = measured(folder, &run(&[]));
    assert_eq!(measured.environment.engine_version.as_deref(), Some("1.0+g0123456"));
    // By the engine's own word, and with another one.
    configure(
        folder,
        "--engine-version 1.0+gfedcba9",
        "      version: \"{short_commit}\"\n",
    );
    let (_, trouble) = expect(folder, 4, &run(&[]));
    assert!(
        trouble.contains("is not what was built: its engine says `1.0+gfedcba9`, and `0123456` should stand there"),
        "{trouble}"
    );
    configure(folder, "--engine-version 1.0+gfedcba9", version);
    let (_, trouble) = expect(folder, 4, &run(&[]));
    assert!(trouble.contains("`GET /version` says `1.0+gfedcba9`"), "{trouble}");
    // Of which commit nobody knows.
    let nameless: Vec<&str> = run(&[])
        .into_iter()
        .filter(|arg| ![COMMIT, "--commit"].contains(arg))
        .collect();
    let (_, trouble) = expect(folder, 2, &nameless);
    assert!(trouble.contains("nobody told which that is"), "{trouble}");
}

/// A capture that fails, and writes down whether the verdict was out by then.
const LATE: &str = "if test -s FOLDER/perfgate-report/report.json && test -s FOLDER/summary; then echo late; else echo early; fi \
                    >> FOLDER/captured\nexit 3\n";

#[test]
fn a_slower_start_is_a_regression_where_it_is_gated_and_what_profiles_it_waits_until_that_is_posted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = sim("--decode-step-us 500");
    let text = format!(
        "measure: ab\nab: {{looks: [3]}}\ngates: {{startup_s: 50%}}\nprofile: {{wrapper: [sh, late.sh, '{{out}}', \
         '{{command}}']}}\narms:\n  baseline: {{command: \"{engine}\"}}\n  \
         candidate: {{command: [sh, -c, \"sleep 2; exec {engine}\"]}}\n"
    );
    fs::write(folder.join("perfgate.yaml"), text).unwrap();
    fs::write(folder.join("late.sh"), LATE.replace("FOLDER", folder.to_str().unwrap())).unwrap();
    let posted = [
        "--post",
        "--comment",
        "off",
        "--check-run",
        "false",
        "--profile-on-regression",
    ];
    let args = [&["gate"], &TINY[..10], &["--quiet"], &posted].concat();
    let ask = || {
        let mut command = perfgate(folder, &args);
        command.env("GITHUB_STEP_SUMMARY", folder.join("summary"));
        command.output().unwrap()
    };
    let mut output = ask();
    for _ in 0..4 {
        if output.status.code() != Some(4) {
            break;
        }
        output = ask();
    }
    let (shown, _) = assert_code(&output, 1, &args);
    assert!(shown.contains("Startup"), "{shown}");
    for arm in ["baseline", "candidate"] {
        let told = format!("the {arm} could not be profiled: the {arm}'s server ended with exit status: 3");
        assert!(shown.contains(&told), "{shown}");
    }
    let captured = fs::read_to_string(folder.join("captured")).unwrap();
    assert_eq!(captured, "late\nlate\n", "the verdict is out by then");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("perfgate-report/report.json")).unwrap()).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let startup = checks.iter().find(|check| check["metric"] == "startup_s").unwrap();
    assert_eq!(startup["verdict"], "regression", "{startup:#}");
}

#[test]
fn a_server_is_as_new_before_each_run_and_is_stopped_by_its_own_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let more = "      reset: [sh, -c, 'echo reset {port} >> done']\n      stop: [sh, -c, 'echo stop {port} >> done; exit 1']\n";
    configure(folder, "", more);
    measured(folder, &run(&[]));
    let port = session(folder).plan.target.url.rsplit(':').next().unwrap().to_owned();
    let done = fs::read_to_string(folder.join("done")).unwrap();
    let (reset, stop) = (format!("reset {port}\n"), format!("stop {port}\n"));
    assert_eq!(done, [&*stop, &reset, &stop, &reset, &stop].concat());
    // A page of its own, that it has and that it has not.
    configure(folder, "", "      reset: /reset_prefix_cache\n");
    measured(folder, &run(&[]));
    configure(folder, "", "      reset: /nowhere\n");
    let (_, trouble) = expect(folder, 4, &run(&[]));
    assert!(
        trouble.contains("the candidate's server could not be reset: `POST /nowhere` said `HTTP/1.0 404")
            || trouble.contains("could not be reset: `POST /nowhere` said `HTTP/1.1 404"),
        "{trouble}"
    );
    configure(folder, "", "      reset: [sh, -c, 'echo no room; exit 3']\n");
    let (_, trouble) = expect(folder, 4, &run(&[]));
    assert!(trouble.contains("ended with exit status: 3"), "{trouble}");
    assert!(trouble.contains("    no room"), "{trouble}");
}

#[test]
fn t17_the_server_of_a_perfgate_that_was_killed_is_named_and_stopped_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let temporary = folder.join("temporary");
    fs::create_dir(&temporary).unwrap();
    assert!(
        Command::new("git")
            .args(["init", "-q"])
            .current_dir(folder)
            .status()
            .unwrap()
            .success()
    );
    let port = perfgate::target::free_port().unwrap();
    let stop = "[sh, -c, 'echo stop {port} >> stopped']";
    configure(
        folder,
        "--decode-us-per-seq 100000",
        &format!("      port: {port}\n      stop: {stop}\n"),
    );
    let command = |args: &[&str]| {
        let mut command = perfgate(folder, args);
        command.env("RUNNER_TEMP", &temporary);
        command
    };
    let mut measuring = command(&run(&[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let is_up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let until = Instant::now() + Duration::from_secs(60);
    while !is_up() {
        assert!(Instant::now() < until, "the server never came up");
        thread::sleep(Duration::from_millis(20));
    }
    let cleanup = || {
        // In another job: what is kept with the repository is found again.
        let mut other = command(&["bisect", "--cleanup"]);
        let output = other.env("RUNNER_TEMP", folder.join("elsewhere")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = cleanup();
    assert!(
        told.starts_with("its perfgate still runs, left as it is: the candidate's server"),
        "{told}"
    );
    measuring.kill().unwrap();
    measuring.wait().unwrap();
    assert!(is_up(), "nobody stopped it");

    let mut again = command(&run(&[]));
    let output = again.output().unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{trouble}");
    let named = format!("port {port} is taken by `perfgate` (process ");
    assert!(trouble.contains(&named), "{trouble}");
    assert!(
        trouble.contains("which a perfgate started that was killed; `perfgate bisect --cleanup` stops it"),
        "{trouble}"
    );

    let stranger = Sim::start(&[]);
    let told = cleanup();
    assert!(
        told.starts_with("stopped the candidate's server `perfgate` (process "),
        "{told}"
    );
    assert!(!is_up());
    assert_eq!(
        fs::read_to_string(folder.join("stopped")).unwrap(),
        format!("stop {port}\n")
    );
    assert!(TcpStream::connect(stranger.url.trim_start_matches("http://")).is_ok());
    assert_eq!(cleanup(), "nothing was left behind\n");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn arms_that_start_together_come_up_in_turn_and_their_first_starts_are_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arm = |name: &str| {
        let engine = sim("--decode-step-us 500");
        format!("  {name}: {{command: [sh, -c, \"echo {name} >> order; exec {engine}\"]}}\n")
    };
    let text = format!(
        "measure: ab\nab: {{looks: [3]}}\narms:\n  together: true\n{}{}",
        arm("baseline"),
        arm("candidate")
    );
    fs::write(folder.join("perfgate.yaml"), text).unwrap();
    let args = [&["gate"], &TINY[..10], &["--quiet"]].concat();
    perfgate(folder, &args).output().unwrap();
    let order = fs::read_to_string(folder.join("order")).unwrap();
    // The first starts are only asked; a pair that the machine spoilt starts as it did before.
    let order: Vec<&str> = order.lines().skip(2).collect();
    let pairs: Vec<&[&str]> = order.chunks(2).collect();
    let [first, second] = [["baseline", "candidate"], ["candidate", "baseline"]];
    assert_eq!(
        (pairs[0], pairs[pairs.len() - 1]),
        (&first[..], &first[..]),
        "{order:?}"
    );
    let turns: Vec<&[&str]> = pairs.into_iter().filter(|pair| *pair != first).collect();
    assert!(
        !turns.is_empty() && turns.iter().all(|pair| *pair == second),
        "{order:?}"
    );
    let sessions = ["session.baseline.json", "session.json"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    assert!(
        sessions
            .iter()
            .all(|session| session.contains("startup_s") && !session.contains("first_start"))
    );
}

#[test]
fn the_only_start_of_a_server_is_a_first_one_and_each_search_of_a_capacity_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "", "");
    let once = [&["run"], &TINY[..10], &["--repeat", "1"]].concat();
    let runs = &measured(folder, &once).cells[0].runs;
    assert!(runs[0].startup_s.is_some() && runs[0].first_start);
    let search = [
        "capacity",
        "--axis",
        "concurrency",
        "--min",
        "1",
        "--max",
        "2",
        "--slo",
        "ttft=60s",
        "--attainment",
        "80%",
        "--batch-duration",
        "300ms",
        "--requests",
        "8",
        "--warmup",
        "0",
        "--input-tokens",
        "16",
        "--output-tokens",
        "4",
        "--repeat",
        "2",
        "--quiet",
    ];
    let output = perfgate(folder, &search).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let session = session(folder);
    let runs = &session.cells[0].runs;
    assert_eq!(runs.len(), 2, "{told}");
    assert!(
        runs.iter().all(|run| run.startup_s.is_some() && !run.first_start),
        "{told}"
    );
    assert!(runs[0].startup_s < Some(60.0) && runs[0].startup_s != runs[1].startup_s);
}

//! Arms whose servers are started: one at a time, together, and one that dies.

use std::{fs, path::Path};

use perfgate::{
    measure::{Death, death},
    session::{Ended, Session},
};

use super::{QUICK, SMALL, sessions};
use crate::{
    command::{expect, perfgate},
    target::sim,
};

fn arms(more: [&str; 2]) -> [String; 2] {
    more.map(|more| sim(&format!("{} {more}", QUICK.join(" "))))
}

fn gate<'a>([baseline, candidate]: &'a [String; 2], more: &[&'a str]) -> Vec<&'a str> {
    let arms = [
        "gate",
        "--ab",
        "--baseline-command",
        baseline.as_str(),
        "--candidate-command",
        candidate.as_str(),
        "--looks",
        "3",
    ];
    [&arms, SMALL, more].concat()
}

fn is_gone(url: &str) -> bool {
    std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err()
}

#[test]
fn servers_that_are_started_are_measured_one_at_a_time_each_fresh_for_its_pair() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let commands = arms(["", "--slow tpot=600%"]);
    perfgate(folder, &gate(&commands, &["--requests", "20"]))
        .output()
        .unwrap();
    for (session, arm) in sessions(folder).into_iter().zip(["baseline", "candidate"]) {
        assert_eq!((session.ended, session.cells[0].runs.len()), (Ended::Complete, 3));
        let pairing = session.pairing.unwrap();
        assert_eq!(pairing.blocks, 1, "never both at once");
        assert!(is_gone(&session.plan.target.url));
        let log = fs::read_to_string(folder.join(format!("session.logs/{arm}.log"))).unwrap();
        let starts = log.matches("serving on").count();
        // A busy machine has pairs measured again, noted once for each run that was disturbed; each arm was asked what it serves before
        // the first one.
        let again = pairing.remeasured.len();
        assert!((4..=4 + again).contains(&starts), "{log}");
        let startups = session.cells[0].runs.iter().filter_map(|run| run.startup_s);
        assert_eq!(startups.filter(|startup_s| *startup_s > 0.0).count(), 3);
    }
}

#[test]
fn servers_that_may_be_up_at_once_are_measured_in_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let commands = arms(["", ""]);
    let args = gate(&commands, &["--requests", "40", "--arms-together", "--blocks", "5"]);
    perfgate(folder, &args).output().unwrap();
    for session in sessions(folder) {
        assert_eq!((session.ended, session.pairing.unwrap().blocks), (Ended::Complete, 5));
        assert!(session.cells[0].runs.iter().all(|run| run.blocks.len() == 5));
        assert!(is_gone(&session.plan.target.url));
    }
}

#[test]
fn what_is_to_be_built_is_built_once_before_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = sim(&QUICK.join(" ")).replace("{port}", "$1");
    for arm in ["old", "new"] {
        fs::create_dir(folder.join(arm)).unwrap();
        let script = format!(
            "echo 'exec {engine}' > serve; echo $KIND of $(basename \"$PWD\"); sleep 600 & echo once >> builds"
        );
        fs::write(folder.join(arm).join("make.sh"), script).unwrap();
    }
    let arm = |name: &str, workdir: &str| {
        let env = "{KIND: release, ADDRESS: '{port}'}";
        format!("  {name}: {{build: sh make.sh, command: 'sh serve {{port}}', workdir: {workdir}, env: {env}}}\n")
    };
    let arms = [arm("baseline", "old"), arm("candidate", "new")].concat();
    let config = format!("arms:\n  build_timeout: 1m\n{arms}");
    fs::write(folder.join("perfgate.yaml"), config).unwrap();
    let (_quiet, small) = SMALL.split_last().unwrap();
    let args = [&["gate", "--ab", "--looks", "3"], small, &["--requests", "20"]].concat();
    let output = perfgate(folder, &args).output().unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(trouble.contains("building the candidate's server"), "{trouble}");
    for (session, (arm, workdir)) in sessions(folder)
        .into_iter()
        .zip([("baseline", "old"), ("candidate", "new")])
    {
        assert_eq!(session.ended, Ended::Complete, "{trouble}");
        let log = fs::read_to_string(folder.join(format!("session.logs/{arm}.build.log"))).unwrap();
        assert_eq!(log, format!("release of {workdir}\n"));
        assert_eq!(
            fs::read_to_string(folder.join(workdir).join("builds")).unwrap(),
            "once\n"
        );
    }
}

#[test]
fn a_build_that_fails_ends_the_gate_before_any_server_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let commands = arms(["", ""]);
    let broken = ["--baseline-build", "sh -c 'echo error: no such type; exit 2'"];
    let (_, trouble) = expect(folder, 4, &gate(&commands, &broken));
    assert!(
        trouble.contains("the build `sh` ended with exit status: 2"),
        "{trouble}"
    );
    assert!(trouble.contains("    error: no such type"), "{trouble}");
    assert!(!folder.join("session.logs/candidate.log").exists());
    // The same build of both arms in the same folder is one.
    let same = [
        "--baseline-build",
        "sh -c 'echo once'",
        "--candidate-build",
        "sh -c 'echo once'",
    ];
    let commands = [commands[0].clone(), "sh -c 'exit 9' {port}".to_owned()];
    expect(folder, 4, &gate(&commands, &same));
    assert!(!folder.join("session.logs/candidate.build.log").exists());
    let hung = ["--candidate-build", "sleep 600", "--arms-build-timeout", "300ms"];
    let (_, trouble) = expect(folder, 4, &gate(&commands, &hung));
    assert!(trouble.contains("was not done within 0.3 s"), "{trouble}");
}

#[test]
fn a_command_that_fails_ends_the_gate_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [good, _] = arms(["", ""]);
    let commands = [good, "sh -c 'echo out of memory; exit 9' {port}".to_owned()];
    let (_, trouble) = expect(folder, 4, &gate(&commands, &[]));
    assert!(
        trouble.contains("the candidate's server ended with exit status: 9"),
        "{trouble}"
    );
    assert!(trouble.contains("    out of memory"), "{trouble}");
    assert!(!folder.join("session.json").exists());
}

/// An engine that is killed when it has answered so many requests, and a shell around it that ends with 9 then. Where the
/// file behind the port can be made, it dies only once.
const MORTAL: &str = r#"
if [ -e "$2" ]; then exec ENGINE --port "$1"; fi
ENGINE --port "$1" &
while kill -0 $!; do
    answers=0
    exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
    while read -r key value <&3; do
        case $key in vllm:request_success_total*length*) answers=$value ;; esac
    done
    if [ "$answers" -ge ANSWERS ]; then kill -9 $!; touch "$2"; echo out of memory; exit 9; fi
    sleep 0.01
done
"#;

/// The command of such an arm; it dies always, or only once.
fn mortal(folder: &Path, arm: &str, once: bool) -> String {
    let engine = format!(
        "{} sim --decode-step-us 8000 --decode-us-per-seq 10",
        env!("CARGO_BIN_EXE_perfgate")
    );
    let script = folder.join(format!("{arm}.sh"));
    let text = MORTAL.replace("ENGINE", &engine).replace("ANSWERS", "60");
    fs::write(&script, text).unwrap();
    let flag = if once {
        folder.join(format!("{arm}.died"))
    } else {
        "/dev/null/none".into()
    };
    format!("bash {} {{port}} {}", script.display(), flag.display())
}

fn healthy() -> String {
    sim("--decode-step-us 8000 --decode-us-per-seq 10")
}

/// Verdict, exit code and sessions of a gate whose runs are long enough to die in.
fn judged(arms: &[String; 2], more: &[&str]) -> (String, i32, [Session; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let output = perfgate(folder.path(), &gate(arms, &[&["--requests", "200"], more].concat()))
        .output()
        .unwrap();
    let report = fs::read_to_string(folder.path().join("perfgate-report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let headline = report
        .get("headline")
        .and_then(serde_json::Value::as_str)
        .unwrap()
        .to_owned();
    (headline, output.status.code().unwrap(), sessions(folder.path()))
}

#[test]
fn a_candidate_that_crashes_midway_in_two_runs_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--arms-together", "--blocks", "5"]] {
        let arms = [healthy(), mortal(folder.path(), "candidate", false)];
        let (headline, code, [old, new]) = judged(&arms, more);
        assert_eq!(code, 1, "{more:?}: {headline}");
        assert!(
            headline.starts_with("regression: ") && headline.contains("Error rate"),
            "{headline}"
        );
        let deaths: Vec<_> = new.cells[0].runs.iter().map(death).collect();
        assert_eq!(deaths, [Some(Death::Midway); 2], "answers came before it died");
        assert!(new.cells[0].runs.iter().all(|run| run.server_died));
        assert!(
            old.cells[0]
                .runs
                .iter()
                .all(|run| death(run).is_none() && !run.server_died)
        );
    }
}

#[test]
fn a_crash_of_one_run_is_measured_again_and_one_of_both_arms_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let arms = [healthy(), mortal(folder.path(), "once", true)];
    let (headline, code, [_, new]) = judged(&arms, &[]);
    assert!([0, 3].contains(&code), "{headline}");
    let again = new.pairing.unwrap().remeasured;
    assert_eq!((again.len(), again[0].dead, again[0].pair), (1, true, 0), "{again:?}");
    assert!(new.cells[0].runs.iter().all(|run| death(run).is_none()));
    let arms = ["baseline", "candidate"].map(|arm| mortal(folder.path(), arm, false));
    let (headline, code, _) = judged(&arms, &[]);
    assert_eq!(code, 4, "{headline}");
    assert!(
        headline.starts_with("invalid: the baseline cannot carry a verdict"),
        "{headline}"
    );
}

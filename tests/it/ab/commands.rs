//! Arms whose servers are started: one at a time, together, and one that dies.

use std::fs;

use perfgate::session::Ended;

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
        // A busy machine has pairs measured again; the candidate was asked what it serves before the first one.
        let pairs = 3 + pairing.remeasured.len();
        assert_eq!(starts, pairs + usize::from(arm == "candidate"), "{log}");
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

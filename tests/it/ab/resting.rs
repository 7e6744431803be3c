//! Whether the arm that is not measured rests: servers that show what they hold, servers that do not, and one at work.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::Duration,
};

use perfgate::{
    commands::ab,
    load::Interrupt,
    plan::{Load, MetricsPage},
    session::PairArm,
};

use super::{Follower, Recorder, STEADY, sessions, wanted};
use crate::{
    answering::{Answer, serve},
    command::{Sim, assert_code, perfgate},
};

/// A server that has a page for chats, and none for its metrics.
fn without_metrics() -> String {
    serve(|_| Answer {
        around: Some(Arc::new(|send| {
            send();
            sleep(Duration::from_millis(1));
        })),
        ..Answer::honest(0, 4)
    })
}

/// The gate of two addresses.
fn gate(folder: &Path, urls: [&str; 2], blocks: &str, more: &[&str]) -> Output {
    let flags = "gate --ab --looks 3 --model sim --tokenizer words --concurrency 2 --warmup 2 --requests 20 --input-tokens 8 --output-tokens 4";
    let arms = [
        "--blocks",
        blocks,
        "--baseline-url",
        urls[0],
        "--candidate-url",
        urls[1],
    ];
    let more = more.iter().copied();
    let args: Vec<&str> = flags.split_whitespace().chain(arms).chain(more).collect();
    perfgate(folder, &args).output().unwrap()
}

/// Every form of its report, and what was said meanwhile, each on one line.
fn told(folder: &Path, urls: [&str; 2], blocks: &str, more: &[&str]) -> [String; 5] {
    let output = gate(folder, urls, blocks, more);
    let file = |name: &str| fs::read_to_string(folder.join("perfgate-report").join(name)).unwrap();
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let all = [
        said(output.stderr),
        said(output.stdout),
        file("report.json"),
        file("report.md"),
        file("report.html"),
    ];
    all.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn an_arm_that_nobody_can_see_rest_is_told_once_before_the_first_pair_and_in_every_report() {
    let engine = Sim::start(STEADY);
    let (blind, other) = (without_metrics(), without_metrics());
    for (urls, blocks, sign) in [
        ([engine.url.as_str(), &blind], "5", "the candidate"),
        ([&blind, &engine.url], "off", "the baseline"),
        ([&blind, &other], "5", "either"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for text in told(folder.path(), urls, blocks, &[]) {
            assert_eq!(text.matches("nobody could see whether").count(), 1, "{text}");
            assert!(text.contains(&format!("nobody could see whether {sign}")), "{text}");
        }
    }
}

#[test]
fn arms_that_show_what_they_hold_are_seen_to_rest_in_blocks_and_in_whole_runs() {
    let (old, new) = (Sim::start(STEADY), Sim::start(STEADY));
    for blocks in ["5", "off"] {
        let folder = tempfile::tempdir().unwrap();
        for text in told(folder.path(), [&old.url, &new.url], blocks, &[]) {
            assert!(!text.contains("nobody could see"), "{text}");
        }
        for session in sessions(folder.path()) {
            for run in &session.cells[0].runs {
                assert!(run.host.other_arm_up);
                assert_eq!(run.host.resting_arm_requests, Some(0));
            }
        }
    }
}

#[test]
fn an_arm_whose_page_of_metrics_is_elsewhere_is_seen_to_rest() {
    let (old, page) = (Sim::start(STEADY), Sim::start(STEADY));
    let blind = without_metrics();
    let folder = tempfile::tempdir().unwrap();
    let there = ["--candidate-metrics", &format!("{}/metrics", page.url)];
    for text in told(folder.path(), [&old.url, &blind], "5", &there) {
        assert!(!text.contains("nobody could see"), "{text}");
    }
    let [baseline, candidate] = sessions(folder.path());
    let asked = [&baseline, &candidate].map(|session| session.plan.target.metrics.clone());
    assert_eq!(asked, [MetricsPage::Auto, MetricsPage::Url(there[1].to_owned())]);
    // A run knows of the other arm's server.
    for run in &baseline.cells[0].runs {
        assert_eq!(run.host.resting_arm_requests, Some(0));
    }
    // A page that tells nothing is refused before the first pair, as whoever names one wants it to be asked.
    let silent = ["--candidate-metrics", &format!("{blind}/metrics")];
    let output = gate(folder.path(), [&old.url, &blind], "5", &silent);
    let (_, told) = assert_code(&output, 2, &silent);
    assert!(
        told.contains("`arms.candidate.metrics` is `http://127.0.0.1:"),
        "{told}"
    );
    assert!(told.contains("does not tell how many requests are in work"), "{told}");
}

#[test]
fn t11_no_key_goes_to_a_page_of_metrics_that_is_elsewhere() {
    let (old, new) = (Sim::start(STEADY), Sim::start(STEADY));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}/own", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap();
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            let body = "vllm:num_requests_running 0\n";
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all([head.as_str(), body].concat().as_bytes()).unwrap();
        }
    });
    let mut wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], 5);
    wanted.alternation.looks = vec![1];
    wanted.secrets.api_key = Some("sk-not-for-everybody".into());
    wanted.arms.metrics = [None, Some(page)];
    let mut follower = Follower {
        is_settled: false,
        interrupt_after: None,
    };
    ab::measure(&wanted, &mut follower, &Recorder::default(), &Interrupt::never()).unwrap();
    let asked = asked.lock().unwrap();
    assert!(asked.starts_with("GET /own HTTP/1.1"), "{asked}");
    assert!(!asked.to_ascii_lowercase().contains("authorization"), "{asked}");
}

#[test]
fn somebody_elses_request_at_the_resting_arm_spoils_a_whole_run_of_the_other() {
    let (old, new) = (Sim::start(STEADY), Sim::start(STEADY));
    // An answer of half a minute, which is at work all the time.
    let mut somebody = TcpStream::connect(old.url.trim_start_matches("http://")).unwrap();
    let body = r#"{"model":"sim","prompt":"a b c","max_tokens":8000,"ignore_eos":true,"stream":true}"#;
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    somebody.write_all([head.as_str(), body].concat().as_bytes()).unwrap();
    let _ = somebody.read(&mut [0; 512]).unwrap();
    let mut wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], 1);
    wanted.alternation.looks = vec![1];
    let mut follower = Follower {
        is_settled: false,
        interrupt_after: None,
    };
    let sessions = ab::measure(&wanted, &mut follower, &Recorder::default(), &Interrupt::never()).unwrap();
    let again = &sessions[1].pairing.as_ref().unwrap().remeasured;
    let spoilt = again.iter().find(|again| again.arm == PairArm::Candidate);
    assert_eq!(
        spoilt.unwrap().reason,
        "the resting arm's server held 1 request",
        "{again:?}"
    );
}

//! Bad input at the command line: the exit code, the sentence, and that nothing measured is lost.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::Value;

use crate::command::{Sim, expect, perfgate};

const TINY: &[&str] = &[
    "--concurrency",
    "2",
    "--requests",
    "6",
    "--warmup",
    "2",
    "--repeat",
    "1",
    "--input-tokens",
    "8",
    "--output-tokens",
    "4",
    "--model",
    "sim",
    "--quiet",
];

fn failed_class(session: &str, class: &str) -> bool {
    session.contains(&format!("\"class\":\"{class}\"")) || session.contains(&format!("\"class\": \"{class}\""))
}

#[test]
fn a_server_that_is_not_there_fails_with_its_reason_and_keeps_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let (_, trouble) = expect(folder.path(), 4, &[&["run", "--url", &url], TINY].concat());
    assert!(trouble.contains("connect"), "{trouble}");
    let session = fs::read_to_string(folder.path().join("session.json")).unwrap();
    assert!(failed_class(&session, "connect_refused"), "{session}");
}

#[test]
fn an_unknown_model_fails_with_the_servers_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Sim::start(&[]);
    let args = [&["run", "--url", engine.url.as_str()], TINY, &["--model", "nope"]].concat();
    let args: Vec<&str> = {
        let at = args.iter().position(|arg| *arg == "sim").unwrap();
        args.iter()
            .enumerate()
            .filter(|(i, _)| *i != at && *i + 1 != at)
            .map(|(_, arg)| *arg)
            .collect()
    };
    let (_, trouble) = expect(folder.path(), 4, &args);
    assert!(
        trouble.contains("http_404") && trouble.contains("does not exist"),
        "{trouble}"
    );
}

#[test]
fn a_server_that_answers_500_is_invalid_and_says_what_it_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut vec![0; 65536]);
            let body = r#"{"error":{"message":"engine is dead"}}"#;
            let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let (_, trouble) = expect(folder.path(), 4, &[&["run", "--url", &url], TINY].concat());
    assert!(
        trouble.contains("http_500") && trouble.contains("engine is dead"),
        "{trouble}"
    );
}

#[test]
fn files_that_cannot_be_compared_give_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("empty.json"), "").unwrap();
    fs::write(
        path("cut.json"),
        "{\"schema\": \"perfgate-llm/session/1\", \"cells\": [",
    )
    .unwrap();
    fs::write(path("future.json"), "{\"schema\": \"perfgate-llm/session/9\"}").unwrap();
    fs::write(path("binary.json"), [0, 159, 146, 150]).unwrap();
    for (name, word) in [
        ("empty.json", "empty"),
        ("cut.json", "cut.json"),
        ("future.json", "newer"),
        ("binary.json", "binary.json"),
        ("gone.json", "gone.json"),
    ] {
        let (text, trouble) = expect(folder.path(), 2, &["compare", name, name]);
        assert!(text.is_empty(), "{text}");
        assert!(
            trouble.contains(word) && !trouble.contains("panicked"),
            "{name}: {trouble}"
        );
    }
}

#[test]
fn an_output_that_cannot_be_written_fails_before_measuring() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    let args = [&["run", "--url", "http://127.0.0.1:9", "-o", "taken"], TINY].concat();
    let (_, trouble) = expect(folder.path(), 2, &args);
    assert!(trouble.contains("taken"), "{trouble}");
}

#[test]
fn too_few_runs_are_inconclusive_and_say_how_many_more() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Sim::start(&[]);
    let args = |output| {
        [
            &["run", "--url", engine.url.as_str(), "-o", output],
            TINY,
            &["--requests", "200"],
        ]
        .concat()
    };
    for output in ["a.json", "b.json"] {
        let mut args = args(output);
        let at = args.iter().position(|arg| *arg == "6").unwrap();
        args.drain(at - 1..=at);
        expect(folder.path(), 0, &args);
    }
    let (text, _) = expect(folder.path(), 3, &["compare", "a.json", "b.json"]);
    assert!(text.contains("inconclusive") && text.contains("2 more"), "{text}");
}

/// A `gate` or `run` that takes long; one run is done when this returns.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn begun(folder: &Path, verb: &str, url: &str) -> Child {
    let args = [
        verb,
        "--url",
        url,
        "--concurrency",
        "8",
        "--requests",
        "40",
        "--warmup",
        "2",
        "--repeat",
        "900",
    ];
    let lengths = ["--input-tokens", "8", "--output-tokens", "4", "--quiet"];
    let mut command = perfgate(folder, &args);
    let child = command
        .args(lengths)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !fs::read_to_string(folder.join("session.json")).is_ok_and(|text| text.contains("first_token_ns")) {
        sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn a_killed_run_leaves_a_session_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Sim::start(&[]);
    let mut child = begun(folder.path(), "run", &engine.url);
    child.kill().unwrap();
    child.wait().unwrap();
    let session = fs::read_to_string(folder.path().join("session.json")).unwrap();
    let session: Value = serde_json::from_str(&session).unwrap();
    assert_eq!(session["ended"], "interrupted");
    let (text, _) = expect(folder.path(), 3, &["compare", "session.json", "session.json"]);
    assert!(text.contains("interrupted"), "{text}");
}

#[test]
fn an_interrupted_gate_keeps_the_session_and_never_passes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Sim::start(&[]);
    for signal in ["-INT", "-TERM"] {
        let mut child = begun(folder.path(), "gate", &engine.url);
        let sent = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(4), "{signal}");
        let session = fs::read_to_string(folder.path().join("session.json")).unwrap();
        assert!(session.contains("first_token_ns"), "{signal}");
        fs::remove_file(folder.path().join("session.json")).unwrap();
    }
}

#[test]
fn the_store_never_compares_a_session_with_itself_and_names_what_differs_in_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Sim::start(&[]);
    let run = |output, seed| {
        let args = [&["run", "--url", &engine.url, "-o", output, "--seed", seed], TINY].concat();
        expect(folder.path(), 0, &args);
    };
    run("a.json", "1");
    expect(folder.path(), 0, &["baseline", "save", "a.json", "--force"]);
    let (text, _) = expect(folder.path(), 3, &["compare", "a.json"]);
    assert!(text.contains("no baseline"), "{text}");
    run("b.json", "2");
    let (text, _) = expect(folder.path(), 3, &["compare", "b.json"]);
    assert!(text.contains("incomparable") && text.contains("plan.seed"), "{text}");
}

#[test]
fn a_misspelt_field_is_not_silently_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, trouble) = expect(
        folder.path(),
        2,
        &["compare", "a.json", "b.json", "--allow", "engine_version"],
    );
    assert!(
        trouble.contains("`--allow`") && trouble.contains("`engine.version`"),
        "{trouble}"
    );
}

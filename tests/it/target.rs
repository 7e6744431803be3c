//! Servers that we start: real processes, their groups, their logs.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    collections::BTreeMap,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use perfgate::{
    plan::Launch,
    target::{Build, Start, TargetError, free_port},
};

/// `perfgate sim` with arguments behind it.
pub(crate) fn sim(more: &str) -> String {
    format!("{} sim --port {{port}} {more}", env!("CARGO_BIN_EXE_perfgate"))
}

fn start(folder: &Path, command: &[&str]) -> Start {
    Start {
        name: "candidate",
        launch: Launch {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ready: "/health".into(),
            ..Launch::default()
        },
        port: free_port().unwrap(),
        log: folder.join("candidate.log"),
        timeout: Duration::from_secs(60),
        withhold_secrets: false,
        records: folder.to_owned(),
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn wanted() -> bool {
    true
}

#[test]
fn a_server_is_up_when_it_is_ready_and_gone_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let command = [env!("CARGO_BIN_EXE_perfgate"), "sim", "--port", "{port}"];
    let start = start(folder.path(), &command);
    let mut server = start.start(&wanted).unwrap();
    assert!(listens(start.port));
    assert!(server.ended().is_none());
    #[cfg(target_os = "linux")]
    assert!(server.cpu().is_some());
    let again = start.start(&wanted);
    assert!(matches!(again, Err(TargetError::PortTaken { .. })), "{again:?}");
    drop(server);
    assert!(!listens(start.port));
    let log = fs::read_to_string(folder.path().join("candidate.log")).unwrap();
    assert!(log.contains(&format!("serving on {}", start.url())), "{log}");
    drop(start.start(&wanted).unwrap());
}

#[test]
fn children_of_a_server_end_with_it_and_one_that_ignores_the_request_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("trap '' TERM; {} & wait; wait", sim(""));
    let start = start(folder.path(), &["sh", "-c", &script]);
    let server = start.start(&wanted).unwrap();
    assert!(listens(start.port));
    drop(server);
    assert!(!listens(start.port), "the child of the shell is gone");
}

/// Started twice over, in a session of its own: neither parents nor group tie it to what was started.
#[cfg(target_os = "linux")]
fn detached(engine: &str) -> String {
    format!("(setsid {engine} &) ; exec sleep 600")
}

#[test]
#[cfg(target_os = "linux")]
fn children_that_left_for_a_session_of_their_own_end_with_their_server() {
    let folder = tempfile::tempdir().unwrap();
    let start = start(folder.path(), &["sh", "-c", &detached(&sim(""))]);
    let server = start.start(&wanted).unwrap();
    let holder = perfgate::process::listener(start.port).unwrap();
    assert!(server.processes().unwrap().contains(&holder));
    assert_eq!(server.stop(), Ok(()));
    assert!(!listens(start.port));
    let records = fs::read_dir(folder.path()).unwrap().flatten();
    let names: Vec<_> = records.map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["candidate.log"], "nothing is left to be cleaned up");
    // As with a server whose command ends at once.
    let ended = self::start(folder.path(), &["sh", "-c", &format!("(setsid {} &)", sim(""))]);
    let error = ended.start(&wanted).unwrap_err();
    assert!(matches!(error, TargetError::Ended { .. }), "{error}");
    assert!(!listens(ended.port));
}

#[test]
#[cfg(target_os = "linux")]
fn who_hid_from_its_server_and_holds_the_port_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let start = start(folder.path(), &["sh", "-c", &detached(&format!("env -i {}", sim("")))]);
    let server = start.start(&wanted).unwrap();
    let holder = perfgate::process::listener(start.port).unwrap();
    let told = server.stop().unwrap_err();
    let named = format!(
        "the candidate's server is stopped, and its port {} is still taken by `perfgate` (process {holder})",
        start.port
    );
    assert!(told.starts_with(&named), "{told}");
    perfgate::process::Identity::of(holder).unwrap().end(true);
}

#[test]
fn a_server_that_ends_at_once_is_told_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let start = start(folder.path(), &["sh", "-c", "echo no such model >&2; exit 3"]);
    let error = start.start(&wanted).unwrap_err().to_string();
    assert!(
        error.starts_with("the candidate's server ended with exit status: 3"),
        "{error}"
    );
    assert!(error.ends_with("candidate.log`:\n    no such model"), "{error}");
}

#[test]
fn the_end_of_a_log_is_of_the_last_start_only() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), &["sh", "-c", "echo out of memory; exit 3"]);
    first.start(&wanted).unwrap_err();
    let second = start(folder.path(), &["sh", "-c", "echo no such model; exit 4"]);
    let error = second.start(&wanted).unwrap_err().to_string();
    assert!(error.ends_with("candidate.log`:\n    no such model"), "{error}");
    let log = fs::read_to_string(&second.log).unwrap();
    assert_eq!(log, "out of memory\n=== started again\nno such model\n");
    let silent = start(folder.path(), &["sh", "-c", "exit 5"]);
    let error = silent.start(&wanted).unwrap_err().to_string();
    assert!(error.ends_with("candidate.log` has no line of this start"), "{error}");
}

#[test]
fn a_server_that_is_never_ready_is_stopped_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let command = [env!("CARGO_BIN_EXE_perfgate"), "sim", "--port", "{port}"];
    let mut start = start(folder.path(), &command);
    start.launch.ready = "/nowhere".into();
    start.timeout = Duration::from_secs(3);
    let error = start.start(&wanted).unwrap_err().to_string();
    assert!(error.contains("was not ready within 3 s: `GET /nowhere`"), "{error}");
    assert!(!listens(start.port));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = start(folder.path(), &["/no/such/program"]).start(&wanted).unwrap_err();
    assert!(error.to_string().contains("`/no/such/program`"), "{error}");
}

#[test]
fn waiting_ends_when_nobody_wants_the_server_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let start = start(folder.path(), &["sleep", "600"]);
    let error = start
        .start(&|| begun.elapsed() < Duration::from_millis(100))
        .unwrap_err();
    assert!(matches!(error, TargetError::Interrupted), "{error}");
}

#[test]
fn variables_and_the_folder_reach_the_server_with_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let mut start = start(folder.path(), &["sh", "-c", "pwd; echo at $ADDRESS; exit 1"]);
    start.launch.env.insert("ADDRESS".into(), "here:{port}".into());
    start.launch.workdir = Some(PathBuf::from("/"));
    let error = start.start(&wanted).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!("    /\n    at here:{}", start.port)),
        "{error}"
    );
}

fn build(folder: &Path, script: &str) -> Build {
    Build {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        workdir: folder.to_owned(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs(60),
        log: folder.join("build.log"),
    }
}

/// Whether a process runs whose id stands in a file.
fn runs(file: &Path) -> bool {
    let id = fs::read_to_string(file).unwrap();
    fs::read_to_string(format!("/proc/{}/stat", id.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_build_runs_in_its_folder_with_its_variables_and_its_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut build = build(folder.path(), "pwd; echo $KIND; touch built");
    build.env.insert("KIND".into(), "release".into());
    build.run(&wanted).unwrap();
    assert!(folder.path().join("built").exists());
    build.run(&wanted).unwrap();
    let log = fs::read_to_string(&build.log).unwrap();
    let once = format!("{}\nrelease\n", folder.path().canonicalize().unwrap().display());
    assert_eq!(log, format!("{once}=== built again\n{once}"));
}

#[test]
fn a_build_that_fails_is_told_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let failing = build(folder.path(), "seq 1 30; echo 'error: no such type' >&2; exit 2");
    build(folder.path(), "echo first").run(&wanted).unwrap();
    let error = failing.run(&wanted).unwrap_err();
    assert!(matches!(error, TargetError::BuildFailed { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.starts_with("the build `sh` ended with exit status: 2; the end of its log"),
        "{error}"
    );
    assert!(error.ends_with("    29\n    30\n    error: no such type"), "{error}");
    assert!(!error.contains("first") && !error.contains("    20\n"), "{error}");
    let mut missing = build(folder.path(), "");
    missing.command = vec!["/no/such/program".into()];
    let error = missing.run(&wanted).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot start the build `/no/such/program` in"),
        "{error}"
    );
}

#[test]
fn t16_a_hung_build_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; (trap '' TERM; echo $$ > shell; sleep 600) & sleep 600 & echo $! > child; wait";
    let mut hung = build(folder.path(), script);
    hung.timeout = Duration::from_millis(500);
    let error = hung.run(&wanted).unwrap_err().to_string();
    assert!(error.contains("was not done within 0.5 s, and was stopped"), "{error}");
    for file in ["shell", "child"] {
        assert!(!runs(&folder.path().join(file)), "{file}");
    }
    // Also where nobody wants it any more.
    hung.timeout = Duration::from_secs(60);
    let begun = Instant::now();
    let error = hung.run(&|| begun.elapsed() < Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, TargetError::Interrupted), "{error}");
    assert!(!runs(&folder.path().join("child")));
}

#[test]
fn t16_nothing_of_a_build_outlives_it() {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path(), "sleep 600 & echo $! > child")
        .run(&wanted)
        .unwrap();
    assert!(!runs(&folder.path().join("child")));
}

/// Runs by itself, as what a process holds in its environment holds for all of its tests.
#[test]
fn t16_no_secret_reaches_a_build_nor_a_server_that_is_to_have_none() {
    if std::env::var_os("PERFGATE_TEST_SECRETS").is_none() {
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "target::t16_no_secret_reaches_a_build_nor_a_server_that_is_to_have_none",
            ])
            .env("PERFGATE_TEST_SECRETS", "1")
            .envs(["HF_TOKEN", "MY_API_KEY", "GITHUB_TOKEN"].map(|name| (name, "hunter2")))
            .env("BUILD_TYPE", "plain")
            .env("GIT_DIR", "/hunter2")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut printing = build(folder.path(), "env");
    printing.env.insert("MY_TOKEN".into(), "given".into());
    printing.run(&wanted).unwrap();
    let log = fs::read_to_string(&printing.log).unwrap();
    assert!(!log.contains("hunter2"), "{log}");
    assert!(
        log.contains("BUILD_TYPE=plain") && log.contains("MY_TOKEN=given"),
        "{log}"
    );

    let mut start = start(folder.path(), &["sh", "-c", "env"]);
    let mut printed = |withhold_secrets| {
        start.withhold_secrets = withhold_secrets;
        start.log = folder.path().join(format!("server.{withhold_secrets}"));
        start.start(&wanted).unwrap_err();
        fs::read_to_string(&start.log).unwrap()
    };
    let usual = printed(false);
    assert!(
        usual.contains("HF_TOKEN=hunter2") && usual.contains("GIT_DIR") && !usual.contains("GITHUB_TOKEN"),
        "{usual}"
    );
    assert!(!printed(true).contains("hunter2"));
}

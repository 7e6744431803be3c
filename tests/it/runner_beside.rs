//! What perfgate does beside another tool that measures: samples, a limit of time, disturbed pairs, a server that changes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use perfgate::{
    measure,
    metric::Metric,
    session::{Ended, EngineUse, GpuUse, Session},
    store,
};
use tempfile::TempDir;

use crate::{
    command::{Sim, perfgate},
    telemetry::fake_nvml,
};

/// Takes so long, and writes what `vllm bench serve` writes.
const TOOL: &str = r#"out=$1 repeat=$2 seconds=$3
echo "$repeat" >> calls.txt
sleep "$seconds"
cat > "$out/result.json" <<RESULT
{"model_id": "tiny", "num_prompts": 400, "request_rate": "inf", "max_concurrency": 4, "completed": 400, "failed": 0,
 "backend": "openai-chat", "total_input_tokens": 25600, "total_output_tokens": 12800, "duration": 35.$repeat,
 "request_throughput": 11.4, "output_throughput": 365.$repeat, "p50_ttft_ms": 40.$repeat, "p95_ttft_ms": 48.$repeat,
 "p50_tpot_ms": 10.$repeat, "p95_tpot_ms": 12.$repeat}
RESULT
"#;

fn folder(url: &str, seconds: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool.sh"), TOOL).unwrap();
    let config = format!(
        "target: {{url: '{url}'}}\nmodel: tiny\nconcurrency: 4\nnum_requests: 400\nrepeat: 3\n\
         runner: {{command: 'sh tool.sh {{out}} {{repeat}} {seconds}'}}\n{more}"
    );
    fs::write(folder.path().join("perfgate.yaml"), config).unwrap();
    folder
}

const AB: [&str; 6] = [
    "gate",
    "--ab",
    "--baseline-url",
    "http://127.0.0.1:1",
    "--candidate-url",
    "http://127.0.0.1:2",
];

fn session(folder: &Path, name: &str) -> Session {
    store::read_session(&folder.join(name)).unwrap()
}

fn calls(folder: &Path) -> usize {
    fs::read_to_string(folder.join("calls.txt")).unwrap().lines().count()
}

#[test]
fn gpu_engine_and_machine_are_sampled_beside_the_tool_and_the_server_says_who_it_is() {
    let Some(library) = fake_nvml() else { return };
    let sim = Sim::start(&["--kv-blocks", "200"]);
    let folder = folder(&sim.url, "1.3", "");
    let args = ["run", "--repeat", "1", "--metrics-interval", "100ms", "--quiet"];
    let mut command = perfgate(folder.path(), &args);
    let output = command
        .env("LD_LIBRARY_PATH", library)
        .env_remove("CUDA_VISIBLE_DEVICES")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let session = session(folder.path(), "session.json");
    let environment = &session.environment;
    assert_eq!(environment.engine_name.as_deref(), Some("perfgate-sim"));
    assert_eq!(environment.gpus.len(), 1, "{environment:?}");
    let run = &session.cells[0].runs[0];
    assert!(
        matches!(run.gpu, GpuUse::Measured { samples, .. } if samples >= 5),
        "{:?}",
        run.gpu
    );
    assert!(!run.telemetry.host.is_empty());
    let EngineUse::Sampled(engine) = &run.telemetry.engine else {
        unreachable!("{:?}", run.telemetry.engine)
    };
    assert_eq!(engine.kv_capacity_tokens, Some(3200));
    assert!(engine.samples >= 5 && engine.latencies.is_empty(), "{engine:?}");
    let measured = measure::measure(&session);
    let series = &measured.cells[0].series;
    let value = |metric: Metric| series[&metric][0].clone().map(|sample| sample.value);
    assert_eq!(value(Metric::KvCacheCapacityTokens), Ok(3200.0));
    assert!(value(Metric::GpuMemoryPeakGb).is_ok_and(|gb| gb > 1.0));
    assert!(
        value(Metric::GpuUtilizationPct).is_err(),
        "the sim had no request in work"
    );
}

#[test]
fn no_pair_begins_that_would_end_after_the_limit() {
    let folder = folder("http://127.0.0.1:1", "0.2", "ab: {max_minutes: 0.01}\n");
    let output = perfgate(folder.path(), &AB).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("no look fits"), "the forecast says so: {told}");
    for name in ["session.baseline.json", "session.json"] {
        let session = session(folder.path(), name);
        let why = session.pairing.unwrap().stopped_early.unwrap();
        assert!(why.starts_with("`max_minutes` allows 0.6 s"), "{why}");
        assert_eq!(session.ended, Ended::Complete);
        assert!(session.cells[0].runs.len() < 3);
    }
}

#[test]
fn pairs_that_the_machine_disturbed_are_measured_again_at_most_twice() {
    let Some(library) = fake_nvml() else { return };
    let folder = folder("http://127.0.0.1:1", "0.25", "");
    let args: Vec<&str> = AB.into_iter().chain(["--looks", "3"]).collect();
    let mut command = perfgate(folder.path(), &args);
    let output = command
        .env("LD_LIBRARY_PATH", library)
        .env("FAKE_NVML_THROTTLE", "0x20")
        .env_remove("CUDA_VISIBLE_DEVICES")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in [
        "pair 1 of `vllm-bench @ c=4` is measured again; the baseline's run was spoilt: GPU clocks were held down",
        "is kept, as 2 pairs were measured again already",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(
        calls(folder.path()),
        2 * (3 + 2),
        "three pairs, and one of them twice more"
    );
    for name in ["session.baseline.json", "session.json"] {
        let session = session(folder.path(), name);
        let again = session.pairing.unwrap().remeasured;
        assert_eq!(again.iter().map(|again| again.pair).collect::<Vec<_>>(), [0, 0]);
        let runs = &session.cells[0].runs;
        assert_eq!(runs.iter().map(|run| run.repeat).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(
            runs.iter()
                .all(|run| run.host.other_arm_up && !run.host.throttled.is_empty())
        );
    }
}

/// A server that lists other models from its second answer on.
fn changing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut lists = 0;
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let is_list = asked.contains("/v1/models");
            lists += u32::from(is_list);
            let model = if lists > 1 { "tall" } else { "tiny" };
            let list = format!(r#"{{"object": "list", "data": [{{"id": "{model}", "object": "model"}}]}}"#);
            answer(
                &stream,
                if is_list {
                    ("200 OK", &list)
                } else {
                    ("404 Not Found", "")
                },
            );
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, (status, body): (&str, &str)) {
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

#[test]
fn a_server_that_changes_between_two_runs_ends_the_measurement_and_what_came_before_is_kept() {
    let folder = folder(&changing(), "0", "");
    let output = perfgate(folder.path(), &["run", "--quiet"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    let expected = "what the server serves is `tiny` in an earlier one and `tall` in this one";
    assert!(told.contains(expected) && told.contains("is kept in"), "{told}");
    let session = session(folder.path(), "session.json");
    assert!(
        matches!(&session.ended, Ended::Aborted(why) if why.contains(expected)),
        "{:?}",
        session.ended
    );
    assert_eq!(session.cells[0].runs.len(), 1);
}

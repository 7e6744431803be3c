use std::fs;

use super::*;

fn hide(text: &str) -> String {
    let secrets = |text: &str| text.replace("hf_secret", "[secret]");
    Hide {
        hosts: vec!["gpu-box-7".to_owned(), "b7".to_owned()],
        users: vec!["alice".to_owned(), "root".to_owned()],
        secrets: &secrets,
    }
    .text(text)
}

#[test]
fn names_of_people_machines_and_secrets_are_taken_out_of_texts() {
    for (text, expected) in [
        ("/home/alice/x.py(3): f", "/home/user/x.py(3): f"),
        ("a /Users/Bob.B/x and /home/al-ice", "a /Users/user/x and /home/user"),
        ("/home/", "/home/"),
        ("on gpu-box-7, port 1", "on host, port 1"),
        ("gpu-box-77 xgpu-box-7", "gpu-box-77 xgpu-box-7"),
        (
            "b7:8000, on b7 and not b77 or sub7",
            "host:8000, on host and not b77 or sub7",
        ),
        ("/scratch/alice/vllm, of alice", "/scratch/user/vllm, of user"),
        ("malice, alice_2, root", "malice, alice_2, root"),
        ("/data/users/bob/vllm", "/data/users/user/vllm"),
        ("/tmp/torchinductor_bob/ab/cab.py", "/tmp/torchinductor_user/ab/cab.py"),
        ("a hf_secret b", "a [secret] b"),
        ("sm90_gemm", "sm90_gemm"),
    ] {
        assert_eq!(hide(text), expected);
    }
}

fn stored(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Stored) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let secrets = |text: &str| text.replace("hf_FAKE", "[secret]");
    let hide = Hide {
        hosts: vec!["gpu-box-7".to_owned(), "b7".to_owned()],
        users: vec!["alice".to_owned(), "root".to_owned()],
        secrets: &secrets,
    };
    let stored = store(&path, &folder.path().join("profiles"), "candidate-1", &hide).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "the file itself stays");
    (folder, stored)
}

const TRACE: &str = r#"{"schemaVersion": 1, "deviceProperties": [], "record_shapes": 1, "cupti_version": 22, "host_name": "gpu-box-7",
  "username": "alice", "job_id": "1", "metadata": {"started_by": "alice"}, "baseTimeNanoseconds": 1760000000000000000,
  "traceEvents": [
    {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 4442773977238.418, "dur": 1.25, "pid": 1, "tid": 1,
     "args": {"Input Dims": [[4, 256]]}},
    {"ph": "X", "cat": "python_function", "name": "/home/alice/serve.py(3): run on gpu-box-7 hf_FAKE", "ts": 5, "dur": 1, "pid": 1, "tid": 1}
  ], "traceName": "/home/alice/trace.json"}"#;

#[test]
fn a_trace_keeps_its_events_and_loses_who_recorded_it_where() {
    let (_folder, stored) = stored("rank0.pt.trace.json", TRACE.as_bytes());
    assert_eq!(
        stored.left_out,
        ["host_name", "username", "job_id", "metadata", "traceName"]
    );
    assert!(stored.path.ends_with("profiles/candidate-1.pt.trace.json.gz"));
    assert_eq!(super::super::recognise(&stored.path).unwrap().kind, ProfileKind::Torch);
    let text = String::from_utf8(text_of(&stored.path).unwrap()).unwrap();
    for gone in ["alice", "gpu-box-7", "hf_FAKE"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
    let before: serde_json::Value = serde_json::from_str(TRACE).unwrap();
    assert_eq!(trace["traceEvents"][0], before["traceEvents"][0]);
    assert_eq!(
        trace["traceEvents"][1]["name"],
        "/home/user/serve.py(3): run on host [secret]"
    );
    assert_eq!(trace["cupti_version"], 22);
}

#[test]
fn of_an_events_arguments_only_those_that_are_known_are_kept() {
    let trace = r#"{"schemaVersion": 1, "traceEvents": [
    {"ph": "X", "cat": "kernel", "name": "gemm of bob", "ts": 5.5, "dur": 1, "pid": 1, "tid": 1, "secret": "x",
     "args": {"correlation": 7, "grid": [1, 2, 3], "kernel_file": "/tmp/x/cab.py", "cwd": "/work/bob", "env": "MY_PAT=ghp_x",
      "dtype": "A MY_PAT=ghp_x", "Process Group Description": "of bob on n9", "Collective name": "allreduce"}}
  ], "username": "bob", "host_name": "n9"}"#;
    let (_folder, stored) = stored("x.json", trace.as_bytes());
    let expected = ["username", "host_name", "args.cwd", "args.env", "args.kernel_file"];
    assert_eq!(stored.left_out, expected);
    let text = String::from_utf8(text_of(&stored.path).unwrap()).unwrap();
    let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "ph": "X", "cat": "kernel", "name": "gemm of user", "ts": 5.5, "dur": 1, "pid": 1, "tid": 1,
        "args": {"correlation": 7, "grid": [1, 2, 3], "dtype": "", "Process Group Description": "of user on host",
            "Collective name": "allreduce"}
    });
    assert_eq!(trace["traceEvents"][0], expected);
}

#[test]
fn a_stored_trace_tells_what_it_told_before() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/profiles");
    for name in ["gpu_bad.json.gz", "good.json.gz", "vllm_cpu_rank0.pt.trace.json.gz"] {
        let path = folder.join(name);
        let (_folder, stored) = stored(name, &fs::read(&path).unwrap());
        let [before, after] = [&path, &stored.path].map(|path| super::super::read(path).unwrap());
        assert_eq!(
            (before.phases, before.devices, before.mode, before.peak_bytes),
            (after.phases, after.devices, after.mode, after.peak_bytes),
            "{name}"
        );
    }
}

#[test]
fn nsight_computes_pages_lose_the_name_of_their_host() {
    let page = "\"ID\",\"Process ID\",\"Process Name\",\"Host Name\",\"Kernel Name\",\"a\"\n\
                \"0\",\"1\",\"python of n9\",\"n9\",\"k\",\"2\"\n";
    let (_folder, stored) = stored("page.csv", page.as_bytes());
    let text = fs::read_to_string(&stored.path).unwrap();
    assert_eq!(text, page.replace("n9", "host"));
}

#[test]
fn a_trace_that_is_cut_off_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.json");
    fs::write(&path, &TRACE[..TRACE.len() - 40]).unwrap();
    let hide = Hide {
        hosts: Vec::new(),
        users: Vec::new(),
        secrets: &|text: &str| text.to_owned(),
    };
    assert!(store(&path, folder.path(), "x", &hide).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_export_keeps_what_ran_and_loses_the_environment() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/profiles");
    let exports = [
        "synth/nsys_bad.sqlite",
        "public/nsightful_power_iteration__baseline.sqlite",
    ];
    for name in exports {
        let Ok(bytes) = fs::read(folder.join(name)) else {
            eprintln!("skipped: `{name}` is not here");
            continue;
        };
        let (_folder, stored) = stored("r.sqlite", &bytes);
        let copied = fs::read(&stored.path).unwrap();
        for gone in [
            "HF_TOKEN",
            "hf_FAKE",
            "ENVIRONMENT_VARIABLE",
            "HOSTNAME",
            "94b8b7b3215f",
            "/content",
        ] {
            assert!(!super::super::contains(&copied, gone), "{name}: {gone}");
        }
        let (before, after) = (
            super::super::read(&folder.join(name)).unwrap(),
            super::super::read(&stored.path).unwrap(),
        );
        assert_eq!(
            (before.phases, before.devices, before.mode),
            (after.phases, after.devices, after.mode),
            "{name}"
        );
    }
}

#[test]
fn what_needs_its_own_tool_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.nsys-rep");
    fs::write(&path, b"\x01\0\0QuadDCommon").unwrap();
    let hide = Hide {
        hosts: Vec::new(),
        users: Vec::new(),
        secrets: &|text: &str| text.to_owned(),
    };
    let told = store(&path, folder.path(), "x", &hide).unwrap_err().to_string();
    assert!(told.contains("nsys export"), "{told}");
}

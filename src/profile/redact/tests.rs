use std::fs;

use super::*;

fn hide(text: &str) -> String {
    let secrets = |text: &str| text.replace("hf_secret", "[secret]");
    Hide {
        host: Some("gpu-box-7".to_owned()),
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
        host: Some("gpu-box-7".to_owned()),
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
fn a_trace_that_is_cut_off_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.json");
    fs::write(&path, &TRACE[..TRACE.len() - 40]).unwrap();
    let hide = Hide {
        host: None,
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
        host: None,
        secrets: &|text: &str| text.to_owned(),
    };
    let told = store(&path, folder.path(), "x", &hide).unwrap_err().to_string();
    assert!(told.contains("nsys export"), "{told}");
}

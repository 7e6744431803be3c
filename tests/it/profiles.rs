//! `perfgate profile show` and `diff` as a user runs them, on traces with planted differences.

use std::{fs, path::Path};

use serde_json::Value;

use crate::command::expect;

fn folder() -> &'static Path {
    Path::new("tests/data/profiles")
}

fn diff(code: i32, args: &[&str]) -> String {
    expect(folder(), code, &[&["profile", "diff"], args].concat()).0
}

#[test]
fn a_difference_is_told_by_phase_place_calls_and_time() {
    let text = diff(0, &["good.json.gz", "copy.json.gz"]);
    let line = "decode, layer/attn: `aten::copy_` 32 → 128 calls, +19.50 ms a step, explains 91 % of the change";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("Structure: changed (exact)"), "{text}");
    assert!(text.contains("one capture a side: not judged"), "{text}");
    assert!(text.contains("peak: 24.1 → 19.9 MB"), "{text}");
}

#[test]
fn the_same_code_twice_has_no_structural_change() {
    let text = diff(0, &["good.json.gz", "goodB.json.gz"]);
    assert!(
        text.contains("no structural change: the same operators, as often"),
        "{text}"
    );
    assert!(!text.contains("is new") && !text.contains("is gone"), "{text}");
}

#[test]
fn sides_of_several_captures_are_given_by_name() {
    let text = diff(
        0,
        &[
            "--good",
            "gpu_good.json.gz",
            "gpu_good2.json.gz",
            "--bad",
            "gpu_bad.json.gz",
        ],
    );
    assert!(text.contains("good: `gpu_good.json.gz`, `gpu_good2.json.gz`"), "{text}");
    assert!(
        text.contains("idle: the host was late, 0 → 0.9 gaps, +0.372 ms a step"),
        "{text}"
    );
    for args in [["--good", "good.json.gz"].as_slice(), &["good.json.gz"], &[]] {
        expect(folder(), 2, &[&["profile", "diff"], args].concat());
    }
}

#[test]
fn captures_of_one_name_are_told_apart_by_their_folders() {
    let scratch = tempfile::tempdir().unwrap();
    for (place, file) in [("one", "gpu_good"), ("two", "gpu_good2"), ("bad", "gpu_bad")] {
        fs::create_dir(scratch.path().join(place)).unwrap();
        let capture = folder().join(format!("{file}.json.gz"));
        fs::copy(capture, scratch.path().join(place).join("baseline-1.json.gz")).unwrap();
    }
    let good = ["one/baseline-1.json.gz", "two/baseline-1.json.gz"];
    let args = [
        "profile",
        "diff",
        "--good",
        good[0],
        good[1],
        "--bad",
        "bad/baseline-1.json.gz",
    ];
    let (text, _) = expect(scratch.path(), 0, &args);
    assert!(
        text.contains("good: `one/baseline-1.json.gz`, `two/baseline-1.json.gz`"),
        "{text}"
    );
    assert!(text.contains("bad:  `baseline-1.json.gz`"), "{text}");
}

#[test]
fn captures_of_different_modes_are_incomparable() {
    let text = diff(3, &["good.json.gz", "good_plain.json.gz"]);
    assert!(
        text.starts_with("incomparable: `good.json.gz` was recorded with shapes of inputs"),
        "{text}"
    );
    let text = diff(3, &["good.json.gz", "good_plain.json.gz", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["structure"], "incomparable");
    assert!(
        json["incomparable_because"][0].as_str().unwrap().contains("shapes"),
        "{json}"
    );
    let text = diff(3, &["gpu_good.json.gz", "good_plain.json.gz"]);
    assert!(text.contains("record CPU and GPU on both sides"), "{text}");
    let text = diff(3, &["--good", "good.json.gz", "good.json.gz", "--bad", "copy.json.gz"]);
    assert!(text.contains("the same capture"), "{text}");
}

#[test]
fn programs_read_the_same_and_the_sums_close() {
    let text = diff(0, &["good.json.gz", "copy.json.gz", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], "perfgate-llm/profile-diff/1");
    assert_eq!(json["structure"], "changed");
    for phase in json["phases"].as_array().unwrap() {
        let time = &phase["time"];
        let number = |key: &str| time[key].as_f64().unwrap();
        let parts = ["in_changed_rows_ms", "in_same_rows_ms", "in_idle_ms", "in_overlap_ms"].map(number);
        let sum: f64 = parts.iter().sum();
        assert!((sum - number("change_ms")).abs() < 1e-9, "{time}");
    }
    assert!(!text.contains("host_name"), "who recorded it is not told");
}

#[test]
fn markdown_has_tables_and_the_commands_that_come_next() {
    let text = diff(0, &["gpu_good.json.gz", "gpu_bad.json.gz", "--format", "markdown"]);
    assert!(text.contains("| Phase | Where | What |"), "{text}");
    assert!(text.contains("--cuda-graph-trace=node"), "{text}");
    assert!(text.contains("-k regex:elementwise&#95;copy&#95;kernel"), "{text}");
    expect(folder(), 2, &["profile", "show", "good.json.gz", "--format", "html"]);
}

#[test]
fn one_profile_is_shown_phase_by_phase() {
    let (text, _) = expect(folder(), 0, &["profile", "show", "vllm_cpu_rank0.pt.trace.json.gz"]);
    assert!(
        text.contains("vLLM 0.32.0") && text.contains("decode (2 requests): 28 steps"),
        "{text}"
    );
    let (text, _) = expect(folder(), 0, &["profile", "show", "gpu_bad.json.gz", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let time = &json["phases"][0]["time"];
    assert_eq!(time["compute_ns"], 18_027_786);
    assert_eq!(time["wall_ns"], 18_027_786 + 4_876_600);
}

#[test]
fn a_file_that_is_no_profile_is_told_and_never_a_zero() {
    let scratch = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(scratch.path().join(name), bytes).unwrap();
    let whole = fs::read(folder().join("good.json.gz")).unwrap();
    write("cut.json.gz", &whole[..whole.len() / 2]);
    write("foreign.json", br#"{"results": [1, 2]}"#);
    write("empty.json", br#"{"schemaVersion": 1, "traceEvents": []}"#);
    for (name, why) in [
        ("cut.json.gz", "ends in the middle"),
        ("foreign.json", "is no profile that is known"),
        ("empty.json", "holds no operators or kernels"),
        ("missing.json", "cannot read"),
    ] {
        let (_, trouble) = expect(scratch.path(), 2, &["profile", "show", name]);
        assert!(trouble.contains(why), "{name}: {trouble}");
    }
}

//! Files that are cut, foreign, enormous or impossible: each is refused with its name, the place and what to do.

use std::{fs, path::PathBuf};

use perfgate::import::{ImportError, Options};
use tempfile::TempDir;

use super::{data, import, imported, session};

fn refused(content: impl AsRef<[u8]>) -> ImportError {
    refused_with(content, &Options::default())
}

fn refused_with(content: impl AsRef<[u8]>, options: &Options) -> ImportError {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, content).unwrap();
    let found = import(&[path], options).map(|_| "an import");
    found.unwrap_err()
}

/// The file of a tool with a part of it changed.
fn changed(name: &str, from: &str, to: &str) -> String {
    let text = fs::read_to_string(data(name)).unwrap();
    assert!(text.contains(from), "`{from}` is not in {name}");
    text.replacen(from, to, 1)
}

#[test]
fn nothing_and_what_is_no_result_is_refused() {
    assert!(matches!(refused(""), ImportError::Empty { .. }));
    assert!(matches!(refused(" \n\t"), ImportError::Empty { .. }));
    for content in [
        &b"\x7fELF\x02\x01\x01\0\0"[..],
        b"{}",
        b"[]",
        b"{\"a\": 1}",
        b"hello",
        b"\xff\xfe{\0",
    ] {
        assert!(matches!(refused(content), ImportError::Unknown { .. }), "{content:?}");
    }
    let path = PathBuf::from("/nowhere/at/all.json");
    assert!(matches!(imported(&[path]), Err(ImportError::Unreadable { .. })));
}

#[test]
fn a_file_that_was_cut_says_so() {
    for name in [
        "vllm/detailed.json",
        "sglang/run.jsonl",
        "aiperf/profile_export.jsonl",
        "aiperf/profile_export_aiperf.json",
        "llmperf/tiny_550_32_summary.json",
        "inference-benchmarker/result.json",
        "llm-d/report.yaml",
        "oha/result.json",
        "perf-analyzer/report.csv",
    ] {
        let bytes = fs::read(data(name)).unwrap();
        let cut = refused(&bytes[..bytes.len() * 2 / 3]);
        assert!(matches!(cut, ImportError::CutOff { .. }), "{name}: {cut}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let options = Options {
        max_bytes: 1000,
        ..Options::default()
    };
    let text = fs::read(data("vllm/plain.json")).unwrap();
    let error = refused_with(&text, &options);
    assert!(matches!(error, ImportError::TooLarge { limit: 1000, .. }), "{error}");
    // A hole of a terabyte takes no room, and nobody has to wait for it.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(imported(&[path]), Err(ImportError::TooLarge { .. })));
}

#[test]
fn deep_nesting_and_keys_that_stand_twice_are_refused() {
    let deep = format!("\"itls\": {}", "[".repeat(200_000));
    let error = refused(changed("vllm/detailed.json", "\"itls\": ", &deep));
    assert!(
        matches!(error, ImportError::Broken { .. } | ImportError::Value { .. }),
        "{error}"
    );
    let twice = changed(
        "vllm/plain.json",
        "\"completed\": 40",
        "\"completed\": 40, \"completed\": 41",
    );
    let error = refused(twice).to_string();
    assert!(error.contains("`completed` stands twice"), "{error}");
    let twice = changed(
        "aiperf/profile_export.jsonl",
        "\"metadata\":{",
        "\"metadata\":{\"request_start_ns\":1,",
    );
    let error = refused(twice).to_string();
    assert!(error.contains("duplicate field `request_start_ns`"), "{error}");
}

#[test]
fn values_that_cannot_be_are_refused_with_their_place() {
    for (name, from, to, expected) in [
        (
            "vllm/detailed.json",
            "\"ttfts\": [0.029147399000066798",
            "\"ttfts\": [-0.5",
            "`ttfts[0]`: is `-0.5`",
        ),
        (
            "vllm/detailed.json",
            "[[1.7866000007416005e-05",
            "[[-1",
            "`itls[0][0]`: is `-1`",
        ),
        (
            "vllm/detailed.json",
            "\"output_lens\": [32, ",
            "\"output_lens\": [",
            "`output_lens`: has 39 entries",
        ),
        (
            "vllm/detailed.json",
            "\"output_lens\": [32, ",
            "\"output_lens\": [true, ",
            "`output_lens[0]`: invalid type",
        ),
        (
            "vllm/plain.json",
            "\"completed\": 40",
            "\"completed\": -40",
            "`completed`: is `-40`",
        ),
        (
            "vllm/plain.json",
            "\"p99_ttft_ms\": 37",
            "\"p99_ttft_ms\": -37",
            "`p99_ttft_ms`: is `-37",
        ),
        (
            "vllm/plain.json",
            "\"request_rate\": \"inf\"",
            "\"request_rate\": -2",
            "`request_rate`: is `-2`",
        ),
        (
            "aiperf/profile_export.jsonl",
            "\"time_to_first_token\":{\"value\":119",
            "\"time_to_first_token\":{\"value\":-119",
            "`line 1: time_to_first_token`: is `-119",
        ),
        (
            "aiperf/profile_export.jsonl",
            "\"time_to_first_token\":{\"value\":119",
            "\"time_to_first_token\":{\"value\":99119",
            "`request 0`: has its first token after its end",
        ),
        (
            "aiperf/profile_export.jsonl",
            "\"request_latency\":{\"value\":1019.57301,\"unit\":\"ms\"",
            "\"request_latency\":{\"value\":1019.57301,\"unit\":\"fortnights\"",
            "`line 1: request_latency`: is `1019.57301`; give a time, zero or more, in s, ms, us or ns",
        ),
        (
            "sglang/run.jsonl",
            "\"output_lens\": [32, ",
            "\"output_lens\": [0, ",
            "`completed`: is `40`, but 39 of the 40 requests in its lists have an answer",
        ),
        (
            "sglang/run.jsonl",
            "\"output_lens\": [32, ",
            "\"output_lens\": [",
            "`output_lens`: has 39 entries, but `ttfts` has 40",
        ),
        (
            "sglang/run.jsonl",
            "\"itls\": [[0.02",
            "\"itls\": [[-0.02",
            "`itls[0][0]`: is `-0.02",
        ),
    ] {
        let error = refused(changed(name, from, to)).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_version_that_nobody_knows_is_named() {
    let newer = changed(
        "aiperf/profile_export_aiperf.json",
        "\"schema_version\": \"1.4\"",
        "\"schema_version\": \"2.0\"",
    );
    let error = refused(newer).to_string();
    assert!(
        error.contains("is of version `2.0` of its format; this perfgate reads 1.0 to 1.5, and files without one"),
        "{error}"
    );
}

#[test]
fn a_format_that_is_asked_for_and_is_not_the_files_is_told() {
    let options = |name: &str| Options {
        format: Some(name.into()),
        ..Options::default()
    };
    let error = import(&[data("vllm/plain.json")], &options("sglang"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is a result of `vllm bench serve`, not a result of SGLang's bench_serving as `--format` says"),
        "{error}"
    );
    let error = import(&[data("vllm/plain.json")], &options("wrk"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("`--format wrk` is none of `vllm-serve`, "), "{error}");
    assert!(import(&[data("vllm/plain.json")], &options("vllm-serve")).is_ok());
}

#[test]
fn pythons_own_numbers_are_read() {
    let nan = changed(
        "vllm/plain.json",
        "\"p99_ttft_ms\": 37.260179829841036",
        "\"p99_ttft_ms\": NaN",
    );
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    fs::write(&path, nan).unwrap();
    let found = session(&path);
    let p99 = super::figure(
        &found,
        0,
        perfgate::metric::Metric::Ttft(perfgate::metric::Percentile::P99),
    );
    assert_eq!(p99, Err("the imported file states no TTFT P99".to_owned()));
}

#[test]
fn figures_that_do_not_follow_from_their_samples_are_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    fs::write(
        &path,
        changed("vllm/detailed.json", "\"p99_ttft_ms\": 44.7", "\"p99_ttft_ms\": 24.7"),
    )
    .unwrap();
    let found = session(&path);
    let note = found.notes.iter().find(|note| note.contains("was the file changed?"));
    assert!(
        note.is_some_and(|note| note.contains("says 24.765 ms, and its samples make 44.765 ms")),
        "{:?}",
        found.notes
    );
    assert_eq!(session(&data("vllm/detailed.json")).notes, Vec::<String>::new());
}

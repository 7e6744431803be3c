//! The result of a gate as anybody's file: written and read without loss, and refused where it is no honest one
//! (T12, T13, T15).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use perfgate::{
    session::{Measured, PairArm, Profile, ProfileKind, Provenance},
    store::{self, ResultLimits},
};
use serde_json::{Value, json};

use crate::{made, schemas::assert_committed};

fn measured() -> Measured {
    let [old, new] = [1.0, 1.1].map(|by| made::session("a", 1_800_000_000, &[by, by * 1.01]));
    Measured {
        candidate: made::arm(new, "pair", PairArm::Candidate),
        baseline: Some(made::arm(old, "pair", PairArm::Baseline)),
        provenance: Provenance {
            repository: Some("owner/name".into()),
            run_id: Some(4711),
            run_attempt: Some(2),
            event: Some("pull_request".into()),
            head_sha: Some("a".repeat(40)),
            measured_sha: Some("b".repeat(40)),
            trusted_sha: Some("c".repeat(40)),
            config_sha256: Some("d".repeat(64)),
        },
        profiles: vec![Profile {
            kind: ProfileKind::Nsys,
            name: "r.sqlite".into(),
            sha256: "e".repeat(64),
            bytes: 12,
            commit: "a".repeat(40),
            commit_is_assumed: true,
        }],
    }
}

fn written(folder: &Path) -> (std::path::PathBuf, String) {
    let path = folder.join("result.json");
    store::write_measured(&path, &measured()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// What reading says of a text.
fn refusal(text: &[u8]) -> String {
    let limits = ResultLimits {
        bytes: 4 << 20,
        ..ResultLimits::default()
    };
    let read = store::read_measured_bytes(Path::new("result.json"), text, &limits).map(drop);
    let error = read.unwrap_err();
    let mut words = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        words = format!("{words}: {cause}");
    }
    words
}

#[test]
fn what_is_written_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    assert_eq!(store::read_measured(&path).unwrap(), measured());
    let alone = Measured {
        baseline: None,
        profiles: Vec::new(),
        provenance: Provenance::default(),
        ..measured()
    };
    store::write_measured(&path, &alone).unwrap();
    assert_eq!(store::read_measured(&path).unwrap(), alone);
}

#[test]
fn the_committed_schema_is_that_of_the_twin_and_fits_what_is_written() {
    assert_committed("schemas/result.schema.json", &store::result_schema());
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = written(folder.path());
    let schema: Value = serde_json::from_str(&store::result_schema()).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    jsonschema::validate(&schema, &file).unwrap();
}

#[test]
fn t15_an_edited_sample_does_not_fit_the_seal() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = written(folder.path());
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let request = &mut file["candidate"]["cells"][0]["runs"][0]["requests"][0];
    let end = request["end_ns"].as_u64().unwrap();
    request["end_ns"] = json!(end + 1);
    assert!(refusal(file.to_string().as_bytes()).contains("`seal`"));
    let edited = text
        .replace("\"run_id\": 4711", "\"run_id\": 4712")
        .replace("\"run_id\":4711", "\"run_id\":4712");
    assert!(edited != text);
    assert!(refusal(edited.as_bytes()).contains("`seal`"));
}

#[test]
fn t13_what_is_too_deep_too_long_or_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = written(folder.path());
    let in_front = |more: &str| text.replacen('{', &format!("{{{more},"), 1);
    let deep = "[".repeat(100_000);
    let inside = format!("\"x\": {}{}", "[".repeat(70), "]".repeat(70));
    for (bad, expected) in [
        (deep, "deep"),
        (in_front(&inside), "nests deeper than 64 levels"),
        (in_front("\"x\": 1e400"), "number out of range"),
        (in_front("\"x\": NaN"), "expected value"),
        (in_front("\"schema\": \"perfgate-llm/result/1\""), "`schema` twice"),
        (
            in_front(&format!("\"x\": \"{}\"", "y".repeat(5000))),
            "a text of 5000 bytes",
        ),
        (in_front("\"verdict\": \"pass\""), "unknown field `verdict`"),
        (
            text.replace("perfgate-llm/result/1", "perfgate-llm/result/2"),
            "newer perfgate",
        ),
        (text.replace("perfgate-llm/result/1", "other/result/1"), "`schema`"),
        (text.replace("\"repeats\":2", "\"repeats\":-2"), "repeats"),
        (text.replacen(&"a".repeat(40), "../../etc/passwd", 1), "hex digits"),
        (text[..text.len() / 2].to_owned(), "ends in the middle"),
        (String::new(), "empty"),
        ("\0\0\0".to_owned(), "JSON"),
    ] {
        let found = refusal(bad.as_bytes());
        assert!(found.contains(expected), "expected {expected:?}: {found}");
    }
}

#[test]
fn t13_equal_keys_deep_inside_are_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = written(folder.path());
    let twice = text.replacen("\"model\":", "\"model\":\"other\",\"model\":", 1);
    assert!(twice != text);
    assert!(
        refusal(twice.as_bytes()).contains("`model` twice"),
        "{}",
        refusal(twice.as_bytes())
    );
}

#[test]
fn t13_more_values_or_requests_than_the_limits_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let read = |limits: ResultLimits| store::read_measured_within(&path, &limits).unwrap_err().to_string();
    let values = ResultLimits {
        values: 100,
        ..ResultLimits::default()
    };
    assert!(read(values).contains("more than 100 values"));
    let records = ResultLimits {
        records: 799,
        ..ResultLimits::default()
    };
    assert!(read(records).contains("800 requests"));
    let fits = ResultLimits {
        records: 800,
        ..ResultLimits::default()
    };
    assert!(store::read_measured_within(&path, &fits).is_ok());
}

#[test]
fn t13_a_huge_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.json");
    fs::File::create(&path).unwrap().set_len(10_000_000_000).unwrap();
    let begun = Instant::now();
    let error = store::read_measured(&path).unwrap_err().to_string();
    assert!(error.contains("10000000000 bytes"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[cfg(unix)]
#[test]
fn t12_a_result_is_a_regular_file_with_one_name() {
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let socket = folder.path().join("socket.json");
    let _listener = UnixListener::bind(&socket).unwrap();
    let pipe = folder.path().join("pipe.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    for path in [link, socket, pipe]
        .iter()
        .filter(|path| path.symlink_metadata().is_ok())
    {
        let error = store::read_measured(path).unwrap_err().to_string();
        assert!(error.contains("no regular file of its own"), "{error}");
    }
    assert!(made.is_err() || made.unwrap().success());
    assert!(store::read_measured(folder.path()).is_err(), "a folder");
    fs::hard_link(&path, folder.path().join("second.json")).unwrap();
    let error = store::read_measured(&path).unwrap_err().to_string();
    assert!(error.contains("no regular file of its own"), "{error}");
}

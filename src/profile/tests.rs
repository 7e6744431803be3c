use std::fs;

use miniz_oxide::deflate::compress_to_vec;

use super::*;

const TRACE: &str = r#"{"schemaVersion": 1, "deviceProperties": [], "baseTimeNanoseconds": 1760000000000000000,
 "perfgate_commit": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
 "traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 5000000.25, "dur": 1}]}"#;

fn seen(name: &str, bytes: &[u8]) -> Result<Recognised, ProfileError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    recognise(&path)
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    // Flags: a name follows, as `gzip trace.json` writes it.
    let mut bytes = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    bytes.extend(b"trace.json\0");
    bytes.extend(compress_to_vec(text, 6));
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn a_trace_of_torch_is_known_packed_or_not() {
    for bytes in [TRACE.as_bytes().to_vec(), gzipped(TRACE.as_bytes())] {
        let found = seen("trace.json", &bytes).unwrap();
        assert_eq!(found.kind, ProfileKind::Torch);
        assert_eq!(found.commit, Some("a".repeat(40)));
        assert_eq!(found.recorded_unix_s, Some(1_760_000_005));
        assert_eq!(found.bytes, bytes.len() as u64);
    }
}

#[test]
fn a_large_packed_trace_is_read_at_both_ends() {
    let event = r#"{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 1, "dur": 1},"#;
    let text = format!(
        r#"{{"schemaVersion": 1, "traceEvents": [{}{{}}], "perfgate_commit": "{}"}}"#,
        event.repeat(100_000),
        "b".repeat(40)
    );
    let found = seen("trace.json.gz", &gzipped(text.as_bytes())).unwrap();
    assert_eq!(found.commit, Some("b".repeat(40)), "it stands at the end");
}

#[test]
fn files_of_nsight_are_known() {
    let sqlite = [
        b"SQLite format 3\0".as_slice(),
        &[0; 100],
        b"CREATE TABLE TARGET_INFO_GPU (id)",
    ]
    .concat();
    assert_eq!(seen("r.sqlite", &sqlite).unwrap().kind, ProfileKind::Nsys);
    assert_eq!(seen("r.ncu-rep", b"NVR\0\x10\0\0\0").unwrap().kind, ProfileKind::Ncu);
    assert_eq!(
        seen("r.nsys-rep", b"\x01\0\0QuadDCommon").unwrap().kind,
        ProfileKind::Nsys
    );
}

#[test]
fn what_is_no_profile_is_refused() {
    let own_sqlite = [b"SQLite format 3\0".as_slice(), b"CREATE TABLE users (id)"].concat();
    for (name, bytes) in [
        ("empty.json", b"".as_slice()),
        ("a.json", b"{}"),
        ("chrome.json", br#"{"traceEvents": [{"ph": "X", "name": "js"}]}"#),
        ("text.nsys-rep", b"QuadD, in a text"),
        ("r.sqlite", &own_sqlite),
        ("x.gz", &gzipped(b"hello")),
        (
            "broken.gz",
            &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff],
        ),
    ] {
        assert!(seen(name, bytes).is_err(), "{name}");
    }
}

#[test]
fn a_profile_that_is_cut_off_is_refused() {
    let packed = gzipped(TRACE.as_bytes());
    for bytes in [&TRACE.as_bytes()[..TRACE.len() - 1], &packed[..packed.len() / 2]] {
        assert!(matches!(seen("t.json", bytes), Err(ProfileError::CutOff { .. })));
    }
}

//! `perfgate selftest`, whatever this machine is worth: figures with their limits, kept for the next sessions.

use perfgate::store::{self, Stored};

use crate::command::{Sim, expect, perfgate};

#[test]
fn the_figures_are_told_with_their_limits_and_kept_for_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("kept.json");
    let output = perfgate(folder, &["selftest", "--quick", "--store", "--quiet"])
        .env("PERFGATE_SELFTEST", &file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code().unwrap();
    if text.starts_with("selftest: ") {
        assert_eq!(code, 4, "{text}");
        return;
    }
    for what in [
        "added TTFT, P50",
        "added TPOT, P50",
        "streams at a time",
        "requests on schedule",
    ] {
        assert!(text.contains(what), "{text}");
    }
    let said = if text.contains("\nok: ") { 0 } else { 4 };
    assert!(code == said && text.contains("ok: "), "{code}: {text}");

    let kept = store::read_selftest(&file).unwrap();
    // The kernel and the client add time, and take none away.
    assert!(
        kept.added.ttft_p50_ms > 0.0 && kept.added.ttft_p99_ms >= kept.added.ttft_p50_ms,
        "{kept:?}"
    );
    assert_eq!(kept.streams, 64);
    assert_eq!(kept.max_streams > 0, kept.tokens_per_s > 0.0);

    let sim = Sim::start(&[]);
    let run = [
        "run",
        "--url",
        &sim.url,
        "--concurrency",
        "1",
        "--requests",
        "4",
        "--repeat",
        "1",
        "--output-tokens",
        "2",
    ];
    let measured = |kept: &std::path::Path| {
        let output = perfgate(folder, &run).env("PERFGATE_SELFTEST", kept).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        match store::read(&folder.join("session.json")).unwrap() {
            Stored::Session(session) => (session.selftest, String::from_utf8(output.stdout).unwrap()),
            Stored::Baseline(_) => unreachable!("a run writes a session"),
        }
    };
    let (selftest, text) = measured(&file);
    assert_eq!(selftest, Some(kept.clone()));
    assert!(text.contains("Self-test of the client"), "{text}");
    // Another machine's figures say nothing of this one; what cannot be read is as good as none.
    let other = perfgate::session::SelfTest {
        cpu_cores: Some(4096),
        ..kept
    };
    store::write_selftest(&folder.join("other.json"), &other).unwrap();
    assert_eq!(measured(&folder.join("other.json")).0, None);
    std::fs::write(folder.join("broken.json"), "{").unwrap();
    assert_eq!(measured(&folder.join("broken.json")).0, None);
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = perfgate(folder.path(), &["selftest", "--quick", "--store", "--quiet"])
        .env("PERFGATE_SELFTEST", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is a directory"), "{said}");
    expect(folder.path(), 2, &["selftest", "--deep"]);
}

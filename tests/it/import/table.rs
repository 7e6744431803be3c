//! A table of requests through all verbs, by the line that `docs/import.md` gives.

use std::{fmt::Write as _, fs, path::Path};

use tempfile::TempDir;

use crate::command::expect;

/// 220 requests, four at once, whose times are this many times as long, a hair apart in each run.
fn table(path: &Path, run: u32, slower: f64) {
    let mut text = "when,ttft,total,n,status\n".to_owned();
    for index in 0..220 {
        let jitter = |index: u32| slower * (1.0 + f64::from((index * 7919 + run * 104_729) % 1000) / 10_000.0);
        let (ttft_ms, total_s) = (50.0 * jitter(index), 0.4 * jitter(index + 31));
        writeln!(text, "{},{ttft_ms},{total_s},32,", f64::from(index) * 0.1 * slower).unwrap();
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_table_is_imported_as_the_documentation_says_and_measures_shows_and_compares() {
    let folder = TempDir::new().unwrap();
    let columns =
        "--map ttft_ms=ttft --map e2e_s=total --map start_s=when --map output_tokens=n --map error=status --map";
    for (name, first, slower) in [("base", 0, 1.0), ("same", 10, 1.0), ("slow", 20, 2.5)] {
        let files: Vec<String> = (first..first + 5).map(|run| format!("{name}{run}.csv")).collect();
        for (run, file) in (first..).zip(&files) {
            table(&folder.path().join(file), run, slower);
        }
        let to = format!("{name}.json");
        let words = files.iter().map(String::as_str).chain(columns.split(' '));
        let args: Vec<&str> = ["import"]
            .into_iter()
            .chain(words)
            .chain(["concurrency=4", "-o", &to])
            .collect();
        let (text, _) = expect(folder.path(), 0, &args);
        assert!(
            text.starts_with("imported 5 runs of table (table @ c=4) into "),
            "{text}"
        );
    }
    let (text, _) = expect(folder.path(), 0, &["show", "base.json"]);
    assert!(
        text.contains("\n TTFT P95  ") && text.contains("TPOT P50, TPOT P95, TPOT P99: not measured"),
        "{text}"
    );
    let (text, _) = expect(folder.path(), 3, &["compare", "base.json", "same.json"]);
    let untold =
        "TPOT P95, table @ c=4: not measured on either side: request 0 completed, but it has no last-token stamp";
    assert!(
        text.contains(untold) && text.contains("✓ pass           Error rate"),
        "{text}"
    );
    let (text, _) = expect(folder.path(), 1, &["compare", "base.json", "slow.json"]);
    assert!(text.contains("regression"), "{text}");
}

//! For every file the figures are those of the table that the tool printed, to its printed digits.

use std::{fs, path::Path};

use perfgate::{
    metric::{
        Metric,
        Percentile::{self, P50, P95, P99},
    },
    session::{RequestRecord, Session},
};

use super::{data, figure, session};

/// The rows of a table as `(label, number as printed)`.
fn rows(table: &str) -> Vec<(String, String)> {
    let rows = table.lines().filter_map(|line| {
        let (label, number) = line.rsplit_once(':')?;
        Some((label.trim().to_owned(), number.trim().to_owned()))
    });
    rows.collect()
}

/// The metric that a label of a table of vLLM or SGLang means, if it is one of ours.
fn metric_of(label: &str) -> Option<Metric> {
    let rate = match label {
        "Request throughput (req/s)" => Some(Metric::Qps),
        "Output token throughput (tok/s)" => Some(Metric::OutputTokensPerS),
        "Successful requests" => Some(Metric::Completed),
        "Failed requests" => Some(Metric::Failed),
        _ => None,
    };
    rate.or_else(|| {
        let (which, family) = label.strip_suffix(" (ms)")?.split_once(' ')?;
        let percentile = match which {
            "Median" | "P50" => P50,
            "P95" => P95,
            "P99" => P99,
            _ => return None,
        };
        let family: fn(Percentile) -> Metric = match family {
            "TTFT" => Metric::Ttft,
            "TPOT" => Metric::Tpot,
            "ITL" => Metric::Itl,
            "E2EL" | "E2E Latency" => Metric::E2e,
            _ => return None,
        };
        Some(family(percentile))
    })
}

/// As a table prints it that has so many decimals.
fn printed(value: f64, like: &str) -> String {
    let decimals = like.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{value:.decimals$}")
}

/// Holds the first run against a table, and gives how many of its rows were held.
fn hold(session: &Session, table: &str) -> usize {
    let mut held = 0;
    for (label, number) in rows(table) {
        let Some(metric) = metric_of(&label) else { continue };
        let value = figure(session, 0, metric).unwrap_or_else(|why| unreachable!("{label}: {why}"));
        assert_eq!(printed(value, &number), number, "{label}");
        held += 1;
    }
    held
}

fn total(session: &Session, of: fn(&RequestRecord) -> Option<u32>) -> u64 {
    let run = &session.cells[0].runs[0];
    run.requests.iter().filter_map(of).map(u64::from).sum()
}

#[test]
fn vllms_own_table_is_that_of_its_file() {
    for (name, rows_held) in [("detailed", 20), ("plain", 20)] {
        let found = session(&data(&format!("vllm/{name}.json")));
        let table = fs::read_to_string(data(&format!("vllm/{name}.txt"))).unwrap();
        assert_eq!(hold(&found, &table), rows_held, "{name}");
    }
    let detailed = session(&data("vllm/detailed.json"));
    assert_eq!(total(&detailed, |record| record.input_tokens), 2681);
    assert_eq!(total(&detailed, |record| record.output_tokens), 1280);
    assert_eq!(detailed.commit.as_deref(), Some("deadbeef"));
    let plain = session(&data("vllm/plain.json"));
    let stated = plain.cells[0].runs[0].stated.as_ref().unwrap();
    assert_eq!((stated.input_tokens, stated.output_tokens), (Some(2680), Some(1280)));
}

#[test]
fn a_vllm_run_of_failures_has_no_figure_where_its_table_says_zero() {
    let found = session(&data("vllm/failed.json"));
    assert_eq!(figure(&found, 0, Metric::Failed), Ok(12.0));
    assert_eq!(figure(&found, 0, Metric::ErrorRate), Ok(1.0));
    for metric in [
        Metric::Ttft(P50),
        Metric::Qps,
        Metric::OutputTokensPerS,
        Metric::Itl(P99),
    ] {
        assert_eq!(
            figure(&found, 0, metric),
            Err("no request completed, 12 failed".to_owned()),
            "{metric}"
        );
    }
    let table = fs::read_to_string(data("vllm/failed.txt")).unwrap();
    for (label, metric) in [
        ("Successful requests", Metric::Completed),
        ("Failed requests", Metric::Failed),
    ] {
        let rows = rows(&table);
        let (_, number) = rows.iter().find(|(row, _)| row == label).unwrap();
        assert_eq!(
            figure(&found, 0, metric).map(|value| value.to_string()),
            Ok(number.clone())
        );
    }
    let failures = found.cells[0].runs[0].failures();
    assert_eq!(failures, [("http_400".to_owned(), 12, "Bad Request".to_owned())]);
}

#[test]
fn sglangs_own_table_is_that_of_its_file() {
    let found = session(&data("sglang/run.jsonl"));
    let table = fs::read_to_string(data("sglang/run.txt")).unwrap();
    assert_eq!(hold(&found, &table), 15);
    let stated = found.cells[0].runs[0].stated.as_ref().unwrap();
    assert_eq!((stated.input_tokens, stated.output_tokens), (Some(2560), Some(1280)));
    assert_eq!((stated.failed, stated.completed), (Some(0), Some(40)));
}

/// `label` → `avg`, `p99`, `p50` of a table of AIPerf's console.
fn console(text: &str) -> Vec<(String, [String; 3])> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('│')?.split('│').map(str::trim).collect();
        let &[label, avg, _, _, p99, _, p50, ..] = cells.as_slice() else {
            return None;
        };
        Some((label.to_owned(), [avg, p99, p50].map(|cell| cell.replace(',', ""))))
    });
    rows.collect()
}

fn hold_aiperf(found: &Session, run: usize, text: &str) -> usize {
    type Family = fn(Percentile) -> Metric;
    let latencies: [(&str, Family); 3] = [
        ("Time to First Token (ms)", Metric::Ttft),
        ("Inter Token Latency (ms)", Metric::Tpot),
        ("Request Latency (ms)", Metric::E2e),
    ];
    let rates = [
        ("Request Throughput (requests/sec)", Metric::Qps),
        ("Output Token Throughput (tokens/sec)", Metric::OutputTokensPerS),
        ("Request Count (requests)", Metric::Completed),
    ];
    let mut held = 0;
    for (label, [avg, p99, p50]) in console(text) {
        let mut is = |metric: Metric, number: &str| {
            let value = figure(found, run, metric).unwrap_or_else(|why| unreachable!("{label}: {why}"));
            assert_eq!(printed(value, number), *number, "{label} {metric}");
            held += 1;
        };
        if let Some((_, family)) = latencies.iter().find(|(known, _)| *known == label) {
            is(family(P50), &p50);
            is(family(P99), &p99);
        }
        if let Some((_, metric)) = rates.iter().find(|(known, _)| *known == label) {
            is(*metric, &avg);
        }
    }
    held
}

#[test]
fn aiperfs_console_is_that_of_its_files() {
    let text = fs::read_to_string(data("aiperf/profile_export_console.txt")).unwrap();
    let folder = session(&data("aiperf"));
    assert_eq!(hold_aiperf(&folder, 0, &text), 9);
    assert_eq!(folder.cells[0].runs[0].requests.len(), 40);
    let summary = session(&data("aiperf/profile_export_aiperf.json"));
    assert_eq!(hold_aiperf(&summary, 0, &text), 9);
    assert!(summary.cells[0].runs[0].is_only_stated());
    // What the records make and what the summary states is the same.
    for metric in Metric::ALL {
        let [made, told] = [&folder, &summary].map(|session| figure(session, 0, metric));
        match (made, told) {
            (Ok(made), Ok(told)) => assert!((made - told).abs() <= 1e-6 * told.abs(), "{metric}: {made} and {told}"),
            (Err(_), Err(_)) => {}
            other => unreachable!("{metric}: {other:?}"),
        }
    }
}

#[test]
fn aiperfs_records_alone_make_the_latencies_of_its_console() {
    let text = fs::read_to_string(data("aiperf/profile_export_console.txt")).unwrap();
    let records = session(&data("aiperf/profile_export.jsonl"));
    let mut held = 0;
    for (label, [_, p99, p50]) in console(&text) {
        let family: fn(Percentile) -> Metric = match label.as_str() {
            "Time to First Token (ms)" => Metric::Ttft,
            "Inter Token Latency (ms)" => Metric::Tpot,
            "Request Latency (ms)" => Metric::E2e,
            _ => continue,
        };
        for (percentile, number) in [(P50, p50), (P99, p99)] {
            let value = figure(&records, 0, family(percentile)).unwrap();
            assert_eq!(printed(value, &number), number, "{label} {percentile:?}");
            held += 1;
        }
    }
    assert_eq!(held, 6);
}

#[test]
fn aiperfs_runs_are_runs_and_its_means_are_none() {
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/results/aiperf-0.13.0/run6-multirun3/artifacts");
    if !shared.is_dir() {
        eprintln!("left out: there is no {}", shared.display());
        return;
    }
    let found = session(&shared);
    assert_eq!((found.cells.len(), found.cells[0].runs.len()), (1, 3));
    for run in 0..3 {
        let console = shared.join(format!("profile_runs/run_000{}/profile_export_console.txt", run + 1));
        assert_eq!(hold_aiperf(&found, run, &fs::read_to_string(console).unwrap()), 9);
    }
    let alone = super::imported(&[shared.join("aggregate")]).unwrap_err().to_string();
    assert!(alone.contains("holds means over several runs"), "{alone}");
}

#[test]
fn what_the_tools_wrote_is_still_what_was_copied() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/results");
    if !shared.is_dir() {
        eprintln!("left out: there is no {}", shared.display());
        return;
    }
    for (copy, original) in [
        ("vllm/detailed.json", "vllm-bench-0.32.0/run1/result.json"),
        ("vllm/detailed.txt", "vllm-bench-0.32.0/run1/stdout.txt"),
        (
            "vllm/plain.json",
            "vllm-bench-0.32.0/run5-nodetail-defaultname/openai-chat-infqps-concurrency4-tiny-20261121-224516.json",
        ),
        (
            "vllm/plain.txt",
            "vllm-bench-0.32.0/run5-nodetail-defaultname/stdout.txt",
        ),
        ("vllm/failed.txt", "vllm-bench-0.32.0/run7-all-failed/stdout.txt"),
        ("sglang/run.txt", "sglang-bench-0.5.23/run1/stdout.txt"),
        (
            "aiperf/profile_export_aiperf.json",
            "aiperf-0.13.0/run1/artifacts/profile_export_aiperf.json",
        ),
        (
            "aiperf/profile_export_console.txt",
            "aiperf-0.13.0/run1/artifacts/profile_export_console.txt",
        ),
        (
            "../mlperf/server/mlperf_log_detail.txt",
            "../mlperf/server/mlperf_log_detail.txt",
        ),
        (
            "../mlperf/server/mlperf_log_summary.txt",
            "../mlperf/server/mlperf_log_summary.txt",
        ),
        (
            "../mlperf/server_bad/mlperf_log_detail.txt",
            "../mlperf/server_bad/mlperf_log_detail.txt",
        ),
        (
            "../mlperf/server_bad/mlperf_log_summary.txt",
            "../mlperf/server_bad/mlperf_log_summary.txt",
        ),
        (
            "../mlperf/offline/mlperf_log_detail.txt",
            "../mlperf/offline/mlperf_log_detail.txt",
        ),
        (
            "../mlperf/offline/mlperf_log_summary.txt",
            "../mlperf/offline/mlperf_log_summary.txt",
        ),
        ("vllm/failed.json", "vllm-bench-0.32.0/run7-all-failed/result.json"),
        ("sglang/run.jsonl", "sglang-bench-0.5.23/run1/result.jsonl"),
        (
            "aiperf/profile_export.jsonl",
            "aiperf-0.13.0/run1/artifacts/profile_export.jsonl",
        ),
    ] {
        let [copied, whole] = [data(copy), shared.join(original)].map(|path| fs::read_to_string(path).unwrap());
        // Of what a tool printed, the table alone is kept.
        let is_table = original.ends_with("stdout.txt");
        let same = copied == whole || (is_table && whole.contains(copied.trim()));
        assert!(same, "{copy}");
    }
}

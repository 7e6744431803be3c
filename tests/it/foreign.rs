//! Results of more tools than `import` has: each file against the table that its tool printed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test helpers; a test whose data is not there says so"
)]

mod guidellm;
mod made;
mod untold;

use std::{
    fs,
    path::{Path, PathBuf},
};

use perfgate::{
    import::{Imported, Options},
    measure::measure,
    metric::{
        Metric,
        Percentile::{self, P50, P95, P99},
    },
    plan::{Arrivals, Load},
    session::{RequestRecord, Session},
};
use serde_json::Value;

use crate::import::import;

/// Results of real tools, where `shared` lies beside this repository.
fn results(tool: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/results")
        .join(tool);
    if !folder.is_dir() {
        println!("skipped: no `{}` here", folder.display());
        return None;
    }
    Some(folder)
}

fn read(path: &Path) -> Imported {
    import(&[path.to_owned()], &Options::default()).unwrap()
}

/// The figure of the first run of a cell.
fn figure(imported: &Imported, cell: usize, metric: Metric) -> f64 {
    let measured = measure(&imported.session);
    measured.cells[cell].series[&metric][0].as_ref().unwrap().value
}

/// Numbers of the table row that begins with a word, of the table under a title.
fn row(text: &str, title: &str, begins: &str) -> Vec<f64> {
    let table = text.split(title).nth(1).unwrap();
    let is_row = |line: &&str| line.trim_matches(['│', '|', ' ']).starts_with(begins) && !line.contains('┃');
    let line = table.lines().find(is_row).unwrap();
    let cells = line.split(['│', '|']).skip(2);
    let number = |cell: &str| {
        let first = cell.split_whitespace().next()?;
        first.trim_end_matches(['*', '%']).parse().ok()
    };
    cells.filter_map(number).collect()
}

/// As printed with one decimal.
fn prints(value: f64, printed: f64, what: &str) {
    assert!(
        (value - printed).abs() <= 0.05 + 1e-9,
        "{what}: {value} is printed as {printed}"
    );
}

fn close(value: f64, expected: f64, what: &str) {
    assert!(
        (value - expected).abs() <= 1e-6 * expected.abs().max(1.0),
        "{what}: {value}, not {expected}"
    );
}

#[test]
fn inference_perf_is_imported_as_its_tables_say() {
    let Some(folder) = results("inference-perf-0.7.0") else {
        return;
    };
    let runs = [
        ("run1", vec![Load::Concurrency(4)]),
        (
            "run5-rate3-8-2stages-prometheus-unreachable",
            [3.0, 8.0]
                .map(|rate_rps| Load::Rate {
                    rate_rps,
                    arrivals: Arrivals::Poisson,
                })
                .into(),
        ),
    ];
    for (run, loads) in runs {
        let folder = folder.join(run);
        let imported = read(&folder.join("reports"));
        let printed = fs::read_to_string(folder.join("stdout.txt")).unwrap();
        assert_eq!(imported.session.environment.model.as_deref(), Some("tiny"));
        let own: Vec<Load> = imported.session.cells.iter().map(|cell| cell.load.clone()).collect();
        assert_eq!(own, loads);
        for stage in 0..loads.len() {
            let of = |metric| figure(&imported, stage, metric);
            let name = stage.to_string();
            let rates = row(&printed, "Throughput and Goodput Summary", &name);
            prints(of(Metric::ErrorRate) * 100.0, rates[2], "errors");
            prints(of(Metric::Qps), rates[3], "requests/s");
            prints(of(Metric::OutputTokensPerS), rates[5], "tokens/s");
            let latencies = row(&printed, "Request & Token Latency (ms)", &name);
            prints(of(Metric::E2e(P50)), latencies[1], "E2E");
            prints(of(Metric::Ttft(P50)), latencies[4], "TTFT");
            prints(of(Metric::Itl(P50)), latencies[7], "ITL");
            prints(
                of(Metric::Tpot(P50)),
                row(&printed, "Token Generation Speed (ms)", &name)[1],
                "TPOT",
            );
            let file = folder.join(format!("reports/stage_{stage}_lifecycle_metrics.json"));
            let told: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            let told = &told["successes"]["latency"];
            for (key, family) in [
                ("time_to_first_token", Metric::Ttft as fn(_) -> _),
                ("time_per_output_token", Metric::Tpot),
                ("request_latency", Metric::E2e),
                ("inter_token_latency", Metric::Itl),
            ] {
                for (percentile, name) in [(P50, "median"), (P95, "p95"), (P99, "p99")] {
                    close(
                        of(family(percentile)),
                        told[key][name].as_f64().unwrap() * 1e3,
                        &format!("{key} {name}"),
                    );
                }
            }
            let successes = row(&printed, "Request Error Summary", &name)[0];
            close(of(Metric::Completed), successes, "successes");
            let requests = imported.session.cells[stage].runs[0].requests.len();
            assert_eq!(requests, if loads.len() == 1 { 40 } else { [24, 64][stage] });
        }
        let mismatch = imported
            .session
            .notes
            .iter()
            .any(|note| note.contains("`use_server_output_tokens: true` ends it"));
        assert!(mismatch, "{:?}", imported.session.notes);
    }
}

#[test]
fn a_stage_of_inference_perf_without_requests_has_what_it_states() {
    let Some(folder) = results("inference-perf-0.7.0") else {
        return;
    };
    let reports = folder.join("run1/reports");
    let alone = read(&reports.join("stage_0_lifecycle_metrics.json"));
    let whole = read(&reports);
    assert!(alone.session.cells[0].runs[0].requests.is_empty());
    for metric in [
        Metric::Ttft(P95),
        Metric::Tpot(P99),
        Metric::E2e(P50),
        Metric::Itl(P99),
        Metric::Qps,
        Metric::OutputTokensPerS,
    ] {
        close(figure(&alone, 0, metric), figure(&whole, 0, metric), metric.key());
    }
    let told = import(&[reports.join("summary_lifecycle_metrics.json")], &Options::default()).unwrap_err();
    assert!(told.to_string().contains("it does not tell the load"), "{told}");
}

/// The value at ⌈n · p⌉, as GuideLLM has it.
fn at_rank(mut ms: Vec<f64>, percentile: Percentile) -> f64 {
    ms.sort_by(f64::total_cmp);
    let rank = (ms.len() * percentile.percent() as usize).div_ceil(100);
    ms[rank.max(1) - 1]
}

fn ms(from: u64, to: u64) -> f64 {
    std::time::Duration::from_nanos(to - from).as_secs_f64() * 1e3
}

/// E2E and TTFT.
fn nearest_rank(session: &Session, percentile: Percentile) -> [f64; 2] {
    let requests = &session.cells[0].runs[0].requests;
    let e2e = requests
        .iter()
        .map(|record| ms(record.sent_ns, record.end_ns))
        .collect();
    let ttft = requests
        .iter()
        .map(|record| ms(record.sent_ns, record.first_token_ns.unwrap()));
    [at_rank(e2e, percentile), at_rank(ttft.collect(), percentile)]
}

fn nearest_rank_of_tokens(session: &Session, percentile: Percentile) -> f64 {
    let requests = &session.cells[0].runs[0].requests;
    let each = requests.iter().flat_map(|record| {
        let later = record.output_tokens.unwrap() - 1;
        let tpot = ms(record.first_token_ns.unwrap(), record.last_token_ns.unwrap()) / f64::from(later);
        std::iter::repeat_n(tpot, later as usize)
    });
    at_rank(each.collect(), percentile)
}

#[test]
fn guidellm_is_imported_as_its_tables_say() {
    let Some(folder) = results("guidellm-0.8.1") else {
        return;
    };
    let imported = read(&folder.join("run1"));
    let printed = fs::read_to_string(folder.join("run1/stdout.txt")).unwrap();
    let session = &imported.session;
    assert_eq!(
        (session.tool_version.as_str(), session.started_unix_s),
        ("guidellm 0.8.1", 1_795_301_430)
    );
    assert_eq!(session.cells[0].load, Load::Concurrency(4));
    assert_eq!(session.plan.target.url, "http://127.0.0.1:8100");
    let of = |metric| figure(&imported, 0, metric);
    assert_eq!(session.definitions, "guidellm-records/1");
    let latencies = row(&printed, "Request Latency Statistics", "concurrent@4");
    let [e2e, ttft, tpot] = [1, 4, 10].map(|at| &latencies[at..at + 2]);
    for (at, percentile) in [P50, P95].into_iter().enumerate() {
        // What is printed is by nearest rank, and TPOT of each token: the requests make both, and ours of them lies near.
        let (ms, tokens) = (
            nearest_rank(session, percentile),
            nearest_rank_of_tokens(session, percentile),
        );
        prints(ms[0] / 1e3, e2e[at], "E2E");
        prints(ms[1], ttft[at], "TTFT");
        prints(tokens, tpot[at], "TPOT");
        assert!((of(Metric::Tpot(percentile)) / tokens - 1.0).abs() < 0.25);
    }
    let rates = row(&printed, "Server Throughput Statistics", "concurrent@4");
    prints(of(Metric::Qps), rates[2], "requests/s");
    prints(of(Metric::OutputTokensPerS), rates[4], "tokens/s");
    let counts = row(&printed, "Run Summary Info", "concurrent@4");
    // Start and end are no numbers, so that the columns begin with the duration.
    close(of(Metric::Completed), counts[3], "completed");
    close(of(Metric::Failed), counts[5], "errors");
    let run = &session.cells[0].runs[0];
    let sum = |of: fn(&RequestRecord) -> Option<u32>| run.requests.iter().filter_map(of).map(f64::from).sum::<f64>();
    close(sum(|record| record.input_tokens), counts[6], "input tokens");
    close(sum(|record| record.output_tokens), counts[9], "output tokens");
}

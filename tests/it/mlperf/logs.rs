//! Logs of `LoadGen` as sessions, and a submission beside a session.
#![expect(clippy::indexing_slicing, reason = "test helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use perfgate::{
    import::Options,
    measure::{Measurements, measure},
    metric::{Metric, Percentile},
    plan::{Arrivals, Load},
    session::Session,
};

use crate::{command::expect, import::import};

fn data(run: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/mlperf")
        .join(run)
}

fn read(run: &str) -> Session {
    import(&[data(run)], &Options::default()).unwrap().session
}

/// The value of a line of a summary.
fn printed(summary: &str, name: &str) -> Option<String> {
    let line = summary
        .lines()
        .find(|line| line.trim_start().starts_with(name) && line.contains(':'))?;
    Some(line.rsplit(':').next()?.trim().to_owned())
}

fn figure(measured: &Measurements, metric: Metric) -> Option<f64> {
    let series = measured.cells[0].series.get(&metric)?;
    series[0].as_ref().ok().map(|sample| sample.value)
}

#[test]
fn every_figure_is_the_one_that_the_summary_prints() {
    for (run, rates) in [
        (
            "server",
            [
                ("Completed samples per second", Metric::Qps, 2),
                ("Completed tokens per second", Metric::OutputTokensPerS, 2),
            ],
        ),
        (
            "server_bad",
            [
                ("Completed samples per second", Metric::Qps, 2),
                ("Completed tokens per second", Metric::OutputTokensPerS, 2),
            ],
        ),
        (
            "interactive",
            [
                ("Completed samples per second", Metric::Qps, 2),
                ("Completed tokens per second", Metric::OutputTokensPerS, 2),
            ],
        ),
        (
            "single_stream",
            [
                ("QPS w/ loadgen overhead", Metric::Qps, 2),
                ("TPS w/ loadgen overhead", Metric::OutputTokensPerS, 2),
            ],
        ),
        (
            "offline",
            [
                ("Samples per second", Metric::Qps, 4),
                ("Tokens per second", Metric::OutputTokensPerS, 2),
            ],
        ),
    ] {
        let summary = fs::read_to_string(data(run).join("mlperf_log_summary.txt")).unwrap();
        let measured = measure(&read(run));
        for (name, metric, decimals) in rates {
            let value = figure(&measured, metric).unwrap();
            assert_eq!(
                Some(format!("{value:.decimals$}")),
                printed(&summary, name),
                "{run}: {name}"
            );
        }
        let mut compared = 0;
        for percentile in Percentile::ALL {
            let percent = percentile.percent();
            for (name, metric) in [
                (format!("{percent}.00 percentile latency (ns)"), Metric::E2e(percentile)),
                (
                    format!("{percent}.00 percentile first token latency (ns)"),
                    Metric::Ttft(percentile),
                ),
                (
                    format!("{percent}.00 percentile time to output token (ns)"),
                    Metric::Tpot(percentile),
                ),
            ] {
                let ns = figure(&measured, metric).map(|ms| format!("{:.0}", ms * 1e6));
                assert_eq!(ns, printed(&summary, &name), "{run}: {name}");
                compared += usize::from(ns.is_some());
            }
        }
        assert_eq!(compared, if run == "offline" { 3 } else { 9 }, "{run}");
        let valid = printed(&summary, "Result is").unwrap();
        let told = read(run).notes.join("\n");
        assert!(told.contains(&format!("LoadGen calls it {valid} as")), "{run}: {told}");
    }
}

#[test]
fn load_limits_counts_and_the_reasons_of_loadgen_are_kept() {
    let bad = read("server_bad");
    assert_eq!(
        bad.cells[0].load,
        Load::Rate {
            rate_rps: 20.0,
            arrivals: Arrivals::Poisson
        }
    );
    assert_eq!(
        (bad.plan.slo.ttft_ms, bad.plan.slo.tpot_ms),
        (Some(2000.0), Some(200.0))
    );
    assert_eq!(
        (bad.definitions.as_str(), bad.tool_version.as_str()),
        ("mlperf-loadgen/1", "LoadGen 6.0.17")
    );
    // 2026-11-21T22:26:05Z
    assert_eq!(bad.started_unix_s, 1_795_299_965);
    let told = bad.notes.join("\n");
    for part in [
        "LoadGen calls the run INVALID: early stopping is not satisfied; Run unsuccessful. Processed 1024 queries. Would need to run at \
         least 850 more queries",
        "asked to last 30 s, where MLPerf's rules want 600",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let measured = measure(&bad);
    assert_eq!(figure(&measured, Metric::Completed), Some(1024.0));
    assert_eq!(
        figure(&measured, Metric::TtftFromSchedule(Percentile::P99)),
        figure(&measured, Metric::Ttft(Percentile::P99))
    );
    let offline = read("offline");
    assert_eq!(offline.cells[0].load, Load::Concurrency(2048), "all samples at once");
    assert!(offline.plan.slo.is_empty(), "Offline promises nothing");
}

#[test]
fn interactive_is_known_by_its_limits_and_single_stream_by_its_name() {
    let (interactive, single) = (read("interactive"), read("single_stream"));
    // LoadGen itself calls Interactive `Server`.
    let told = interactive.notes.join("\n");
    assert!(told.contains("LoadGen calls it VALID as mlperf-interactive"), "{told}");
    assert_eq!(
        (interactive.plan.slo.ttft_ms, interactive.plan.slo.tpot_ms),
        (Some(450.0), Some(40.0))
    );
    let rate = Load::Rate {
        rate_rps: 40.0,
        arrivals: Arrivals::Poisson,
    };
    assert_eq!(interactive.plan.loads, [rate]);
    assert_eq!(single.plan.loads, [Load::Concurrency(1)]);
    assert!(single.plan.slo.is_empty(), "it promises nothing");
    let measured = measure(&single);
    assert_eq!(figure(&measured, Metric::Completed), Some(90.0));
    assert_eq!(figure(&measured, Metric::TtftFromSchedule(Percentile::P50)), None);
}

/// A folder with one log, changed.
fn changed(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(data("server").join("mlperf_log_detail.txt")).unwrap();
    fs::write(folder.path().join("mlperf_log_detail.txt"), change(&text)).unwrap();
    folder
}

#[test]
fn logs_that_hold_no_result_are_refused_with_the_reason() {
    let refused = |folder: &Path| {
        import(&[folder.to_owned()], &Options::default())
            .unwrap_err()
            .to_string()
    };
    let drop = |key: &'static str| {
        move |text: &str| {
            let lines = text
                .lines()
                .filter(|line| !line.contains(&format!("\"key\": \"{key}\"")));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    let error = ":::MLLOG {\"key\": \"error_runtime\", \"value\": \"attempted to record 0 as number of tokens\", \"metadata\": \
                 {\"is_error\": true}}\n";
    for (folder, needle) in [
        (changed(drop("result_validity")), "the run did not come to its end"),
        (changed(|text| text[..20_000].to_owned()), "ends in the middle, at line"),
        (
            changed(|text| text.replace("\"PerformanceOnly\"", "\"AccuracyOnly\"")),
            "it is a run of `AccuracyOnly`",
        ),
        (
            changed(|text| text.replace("\"Server\"", "\"MultiStream\"")),
            "`MultiStream`; perfgate reads Server",
        ),
        (
            changed(|text| format!("{error}{text}")),
            "LoadGen stumbled over a query",
        ),
        (
            changed(|text| {
                text.replace(
                    "\"result_query_count\", \"value\": 1024",
                    "\"result_query_count\", \"value\": 0",
                )
            }),
            "no count of samples above zero",
        ),
        (
            changed(|text| text.replace("\"value\": 617.163", "\"value\": -1")),
            "`result_completed_tokens_per_second`: is `-1`",
        ),
    ] {
        let told = refused(folder.path());
        assert!(told.contains(needle), "{needle}: {told}");
    }
    let alone = tempfile::tempdir().unwrap();
    let summary = alone.path().join("mlperf_log_summary.txt");
    fs::copy(data("server").join("mlperf_log_summary.txt"), &summary).unwrap();
    let told = refused(alone.path());
    assert!(
        told.contains("it is the summary alone; give the `mlperf_log_detail.txt`"),
        "{told}"
    );
    fs::copy(
        data("offline").join("mlperf_log_detail.txt"),
        alone.path().join("mlperf_log_detail.txt"),
    )
    .unwrap();
    let told = refused(alone.path());
    assert!(told.contains("they are of two runs"), "{told}");
    fs::remove_file(summary).unwrap();
    assert!(
        import(&[alone.path().to_owned()], &Options::default()).is_ok(),
        "the detail log needs no summary"
    );
}

/// A submission of two scenarios, as `MLCommons` has them laid out.
fn submission() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("closed/Acme");
    fs::create_dir_all(root.join("systems")).unwrap();
    let system = r#"{"system_name": "Acme Box", "number_of_nodes": "1", "accelerators_per_node": 8,
        "accelerator_model_name": "NVIDIA H100-SXM-80GB", "accelerator_memory_capacity": "80 GB",
        "host_processor_model_name": "EPYC", "framework": "vLLM 0.10.0, CUDA 12.9", "operating_system": "RHEL 9.6",
        "other_software_stack": {"driver": "575.57"}}"#;
    fs::write(root.join("systems/box.json"), system).unwrap();
    for (scenario, run) in [("Server", "server"), ("Offline", "offline")] {
        let result = root.join("results/box/llama2-70b-99").join(scenario);
        let logs = result.join("performance/run_1");
        fs::create_dir_all(&logs).unwrap();
        for name in ["mlperf_log_detail.txt", "mlperf_log_summary.txt"] {
            fs::copy(data(run).join(name), logs.join(name)).unwrap();
        }
        fs::write(result.join("measurements.json"), r#"{"weight_data_types": "fp8"}"#).unwrap();
        // An accuracy run lies beside it, and is not shown.
        fs::create_dir_all(result.join("accuracy")).unwrap();
        fs::write(result.join("accuracy/mlperf_log_detail.txt"), "cut").unwrap();
    }
    folder
}

#[test]
fn a_submissions_system_goes_into_the_environment_of_its_session() {
    let folder = submission();
    let run = folder
        .path()
        .join("closed/Acme/results/box/llama2-70b-99/Server/performance/run_1");
    let session = import(&[run], &Options::default()).unwrap().session;
    let environment = &session.environment;
    assert_eq!(environment.gpus, vec!["NVIDIA H100-SXM-80GB".to_owned(); 8]);
    assert_eq!(
        (
            environment.engine_name.as_deref(),
            environment.engine_version.as_deref()
        ),
        (Some("vLLM"), Some("0.10.0"))
    );
    assert_eq!(environment.model.as_deref(), Some("llama2-70b-99"));
    assert_eq!(environment.os.as_deref(), Some("RHEL 9.6"));
}

#[test]
fn a_submission_is_shown_with_a_session_beside_it_per_accelerator() {
    let folder = submission();
    let session = data("server");
    let (text, _) = expect(
        folder.path(),
        0,
        &[
            "mlperf",
            "show",
            ".",
            "--session",
            session.to_str().unwrap(),
            "--gpus",
            "4",
        ],
    );
    for part in [
        "Acme Box (Acme, closed)",
        "Accelerators: 8 × NVIDIA H100-SXM-80GB, 80 GB each",
        "Stack: vLLM 0.10.0, CUDA 12.9",
        "Other software: driver 575.57",
        "Weights: fp8",
        "llama2-70b-99 Server",
        "llama2-70b-99 Offline",
        "VALID",
        "617.2 tokens/s",
        "77.15 tokens/s",
        // The session is the same log on half as many GPUs.
        "154.3 tokens/s per GPU, 200.0 % of the submission's per accelerator",
        "is no MLPerf result",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let bad = data("server_bad");
    let bare = &["mlperf", "show", bad.to_str().unwrap()];
    let (text, _) = expect(folder.path(), 0, bare);
    assert!(text.contains("INVALID") && text.contains("850 more queries"), "{text}");
}

#[test]
fn a_session_that_keeps_no_limit_has_no_figure_and_a_folder_without_logs_is_refused() {
    let folder = submission();
    let detail = folder
        .path()
        .join("closed/Acme/results/box/llama2-70b-99/Server/performance/run_1/mlperf_log_detail.txt");
    let tight = fs::read_to_string(&detail).unwrap().replace(
        "\"requested_server_ttft_latency\", \"value\": 2000000000",
        "\"requested_server_ttft_latency\", \"value\": 130000000",
    );
    fs::write(&detail, tight).unwrap();
    let session = data("server");
    let (text, _) = expect(
        folder.path(),
        0,
        &["mlperf", "show", ".", "--session", session.to_str().unwrap()],
    );
    assert!(
        text.contains("no cell keeps P99 TTFT ≤ 130 ms and P99 TPOT ≤ 200 ms"),
        "{text}"
    );
    assert!(text.contains("of an unknown number of GPUs (give `--gpus`)"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let (_, told) = expect(empty.path(), 2, &["mlperf", "show", "."]);
    assert!(
        told.contains("there is no `mlperf_log_detail.txt` of a performance run below it"),
        "{told}"
    );
    let (_, told) = expect(empty.path(), 2, &["mlperf", "show", "nowhere"]);
    assert!(told.contains("nowhere"), "{told}");
}

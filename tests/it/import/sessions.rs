//! Several files, and folders of them, as the runs of one session.

use std::{fs, path::Path};

use perfgate::{
    import::ImportError,
    metric::{Metric, Percentile::P50},
    plan::{Arrivals, Load},
    session::Warmup,
};
use tempfile::TempDir;

use super::{data, figure, imported, session};

/// Writes a result of vLLM with other numbers.
fn write(path: &Path, name: &str, changes: &[(&str, &str)]) {
    let mut text = fs::read_to_string(data(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const OTHER: (&str, &str) = ("\"median_ttft_ms\": 28.4", "\"median_ttft_ms\": 29.4");
const P50_OTHER: (&str, &str) = ("\"p50_ttft_ms\": 28.4", "\"p50_ttft_ms\": 29.4");

#[test]
fn a_folder_becomes_runs_and_its_load_levels_cells() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(
        &at("a/run=10.json"),
        "vllm/plain.json",
        &[("\"request_throughput\": 19.7", "\"request_throughput\": 10.7")],
    );
    write(&at("a/run=2.json"), "vllm/plain.json", &[OTHER, P50_OTHER]);
    write(
        &at("b/run=0.json"),
        "vllm/plain.json",
        &[("\"max_concurrency\": 4", "\"max_concurrency\": 8")],
    );
    fs::write(at("notes.txt"), "nothing").unwrap();
    let found = imported(&[folder.path().to_owned()]).unwrap();
    assert_eq!(found.told.len(), 1);
    assert!(found.told[0].starts_with("1 other file of "), "{:?}", found.told);
    let cells: Vec<(&str, usize)> = found
        .session
        .cells
        .iter()
        .map(|cell| (cell.name.as_str(), cell.runs.len()))
        .collect();
    assert_eq!(cells, [("vllm-bench @ c=4", 2), ("vllm-bench @ c=8", 1)]);
    assert!(
        (figure(&found.session, 0, Metric::Ttft(P50)).unwrap() - 29.404).abs() < 0.001,
        "run=2 comes before run=10"
    );
}

#[test]
fn files_of_other_models_tools_or_arms_are_no_one_measurement() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("one.json"), "vllm/plain.json", &[]);
    for (changes, what) in [
        (
            &[("\"model_id\": \"tiny\"", "\"model_id\": \"large\"")][..],
            "the model is `tiny`",
        ),
        (
            &[("\"backend\": \"openai-chat\"", "\"backend\": \"openai\"")],
            "the API is chat",
        ),
        (
            &[("\"num_prompts\": 40", "\"num_prompts\": 41"), OTHER],
            "`num_prompts` is `40`",
        ),
        (
            &[
                ("\"request_rate\": ", "\"arm\": \"candidate\", \"request_rate\": "),
                OTHER,
            ],
            "`arm` is not stated",
        ),
    ] {
        write(&at("other.json"), "vllm/plain.json", changes);
        let error = imported(&[at("one.json"), at("other.json")]).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let error = imported(&[at("one.json"), data("sglang/run.jsonl")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("the tool is vllm-serve/1"), "{error}");
}

#[test]
fn one_run_is_not_taken_for_two() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy.json");
    fs::copy(data("vllm/detailed.json"), &copy).unwrap();
    let twice = imported(&[data("vllm/detailed.json"), copy]);
    assert!(matches!(twice, Err(ImportError::Twice { .. })), "{twice:?}");
}

#[test]
fn a_folder_or_a_file_of_it_that_is_given_twice_is_refused() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a/run.json"), "vllm/plain.json", &[]);
    write(&at("a/failed/run.json"), "vllm/failed.json", &[]);
    fs::create_dir(at("b")).unwrap();
    for name in ["profile_export_aiperf.json", "profile_export.jsonl"] {
        fs::copy(data("aiperf").join(name), at("b").join(name)).unwrap();
    }
    for [one, other] in [
        ["b", "b"],
        ["b", "b/../b"],
        ["b", "b/profile_export.jsonl"],
        ["a", "a/failed"],
        ["a/failed/run.json", "a/failed/run.json"],
    ] {
        let twice = imported(&[at(one), at(other)]).map(|_| "an import");
        let told = twice.unwrap_err().to_string();
        assert!(
            told.ends_with("are the same file; give each once"),
            "{one} {other}: {told}"
        );
    }
}

#[test]
fn results_that_were_appended_are_a_run_each() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    write(&path, "vllm/plain.json", &[OTHER, P50_OTHER]);
    let first = fs::read_to_string(data("vllm/plain.json")).unwrap();
    let second = fs::read_to_string(&path).unwrap();
    for between in ["\n", "", " \n\n"] {
        fs::write(&path, format!("{}{between}{}", first.trim(), second.trim())).unwrap();
        let found = session(&path);
        assert_eq!(found.cells[0].runs.len(), 2);
        assert_eq!(found.plan.repeats, 2);
    }
}

#[test]
fn older_results_of_vllm_are_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    write(
        &path,
        "vllm/plain.json",
        &[
            ("\"failed\": 0, ", ""),
            ("\"completed\": 40", "\"completed\": 38"),
            ("\"request_goodput\": null", "\"request_goodput:\": 17.5"),
            ("\"request_rate\": \"inf\"", "\"request_rate\": 8.5"),
            ("\"burstiness\": 1.0", "\"burstiness\": 0.5"),
        ],
    );
    let found = session(&path);
    let arrivals = Arrivals::Gamma { burstiness: 0.5 };
    assert_eq!(
        found.plan.loads,
        [Load::Rate {
            rate_rps: 8.5,
            arrivals
        }]
    );
    assert_eq!(figure(&found, 0, Metric::GoodputRps), Ok(17.5));
    assert_eq!(figure(&found, 0, Metric::Failed), Ok(2.0));
}

#[test]
fn detailed_results_without_times_are_figures_and_no_records() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    write(
        &path,
        "vllm/detailed.json",
        &[
            ("\"start_times\"", "\"was_start_times\""),
            ("\"latencies\"", "\"was_latencies\""),
        ],
    );
    let (old, new) = (session(&path), session(&data("vllm/detailed.json")));
    assert!(old.cells[0].runs[0].is_only_stated());
    for metric in [
        Metric::Ttft(P50),
        Metric::Tpot(P50),
        Metric::E2e(P50),
        Metric::Itl(P50),
        Metric::Qps,
    ] {
        let [old, new] = [&old, &new].map(|session| figure(session, 0, metric).unwrap());
        assert!((old - new).abs() < 1e-5 * new, "{metric}: {old} and {new}");
    }
}

#[test]
fn warm_up_among_records_is_left_out_and_counted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.jsonl");
    let text = fs::read_to_string(data("aiperf/profile_export.jsonl")).unwrap();
    let text = text.replacen("\"benchmark_phase\":\"profiling\"", "\"benchmark_phase\":\"warmup\"", 3);
    fs::write(&path, text).unwrap();
    let found = session(&path);
    let run = &found.cells[0].runs[0];
    assert_eq!(
        (run.requests.len(), run.warmup),
        (
            37,
            Warmup {
                requests: 3,
                ..Warmup::default()
            }
        )
    );
    assert_eq!(found.definitions, "aiperf-records/1");
}

#[test]
fn a_summary_and_records_of_another_run_are_refused() {
    let folder = TempDir::new().unwrap();
    fs::copy(data("aiperf/profile_export_aiperf.json"), folder.path().join("a.json")).unwrap();
    let text = fs::read_to_string(data("aiperf/profile_export.jsonl")).unwrap();
    let fewer: Vec<&str> = text.lines().skip(2).collect();
    fs::write(folder.path().join("b.jsonl"), fewer.join("\n")).unwrap();
    let error = imported(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("holds 38 completed requests, and"), "{error}");
    // As many answers, and another number of failures.
    fs::write(folder.path().join("b.jsonl"), &text).unwrap();
    let summary = fs::read_to_string(data("aiperf/profile_export_aiperf.json")).unwrap();
    let failures = "\"error_request_count\": {\"unit\": \"requests\", \"avg\": 9.0}, \"request_count\"";
    let summary = summary.replacen("\"request_count\"", failures, 1);
    fs::write(folder.path().join("a.json"), summary).unwrap();
    let error = imported(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("holds 0 failed requests, and"), "{error}");
    assert!(error.contains("speaks of 9"), "{error}");
}

#[test]
fn requests_that_failed_count_as_infinitely_slow() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.jsonl");
    let text = fs::read_to_string(data("aiperf/profile_export.jsonl")).unwrap();
    let error = "\"error\":{\"code\":503,\"type\":\"HTTP\",\"message\":\"service unavailable\"}}";
    let lines = text.lines().enumerate().map(|(at, line)| match at {
        0..21 => format!("{},{error}", line.strip_suffix('}').unwrap()),
        _ => line.to_owned(),
    });
    fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let found = session(&path);
    assert_eq!(figure(&found, 0, Metric::Failed), Ok(21.0));
    let p50 = figure(&found, 0, Metric::Ttft(P50));
    assert!(
        p50.as_ref()
            .is_err_and(|why| why.starts_with("21 of 40 requests failed, too many for P50")),
        "{p50:?}"
    );
    let failures = found.cells[0].runs[0].failures();
    assert_eq!(failures[0].0, "http_503");
}

#[test]
fn what_sglang_does_not_tell_is_not_taken_for_none() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.jsonl");
    write(
        &path,
        "sglang/run.jsonl",
        &[
            ("\"ttfts\"", "\"was_ttfts\""),
            ("\"itls\"", "\"was_itls\""),
            ("\"output_lens\"", "\"was_output_lens\""),
            ("\"errors\"", "\"was_errors\""),
        ],
    );
    let found = session(&path);
    let why = Err("the imported file does not tell how many requests failed".to_owned());
    assert_eq!(figure(&found, 0, Metric::ErrorRate), why);
    assert_eq!(figure(&found, 0, Metric::Failed), why);
    assert!(figure(&found, 0, Metric::Ttft(P50)).is_ok());
    assert!(
        found
            .notes
            .iter()
            .any(|note| note.contains("does not say how many requests failed"))
    );
}

#[test]
fn the_engine_alone_has_its_own_two_benches() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    fs::write(
        &path,
        "{\"avg_latency\": 1.5, \"latencies\": [1.0, 1.5, 2.0], \"percentiles\": {\"50\": 1.5}}",
    )
    .unwrap();
    assert!((figure(&session(&path), 0, Metric::E2e(P50)).unwrap() - 1500.0).abs() < 1e-6);
    fs::write(
        &path,
        "{\"elapsed_time\": 2.0, \"num_requests\": 100, \"total_num_tokens\": 9000, \"requests_per_second\": 50.0, \
         \"tokens_per_second\": 4500.0}",
    )
    .unwrap();
    let found = session(&path);
    assert_eq!(figure(&found, 0, Metric::Qps), Ok(50.0));
    assert_eq!(
        figure(&found, 0, Metric::OutputTokensPerS),
        Err("the imported file states no Output throughput".to_owned())
    );
}

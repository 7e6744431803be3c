//! One run of `LoadGen`: what its detail log says of scenario, limits, validity and figures.

use std::path::Path;

use super::detail::Detail;
use crate::{
    import::{ImportError, run::bad},
    metric::{Metric, Percentile},
    plan::{Arrivals, BENCHMARKS, Load, ScenarioKind, Slo},
};

/// Nanoseconds of a millisecond.
const NS_A_MS: f64 = 1e6;
/// A conforming run lasts at least so long.
const CONFORMING_MS: f64 = 600_000.0;
/// A server whose completed rate is below this share of the scheduled one fell behind.
const KEPT_UP: f64 = 0.98;

const INVALID: &str = "LoadGen calls the run INVALID";
const ERRORS: &str = "LoadGen logged errors";

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The scenario; Interactive is a Server of tighter limits to `LoadGen`, and known by them.
    pub scenario: ScenarioKind,
    /// Version of `LoadGen` (`6.0.17`).
    pub version: String,
    /// When it began, as it says.
    pub started: Option<String>,
    /// What it measured, as it was told.
    pub sut: Option<String>,
    /// The rate of Server, or the one that Offline expected, in samples per second.
    pub target_qps: Option<f64>,
    /// Limits of Server, at P99.
    pub limits: Slo,
    /// Samples that were sent.
    pub samples: u32,
    /// Whether it is `VALID`.
    pub is_valid: bool,
    /// Why it is not, in `LoadGen`'s words, and what else a reader should know, in sentences.
    pub told: Vec<String>,
    /// Why no verdict may rest on it: `LoadGen` calls it `INVALID`, or logged errors.
    pub unfit: Option<String>,
    /// What `LoadGen` stated, by metric, in its unit.
    pub figures: Vec<(Metric, f64)>,
    /// What it was asked for, in its own keys.
    pub asked: Vec<(&'static str, String)>,
}

impl Log {
    /// One figure.
    pub fn figure(&self, metric: Metric) -> Option<f64> {
        self.figures
            .iter()
            .find(|(own, _)| *own == metric)
            .map(|(_, value)| *value)
    }

    /// How hard it pressed.
    pub(super) fn load(&self, path: &Path) -> Result<Load, ImportError> {
        let lacks = || bad(path, "effective_target_qps", "is no rate above zero".into());
        Ok(match self.scenario {
            ScenarioKind::Server | ScenarioKind::Interactive => Load::Rate {
                rate_rps: self.target_qps.ok_or_else(lacks)?,
                arrivals: Arrivals::Poisson,
            },
            ScenarioKind::Offline => Load::Concurrency(self.samples.max(1)),
            ScenarioKind::SingleStream => Load::Concurrency(1),
        })
    }
}

/// Makes a run of a detail log.
///
/// # Errors
/// The log has no result, is of an accuracy run or of a scenario without requests, or a query failed in `LoadGen`'s eyes.
pub(super) fn of(path: &Path, detail: &Detail) -> Result<Log, ImportError> {
    let unusable = |problem: String| {
        Err(ImportError::Unusable {
            path: path.to_owned(),
            problem,
        })
    };
    let mode = detail
        .text("effective_test_mode")
        .or(detail.text("requested_test_mode"));
    if mode.is_some_and(|mode| mode != "PerformanceOnly") {
        let mode = mode.unwrap_or_default();
        return unusable(format!(
            "it is a run of `{mode}`; give the log of the performance run (`performance/run_1`)"
        ));
    }
    if detail.failed_at_work {
        let errors = detail.errors.join("; ");
        return unusable(format!(
            "LoadGen stumbled over a query, so that its figures are none: {errors}"
        ));
    }
    let Some(validity) = detail.text("result_validity") else {
        return unusable("it has no `result_validity`: the run did not come to its end; run it again".into());
    };
    let limits = limits(detail);
    let scenario = scenario(path, detail, &limits)?;
    let samples = samples(path, detail, scenario)?;
    let is_valid = validity == "VALID";
    let told = told(detail, is_valid);
    Ok(Log {
        scenario,
        version: version(detail),
        started: detail.text("test_datetime").map(str::to_owned),
        sut: detail.text("sut_name").map(str::to_owned),
        target_qps: detail
            .number("effective_target_qps")
            .filter(|qps| *qps > 0.0 && qps.is_finite()),
        limits: if scenario.is_open() { limits } else { Slo::default() },
        samples,
        is_valid,
        unfit: unfit(&told),
        told,
        figures: figures(path, detail, scenario)?,
        asked: asked(detail),
    })
}

fn version(detail: &Detail) -> String {
    let text = detail.text("loadgen_version").unwrap_or("of an unknown version");
    text.split(" @ ").next().unwrap_or(text).to_owned()
}

fn limits(detail: &Detail) -> Slo {
    let limit = |key: &str| detail.number(key).filter(|ns| *ns > 0.0).map(|ns| ns / NS_A_MS);
    let has_tokens = detail.truth("requested_use_token_latencies") == Some(true);
    Slo {
        ttft_ms: limit("requested_server_ttft_latency").filter(|_| has_tokens),
        tpot_ms: limit("requested_server_tpot_latency").filter(|_| has_tokens),
        e2e_ms: limit("effective_target_latency_ns").filter(|_| !has_tokens),
    }
}

fn scenario(path: &Path, detail: &Detail, limits: &Slo) -> Result<ScenarioKind, ImportError> {
    let is_interactive = || {
        BENCHMARKS
            .iter()
            .any(|benchmark| benchmark.interactive == Some(*limits))
    };
    match detail.text("effective_scenario").unwrap_or_default() {
        "Server" if is_interactive() => Ok(ScenarioKind::Interactive),
        "Server" => Ok(ScenarioKind::Server),
        "Offline" => Ok(ScenarioKind::Offline),
        "SingleStream" => Ok(ScenarioKind::SingleStream),
        other => Err(bad(
            path,
            "effective_scenario",
            format!("is `{other}`; perfgate reads Server, Interactive, Offline and SingleStream"),
        )),
    }
}

/// Offline packs all samples into one query; the others send one a query.
fn samples(path: &Path, detail: &Detail, scenario: ScenarioKind) -> Result<u32, ImportError> {
    let key = match scenario {
        ScenarioKind::Offline => "generated_samples_per_query",
        _ => "result_query_count",
    };
    let count = detail.number(key).or(detail.number("effective_samples_per_query"));
    let count = count
        .and_then(crate::import::numbers::count_u32)
        .filter(|count| *count > 0);
    count.ok_or_else(|| bad(path, key, "is no count of samples above zero".into()))
}

/// Why it is not valid, what `LoadGen` complained of, and what makes it no conforming run.
fn told(detail: &Detail, is_valid: bool) -> Vec<String> {
    let mut told = Vec::new();
    if !is_valid {
        let constraints = [
            ("result_perf_constraints_met", "its latencies are beyond their limits"),
            ("result_min_duration_met", "it is too short"),
            ("result_min_queries_met", "it has too few queries"),
            ("early_stopping_met", "early stopping is not satisfied"),
        ];
        let unmet = constraints.iter().filter(|(key, _)| detail.truth(key) == Some(false));
        let mut why: Vec<String> = unmet.map(|(_, why)| (*why).to_owned()).collect();
        for key in [
            "result_invalid_reason",
            "early_stopping_result",
            "early_stopping_ttft_result",
            "early_stopping_tpot_result",
        ] {
            let text = detail.text(key).unwrap_or_default();
            if key == "result_invalid_reason" || text.contains("unsuccessful") || text.contains("Only processed") {
                why.extend(Some(in_one_line(text)).filter(|text| !text.is_empty()));
            }
        }
        told.push(format!("{INVALID}: {}", why.join("; ")));
    }
    let lasted = detail.number("effective_min_duration_ms");
    if let Some(ms) = lasted.filter(|ms| *ms < CONFORMING_MS) {
        told.push(format!(
            "the run was asked to last {:.0} s, where MLPerf's rules want 600: it is in MLPerf's style and does not conform",
            ms / 1000.0
        ));
    }
    let rates = [
        detail.number("result_completed_samples_per_sec"),
        detail.number("result_scheduled_samples_per_sec"),
    ];
    if let [Some(completed), Some(scheduled)] = rates
        && scheduled > 0.0
        && completed / scheduled < KEPT_UP
    {
        told.push(format!(
            "the system completed {:.1} % of the scheduled rate: it fell behind",
            completed / scheduled * 100.0
        ));
    }
    if !detail.errors.is_empty() {
        told.push(format!("{ERRORS}: {}", detail.errors.join("; ")));
    }
    told
}

fn unfit(told: &[String]) -> Option<String> {
    let of = |words: &&String| [INVALID, ERRORS].iter().any(|begins| words.starts_with(begins));
    told.iter().find(of).cloned()
}

/// ` * Run unsuccessful.  * Processed …` in plain words.
fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "*").collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

/// The figures in the metrics' units; percentiles as `LoadGen` has them.
fn figures(path: &Path, detail: &Detail, scenario: ScenarioKind) -> Result<Vec<(Metric, f64)>, ImportError> {
    let mut found = Vec::new();
    let mut take = |metric: Metric, key: &str, unit: f64| -> Result<(), ImportError> {
        let Some(value) = detail.number(key) else { return Ok(()) };
        if !value.is_finite() || value < 0.0 {
            return Err(bad(path, key, format!("is `{value}`; no figure is below zero")));
        }
        found.push((metric, value / unit));
        Ok(())
    };
    let (qps, tokens) = match scenario {
        ScenarioKind::Server | ScenarioKind::Interactive => {
            ("result_completed_samples_per_sec", "result_completed_tokens_per_second")
        }
        ScenarioKind::Offline => ("result_samples_per_second", "result_tokens_per_second"),
        ScenarioKind::SingleStream => (
            "result_qps_with_loadgen_overhead",
            "result_token_throughput_with_loadgen_overhead",
        ),
    };
    take(Metric::Qps, qps, 1.0)?;
    take(Metric::OutputTokensPerS, tokens, 1.0)?;
    for percentile in Percentile::ALL {
        let percent = percentile.percent();
        let e2e = format!("result_{percent}.00_percentile_latency_ns");
        let ttft = format!("result_first_token_{percent}.00_percentile_latency_ns");
        let tpot = format!("result_time_per_output_token_{percent}.00_percentile_ns");
        take(Metric::E2e(percentile), &e2e, NS_A_MS)?;
        take(Metric::Ttft(percentile), &ttft, NS_A_MS)?;
        take(Metric::Tpot(percentile), &tpot, NS_A_MS)?;
        if scenario.is_open() {
            take(Metric::E2eFromSchedule(percentile), &e2e, NS_A_MS)?;
            take(Metric::TtftFromSchedule(percentile), &ttft, NS_A_MS)?;
        }
    }
    if found.is_empty() {
        return Err(bad(path, qps, "is missing, and so is every other figure".into()));
    }
    Ok(found)
}

/// What makes two runs comparable, in `LoadGen`'s keys.
fn asked(detail: &Detail) -> Vec<(&'static str, String)> {
    const KEYS: [&str; 13] = [
        "effective_scenario",
        "requested_server_ttft_latency",
        "requested_server_tpot_latency",
        "effective_target_latency_ns",
        "effective_target_latency_percentile",
        "effective_min_duration_ms",
        "effective_min_query_count",
        "effective_min_sample_count",
        "effective_performance_sample_count",
        "effective_sample_concatenate_permutation",
        "effective_qsl_rng_seed",
        "effective_sample_index_rng_seed",
        "effective_schedule_rng_seed",
    ];
    let told = KEYS.iter().filter_map(|key| Some((*key, detail.shown(key)?)));
    told.collect()
}

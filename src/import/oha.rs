//! `oha --output-format json`: latencies of whole requests, without tokens.
//!
//! What oha calls a success is any answer, a 500 too: its percentiles are of them all, and its rate counts errors as well. Which
//! load it put on is not in its file.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, de::MapAccess};

use super::{
    ForeignRun, Format, ImportError,
    detect::Folder,
    json::{self, Keys, Num, Object},
    numbers,
    run::{Told, bad, told_load},
};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Load},
};

pub(super) const FORMAT: Format = Format {
    name: "oha",
    what: "a result of oha",
    recognise: |head| {
        let keys = ["summary.successRate", "summary.requestsPerSec", "latencyPercentiles"];
        head.has_all(&keys).then_some("result")
    },
    read,
};

/// Under this name oha counts requests that it gave up itself at the end of its time.
const AT_THE_END: &str = "aborted due to deadline";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    summary: Summary,
    latency_percentiles: Latencies,
    status_code_distribution: Object<Counts>,
    error_distribution: Object<Counts>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    total: Num,
}

/// Seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Latencies {
    p50: Num,
    p95: Num,
    p99: Num,
}

/// How many of each.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, Num>);

impl Keys for Counts {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        self.0.insert(key.to_owned(), value.next_value()?);
        Ok(true)
    }
}

/// One run a file.
fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let runs = folder.files.iter().map(|part| {
        let found: Report = json::one(&part.path, folder.bytes(part)?)?;
        run_of(&part.path, &found, &folder.options.columns)
    });
    runs.collect()
}

fn run_of(path: &Path, found: &Report, columns: &[(String, String)]) -> Result<ForeignRun, ImportError> {
    let load = told_load(path, "oha", columns)?;
    let is_told = load.is_some();
    let mut run = ForeignRun::new(path, "oha", "oha/1", load.unwrap_or(Load::Concurrency(1)));
    (run.api, run.streaming) = (Api::Completions, false);
    run.workload = if is_told { "oha" } else { "oha, load not told" }.into();
    run.notes.push(
        "oha does not say what it called, with how many connections or at which rate: that both arms did the same is for you to \
         know (`--map concurrency=50` or `--map rate_rps=8` with `perfgate import`)"
            .into(),
    );
    tell(path, found, &mut run)?;
    Ok(run)
}

fn tell(path: &Path, found: &Report, run: &mut ForeignRun) -> Result<(), ImportError> {
    let count = |place: &str, number: Num| {
        let problem = || bad(path, place, "is no count of requests".into());
        number.finite().and_then(numbers::count_u32).ok_or_else(problem)
    };
    let (mut completed, mut failures) = (0_u32, Vec::new());
    for (status, number) in &found.status_code_distribution.0.0 {
        let answers = count(&format!("statusCodeDistribution.{status}"), *number)?;
        if status.len() == 3 && status.starts_with('2') {
            completed = completed.saturating_add(answers);
        } else {
            let status: String = status.chars().take(40).collect();
            failures.push((answers, format!("answered with status {status}")));
        }
    }
    let mut given_up = 0;
    for (message, number) in &found.error_distribution.0.0 {
        let errors = count("errorDistribution", *number)?;
        if message == AT_THE_END {
            given_up = errors;
        } else {
            failures.push((errors, message.chars().take(300).collect()));
        }
    }
    if given_up > 0 {
        run.notes.push(format!(
            "{given_up} requests were under way when oha stopped; they count neither as completed nor as failed"
        ));
    }
    failures.retain(|(count, _)| *count > 0);
    let failed = failures
        .iter()
        .fold(0_u32, |sum, (count, _)| sum.saturating_add(*count));
    let told = Told::of(
        path,
        ("statusCodeDistribution", f64::from(completed)),
        Some(("errorDistribution", f64::from(failed))),
    )?;
    let mut told = told.failures(failures);
    let samples = u64::from(completed);
    // Its own rate is of everything that ended, errors included.
    let seconds = found.summary.total.finite().filter(|seconds| *seconds > 0.0);
    let qps = seconds.map(|seconds| f64::from(completed) / seconds);
    told.figure(path, "summary.total", (Metric::Qps, qps, samples))?;
    let Latencies { p50, p95, p99 } = found.latency_percentiles;
    for (percentile, value) in Percentile::ALL.into_iter().zip([p50, p95, p99]) {
        let key = format!("latencyPercentiles.p{}", percentile.percent());
        let ms = value.finite().map(|seconds| seconds * 1e3);
        told.figure(path, &key, (Metric::E2e(percentile), ms, samples))?;
    }
    run.run.stated = told.stated();
    Ok(())
}

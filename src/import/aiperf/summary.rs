//! `profile_export_aiperf.json`: one object of figures, each with its unit.

use std::{collections::BTreeMap, path::Path};

use serde::{
    Deserialize,
    de::{IgnoredAny, MapAccess},
};
use serde_json::Value;

use super::{FAMILIES, config};
use crate::{
    import::{
        ImportError,
        json::{self, Keys, Num, Object},
        numbers,
        run::{ForeignRun, Told, bad},
    },
    metric::{Metric, Percentile},
    session::{Warmup, WarmupEnd},
};

/// The versions whose meaning is known; older files have none.
const VERSIONS: &str = "1.0 to 1.5, and files without one";

/// The keys of a summary that are made use of.
#[derive(Debug, Default)]
pub(super) struct Summary {
    schema_version: Option<String>,
    aiperf_version: Option<String>,
    start_time: Option<String>,
    was_cancelled: bool,
    pub(super) config: Value,
    info: Info,
    errors: Vec<Errors>,
    warmup: Option<Object<Tags>>,
    telemetry: Telemetry,
    tags: Tags,
}

/// Figures by their tags.
#[derive(Debug, Default)]
struct Tags(BTreeMap<String, Stat>);

/// One figure; of rates and counts only `avg` is there.
#[derive(Debug, Default, Deserialize)]
struct Stat {
    unit: Option<String>,
    #[serde(default)]
    avg: Num,
    #[serde(default)]
    p50: Num,
    #[serde(default)]
    p95: Num,
    #[serde(default)]
    p99: Num,
    #[serde(default)]
    count: Num,
}

#[derive(Debug, Default, Deserialize)]
struct Info {
    random_seed: Option<u64>,
    variation_label: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Errors {
    error_details: Option<Details>,
    #[serde(default)]
    count: Num,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    code: Option<i64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Telemetry {
    #[serde(default)]
    endpoints: BTreeMap<String, Host>,
}

#[derive(Debug, Default, Deserialize)]
struct Host {
    #[serde(default)]
    gpus: BTreeMap<String, Gpu>,
}

#[derive(Debug, Default, Deserialize)]
struct Gpu {
    gpu_name: Option<String>,
}

impl Keys for Tags {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        if !is_used(key) {
            return Ok(false);
        }
        self.0.insert(key.to_owned(), value.next_value()?);
        Ok(true)
    }
}

fn is_used(key: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "time_to_first_output_token",
        "request_throughput",
        "output_token_throughput",
        "goodput",
        "request_count",
        "error_request_count",
        "total_isl",
        "total_osl",
        "total_output_tokens",
    ];
    OTHERS.contains(&key) || FAMILIES.iter().any(|(tag, _)| *tag == key)
}

impl Keys for Summary {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, value: &mut A) -> Result<bool, A::Error> {
        match key {
            "schema_version" => self.schema_version = value.next_value()?,
            "aiperf_version" => self.aiperf_version = value.next_value()?,
            "start_time" => self.start_time = value.next_value()?,
            "was_cancelled" => self.was_cancelled = value.next_value::<Option<bool>>()?.unwrap_or(false),
            "input_config" => self.config = value.next_value()?,
            "run_info" => self.info = value.next_value::<Option<Info>>()?.unwrap_or_default(),
            "error_summary" => self.errors = value.next_value::<Option<Vec<Errors>>>()?.unwrap_or_default(),
            "warmup_metrics" => self.warmup = value.next_value()?,
            "telemetry_data" => self.telemetry = value.next_value::<Option<Telemetry>>()?.unwrap_or_default(),
            "time_slices" | "server_metrics" => {
                value.next_value::<IgnoredAny>()?;
            }
            _ => return self.tags.take(key, value),
        }
        Ok(true)
    }
}

/// Reads a summary of a version whose meaning is known.
pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Summary, ImportError> {
    let Object(found): Object<Summary> = json::one(path, bytes)?;
    let known = |version: &str| ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"].contains(&version);
    match found.schema_version.as_deref().filter(|version| !known(version)) {
        None => Ok(found),
        Some(version) => Err(ImportError::Version {
            path: path.to_owned(),
            version: version.chars().take(40).collect(),
            supported: VERSIONS,
        }),
    }
}

impl Stat {
    /// Milliseconds of a percentile, which is stated in this figure's unit.
    fn at(&self, path: &Path, tag: &str, percentile: Percentile) -> Result<Option<f64>, ImportError> {
        let to_ms = match self.unit.as_deref() {
            Some("ms" | "milliseconds") | None => 1.0,
            Some("s" | "sec" | "seconds") => 1e3,
            Some("us" | "µs" | "μs" | "microseconds") => 1e-3,
            Some("ns" | "nanoseconds") => 1e-6,
            Some(other) => {
                let told = format!(
                    "is `{}`, which is no unit of time that is known",
                    other.chars().take(40).collect::<String>()
                );
                return Err(bad(path, &format!("{tag}.unit"), told));
            }
        };
        let stated = match percentile {
            Percentile::P50 => self.p50,
            Percentile::P95 => self.p95,
            Percentile::P99 => self.p99,
        };
        Ok(stated.finite().map(|number| number * to_ms))
    }
}

impl Summary {
    fn avg(&self, tag: &str) -> Option<f64> {
        self.tags.0.get(tag).and_then(|stat| stat.avg.finite())
    }

    /// Requests that completed, where it is told.
    pub(super) fn completed(&self) -> Option<usize> {
        let count = self.avg("request_count").and_then(numbers::count)?;
        usize::try_from(count).ok()
    }

    /// Requests that failed: AIPerf leaves the count out where there are none.
    fn stated_failed(&self) -> f64 {
        let by_kind = self.errors.iter().filter_map(Errors::told);
        let told = by_kind.map(|(count, _)| count).fold(0, u32::saturating_add);
        self.avg("error_request_count").unwrap_or(0.0).max(f64::from(told))
    }

    /// The same as a count; `u64::MAX` where it is none.
    pub(super) fn failed(&self) -> u64 {
        numbers::count(self.stated_failed()).unwrap_or(u64::MAX)
    }

    /// The figures that it states: all of them where there is nothing else, beside records those of a time that only it knows.
    pub(super) fn told(&self, path: &Path, is_alone: bool) -> Result<Told, ImportError> {
        let by_kind: Vec<(u32, String)> = self.errors.iter().filter_map(Errors::told).collect();
        let failed = self.stated_failed();
        let completed = self.avg("request_count").unwrap_or(0.0);
        let failed = Some(("error_request_count", failed));
        let total = |tags: &[&str]| tags.iter().find_map(|tag| self.avg(tag)).and_then(numbers::count);
        let mut told = Told::of(path, ("request_count", completed), failed)?
            .tokens(total(&["total_isl"]), total(&["total_osl", "total_output_tokens"]))
            .failures(by_kind);
        let requests = numbers::count(completed).unwrap_or(0);
        for (tag, metric) in [
            ("request_throughput", Metric::Qps),
            ("output_token_throughput", Metric::OutputTokensPerS),
            ("goodput", Metric::GoodputRps),
        ] {
            told.figure(path, tag, (metric, self.avg(tag), requests))?;
        }
        let families = FAMILIES
            .iter()
            .filter(|(tag, _)| is_alone || *tag == "inter_chunk_latency");
        for (tag, metric) in families {
            let Some(stat) = self.tags.0.get(*tag) else { continue };
            let samples = stat.count.finite().and_then(numbers::count).unwrap_or(requests);
            for percentile in Percentile::ALL {
                told.figure(
                    path,
                    tag,
                    (metric(percentile), stat.at(path, tag, percentile)?, samples),
                )?;
            }
        }
        if is_alone {
            self.first_answers(path, requests, &mut told)?;
        }
        Ok(told)
    }

    /// Where a model reasons, its first answer comes after its first token.
    fn first_answers(&self, path: &Path, requests: u64, told: &mut Told) -> Result<(), ImportError> {
        let tags = ["time_to_first_token", "time_to_first_output_token"];
        let [Some(first), Some(answer)] = tags.map(|tag| self.tags.0.get(tag)) else {
            return Ok(());
        };
        if first.p50 == answer.p50 && first.p99 == answer.p99 {
            return Ok(());
        }
        for percentile in Percentile::ALL {
            let ms = answer.at(path, "time_to_first_output_token", percentile)?;
            let figure = (Metric::Ttfa(percentile), ms, requests);
            told.figure(path, "time_to_first_output_token", figure)?;
        }
        Ok(())
    }

    /// What it says of itself and of what it was asked.
    pub(super) fn describe(&self, run: &mut ForeignRun) {
        if let Some(version) = &self.aiperf_version {
            run.tool = format!("AIPerf {version}");
        }
        run.started_unix_s = self.start_time.as_deref().and_then(numbers::unix_s);
        config::describe(&self.config, run);
        if let Some(seed) = self.info.random_seed {
            run.labels.insert("seed".into(), seed.to_string());
        }
        if let Some(label) = &self.info.variation_label {
            run.labels.insert("variation".into(), label.clone());
        }
        let gpus = self.telemetry.endpoints.values().flat_map(|host| host.gpus.values());
        run.environment.gpus = gpus.filter_map(|gpu| gpu.gpu_name.clone()).collect();
        if self.was_cancelled {
            run.run.cut_short = Some("AIPerf was stopped before its end".into());
        }
        let count = |tag: &str| {
            let tags = self.warmup.as_ref().map(|object| &object.0);
            let stat = tags.and_then(|tags| tags.0.get(tag)).and_then(|stat| stat.avg.finite());
            stat.and_then(numbers::count_u32).unwrap_or(0)
        };
        let failed = count("error_request_count");
        run.run.warmup = Warmup {
            requests: count("request_count").saturating_add(failed),
            failed,
            end: WarmupEnd::Planned,
        };
    }
}

impl Errors {
    fn told(&self) -> Option<(u32, String)> {
        let count = self
            .count
            .finite()
            .and_then(numbers::count_u32)
            .filter(|count| *count > 0)?;
        let details = self.error_details.as_ref();
        let words = details.map(|details| {
            let code = details.code.map(|code| code.to_string());
            let parts = [code, details.kind.clone(), details.message.clone()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let words = words.unwrap_or_default();
        Some((count, words.chars().take(300).collect()))
    }
}

//! The GPUs of a run: peak memory, what was free at that peak, and how busy they were while requests were in flight.

use super::{RunValue, run::sample};
use crate::{
    metric::Metric,
    session::{EngineUse, Environment, GpuSeries, GpuUse, Run, TAKES_MEMORY_AT_START},
};

pub(super) fn values(run: &Run) -> Vec<(Metric, RunValue)> {
    let (memory, utilization) = match &run.gpu {
        GpuUse::NotMeasured(reason) => (Err(reason.clone()), Err(reason.clone())),
        GpuUse::Measured { samples: 0, .. } => {
            let reason = "the GPU was sampled no time during the run".to_owned();
            (Err(reason.clone()), Err(reason))
        }
        GpuUse::Measured {
            memory_peak_bytes,
            utilization_mean_pct,
            utilization_untold,
            samples,
        } => {
            let samples = usize::try_from(*samples).unwrap_or(usize::MAX);
            let utilization = match utilization_mean_pct {
                None => Err(untold(utilization_untold.as_ref())),
                Some(mean_pct) => utilization(run, (*mean_pct, samples)),
            };
            (Ok(sample(bytes(*memory_peak_bytes) / 1e9, samples)), utilization)
        }
    };
    vec![
        (Metric::GpuMemoryPeakGb, memory),
        (Metric::GpuUtilizationPct, utilization),
        (Metric::GpuMemoryHeadroomPct, headroom(run)),
    ]
}

fn untold(why: Option<&String>) -> String {
    let why = why.map_or("no reason is known", String::as_str);
    format!("the GPUs do not tell their utilisation: {why}")
}

/// While requests were in flight, where that is known, and else over the whole run.
fn utilization(run: &Run, whole: (f64, usize)) -> RunValue {
    let found = busy(run).or_else(|| (!run.is_of_another_tool()).then_some(whole));
    let (busy_pct, of) = found.ok_or(
        "nobody tells when the tool's requests were in flight: the engine's page of metrics does not say how many are in work",
    )?;
    busy_pct
        .is_finite()
        .then_some(sample(busy_pct, of))
        .ok_or_else(|| format!("GPU utilisation is `{busy_pct}`, which is no number"))
}

/// Mean utilisation over the points in which a request was in flight, and of how many samples; `None` where no point met a
/// request. A look that failed now and then is a gap, of which no point tells.
fn busy(run: &Run) -> Option<(f64, usize)> {
    let flights = flights(run);
    let (mut sum, mut weight, mut fewest) = (0.0, 0.0, usize::MAX);
    for series in &run.telemetry.gpus {
        let mut samples = 0;
        for (place, point) in series.points.iter().enumerate() {
            let gap_ns = series
                .gaps
                .iter()
                .map(|gap| gap.from_ns)
                .find(|from_ns| *from_ns > point.at_ns);
            let next_ns = series.points.get(place + 1).map(|next| next.at_ns);
            let until_ns = gap_ns.into_iter().chain(next_ns).min().unwrap_or(u64::MAX);
            if is_in_flight(&flights, (point.at_ns, until_ns)) {
                sum += point.utilization_pct? * f64::from(point.samples);
                weight += f64::from(point.samples);
                samples += point.samples as usize;
            }
        }
        fewest = fewest.min(samples);
    }
    (weight > 0.0 && fewest > 0).then(|| (sum / weight, fewest))
}

/// When requests were in flight: stretches that do not meet, rising. The records of another tool are on its own clock: there
/// the engine tells.
fn flights(run: &Run) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = if run.is_of_another_tool() {
        at_work(run)
    } else {
        let records = run.requests.iter();
        records.map(|record| (record.sent_ns, record.end_ns)).collect()
    };
    spans.sort_unstable();
    let mut found: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans {
        match found.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => found.push((from, to)),
        }
    }
    found
}

/// When the engine had requests in work: from each look at its page that saw some to just before the next.
fn at_work(run: &Run) -> Vec<(u64, u64)> {
    let EngineUse::Sampled(series) = &run.telemetry.engine else {
        return Vec::new();
    };
    let ends = series.points.iter().skip(1).map(|point| point.at_ns);
    let last_ns = series.points.last().map(|point| point.at_ns);
    let spans = series.points.iter().zip(ends.chain(last_ns));
    let busy = spans.filter(|(point, _)| point.running.is_some_and(|running| running > 0.0));
    busy.map(|(point, next_ns)| (point.at_ns, next_ns.saturating_sub(1).max(point.at_ns)))
        .collect()
}

fn is_in_flight(flights: &[(u64, u64)], (from, until): (u64, u64)) -> bool {
    let next = flights.partition_point(|flight| flight.1 < from);
    flights.get(next).is_some_and(|flight| flight.0 < until)
}

/// The least share of its memory that any GPU had free at its own peak.
pub fn headroom_pct(run: &Run) -> Option<f64> {
    let told = run.telemetry.gpus.iter().map(free_pct);
    let told: Option<Vec<f64>> = told.collect();
    told?.into_iter().reduce(f64::min)
}

fn headroom(run: &Run) -> RunValue {
    if let GpuUse::NotMeasured(reason) = &run.gpu {
        return Err(reason.clone());
    }
    let samples = run.telemetry.gpus.iter().map(samples).min().unwrap_or(0);
    headroom_pct(run)
        .map(|free_pct| sample(free_pct, samples))
        .ok_or_else(|| "the run does not hold how much memory its GPUs have".into())
}

fn free_pct(series: &GpuSeries) -> Option<f64> {
    let total = series.memory_total_bytes.filter(|bytes| *bytes > 0)?;
    let peak = series.points.iter().map(|point| point.memory_used_bytes).max()?;
    Some(bytes(total.saturating_sub(peak)) / bytes(total) * 100.0)
}

fn samples(series: &GpuSeries) -> usize {
    series.points.iter().map(|point| point.samples as usize).sum()
}

#[expect(clippy::cast_precision_loss, reason = "2^52 bytes are four petabytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

/// Whether an engine takes its memory at start: by its name, else by what its metrics or its command say of it; `None` where
/// neither does.
pub(super) fn takes_memory_at_start(environment: &Environment) -> Option<bool> {
    match environment.engine_name.as_deref() {
        Some("vllm" | "sglang") => Some(true),
        Some("llama.cpp" | "perfgate-sim") => Some(false),
        _ => environment
            .engine_facts
            .contains_key(TAKES_MEMORY_AT_START)
            .then_some(true),
    }
}

/// What an engine states that its model takes and the peak of its activations, together, where it states both.
pub(super) fn stated_memory_gb(environment: &Environment) -> Option<f64> {
    const GB_PER_GIB: f64 = 1.073_741_824;
    let gib = |fact: &str| {
        let told = environment.engine_facts.get(fact)?.parse::<f64>().ok()?;
        (told.is_finite() && told >= 0.0).then_some(told)
    };
    let sum = gib("model_memory_gib")? + gib("activation_peak_gib")?;
    (sum > 0.0).then_some(sum * GB_PER_GIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::Figures,
        session::{EnginePoint, EngineSeries, GpuPoint, RequestRecord, Stated, Telemetry},
    };

    fn gpu(index: u32, points: &[(u64, f64)]) -> GpuSeries {
        let points = points.iter().map(|(at_s, utilization_pct)| GpuPoint {
            at_ns: at_s * 1_000_000_000,
            samples: 10,
            memory_used_bytes: if *at_s == 2 { 950 } else { 500 },
            utilization_pct: Some(*utilization_pct),
            ..GpuPoint::default()
        });
        GpuSeries {
            index,
            points: points.collect(),
            memory_total_bytes: Some(1000),
            ..GpuSeries::default()
        }
    }

    fn run(gpus: Vec<GpuSeries>, flights_s: &[(u64, u64)]) -> Run {
        let record = |(from, to): &(u64, u64)| RequestRecord {
            sent_ns: from * 1_000_000_000,
            end_ns: to * 1_000_000_000,
            ..RequestRecord::default()
        };
        Run {
            requests: flights_s.iter().map(record).collect(),
            telemetry: Telemetry {
                gpus,
                ..Telemetry::default()
            },
            ..Figures::default().run()
        }
    }

    fn value(run: &Run, metric: Metric) -> Result<f64, String> {
        let found = values(run).into_iter().find(|(other, _)| *other == metric);
        found.unwrap().1.map(|sample| sample.value)
    }

    #[test]
    fn beside_another_tool_the_engine_tells_when_requests_were_in_flight() {
        let course = [(0, 0.0), (1, 80.0), (2, 100.0), (3, 10.0), (4, 60.0)];
        // Its records say otherwise: they are on the tool's clock.
        let mut run = run(vec![gpu(0, &course)], &[(0, 5)]);
        run.stated = Some(Box::new(Stated::default()));
        let told = value(&run, Metric::GpuUtilizationPct).unwrap_err();
        assert!(
            told.starts_with("nobody tells when the tool's requests were in flight"),
            "{told}"
        );
        let point = |(at_s, running): (u64, f64)| EnginePoint {
            at_ns: at_s * 1_000_000_000,
            samples: 1,
            running: Some(running),
            ..EnginePoint::default()
        };
        let points = [(0, 0.0), (1, 2.0), (2, 2.0), (3, 0.0), (4, 0.0)].map(point);
        run.telemetry.engine = EngineUse::Sampled(EngineSeries {
            points: points.into(),
            samples: 5,
            ..EngineSeries::default()
        });
        let found = value(&run, Metric::GpuUtilizationPct).unwrap();
        assert!((found - 90.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn only_points_in_which_a_request_was_in_flight_count_as_utilisation() {
        let course = [(0, 0.0), (1, 80.0), (2, 100.0), (3, 10.0), (4, 60.0)];
        let of = |flights: &[(u64, u64)]| value(&run(vec![gpu(0, &course)], flights), Metric::GpuUtilizationPct);
        assert_eq!(
            of(&[(1, 2), (1, 3)]),
            Ok((80.0 + 100.0 + 10.0) / 3.0),
            "one answer ends as the point at 3 begins"
        );
        assert_eq!(of(&[(4, 5)]), Ok(60.0));
        assert_eq!(of(&[(0, 9)]), Ok(50.0));
        let mut missed = gpu(0, &course);
        missed.gaps.push(crate::session::Stretch {
            from_ns: 3_500_000_000,
            to_ns: 4_000_000_000,
            reason: "no answer within 2 s".into(),
        });
        assert_eq!(
            value(&run(vec![missed.clone()], &[(1, 2)]), Metric::GpuUtilizationPct),
            Ok(90.0),
            "of what was seen in flight"
        );
        let late = run(vec![missed], &[(3, 3), (2, 3)]);
        assert_eq!(value(&late, Metric::GpuUtilizationPct), Ok(55.0));
        assert_eq!(value(&run(vec![], &[(1, 2)]), Metric::GpuUtilizationPct), Ok(90.0));
    }

    #[test]
    fn headroom_is_of_the_fullest_gpu_at_its_peak() {
        let course = [(0, 0.0), (2, 0.0)];
        let mut small = gpu(1, &course);
        small.memory_total_bytes = Some(980);
        let found = value(
            &run(vec![gpu(0, &course), small], &[(0, 1)]),
            Metric::GpuMemoryHeadroomPct,
        );
        assert!(found.is_ok_and(|pct| (pct - 30.0 / 980.0 * 100.0).abs() < 1e-9));
        let mut untold = gpu(0, &course);
        untold.memory_total_bytes = None;
        for gpus in [vec![untold.clone(), gpu(1, &course)], vec![]] {
            assert!(value(&run(gpus, &[(0, 1)]), Metric::GpuMemoryHeadroomPct).is_err());
        }
        let mut nowhere = run(vec![gpu(0, &course)], &[(0, 1)]);
        nowhere.gpu = GpuUse::NotMeasured("no driver".into());
        assert_eq!(value(&nowhere, Metric::GpuMemoryHeadroomPct), Err("no driver".into()));
    }
}

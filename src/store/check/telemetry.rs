//! What holds of the samples beside a run.

use super::{Checked, MAX_EXACT, above_zero, each, ensure, is_zero_or_more};
use crate::session::{EngineSeries, EngineUse, GpuPoint, GpuSeries, HostPoint, ServerLatency, Stretch, Telemetry};

/// No run of ours has more; a file with millions of them would be drawn for minutes.
const MOST_POINTS: usize = 10_000;
/// No machine has more GPUs, and no run of ours more stretches of one kind.
const MOST_GPUS: usize = 1024;
const MOST_STRETCHES: usize = 1000;
/// No configuration asks for more series.
const MOST_TOLD: usize = 1000;

pub(super) fn telemetry(telemetry: &Telemetry) -> Checked {
    ensure(telemetry.gpus.len() <= MOST_GPUS, "telemetry.gpus", || {
        format!("are more than {MOST_GPUS}")
    })?;
    for (at, series) in telemetry.gpus.iter().enumerate() {
        let place = format!("telemetry.gpus[{at}]");
        let twice = telemetry.gpus.iter().take(at).any(|other| other.index == series.index);
        ensure(!twice, &format!("{place}.index"), || {
            format!("`{}` stands twice in this run", series.index)
        })?;
        gpu(series).map_err(|fault| fault.within(&place))?;
    }
    host(&telemetry.host).map_err(|fault| fault.within("telemetry.host"))?;
    match &telemetry.engine {
        EngineUse::NotSampled(_) => Ok(()),
        EngineUse::Sampled(series) => engine(series).map_err(|fault| fault.within("telemetry.engine.sampled")),
    }
}

fn gpu(series: &GpuSeries) -> Checked {
    points(series.points.iter().map(|point| (point.at_ns, point.samples)))?;
    for (at, point) in series.points.iter().enumerate() {
        gpu_point(point).map_err(|fault| fault.within(format_args!("points[{at}]")))?;
    }
    if let Some(energy_j) = series.energy_j {
        each(&[("energy_j", energy_j)], is_zero_or_more, "joules, zero or more")?;
    }
    if let Some(limit_w) = series.power_limit_w {
        each(&[("power_limit_w", limit_w)], is_zero_or_more, "watts, zero or more")?;
    }
    stretches(&series.throttled, "throttled")?;
    stretches(&series.gaps, "gaps")
}

fn gpu_point(point: &GpuPoint) -> Checked {
    let utilization_pct = point.utilization_pct.unwrap_or(0.0);
    let is_share = (0.0..=100.0).contains(&utilization_pct);
    ensure(is_share, "utilization_pct", || {
        format!("is `{utilization_pct}`; give percent from 0 to 100")
    })?;
    let numbers = [
        ("power_w", point.power_w.unwrap_or(0.0)),
        ("sm_clock_mhz", point.sm_clock_mhz.unwrap_or(0.0)),
        ("memory_clock_mhz", point.memory_clock_mhz.unwrap_or(0.0)),
    ];
    each(&numbers, is_zero_or_more, "a number, zero or more")
}

fn engine(series: &EngineSeries) -> Checked {
    above_zero(series.samples, "samples")?;
    points(series.points.iter().map(|point| (point.at_ns, point.samples)))?;
    for (at, point) in series.points.iter().enumerate() {
        let numbers = [
            ("kv_used", point.kv_used.unwrap_or(0.0)),
            ("running", point.running.unwrap_or(0.0)),
            ("waiting", point.waiting.unwrap_or(0.0)),
        ];
        each(&numbers, is_zero_or_more, "a number, zero or more")
            .map_err(|fault| fault.within(format_args!("points[{at}]")))?;
    }
    let waiting = series.waiting_p95.unwrap_or(0.0);
    each(&[("waiting_p95", waiting)], is_zero_or_more, "a number, zero or more")?;
    latencies(&series.latencies)?;
    ensure(series.told.len() <= MOST_TOLD, "told", || {
        format!("are more than {MOST_TOLD}")
    })?;
    for told in &series.told {
        let value = told.value.unwrap_or(0.0);
        each(&[(told.metric.key(), value)], f64::is_finite, "a number").map_err(|fault| fault.within("told"))?;
    }
    stretches(&series.gaps, "gaps")
}

fn latencies(latencies: &[ServerLatency]) -> Checked {
    for (at, latency) in latencies.iter().enumerate() {
        let place = format!("latencies[{at}]");
        let twice = latencies.iter().take(at).any(|other| other.of == latency.of);
        ensure(!twice, &place, || "is of a latency that stands there already".into())?;
        let (low, high) = latency.p95_within_ms.unwrap_or_default();
        each(
            &[
                ("mean_ms", latency.mean_ms),
                ("p95_within_ms", low),
                ("p95_within_ms", high),
            ],
            is_zero_or_more,
            "milliseconds, zero or more",
        )
        .map_err(|fault| fault.within(&place))?;
    }
    Ok(())
}

fn host(host: &[HostPoint]) -> Checked {
    points(host.iter().map(|point| (point.at_ns, point.samples)))?;
    for (at, point) in host.iter().enumerate() {
        let numbers = [
            ("cpu_pct", point.cpu_pct),
            ("steal_pct", point.steal_pct),
            ("load", point.load.unwrap_or(0.0)),
            ("received_bytes_per_s", point.received_bytes_per_s.unwrap_or(0.0)),
            ("sent_bytes_per_s", point.sent_bytes_per_s.unwrap_or(0.0)),
        ];
        each(&numbers, is_zero_or_more, "a number, zero or more")
            .map_err(|fault| fault.within(format_args!("points[{at}]")))?;
    }
    Ok(())
}

/// Points stand for at least one sample each, rise in time, and are not too many.
fn points(points: impl ExactSizeIterator<Item = (u64, u32)>) -> Checked {
    ensure(points.len() <= MOST_POINTS, "points", || {
        format!("are more than {MOST_POINTS}; let each stand for more samples")
    })?;
    let mut before = None;
    for (at, (at_ns, samples)) in points.enumerate() {
        let key = format!("points[{at}]");
        above_zero(samples, &format!("{key}.samples"))?;
        ensure(before < Some(at_ns), &key, || {
            format!("is at `{at_ns}`, not after the one before; points rise in time")
        })?;
        ensure(at_ns <= MAX_EXACT, &key, || {
            format!("is at `{at_ns}`, beyond 2^53; stamps count from the run's start")
        })?;
        before = Some(at_ns);
    }
    Ok(())
}

fn stretches(stretches: &[Stretch], name: &str) -> Checked {
    ensure(stretches.len() <= MOST_STRETCHES, name, || {
        format!("are more than {MOST_STRETCHES}; let each last longer")
    })?;
    for (at, stretch) in stretches.iter().enumerate() {
        let holds = stretch.from_ns <= stretch.to_ns && stretch.to_ns <= MAX_EXACT;
        ensure(holds, &format!("{name}[{at}]"), || {
            format!(
                "goes from `{}` to `{}`; give two stamps that rise, up to 2^53",
                stretch.from_ns, stretch.to_ns
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(gpus: usize, stretches: usize) -> Telemetry {
        let of = |index| GpuSeries {
            index,
            throttled: vec![Stretch::default(); stretches],
            ..GpuSeries::default()
        };
        Telemetry {
            gpus: (0..).map(of).take(gpus).collect(),
            ..Telemetry::default()
        }
    }

    #[test]
    fn a_file_holds_no_more_gpus_and_stretches_than_a_machine_and_a_run_could_have() {
        assert_eq!(telemetry(&with(MOST_GPUS, 1)), Ok(()));
        assert_eq!(telemetry(&with(1, MOST_STRETCHES)), Ok(()));
        let refused = |gpus, stretches| telemetry(&with(gpus, stretches)).unwrap_err().key;
        assert_eq!(refused(MOST_GPUS + 1, 0), "telemetry.gpus");
        assert_eq!(refused(1, MOST_STRETCHES + 1), "telemetry.gpus[0].throttled");
    }

    #[test]
    fn gaps_of_the_engine_are_bounded_too() {
        let series = EngineSeries {
            samples: 1,
            gaps: vec![Stretch::default(); MOST_STRETCHES + 1],
            ..EngineSeries::default()
        };
        let found = telemetry(&Telemetry {
            engine: EngineUse::Sampled(series),
            ..Telemetry::default()
        });
        assert_eq!(found.unwrap_err().key, "telemetry.engine.sampled.gaps");
    }
}

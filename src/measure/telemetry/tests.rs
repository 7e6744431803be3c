use super::*;
use crate::{
    measure::synthetic::Figures,
    session::{EnginePoint, GpuPoint, Stretch, Telemetry},
};

fn engine(samples: u32) -> EngineSeries {
    let points = (0..samples).map(|place| EnginePoint {
        at_ns: u64::from(place),
        samples: 1,
        kv_used: Some(if place == 3 { 0.9 } else { 0.2 }),
        running: Some(4.0),
        waiting: Some(1.0),
    });
    EngineSeries {
        samples,
        points: points.collect(),
        waiting_p95: Some(3.0),
        preemptions: Some(0),
        prefix_queries: Some(200),
        prefix_hits: Some(50),
        draft_tokens: Some(80),
        accepted_tokens: Some(60),
        kv_capacity_tokens: Some(4096),
        ..EngineSeries::default()
    }
}

fn gpu(index: u32, seconds: u64) -> GpuSeries {
    let points = (0..=seconds).map(|at_s| GpuPoint {
        at_ns: at_s * 1_000_000_000,
        samples: 10,
        power_w: (at_s % 2 == 0).then_some(400.0),
        ..GpuPoint::default()
    });
    GpuSeries {
        index,
        points: points.collect(),
        energy_j: Some(1700.0),
        ..GpuSeries::default()
    }
}

fn run(engine: EngineSeries, gpus: Vec<GpuSeries>) -> Run {
    Run {
        telemetry: Telemetry {
            gpus,
            engine: EngineUse::Sampled(engine),
            ..Telemetry::default()
        },
        ..Figures::default().run()
    }
}

fn value(run: &Run, metric: Metric) -> Result<f64, String> {
    let found = values(run).into_iter().find(|(other, _)| *other == metric);
    found.unwrap().1.map(|sample| sample.value)
}

fn reason(run: &Run, metric: Metric) -> String {
    value(run, metric).unwrap_err()
}

#[test]
fn a_run_with_samples_has_these_figures() {
    let run = run(engine(20), vec![gpu(0, 10), gpu(1, 10)]);
    for (metric, expected) in [
        (Metric::KvCachePeakPct, 90.0),
        (Metric::QueueWaitingP95, 3.0),
        (Metric::Preemptions, 0.0),
        (Metric::PrefixCacheHitRate, 0.25),
        (Metric::KvCacheCapacityTokens, 4096.0),
        (Metric::SpecDecodeAcceptanceRate, 0.75),
        (Metric::GpuPowerW, 800.0),
        // 200 requests of 17 tokens.
        (Metric::EnergyPerOutputTokenJ, 1.0),
    ] {
        let found = value(&run, metric).unwrap();
        assert!((found - expected).abs() < 1e-9, "{metric}: {found}");
    }
}

#[test]
fn beside_another_tool_means_and_shares_of_the_time_are_no_figure() {
    let mut run = run(engine(20), vec![gpu(0, 10)]);
    run.stated = Some(Box::default());
    for metric in [
        Metric::QueueWaitingP95,
        Metric::GpuPowerW,
        Metric::EnergyPerOutputTokenJ,
    ] {
        assert!(reason(&run, metric).starts_with("another tool measured"), "{metric}");
    }
    assert_eq!(value(&run, Metric::KvCachePeakPct), Ok(90.0));
    assert_eq!(value(&run, Metric::KvCacheCapacityTokens), Ok(4096.0));
}

#[test]
fn too_few_samples_are_no_figure() {
    let few = run(engine(4), vec![gpu(0, 4)]);
    for metric in [Metric::KvCachePeakPct, Metric::GpuPowerW] {
        assert!(
            reason(&few, metric).starts_with("it takes 5 samples, the run has "),
            "{metric}"
        );
    }
    assert_eq!(
        reason(&few, Metric::QueueWaitingP95),
        "it takes 20 samples, the run has 4"
    );
    assert!(reason(&few, Metric::EnergyPerOutputTokenJ).contains("too coarse"));
    assert_eq!(value(&run(engine(19), vec![]), Metric::KvCachePeakPct), Ok(90.0));
    assert!(value(&run(engine(19), vec![]), Metric::QueueWaitingP95).is_err());
}

#[test]
fn energy_of_a_part_of_the_run_is_no_figure() {
    // 200 requests of 17 tokens.
    let of_a_run = |seconds: f64| {
        let figures = Figures {
            output_tokens_per_s: 3400.0 / seconds,
            ..Figures::default()
        };
        let mut long = figures.run();
        long.telemetry = run(engine(20), vec![gpu(0, 10)]).telemetry;
        value(&long, Metric::EnergyPerOutputTokenJ)
    };
    assert_eq!(of_a_run(10.5), Ok(0.5));
    assert!(of_a_run(10.6).is_err_and(|why| why.contains("span too little of the run")));
}

#[test]
fn a_page_that_failed_often_and_a_gpu_that_was_lost_give_no_figure() {
    let failing = |missed| EngineSeries { missed, ..engine(18) };
    assert!(value(&run(failing(2), vec![]), Metric::Preemptions).is_ok());
    let told = reason(&run(failing(3), vec![]), Metric::Preemptions);
    assert_eq!(told, "3 of 21 looks at the engine's page of metrics failed");
    let mut lost = run(engine(20), vec![gpu(1, 10), gpu(0, 10)]);
    lost.gpu = GpuUse::NotMeasured("NVML could not tell the memory in use of GPU 0".into());
    assert!(reason(&lost, Metric::GpuPowerW).starts_with("NVML could not tell"));
}

#[test]
fn a_look_at_the_gpus_that_failed_now_and_then_costs_no_figure() {
    let mut missed = gpu(0, 10);
    missed.gaps.push(Stretch {
        from_ns: 4_500_000_000,
        to_ns: 5_000_000_000,
        reason: "the GPU exporter: no answer within 2 s".into(),
    });
    let run = run(engine(20), vec![missed]);
    assert_eq!(value(&run, Metric::GpuPowerW), Ok(400.0));
    assert_eq!(value(&run, Metric::EnergyPerOutputTokenJ), Ok(0.5));
}

#[test]
fn a_share_of_the_kv_cache_above_all_of_it_is_no_figure() {
    let with = |kv_used: f64| {
        let mut engine = engine(20);
        engine.points[3].kv_used = Some(kv_used);
        run(engine, vec![])
    };
    assert_eq!(value(&with(1.0), Metric::KvCachePeakPct), Ok(100.0));
    assert_eq!(
        reason(&with(37.5), Metric::KvCachePeakPct),
        "the engine's page of metrics tells a KV cache that is 3750 % full, which is no share of it"
    );
}

#[test]
fn what_is_not_told_is_absent_with_its_reason() {
    let silent = EngineSeries {
        samples: 30,
        ..EngineSeries::default()
    };
    let mut silent = run(silent, vec![]);
    for metric in [
        Metric::KvCachePeakPct,
        Metric::QueueWaitingP95,
        Metric::Preemptions,
        Metric::PrefixCacheHitRate,
        Metric::KvCacheCapacityTokens,
        Metric::SpecDecodeAcceptanceRate,
    ] {
        let told = reason(&silent, metric);
        assert!(told.starts_with("the engine's page of metrics does not tell"), "{told}");
    }
    silent.gpu = GpuUse::NotMeasured("no NVIDIA driver".into());
    assert_eq!(reason(&silent, Metric::GpuPowerW), "no NVIDIA driver");
    silent.telemetry.engine = EngineUse::NotSampled("404 Not Found".into());
    assert_eq!(
        reason(&silent, Metric::Preemptions),
        "the engine was not sampled: 404 Not Found"
    );
    let mut none = engine(20);
    none.prefix_queries = Some(0);
    assert!(reason(&run(none.clone(), vec![]), Metric::PrefixCacheHitRate).starts_with("nothing was looked up"));
    none.prefix_queries = Some(49);
    assert!(value(&run(none, vec![]), Metric::PrefixCacheHitRate).is_err());
}

#[test]
fn a_series_that_was_asked_for_is_a_figure_or_says_why_not() {
    use crate::{
        metric::{Aggregate, Better, Told},
        session::ToldValue,
    };
    let depth = |aggregate| Metric::Told(Told::of("depth", aggregate, Better::Lower, None).unwrap());
    let with = |metric, value, samples| {
        let told = vec![ToldValue { metric, value, samples }];
        run(EngineSeries { told, ..engine(20) }, vec![])
    };
    let (max, delta) = (depth(Aggregate::Max), depth(Aggregate::Delta));
    let value = |run: &Run, metric| told(run, metric).map(|sample| sample.value);
    assert_eq!(value(&with(max, Some(7.0), 5), max), Ok(7.0));
    assert!(value(&with(max, Some(7.0), 4), max).is_err_and(|why| why.starts_with("it takes 5 samples")));
    assert_eq!(value(&with(delta, Some(7.0), 1), delta), Ok(7.0));
    assert!(value(&with(delta, None, 9), delta).is_err_and(|why| why.contains("does not have it")));
    assert!(value(&with(max, Some(7.0), 9), delta).is_err_and(|why| why.contains("nobody asked")));
}

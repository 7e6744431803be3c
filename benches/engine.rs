//! How long the arithmetic of a verdict takes: a candidate of 60 cells × 12 runs against 30 stored sessions as large,
//! compared and judged.
//!
//! `cargo bench --bench engine`; more than 50 ms is a failure. Reading and measuring the sessions is not part of it.
#![expect(clippy::print_stdout, reason = "a bench tells its figure")]

use std::{collections::BTreeMap, hint::black_box, process::ExitCode, time::Instant};

use perfgate::{
    compare::{Background, compare},
    measure::{CellMeasurements, Measurements, RunValue, Sample, TokenCounts},
    metric::Metric,
    plan::Load,
    verdict::{Policy, judge},
};

const CELLS: u32 = 60;
const SESSIONS: u64 = 30;
const RUNS: u32 = 12;
const LIMIT_MS: f64 = 50.0;

/// A number around 1 that looks random, within 5 %.
fn scatter(seed: u64) -> f64 {
    let bits = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
        >> 33
        & 0x3ff;
    0.95 + f64::from(u32::try_from(bits).unwrap_or(0)) / 10_240.0
}

/// What a closed loop without GPU and SLO has, and why it has no more.
fn value(metric: Metric, seed: u64) -> RunValue {
    if metric.needs_schedule() || metric.is_special() || metric.is_capacity() || metric == Metric::GpuMemoryPeakGb {
        return Err("closed loop has no schedule".into());
    }
    Ok(Sample {
        value: 10.0 * scatter(seed),
        samples: 1000,
        ..Sample::default()
    })
}

fn cell(streams: u32, seed: u64) -> CellMeasurements {
    let series = |metric: Metric| -> Vec<RunValue> {
        let first = seed + metric.key().len() as u64 * 7919;
        (first..).take(RUNS as usize).map(|seed| value(metric, seed)).collect()
    };
    let series: BTreeMap<Metric, Vec<RunValue>> =
        Metric::ALL.into_iter().map(|metric| (metric, series(metric))).collect();
    CellMeasurements {
        name: format!("synthetic-512/128 @ c={streams}"),
        load: Load::Concurrency(streams),
        stage: None,
        repeats: (0..RUNS).collect(),
        series,
        output_tokens_mean: Some(128.0),
        token_counts: Some(TokenCounts::Usage),
        work: Vec::new(),
        circumstances: Vec::new(),
        stated_memory_gb: None,
        skipped: None,
    }
}

fn session(seed: u64) -> Measurements {
    Measurements {
        commit: None,
        started_unix_s: seed,
        pairing: None,
        cells: (1..=CELLS)
            .map(|streams| cell(streams, seed * 1_000_003 + u64::from(streams) * 1009))
            .collect(),
    }
}

fn main() -> ExitCode {
    let background = Background {
        history: (1..SESSIONS).map(session).collect(),
        ..Background::default()
    };
    let (baseline, candidate) = (session(SESSIONS), session(SESSIONS + 1));
    let policy = Policy::default();
    let mut fastest_ms = f64::INFINITY;
    for round in 1..=10 {
        let start = Instant::now();
        let comparison = compare(&baseline, &candidate, &background);
        let compared_ms = start.elapsed().as_secs_f64() * 1e3;
        let judgement = black_box(judge(&comparison, &policy));
        let ms = start.elapsed().as_secs_f64() * 1e3;
        fastest_ms = fastest_ms.min(ms);
        println!(
            "round {round}: {CELLS} cells × {SESSIONS} sessions × {RUNS} runs: {ms:.1} ms, {compared_ms:.1} of them to compare, {} checks",
            judgement.checks.len()
        );
    }
    println!("fastest {fastest_ms:.1} ms, limit {LIMIT_MS} ms");
    ExitCode::from(u8::from(fastest_ms > LIMIT_MS))
}

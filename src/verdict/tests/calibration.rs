//! How often the whole rule is wrong and right on noise with a known effect.

use super::*;
use crate::{
    compare::Comparison,
    measure::{CellMeasurements, Measurements, Sample},
    plan::Load,
    session::{PairArm, Pairing},
};

/// Normal noise from a small generator: Knuth's MMIX constants, then Box and Muller.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Five cells with TPOT and throughput; the first cell's TPOT is `slower` in the candidate.
fn noisy_comparison(noise: &mut Noise, runs: usize, sd: f64, slower: f64) -> Comparison {
    let mut arm = |slower: f64, arm: PairArm| Measurements {
        commit: None,
        started_unix_s: 0,
        pairing: Some(Pairing {
            id: "a0".into(),
            arm,
            looks: vec![5],
            blocks: 1,
            remeasured: Vec::new(),
            stopped_early: None,
        }),
        cells: (0..5)
            .map(|cell| {
                let mut series = |centre: f64| -> Vec<_> {
                    let value = |noise: &mut Noise| centre * (sd * noise.normal()).exp();
                    (0..runs)
                        .map(|_| {
                            Ok(Sample {
                                value: value(noise),
                                samples: 200,
                                ..Sample::default()
                            })
                        })
                        .collect()
                };
                let tpot_ms = if cell == 0 { 10.0 * slower } else { 10.0 };
                CellMeasurements {
                    name: format!("cell {cell}"),
                    load: Load::Concurrency(cell + 1),
                    stage: None,
                    repeats: (0..).take(runs).collect(),
                    series: BTreeMap::from([(TPOT, series(tpot_ms)), (Metric::OutputTokensPerS, series(1000.0))]),
                    output_tokens_mean: Some(16.0),
                    token_counts: None,
                    work: Vec::new(),
                    circumstances: Vec::new(),
                    stated_memory_gb: None,
                    skipped: None,
                }
            })
            .collect(),
    };
    let baseline = arm(1.0, PairArm::Baseline);
    compare(&baseline, &arm(slower, PairArm::Candidate), &Background::default())
}

/// How often 400 comparisons of ten blocking checks get this verdict.
fn rate(runs: usize, sd: f64, slower: f64, verdict: Verdict) -> f64 {
    let mut noise = Noise(7);
    let policy = policy(&[
        (TPOT, 0.05, Action::Block, None),
        (Metric::OutputTokensPerS, 0.05, Action::Block, None),
    ]);
    let sessions = 400;
    let hits = (0..sessions)
        .filter(|_| judge(&noisy_comparison(&mut noise, runs, sd, slower), &policy).verdict == verdict)
        .count();
    crate::stats::real(hits) / f64::from(sessions)
}

#[test]
fn no_change_rarely_blocks() {
    assert!(rate(5, 0.02, 1.0, Verdict::Regression) <= 0.01);
    assert!(rate(3, 0.02, 1.0, Verdict::Regression) <= 0.01);
    assert!(rate(5, 0.06, 1.0, Verdict::Regression) <= 0.01);
}

#[test]
fn a_slowdown_of_twice_the_limit_is_found_and_one_within_it_is_not_blocked() {
    assert!(rate(5, 0.02, 1.10, Verdict::Regression) >= 0.6);
    assert!(rate(5, 0.02, 1.045, Verdict::Regression) <= 0.1);
}

#[test]
fn two_runs_never_settle_anything() {
    assert!((rate(2, 0.001, 1.5, Verdict::Inconclusive) - 1.0).abs() < 1e-12);
}

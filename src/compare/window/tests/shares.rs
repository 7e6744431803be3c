//! Shares of sessions measured apart: what chance and drift make of them, and how often equal software is blocked.

use super::*;
use crate::stats::normal;

const SHARE: Metric = Metric::SloAttainment;

/// Runs of 200 requests with these shares, in a session whose shares would be those if it were slower.
fn shares(values: &[f64], slower: [f64; SLOWER_STEPS]) -> Measurements {
    let mut found = one(SHARE, values);
    let runs = found.cells[0].series.get_mut(&SHARE).unwrap();
    runs.iter_mut().flatten().for_each(|run| run.slower = Some(slower));
    found
}

#[test]
fn a_share_that_fell_far_is_beyond_its_limit_and_one_that_stayed_within() {
    let baseline = shares(&[0.99, 0.995, 0.985], [0.985, 0.98, 0.97, 0.96, 0.95]);
    let at = |values: &[f64]| {
        let change = found(&[], &baseline, &shares(values, [0.0; SLOWER_STEPS]))
            .change
            .unwrap();
        let limit = change.scale.limit(Better::Higher, 0.05);
        (change, change.test(limit).unwrap())
    };
    let (change, fell) = at(&[0.80, 0.79, 0.81]);
    assert!(fell.p_real < 0.003 && fell.p_beyond < 0.10, "{fell:?}");
    assert!((change.scale.raw_change(Better::Higher, change.log_difference) + 0.19).abs() < 0.005);
    let (_, same) = at(&[0.985, 0.99, 0.995]);
    assert!(same.p_within < 0.05 && same.p_real > 0.3, "{same:?}");
    let (_, all) = at(&[1.0; 3]);
    assert!(all.p_within < 0.05 && all.p_better > 0.01, "{all:?}");
}

#[test]
fn an_slo_just_above_where_latencies_are_is_no_proof_of_anything() {
    // All would be late if times were 12 % longer: two usual drifts.
    let baseline = shares(&[0.99, 0.995, 0.985], [0.8, 0.0, 0.0, 0.0, 0.0]);
    let change = found(&[], &baseline, &shares(&[0.80, 0.79, 0.81], [0.0; SLOWER_STEPS]))
        .change
        .unwrap();
    let limit = change.scale.limit(Better::Higher, 0.05);
    assert!(change.test(limit).unwrap().p_real > 0.05);
    let Noise::Stored(noise) = change.noise else {
        panic!("{change:?}")
    };
    assert!(noise.session_variance > 4.0, "{noise:?}");
}

#[test]
fn runs_that_are_all_alike_vary_as_a_coin_would() {
    let all = shares(&[1.0; 5], [1.0; SLOWER_STEPS]);
    let Noise::Stored(noise) = found(&[], &all, &all).change.unwrap().noise else {
        panic!("a stored comparison")
    };
    assert!((0.15..0.3).contains(&noise.run_variance), "{noise:?}");
    assert!((noise.session_variance - SHARE_DRIFT.powi(2)).abs() < 1e-12);
}

#[test]
fn utilisation_drifts_as_a_share_and_its_looks_are_no_trials() {
    let util = Metric::GpuUtilizationPct;
    let mut longer = one(util, &[97.0, 98.0, 97.5]);
    let runs = longer.cells[0].series.get_mut(&util).unwrap();
    runs.iter_mut().flatten().for_each(|run| run.samples = 400);
    let change = found(&[], &one(util, &[97.0, 98.0, 97.5]), &longer).change.unwrap();
    assert!(change.log_difference.abs() < 1e-12 && matches!(change.scale, Scale::Share { .. }));
}

/// A server whose latencies spread by so much, and meet their SLO so many spreads away, in sessions that drift.
#[derive(Clone, Copy)]
struct Promise {
    metric: Metric,
    stored: usize,
    spread: f64,
    /// The share that is met on a usual day.
    share: f64,
    drift_sd: f64,
    /// By how much the candidate is slower, on the log scale.
    slower: f64,
}

impl Promise {
    fn session(&self, noise: &mut synthetic::Noise, slower: f64) -> Measurements {
        let place = normal::quantile(self.share).unwrap();
        let met = |late: f64| normal::cdf(place - late / self.spread);
        // A closed loop sends fewer requests where they take longer.
        let of_share = |share: f64, late: f64| {
            if self.metric == SHARE {
                share
            } else {
                10.0 * (-late).exp() * share
            }
        };
        let cells: Vec<_> = (0..5)
            .map(|_| {
                let late = self.drift_sd * noise.next() + slower;
                let runs = (0..5).map(|_| {
                    let share = met(late + 0.019 * noise.next());
                    let hits = (200.0 * share + (200.0 * share * (1.0 - share)).sqrt() * noise.next()).round();
                    of_share((hits / 200.0).clamp(0.005, 1.0), late)
                });
                (vec![(self.metric, runs.collect::<Vec<f64>>())], late)
            })
            .collect();
        let (series, late): (Vec<_>, Vec<f64>) = cells.into_iter().unzip();
        let mut found = measurements(&series);
        for (cell, late) in found.cells.iter_mut().zip(late) {
            let mut steps = 0.0;
            let slower = [(); SLOWER_STEPS].map(|()| {
                steps += SLOWER_STEP;
                of_share(met(late + steps), late)
            });
            let runs = cell.series.get_mut(&self.metric).unwrap();
            runs.iter_mut().flatten().for_each(|run| run.slower = Some(slower));
        }
        found
    }

    /// In how many of so many comparisons any of five checks is real (Holm, 1 %) and beyond 5 % (90 %).
    fn blocked(&self, comparisons: u64) -> usize {
        let once = |seed: &u64| {
            let noise = &mut synthetic::Noise::new(seed + 7_000 * self.stored as u64);
            let mut history: Vec<_> = (0..self.stored).map(|_| self.session(noise, 0.0)).collect();
            let baseline = history.pop().unwrap();
            let candidate = self.session(noise, self.slower);
            let background = Background {
                history,
                ..Background::default()
            };
            let found = compare(&baseline, &candidate, &background);
            let tests = found
                .cells
                .iter()
                .flat_map(|cell| &cell.metrics)
                .filter_map(|(metric, found)| {
                    let change = found.change?;
                    change.test(change.scale.limit(metric.better(), 0.05))
                });
            let tests: Vec<_> = tests.collect();
            assert_eq!(tests.len(), 5);
            let real = holm::adjusted(&tests.iter().map(|test| test.p_real).collect::<Vec<_>>());
            real.iter()
                .zip(&tests)
                .any(|(real, test)| *real <= 0.01 && test.p_beyond <= 0.10)
        };
        (0..comparisons).filter(once).count()
    }
}

#[test]
fn shares_of_servers_that_drift_are_blocked_as_rarely_however_near_their_slo_is() {
    for stored in [1, 3, 8] {
        for (spread, share) in [
            (0.3, 0.99),
            (0.3, 0.6),
            (0.1, 0.99),
            (0.1, 0.9),
            (0.03, 0.99),
            (0.03, 0.9999),
        ] {
            for drift_sd in [0.01, 0.03, 0.05] {
                let case = Promise {
                    metric: SHARE,
                    stored,
                    spread,
                    share,
                    drift_sd,
                    slower: 0.0,
                };
                for metric in [SHARE, Metric::GoodputRps] {
                    let blocked = Promise { metric, ..case }.blocked(200);
                    assert!(
                        blocked <= 3,
                        "{metric:?}, {stored} stored, spread {spread}, {share} met, drift {drift_sd}: {blocked} of 200"
                    );
                }
            }
        }
    }
}

#[test]
fn a_share_that_falls_from_99_to_70_percent_is_found_where_drift_does_not_explain_it() {
    // Latencies that spread by 30 % are 54 % longer.
    for metric in [SHARE, Metric::GoodputRps] {
        let case = Promise {
            metric,
            stored: 1,
            spread: 0.3,
            share: 0.99,
            drift_sd: 0.01,
            slower: 0.54,
        };
        let blocked = case.blocked(60);
        assert!(blocked >= 57, "{metric:?}: {blocked} of 60");
    }
}

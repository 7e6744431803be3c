//! Slow creep: how often it is found, and how often it is told where there is none.

use super::*;
use crate::{
    compare::{
        Noise,
        change::log_limit,
        synthetic::{self, TPOT, measurements, one},
    },
    stats::holm,
};

fn sessions(levels: &[f64]) -> Vec<Measurements> {
    let of = |level: &f64| one(TPOT, &[*level, level * 1.01, level * 0.99]);
    levels.iter().map(of).collect()
}

/// The change of TPOT, with the numbers of sessions of then and of now.
fn found(before: &[f64], pinned: f64, since: &[f64], candidate: f64) -> (Change, usize, usize) {
    let around = Around {
        before: sessions(before),
        since: sessions(since),
    };
    let of = |level: f64| sessions(&[level]).remove(0);
    let comparison = compare_levels(&of(pinned), &of(candidate), &around);
    let change = comparison.cells[0].metrics[&TPOT].change.unwrap();
    let Noise::Stored(noise) = change.noise else {
        panic!("{change:?}")
    };
    (change, noise.sessions, noise.candidate_sessions)
}

#[test]
fn each_side_is_the_mean_of_its_last_five_sessions_and_of_no_session_twice() {
    for (before, since, expected) in [
        (0, 0, (1, 1)),
        (2, 1, (3, 2)),
        (4, 4, (5, 5)),
        (9, 9, (5, 5)),
        (9, 0, (5, 1)),
    ] {
        let (change, then, now) = found(&vec![10.0; before], 10.0, &vec![11.0; since], 11.0);
        assert_eq!((then, now), expected, "{before} before, {since} since");
        assert!((change.log_difference - 1.1_f64.ln()).abs() < 1e-12);
        assert_eq!((change.n_baseline, change.n_candidate), (3, 3));
    }
}

#[test]
fn a_level_holds_no_session_from_before_it_changed() {
    let mut since = vec![10.0; 8];
    since.extend([12.0, 12.01]);
    let (change, _, now) = found(&[10.0; 4], 10.0, &since, 12.02);
    assert_eq!(now, 3, "too few for a change of level, and too far off for the old one");
    assert!((change.log_difference - 1.2_f64.ln()).abs() < 0.001);
    let mut before = vec![8.0; 6];
    before.extend([10.0, 10.01]);
    assert_eq!(found(&before, 10.02, &[10.0; 4], 10.0).1, 3);
}

#[test]
fn noise_between_sessions_is_that_of_neighbours_and_creep_is_none() {
    let creeping: Vec<f64> = (1..=20).map(|at| 10.0 * 1.005_f64.powi(at)).collect();
    let wavering: Vec<f64> = (0..20_i32).map(|at| 10.0 * (0.03 * f64::from(at % 2)).exp()).collect();
    let sd = |since: &[f64]| {
        let (change, ..) = found(&[10.0; 4], 10.0, since, *since.last().unwrap());
        let Noise::Stored(noise) = change.noise else {
            panic!("{change:?}")
        };
        (noise.session_variance.sqrt(), noise.session_df)
    };
    // Half a degree of freedom at 6 %, the others at next to nothing; between two levels no difference counts.
    let (creep, df) = sd(&creeping);
    assert!(creep < 0.015 && (8.0..16.0).contains(&df), "{creep} with {df}");
    // Neighbours 3 % apart: 2.1 % each, and what is taken for granted.
    let (wave, df) = sd(&wavering);
    assert!((0.018..0.024).contains(&wave), "{wave}");
    assert!((df - (0.5 + 2.0 * 23.0 * 23.0 / 68.0)).abs() < 1e-9, "{df}");
}

#[test]
fn higher_is_better_turns_it_round_and_what_is_missing_has_no_change() {
    let throughput = |level: f64| one(Metric::OutputTokensPerS, &[level, level * 1.01]);
    let compared = |candidate: &Measurements, around: &Around| {
        let comparison = compare_levels(&throughput(100.0), candidate, around);
        comparison.cells[0].metrics[&Metric::OutputTokensPerS].change
    };
    let nothing = Around::default();
    assert!(compared(&throughput(80.0), &nothing).unwrap().log_difference > 0.2);
    assert_eq!(compared(&throughput(0.0), &nothing), None);
    assert_eq!(compared(&one(TPOT, &[10.0, 10.1]), &nothing), None);
    // A session around them that lacks the metric is left out.
    let around = Around {
        before: sessions(&[10.0]),
        since: vec![throughput(79.0)],
    };
    let Noise::Stored(noise) = compared(&throughput(80.0), &around).unwrap().noise else {
        unreachable!("sessions measured apart")
    };
    assert_eq!((noise.sessions, noise.candidate_sessions), (1, 2));
}

/// What is simulated: sessions of five runs with run noise 1.9 %, so many of them before and after the pinned one.
#[derive(Clone, Copy)]
struct Case {
    before: usize,
    since: usize,
    drift_sd: f64,
    /// By how much the level creeps up from the pinned session to the last stored one, as a factor.
    creep: f64,
    /// In how many of the five cells TPOT creeps.
    cells: usize,
}

const CLEAN: Case = Case {
    before: 4,
    since: 20,
    drift_sd: 0.03,
    creep: 1.0,
    cells: 0,
};

impl Case {
    /// Five cells with TPOT and throughput, each of which drifts by itself.
    fn session(&self, noise: &mut synthetic::Noise, crept: f64) -> Measurements {
        let cells: Vec<_> = (0..5)
            .map(|cell| {
                let mut series = |worse: f64| -> Vec<f64> {
                    let level = worse.ln() + self.drift_sd * noise.next();
                    (0..5).map(|_| (level + 0.019 * noise.next()).exp()).collect()
                };
                let worse = if cell < self.cells { crept } else { 1.0 };
                vec![(TPOT, series(worse)), (Metric::OutputTokensPerS, series(1.0))]
            })
            .collect();
        measurements(&cells)
    }

    /// Whether any of the ten checks is told: real (Holm, 1 %) and beyond 5 % (90 %).
    fn is_told(&self, seed: u64) -> bool {
        let noise = &mut synthetic::Noise::new(seed);
        let before = (0..self.before).map(|_| self.session(noise, 1.0)).collect();
        let pinned = self.session(noise, 1.0);
        let part = |at: usize| self.creep.powf(real(at.min(self.since)) / real(self.since));
        let since = (1..=self.since).map(|at| self.session(noise, part(at))).collect();
        let candidate = self.session(noise, self.creep);
        let comparison = compare_levels(&pinned, &candidate, &Around { before, since });
        let metrics = comparison.cells.iter().flat_map(|cell| &cell.metrics);
        let tests: Vec<_> = metrics
            .filter_map(|(metric, found)| found.change?.test(log_limit(metric.better(), 0.05)))
            .collect();
        assert_eq!(tests.len(), 10);
        let real = holm::adjusted(&tests.iter().map(|test| test.p_real).collect::<Vec<_>>());
        let mut both = real.iter().zip(&tests);
        both.any(|(real, test)| *real <= 0.01 && test.p_beyond <= 0.10)
    }

    fn told(&self, gates: u64) -> usize {
        (0..gates).filter(|seed| self.is_told(*seed)).count()
    }
}

#[test]
fn a_clean_history_is_told_to_creep_less_than_once_in_a_hundred_gates() {
    for (name, case, gates) in [
        ("3 % drift", CLEAN, 500),
        ("3 % drift, pinned lately", Case { since: 4, ..CLEAN }, 200),
        ("3 % drift, just pinned", Case { since: 0, ..CLEAN }, 200),
        ("3 % drift, the pinned one alone", Case { before: 0, ..CLEAN }, 200),
        (
            "5 % drift",
            Case {
                drift_sd: 0.05,
                ..CLEAN
            },
            200,
        ),
    ] {
        let told = case.told(gates);
        assert!(told as u64 * 100 <= gates, "{name}: {told} of {gates}");
    }
}

#[test]
fn a_creep_of_ten_percent_over_twenty_sessions_is_told() {
    let creeping = |drift_sd: f64, cells: usize| Case {
        drift_sd,
        creep: 1.10,
        cells,
        ..CLEAN
    };
    for (drift_sd, cells, least) in [(0.01, 1, 95), (0.02, 1, 80), (0.03, 1, 45), (0.03, 5, 90)] {
        let told = creeping(drift_sd, cells).told(100);
        assert!(told >= least, "drift {drift_sd}, {cells} cells: {told} of 100");
    }
}

//! Sessions measured apart: which of them count, and how often equal software is blocked and a regression found.

use super::*;
use crate::{
    compare::{
        Background, Comparison, MetricComparison, Noise,
        change::log_limit,
        compare,
        synthetic::{self, TPOT, measurements, one},
    },
    stats::holm,
};

mod shares;

const MEMORY: Metric = Metric::GpuMemoryPeakGb;

fn found(history: &[Measurements], baseline: &Measurements, candidate: &Measurements) -> MetricComparison {
    let background = Background {
        history: history.to_vec(),
        ..Background::default()
    };
    let metric = *candidate.cells[0].series.keys().next().unwrap();
    compare(baseline, candidate, &background).cells[0].metrics[&metric].clone()
}

/// One session a level, of three runs of that TPOT each and of the session's own commit.
fn sessions(levels: &[f64]) -> Vec<Measurements> {
    let of = |(at, level): (u64, &f64)| Measurements {
        commit: Some(format!("c{at}")),
        started_unix_s: at,
        ..one(TPOT, &[*level, level * 1.002, level * 0.998])
    };
    (0..).zip(levels).map(of).collect()
}

fn window(levels: &[f64]) -> Window {
    let mut history = sessions(levels);
    let baseline = history.pop().unwrap();
    found(&history, &baseline, &one(TPOT, &[10.0, 10.1, 10.2]))
        .window
        .unwrap()
}

/// Levels that go up and down by 1 % around ten.
fn steady(count: u32) -> Vec<f64> {
    (0..count).map(|at| 10.0 + 0.1 * f64::from(at % 3) - 0.1).collect()
}

#[test]
fn one_stored_session_is_a_window_of_its_own() {
    let window = window(&[10.0]);
    assert_eq!(
        window,
        Window {
            sessions: 1,
            began_unix_s: vec![0],
            cut_at: None
        }
    );
}

#[test]
fn the_newest_thirty_sessions_are_the_window() {
    assert_eq!(
        window(&steady(40)),
        Window {
            sessions: 30,
            began_unix_s: (10..40).collect(),
            cut_at: None
        }
    );
}

#[test]
fn a_window_begins_after_the_last_change_of_level() {
    let levels: Vec<f64> = steady(20)
        .iter()
        .chain(&[12.0, 12.1, 11.9, 12.0, 12.1])
        .copied()
        .collect();
    let expected = Cut {
        commit: Some("c20".into()),
        started_unix_s: 20,
        left_out: 20,
    };
    assert_eq!(
        window(&levels),
        Window {
            sessions: 5,
            began_unix_s: (20..25).collect(),
            cut_at: Some(expected)
        }
    );
}

#[test]
fn a_step_that_is_too_new_for_a_change_of_level_is_not_blamed_on_the_candidate() {
    for new in 1..=3 {
        let levels: Vec<f64> = steady(12).into_iter().chain(vec![13.0; new]).collect();
        let mut history = sessions(&levels);
        let baseline = history.pop().unwrap();
        let found = found(&history, &baseline, &one(TPOT, &[13.0, 13.1, 12.9]));
        assert_eq!(found.window.as_ref().map(|window| window.sessions), Some(new));
        assert!(found.change.unwrap().log_difference.abs() < 0.01, "{new}");
    }
}

#[test]
fn below_eight_sessions_no_window_is_cut() {
    assert_eq!(window(&[10.0, 10.1, 9.9, 12.0, 12.1, 11.9, 12.0]).sessions, 7);
}

#[test]
fn a_session_counts_only_where_its_metric_is_complete_and_its_runs_are_as_long() {
    let baseline = one(TPOT, &[10.0, 10.1, 9.9]);
    let with = |edit: fn(&mut Measurements)| {
        let mut older = baseline.clone();
        edit(&mut older);
        found(&[older], &baseline, &baseline).window.unwrap().sessions
    };
    assert_eq!(with(|_| ()), 2);
    assert_eq!(with(|older| older.cells.clear()), 1);
    assert_eq!(
        with(|older| older.cells[0].load = crate::plan::Load::Concurrency(99)),
        1
    );
    assert_eq!(with(|older| older.cells[0].skipped = Some("saturated".into())), 1);
    assert_eq!(
        with(|older| older.cells[0].series.get_mut(&TPOT).unwrap()[1] = Err("none".into())),
        1
    );
    let shorter = |older: &mut Measurements| {
        let runs = older.cells[0].series.get_mut(&TPOT).unwrap();
        runs.iter_mut().flatten().for_each(|sample| sample.samples = 100);
    };
    assert_eq!(with(shorter), 1);
}

#[test]
fn the_candidate_is_compared_with_the_mean_of_the_window() {
    let history = sessions(&[9.0, 10.0]);
    let found = found(&history[..1], &history[1], &one(TPOT, &[10.0, 10.02, 9.98]));
    let middle = f64::midpoint(9.0_f64.ln(), 10.0_f64.ln());
    let change = found.change.unwrap();
    assert!((change.log_difference - (10.0_f64.ln() - middle)).abs() < 1e-5);
    let Noise::Stored(noise) = change.noise else {
        panic!("{change:?}")
    };
    // Six degrees of freedom at 6 %, one at what the two means vary by.
    let between = (10.0_f64.ln() - 9.0_f64.ln()).powi(2) / 2.0;
    assert!(
        (noise.session_variance - (6.0 * 0.0036 + between) / 7.0).abs() < 1e-5,
        "{noise:?}"
    );
    assert!((noise.session_df - 7.0).abs() < 1e-12 && noise.sessions == 2);
    assert!((noise.baseline_share - 1.0 / 6.0).abs() < 1e-12);
}

#[test]
fn sides_of_unequal_runs_each_count_for_what_they_have() {
    let found = found(
        &[],
        &one(TPOT, &[10.0, 10.1, 9.9, 10.0, 10.1]),
        &one(TPOT, &[10.0, 10.1, 9.9]),
    );
    let change = found.change.unwrap();
    let Noise::Stored(noise) = change.noise else {
        panic!("{change:?}")
    };
    let variance = noise.run_variance * (1.0 / 5.0 + 1.0 / 3.0) + noise.session_variance * 2.0;
    assert!((change.se - variance.sqrt()).abs() < 1e-12);
    assert_eq!((change.n_baseline, change.n_candidate), (5, 3));
}

#[test]
fn higher_is_better_turns_the_change_round() {
    let throughput = Metric::OutputTokensPerS;
    let found = found(&[], &one(throughput, &[100.0, 101.0]), &one(throughput, &[80.0, 81.0]));
    assert!(found.change.unwrap().log_difference > 0.2, "less throughput is worse");
}

#[test]
fn one_run_a_side_says_nothing_unless_older_sessions_know_the_noise() {
    let single = one(TPOT, &[10.0]);
    assert_eq!(found(&[], &single, &single).change, None);
    assert!(found(&sessions(&[10.0]), &single, &single).change.is_some());
}

#[test]
fn constant_memory_is_within_its_limit_and_an_eighth_more_is_beyond_it() {
    let baseline = one(MEMORY, &[60.0; 3]);
    let at = |gb: f64| found(&[], &baseline, &one(MEMORY, &[gb; 3])).change.unwrap();
    let limit = log_limit(Better::Lower, 0.10);
    assert!(at(60.0).test(limit).unwrap().p_within < 0.001);
    let more = at(67.2).test(limit).unwrap();
    assert!(more.p_real < 0.001 && more.p_beyond < 0.10, "{more:?}");
}

#[test]
fn values_of_which_no_ratio_can_be_made_have_no_change() {
    let good = one(TPOT, &[10.0, 10.1, 9.9]);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let broken = one(TPOT, &[10.0, bad, 9.9]);
        assert_eq!(found(&[], &good, &broken).change, None, "{bad}");
        assert_eq!(found(&[], &broken, &good).change, None, "{bad}");
        assert_eq!(found(&[broken], &good, &good).window.unwrap().sessions, 1, "{bad}");
    }
}

/// What is simulated: how many stored sessions of how many runs, and the noise of each, on the log scale.
#[derive(Clone, Copy)]
struct Case {
    stored: usize,
    runs: usize,
    run_sd: f64,
    drift_sd: f64,
    /// Share of runs that a neighbour makes slower by about 15 %.
    slow: f64,
    /// By how much the candidate's first check is worse, as a factor.
    worse: f64,
}

const QUIET: Case = Case {
    stored: 1,
    runs: 5,
    run_sd: 0.019,
    drift_sd: 0.03,
    slow: 0.0,
    worse: 1.0,
};

const SHARED: Case = Case {
    run_sd: 0.065,
    slow: 0.10,
    ..QUIET
};

impl Case {
    /// Five cells with TPOT and throughput, each of which drifts by itself from session to session.
    fn session(&self, noise: &mut synthetic::Noise, worse: f64) -> Measurements {
        let cells: Vec<_> = (0..5)
            .map(|cell| {
                let mut series = |sign: f64, worse: f64| -> Vec<f64> {
                    let level = self.drift_sd * noise.next() + worse.ln();
                    let run = |noise: &mut synthetic::Noise| {
                        let is_slow = (noise.next().abs() > 1.645) && self.slow > 0.0;
                        let slow = if is_slow {
                            (0.15 + 0.05 * noise.next()).abs()
                        } else {
                            0.0
                        };
                        (sign * (level + self.run_sd * noise.next() + slow)).exp()
                    };
                    (0..self.runs).map(|_| run(noise)).collect()
                };
                let first = if cell == 0 { worse } else { 1.0 };
                vec![
                    (TPOT, series(1.0, first)),
                    (Metric::OutputTokensPerS, series(-1.0, 1.0)),
                ]
            })
            .collect();
        measurements(&cells)
    }

    fn comparison(&self, noise: &mut synthetic::Noise) -> Comparison {
        let mut history: Vec<_> = (0..self.stored).map(|_| self.session(noise, 1.0)).collect();
        let baseline = history.pop().unwrap();
        let candidate = self.session(noise, self.worse);
        let background = Background {
            history,
            ..Background::default()
        };
        compare(&baseline, &candidate, &background)
    }

    /// In how many of so many comparisons any of the ten checks is real (Holm, 1 %) and beyond 5 % (90 %).
    fn blocked(&self, comparisons: u64) -> usize {
        let once = |seed: &u64| {
            let found = self.comparison(&mut synthetic::Noise::new(seed + 1000 * self.stored as u64));
            let tests = found
                .cells
                .iter()
                .flat_map(|cell| &cell.metrics)
                .filter_map(|(metric, found)| found.change?.test(log_limit(metric.better(), 0.05)));
            let tests: Vec<_> = tests.collect();
            assert_eq!(tests.len(), 10);
            let real = holm::adjusted(&tests.iter().map(|test| test.p_real).collect::<Vec<_>>());
            real.iter()
                .zip(&tests)
                .any(|(real, test)| *real <= 0.01 && test.p_beyond <= 0.10)
        };
        (0..comparisons).filter(once).count()
    }
}

#[test]
fn one_stored_session_never_blocks_equal_software() {
    for (name, case) in [
        ("3 % drift", QUIET),
        (
            "5 % drift",
            Case {
                drift_sd: 0.05,
                ..QUIET
            },
        ),
        (
            "5 % drift, three runs",
            Case {
                drift_sd: 0.05,
                runs: 3,
                ..QUIET
            },
        ),
        ("shared runner", SHARED),
        ("shared runner, three runs", Case { runs: 3, ..SHARED }),
    ] {
        assert_eq!(case.blocked(300), 0, "{name}");
    }
}

#[test]
fn one_stored_session_blocks_a_server_of_half_the_speed() {
    for runs in [3, 5] {
        for run_sd in [0.019, 0.065] {
            let case = Case {
                runs,
                run_sd,
                worse: 2.0,
                ..QUIET
            };
            let blocked = case.blocked(60);
            assert!(blocked >= 58, "{runs} runs of {run_sd}: {blocked} of 60");
        }
    }
}

#[test]
fn a_history_blocks_equal_software_about_as_rarely_and_finds_twice_the_limit_where_it_drifts_little() {
    for stored in [8, 20] {
        let drifting = Case { stored, ..QUIET };
        let blocked = drifting.blocked(300);
        assert!(blocked <= 4, "{stored} sessions: {blocked} of 300");
        let steady = Case {
            drift_sd: 0.01,
            worse: 1.10,
            ..drifting
        };
        let (blocked, least) = (steady.blocked(60), if stored == 8 { 30 } else { 50 });
        assert!(blocked >= least, "{stored} sessions: {blocked} of 60");
    }
}

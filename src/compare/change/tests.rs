//! Worked changes of both designs, and what they must never do.

use proptest::prelude::*;

use super::*;

const PRIOR: Prior = Prior {
    variance: 0.0004,
    df: 50.0,
    from: PriorFrom::Measurements(20),
};

#[test]
fn pairs_without_a_prior_are_the_plain_paired_t() {
    // scipy.stats.ttest_1samp([0.01, 0.03, 0.05, 0.04, 0.02], 0, alternative="greater")
    let change = Change::of_pairs(&[0.01, 0.03, 0.05, 0.04, 0.02], None).unwrap();
    assert!((change.log_difference - 0.03).abs() < 1e-15 && (change.df - 4.0).abs() < 1e-15);
    assert!((change.test(0.05).unwrap().p_real - 0.006_617_799_781_841_345).abs() < 1e-12);
}

#[test]
fn a_prior_carries_a_single_pair_and_without_one_there_is_no_change() {
    let change = Change::of_pairs(&[0.02], Some(PRIOR)).unwrap();
    assert!((change.se - 0.02).abs() < 1e-15 && (change.df - 50.0).abs() < 1e-12);
    assert_eq!(Change::of_pairs(&[0.02], None), None);
    assert_eq!(Change::of_pairs(&[], Some(PRIOR)), None);
}

#[test]
fn constant_pairs_get_the_floor_and_not_certainty() {
    let change = Change::of_pairs(&[0.0; 5], None).unwrap();
    assert!((change.se - RUN_SD_FLOOR / 5.0_f64.sqrt()).abs() < 1e-15);
    assert!((change.test(0.1).unwrap().p_real - 0.5).abs() < 1e-12);
}

#[test]
fn what_is_no_number_makes_no_change() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Change::of_pairs(&[0.0, bad, 0.1], Some(PRIOR)), None);
        let noise = Stored {
            session_variance: bad,
            ..stored()
        };
        assert_eq!(Change::of_sessions(0.0, noise, 5, 5), None);
        assert_eq!(Change::of_sessions(bad, stored(), 5, 5), None);
    }
    let no_run = Stored {
        candidate_share: f64::INFINITY,
        ..stored()
    };
    assert_eq!(Change::of_sessions(0.0, no_run, 5, 0), None);
}

fn stored() -> Stored {
    Stored {
        run_variance: 0.0004,
        run_df: 8.0,
        session_variance: 0.0009,
        session_df: 6.0,
        sessions: 1,
        baseline_share: 0.2,
        candidate_sessions: 1,
        candidate_share: 0.2,
    }
}

#[test]
fn sessions_measured_apart_add_their_own_noise_to_that_of_the_runs() {
    let change = Change::of_sessions(0.1, stored(), 5, 5).unwrap();
    let (runs, sessions) = (0.0004 * 0.4, 0.0009 * 2.0);
    let total: f64 = runs + sessions;
    assert!((change.se - total.sqrt()).abs() < 1e-15);
    let df = total * total / (runs * runs / 8.0 + sessions * sessions / 6.0);
    assert!((change.df - df).abs() < 1e-12);
    let sure = Stored {
        session_df: 40.0,
        run_df: 90.0,
        ..stored()
    };
    let sure = Change::of_sessions(0.1, sure, 5, 5).unwrap();
    assert!((sure.df - SESSIONS_DF).abs() < 1e-12, "sessions have long tails");
}

#[test]
fn a_level_of_several_sessions_is_surer_on_either_side() {
    let both = Stored {
        sessions: 5,
        baseline_share: 0.04,
        candidate_sessions: 4,
        candidate_share: 0.05,
        ..stored()
    };
    let change = Change::of_sessions(0.1, both, 5, 5).unwrap();
    let variance: f64 = 0.0004 * 0.09 + 0.0009 * (0.25 + 0.2);
    assert!((change.se - variance.sqrt()).abs() < 1e-15);
    let later = change.after(5).unwrap();
    let shares = 0.09 - 0.1 / 25.0 - 0.1 / 16.0;
    let variance: f64 = 0.0004 * shares + 0.0009 * 0.45;
    assert!((later.se - variance.sqrt()).abs() < 1e-15, "of one session of many");
}

#[test]
fn more_runs_leave_the_noise_between_sessions_where_it_is() {
    let change = Change::of_sessions(0.1, stored(), 5, 5).unwrap();
    let later = change.after(1000).unwrap();
    assert!(later.se < change.se && later.se > (0.0009_f64 * 2.0).sqrt());
}

#[test]
fn limits_and_changes_know_which_way_is_worse() {
    for (better, threshold, raw) in [
        (Better::Lower, 0.05, 0.05),
        (Better::Higher, 0.05, -0.05),
        (Better::Higher, 0.9, -0.9),
    ] {
        let limit = log_limit(better, threshold);
        assert!(limit > 0.0);
        assert!((raw_change(better, limit) - raw).abs() < 1e-12);
    }
    assert!(log_limit(Better::Higher, 1.0).is_infinite());
}

proptest! {
    #[test]
    fn swapped_arms_are_the_opposite_change(pairs in prop::collection::vec(-1.0..1.0_f64, 2..12)) {
        let swapped: Vec<f64> = pairs.iter().map(|d| -d).collect();
        let (there, back) = (Change::of_pairs(&pairs, None).unwrap(), Change::of_pairs(&swapped, None).unwrap());
        prop_assert!((there.log_difference + back.log_difference).abs() < 1e-12);
        prop_assert!((there.se - back.se).abs() < 1e-12);
    }

    #[test]
    fn more_pairs_never_make_it_less_certain(pairs in prop::collection::vec(-1.0..1.0_f64, 2..12), more in 0..20_usize) {
        let change = Change::of_pairs(&pairs, Some(PRIOR)).unwrap();
        let later = change.after(more).unwrap();
        prop_assert!(later.se <= change.se + 1e-12 && later.df >= change.df);
        prop_assert_eq!(later.n_candidate, pairs.len() + more);
    }

    #[test]
    fn more_runs_never_make_it_less_certain(
        runs in 1..12_usize, sessions in 1..30_usize, between in 1e-6..1e-2_f64, more in 0..20_usize,
    ) {
        let noise = Stored {
            session_variance: between,
            sessions,
            baseline_share: 1.0 / (real(runs) * real(sessions)),
            candidate_share: 1.0 / real(runs),
            ..stored()
        };
        let change = Change::of_sessions(0.0, noise, runs, runs).unwrap();
        prop_assert!(change.after(more).unwrap().se <= change.se + 1e-12);
    }

    #[test]
    fn a_worse_figure_is_never_less_beyond_and_never_more_within(shift in 0.0..1.0_f64) {
        let at = |by: f64| Change::of_pairs(&[by, by + 0.01, by - 0.01], Some(PRIOR)).unwrap().test(0.05).unwrap();
        prop_assert!(at(shift).p_beyond <= at(0.0).p_beyond && at(shift).p_within >= at(0.0).p_within);
    }
}

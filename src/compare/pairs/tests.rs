//! Which runs make a pair, and where the prior of their noise comes from.

use super::*;
use crate::{
    compare::{
        Background, Comparison, Design, PairNoise, PairVariance,
        change::log_limit,
        compare,
        synthetic::{self, TPOT, arm, measurements, one},
    },
    measure::Measurements,
    session::PairArm,
    stats::holm,
};

fn paired(old: Measurements, new: Measurements, noise: &[PairVariance]) -> Comparison {
    let background = Background {
        pair_noise: PairNoise(noise.to_vec()),
        ..Background::default()
    };
    compare(&arm(PairArm::Baseline, old), &arm(PairArm::Candidate, new), &background)
}

fn change(comparison: &Comparison) -> Change {
    comparison.cells[0].metrics[&TPOT].change.unwrap()
}

fn prior(change: &Change) -> Option<Prior> {
    match change.noise {
        Noise::Paired { prior, .. } => prior,
        Noise::Stored(_) => panic!("{change:?}"),
    }
}

fn earlier_noise(id: &str, at: u64) -> PairVariance {
    PairVariance {
        id: id.into(),
        measured_unix_s: at,
        cell: "cell 1".into(),
        metric: TPOT,
        blocks: 1,
        variance: 0.0004,
        df: 4,
    }
}

#[test]
fn each_pair_has_one_log_ratio_above_zero_for_worse() {
    for (metric, factor) in [(TPOT, 1.1), (Metric::OutputTokensPerS, 1.0 / 1.1)] {
        let old = one(metric, &[10.0, 20.0, 40.0]);
        let new = one(metric, &[10.0 * factor, 20.0 * factor, 40.0 * factor]);
        let found = paired(old, new, &[]);
        let change = found.cells[0].metrics[&metric].change.unwrap();
        assert!((change.log_difference - 1.1_f64.ln()).abs() < 1e-12, "{metric}");
        assert!(
            (change.se - RUN_SD_FLOOR / 3.0_f64.sqrt()).abs() < 1e-12,
            "what the pairs share is no noise"
        );
        assert_eq!(change.n_candidate, 3);
    }
}

#[test]
fn pairs_are_matched_by_repeat_and_a_run_without_a_partner_is_left_out() {
    let old = one(TPOT, &[10.0, 20.0, 40.0]);
    let mut new = one(TPOT, &[44.0, 11.0, 99.0]);
    new.cells[0].repeats = vec![2, 0, 7];
    let found = paired(old, new, &[]);
    assert!((change(&found).log_difference - 1.1_f64.ln()).abs() < 1e-12);
    let metric = &found.cells[0].metrics[&TPOT];
    assert_eq!(metric.baseline.values, [10.0, 40.0]);
    assert_eq!((change(&found).n_candidate, &metric.window), (2, &None));
    let expected = Design::Paired {
        pairs: 2,
        looks: vec![3, 5],
        blocks: 1,
    };
    assert_eq!(found.design, expected);
}

#[test]
fn a_pair_with_a_missing_value_leaves_no_change() {
    let (old, mut new) = (one(TPOT, &[10.0, 20.0]), one(TPOT, &[10.0, 20.0]));
    new.cells[0].series.get_mut(&TPOT).unwrap()[1] = Err("no request completed".into());
    let found = paired(old, new, &[]);
    let metric = &found.cells[0].metrics[&TPOT];
    assert_eq!((metric.change, metric.is_complete()), (None, false));
}

#[test]
fn sessions_of_different_measurements_are_no_pairs() {
    let (old, mut new) = (
        arm(PairArm::Baseline, one(TPOT, &[10.0, 10.1])),
        arm(PairArm::Candidate, one(TPOT, &[10.0, 10.1])),
    );
    new.pairing.as_mut().unwrap().id = "b1".into();
    assert_eq!(
        compare(&old, &new, &Background::default()).design,
        Design::Apart { sessions: 1 }
    );
}

#[test]
fn earlier_measurements_of_the_cell_make_the_prior() {
    let pairs = || (one(TPOT, &[10.0, 10.0, 10.0]), one(TPOT, &[10.0, 10.1, 10.2]));
    let known = |noise: &[PairVariance]| prior(&change(&paired(pairs().0, pairs().1, noise)));
    let noise: Vec<PairVariance> = (0..40).map(|at| earlier_noise(&format!("m{at}"), at)).collect();
    let expected = Prior {
        variance: 0.0004,
        df: 50.0,
        from: PriorFrom::Measurements(30),
    };
    let found = known(&noise).unwrap();
    assert!((found.variance - expected.variance).abs() < 1e-12);
    assert_eq!((found.df, found.from), (expected.df, expected.from));
    let unlike: [fn(&mut PairVariance); 6] = [
        |one| one.cell = "cell 2".into(),
        |one| one.metric = Metric::Qps,
        |one| one.blocks = 20,
        |one| one.id = "a0".into(),
        |one| one.df = 0,
        |one| one.variance = f64::NAN,
    ];
    for edit in unlike {
        let mut other = earlier_noise("m0", 0);
        edit(&mut other);
        assert_eq!(known(&[other]), None);
    }
}

#[test]
fn without_earlier_measurements_the_other_cells_are_worth_half() {
    let noisy = |by: f64| vec![(TPOT, vec![10.0, 10.0 * by, 10.0 / by])];
    let flat = vec![(TPOT, vec![10.0; 3])];
    let found = paired(
        measurements(&[flat.clone(), flat.clone(), flat]),
        measurements(&[noisy(1.01), noisy(1.02), noisy(1.04)]),
        &[],
    );
    let known = prior(&change(&found)).unwrap();
    let pooled = f64::midpoint(1.02_f64.ln().powi(2), 1.04_f64.ln().powi(2));
    assert!(
        (known.variance - pooled).abs() < 1e-12,
        "its own pairs are no prior of theirs"
    );
    assert_eq!((known.df, known.from), (2.0, PriorFrom::OtherCells(2)));
    let alone = paired(one(TPOT, &[10.0; 3]), one(TPOT, &[10.0, 10.1, 10.2]), &[]);
    assert_eq!(prior(&change(&alone)), None, "one cell has no other");
}

#[test]
fn quiet_cells_lend_a_noisy_one_no_certainty() {
    let noisy = |by: f64| vec![(TPOT, vec![10.0, 10.0 * by, 10.0 / by])];
    let flat = vec![(TPOT, vec![10.0; 3])];
    let found = paired(
        measurements(&[flat.clone(), flat]),
        measurements(&[noisy(1.10), noisy(1.01)]),
        &[],
    );
    assert_eq!(prior(&change(&found)), None);
    let quiet = found.cells[1].metrics[&TPOT].change.unwrap();
    assert!(
        prior(&quiet).is_some(),
        "the other way round it makes the quiet one careful"
    );
}

/// In how many of so many measurements without a change a gate of ten blocking checks would block at any of its looks,
/// where the runs of the last of five cells vary by this and those of the others by 1 %.
fn blocked(gates: u64, noisy_sd: f64) -> usize {
    let levels = (0.003_366_602, 0.041_279_694);
    let once = |seed: &u64| {
        let noise = &mut synthetic::Noise::new(*seed);
        let mut runs = |sd: f64| -> Vec<f64> { (0..12).map(|_| (sd * noise.next()).exp()).collect() };
        let mut side = || -> Vec<[Vec<f64>; 2]> {
            let sds = [0.01, 0.01, 0.01, 0.01, noisy_sd];
            sds.iter().map(|sd| [runs(*sd), runs(*sd)]).collect()
        };
        let (old, new) = (side(), side());
        let first = |cells: &[[Vec<f64>; 2]], look: usize| {
            let cell = |[tpot, throughput]: &[Vec<f64>; 2]| {
                vec![
                    (TPOT, tpot[..look].to_vec()),
                    (Metric::OutputTokensPerS, throughput[..look].to_vec()),
                ]
            };
            measurements(&cells.iter().map(cell).collect::<Vec<_>>())
        };
        [3, 5, 8, 12].into_iter().any(|look| {
            let comparison = paired(first(&old, look), first(&new, look), &[]);
            let metrics = comparison.cells.iter().flat_map(|cell| &cell.metrics);
            let tests = metrics.filter_map(|(metric, found)| found.change?.test(log_limit(metric.better(), 0.05)));
            let tests: Vec<_> = tests.collect();
            assert_eq!(tests.len(), 10);
            let real = holm::adjusted(&tests.iter().map(|test| test.p_real).collect::<Vec<_>>());
            let mut both = real.iter().zip(&tests);
            both.any(|(real, test)| *real <= levels.0 && test.p_beyond <= levels.1)
        })
    };
    (0..gates).filter(once).count()
}

#[test]
fn a_noisy_cell_among_quiet_ones_blocks_nothing_without_earlier_measurements() {
    // 1 % is 10 of 1,000; of 15 it would be improbable (Clopper and Pearson, 95 %).
    for noisy_sd in [0.06, 0.20] {
        let blocked = blocked(1000, noisy_sd);
        assert!(blocked <= 14, "{noisy_sd}: {blocked} of 1000");
    }
}

#[test]
fn one_pair_is_carried_by_its_prior_and_nothing_without_one() {
    let single = || (one(TPOT, &[10.0]), one(TPOT, &[10.2]));
    let known = paired(
        single().0,
        single().1,
        &[earlier_noise("m0", 0), earlier_noise("m1", 1)],
    );
    assert!((change(&known).se - 0.02).abs() < 1e-12);
    let found = paired(single().0, single().1, &[]);
    assert_eq!(found.cells[0].metrics[&TPOT].change, None);
}

#[test]
fn the_noise_of_a_measurement_is_kept_for_the_next() {
    let found = paired(one(TPOT, &[10.0; 3]), one(TPOT, &[10.0, 10.1, 10.2]), &[]);
    let kept = PairNoise::of(&found, "a0", 7);
    assert_eq!(kept.0.len(), 1);
    let expected = PairVariance {
        variance: variance(&[0.0, 1.01_f64.ln(), 1.02_f64.ln()]).unwrap(),
        df: 2,
        ..earlier_noise("a0", 7)
    };
    assert!((kept.0[0].variance - expected.variance).abs() < 1e-15);
    assert_eq!(
        (kept.0[0].df, &kept.0[0].id, &kept.0[0].cell),
        (2, &expected.id, &expected.cell)
    );
    let apart = compare(
        &one(TPOT, &[10.0, 10.1]),
        &one(TPOT, &[10.0, 10.1]),
        &Background::default(),
    );
    assert_eq!(PairNoise::of(&apart, "a0", 7), PairNoise::default());
}

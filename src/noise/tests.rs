use super::*;
use crate::{
    measure::{measure, synthetic::scaled},
    metric::Percentile,
    stats::draws::Draws,
    verdict::Policy,
};

const TPOT: Metric = Metric::Tpot(Percentile::P95);

fn looks() -> Looks {
    Looks {
        pairs: vec![3, 5, 8, 12],
        blocks: 1,
    }
}

/// A session whose runs take these multiples of the usual TPOT.
fn session(start: u64, runs: &[f64]) -> Measurements {
    let made = scaled(runs, |figures, run| figures.tpot_ms *= run);
    Measurements {
        started_unix_s: start,
        ..measure(&made)
    }
}

/// Values around one with this standard deviation, roughly normal.
fn around_one(draws: &mut Draws, sd: f64, count: usize) -> Vec<f64> {
    let mut uniform = || f64::from(u32::try_from(draws.below(1 << 24).unwrap()).unwrap()) / f64::from(1 << 24);
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    (0..count).map(|_| (sd * normal()).exp()).collect()
}

fn sessions(seed: u64, count: u64, (run_sd, session_sd): (f64, f64)) -> Material {
    let mut draws = Draws::new(seed);
    let levels = around_one(&mut draws, session_sd, usize::try_from(count).unwrap());
    let all = (0..count).zip(levels).map(|(start, level)| {
        let runs: Vec<f64> = around_one(&mut draws, run_sd, 6)
            .iter()
            .map(|run| run * level)
            .collect();
        session(start, &runs)
    });
    Material::of(all.collect(), PairNoise::default())
}

fn tpot(material: &Material) -> Row {
    let found = noise(material, &Policy::default(), &looks());
    let row = found.rows.into_iter().find(|row| row.metric == TPOT);
    row.unwrap()
}

fn arm(runs: &[f64], arm: PairArm, blocks: u32) -> Measurements {
    Measurements {
        pairing: Some(Pairing {
            id: format!("ab{blocks}"),
            arm,
            looks: vec![3],
            blocks,
            remeasured: Vec::new(),
            stopped_early: None,
        }),
        ..session(0, runs)
    }
}

#[test]
fn the_noise_between_runs_is_pooled_around_each_session_s_mean() {
    let material = Material::of(
        vec![session(0, &[1.0, 1.02, 1.0, 1.02]), session(1, &[2.0, 2.04, 2.0, 2.04])],
        PairNoise::default(),
    );
    let spread = tpot(&material).spread;
    let step = 1.02_f64.ln();
    // Four values, two at each end: variance step²/4 · 4/3.
    let expected = (step * step / 3.0).sqrt();
    assert!((spread.between_runs.unwrap() - expected).abs() < 1e-6, "{spread:?}");
    assert_eq!(
        spread.between_sessions, None,
        "two sessions tell nothing of how far sessions lie apart"
    );
    assert!(
        (spread.lag1.unwrap() + 0.75).abs() < 1e-6,
        "neighbours are opposites: {spread:?}"
    );
    let [pair] = spread.pairs.as_slice() else {
        unreachable!("{spread:?}")
    };
    assert!(
        (pair.sd - step).abs() < 1e-6 && (pair.df - 4.0).abs() < 1e-9,
        "{pair:?}"
    );
    assert_eq!((pair.blocks, pair.from), (1, PairsFrom::Neighbours));
    assert_eq!((spread.runs, spread.gain_of_blocks()), (8, Vec::new()));
}

#[test]
fn a_metric_that_only_some_runs_have_is_left_out_with_its_reason() {
    let mut one = session(0, &[1.0, 1.02, 1.0]);
    assert_eq!(
        noise(
            &Material::of(vec![one.clone()], PairNoise::default()),
            &Policy::default(),
            &looks()
        )
        .missing,
        [""; 0]
    );
    one.cells[0].series.get_mut(&TPOT).unwrap()[1] = Err("all tokens came at once".into());
    let found = noise(
        &Material::of(vec![one], PairNoise::default()),
        &Policy::default(),
        &looks(),
    );
    assert!(found.rows.iter().all(|row| row.metric != TPOT));
    assert_eq!(
        found.missing,
        ["TPOT P95 at synthetic-64/16 @ c=16 is left out: 1 of 3 runs have no value (run 2: all tokens came at once)"]
    );
}

#[test]
fn planted_noise_is_found_again() {
    let spread = tpot(&sessions(1, 40, (0.02, 0.04))).spread;
    assert!((0.018..0.022).contains(&spread.between_runs.unwrap()), "{spread:?}");
    assert!((0.03..0.05).contains(&spread.between_sessions.unwrap()), "{spread:?}");
    assert!(spread.lag1.unwrap().abs() < 0.3, "{spread:?}");
    let quiet = tpot(&sessions(1, 40, (0.02, 0.0))).spread;
    assert!(quiet.between_sessions.unwrap() < 0.006, "{quiet:?}");
}

#[test]
fn a_step_of_the_level_is_no_noise_between_sessions() {
    let level = |start: u64| if start < 9 { 1.0 } else { 1.12 };
    let wobble = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003, 1.001];
    let all = (0..14_u64).zip(wobble.iter().cycle());
    let all = all.map(|(start, off)| session(start, &[0.99, 1.0, 1.01].map(|run| run * off * level(start))));
    let material = Material::of(all.collect(), PairNoise::default());
    assert!(
        tpot(&material).spread.between_sessions.unwrap() > 0.04,
        "with the step among them"
    );
    let (since, older) = material.since_last_step(&[TPOT]);
    assert_eq!((since.sessions.len(), older), (5, 9));
    assert!(tpot(&since).spread.between_sessions.unwrap() < 0.01);
    assert_eq!(since.since_last_step(&[TPOT]).1, 0);
}

#[test]
fn an_absolute_limit_stays_as_it_is() {
    let material = sessions(1, 10, (0.05, 0.02));
    let gate = Gate {
        limit: crate::verdict::Limit::Absolute(0.01),
        action: Action::Block,
        requires: None,
    };
    let policy = Policy {
        gates: std::collections::BTreeMap::from([(TPOT, gate)]),
        ..Policy::default()
    };
    let suggestion = suggest(&noise(&material, &policy, &looks()), &looks());
    assert_eq!(
        (suggestion.gates.get(&TPOT), suggestion.hopeless.len()),
        (Some(&gate), 0)
    );
}

#[test]
fn what_neighbouring_runs_show_is_no_prior_of_a_gate() {
    let row = tpot(&sessions(1, 40, (0.02, 0.0)));
    assert_eq!(row.planned.unwrap().pair.from, PairsFrom::Neighbours);
    // Three pairs alone have two degrees of freedom.
    assert!(row.found_at[0].1 > 0.15, "{:?}", row.found_at);
}

#[test]
fn measured_pairs_beat_neighbours_and_blocks_show_their_gain() {
    let base = [1.0, 1.1, 0.9, 1.05, 1.0, 0.95];
    let off = |by: f64| -> Vec<f64> {
        base.iter()
            .zip([1.0, -1.0].repeat(3))
            .map(|(run, sign)| run * (1.0 + by * sign))
            .collect()
    };
    let whole = [arm(&base, PairArm::Baseline, 1), arm(&off(0.06), PairArm::Candidate, 1)];
    let cut = [
        arm(&base, PairArm::Baseline, 20),
        arm(&off(0.02), PairArm::Candidate, 20),
    ];
    let material = Material::of(whole.into_iter().chain(cut).collect(), PairNoise::default());
    assert_eq!((material.pairs.len(), material.sessions.len()), (2, 2));
    let spread = tpot(&material).spread;
    let kinds: Vec<_> = spread.pairs.iter().map(|pair| (pair.blocks, pair.from)).collect();
    assert_eq!(kinds, [(1, PairsFrom::Measured), (20, PairsFrom::Measured)]);
    let [(20, times)] = spread.gain_of_blocks()[..] else {
        unreachable!("{spread:?}")
    };
    assert!(
        (8.0..10.0).contains(&times),
        "three times less noise, nine times fewer pairs: {times}"
    );
    assert_eq!(spread.planned(20).unwrap().blocks, 20);
}

#[test]
fn what_a_look_finds_is_the_reference_s_figure() {
    // decision.json, case 4: pairs 3.0 % apart, 54 degrees of freedom, limit 5 %: 5 pairs find +8.7 %.
    let planned = Planned {
        limit: 1.05_f64.ln(),
        pair: PairSpread {
            blocks: 1,
            sd: 0.03,
            df: 200.0,
            from: PairsFrom::Measured,
        },
        levels: power::Levels::of(&Policy::default(), &looks().pairs, 3).unwrap(),
        better: crate::metric::Better::Lower,
    };
    let found = planned.found_at(&[5, 12]);
    assert!((found[0].1 - 0.087).abs() < 0.0006, "{found:?}");
    assert!(found[1].1 < found[0].1, "{found:?}");
    let (find, see, pass) = (
        planned.fewest(Planned::finds_twice).unwrap(),
        planned.fewest(Planned::sees_limit).unwrap(),
        planned.fewest(Planned::passes).unwrap(),
    );
    assert!(planned.finds_twice(find) && (find == 3 || !planned.finds_twice(find - 1)));
    // By hand: (1.77 + 0.84) σ/√3 + δ = ln 1.099; (3.2 + 0.84) σ/√7 and (2.13 + 0.84) σ/√4 are below δ.
    assert_eq!((find, see, pass), (3, 7, 4));
}

#[test]
fn a_machine_without_noise_holds_every_limit_and_never_blocks_itself() {
    let material = sessions(3, 6, (0.0, 0.0));
    let found = noise(&material, &Policy::default(), &looks());
    let row = found.rows.iter().find(|row| row.metric == TPOT).unwrap();
    assert_eq!((row.pairs_to_find, row.pairs_to_pass), (Some(3), Some(3)));
    let blocks = false_blocks(&material, &Policy::default(), &looks(), (500, 1));
    assert_eq!(blocks.iter().map(|one| one.blocked).collect::<Vec<_>>(), [0, 0]);
    let kinds: Vec<_> = blocks.iter().map(|one| one.from).collect();
    let pairs = Resampled::Pairs {
        pairs: 18,
        measured: false,
    };
    assert_eq!(kinds, [pairs, Resampled::Sessions { sessions: 6 }]);
    let suggested = suggest(&found, &looks());
    assert_eq!(
        suggested.gates[&TPOT],
        Policy::default().gates[&TPOT],
        "what holds stays as it is"
    );
    assert_eq!((suggested.looks, suggested.hopeless), (vec![3], Vec::new()));
}

#[test]
fn the_gate_keeps_its_promise_on_noise_that_it_has_seen() {
    let material = sessions(5, 12, (0.05, 0.03));
    for found in false_blocks(&material, &Policy::default(), &looks(), (2000, 7)) {
        assert!(found.blocked <= 20, "at most 1 %: {found:?}");
    }
}

#[test]
fn a_noisy_machine_is_offered_wider_limits_that_hold() {
    let found = noise(&sessions(9, 12, (0.08, 0.05)), &Policy::default(), &looks());
    let suggested = suggest(&found, &looks());
    let share = suggested.gates[&TPOT].limit.share(None).unwrap();
    assert!(share > 0.05 && share < 0.30, "{suggested:?}");
    assert_eq!(suggested.repeats, None, "stored baselines cannot settle 5 % here");
    // What is suggested holds.
    let mut policy = Policy::default();
    for (metric, gate) in &suggested.gates {
        policy.gates.insert(*metric, *gate);
    }
    let again = suggest(&noise(&sessions(9, 12, (0.08, 0.05)), &policy, &looks()), &looks());
    assert_eq!(again.gates, suggested.gates);
}

#[test]
fn too_little_to_look_at_gives_what_there_is() {
    let nothing = noise(&Material::default(), &Policy::default(), &looks());
    assert_eq!(nothing.rows, []);
    assert_eq!(
        false_blocks(&Material::default(), &Policy::default(), &looks(), (10, 1)),
        []
    );
    let one = Material::of(vec![session(0, &[1.0])], PairNoise::default());
    let row = tpot(&one);
    assert_eq!(row.spread.between_runs, None);
    assert_eq!(
        (row.pairs_to_find, row.repeats_to_pass, row.stored_finds),
        (None, None, None)
    );
    assert_eq!(false_blocks(&one, &Policy::default(), &looks(), (10, 1)), []);
    let bad = Looks {
        pairs: vec![5, 3],
        blocks: 1,
    };
    assert_eq!(
        noise(&sessions(1, 4, (0.01, 0.0)), &Policy::default(), &bad).rows[0].pairs_to_find,
        None
    );
}

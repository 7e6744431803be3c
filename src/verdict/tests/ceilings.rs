//! Ceilings: surely beyond is corrected over all of them, surely within is each one's own.

use super::*;
use crate::{
    compare::{Design, Side},
    measure::Sample,
    stats::{real, series, student_t},
    verdict::{
        ceiling,
        check::Draft,
        rule::{MIN_RUNS, Rule},
    },
};

const BOUND_MS: f64 = 20.0;

/// The runs of one cell whose distance above the bound has these logarithms.
fn side(excesses: &[f64]) -> Side {
    let run = |excess: &f64| {
        Ok(Sample {
            value: BOUND_MS * excess.exp(),
            samples: 1000,
            ..Sample::default()
        })
    };
    Side::of(&excesses.iter().map(run).collect::<Vec<_>>())
}

/// Five runs that lie `t` standard errors above the bound.
fn at(t: f64) -> Side {
    let steps = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|step| 0.01 * step);
    let se = (steps.iter().map(|step| step * step).sum::<f64>() / 4.0 / 5.0).sqrt();
    side(&steps.map(|step| step + t * se))
}

/// How far above the bound five runs must lie so that chance brings it no oftener than this.
fn critical(p: f64) -> f64 {
    student_t::inverse_cdf(1.0 - p, 4.0).unwrap()
}

fn rule(policy: &Policy, looks: &[u32]) -> Rule {
    let apart = Design::Apart { sessions: 1 };
    let paired = Design::Paired {
        pairs: 5,
        looks: looks.to_vec(),
        blocks: 1,
    };
    Rule::new(if looks.is_empty() { &apart } else { &paired }, policy)
}

fn settled(sides: &[Side], elsewhere: usize, rule: &Rule) -> Vec<Check> {
    let draft = |side: &Side| ceiling::draft("cell", TPOT, BOUND_MS, side);
    let mut drafts: Vec<Draft> = sides.iter().map(draft).collect();
    ceiling::settle(&mut drafts, elsewhere, rule);
    drafts.into_iter().map(|draft| draft.check).collect()
}

fn verdicts(places: &[f64], rule: &Rule) -> Vec<Verdict> {
    let sides: Vec<Side> = places.iter().map(|t| at(*t)).collect();
    settled(&sides, 0, rule).iter().map(|check| check.verdict).collect()
}

#[test]
fn beyond_needs_the_family_level_over_all_ceilings_on_both_sides_of_it() {
    use Verdict::{Inconclusive, Pass, Regression};
    let rule = rule(&Policy::default(), &[]);
    let (within, little) = (-20.0, 0.05);
    for (of, p) in [(1, 0.01), (3, 0.01 / 3.0), (10, 0.001)] {
        let with = |first: f64| {
            let mut places = vec![within; of];
            places[0] = first;
            verdicts(&places, &rule)
        };
        assert_eq!(with(critical(p) + little)[0], Regression, "one of {of}");
        assert_eq!(with(critical(p) - little)[0], Inconclusive, "one of {of}");
        assert!(with(critical(p) + little)[1..].iter().all(|other| *other == Pass));
    }
    // Step by step: the second of three is held to a half, and only where the first is beyond.
    let (first, half) = (critical(0.01 / 3.0), critical(0.01 / 2.0));
    assert_eq!(
        verdicts(&[first + little, half + little, within], &rule),
        [Regression, Regression, Pass]
    );
    assert_eq!(
        verdicts(&[first + little, half - little, within], &rule),
        [Regression, Inconclusive, Pass]
    );
    assert_eq!(
        verdicts(&[first - little, half + little, within], &rule),
        [Inconclusive, Inconclusive, Pass]
    );
}

#[test]
fn beyond_needs_the_confidence_as_well_where_the_family_asks_less() {
    let lax = Policy {
        family_error: 0.2,
        ..Policy::default()
    };
    let rule = rule(&lax, &[]);
    assert_eq!(verdicts(&[critical(0.10) + 0.02], &rule), [Verdict::Regression]);
    assert_eq!(verdicts(&[critical(0.10) - 0.02], &rule), [Verdict::Inconclusive]);
}

#[test]
fn within_is_each_ceilings_own_however_many_there_are() {
    let rule = rule(&Policy::default(), &[]);
    for (t, expected) in [
        (-critical(0.05) - 0.02, Verdict::Pass),
        (-critical(0.05) + 0.02, Verdict::Inconclusive),
    ] {
        assert_eq!(verdicts(&[t; 50], &rule), [expected; 50]);
    }
}

#[test]
fn each_look_of_a_schedule_has_its_own_level() {
    let rule = rule(&Policy::default(), &[3, 5, 8, 12]);
    let level = critical(0.003_366_602);
    assert_eq!(verdicts(&[level + 0.05], &rule), [Verdict::Regression]);
    let found = settled(&[at(level - 0.05)], 0, &rule).remove(0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(
        found.reason.ends_with(
            "beyond what it must keep, ≤ 20 ms, as it seems, which these runs cannot show (family-wise p 0.003 over 1 ceiling, \
             level 0.0034); repeat 3 more pairs"
        ),
        "{}",
        found.reason
    );
}

#[test]
fn what_cannot_be_tested_and_what_is_judged_elsewhere_stay_in_the_family() {
    let rule = rule(&Policy::default(), &[]);
    let one = critical(0.01) + 0.1;
    assert_eq!(settled(&[at(one)], 0, &rule)[0].verdict, Verdict::Regression);
    assert_eq!(settled(&[at(one)], 1, &rule)[0].verdict, Verdict::Inconclusive);
    let with_missing = settled(&[at(one), side(&[0.0; MIN_RUNS - 2])], 0, &rule);
    assert!(with_missing.iter().all(|check| check.verdict == Verdict::Inconclusive));
    assert!(
        with_missing[0].reason.contains("over 2 ceilings"),
        "{}",
        with_missing[0].reason
    );
}

#[test]
fn ceilings_of_cells_that_only_the_candidate_has_are_of_the_same_family() {
    let runs = [Figures::default(); 5];
    let mut policy = policy(&[]);
    policy.allow.insert("plan.cells".into());
    policy.ceilings.insert(TPOT, 5.0);
    let (old, new) = (session(&[1], &runs), session(&[1, 16], &runs));
    let comparison = compare(&measure(&old), &measure(&new), &Background::default());
    let found = judge(&comparison, &policy).with_new_cells(&comparison, &measure(&new), &policy);
    assert_eq!(found.checks.len(), 2);
    for check in &found.checks {
        assert_eq!(check.verdict, Verdict::Regression);
        assert!(check.reason.contains("over 2 ceilings"), "{}", check.reason);
    }
}

#[test]
fn a_ceiling_of_tpot_is_kept_whatever_throughput_did() {
    let mut policy = policy(&[]);
    policy.ceilings.insert(TPOT, BOUND_MS);
    let found = judged(&QUIET, 0.9, throughput, &policy);
    assert_eq!(found.verdict, Verdict::Pass, "{}", found.checks[0].reason);
}

#[test]
fn a_server_that_stands_just_at_all_its_bounds_is_rarely_blocked_by_any() {
    let rule = rule(&Policy::default(), &[]);
    let (gates, ceilings, runs) = (1000_u64, 20, 5);
    let blocked = |seed: &u64| {
        let noise = series::noise(*seed, ceilings * runs);
        let of_cell = |values: &[f64]| side(&values.iter().map(|value| 0.03 * (value - 10.0)).collect::<Vec<_>>());
        let sides: Vec<Side> = noise.chunks(runs).map(of_cell).collect();
        let found = settled(&sides, 0, &rule);
        found.iter().any(|check| check.verdict == Verdict::Regression)
    };
    let blocks = (0..gates).filter(blocked).count();
    // 1 % is 10 of 1,000; each by itself at 90 % would block nearly all.
    assert!(real(blocks) <= 18.0 && blocks > 0, "{blocks} of {gates}");
}

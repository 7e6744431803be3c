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

/// Runs of so many requests each, of which so many met their SLO.
fn shares(met: &[u32], requests: u32) -> Side {
    let run = |met: &u32| {
        Ok(Sample {
            value: f64::from(*met) / f64::from(requests),
            samples: usize::try_from(requests).unwrap(),
            ..Sample::default()
        })
    };
    Side::of(&met.iter().map(run).collect::<Vec<_>>())
}

fn share(met: &[u32], requests: u32, bound: f64) -> Check {
    let mut drafts = [ceiling::draft(
        "cell",
        Metric::SloAttainment,
        bound,
        &shares(met, requests),
    )];
    ceiling::settle(&mut drafts, 0, &rule(&Policy::default(), &[]));
    drafts.map(|draft| draft.check).into_iter().next().unwrap()
}

#[test]
fn a_share_of_all_requests_is_kept_where_enough_of_them_did() {
    let found = share(&[200; 3], 200, 1.0);
    assert_eq!(found.verdict, Verdict::Pass);
    assert_eq!(
        found.reason,
        "100 % (90 % interval 99.5 … 100 %): keeps ≥ 100 %: all 600 requests did, so at least 99.5 % do (95 % sure)"
    );
    let found = share(&[20; 3], 20, 1.0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.reason.ends_with("; repeat 12 more runs"), "{}", found.reason);
    let found = share(&[5; 3], 5, 1.0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(
        found
            .reason
            .ends_with("; 299 requests that all meet it would show it, these are 15"),
        "{}",
        found.reason
    );
    for (one_run, expected) in [(99, Verdict::Inconclusive), (100, Verdict::Pass)] {
        assert_eq!(share(&[one_run; 3], one_run, 1.0).verdict, expected, "{one_run}");
    }
}

#[test]
fn a_share_is_judged_by_its_requests_and_by_its_runs() {
    use Verdict::{Inconclusive, Pass, Regression};
    for (met, requests, bound, expected) in [
        // One miss of 600 disproves that all do, and one run is no more than chance.
        (vec![199, 200, 200], 200, 1.0, Inconclusive),
        (vec![190; 3], 200, 1.0, Regression),
        (vec![200; 3], 200, 0.99, Pass),
        // Three runs that are all alike have no spread, and 30 requests show no 99 %.
        (vec![10; 3], 10, 0.99, Inconclusive),
        (vec![196, 197, 198], 200, 0.95, Pass),
        (vec![180, 181, 179], 200, 0.95, Regression),
        (vec![190; 3], 200, 0.95, Inconclusive),
        // A burst in one run: of requests alone it would be beyond.
        (vec![200, 200, 170], 200, 0.97, Inconclusive),
        (vec![0, 200, 200], 200, 0.99, Inconclusive),
        (vec![0, 0, 0], 200, 0.99, Regression),
    ] {
        let found = share(&met, requests, bound);
        assert_eq!(found.verdict, expected, "{met:?} of {requests}: {}", found.reason);
        assert!(!found.reason.contains("ratio"), "{}", found.reason);
    }
}

#[test]
fn a_constant_just_at_its_ceiling_keeps_it() {
    let rule = rule(&Policy::default(), &[]);
    for (excess, expected, told) in [
        (
            0.0,
            Verdict::Pass,
            "20 ms in every run: keeps ≤ 20 ms: it is the same in each of 5 runs and not beyond",
        ),
        (
            -0.0001,
            Verdict::Pass,
            "19.998 ms in every run: keeps ≤ 20 ms: it is the same in each of 5 runs and not beyond",
        ),
        (
            0.0001,
            Verdict::Inconclusive,
            "20.002 ms in every run: these runs cannot tell whether it keeps ≤ 20 ms: it is the same in every run and 0.01 % \
             off, less than the 0.1 % that runs are taken to differ by",
        ),
    ] {
        let found = settled(&[side(&[excess; 5])], 0, &rule).remove(0);
        assert_eq!((found.verdict, found.reason.as_str()), (expected, told));
    }
    let beyond = settled(&[side(&[0.01; 5])], 0, &rule).remove(0);
    assert_eq!(beyond.verdict, Verdict::Regression, "{}", beyond.reason);
    // Two runs may be alike by chance.
    assert_eq!(settled(&[side(&[0.0; 2])], 0, &rule)[0].verdict, Verdict::Inconclusive);
}

#[test]
fn memory_that_fills_the_whole_card_keeps_the_ceiling_of_its_size() {
    let mut policy = policy(&[]);
    policy.ceilings.insert(Metric::GpuMemoryPeakGb, 60.0);
    let found = judged(&[1.0; 5], 1.0, memory, &policy);
    assert_eq!(found.verdict, Verdict::Pass, "{}", found.checks[0].reason);
}

#[test]
fn a_ceiling_that_no_cell_can_be_held_against_is_told() {
    let mut policy = policy(&[]);
    policy.ceilings.insert(TPOT, BOUND_MS);
    policy.ceilings.insert(Metric::MaxRateUnderSlo, 3.0);
    let found = judged(&QUIET, 1.0, tpot, &policy);
    let told = "no cell here has Max rate under SLO, for which there is a ceiling: it asks nothing";
    assert_eq!(found.warnings, [told]);
    policy.ceilings.remove(&Metric::MaxRateUnderSlo);
    assert_eq!(judged(&QUIET, 1.0, tpot, &policy).warnings, [""; 0]);
}

#[test]
fn a_gate_on_a_share_asks_for_enough_requests_where_none_missed_it() {
    let met = |requests: u32| {
        let mut session = scaled(&[1.0; 3], |figures, _| figures.requests = requests);
        session.plan.slo.ttft_ms = Some(1000.0);
        session
    };
    for (requests, expected) in [(25, Verdict::Inconclusive), (26, Verdict::Pass)] {
        let found = judge_sessions(&met(requests), &met(requests), &blocking(Metric::SloAttainment));
        assert_eq!(found.verdict, expected, "{requests}: {}", found.checks[0].reason);
    }
    // Looks are at 3, 5, 8 and 12 pairs.
    for (requests, more, needed) in [
        (25, Some(2), None),
        (13, Some(5), None),
        (8, Some(9), None),
        (6, None, Some(26)),
    ] {
        let few = judge_sessions(&met(requests), &met(requests), &blocking(Metric::SloAttainment));
        let told = format!(
            "all {} requests of the candidate met their SLO, and 78 at least must to show that 95 % do{}",
            3 * requests,
            more.map_or_else(String::new, |more| format!("; repeat {more} more pairs"))
        );
        assert_eq!(few.checks[0].reason, told);
        assert_eq!((few.repeat_more, few.requests_needed), (more, needed), "{requests}");
        assert_eq!(can_settle(&few.checks), more.is_some(), "{requests}");
    }
    // Sessions measured apart are looked at once, at 5 %: 59 are enough.
    let [old, new] = [met(19), met(19)].map(|session| measure(&session));
    let apart = judge(
        &compare(&old, &new, &Background::default()),
        &blocking(Metric::SloAttainment),
    );
    assert_eq!((apart.repeat_more, apart.lacking), (Some(1), Lacking::Candidate));
    assert!(
        apart.checks[0].reason.ends_with("; repeat 1 more of the candidate"),
        "{}",
        apart.checks[0].reason
    );
}

#[test]
fn a_constant_beyond_its_ceiling_is_called_a_hair_only_where_it_is_one() {
    let rule = rule(&Policy::default(), &[3]);
    let hair = "less than the 0.1 % that runs are taken to differ by";
    for (excess, is_hair) in [(0.0005, true), (0.002, false)] {
        let found = settled(&[side(&[excess; 3])], 0, &rule).remove(0);
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.reason);
        assert_eq!(found.reason.contains(hair), is_hair, "{}", found.reason);
    }
}

//! The whole gate: the worst check decides, nothing missing passes, and sessions that cannot be judged are refused.

use super::*;
use crate::{
    plan::{Arrivals, Axis, Capacity, Load},
    session::{Ended, Run, Search, SearchEnd},
};

#[test]
fn a_gate_is_the_worst_of_its_blocking_checks() {
    use Action::{Block, Warn};
    use Evidence::{Explanation, Profile};
    use Verdict::{Improvement, Inconclusive, Pass, Regression};
    let beside = (Metric::OutputTokensPerS, 0.05, Block, None);
    for (action, requires, by, expected) in [
        (Block, None, 1.2, Regression),
        (Warn, None, 1.2, Pass),
        (Warn, Some(Explanation), 1.2, Pass),
        (Warn, Some(Profile), 1.2, Inconclusive),
        (Warn, Some(Profile), 1.0, Pass),
        (Block, None, 0.8, Improvement),
        (Warn, None, 0.8, Pass),
    ] {
        let found = judged(&QUIET, by, ttft, &policy(&[beside, (TTFT, 0.1, action, requires)]));
        assert_eq!(found.verdict, expected, "{action:?} {requires:?} × {by}");
        let warned = found.warnings.iter().any(|warning| warning.starts_with("TTFT P95 at "));
        assert_eq!(warned, action == Warn && by > 1.0);
    }
    let noisy = judged(&NOISY, 1.1, ttft, &policy(&[beside, (TTFT, 0.1, Warn, None)]));
    assert_eq!(noisy.verdict, Pass);
    assert!(
        noisy.warnings[0].contains("could not be judged"),
        "{:?}",
        noisy.warnings
    );
}

#[test]
fn an_unmeasured_check_stays_in_its_family() {
    use crate::metric::Metric::TtftFromSchedule;
    let gate = |metric| (metric, 0.05, Action::Block, None);
    let alone = judged(&NOISY, 1.25, tpot, &policy(&[gate(TPOT)]));
    assert_eq!(
        alone.checks[0].verdict,
        Verdict::Regression,
        "{}",
        alone.checks[0].reason
    );
    let gates = [
        gate(TPOT),
        gate(TtftFromSchedule(Percentile::P50)),
        gate(TtftFromSchedule(Percentile::P95)),
    ];
    let beside = judged(&NOISY, 1.25, tpot, &policy(&gates));
    let check = beside.checks.iter().find(|check| check.metric == TPOT).unwrap();
    assert_eq!(check.verdict, Verdict::Inconclusive);
    assert!(
        check.reason.contains("if it is real, which these pairs cannot show"),
        "{}",
        check.reason
    );
}

#[test]
fn what_no_cell_can_measure_is_one_warning() {
    let mut session = session(&[1, 4, 16], &[Figures::default(); 3]);
    for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
        run.gpu = crate::session::GpuUse::NotMeasured("no NVIDIA driver".into());
    }
    let found = judge_sessions(&session, &session, &Policy::default());
    assert_eq!(found.verdict, Verdict::Pass);
    let expected = "Peak GPU memory in 3 cells could not be judged: not measured on either side: no NVIDIA driver";
    assert_eq!(found.warnings, [expected]);
}

#[test]
fn without_anything_judged_there_is_no_pass() {
    assert_eq!(judged(&QUIET, 1.0, tpot, &policy(&[])).verdict, Verdict::Inconclusive);
    let warn_only = policy(&[(TPOT, 0.05, Action::Warn, None)]);
    assert_eq!(judged(&NOISY, 1.05, tpot, &warn_only).verdict, Verdict::Inconclusive);
    let found = judged(&QUIET, 1.0, tpot, &warn_only);
    assert_eq!(found.verdict, Verdict::Pass);
    assert!(
        found
            .warnings
            .iter()
            .any(|warning| warning.starts_with("no gate blocks"))
    );
    let mut empty = scaled(&QUIET, tpot);
    empty.cells[0].runs.clear();
    let found = judge_sessions(&scaled(&QUIET, tpot), &empty, &Policy::default());
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert_eq!(found.checks[0].reason, "the candidate has no run of this cell");
}

#[test]
fn a_cell_of_one_side_is_open_unless_it_is_allowed() {
    let runs = [Figures::default(); 3];
    let (old, new) = (session(&[1], &runs), session(&[1, 16], &runs));
    let mut policy = blocking(TPOT);
    let found = judge_sessions(&old, &new, &policy);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert_eq!(found.checks[0].cell, new.cells[1].name);
    policy.allow.insert("plan.cells".into());
    let found = judge_sessions(&old, &new, &policy);
    assert_eq!((found.verdict, found.checks.len()), (Verdict::Pass, 1));
    assert!(found.warnings[0].contains(&new.cells[1].name));
}

#[test]
fn checks_are_listed_worst_first() {
    let runs: Vec<Figures> = QUIET
        .iter()
        .map(|f| Figures {
            ttft_ms: 60.0 * f,
            tpot_ms: 11.0 * f,
            ..Figures::default()
        })
        .collect();
    let found = judge_sessions(
        &session(&[16], &[Figures::default(); 5]),
        &session(&[16], &runs),
        &Policy::default(),
    );
    let order: Vec<(Metric, Verdict)> = found.checks.iter().map(|check| (check.metric, check.verdict)).collect();
    let expected = [
        (TPOT, Verdict::Regression),
        (TTFT, Verdict::Regression),
        (Metric::OutputTokensPerS, Verdict::Pass),
        (Metric::GpuMemoryPeakGb, Verdict::Pass),
    ];
    assert_eq!(order[..2], expected[..2]);
    assert!(expected[2..].iter().all(|check| order.contains(check)));
}

#[test]
fn sessions_that_cannot_be_judged_are_refused_with_the_reason() {
    let good = || scaled(&QUIET, tpot);
    let edited = |edit: fn(&mut Session)| {
        let mut session = good();
        edit(&mut session);
        session
    };
    let failing = edited(|s| s.cells[0].runs[0].requests.iter_mut().take(3).for_each(fail));
    let aborted = edited(|s| s.ended = Ended::Aborted("the server is gone".into()));
    let other = edited(|s| s.environment.engine_version = Some("0.7.0".into()));
    let mut policy = Policy::default();
    let fine = good();
    for (old, new, expected, word) in [
        (
            Some(&failing),
            &fine,
            Verdict::Invalid,
            "the baseline cannot carry a verdict",
        ),
        (None, &failing, Verdict::Invalid, "out of memory"),
        (Some(&fine), &aborted, Verdict::Invalid, "the server is gone"),
        (None, &fine, Verdict::NoBaseline, "nothing to compare"),
        (
            Some(&fine),
            &other,
            Verdict::Incomparable,
            "`engine.version` is `0.6.4` in the baseline and `0.7.0` here",
        ),
    ] {
        let differing = old.map_or_else(Vec::new, |old| differences(old, new, &policy));
        let found = refuse(old, new, &differing, &policy).unwrap();
        assert_eq!(found.verdict, expected);
        assert!(found.reason.contains(word), "{}", found.reason);
    }
    assert_eq!(refuse(Some(&good()), &good(), &[], &policy), None);
    policy.allow.insert("engine.version".into());
    assert_eq!(
        refuse(Some(&good()), &other, &differences(&good(), &other, &policy), &policy),
        None
    );
}

#[test]
fn all_fields_that_differ_are_named() {
    let good = scaled(&QUIET, tpot);
    let mut other = good.clone();
    other.plan.seed = 7;
    other.environment = crate::session::Environment::default();
    let policy = Policy::default();
    let found = refuse(Some(&good), &other, &differences(&good, &other, &policy), &policy).unwrap();
    for field in differences(&good, &other, &policy) {
        assert!(found.reason.contains(&format!("`{}`", field.field)), "{}", found.reason);
    }
    assert!(
        found
            .reason
            .starts_with("`plan.seed` is `42` in the baseline and `7` here; "),
        "{}",
        found.reason
    );
}

/// A session of searches that found these rates.
fn searched(answers: &[f64]) -> Session {
    let mut session = session(&[1], &[]);
    let load = Load::Capacity(Capacity {
        axis: Axis::Rate(Arrivals::Poisson),
        min: 1.0,
        max: 100.0,
        precision_ratio: 1.05,
        attainment: 0.99,
        batch_s: None,
    });
    session.plan.loads = vec![load.clone()];
    let run = |answer: &f64| Run {
        search: Some(Search {
            end: SearchEnd::Found(*answer),
            steps: Vec::new(),
        }),
        ..Run::default()
    };
    session.cells[0].load = load;
    session.cells[0].runs = answers.iter().map(run).collect();
    session
}

#[test]
fn a_lost_capacity_blocks_and_nothing_else_is_asked_of_a_search() {
    let old = searched(&[40.0, 41.0, 40.5, 41.5, 40.0]);
    let table = [
        (&[30.0, 31.0, 30.5, 31.5, 30.0], Verdict::Regression),
        (&[40.5, 41.0, 40.0, 41.0, 40.5], Verdict::Pass),
        (&[50.0, 51.0, 50.5, 51.5, 50.0], Verdict::Improvement),
    ];
    for (answers, verdict) in table {
        let found = judge_sessions(&old, &searched(answers), &Policy::default());
        assert_eq!(found.verdict, verdict, "{answers:?}: {found:?}");
        let metrics: Vec<Metric> = found.checks.iter().map(|check| check.metric).collect();
        assert_eq!(metrics, [Metric::MaxRateUnderSlo]);
    }
    let found = judge_sessions(&old, &old, &policy(&[]));
    assert_eq!(found.verdict, Verdict::Inconclusive, "nothing was gated");
    // What it must keep holds without a baseline too, and asks nothing else of a search.
    let mut floors = policy(&[]);
    floors.ceilings.insert(Metric::OutputTokensPerS, 500.0);
    for (bound, verdict) in [(30.0, Verdict::Pass), (50.0, Verdict::Regression)] {
        floors.ceilings.insert(Metric::MaxRateUnderSlo, bound);
        let found = judge_alone(&measure(&old), &floors);
        let [check] = found.as_slice() else {
            unreachable!("one check: {found:?}")
        };
        assert_eq!(
            (check.metric, check.verdict),
            (Metric::MaxRateUnderSlo, verdict),
            "{}",
            check.reason
        );
    }
}

#[test]
fn arms_of_one_measurement_may_be_other_servers_on_the_same_machine() {
    let (old, mut other) = (scaled(&QUIET, tpot), scaled(&QUIET, tpot));
    other.environment.engine_version = Some("0.7.0".into());
    other.plan.framework.insert("command".into(), "serve --fast".into());
    let rules = |old: &Session, new: &Session, policy: &Policy| -> Vec<(String, FieldRule)> {
        let found = differences(old, new, policy).into_iter();
        found.map(|difference| (difference.field, difference.rule)).collect()
    };
    let field = |name: &str, rule| (name.to_owned(), rule);
    let policy = blocking(TPOT);
    let (refused, told) = (FieldRule::Refuse, FieldRule::Warn);
    let apart = [field("engine.version", refused), field("framework.command", refused)];
    assert_eq!(rules(&old, &other, &policy), apart);
    let (old, mut other) = in_pairs(&old, &other);
    let in_turn = [field("engine.version", told), field("framework.command", told)];
    assert_eq!(rules(&old, &other, &policy), in_turn);
    let mut strict = policy.clone();
    strict.fields.insert("engine.version".into(), refused);
    assert_eq!(rules(&old, &other, &strict)[0], field("engine.version", refused));
    other.environment.gpus.clear();
    other.plan.seed = 7;
    let open: Vec<_> = rules(&old, &other, &policy)
        .into_iter()
        .filter(|(_, rule)| *rule == refused)
        .collect();
    assert_eq!(open, [field("plan.seed", refused), field("hardware.gpus", refused)]);
}

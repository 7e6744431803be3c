use super::*;
use crate::{
    measure::synthetic::{Figures, scaled, session},
    metric::Percentile,
    session::{Ended, Origin, PairArm, Pairing},
    verdict::{FieldRule, Policy},
};

const TPOT: Metric = Metric::Tpot(Percentile::P95);

use crate::metric::Metric;

/// A session whose TPOT is this many times the usual, in each of three runs that lie 1 % apart.
fn at(factor: f64) -> Session {
    scaled(&[0.99, 1.0, 1.01], |figures, run| figures.tpot_ms *= run * factor)
}

/// A history of such sessions; the commit of each is its place.
fn history(factors: &[f64]) -> Vec<Entry> {
    let entry = |(place, factor): (usize, &f64)| Entry {
        commit: Some(format!("commit-{place}")),
        ..Entry::of(&at(*factor), &format!("hash-{place}"), &[])
    };
    factors.iter().enumerate().map(entry).collect()
}

fn accepted(after: usize, metric: Option<Metric>) -> Accepted {
    Accepted {
        after: Some(format!("hash-{after}")),
        commit: None,
        metric,
        cell: None,
        reason: "wanted".into(),
        who: "Ada".into(),
        accepted_unix_s: 0,
    }
}

/// Six sessions at the usual level and six at another, each a little off.
fn stepped(by: f64) -> Vec<Entry> {
    let wobble = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003];
    let after = wobble.map(|factor| factor * by);
    history(&[wobble, after].concat())
}

fn overview(entries: Vec<Entry>, accepted: Vec<Accepted>) -> History {
    let named = ("main".to_owned(), None);
    History::of(named, (entries, accepted), (&[TPOT], None), &Policy::default())
}

#[test]
fn a_step_for_the_worse_that_nobody_answers_for_is_an_alert_with_its_commits() {
    let found = overview(stepped(1.2), Vec::new());
    assert_eq!(found.courses.len(), 1);
    let [step] = found.courses[0].steps.as_slice() else {
        unreachable!("one step: {:?}", found.courses[0].steps)
    };
    assert_eq!(
        (step.after, step.session, step.is_worse, step.is_found),
        (5, 6, true, true)
    );
    assert!((step.change - 0.2).abs() < 0.01, "{step:?}");
    let [alert] = found.alerts.as_slice() else {
        unreachable!("one alert: {:?}", found.alerts)
    };
    assert_eq!(found.range(alert.from, alert.to), "commit-5..commit-6");
    // A level is told by the runs' median, one value a session.
    assert!(found.courses[0].points.iter().all(|point| point.run_sd.is_some()));
    assert_eq!(found.courses[0].points.len(), 12);
}

#[test]
fn an_accepted_step_an_improvement_and_a_small_step_raise_no_alert() {
    for (by, accepted) in [
        (1.2, vec![accepted(5, None)]),
        (1.2, vec![accepted(5, Some(TPOT))]),
        // The search places a step within a session or two of where it was accepted.
        (1.2, vec![accepted(6, None)]),
        (0.8, Vec::new()),
        (1.03, Vec::new()),
    ] {
        let found = overview(stepped(by), accepted.clone());
        assert_eq!(found.alerts, [], "{by} {accepted:?}");
        assert_eq!(found.courses[0].steps.len(), 1, "{by} {accepted:?}");
    }
    // What was accepted for another metric or an earlier step explains nothing.
    for wrong in [accepted(5, Some(Metric::Qps)), accepted(1, None)] {
        assert_eq!(overview(stepped(1.2), vec![wrong.clone()]).alerts.len(), 1, "{wrong:?}");
    }
}

#[test]
fn a_step_that_was_undone_stands_no_more() {
    let mut factors = vec![1.0, 1.004, 0.997, 1.002, 0.999, 1.003];
    factors.extend([1.2, 1.204, 1.197, 1.202, 1.199, 1.203]);
    factors.extend([1.001, 1.004, 0.997, 1.002, 0.999, 1.003]);
    let found = overview(history(&factors), Vec::new());
    assert_eq!(found.courses[0].steps.len(), 2, "{:?}", found.courses[0].steps);
    assert_eq!(found.alerts, []);
}

#[test]
fn few_sessions_none_and_missing_figures_have_no_steps() {
    assert_eq!(overview(Vec::new(), Vec::new()).courses, []);
    let one = overview(history(&[1.0]), vec![accepted(0, None)]);
    assert_eq!((one.courses[0].points.len(), one.courses[0].steps.len()), (1, 0));
    assert_eq!(one.courses[0].sigma, None);
    let mut entries = stepped(1.2);
    for entry in &mut entries {
        for cell in &mut entry.measured.cells {
            cell.series.insert(TPOT, vec![Err("no request completed".into())]);
        }
    }
    assert_eq!(overview(entries, Vec::new()).courses, []);
}

#[test]
fn a_higher_is_better_metric_gets_worse_downwards() {
    let entry = |(place, tokens): (usize, f64)| {
        let session = scaled(&[0.99, 1.0, 1.01], |figures, run| {
            figures.output_tokens_per_s = tokens * run;
        });
        Entry::of(&session, &format!("hash-{place}"), &[])
    };
    let tokens = [1000.0, 1001.0, 999.0, 1000.0, 900.0, 901.0, 899.0, 900.0];
    let entries: Vec<Entry> = tokens.into_iter().enumerate().map(entry).collect();
    let found = courses(&entries, &[], &[Metric::OutputTokensPerS]);
    let [step] = found[0].steps.as_slice() else {
        unreachable!("one step: {:?}", found[0].steps)
    };
    assert!(step.is_worse && step.change < -0.09, "{step:?}");
}

#[test]
fn the_window_begins_after_an_accepted_step_for_what_it_is_about() {
    let entries = || history(&[1.0; 6]);
    let with = |window: &[Measurements], metric: Metric| -> usize {
        let has = |session: &&Measurements| session.cells[0].series.contains_key(&metric);
        window.iter().filter(has).count()
    };
    let whole = window(entries(), &[]);
    assert_eq!(whole.len(), 5, "all but the newest");
    assert_eq!(window(entries(), &[accepted(3, None)]).len(), 1);
    assert_eq!(
        window(entries(), &[accepted(4, None)]).len(),
        0,
        "the newest stands alone"
    );
    let for_one = window(entries(), &[accepted(3, Some(TPOT))]);
    assert_eq!((with(&for_one, TPOT), with(&for_one, Metric::Qps)), (1, 5));
    // A step that is still to come cuts nothing off; one before all sessions that are left neither.
    assert_eq!(window(entries(), &[accepted(5, None)]).len(), 5);
    assert_eq!(window(entries(), &[accepted(99, None)]).len(), 5);
    assert_eq!(window(Vec::new(), &[accepted(0, None)]), []);
}

#[test]
fn who_accepts_without_a_commit_means_the_newest_open_step_or_the_newest_session() {
    let meant = |entries: &[Entry], accepted: &[Accepted], commit: Option<&str>| {
        place_meant(entries, accepted, (&[TPOT], None), commit).map(|place| (place.after, place.label))
    };
    let place = |after: Option<usize>, first: usize| {
        Some((after.map(|after| format!("hash-{after}")), format!("commit-{first}")))
    };
    let stepped = stepped(1.2);
    assert_eq!(meant(&stepped, &[], None), place(Some(5), 6));
    assert_eq!(meant(&stepped, &[accepted(5, None)], None), place(Some(10), 11));
    assert_eq!(meant(&stepped, &[], Some("commit-9")), place(Some(8), 9));
    assert_eq!(meant(&stepped, &[], Some("hash-0")), place(None, 0));
    assert_eq!(meant(&stepped, &[], Some("no-such")), None);
    assert_eq!(meant(&stepped, &[], Some("com")), None, "too short to mean one");
    assert_eq!(meant(&[], &[], None), None);
}

#[test]
fn a_candidate_another_branch_a_part_and_a_noisy_session_are_no_baselines() {
    let gated = [TPOT, Metric::OutputTokensPerS, Metric::Ttft(Percentile::P95)];
    assert_eq!(objections(&at(1.0), &gated), [""; 0]);
    let mut candidate = at(1.0);
    candidate.pairing = Some(Pairing {
        id: "ab".into(),
        arm: PairArm::Candidate,
        looks: vec![3],
        blocks: 1,
        remeasured: Vec::new(),
        stopped_early: None,
    });
    assert!(objections(&candidate, &gated)[0].starts_with("it is the candidate of A/B measurement `ab`"));
    candidate.pairing.as_mut().unwrap().arm = PairArm::Baseline;
    assert_eq!(objections(&candidate, &gated), [""; 0]);
    let of = |event: Option<&str>, branch: &str| Origin {
        event: event.map(str::to_owned),
        branch: Some(branch.into()),
        main_branch: Some("main".into()),
    };
    let from = |origin: Origin, session: &Session| {
        let session = Session {
            origin: Some(origin),
            ..session.clone()
        };
        objections(&session, &gated)
    };
    assert_eq!(
        from(of(Some("pull_request"), "fix"), &at(1.0)),
        ["it was measured on a pull request (`pull_request`, branch `fix`): a baseline is what is on the main branch"]
    );
    assert_eq!(
        from(of(Some("push"), "fix"), &at(1.0)),
        ["it was measured on the branch `fix`, not on `main`: a baseline is what is on the main branch"]
    );
    assert_eq!(from(of(Some("push"), "main"), &at(1.0)), [""; 0]);
    // Its server is main's, also where a pull request asked for the pair.
    assert_eq!(from(of(Some("pull_request"), "fix"), &candidate), [""; 0]);
    let interrupted = Session {
        ended: Ended::Interrupted,
        ..at(1.0)
    };
    assert!(objections(&interrupted, &gated)[0].starts_with("it was interrupted"));
    let noisy = scaled(&[0.8, 1.0, 1.2], |figures, run| figures.tpot_ms *= run);
    let found = objections(&noisy, &gated);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("TPOT P95 at") && found[0].contains("20.3 % apart"),
        "{found:?}"
    );
    // First tokens wait in queues: they may lie further apart.
    let queued = scaled(&[0.8, 1.0, 1.2], |figures, run| figures.ttft_ms *= run);
    assert_eq!(objections(&queued, &gated), [""; 0]);
}

#[test]
fn a_session_without_a_spread_is_no_baseline() {
    let gated = [TPOT];
    let mut cells = session(&[4, 8, 16], &[Figures::default()]);
    assert_eq!(
        objections(&cells, &gated),
        ["it has one run at synthetic-64/16 @ c=4 and in 2 more cells: how far its runs lie apart is not known"]
    );
    // What was left out on purpose has no runs.
    cells = session(&[4, 8], &[Figures::default(); 2]);
    cells.cells[1].runs.clear();
    assert_eq!(
        objections(&cells, &gated),
        ["it has no run at synthetic-64/16 @ c=8: how far its runs lie apart is not known"]
    );
    cells.cells[1].skipped = Some("saturated at c=4".into());
    assert_eq!(objections(&cells, &gated), [""; 0]);
}

/// A history of such sessions of which the one at this place is pinned.
fn pinned(factors: &[f64], place: usize, accepted: &[Accepted]) -> Pin {
    let hash = format!("hash-{place}");
    Pin::new(at(factors[place]), (&hash, 0), &history(factors), accepted)
}

#[test]
fn slow_creep_is_told_against_the_pinned_session_and_nothing_else() {
    let policy = Policy::default();
    let alone = pinned(&[1.0], 0, &[]);
    assert_eq!(alone.creep(&at(1.0), &policy), [""; 0]);
    let told = alone.creep(&at(2.0), &policy);
    let tpot = told.iter().find(|text| text.starts_with("TPOT P95 at"));
    assert!(
        tpot.is_some_and(|text| text.contains("against the pinned reference (0123456789ab), limit +5.0 %")),
        "{told:?}"
    );
    let mut other = at(1.0);
    other.environment.gpus = vec!["NVIDIA H200".into()];
    let told = alone.creep(&other, &policy);
    assert!(
        told.len() == 1
            && told[0].starts_with("not compared with the pinned reference (0123456789ab): `hardware.gpus`"),
        "{told:?}"
    );
}

#[test]
fn in_what_the_pinned_session_differs_and_is_compared_all_the_same_is_told_with_the_creep() {
    let alone = pinned(&[1.0], 0, &[]);
    let mut policy = Policy::default();
    policy.fields.insert("definitions".into(), FieldRule::Ignore);
    let other = |factor: f64| Session {
        definitions: "perfgate/0".into(),
        ..at(factor)
    };
    let told = alone.creep(&other(2.0), &policy);
    let unlike = "the pinned reference (0123456789ab) differs in `definitions` (`perfgate/1`, `perfgate/0`), which is allowed: the \
                  creep may come from it";
    assert!(told.iter().any(|text| text == unlike), "{told:?}");
    assert_eq!(alone.creep(&other(1.0), &policy), [""; 0]);
}

#[test]
fn creep_is_told_from_the_levels_around_the_pin_and_of_now() {
    let mut factors = vec![1.0; 5];
    factors.extend((1..=20).map(|at| 1.0 + 0.005 * f64::from(at)));
    let told = pinned(&factors, 4, &[]).creep(&at(1.10), &Policy::default());
    let [tpot] = told.as_slice() else {
        unreachable!("TPOT alone creeps: {told:?}")
    };
    assert!(
        tpot.starts_with("TPOT P95 at synthetic-64/16 @ c=16, in the mean of the last 5 sessions, is +9.4 %")
            && tpot.contains("the pinned reference (0123456789ab) and the 4 sessions before it, limit +5.0 %"),
        "{tpot}"
    );
    // Pinned at its end, nothing has crept since; by half as much, nothing that matters.
    assert_eq!(pinned(&factors, 24, &[]).creep(&at(1.10), &Policy::default()), [""; 0]);
    let half: Vec<f64> = factors.iter().map(|factor| factor.midpoint(1.0)).collect();
    assert_eq!(pinned(&half, 4, &[]).creep(&at(1.05), &Policy::default()), [""; 0]);
}

#[test]
fn what_is_only_reported_and_a_ceiling_are_no_creep() {
    let alone = pinned(&[1.0], 0, &[]);
    let mut policy = Policy::default();
    policy.gates.retain(|metric, _| *metric == TPOT);
    policy.ceilings.insert(TPOT, 1.0);
    assert_eq!(alone.creep(&at(1.0), &policy), [""; 0]);
    assert_eq!(alone.creep(&at(2.0), &policy).len(), 1);
    policy.gates.get_mut(&TPOT).unwrap().action = crate::verdict::Action::Report;
    assert_eq!(alone.creep(&at(2.0), &policy), [""; 0]);
}

#[test]
fn a_step_that_was_accepted_after_the_pin_is_no_creep() {
    let mut factors = vec![1.0; 5];
    factors.extend([1.3; 6]);
    let told =
        |accepted: &[Accepted], place: usize| pinned(&factors, place, accepted).creep(&at(1.3), &Policy::default());
    assert_eq!(told(&[], 4).len(), 1, "a step that nobody accepted");
    for covering in [None, Some(TPOT)] {
        let told = told(&[accepted(4, covering)], 4);
        let what = covering.map_or("every metric", Metric::label);
        let expected = format!(
            "not compared with the pinned reference (0123456789ab): {what} has had a new level since, which was accepted \
             (wanted); pin a later session with `perfgate baseline pin`"
        );
        assert_eq!(told, [expected]);
    }
    // Of another metric, or from before the pin, it explains nothing.
    assert_eq!(told(&[accepted(4, Some(Metric::Qps))], 4).len(), 1);
    assert_eq!(told(&[accepted(2, None)], 4).len(), 1);
    // Pinned after it, the level of then is that after it.
    assert_eq!(told(&[accepted(4, None)], 7), [""; 0]);
    // Both made room long ago: what was recorded after the pin came after it.
    for (accepted_unix_s, count) in [(200, 1), (50, 0)] {
        let step = Accepted {
            accepted_unix_s,
            ..accepted(99, None)
        };
        let gone = Pin::new(at(1.0), ("hash-98", 100), &history(&[1.0]), &[step]);
        assert_eq!(gone.creep(&at(1.001), &Policy::default()).len(), count);
    }
}

#[test]
fn the_pinned_session_itself_has_nothing_to_creep_from() {
    let pin = pinned(&[1.0, 1.5, 2.0], 0, &[]);
    assert_eq!(pin.creep(&at(1.0), &Policy::default()), [""; 0]);
}

#[test]
fn a_count_has_a_course_though_it_is_nothing() {
    let mut entries = history(&[1.0, 1.0, 1.0]);
    let bad = |run: &mut crate::measure::RunValue| {
        if let Ok(sample) = run {
            sample.value = 0.03;
        }
    };
    let series = entries[2].measured.cells[0].series.get_mut(&Metric::ErrorRate).unwrap();
    series.iter_mut().take(1).for_each(bad);
    let found = courses(&entries, &[accepted(0, None)], &[Metric::ErrorRate, Metric::Failed]);
    let values = |course: &Course| -> Vec<f64> { course.points.iter().map(|point| point.value).collect() };
    assert_eq!(values(&found[1]), [0.0, 0.0, 0.0]);
    assert!((values(&found[0])[2] - 0.01).abs() < 1e-12 && values(&found[0])[1] == 0.0);
    assert!(
        found
            .iter()
            .all(|course| course.steps.is_empty() && course.sigma.is_none())
    );
}

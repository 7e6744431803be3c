use proptest::prelude::*;

use super::{
    axes::{BOTTOM, TOP},
    *,
};
use crate::{metric::Percentile, render::made, report::PastPoint};

const TPOT: Metric = Metric::Tpot(Percentile::P95);

fn past(points: &[(f64, Option<f64>)], steps: &[usize], metric: Metric) -> Past {
    let session = |place: usize| PastSession {
        sha256: format!("{place:064}"),
        started_unix_s: 1_790_000_000 + 86_400 * u64::try_from(place).unwrap(),
        commit: (!place.is_multiple_of(3)).then(|| format!("{place:040}")),
        is_pinned: place == 1,
        doubts: Vec::new(),
    };
    let point = |(session, (value, run_sd)): (usize, &(f64, Option<f64>))| PastPoint {
        session,
        value: *value,
        run_sd: *run_sd,
        in_window: session * 2 >= points.len(),
    };
    let step = |session: &usize| PastStep {
        session: *session,
        after: session.saturating_sub(1),
        change: 0.2,
        is_worse: session.is_multiple_of(2),
        is_found: true,
        is_alert: session.is_multiple_of(4),
        accepted: None,
    };
    Past {
        sessions: (0..points.len()).map(session).collect(),
        accepted: Vec::new(),
        courses: vec![PastCourse {
            cell: "c".into(),
            metric,
            points: points.iter().enumerate().map(point).collect(),
            steps: steps.iter().filter(|step| **step < points.len()).map(step).collect(),
        }],
    }
}

fn check(metric: Metric, baseline: Option<f64>, limit: Bound) -> Check {
    Check {
        baseline,
        candidate: baseline,
        change: Some(0.0),
        n_baseline: 3,
        n_candidate: 3,
        ..made::check(metric, limit)
    }
}

fn newcomer(value: f64) -> Newcomer {
    Newcomer {
        label: "candidate".into(),
        started_unix_s: 1_799_000_000,
        value,
        run_sd: Some(0.01),
    }
}

fn marks(past: &Past, checks: &[Check], candidate: Option<&Newcomer>) -> Marks {
    let checks: Vec<&Check> = checks.iter().collect();
    Drawn {
        past,
        course: &past.courses[0],
        checks: &checks,
        candidate,
    }
    .marks()
}

/// Every pair of numbers of a path of `M`, `L` and `V`.
fn corners(path: &str) -> Vec<(f64, f64)> {
    let (mut x, mut found) = (0.0, Vec::new());
    for part in path.replace('M', "\nM").replace('L', "\nL").replace('V', "\nV").lines() {
        match part.split_once(' ') {
            Some((left, y)) => {
                x = left[1..].parse().unwrap();
                found.push((x, y.parse().unwrap()));
            }
            None if part.is_empty() => {}
            None => found.push((x, part[1..].parse().unwrap())),
        }
    }
    found
}

fn is_inside(x: f64, y: f64) -> bool {
    (LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y)
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn one_session_none_and_equal_ones_have_a_chart() {
    for points in [&[][..], &[(10.0, None)], &[(0.0, None); 5], &[(7.0, Some(0.0)); 9]] {
        for metric in [TPOT, Metric::ErrorRate, Metric::Failed] {
            let found = marks(&past(points, &[], metric), &[], None);
            assert_eq!(found.dots.len(), points.len());
            assert!(
                !found.ticks.is_empty() && found.dates.len() >= points.len().min(1),
                "{found:?}"
            );
        }
    }
}

#[test]
fn the_level_the_limit_and_the_candidate_are_named_apart() {
    let past = past(&[(10.0, Some(0.01)); 12], &[6], TPOT);
    let checks = [
        check(TPOT, Some(10.0), Bound::Relative(0.05)),
        check(TPOT, None, Bound::Value(10.1)),
        check(TPOT, None, Bound::Value(1000.0)),
    ];
    let found = marks(&past, &checks, Some(&newcomer(10.05)));
    let labels: Vec<&str> = found.levels.iter().map(|level| level.label.as_str()).collect();
    // A bound that is far away flattens nothing.
    assert_eq!(labels.len(), 4, "{labels:?}");
    assert!(labels.contains(&"level") && labels.contains(&"candidate"));
    assert!(
        labels
            .iter()
            .any(|label| label.replace('\u{a0}', " ") == "limit +5.0 %"),
        "{labels:?}"
    );
    let mut heights: Vec<f64> = found.levels.iter().map(|level| number(&level.label_y)).collect();
    heights.sort_by(f64::total_cmp);
    assert!(heights.is_sorted_by(|low, high| high - low >= 11.9), "{heights:?}");
    let window = found.window.unwrap();
    assert!((number(&window.x) + number(&window.width) - RIGHT).abs() < 0.2);
    assert_eq!(
        found.steps[0].label.as_ref().unwrap().text.replace('\u{a0}', " "),
        "worse +20.0 %"
    );
}

#[test]
fn where_nothing_was_held_against_there_is_no_level_and_no_limit() {
    let mut past = past(&[(10.0, Some(0.01)); 12], &[], TPOT);
    past.courses[0]
        .points
        .iter_mut()
        .for_each(|point| point.in_window = false);
    let checks = [
        check(TPOT, Some(10.0), Bound::Relative(0.05)),
        check(TPOT, None, Bound::Value(10.1)),
    ];
    let found = marks(&past, &checks, Some(&newcomer(10.05)));
    let classes: Vec<&str> = found.levels.iter().map(|level| level.class).collect();
    assert_eq!(classes, ["limit", "candidate"], "the ceiling stands by itself");
    assert!(found.window.is_none() && found.dots.iter().all(|dot| dot.class == "before"));
}

#[test]
fn a_limit_is_a_change_of_the_level_or_a_value() {
    let found = |baseline, limit| bound_of(&check(TPOT, baseline, limit));
    assert_eq!(found(Some(10.0), Bound::Relative(0.5)), Some(15.0));
    assert_eq!(found(Some(10.0), Bound::Absolute(2.5)), Some(12.5));
    assert_eq!(found(None, Bound::Value(7.0)), Some(7.0));
    assert_eq!(found(None, Bound::Relative(0.5)), None);
    assert_eq!(found(Some(10.0), Bound::NoMoreFailures), None);
}

proptest! {
    #[test]
    fn every_mark_is_inside_and_no_label_covers_another(
        points in prop::collection::vec((0.0..1e6_f64, prop::option::of(0.0..0.4_f64)), 1..300),
        steps in prop::collection::btree_set(1..300_usize, 0..20),
        candidate in prop::option::of(0.0..1e6_f64), limit in -0.5..0.5_f64, ceiling in 0.0..1e7_f64,
    ) {
        let past = past(&points, &steps.into_iter().collect::<Vec<_>>(), TPOT);
        let checks = [check(TPOT, Some(points[0].0), Bound::Relative(limit)), check(TPOT, None, Bound::Value(ceiling))];
        let newcomer = candidate.map(newcomer);
        let found = marks(&past, &checks, newcomer.as_ref());
        let line = corners(&found.line);
        prop_assert_eq!(line.len(), points.len());
        for (x, y) in line.iter().chain(&corners(&found.spreads)) {
            prop_assert!(is_inside(*x, *y), "{} {}", x, y);
        }
        for dot in &found.dots {
            prop_assert!(is_inside(number(&dot.x), number(&dot.y)));
        }
        if let Some(place) = &found.candidate {
            prop_assert!(is_inside(number(&place.x), number(&place.y)));
        }
        for level in &found.levels {
            prop_assert!((TOP..=BOTTOM).contains(&number(&level.y)));
            prop_assert!((TOP..=BOTTOM + 4.1).contains(&number(&level.label_y)));
        }
        let dates: Vec<f64> = found.dates.iter().map(|date| number(&date.x)).collect();
        prop_assert!(!dates.is_empty() && dates.is_sorted_by(|a, b| b - a >= 63.8), "{:?}", dates);
        let above: Vec<(f64, f64, &str)> = found.steps.iter().filter_map(|step| step.label.as_ref()).map(|label| {
            let (x, width) = (number(&label.x), labels::width(&label.text));
            let left = if label.anchor == "start" { x } else { x - width };
            (left, left + width, label.y.as_str())
        }).collect();
        for (place, one) in above.iter().enumerate() {
            prop_assert!(one.0 >= 0.0 && one.1 <= 420.0);
            for other in above.iter().skip(place + 1).filter(|other| other.2 == one.2) {
                prop_assert!(one.1 <= other.0 || other.1 <= one.0, "{:?} {:?}", one, other);
            }
        }
        prop_assert!(found.ticks.iter().all(|tick| (TOP..=BOTTOM).contains(&number(&tick.y))));
    }

    #[test]
    fn numbers_that_make_no_sense_keep_their_place(
        values in prop::collection::vec(prop::num::f64::ANY, 1..20), sd in prop::num::f64::ANY,
    ) {
        let points: Vec<(f64, Option<f64>)> = values.into_iter().map(|value| (value, Some(sd))).collect();
        let checks = [check(TPOT, Some(points[0].0), Bound::Absolute(sd))];
        let found = marks(&past(&points, &[2], TPOT), &checks, None);
        for dot in &found.dots {
            prop_assert!(is_inside(number(&dot.x), number(&dot.y)), "{:?}", dot);
        }
        for (x, y) in corners(&found.line).into_iter().chain(corners(&found.spreads)) {
            prop_assert!(is_inside(x, y), "{} {}", x, y);
        }
        prop_assert!(found.ticks.iter().all(|tick| (TOP..=BOTTOM).contains(&number(&tick.y))), "{:?}", found.ticks);
    }
}

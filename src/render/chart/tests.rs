//! Bars of checks and strips of runs, of usual and of odd values.

use super::*;
use crate::{
    metric::{Metric, Percentile},
    render::made,
    verdict::Bound,
};

fn check(limit: f64, change: Option<f64>, interval: Option<(f64, f64)>) -> Check {
    let metric = if limit < 0.0 {
        Metric::Qps
    } else {
        Metric::E2e(Percentile::P50)
    };
    Check {
        change,
        interval,
        ..made::check(metric, Bound::Relative(limit))
    }
}

fn inside(coordinate: &str, width: f64) -> bool {
    coordinate.parse::<f64>().is_ok_and(|x| (0.0..=width).contains(&x))
}

#[test]
fn every_coordinate_of_a_bar_is_inside_its_view_box() {
    let infinite = f64::INFINITY;
    let checks = [
        check(0.05, Some(0.12), Some((0.11, 0.13))),
        check(-0.05, Some(-0.02), Some((-0.04, 0.0))),
        check(0.05, Some(40.0), Some((-3.0, 90.0))),
        check(0.0, Some(0.0), Some((0.0, 0.0))),
        check(0.05, Some(f64::NAN), Some((-infinite, infinite))),
        check(infinite, None, None),
        check(f64::NAN, Some(-infinite), Some((0.2, 0.1))),
    ];
    for set in checks.iter().map(std::slice::from_ref).chain([&checks[..]]) {
        let domain = Domain::of(set);
        for check in set {
            let bar = domain.bar(check);
            for x in [&bar.zero, &bar.limit, &bar.harm_left, &bar.harm_width] {
                assert!(inside(x, BAR_WIDTH), "{bar:?}");
            }
            assert!(bar.point.as_ref().is_none_or(|x| inside(x, BAR_WIDTH)), "{bar:?}");
            assert!(
                bar.interval.as_ref().is_none_or(|i| inside(&i.left, BAR_WIDTH)),
                "{bar:?}"
            );
            assert!(
                bar.interval.as_ref().is_none_or(|i| inside(&i.width, BAR_WIDTH)),
                "{bar:?}"
            );
        }
    }
}

#[test]
fn an_interval_beyond_the_axis_is_marked() {
    let far = check(0.05, Some(0.9), Some((0.2, 3.0)));
    let span = Domain::of(std::slice::from_ref(&far)).bar(&far).interval.unwrap();
    assert!(span.beyond_right && !span.beyond_left);
}

#[test]
fn harm_lies_above_a_latency_limit_and_below_a_throughput_limit() {
    let (latency, throughput) = (check(0.05, None, None), check(-0.05, None, None));
    let domain = Domain::of(&[latency.clone(), throughput.clone()]);
    assert_eq!(domain.bar(&latency).harm_left, domain.bar(&latency).limit);
    assert_eq!(domain.bar(&throughput).harm_left, "0.0");
}

#[test]
fn a_strip_stands_none_one_equal_and_not_finite_values() {
    let text = |value: f64| value.to_string();
    assert!(strip(&[("baseline", vec![]), ("candidate", vec![None])], true, text).is_none());
    assert!(strip(&[("baseline", vec![Some(f64::NAN)])], false, text).is_none());
    for values in [
        &[3.0][..],
        &[3.0, 3.0, 3.0],
        &[1.0, f64::NAN, 2.0],
        &[f64::MIN, f64::MAX],
    ] {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        let strip = strip(&[("baseline", values), ("candidate", vec![])], true, text).unwrap();
        for lane in &strip.lanes {
            let points: Vec<&str> = lane.path.split([' ', ',']).filter(|part| !part.is_empty()).collect();
            let is_inside = |point: &[&str]| inside(point[0], STRIP_RIGHT) && inside(point[1], STRIP_BOTTOM);
            assert!(points.chunks(2).all(is_inside), "{lane:?}");
            assert_eq!(lane.dots.matches('M').count(), points.len() / 2, "{lane:?}");
        }
    }
}

#[test]
fn pairs_are_joined_where_both_runs_have_a_value() {
    let arms = [
        ("baseline", vec![Some(1.0), None, Some(1.2)]),
        ("candidate", vec![Some(2.0), Some(2.1), Some(2.2), Some(2.3)]),
    ];
    let strip = |is_paired| strip(&arms, is_paired, |value: f64| value.to_string()).unwrap();
    assert_eq!(
        (strip(true).joins.matches('L').count(), strip(false).joins.as_str()),
        (2, "")
    );
    assert_eq!(
        (strip(true).last, strip(true).lanes[0].dots.matches('M').count()),
        (4, 2)
    );
}

//! A course in the width of a word.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    render::chart::{coordinate, share},
    report::{PastCourse, PastPoint},
    stats::real,
};

const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 28.0;
const INSET: f64 = 4.0;
/// Values that lie closer together than this share of themselves are drawn as noise, not as mountains.
const LEAST_SPAN: f64 = 0.04;

/// A line from session to session, broken where the level changed, and the newest value.
#[derive(Debug, Serialize)]
pub(super) struct Spark {
    line: String,
    x: String,
    y: String,
}

/// `None` where no session has a value.
pub(super) fn spark(course: &PastCourse, sessions: usize) -> Option<Spark> {
    let sound = |point: &&PastPoint| point.value.is_finite();
    let values = || course.points.iter().filter(sound).map(|point| point.value);
    let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    let span = (high - low).max(LEAST_SPAN * low.abs().max(high.abs()));
    let middle = low.midpoint(high);
    let x =
        |session: usize| INSET + share(real(session), real(sessions.saturating_sub(1)), 0.5) * (WIDTH - 2.0 * INSET);
    let y = |value: f64| HEIGHT - INSET - share(value - (middle - span / 2.0), span, 0.5) * (HEIGHT - 2.0 * INSET);
    let mut line = String::new();
    for (place, point) in course.points.iter().filter(sound).enumerate() {
        let is_new = course.steps.iter().any(|step| step.session == point.session);
        let sign = if place == 0 || is_new { 'M' } else { 'L' };
        let _ = write!(line, "{sign}{:.1} {:.1}", x(point.session), y(point.value));
    }
    let last = course.points.iter().rfind(sound)?;
    Some(Spark {
        line,
        x: coordinate(x(last.session)),
        y: coordinate(y(last.value)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Metric;

    proptest! {
        #[test]
        fn every_point_is_inside(values in prop::collection::vec(prop::num::f64::ANY, 0..40)) {
            let point = |(session, value): (usize, &f64)| PastPoint { session, value: *value, run_sd: None, in_window: false };
            let course = PastCourse {
                cell: "c".into(),
                metric: Metric::Qps,
                points: values.iter().enumerate().map(point).collect(),
                steps: Vec::new(),
            };
            let found = spark(&course, values.len());
            prop_assert_eq!(found.is_some(), values.iter().any(|value| value.is_finite()));
            for corner in found.iter().flat_map(|found| found.line.split(['M', 'L']).skip(1)) {
                let (x, y) = corner.split_once(' ').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{}", corner);
            }
        }
    }
}

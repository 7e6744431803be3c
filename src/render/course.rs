//! How one metric of one cell went over the stored sessions: numbers in, coordinates out. The SVG elements stand in
//! `templates/course.html`, for the report and the site alike.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

mod axes;
mod labels;

use std::fmt::Write;

use serde::Serialize;

use self::axes::{Axes, LEFT, RIGHT};
use super::{
    chart::coordinate,
    escape,
    format::{self, Scale},
};
use crate::{
    metric::Metric,
    report::{Check, Past, PastCourse, PastSession, PastStep},
    verdict::Bound,
};

/// A bound that lies further away than this many times all values would flatten them.
const FAR: f64 = 1.5;
/// Letters of a commit below the axis.
const SHORT: usize = 7;

/// What is drawn.
#[derive(Clone, Copy)]
pub(super) struct Drawn<'a> {
    pub(super) past: &'a Past,
    pub(super) course: &'a PastCourse,
    /// The checks of this metric in this cell.
    pub(super) checks: &'a [&'a Check],
    pub(super) candidate: Option<&'a Newcomer>,
}

/// A session that is no part of the history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Newcomer {
    pub(super) label: String,
    pub(super) started_unix_s: u64,
    pub(super) value: f64,
    pub(super) run_sd: Option<f64>,
}

/// The chart's marks.
#[derive(Debug, Serialize)]
pub(super) struct Marks {
    unit: &'static str,
    /// Both ends of the sessions that the candidate was held against.
    window: Option<Span>,
    ticks: Vec<Tick>,
    /// From session to session, broken where the level changed.
    line: String,
    /// One upright a session, as far as its runs spread.
    spreads: String,
    dots: Vec<Dot>,
    candidate: Option<Place>,
    levels: Vec<Level>,
    steps: Vec<Upright>,
    dates: Vec<Dated>,
}

#[derive(Debug, Serialize)]
struct Span {
    x: String,
    width: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    y: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct Place {
    x: String,
    y: String,
}

/// One session.
#[derive(Debug, Serialize)]
struct Dot {
    x: String,
    y: String,
    /// Held against, or only shown.
    class: &'static str,
    is_pinned: bool,
}

/// A height that something is held against, or the candidate's own, with its label beside the frame.
#[derive(Debug, Serialize)]
struct Level {
    class: &'static str,
    /// `None`: no line, only the label.
    from: Option<String>,
    y: String,
    label: String,
    label_y: String,
}

/// A change of level.
#[derive(Debug, Serialize)]
struct Upright {
    class: &'static str,
    x: String,
    label: Option<Above>,
}

#[derive(Debug, Serialize)]
struct Above {
    text: String,
    x: String,
    y: String,
    anchor: &'static str,
}

/// A session with its commit and its day below the axis.
#[derive(Debug, Serialize)]
struct Dated {
    x: String,
    commit: String,
    day: String,
}

/// What a step is called, and its class.
pub(super) fn step_word(step: &PastStep) -> (&'static str, &'static str) {
    match (step.accepted, step.is_worse) {
        (Some(_), _) => ("accepted", "quiet"),
        (None, true) if step.is_alert => ("worse", "bad"),
        (None, true) => ("worse", "warn"),
        (None, false) => ("better", "good"),
    }
}

/// The value of a limit, in the metric's unit.
pub(super) fn bound_of(check: &Check) -> Option<f64> {
    let found = match (check.limit, check.baseline) {
        (Bound::Relative(change), Some(baseline)) => baseline * (1.0 + change),
        (Bound::Absolute(size), Some(baseline)) => baseline + size,
        (Bound::Value(bound), _) => bound,
        _ => return None,
    };
    Some(found).filter(|value| value.is_finite())
}

impl Drawn<'_> {
    fn metric(&self) -> Metric {
        self.course.metric
    }

    fn places(&self) -> usize {
        self.past.sessions.len() + usize::from(self.candidate.is_some())
    }

    fn session(&self, place: usize) -> Option<&PastSession> {
        self.past.sessions.get(place)
    }

    /// Ends of every spread, and what the sessions are held against where it is near.
    fn values(&self) -> Vec<f64> {
        let points = self.course.points.iter().map(|point| (point.value, point.run_sd));
        let newcomer = self.candidate.iter().map(|new| (new.value, new.run_sd));
        let all: Vec<(f64, Option<f64>)> = points.chain(newcomer).collect();
        let mut values: Vec<f64> = all.into_iter().flat_map(|(value, sd)| ends(value, sd)).collect();
        let most = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        let bounds = self.checks.iter().filter_map(|check| bound_of(check));
        let levels = self.checks.iter().filter_map(|check| check.baseline);
        let near: Vec<f64> = bounds.chain(levels).filter(|bound| *bound <= most * FAR).collect();
        values.extend(near);
        values
    }

    /// The numbers of the whole chart and its table are written alike.
    pub(super) fn scale(&self) -> Scale {
        let points = self.course.points.iter().map(|point| point.value);
        Scale::of(self.metric(), points.chain(self.candidate.map(|new| new.value)))
    }

    /// The marks.
    pub(super) fn marks(&self) -> Marks {
        let least = if self.metric().unit() == "fraction" { 0.01 } else { 1.0 };
        let axes = Axes::around(self.places(), &self.values(), least);
        let scale = self.scale();
        let inside = |place: usize| axes.x(place);
        let place = self
            .candidate
            .map(|new| (axes.x(self.past.sessions.len()), axes.y(new.value)));
        Marks {
            unit: scale.unit(),
            window: self.window(axes),
            ticks: ticks(axes, scale),
            line: self.line(axes),
            spreads: self.spreads(axes),
            dots: self.dots(axes),
            candidate: place.map(|(x, y)| Place {
                x: coordinate(x),
                y: coordinate(y),
            }),
            levels: self.levels(axes),
            steps: self.steps(axes),
            dates: self.dates(&inside),
        }
    }

    fn window(&self, axes: Axes) -> Option<Span> {
        let first = self.course.points.iter().find(|point| point.in_window)?;
        let x = axes.x(first.session) - axes.half_step();
        Some(Span {
            x: coordinate(x),
            width: coordinate(RIGHT - x),
        })
    }

    fn line(&self, axes: Axes) -> String {
        let mut path = String::new();
        for (place, point) in self.course.points.iter().enumerate() {
            let is_new = self.course.steps.iter().any(|step| step.session == point.session);
            let sign = if place == 0 || is_new { 'M' } else { 'L' };
            let _ = write!(path, "{sign}{:.1} {:.1}", axes.x(point.session), axes.y(point.value));
        }
        path
    }

    fn spreads(&self, axes: Axes) -> String {
        let points = self
            .course
            .points
            .iter()
            .map(|point| (point.session, point.value, point.run_sd));
        let last = self.past.sessions.len();
        let newcomer = self.candidate.iter().map(|new| (last, new.value, new.run_sd));
        let mut path = String::new();
        for (place, value, sd) in points.chain(newcomer) {
            if let [low, high] = ends(value, sd).as_slice() {
                let _ = write!(path, "M{:.1} {:.1}V{:.1}", axes.x(place), axes.y(*low), axes.y(*high));
            }
        }
        path
    }

    fn dots(&self, axes: Axes) -> Vec<Dot> {
        let dot = |point: &crate::report::PastPoint| Dot {
            x: coordinate(axes.x(point.session)),
            y: coordinate(axes.y(point.value)),
            class: if point.in_window || self.candidate.is_none() {
                "baseline"
            } else {
                "before"
            },
            is_pinned: self.session(point.session).is_some_and(|session| session.is_pinned),
        };
        self.course.points.iter().map(dot).collect()
    }

    /// The level, the limits and the candidate.
    fn levels(&self, axes: Axes) -> Vec<Level> {
        let from = self.window(axes).map(|span| span.x);
        let mut found: Vec<(&'static str, Option<String>, f64, String)> = Vec::new();
        let compared = self.checks.iter().find(|check| !matches!(check.limit, Bound::Value(_)));
        let level = compared.and_then(|check| check.baseline.filter(|_| from.is_some()));
        found.extend(level.map(|value| ("level", from.clone(), value, "level".to_owned())));
        for check in self.checks {
            let is_alone = matches!(check.limit, Bound::Value(_));
            // What nothing was held against has no level, and no limit that is a change of it.
            if !is_alone && from.is_none() {
                continue;
            }
            let start = from.clone().filter(|_| !is_alone);
            let text = format::limit(self.metric(), check.limit);
            let text = format!("limit {}", text.trim_start_matches(['≤', '≥', ' ', format::SPACE]));
            let line = start.unwrap_or_else(|| coordinate(LEFT));
            let value = bound_of(check);
            found.extend(value.map(|value| ("limit", Some(line), value, labels::beside(text, "limit"))));
        }
        found.retain(|(_, _, value, _)| axes.holds(*value));
        found.extend(self.newest());
        let wanted: Vec<f64> = found.iter().map(|(_, _, value, _)| axes.y(*value)).collect();
        let heights = labels::apart(&wanted);
        let drawn = found.into_iter().zip(wanted).zip(heights);
        drawn
            .map(|(((class, from, _, label), y), label_y)| Level {
                class,
                from,
                y: coordinate(y),
                label,
                label_y: coordinate(label_y + 4.0),
            })
            .collect()
    }

    /// The candidate, or else the newest value.
    fn newest(&self) -> Option<(&'static str, Option<String>, f64, String)> {
        if let Some(new) = self.candidate {
            return Some(("candidate", None, new.value, "candidate".into()));
        }
        let value = self.course.points.last()?.value;
        let scale = self.scale();
        let label = labels::beside(scale.with_unit(value), &scale.number(value));
        Some(("baseline", None, value, label))
    }

    fn steps(&self, axes: Axes) -> Vec<Upright> {
        let steps = &self.course.steps;
        let x = |step: &PastStep| axes.x(step.session).midpoint(axes.x(step.after));
        let text = |step: &PastStep| format!("{} {}", step_word(step).0, format::percent(step.change));
        let wanted: Vec<(f64, String)> = steps.iter().map(|step| (x(step), text(step))).collect();
        let places = labels::above(&wanted);
        let drawn = steps.iter().zip(wanted).zip(places);
        drawn
            .map(|((step, (x, text)), place)| Upright {
                class: step_word(step).1,
                x: coordinate(x),
                label: place.map(|place| Above {
                    text,
                    x: coordinate(place.x),
                    y: coordinate(place.y),
                    anchor: place.anchor,
                }),
            })
            .collect()
    }

    /// The newest, the first and those where the level changed have a date before others.
    fn dates(&self, x: &dyn Fn(usize) -> f64) -> Vec<Dated> {
        let last = self.places().saturating_sub(1);
        let steps = self.course.steps.iter().map(|step| step.session);
        let others = (0..4).map(|quarter| last * quarter / 4);
        let wanted: Vec<(usize, f64)> = [last, 0]
            .into_iter()
            .chain(steps)
            .chain(others)
            .map(|place| (place, x(place)))
            .collect();
        let dated = |place: usize| {
            let (label, started_unix_s) = match (self.session(place), self.candidate) {
                (Some(session), _) => (session.label(), session.started_unix_s),
                (None, Some(new)) => (new.label.clone(), new.started_unix_s),
                (None, None) => return None,
            };
            Some(Dated {
                x: coordinate(x(place)),
                commit: escape::visible(&label).chars().take(SHORT).collect(),
                day: format::utc_day(started_unix_s),
            })
        };
        labels::dated(&wanted).into_iter().filter_map(dated).collect()
    }
}

/// A value with one standard deviation to each side, or alone.
fn ends(value: f64, sd: Option<f64>) -> Vec<f64> {
    match sd.filter(|sd| sd.is_finite() && *sd > 0.0) {
        Some(sd) => vec![value * (-sd).exp(), value * sd.exp()],
        None => vec![value],
    }
}

/// Two values that read alike are one.
fn ticks(axes: Axes, scale: Scale) -> Vec<Tick> {
    let mut ticks: Vec<Tick> = Vec::new();
    for value in axes.ticks() {
        let label = scale.number(value);
        if ticks.last().is_none_or(|before| before.label != label) {
            ticks.push(Tick {
                y: coordinate(axes.y(value)),
                label,
            });
        }
    }
    ticks
}

#[cfg(test)]
mod tests;

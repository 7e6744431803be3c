//! What captures tell of a time: held against the spread between those of one side.

use super::{
    PhaseDiff, Told,
    time::{TimeDiff, Values},
};
use crate::stats::{holm, moments::Moments, student_t, welch::welch};

/// The chance that any row of a comparison is called slower or faster while nothing changed.
const LEVEL: f64 = 0.05;

/// Says of each time what the captures tell, all of a comparison held to one level together.
///
/// Welch's test on one value for each capture, Holm's correction over all rows and causes of all phases; the wall times of the
/// phases are a family of their own. Where there are long waits between steps, a step is told only as it is
/// without them, and a cause of idle time only as all of them together are.
pub(super) fn judge(phases: &mut [PhaseDiff]) {
    let times = || phases.iter().filter_map(|phase| phase.time.as_ref());
    let without: Vec<Option<Values>> = times().map(TimeDiff::wall_without_waiting).collect();
    let walls: Vec<Told> = tell(
        times()
            .zip(&without)
            .flat_map(|(time, without)| time.wall.iter().chain(without)),
    );
    let idle: Vec<Option<Values>> = times().map(TimeDiff::idle_with_waiting).collect();
    let parts: Vec<Told> = tell(times().zip(&idle).flat_map(|(time, together)| {
        let rows = time.rows.iter().map(|row| &row.values);
        rows.chain(time.idle.iter().map(|idle| &idle.values)).chain(together)
    }));
    let (mut walls, mut parts) = (walls.into_iter(), parts.into_iter());
    let times = phases.iter_mut().filter_map(|phase| phase.time.as_mut());
    for ((time, without), together) in times.zip(without).zip(idle) {
        if time.wall.is_some() {
            time.wall_told = walls.next().unwrap_or(Told::OneCapture);
        }
        if without.is_some() {
            time.wall_told = time.wall_told.both(walls.next().unwrap_or(Told::OneCapture));
        }
        for row in &mut time.rows {
            row.told = parts.next().unwrap_or(Told::OneCapture);
        }
        for idle in &mut time.idle {
            idle.told = parts.next().unwrap_or(Told::OneCapture);
        }
        if together.is_some() {
            let together = parts.next().unwrap_or(Told::OneCapture);
            time.idle
                .iter_mut()
                .for_each(|idle| idle.told = idle.told.only_as(together));
        }
    }
}

fn tell<'a>(all: impl Iterator<Item = &'a Values>) -> Vec<Told> {
    let tests: Vec<Option<Test>> = all.map(Test::of).collect();
    let p_values: Vec<f64> = tests.iter().map(|test| test.map_or(1.0, |test| test.p)).collect();
    let adjusted = holm::adjusted(&p_values);
    tests
        .into_iter()
        .zip(adjusted)
        .map(|(test, p)| test.map_or(Told::OneCapture, |test| test.told(p)))
        .collect()
}

#[derive(Clone, Copy)]
struct Test {
    p: f64,
    ends: (f64, f64),
}

impl Test {
    /// `None` with one capture a side.
    fn of(values: &Values) -> Option<Self> {
        let (good, bad) = (Moments::of(&values.good)?, Moments::of(&values.bad)?);
        if good.n < 2 || bad.n < 2 {
            return None;
        }
        let change = values.change();
        // Without any spread (a time of zero everywhere) there is no test, and nothing to tell.
        let none = Self {
            p: 1.0,
            ends: (change, change),
        };
        let Some(found) = welch(&good, &bad) else {
            return Some(none);
        };
        let p = student_t::sf((found.difference / found.se).abs(), found.df).map(|p| 2.0 * p);
        let half = student_t::inverse_cdf(0.975, found.df).map(|t| t * found.se);
        Some(p.zip(half).map_or(none, |(p, half)| Self {
            p,
            ends: (change - half, change + half),
        }))
    }

    fn told(self, adjusted_p: f64) -> Told {
        let (low, high) = self.ends;
        match adjusted_p <= LEVEL {
            true if low > 0.0 => Told::Slower(low, high),
            true if high < 0.0 => Told::Faster(low, high),
            _ => Told::Nothing,
        }
    }
}

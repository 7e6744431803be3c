//! The rows of a phase's times, which add up to its step.

use super::words::{MOST_SIGNS, by_ms, counts, ms, share, told};
use crate::{
    op_table::{
        Family,
        diff::{TimeDiff, TimeRow, Told},
    },
    render::escape::cut,
};

/// One line of the table.
pub(super) struct Line<'a> {
    /// What it is.
    pub(super) kind: Kind,
    pub(super) region: &'a str,
    pub(super) what: String,
    /// Of rows alone.
    pub(super) family: Option<Family>,
    /// Milliseconds in a step, the good side's first.
    pub(super) ms: [f64; 2],
    /// Of the change of the step.
    pub(super) share: Option<f64>,
    pub(super) calls: Option<[f64; 2]>,
    pub(super) told: Option<Told>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An operator, kernel or family.
    Row,
    /// Part of the sum beside the rows.
    Part,
    /// The sum.
    Step,
}

impl Line<'_> {
    /// Bad less good.
    pub(super) fn by_ms(&self) -> f64 {
        self.ms[1] - self.ms[0]
    }

    /// As text: where, what, both times, change, share, calls, what is told.
    pub(super) fn cells(&self) -> Vec<String> {
        let [good, bad] = self.ms.map(ms);
        vec![
            self.region.to_owned(),
            cut(&self.what, MOST_SIGNS),
            good,
            bad,
            by_ms(self.by_ms()),
            self.share.map(share).unwrap_or_default(),
            self.calls.map(counts).unwrap_or_default(),
            self.told.map(told).unwrap_or_default(),
        ]
    }
}

/// Rows that tell something, the largest change first, as many as there is room for; and the others.
pub(super) fn split(time: &TimeDiff, most: usize) -> (Vec<&TimeRow>, Vec<&TimeRow>) {
    let least = 0.02 * time.change_ms().abs();
    let is_worth = |row: &TimeRow| row.is_changed || row.told.is_something() || row.values.change().abs() >= least;
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for row in &time.rows {
        if is_worth(row) && shown.len() < most {
            shown.push(row);
        } else {
            hidden.push(row);
        }
    }
    (shown, hidden)
}

/// Rows that tell something first; the rest as one, so that the sum closes.
pub(super) fn of(time: &TimeDiff, most: usize) -> Vec<Line<'_>> {
    let (shown, hidden) = split(time, most);
    let mut lines: Vec<Line<'_>> = shown.iter().map(|row| of_row(time, row)).collect();
    if !hidden.is_empty() {
        let what = match hidden.len() {
            1 => "1 other row".to_owned(),
            count => format!("{count} other rows"),
        };
        lines.push(part(time, what, sum(hidden)));
    }
    let overlap = time.overlap.means().map(|ms| -ms);
    if overlap.iter().any(|ms| ms.abs() > 1e-6) {
        lines.push(part(time, "at the same time, counted once".to_owned(), overlap));
    }
    for idle in &time.idle {
        lines.push(Line {
            calls: Some(idle.gaps),
            told: Some(idle.told),
            ..part(time, idle.cause.name().to_owned(), idle.values.means())
        });
    }
    lines.push(match &time.wall {
        Some(wall) => Line {
            kind: Kind::Step,
            told: Some(time.wall_told),
            ..part(time, "= step".to_owned(), wall.means())
        },
        None => Line {
            kind: Kind::Step,
            ..part(time, "= all rows".to_owned(), sum(time.rows.iter()))
        },
    });
    lines
}

/// The line of one operator, kernel or family.
pub(super) fn of_row<'a>(time: &TimeDiff, row: &'a TimeRow) -> Line<'a> {
    Line {
        kind: Kind::Row,
        region: &row.row.region,
        family: Some(row.family),
        calls: Some(row.calls),
        told: Some(row.told),
        ..part(time, row.row.name.clone(), row.values.means())
    }
}

fn part(time: &TimeDiff, what: String, ms: [f64; 2]) -> Line<'static> {
    Line {
        kind: Kind::Part,
        region: "",
        what,
        family: None,
        ms,
        share: time.share_of_change(ms[1] - ms[0]),
        calls: None,
        told: None,
    }
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a TimeRow>) -> [f64; 2] {
    rows.into_iter()
        .map(|row| row.values.means())
        .fold([0.0, 0.0], |all, own| [all[0] + own[0], all[1] + own[1]])
}

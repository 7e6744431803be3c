//! The rows of a phase's times, which add up to its step.

use super::words::{MOST_SIGNS, by_ms, counts, ms, share, told};
use crate::{
    op_table::diff::{TimeDiff, TimeRow},
    render::escape::cut,
};

/// Rows that tell something first; the rest as one, so that the sum closes.
pub(super) fn of(time: &TimeDiff, most: usize) -> Vec<Vec<String>> {
    let least = 0.02 * time.change_ms().abs();
    let is_worth = |row: &&TimeRow| row.is_changed || row.told.is_something() || row.values.change().abs() >= least;
    let shown: Vec<&TimeRow> = time.rows.iter().filter(is_worth).take(most).collect();
    let mut lines: Vec<Vec<String>> = shown.iter().map(|row| of_row(time, row)).collect();
    let all = sum(time.rows.iter());
    let own = sum(shown.iter().copied());
    let hidden = time.rows.len() - shown.len();
    if hidden > 0 {
        let rest = [all[0] - own[0], all[1] - own[1]];
        lines.push(bare(time, &format!("{hidden} other rows"), rest));
    }
    let overlap = time.overlap.means().map(|ms| -ms);
    if overlap.iter().any(|ms| ms.abs() > 1e-6) {
        lines.push(bare(time, "at the same time, counted once", overlap));
    }
    for idle in &time.idle {
        let cells = [counts(idle.gaps), told(idle.told)];
        lines.push(line(time, ["", idle.cause.name()], idle.values.means(), cells));
    }
    lines.push(match &time.wall {
        Some(wall) => line(
            time,
            ["", "= step"],
            wall.means(),
            [String::new(), told(time.wall_told)],
        ),
        None => bare(time, "= all rows", all),
    });
    lines
}

fn of_row(time: &TimeDiff, row: &TimeRow) -> Vec<String> {
    let name = cut(&row.row.name, MOST_SIGNS);
    let cells = [counts(row.calls), told(row.told)];
    line(time, [&row.row.region, &name], row.values.means(), cells)
}

fn bare(time: &TimeDiff, what: &str, values: [f64; 2]) -> Vec<String> {
    line(time, ["", what], values, [String::new(), String::new()])
}

fn line(time: &TimeDiff, [region, what]: [&str; 2], [good, bad]: [f64; 2], [calls, told]: [String; 2]) -> Vec<String> {
    let share_of = time.share_of_change(bad - good).map(share).unwrap_or_default();
    let numbers = [ms(good), ms(bad), by_ms(bad - good), share_of, calls, told];
    [region, what].map(str::to_owned).into_iter().chain(numbers).collect()
}

fn sum<'a>(rows: impl Iterator<Item = &'a TimeRow>) -> [f64; 2] {
    rows.map(|row| row.values.means())
        .fold([0.0, 0.0], |all, own| [all[0] + own[0], all[1] + own[1]])
}

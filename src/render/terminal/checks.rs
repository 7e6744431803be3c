//! The table of checks: one for all cells on a wide terminal, one a cell on a narrow one.

use comfy_table::{Cell, ColumnConstraint};

use super::{Page, bold, new_table, right};
use crate::render::{
    escape::visible,
    view::{CheckView, ReportView},
};

const VERDICT: &str = "Verdict";
const METRIC: &str = "Metric";
const CELL: &str = "Cell";
const WIDE_HEADER: [&str; 7] = [
    VERDICT,
    METRIC,
    CELL,
    "Baseline → candidate",
    "Change",
    "90 % interval",
    "Limit",
];
const NARROW_HEADER: [&str; 4] = [VERDICT, METRIC, "Baseline → candidate", "Change"];
/// From this width on, cell and interval have columns of their own.
const WIDE: u16 = 120;

impl Page {
    pub(super) fn checks(&mut self, view: &ReportView) {
        if view.checks.is_empty() {
            return;
        }
        self.title("Checks");
        if self.width >= WIDE {
            self.check_table(view.checks.iter(), &WIDE_HEADER, wide_row);
        } else {
            for (cell, checks) in by_cell(&view.checks) {
                self.paragraph(" ", cell);
                self.check_table(checks.into_iter(), &NARROW_HEADER, narrow_row);
            }
        }
        let unsettled = view.checks.iter().filter(|check| check.word != "pass");
        // What stands under Why or Note stands only there.
        for check in unsettled.filter(|check| !check.reason.is_empty() && !check.in_warnings && !check.is_explained) {
            let text = format!("{}, {}: {}", check.metric, check.cell, check.reason);
            self.paragraph(&format!(" {} ", check.glyph), &text);
        }
    }

    /// A table of checks, each verdict in its colour; numbers are not wrapped, names are where there is no room.
    fn check_table<'a>(
        &mut self,
        checks: impl Iterator<Item = &'a CheckView> + Clone,
        header: &[&str],
        row: fn(&CheckView) -> Vec<Cell>,
    ) {
        let mut table = new_table(self.width);
        table.set_header(header.iter().map(|name| match *name {
            VERDICT | METRIC | CELL => Cell::new(name),
            number => right(number),
        }));
        table.add_rows(checks.clone().map(row));
        for (column, name) in table.column_iter_mut().zip(header) {
            if !matches!(*name, METRIC | CELL) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let mut looks = checks.map(|check| (status(check), check.tone)).peekable();
        for line in table.trim_fmt().lines() {
            let next = looks.next_if(|(status, _)| line.starts_with(&format!(" {status}")));
            let painted = next.and_then(|(status, tone)| {
                let rest = line.strip_prefix(&format!(" {status}"))?;
                Some(format!(" {}{rest}", self.paint(&status, &bold(tone))))
            });
            self.line(painted.as_deref().unwrap_or(line));
        }
    }
}

/// The checks of each cell, the cell of the worst check first.
fn by_cell(checks: &[CheckView]) -> Vec<(&str, Vec<&CheckView>)> {
    let mut cells: Vec<(&str, Vec<&CheckView>)> = Vec::new();
    for check in checks {
        match cells.iter_mut().find(|(cell, _)| *cell == check.cell) {
            Some((_, known)) => known.push(check),
            None => cells.push((&check.cell, vec![check])),
        }
    }
    cells
}

fn status(check: &CheckView) -> String {
    format!("{} {}", check.glyph, check.word)
}

fn change(check: &CheckView) -> &str {
    if check.change.is_empty() {
        "not known"
    } else {
        &check.change
    }
}

fn wide_row(check: &CheckView) -> Vec<Cell> {
    vec![
        Cell::new(status(check)),
        Cell::new(check.metric),
        Cell::new(visible(&check.cell)),
        right(&check.values),
        right(change(check)),
        right(&check.interval),
        right(&check.limit),
    ]
}

/// Limit and interval stand below metric and change.
fn narrow_row(check: &CheckView) -> Vec<Cell> {
    vec![
        Cell::new(status(check)),
        Cell::new(format!("{}\n{}", check.metric, check.limit)),
        right(&check.values),
        right(format!("{}\n{}", change(check), check.interval).trim_end()),
    ]
}

//! The table of checks: one for all cells where it fits, else one a cell; every column where that is asked for.

use super::{Page, bold};
use crate::render::{
    escape::on_screen,
    format::SPACE,
    grid::{Grid, fits},
    view::{CheckView, ReportView},
    words::{self, Tone},
};

const VALUES: &str = "Baseline → candidate";
const INTERVAL: &str = "90 % interval";

impl Page {
    pub(super) fn checks(&mut self, view: &ReportView) {
        if view.checks.is_empty() {
            return;
        }
        self.title("Checks");
        let is_shown = |check: &&CheckView| !self.screen.only_problems || is_problem(check);
        let (shown, hidden): (Vec<&CheckView>, Vec<&CheckView>) = view.checks.iter().partition(is_shown);
        if !shown.is_empty() {
            self.check_tables(&shown);
        }
        self.left_out(&hidden);
        let unsettled = shown.iter().filter(|check| check.word != "pass");
        // What stands under Why or Note stands only there.
        for check in unsettled.filter(|check| !check.reason.is_empty() && !check.in_warnings && !check.is_explained) {
            let text = format!("{}, {}: {}", check.metric, check.cell, check.reason);
            self.paragraph(&format!(" {} ", check.glyph), &text);
        }
    }

    /// What `--only problems` does not show, so that nobody takes the list for the whole.
    fn left_out(&mut self, hidden: &[&CheckView]) {
        if hidden.is_empty() {
            return;
        }
        let checks = if hidden.len() == 1 { "check is" } else { "checks are" };
        let words: Vec<&str> = hidden.iter().map(|check| check.word).collect();
        let text = format!("{} {checks} left out: {}", hidden.len(), words::counted(&words));
        self.paragraph(" ", &text);
    }

    fn check_tables(&mut self, checks: &[&CheckView]) {
        let all = whole(checks, true, self.screen.is_wide).text();
        if self.screen.is_wide || fits(&all, self.screen.width) {
            return self.check_lines(checks, &all);
        }
        let cells = by_cell(checks);
        let tables: Vec<String> = cells
            .iter()
            .map(|(_, checks)| whole(checks, false, false).text())
            .collect();
        let all_fit = tables.iter().all(|table| fits(table, self.screen.width));
        for ((cell, checks), table) in cells.iter().zip(tables) {
            self.paragraph(" ", cell);
            if all_fit {
                self.check_lines(checks, &table);
            } else {
                self.narrow(checks);
            }
        }
    }

    /// Limit and interval stand below metric and change; where even that finds no room, each check is a sentence.
    fn narrow(&mut self, checks: &[&CheckView]) {
        let grid = |has_room: bool| {
            let all = || checks.iter();
            let metric = |check: &&CheckView| format!("{}\n{}", check.metric, check.limit);
            let change = all().map(|check| [change(check), check.interval.clone()]);
            let names = Grid::default()
                .names("Verdict", all().map(|check| status(check)))
                .names("Metric", all().map(metric));
            let values = all().map(|check| values(check));
            if has_room {
                names.numbers(VALUES, values).stacked("Change", change).text()
            } else {
                names.plain(VALUES, values).stacked("Change", change).text()
            }
        };
        let mut tables = [true, false].into_iter().map(grid);
        if let Some(table) = tables.find(|table| fits(table, self.screen.width)) {
            return self.check_lines(checks, &table);
        }
        for check in checks {
            let interval = match check.interval.as_str() {
                "" => String::new(),
                interval => format!(" ({interval})"),
            };
            let text = format!(
                "{} {}: {}, {}{interval}, limit {}",
                check.word,
                check.metric,
                values(check),
                change(check),
                check.limit
            );
            self.paragraph(&format!(" {} ", check.glyph), &text);
        }
    }

    /// A table of checks, each verdict in its colour.
    fn check_lines(&mut self, checks: &[&CheckView], table: &str) {
        let mut looks = checks.iter().map(|check| (status(check), check.tone)).peekable();
        for line in table.lines() {
            let next = looks.next_if(|(status, _)| line.starts_with(&format!(" {status}")));
            let painted = next.and_then(|(status, tone)| {
                let rest = line.strip_prefix(&format!(" {status}"))?;
                Some(format!(" {}{rest}", self.paint(&status, &bold(tone))))
            });
            self.line(painted.as_deref().unwrap_or(line));
        }
    }
}

/// One line a check; with `everything` all that is known of it.
fn whole(checks: &[&CheckView], has_cell: bool, everything: bool) -> Grid {
    let all = || checks.iter();
    let mut grid = Grid::default()
        .names("Verdict", all().map(|check| status(check)))
        .names("Metric", all().map(|check| check.metric.to_owned()));
    if has_cell {
        grid = grid.names("Cell", all().map(|check| on_screen(&check.cell)));
    }
    let grid = grid
        .numbers(VALUES, all().map(|check| values(check)))
        .numbers("Change", all().map(|check| change(check)))
        .numbers(INTERVAL, all().map(|check| check.interval.clone()))
        .numbers("Limit", all().map(|check| check.limit.clone()));
    if !everything {
        return grid;
    }
    grid.numbers("Runs", all().map(|check| check.runs.clone()))
        .numbers("p, real", all().map(|check| check.p_real.clone()))
        .numbers("p, beyond", all().map(|check| check.p_beyond.clone()))
        .numbers("Would find", all().map(|check| check.detectable.clone()))
        .names("A regression", all().map(|check| does(check)))
}

/// The checks of each cell, the cell of the worst check first.
fn by_cell<'a>(checks: &[&'a CheckView]) -> Vec<(&'a str, Vec<&'a CheckView>)> {
    let mut cells: Vec<(&str, Vec<&CheckView>)> = Vec::new();
    for check in checks {
        match cells.iter_mut().find(|(cell, _)| *cell == check.cell) {
            Some((_, known)) => known.push(check),
            None => cells.push((&check.cell, vec![check])),
        }
    }
    cells
}

/// Whether it is more than a pass or an improvement.
pub(super) fn is_problem(check: &CheckView) -> bool {
    check.tone != Tone::Good
}

fn status(check: &CheckView) -> String {
    format!("{} {}", check.glyph, check.word)
}

/// A table breaks no line in it.
fn values(check: &CheckView) -> String {
    check.values.replace(' ', &SPACE.to_string())
}

fn change(check: &CheckView) -> String {
    if check.change.is_empty() {
        format!("not{SPACE}known")
    } else {
        check.change.clone()
    }
}

/// What a regression does, and what it asks for.
fn does(check: &CheckView) -> String {
    match check.requires {
        Some(evidence) => format!("{}, asks for {evidence}", check.action),
        None => check.action.to_owned(),
    }
}

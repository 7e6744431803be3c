//! Reports and sessions for a terminal: plain text with tables, colour only beside a word.

mod checks;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets::NOTHING};

use super::{
    escape::visible,
    evidence::{ObligationView, TrustedView},
    facts,
    figures::{self, CellTable, Rows},
    format::{self, SPACE},
    view::{ArmView, ReportView},
    words::{self, Tone},
};
use crate::report::{Arm, Report};

const RULE: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));
const NARROWEST: u16 = 40;
const INDENT: &str = "  ";

/// A report: the verdict first, then checks, indicators, and what to do.
///
/// `color` and `width` (columns) are the caller's to find out.
pub fn terminal_report(report: &Report, color: bool, width: u16) -> String {
    let view = ReportView::of(report);
    let mut page = Page::new(color, width);
    page.verdict(report, &view);
    page.list("Why", view.why.iter());
    page.checks(&view);
    page.title("Six indicators (median of the runs)");
    for cell in &view.indicators {
        page.indicators(cell, &view.arm_names);
    }
    page.failures(
        view.failures
            .iter()
            .map(|f| (f.arm, &*f.cell, &*f.class, &*f.count, &*f.message)),
    );
    page.differences(&view);
    page.list("Note", view.warnings.iter());
    let sentences = |those: &[ObligationView]| those.iter().map(ObligationView::sentence).collect::<Vec<_>>();
    page.list("Explained and attached", sentences(&view.given).iter());
    let owed = sentences(&view.obligations);
    page.list("Owed before merge", owed.iter());
    if let Some(trusted) = &view.trusted {
        page.trusted(trusted);
    }
    page.list("What now", view.next_steps.iter());
    page.finish()
}

/// One session: its facts, then every metric of every cell with the spread of its runs, then its failures, and what a
/// reader should know.
pub fn terminal_session(arm: &Arm, warnings: &[String], color: bool, width: u16) -> String {
    let arms = [("session", arm)];
    let mut page = Page::new(color, width);
    page.title(&arm.name);
    let mut facts = vec![("measured".to_owned(), format::utc_time(arm.started_unix_s))];
    facts.extend(arm.commit.iter().map(|commit| ("commit".to_owned(), commit.clone())));
    facts.push(("fingerprint".to_owned(), arm.fingerprint.clone()));
    facts.extend(
        facts::facts(&arms)
            .into_iter()
            .map(|fact| (fact.what, fact.values.concat())),
    );
    page.facts(&facts);
    for cell in figures::tables(&arms, &[], Rows::Measured) {
        page.metrics(&cell);
    }
    let failures = arm
        .failures
        .iter()
        .map(|(cell, class, count, message)| (cell, class, count.to_string(), message));
    let failures: Vec<_> = failures.collect();
    page.failures(
        failures
            .iter()
            .map(|(cell, class, count, message)| ("", &***cell, &***class, &**count, &***message)),
    );
    page.list("Note", warnings.iter());
    page.finish()
}

/// One line of failed requests: arm, cell, class, count, message.
type FailureRow<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Text as it grows, with what the terminal can show.
struct Page {
    text: String,
    color: bool,
    width: u16,
}

impl Page {
    fn new(color: bool, width: u16) -> Self {
        Self {
            text: String::new(),
            color,
            width: width.max(NARROWEST),
        }
    }

    fn finish(self) -> String {
        self.text.replace(SPACE, " ")
    }

    fn paint(&self, text: &str, codes: &str) -> String {
        if self.color {
            format!("\u{1b}[{codes}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn title(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = self.paint(&visible(text), "1");
        self.line(&title);
    }

    /// A paragraph in which the lines after the first stand under the text of the first.
    fn paragraph(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(first.chars().count());
        let room = usize::from(self.width).saturating_sub(indent.len()).max(20);
        for (at, line) in wrap(&visible(text), room).iter().enumerate() {
            let start = if at == 0 { first } else { &indent };
            self.line(&format!("{start}{line}"));
        }
    }

    fn list<'a>(&mut self, title: &str, items: impl ExactSizeIterator<Item = &'a String>) {
        if items.len() == 0 {
            return;
        }
        self.title(title);
        for item in items {
            self.paragraph("  - ", item);
        }
    }

    fn trusted(&mut self, trusted: &TrustedView) {
        let sentences = trusted.sentences();
        self.title("Whose rules");
        for (at, sentence) in sentences.iter().enumerate() {
            self.paragraph("  - ", sentence);
            // The first is about the rules themselves, each other one about a file.
            let changed = at.checked_sub(1).and_then(|at| trusted.changed.get(at));
            for line in changed.iter().flat_map(|changed| &changed.lines) {
                self.line(&format!("      {}", visible(line)));
            }
        }
    }

    fn table(&mut self, table: &Table) {
        let text = table.trim_fmt();
        self.line(&text);
    }

    fn verdict(&mut self, report: &Report, view: &ReportView) {
        let look = words::look(report.verdict);
        let headline = visible(&view.headline);
        let headline = if headline.starts_with(look.word) {
            headline
        } else {
            format!("{}: {headline}", look.word)
        };
        let first = self.paint(&format!("{} {headline}", look.glyph), &bold(look.tone));
        self.line(&first);
        let counts = if view.counts.is_empty() {
            String::new()
        } else {
            format!("{} · ", view.counts)
        };
        self.paragraph(
            INDENT,
            &format!("{counts}exit {}: {}", view.exit_code, view.exit_meaning),
        );
        let side = |arm: &ArmView| match &arm.short_commit {
            Some(commit) => format!("{} at {commit}, {}", arm.name, arm.started),
            None => format!("{}, {}", arm.name, arm.started),
        };
        let baseline = view.baseline.as_ref().map_or_else(|| "none".into(), side);
        self.paragraph("  baseline:  ", &baseline);
        self.paragraph("  candidate: ", &side(&view.candidate));
    }

    fn indicators(&mut self, cell: &CellTable, arms: &[&str]) {
        self.cell_title(cell);
        let mut table = new_table(self.width);
        let judged = cell.rows.iter().any(|row| !row.change.is_empty());
        let mut header = vec![Cell::new("")];
        header.extend(arms.iter().map(|arm| right(arm)));
        header.push(Cell::new(""));
        header.extend(judged.then(|| right("judged change")));
        table.set_header(header);
        for row in &cell.rows {
            let mut cells = vec![Cell::new(row.label)];
            cells.extend(row.arms.iter().map(|entry| right(&entry.value)));
            cells.push(Cell::new(row.unit));
            cells.extend(judged.then(|| right(&row.change)));
            table.add_row(cells);
        }
        self.table(&table);
        self.notes(cell);
    }

    fn metrics(&mut self, cell: &CellTable) {
        self.text.push('\n');
        self.cell_title(cell);
        let mut table = new_table(self.width);
        table.set_header([
            Cell::new(""),
            right("median"),
            right("smallest … largest run"),
            Cell::new(""),
        ]);
        for row in &cell.rows {
            let mut cells = vec![Cell::new(row.label)];
            for entry in &row.arms {
                cells.extend([right(&entry.value), right(&entry.spread)]);
            }
            cells.push(Cell::new(row.unit));
            table.add_row(cells);
        }
        self.table(&table);
        self.notes(cell);
    }

    fn cell_title(&mut self, cell: &CellTable) {
        self.paragraph(" ", &format!("{} · {}", cell.name, cell.runs));
    }

    fn notes(&mut self, cell: &CellTable) {
        for note in &cell.notes {
            self.paragraph(" * ", note);
        }
    }

    fn facts(&mut self, facts: &[(String, String)]) {
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        for (what, value) in facts {
            table.add_row([visible(what), visible(value)]);
        }
        self.table(&table);
    }

    fn failures<'a>(&mut self, rows: impl Iterator<Item = FailureRow<'a>>) {
        let rows: Vec<FailureRow<'a>> = rows.collect();
        if rows.is_empty() {
            return;
        }
        self.title("Failed requests");
        for (arm, cell, class, count, message) in rows {
            let place = if arm.is_empty() {
                cell.to_owned()
            } else {
                format!("{arm}, {cell}")
            };
            self.paragraph("  - ", &format!("{count} × {class} ({place}): {message}"));
        }
    }

    fn differences(&mut self, view: &ReportView) {
        let rows = view.differences.iter().map(|d| {
            let allowed = if d.allowed { " (allowed)" } else { "" };
            format!("{}: {} → {}{allowed}", d.field, d.baseline, d.candidate)
        });
        let rows: Vec<String> = rows.collect();
        self.list("The two sides differ", rows.iter());
    }
}

fn bold(tone: Tone) -> String {
    format!("1;{}", tone.sgr())
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn new_table(width: u16) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}

/// Lines of at most `room` characters, broken at spaces; a longer word stands alone.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_never_inside_a_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("aaaaaaaaaa b", 4), ["aaaaaaaaaa", "b"]);
        assert!(wrap("", 4).is_empty());
    }
}

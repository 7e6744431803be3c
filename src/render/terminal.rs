//! Reports and sessions for a terminal: plain text with tables, colour only beside a word.

mod checks;
mod figures;

use self::checks::is_problem;
use super::{
    Screen,
    columns::width,
    escape::{marked, on_screen, visible},
    evidence::{ObligationView, TrustedView},
    facts,
    figures::{CellTable, Rows, tables},
    format::{self, SPACE},
    grid::Grid,
    view::{ArmView, ReportView},
    words::{self, Tone},
};
use crate::report::{Arm, Report};

const NARROWEST: u16 = 40;
const INDENT: &str = "  ";

/// A report for a terminal of so many columns: the verdict first, then checks, indicators, and what to do.
pub fn terminal_report(report: &Report, color: bool, width: u16) -> String {
    terminal_report_on(report, Screen::of(color, width))
}

/// The same with all that the screen is asked for.
pub fn terminal_report_on(report: &Report, screen: Screen) -> String {
    let view = ReportView::of(report);
    let mut page = Page::new(screen);
    page.verdict(report, &view);
    page.list("Why", view.why.iter());
    page.checks(&view);
    page.figures_of(&view);
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

/// One session: its facts, then every metric of every cell with the spread and the course of its runs, then its failures,
/// and what a reader should know.
pub fn terminal_session(arm: &Arm, warnings: &[String], color: bool, width: u16) -> String {
    terminal_session_on(arm, warnings, Screen::of(color, width))
}

/// The same with all that the screen is asked for.
pub fn terminal_session_on(arm: &Arm, warnings: &[String], screen: Screen) -> String {
    let arms = [("session", arm)];
    let mut page = Page::new(screen);
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
    for cell in tables(&arms, &[], Rows::Measured) {
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
    screen: Screen,
}

impl Page {
    fn new(screen: Screen) -> Self {
        Self {
            text: String::new(),
            screen: Screen {
                width: screen.width.max(NARROWEST),
                ..screen
            },
        }
    }

    fn finish(self) -> String {
        self.text.replace(SPACE, " ")
    }

    fn paint(&self, text: &str, codes: &str) -> String {
        if self.screen.color {
            format!("\u{1b}[{codes}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    fn title(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = self.paint(&on_screen(text), "1");
        self.line(&title);
    }

    /// A paragraph in which the lines after the first stand under the text of the first.
    fn paragraph(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(width(first));
        let room = usize::from(self.screen.width).saturating_sub(indent.len()).max(20);
        // No number is parted from its sign.
        let text = visible(text).replace(" %", &format!("{SPACE}%"));
        for (at, line) in wrap(&text, room).iter().enumerate() {
            let start = if at == 0 { first } else { &indent };
            self.line(&format!("{start}{}", marked(line)));
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
                self.line(&format!("      {}", on_screen(line)));
            }
        }
    }

    fn verdict(&mut self, report: &Report, view: &ReportView) {
        let look = words::look(report.verdict);
        let headline = visible(&view.headline);
        let headline = if headline.starts_with(look.word) {
            headline
        } else {
            format!("{}: {headline}", look.word)
        };
        let headline = format!("{} {headline}", look.glyph);
        // In a log it is one line, for whoever searches it.
        let is_log = self.screen.width >= Screen::default().width;
        let room = if is_log {
            usize::MAX
        } else {
            usize::from(self.screen.width) - INDENT.len()
        };
        for (at, line) in wrap(&headline, room).iter().enumerate() {
            let line = self.paint(&marked(line), &bold(look.tone));
            self.line(&if at == 0 { line } else { format!("{INDENT}{line}") });
        }
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

    /// The indicators of every cell, or all that was measured where every column is wanted.
    fn figures_of(&mut self, view: &ReportView) {
        let (title, cells) = if self.screen.is_wide {
            ("All figures (median of the runs)", &view.metrics)
        } else {
            ("Six indicators (median of the runs)", &view.indicators)
        };
        let has_problem = |cell: &&CellTable| {
            let mut checks = view.checks.iter().filter(|check| check.cell == cell.name);
            !self.screen.only_problems || checks.any(is_problem)
        };
        let (shown, hidden): (Vec<&CellTable>, Vec<&CellTable>) = cells.iter().partition(has_problem);
        if !shown.is_empty() || hidden.is_empty() {
            self.title(title);
        }
        for cell in shown {
            self.indicators(cell, &view.arm_names);
        }
        match hidden.len() {
            0 => {}
            1 => self.paragraph(" ", "the figures of 1 cell without a problem are left out"),
            cells => self.paragraph(
                " ",
                &format!("the figures of {cells} cells without a problem are left out"),
            ),
        }
    }

    fn facts(&mut self, facts: &[(String, String)]) {
        let grid = Grid::default()
            .names("", facts.iter().map(|(what, _)| on_screen(what)))
            .names("", facts.iter().map(|(_, value)| on_screen(value)));
        let table = grid.text_within(self.screen.width);
        self.lines(&table);
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

/// Lines of at most `room` columns, broken at spaces; a longer word stands alone.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
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
        assert_eq!(wrap("模型 模型", 8), ["模型", "模型"], "each sign takes two columns");
    }
}

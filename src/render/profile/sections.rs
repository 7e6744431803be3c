//! Sentences and tables, set for a terminal or as Markdown.

use std::fmt::Write as _;

use super::super::{
    Screen,
    escape::{markdown, markdown_code, prose, visible},
    format::SPACE,
    grid::Grid,
};

/// A part of a page.
#[derive(Default)]
pub(super) struct Section {
    pub(super) title: String,
    /// Sentences, each a line; values in backticks.
    pub(super) lines: Vec<String>,
    pub(super) table: Option<Table>,
    /// Sentences below the table.
    pub(super) notes: Vec<String>,
}

/// A table; names stand at the left, numbers at the right.
pub(super) struct Table {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<String>>,
}

/// What stands over a column.
#[derive(Clone, Copy)]
pub(super) enum Head {
    Name(&'static str),
    Number(&'static str),
}

impl Head {
    const fn text(self) -> &'static str {
        match self {
            Self::Name(text) | Self::Number(text) => text,
        }
    }
}

impl Table {
    /// Columns in which no row has anything are left out.
    fn columns(&self) -> impl Iterator<Item = (Head, Vec<&str>)> {
        let columns = self.heads.iter().enumerate().map(|(place, head)| {
            let cells = self
                .rows
                .iter()
                .map(move |row| row.get(place).map_or("", String::as_str));
            (*head, cells.collect::<Vec<_>>())
        });
        columns.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
    }
}

/// The page; without a screen it is Markdown.
pub(super) fn text(sections: &[Section], screen: Option<Screen>) -> String {
    let parts: Vec<String> = sections
        .iter()
        .map(|section| screen.map_or_else(|| as_markdown(section), |screen| on_screen(section, screen)))
        .collect();
    let text = parts.join("\n");
    if screen.is_some() {
        text.replace(SPACE, " ")
    } else {
        text
    }
}

fn on_screen(section: &Section, screen: Screen) -> String {
    let mut text = String::new();
    if !section.title.is_empty() {
        let _ = writeln!(text, "{}", visible(&section.title));
    }
    for line in &section.lines {
        let _ = writeln!(text, "{}", visible(line));
    }
    if let Some(table) = section.table.as_ref().filter(|table| !table.rows.is_empty()) {
        let grid = table.columns().fold(Grid::default(), |grid, (head, cells)| {
            let cells = cells.into_iter().map(visible);
            match head {
                Head::Name(text) => grid.names(text, cells),
                Head::Number(text) => grid.plain(text, cells),
            }
        });
        let set = if screen.is_wide {
            grid.text()
        } else {
            grid.text_within(screen.width)
        };
        let _ = writeln!(text, "{set}");
    }
    for line in &section.notes {
        let _ = writeln!(text, "{}", visible(line));
    }
    text
}

fn as_markdown(section: &Section) -> String {
    let mut text = String::new();
    if !section.title.is_empty() {
        let _ = writeln!(text, "### {}\n", prose(&section.title, markdown, markdown_code));
    }
    list(&mut text, &section.lines);
    if let Some(table) = section.table.as_ref().filter(|table| !table.rows.is_empty()) {
        let columns: Vec<(Head, Vec<&str>)> = table.columns().collect();
        let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let _ = writeln!(
            text,
            "{}",
            row(columns.iter().map(|(head, _)| markdown(head.text())).collect())
        );
        let rule = columns
            .iter()
            .map(|(head, _)| if matches!(head, Head::Name(_)) { "---" } else { "---:" });
        let _ = writeln!(text, "{}", row(rule.map(str::to_owned).collect()));
        for place in 0..table.rows.len() {
            let cells = columns
                .iter()
                .map(|(_, cells)| markdown(cells.get(place).copied().unwrap_or_default()));
            let _ = writeln!(text, "{}", row(cells.collect()));
        }
        text.push('\n');
    }
    list(&mut text, &section.notes);
    text
}

fn list(text: &mut String, lines: &[String]) {
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "- {}", prose(line.trim_start(), markdown, markdown_code));
    }
    if !lines.is_empty() {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section {
            title: "Time".into(),
            lines: vec!["decode: `a|b` took longer".into()],
            table: Some(Table {
                heads: vec![Head::Name("What"), Head::Name("Where"), Head::Number("ms")],
                rows: vec![vec!["k<x|y>(\u{1b}[31m*)".into(), String::new(), "1.50".into()]],
            }),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_kernels_name_is_no_markdown_and_an_empty_column_is_left_out() {
        let text = text(&[section()], None);
        assert!(text.contains("| What | ms |\n| --- | ---: |\n"), "{text}");
        let row = text.lines().find(|line| line.contains("1.50")).unwrap();
        assert_eq!(row.matches('|').count(), 3, "{row}");
        assert!(!row.contains('<') || !row.contains("<x"), "{row}");
        assert!(text.contains("<code>a"), "{text}");
    }

    #[test]
    fn a_name_moves_no_cursor() {
        let text = text(&[section()], Some(Screen::default()));
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

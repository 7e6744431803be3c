//! Lists of stored baselines for a terminal.

use std::fmt::Write as _;

use comfy_table::{Table, presets::NOTHING};

use super::{escape::visible, format};

/// One stored baseline in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaselineRow {
    /// Its name, else its file.
    pub name: String,
    /// When its newest session was saved, seconds since 1970 UTC.
    pub saved_unix_s: Option<u64>,
    /// How many sessions it holds.
    pub sessions: usize,
    /// The model.
    pub model: String,
    /// Names of its cells.
    pub cells: Vec<String>,
    /// Commit of its newest session.
    pub commit: Option<String>,
    /// Why it cannot be read, if so.
    pub problem: Option<String>,
    /// What speaks against its sessions, in sentences.
    pub doubts: Vec<String>,
}

/// The list as a table; a broken baseline shows its problem. Below it, what speaks against the sessions of one.
pub fn terminal_baselines(rows: &[BaselineRow]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["Name", "Saved", "Sessions", "Model", "Commit", "Cells"]);
    for row in rows {
        table.add_row(match &row.problem {
            Some(problem) => vec![visible(&row.name), visible(problem)],
            None => vec![
                visible(&row.name),
                row.saved_unix_s.map_or_else(String::new, format::utc_time),
                row.sessions.to_string(),
                visible(&row.model),
                visible(row.commit.as_deref().unwrap_or("–")),
                visible(&row.cells.join("\n")),
            ],
        });
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for row in rows {
        let named = row.doubts.iter().map(|doubt| format!("{}: {doubt}", row.name));
        text.push_str(&terminal_doubts(&named.collect::<Vec<_>>()));
    }
    text
}

/// What speaks against stored sessions, a line each.
pub fn terminal_doubts(doubts: &[String]) -> String {
    let mut text = String::new();
    for doubt in doubts {
        let _ = writeln!(text, "{}", visible(doubt));
    }
    text
}

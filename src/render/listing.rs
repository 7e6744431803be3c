//! Lists of stored baselines for a terminal.

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
}

/// The list as a table; a broken baseline shows its problem.
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
    format!("{}\n", table.trim_fmt())
}

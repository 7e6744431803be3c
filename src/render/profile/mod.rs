//! Profiles for people: what one holds, and what differs between two sides.
//!
//! `sections.rs` sets both as text for a terminal or as Markdown; `words.rs` has the sentences, which JSON shows too.

mod brief;
mod diff;
mod page;
mod routine;
mod rows;
mod sections;
mod show;
pub(super) mod verdicts;
pub(super) mod words;

pub(super) use brief::{ProfileView, brief};
pub use page::profile_diff_html;
pub(super) use page::section;

use super::Screen;
use crate::op_table::{OpTable, diff::Diff};

/// What a capture holds, for a terminal, or as Markdown where there is no screen.
pub fn profile_text(table: &OpTable, screen: Option<Screen>) -> String {
    sections::text(&show::sections(table, most_rows(screen)), screen)
}

/// What differs between two sides, for a terminal, or as Markdown where there is no screen.
pub fn profile_diff_text(diff: &Diff, screen: Option<Screen>) -> String {
    sections::text(&diff::sections(diff, most_rows(screen)), screen)
}

/// How many rows of a table are shown.
fn most_rows(screen: Option<Screen>) -> usize {
    match screen {
        Some(screen) if screen.is_wide => usize::MAX,
        Some(_) => 12,
        None => 60,
    }
}

//! The comment on a pull request, in GitHub-flavoured Markdown.

use serde::Serialize;

use super::{
    RenderError,
    template::{Language, render},
    view::{CheckView, ReportView},
};
use crate::report::Report;

/// GitHub refuses a comment of more than 65,536 characters; some are left for what the poster adds.
const MAX_BYTES: usize = 60_000;
/// More rows than this are not read.
const MAX_ROWS: usize = 10;
const TEMPLATE: &str = include_str!("../../templates/comment.md");

/// What the template gets.
#[derive(Serialize)]
struct Comment<'a> {
    report: &'a ReportView,
    /// The worst checks.
    rows: &'a [CheckView],
    show: Sections,
}

/// The sections that a comment may leave out.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each names one section of the template")]
struct Sections {
    table: bool,
    notes: bool,
    indicators: bool,
    environment: bool,
    all_checks: bool,
}

/// From everything to the verdict alone; the first that fits is taken, so that no section is cut in the middle.
const LEVELS: [Sections; 5] = [
    Sections::level(5),
    Sections::level(4),
    Sections::level(3),
    Sections::level(2),
    Sections::level(0),
];

impl Sections {
    const fn level(parts: u8) -> Self {
        Self {
            table: parts >= 1,
            notes: parts >= 2,
            environment: parts >= 3,
            indicators: parts >= 4,
            all_checks: parts >= 5,
        }
    }
}

/// The report as a comment under 60,000 bytes: verdict, what now, worst checks; the rest folded or, where it does not
/// fit, left out section by section.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn markdown(report: &Report) -> Result<String, RenderError> {
    let view = ReportView::of(report);
    let rows = view.checks.get(..MAX_ROWS).unwrap_or(&view.checks);
    let mut text = String::new();
    for show in LEVELS {
        let comment = Comment {
            report: &view,
            rows,
            show,
        };
        text = render("comment.md", TEMPLATE, Language::Markdown, &comment)?;
        if text.len() < MAX_BYTES {
            break;
        }
    }
    Ok(text)
}

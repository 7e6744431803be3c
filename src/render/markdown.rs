//! The comment on a pull request, in GitHub-flavoured Markdown.

use serde::Serialize;

use super::{
    RenderError, escape,
    posting::{Posting, PostingView},
    template::{Language, render},
    view::{CheckView, ReportView},
};
use crate::report::Report;

/// GitHub refuses a comment of more than 65,536 characters, and a check run's summary of more than 65,535.
const MAX_BYTES: usize = 60_000;
/// More rows than this are not read.
const MAX_ROWS: usize = 10;
/// Each row of all checks takes more than 200 bytes.
const MAX_ALL_ROWS: usize = 300;
/// More lines of a log than this are not read.
const LOG_LINES: usize = 20;
const TEMPLATE: &str = include_str!("../../templates/comment.md");
const NO_RESULT: &str = include_str!("../../templates/no-result.md");
const FOOTER: &str = include_str!("../../templates/footer.md");

/// What the template gets.
#[derive(Serialize)]
struct Comment<'a> {
    report: &'a ReportView,
    posting: PostingView,
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
    profile: bool,
    indicators: bool,
    environment: bool,
    all_checks: bool,
}

/// From everything to the verdict alone; the first that fits is taken, so that no section is cut in the middle.
const LEVELS: [Sections; 6] = [
    Sections::level(5),
    Sections::level(4),
    Sections::level(3),
    Sections::level(2),
    Sections::level(1),
    Sections::level(0),
];

impl Sections {
    const fn level(parts: u8) -> Self {
        Self {
            table: parts >= 1,
            notes: parts >= 2,
            profile: parts >= 2,
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
    comment(report, &Posting::default(), MAX_BYTES)
}

/// The same with what it holds beside the report, under `budget` bytes where the verdict alone fits.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn comment(report: &Report, posting: &Posting, budget: usize) -> Result<String, RenderError> {
    let view = ReportView::of(report);
    let rows = view.checks.get(..MAX_ROWS).unwrap_or(&view.checks);
    let (head, foot) = (posting.head(), footer(posting)?);
    let budget = budget.min(MAX_BYTES);
    let mut text = String::new();
    for show in LEVELS {
        if show.all_checks && view.checks.len() > MAX_ALL_ROWS {
            continue;
        }
        let comment = Comment {
            report: &view,
            posting: posting.view(),
            rows,
            show,
        };
        let body = render("comment.md", TEMPLATE, Language::Markdown, &comment)?;
        text = [head.as_str(), body.trim_end(), &foot].concat();
        if text.len() < budget {
            break;
        }
    }
    Ok(text)
}

/// Why there is no verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoResult {
    /// What happened, in one sentence.
    pub what: String,
    /// The step that it happened in (`starting the server`), where it is known.
    pub phase: Option<String>,
    /// What the reader should do now, in sentences.
    pub next_steps: Vec<String>,
    /// What was logged; the last 20 lines are shown.
    pub log: Vec<String>,
}

#[derive(Serialize)]
struct NoResultView<'a> {
    what: &'a str,
    phase: Option<&'a str>,
    next_steps: &'a [String],
    log: Vec<String>,
    posting: PostingView,
}

/// The comment where there is no verdict: what happened, what now, and the end of the log.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn comment_without_result(nothing: &NoResult, posting: &Posting) -> Result<String, RenderError> {
    let from = nothing.log.len().saturating_sub(LOG_LINES);
    let view = NoResultView {
        what: &nothing.what,
        phase: nothing.phase.as_deref(),
        next_steps: &nothing.next_steps,
        log: nothing.log.iter().skip(from).cloned().collect(),
        posting: posting.view(),
    };
    let body = render("no-result.md", NO_RESULT, Language::Markdown, &view)?;
    Ok(posting.head() + body.trim_end() + &footer(posting)?)
}

#[derive(Serialize)]
struct Footer {
    posting: PostingView,
}

fn footer(posting: &Posting) -> Result<String, RenderError> {
    let posting = posting.view();
    let foot = render("footer.md", FOOTER, Language::Markdown, &Footer { posting })?;
    // An element before it would take it for its own text.
    Ok(format!("\n\n{}", foot.trim_end()))
}

/// One line of plain text, for titles and messages that are no Markdown: nothing invisible in it, at most `most` signs.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    escape::cut(escape::visible(text).trim(), most)
}

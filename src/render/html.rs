//! The report as one HTML file that loads nothing.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;

use super::{
    RenderError, budget, escape, profile,
    shell::{self, Dress},
    telemetry,
    view::ReportView,
};
use crate::report::Report;

const REPORT: &str = include_str!("../../templates/report.html");
const HISTORY: &str = include_str!("../../templates/history.html");
/// One chart of a course, here and on the site.
pub(super) const COURSE: &str = include_str!("../../templates/course.html");
pub(super) const DRESS: Dress = Dress {
    style: concat!(
        include_str!("../../templates/report.css"),
        include_str!("../../templates/history.css")
    ),
    script: concat!(
        include_str!("../../templates/history.js"),
        include_str!("../../templates/report.js")
    ),
};

/// The template with its parts in their places.
static TEMPLATE: LazyLock<String> =
    LazyLock::new(|| REPORT.replacen("{# history #}", &HISTORY.replacen("{# course #}", COURSE, 1), 1));

/// Larger pages are slow to open, and some viewers of artifacts refuse them.
const MOST_BYTES: usize = 5_000_000;
/// What was sampled beside the requests has so much of it.
const MOST_BESIDE: usize = 1_000_000;
/// What is aimed at, in percent of that: less where text grew by being escaped.
const AIMS: [usize; 3] = [90, 40, 12];
/// As much of a value as a page of nothing but long values has room for.
const CUT_CHARS: usize = 300;

#[derive(Serialize)]
struct Page<T> {
    report: T,
}

/// The report as one self-contained page below 5 MB: its style and its script stand in it and are the only ones that its policy
/// lets run, no address is loaded; light and dark, fit for print, whole without the script. What has no room is left out, the
/// least interesting first, and each time said so.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn html(report: &Report) -> Result<String, RenderError> {
    let beside = Beside {
        telemetry: telemetry::section(report, MOST_BESIDE)?,
        profile: profile::section(report, false)?,
    };
    let room = MOST_BYTES - (beside.telemetry.len() + beside.profile.len()).min(2 * MOST_BESIDE);
    for aim in AIMS {
        let page = written(&fitting(report, room / 100 * aim), &beside)?;
        if page.len() <= MOST_BYTES {
            return Ok(page);
        }
    }
    let mut view = fitting(report, MOST_BYTES / 30);
    view.without_charts();
    let mut view = serde_json::to_value(&view).map_err(RenderError::Write)?;
    cut(&mut view);
    written(&view, &beside)
}

/// The same with everything, however large.
///
/// # Errors
/// As [`html`]; and a page of more than 64 MiB.
pub fn whole_html(report: &Report) -> Result<String, RenderError> {
    let beside = Beside {
        telemetry: telemetry::section(report, usize::MAX)?,
        profile: profile::section(report, true)?,
    };
    written(&ReportView::of(report), &beside)
}

fn fitting(report: &Report, most: usize) -> ReportView {
    let mut view = ReportView::of(report);
    budget::fit(&mut view, most);
    view
}

/// Sections that are HTML already.
struct Beside {
    /// What was sampled beside the requests.
    telemetry: String,
    /// What profiles of both arms tell.
    profile: String,
}

/// The page, with these sections as they stand.
fn written(report: &impl Serialize, beside: &Beside) -> Result<String, RenderError> {
    let page = shell::page("report.html", &TEMPLATE, Page { report }, DRESS)?;
    // No value of the report writes a `<`, so that these places are the template's own.
    let page = page.replacen("<!--telemetry-->\n", &beside.telemetry, 1);
    Ok(page.replacen("<!--profile-->\n", &beside.profile, 1))
}

/// Every text of a report, cut.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => *text = escape::cut(text, CUT_CHARS),
        Value::Array(values) => values.iter_mut().for_each(cut),
        Value::Object(values) => values.values_mut().for_each(cut),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

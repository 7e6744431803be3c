//! The report as one HTML file that loads nothing.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    RenderError,
    template::{Language, render},
    view::ReportView,
};
use crate::report::Report;

const REPORT: &str = include_str!("../../templates/report.html");
const HISTORY: &str = include_str!("../../templates/history.html");
/// One chart of a course, here and on the site.
pub(super) const COURSE: &str = include_str!("../../templates/course.html");
const STYLE: &str = concat!(
    include_str!("../../templates/report.css"),
    include_str!("../../templates/history.css")
);
const SCRIPT: &str = concat!(
    include_str!("../../templates/history.js"),
    include_str!("../../templates/report.js")
);

/// The template with its parts in their places.
static TEMPLATE: LazyLock<String> =
    LazyLock::new(|| REPORT.replacen("{# history #}", &HISTORY.replacen("{# course #}", COURSE, 1), 1));

#[derive(Serialize)]
struct Page {
    report: ReportView,
    version: &'static str,
    style_hash: String,
    script_hash: String,
}

/// The report as one self-contained page: its style and its script stand in it and are the only ones that its policy lets
/// run, no address is loaded; light and dark, fit for print, whole without the script.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn html(report: &Report) -> Result<String, RenderError> {
    let page = Page {
        report: ReportView::of(report),
        version: env!("CARGO_PKG_VERSION"),
        style_hash: hash(STYLE),
        script_hash: hash(SCRIPT),
    };
    let page = render("report.html", &TEMPLATE, Language::Html, &page)?;
    // Both places stand before the first value of the report.
    Ok(page.replacen("/*style*/", STYLE, 1).replacen("/*script*/", SCRIPT, 1))
}

/// As a content security policy names what may stand inline.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

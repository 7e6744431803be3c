//! The report as one HTML file that loads nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    RenderError,
    template::{Language, render},
    view::ReportView,
};
use crate::report::Report;

const TEMPLATE: &str = include_str!("../../templates/report.html");
const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

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
    let page = render("report.html", TEMPLATE, Language::Html, &page)?;
    // Both places stand before the first value of the report.
    Ok(page.replacen("/*style*/", STYLE, 1).replacen("/*script*/", SCRIPT, 1))
}

/// As a content security policy names what may stand inline.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

//! The report as one HTML file that loads nothing.

use serde::Serialize;

use super::{
    RenderError,
    template::{Language, render},
    view::ReportView,
};
use crate::report::Report;

const TEMPLATE: &str = include_str!("../../templates/report.html");

#[derive(Serialize)]
struct Page {
    report: ReportView,
    version: &'static str,
}

/// The report as one self-contained page: no script, no address that is loaded, light and dark, fit for print.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn html(report: &Report) -> Result<String, RenderError> {
    let page = Page {
        report: ReportView::of(report),
        version: env!("CARGO_PKG_VERSION"),
    };
    render("report.html", TEMPLATE, Language::Html, &page)
}

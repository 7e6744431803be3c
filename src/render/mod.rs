//! Terminal, Markdown, HTML and JSON from a report; number formatting and escaping.
//!
//! `view.rs` says once what is shown, as text; `format.rs` alone makes text of numbers, `escape.rs` alone makes
//! names from outside harmless. Where files go and whether a terminal has colour is the caller's to know.

mod axis;
mod bisection;
mod budget;
mod capacity;
mod chart;
mod columns;
mod course;
mod curve;
mod details;
mod escape;
mod evidence;
pub mod export;
mod facts;
mod figures;
mod flow;
mod format;
mod grid;
mod history;
mod html;
mod json;
mod labels;
mod ladder;
mod listing;
mod live;
#[cfg(test)]
mod made;
mod markdown;
mod mlperf;
mod noise;
mod own;
mod past;
mod posting;
mod profile;
mod reproduce;
mod screen;
mod selftest;
mod shell;
mod site;
mod spark;
mod spreads;
mod stairs;
mod telemetry;
mod template;
mod terminal;
mod view;
mod words;

pub use bisection::{BisectedCommit, BisectionPage, bisection_html};
pub use capacity::terminal_capacity;
pub use curve::{CurvePoint, Waits, curve, curve_svg, terminal_curve};
pub use escape::{command_data, command_property, is_address, log_safe};
pub use format::figure;
pub use history::{accepted_step, terminal_history};
pub use html::{html, whole_html};
pub use json::{
    MOST_PROFILE_DIFF_BYTES, ProfileDiffError, context_json, context_schema, history_json, history_schema, noise_json,
    noise_schema, profile_diff_json, profile_diff_schema, profile_incomparable_json, profile_json, profile_schema,
    read_profile_diff, read_report, report_json, report_schema, show_json,
};
pub use listing::{BaselineRow, terminal_baselines, terminal_doubts};
pub use live::{LEAST_VIEW, LiveLine, live_line, live_view};
pub use markdown::{NoResult, comment, comment_without_result, markdown, one_line};
pub use mlperf::{Beside, SubmittedResult, SubmittedSystem, terminal_submission};
pub use noise::{suggestion_yaml, terminal_noise};
pub use own::{MOST_TEMPLATE_BYTES, Template};
pub use posting::{Past, Posting, marker, past_results};
pub use profile::{profile_diff_html, profile_diff_text, profile_text};
pub use screen::Screen;
pub use selftest::terminal_selftest;
pub use site::{Site, SiteBaseline, SiteReport, site_index, site_page};
pub use terminal::{terminal_report, terminal_report_on, terminal_session, terminal_session_on};

/// Why a report could not be rendered or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A template of ours is broken.
    #[error("template `{name}` could not be rendered; this is a bug in perfgate")]
    Template {
        /// File name under `templates/`.
        name: &'static str,
        /// What the template engine says.
        source: minijinja::Error,
    },
    /// A template of somebody's own is broken.
    #[error("template `{place}`: {problem}")]
    Own {
        /// Its file, and the line where it is known.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The JSON could not be written.
    #[error("the JSON could not be written")]
    Write(#[source] serde_json::Error),
    /// A number that JSON cannot hold.
    #[error("{place} holds a number that is not finite; measure it again")]
    NotFinite {
        /// Check, metric and cell.
        place: String,
    },
    /// Not JSON at all.
    #[error("the file is not JSON; give the `report.json` that `perfgate compare` or `perfgate gate` wrote")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but no report.
    #[error("the file is not a perfgate report: its `schema` is {}, not `{known}`", shown(found.as_deref()))]
    NotAReport {
        /// The `schema` it has, if it has one.
        found: Option<String>,
        /// The one that this version reads.
        known: &'static str,
    },
    /// A report of another version.
    #[error("the report is `{found}`; this perfgate reads `{known}`; use the version of perfgate that wrote it")]
    OtherVersion {
        /// The `schema` it has.
        found: String,
        /// The one that this version reads.
        known: &'static str,
    },
    /// A report with missing, unknown or mistyped fields.
    #[error("the report is damaged or was edited by hand")]
    Malformed(#[source] serde_json::Error),
    /// A metric that this version does not know.
    #[error("the report holds the metric `{0}`, which this perfgate does not know")]
    UnknownMetric(String),
    /// A metric in another unit than ours.
    #[error("the report gives `{metric}` in `{found}`; perfgate measures it in `{expected}`")]
    OtherUnit {
        /// Metric key.
        metric: String,
        /// The unit in the report.
        found: String,
        /// The unit it should have.
        expected: &'static str,
    },
    /// Fields that contradict each other.
    #[error("the report contradicts itself: {place} has {what}")]
    Contradiction {
        /// Where.
        place: String,
        /// What does not fit.
        what: String,
    },
}

fn shown(schema: Option<&str>) -> String {
    schema.map_or_else(|| "missing".into(), |schema| format!("`{schema}`"))
}

//! The JSON report: a contract with a version, written without loss and read back into the same [`Report`].

mod check;
mod context;
mod convert;
mod evidence;
mod history;
mod judging;
mod load;
mod noise;
mod past;
mod profile;
mod profile_diff;
mod twin;

pub(super) use context::Context;
pub use context::{context_json, context_schema};
pub use history::{history_json, history_schema};
pub use noise::{noise_json, noise_schema};
pub use profile::{profile_json, profile_schema};
pub use profile_diff::{
    MOST_PROFILE_DIFF_BYTES, ProfileDiffError, profile_diff_json, profile_diff_schema, profile_incomparable_json,
    read_profile_diff,
};
use schemars::JsonSchema;
use serde_json::Value;

use self::twin::{ReportTwin, ShowTwin};
use super::RenderError;
use crate::report::{Arm, Report};

const REPORT_SCHEMA: &str = "perfgate-llm/report/1";
const REPORT_FAMILY: &str = "perfgate-llm/report/";
const SHOW_SCHEMA: &str = "perfgate-llm/show/1";

/// The report as JSON (`perfgate-llm/report/1`), one line end at the end.
///
/// # Errors
/// A number that is not finite: JSON has none, and null would read as `not measured`.
pub fn report_json(report: &Report) -> Result<String, RenderError> {
    convert::refuse_infinite(report)?;
    pretty(&convert::report_twin(report))
}

/// The report that [`report_json`] wrote.
///
/// # Errors
/// Text that is no JSON, no report, a report of another version, or one whose values cannot be.
pub fn read_report(text: &str) -> Result<Report, RenderError> {
    let value: Value = serde_json::from_str(text).map_err(RenderError::NotJson)?;
    let schema = value.get("schema").and_then(Value::as_str);
    match schema {
        Some(REPORT_SCHEMA) => {}
        Some(other) if other.starts_with(REPORT_FAMILY) => {
            return Err(RenderError::OtherVersion {
                found: other.chars().take(60).collect(),
                known: REPORT_SCHEMA,
            });
        }
        _ => {
            return Err(RenderError::NotAReport {
                found: schema.map(|schema| schema.chars().take(60).collect()),
                known: REPORT_SCHEMA,
            });
        }
    }
    // Read from the text once more: only so does the error name line and column.
    let twin: ReportTwin = serde_json::from_str(text).map_err(RenderError::Malformed)?;
    convert::report(twin)
}

/// One session's figures as JSON (`perfgate-llm/show/1`), every metric of every cell, measured or not, and what a reader
/// should know.
///
/// # Errors
/// A number that is not finite.
pub fn show_json(arm: &Arm, warnings: &[String]) -> Result<String, RenderError> {
    convert::refuse_infinite_arm(arm, "session")?;
    let twin = convert::arm_twin(arm, convert::Metrics::All);
    pretty(&ShowTwin {
        schema: SHOW_SCHEMA,
        name: twin.name,
        started_unix_s: twin.started_unix_s,
        commit: twin.commit,
        fingerprint: twin.fingerprint,
        facts: twin.facts,
        cells: twin.cells,
        failures: twin.failures,
        warnings,
    })
}

/// The JSON Schema of [`report_json`]'s output, as committed in `schemas/report.schema.json`.
///
/// # Errors
/// None that is known; serialisation itself may fail.
pub fn report_schema() -> Result<String, RenderError> {
    schema_of::<ReportTwin>(REPORT_SCHEMA)
}

/// The JSON Schema of a twin whose `schema` is always the same.
fn schema_of<T: JsonSchema>(version_of_it: &str) -> Result<String, RenderError> {
    // As it is written: a key that may be null is there all the same.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(version) = schema.pointer_mut("/properties/schema").and_then(Value::as_object_mut) {
        version.insert("const".into(), version_of_it.into());
    }
    pretty(&schema)
}

fn pretty(value: &impl serde::Serialize) -> Result<String, RenderError> {
    let mut text = serde_json::to_string_pretty(value).map_err(RenderError::Write)?;
    text.push('\n');
    // A runner that shows the file in its log obeys `##[command]`.
    Ok(text.replace("##[", "#\\u0023["))
}

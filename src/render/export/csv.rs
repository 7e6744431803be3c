//! Comma-separated values: one line for each figure of each run, as spreadsheets and data frames read them (RFC 4180).

use std::fmt::Write as _;

use super::{definitions, names};
use crate::{
    metric::{Better, Metric},
    render::{RenderError, escape::visible},
    report::{Arm, Figure},
};

const HEADER: &str = "arm,commit,cell,stage,metric,label,unit,better,run,value,reason,definitions";

/// Every metric of every run; one that a run does not have has no `value`, and where no run has it, a `reason`.
///
/// # Errors
/// A number that is not finite.
pub fn csv(arms: &[(&str, &Arm)]) -> Result<String, RenderError> {
    let mut text = format!("{HEADER}\r\n");
    for (arm_name, arm) in arms {
        let end = field(definitions(arm));
        let commit = arm.commit.as_deref().unwrap_or_default();
        for (name, cell) in names(arm).iter().zip(&arm.cells) {
            let stage = cell.stage.map(|stage| stage.to_string()).unwrap_or_default();
            for metric in Metric::ALL {
                let Some(figure) = cell.metrics.get(&metric) else {
                    continue;
                };
                let begin = format!(
                    "{},{},{},{stage},{},{},{},{}",
                    field(arm_name),
                    field(commit),
                    field(name),
                    metric.key(),
                    field(metric.label()),
                    metric.unit(),
                    match metric.better() {
                        Better::Lower => "lower",
                        Better::Higher => "higher",
                    }
                );
                lines(&mut text, (&begin, &end, metric), figure)?;
            }
        }
    }
    Ok(text)
}

fn lines(text: &mut String, (begin, end, metric): (&str, &str, Metric), figure: &Figure) -> Result<(), RenderError> {
    match figure {
        Figure::Measured { values, .. } => {
            for (run, value) in (1..).zip(values) {
                if value.is_some_and(|value| !value.is_finite()) {
                    return Err(RenderError::NotFinite {
                        place: format!("`{metric}`, run {run}"),
                    });
                }
                let value = value.map(|value| value.to_string()).unwrap_or_default();
                let _ = write!(text, "{begin},{run},{value},,{end}\r\n");
            }
        }
        Figure::NotMeasured(reason) => {
            let _ = write!(text, "{begin},,,{},{end}\r\n", field(reason));
        }
    }
    Ok(())
}

/// Text as one field. A spreadsheet takes what begins with one of `=+-@` for a formula, and would run it.
fn field(text: &str) -> String {
    let mut text = visible(text);
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_one_field_and_no_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a, b", "\"a, b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "two lines"),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
        ] {
            assert_eq!(field(text), expected);
        }
    }
}

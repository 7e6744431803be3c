//! `mlperf_log_summary.txt`: what `LoadGen` shows people. The figures are taken from the detail log, which has them all; the
//! summary beside it must be of the same run.

use std::path::Path;

use super::detail::Detail;
use crate::import::{ImportError, run::bad};

/// What a summary begins with, below a line of `=`.
pub(super) const TITLE: &str = "MLPerf Results Summary";

/// What both logs state, in the words of each: the summary's, and the key of the detail log.
const SAME: [(&str, &str); 5] = [
    ("Scenario", "effective_scenario"),
    ("Result is", "result_validity"),
    ("Min latency (ns)", "result_min_latency_ns"),
    ("Max latency (ns)", "result_max_latency_ns"),
    ("Mean latency (ns)", "result_mean_latency_ns"),
];

/// Refuses a summary of another run.
///
/// # Errors
/// A value that differs, or a summary that ends before its result.
pub(super) fn hold_against(path: &Path, bytes: &[u8], detail: &Detail) -> Result<(), ImportError> {
    let text = String::from_utf8_lossy(bytes);
    for (name, key) in SAME {
        let Some(expected) = detail.shown(key) else { continue };
        match value(&text, name) {
            Some(found) if found == expected => {}
            Some(found) => {
                let problem =
                    format!("is `{found}`, but the detail log beside it has `{expected}`: they are of two runs");
                return Err(bad(path, name, problem));
            }
            None => {
                let problem = "is missing: was the benchmark stopped, or the disk full? run it again".to_owned();
                return Err(bad(path, name, problem));
            }
        }
    }
    Ok(())
}

/// The value of the first line of this name.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix(name)?.trim_start();
        Some(rest.strip_prefix(':')?.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAIL: &str = ":::MLLOG {\"key\": \"effective_scenario\", \"value\": \"Server\"}\n\
                          :::MLLOG {\"key\": \"result_validity\", \"value\": \"VALID\"}\n\
                          :::MLLOG {\"key\": \"result_min_latency_ns\", \"value\": 81793015}";

    fn held(summary: &str) -> Result<(), String> {
        let detail = super::super::detail::parse(Path::new("d"), DETAIL.as_bytes()).unwrap();
        hold_against(Path::new("s"), summary.as_bytes(), &detail).map_err(|error| error.to_string())
    }

    #[test]
    fn a_summary_of_the_same_run_passes_and_one_of_another_or_a_cut_one_does_not() {
        let own = "====\nMLPerf Results Summary\n====\nSUT name : PySUT\nScenario : Server\nResult is : VALID\n\nMin latency (ns)                : 81793015\n";
        assert_eq!(held(own), Ok(()));
        let told = held(&own.replace("81793015", "81793016")).unwrap_err();
        assert!(told.contains("they are of two runs"), "{told}");
        let told = held("Scenario : Server\n").unwrap_err();
        assert!(told.contains("`Result is`: is missing"), "{told}");
    }
}

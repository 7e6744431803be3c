//! The JSON report: lossless, versioned, and as its committed schema says.

use perfgate::render::{read_report, report_json};

use super::fixtures;

#[test]
fn a_report_that_was_written_and_read_is_the_same_report() {
    for (name, report) in fixtures::all() {
        let text = report_json(&report).unwrap();
        assert_eq!(read_report(&text).unwrap(), report, "{name}");
    }
}

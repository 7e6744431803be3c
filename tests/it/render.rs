//! Every renderer on every answer that the gate knows.

mod fixtures;
mod json;

use std::{fs, path::Path};

use perfgate::render::{html, markdown, terminal_report, terminal_session};

#[test]
fn a_report_in_the_terminal_reads_as_committed() {
    for (name, report) in fixtures::all() {
        insta::assert_snapshot!(format!("terminal_{name}"), terminal_report(&report, false, 132));
    }
    let narrow = terminal_report(&fixtures::regression(), false, 80);
    insta::assert_snapshot!("terminal_regression_80_columns", narrow);
}

#[test]
fn a_session_in_the_terminal_reads_as_committed() {
    let arm = fixtures::invalid().candidate;
    insta::assert_snapshot!("terminal_session", terminal_session(&arm, false, 100));
}

#[test]
fn a_comment_reads_as_committed() {
    for (name, report) in fixtures::all() {
        insta::assert_snapshot!(format!("comment_{name}"), markdown(&report).unwrap());
    }
}

#[test]
fn pages_are_written_for_looking_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/render");
    fs::create_dir_all(&folder).unwrap();
    for (name, report) in fixtures::all() {
        fs::write(folder.join(format!("{name}.html")), html(&report).unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.md")), markdown(&report).unwrap()).unwrap();
    }
}

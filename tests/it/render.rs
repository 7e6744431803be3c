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

#[test]
fn hostile_names_stay_text_in_every_renderer() {
    let report = fixtures::hostile();
    let (page, comment) = (html(&report).unwrap(), markdown(&report).unwrap());
    for text in [&page, &comment] {
        assert!(!text.contains("<script>alert") && !text.contains("<img"), "{text}");
        assert!(!text.contains('\u{202e}'), "a direction override went through");
    }
    assert!(
        !terminal_report(&report, false, 132).contains('\u{1b}'),
        "an escape sequence went through"
    );
    let tables = comment.lines().filter(|line| line.starts_with("| "));
    for line in tables {
        assert!(!line.contains(" @"), "a mention went through: {line}");
    }
}

#[test]
fn a_page_loads_nothing_and_holds_only_finite_numbers() {
    for (name, report) in fixtures::all() {
        let page = html(&report).unwrap();
        assert!(page.contains("Content-Security-Policy"), "{name}");
        for foreign in ["src=\"http", "href=\"http", "url(", "@import", "<script"] {
            assert!(!page.contains(foreign), "{name} has {foreign}");
        }
        for broken in ["=\"NaN", "=\"inf", "=\"-inf"] {
            assert!(!page.contains(broken), "{name} has {broken}");
        }
    }
}

#[test]
fn a_comment_of_5000_checks_drops_sections_and_keeps_the_verdict() {
    let mut report = fixtures::regression();
    let check = report.checks.first().cloned().unwrap();
    report.checks = vec![check; 5000];
    let comment = markdown(&report).unwrap();
    assert!(comment.len() < 60_000, "{} bytes", comment.len());
    assert!(comment.contains("regression"));
    assert_eq!(
        comment.matches("<details>").count(),
        comment.matches("</details>").count()
    );
}

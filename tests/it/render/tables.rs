//! Tables on a terminal: aligned, as wide as there is room or as is asked for, with what is a problem alone.

use perfgate::{
    render::{Screen, terminal_report, terminal_report_on, terminal_session_on},
    report::{Figure, Report},
};
use unicode_width::UnicodeWidthStr;

use super::fixtures;

fn screen(width: u16) -> Screen {
    Screen {
        width,
        ..Screen::default()
    }
}

/// Where a column of a screen begins in a line: at the text, counted as a terminal does.
fn column_of(line: &str, text: &str) -> Option<usize> {
    line.find(text).map(|at| line[..at].width())
}

/// The report with other names of its cells.
fn named(name: &str) -> Report {
    let mut report = fixtures::regression();
    let arms = report.baseline.iter_mut().chain([&mut report.candidate]);
    for cell in arms.flat_map(|arm| &mut arm.cells) {
        cell.name = format!("{name} {}", cell.load);
    }
    for check in &mut report.checks {
        check.cell = format!("{name} {}", check.cell.split(" @ ").nth(1).unwrap_or_default());
    }
    report
}

#[test]
fn wide_tables_hold_every_column_and_wrap_nothing() {
    let wide = Screen {
        is_wide: true,
        ..screen(60)
    };
    let text = terminal_report_on(&fixtures::regression(), wide);
    let head = text.lines().find(|line| line.contains("Verdict")).unwrap();
    for column in [
        "Cell",
        "90 % interval",
        "Limit",
        "Runs",
        "p, real",
        "p, beyond",
        "Would find",
        "A regression",
    ] {
        assert!(head.contains(column), "{column}: {head}");
    }
    let row = text.lines().find(|line| line.starts_with(" ✗ regression")).unwrap();
    for whole in [
        "synthetic-1000±200/128 @ c=16",
        "+11.0 … +13.2 %",
        "≤ +5.0 %",
        "5 and 5",
        "blocks",
    ] {
        assert!(row.contains(whole), "{whole}: {row}");
    }
    assert!(text.contains("All figures") && text.contains("TTFT P99"), "{text}");
    assert!(text.contains("smallest … largest"), "{text}");
    let session = terminal_session_on(&fixtures::regression().candidate, &[], wide);
    assert!(session.contains("each run"), "{session}");
}

#[test]
fn only_problems_are_listed_and_the_rest_is_counted() {
    let only = Screen {
        only_problems: true,
        ..screen(132)
    };
    let text = terminal_report_on(&fixtures::regression(), only);
    assert!(text.contains("2 checks are left out: 1 improvement · 1 pass"), "{text}");
    assert!(!text.contains("✓ pass") && !text.contains("↑ improvement"), "{text}");
    assert!(text.contains("✗ regression") && text.contains("! warning") && text.contains("? inconclusive"));

    let text = terminal_report_on(&fixtures::pass(), only);
    assert!(!text.contains("Verdict"), "{text}");
    assert!(
        text.contains("left out: ") && text.contains("without a problem are left out"),
        "{text}"
    );
    assert!(!text.contains("TTFT P50"), "{text}");

    let all = terminal_report(&fixtures::regression(), false, 132);
    assert!(!all.contains("left out"), "{all}");
}

#[test]
fn names_of_any_script_move_no_column_and_fit_the_terminal() {
    for name in ["模型-70亿", "🚀🚀 rocket", "שלום עולם", "é́́é", "a\u{202e}b\u{1b}[2J"] {
        for width in [40, 60, 80, 100, 132, 200] {
            let text = terminal_report(&named(name), false, width);
            let tables = text
                .split("Six indicators")
                .next()
                .unwrap()
                .split("\nChecks\n")
                .nth(1)
                .unwrap();
            let rows: Vec<&str> = tables.lines().filter(|line| line.contains("TPOT P95  ")).collect();
            assert!(rows.len() >= 2 || width < 80, "{text}");
            let starts: Vec<_> = rows.iter().filter_map(|row| column_of(row, "TPOT P95  ")).collect();
            assert!(
                starts.iter().all(|start| start == &starts[0]),
                "{name}, {width}:\n{tables}"
            );
            if width >= 80 {
                let widest = text.lines().skip(1).map(UnicodeWidthStr::width).max().unwrap();
                assert!(
                    widest <= usize::from(width),
                    "{name}: {widest} columns in {width}:\n{text}"
                );
            }
            assert!(!text.contains(['\u{202e}', '\u{1b}']));
        }
    }
}

#[test]
fn the_runs_of_both_arms_are_drawn_with_one_reach_where_there_is_room() {
    let text = terminal_report(&fixtures::regression(), false, 132);
    let row = text.lines().find(|line| line.starts_with(" TPOT P50")).unwrap();
    let courses: Vec<&str> = row
        .split_whitespace()
        .filter(|word| word.starts_with(['▁', '▇']))
        .collect();
    assert_eq!(courses.len(), 2, "{row}");
    assert!(
        courses[0].starts_with('▁') && courses[1].starts_with('▇'),
        "the candidate is slower: {row}"
    );
    assert!(!terminal_report(&fixtures::regression(), false, 80).contains('▇'));

    let mut one_run = fixtures::regression().candidate;
    for cell in &mut one_run.cells {
        for figure in cell.metrics.values_mut() {
            if let Figure::Measured { values, .. } = figure {
                values.truncate(1);
            }
        }
    }
    let text = terminal_session_on(&one_run, &[], screen(140));
    assert!(!text.contains(['▁', '▅', '█']), "one run has no course: {text}");
}

#[test]
fn decimal_points_of_a_column_stand_under_one_another() {
    let text = terminal_report(&fixtures::regression(), false, 132);
    let table = text.split("Six indicators").nth(1).unwrap();
    let points = |label: &str| {
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!(" {label} ")))
            .unwrap();
        column_of(row, ".").unwrap()
    };
    let first = points("QPS");
    assert!(
        ["TTFT P50", "TTFT P95", "TPOT P50", "TPOT P95"]
            .iter()
            .all(|label| points(label) == first),
        "{table}"
    );
}

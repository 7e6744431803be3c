//! What people see: perfgate on a terminal, in pipes, and beside a measurement.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{path::Path, process::Command};

use crate::{
    command::{expect, perfgate},
    made,
    pty::{OnTerminal, screen},
};

/// A command whose terminal is one that knows the usual escapes.
fn on_terminal(folder: &Path, args: &[&str], size: (u16, u16)) -> OnTerminal {
    OnTerminal::start(plain(folder, args), size)
}

fn plain(folder: &Path, args: &[&str]) -> Command {
    let mut command = perfgate(folder, args);
    for name in ["CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color");
    command
}

fn sessions(folder: &Path) {
    for (name, factor) in [("main.json", 1.0), ("head.json", 1.2)] {
        let runs = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003].map(|run| run * factor);
        let session = made::session(&"d".repeat(40), 1_790_000_000, &runs);
        perfgate::store::write_session(&folder.join(name), &session).unwrap();
    }
}

/// The terminal itself has wrapped no line.
fn is_not_wrapped(text: &str, columns: u16) {
    for line in text.lines() {
        let shown = screen(line, usize::MAX).concat();
        assert!(
            shown.chars().count() <= usize::from(columns),
            "{columns}: {shown}\n{text}"
        );
    }
}

const COMPARE: [&str; 3] = ["compare", "main.json", "head.json"];

#[test]
fn colour_is_on_terminals_alone_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sessions(folder);
    let has_color = |set: &[(&str, &str)], is_terminal: bool| {
        let mut command = plain(folder, &COMPARE);
        command.envs(set.iter().copied());
        let text = if is_terminal {
            OnTerminal::start(command, (100, 40)).end().1
        } else {
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        assert!(text.contains("inconclusive"), "{text}");
        text.contains("\u{1b}[1;33m")
    };
    assert!(has_color(&[], true) && !has_color(&[], false));
    assert!(!has_color(&[("NO_COLOR", "1")], true));
    assert!(!has_color(&[("TERM", "dumb")], true));
    assert!(has_color(&[("CLICOLOR_FORCE", "1")], false));
    assert!(!has_color(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true));
}

#[test]
fn tables_fit_the_terminal_and_wide_ones_do_not_care() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sessions(folder);
    for columns in [60_u16, 80, 120] {
        let (_, text) = on_terminal(folder, &COMPARE, (columns, 40)).end();
        is_not_wrapped(&text, columns);
    }
    let (wide, _) = expect(folder, 3, &[&COMPARE[..], &["--wide"]].concat());
    assert!(wide.contains("Would find") && wide.contains("p, beyond"), "{wide}");
    let (only, _) = expect(folder, 3, &[&COMPARE[..], &["--only", "problems"]].concat());
    assert!(only.contains("left out: ") && !only.contains("✓ pass"), "{only}");
    let (_, trouble) = expect(folder, 2, &[&COMPARE[..], &["--wide", "--format", "json"]].concat());
    assert!(trouble.contains("`--wide` is for tables on a terminal"), "{trouble}");
    expect(folder, 2, &[&COMPARE[..], &["--only", "passes"]].concat());

    let (shown, _) = expect(folder, 0, &["show", "main.json", "--wide"]);
    assert!(shown.contains("each run") && shown.contains('▁'), "{shown}");
}

#[test]
fn a_history_fits_the_terminal_with_its_steps_and_its_courses() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for number in 0..12_u64 {
        let level = if number < 6 { 1.0 } else { 1.2 };
        let wobble = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003].map(|run| run * level);
        let session = made::session(&format!("{number:040}"), 1_790_000_000 + 3600 * number, &wobble);
        made::save(&folder.join("baselines"), "main", &session);
    }
    for args in [&["history"][..], &["history", "tpot_p95"]] {
        for columns in [80_u16, 200] {
            let (status, text) = on_terminal(folder, args, (columns, 40)).end();
            assert!(status.success(), "{text}");
            let tables = text.split("main got worse").next().unwrap();
            is_not_wrapped(tables, columns);
            assert!(
                tables.contains("▁▁▁▁▁▁██████") && tables.contains("+20.0 % at 0000000000"),
                "{text}"
            );
        }
    }
    let (wide, _) = expect(folder, 0, &["history", "--wide"]);
    assert!(wide.contains("Steps") && wide.contains("Between sessions"), "{wide}");
}

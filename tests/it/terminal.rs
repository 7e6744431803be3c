//! What people see: perfgate on a terminal, in pipes, and beside a measurement.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{Sim, expect, perfgate},
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

/// Some seconds of measuring.
fn measuring<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = [
        "run",
        "--url",
        url,
        "--concurrency",
        "2",
        "--requests",
        "80",
        "--warmup",
        "4",
        "--repeat",
        "1",
        "--input-tokens",
        "16",
        "--output-tokens",
        "20",
    ];
    [&args[..], more].concat()
}

/// A busy machine may well make a measurement invalid.
fn is_measured(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 4))
}

fn until(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_measurement_shows_its_figures_and_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sim = Sim::start(&[]);
    let begun = Instant::now();
    let (status, text) = on_terminal(folder, &measuring(&sim.url, &["--watch"]), (100, 30)).end();
    assert!(is_measured(status.code()), "{text}");
    let pictures: Vec<&str> = text.split("\u{1b}[?2026h").skip(1).collect();
    assert!(pictures.len() >= 4, "{text:?}");
    let (took, most) = (begun.elapsed().as_secs_f64(), pictures.len());
    assert!(
        f64::from(u32::try_from(most).unwrap()) <= took * 4.0 + 2.0,
        "{most} pictures in {took} s"
    );
    let last = text.rfind("\u{1b}[?2026l").unwrap();
    let seen = screen(&text[..last], 100).join("\n");
    for figure in [
        "run 1 of 1",
        "of 80 requests",
        "QPS",
        "TTFT P95",
        "TPOT P50",
        "in flight",
        "tokens/s",
        "Failed requests",
    ] {
        assert!(seen.contains(figure), "{figure} in\n{seen}");
    }
    let after = screen(&text, 100).join("\n");
    assert!(!after.contains("in flight"), "it is taken away at the end:\n{after}");
    assert!(
        after.contains("session written to") && after.contains("smallest … largest run"),
        "{after}"
    );
    assert!(!folder.join("session.live.json").exists());
}

#[test]
fn a_small_terminal_has_a_bar_and_a_pipe_has_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sim = Sim::start(&[]);
    let (_, text) = on_terminal(folder, &measuring(&sim.url, &["--watch"]), (50, 10)).end();
    assert!(text.contains("this terminal has 50 columns and 10 lines"), "{text}");
    assert!(!text.contains("?2026"), "{text}");
    let (_, trouble) = expect(folder, 0, &measuring(&sim.url, &["--watch"]));
    assert!(
        trouble.contains("measuring ") && !trouble.contains('\u{1b}'),
        "{trouble}"
    );
    let (_, quiet) = expect(folder, 0, &measuring(&sim.url, &["--watch", "--quiet"]));
    assert_eq!(quiet, "");
    let mut dumb = plain(folder, &measuring(&sim.url, &["--watch"]));
    dumb.env("TERM", "dumb");
    let (_, text) = OnTerminal::start(dumb, (100, 30)).end();
    assert!(text.contains("measuring ") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn ctrl_c_ends_the_view_and_keeps_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sim = Sim::start(&[]);
    let running = on_terminal(folder, &measuring(&sim.url, &["--watch"]), (100, 30));
    until("an answer", || {
        let seen = running.so_far();
        (1..80).any(|done| seen.contains(&format!(" {done} of 80 requests")))
    });
    let interrupted = Command::new("kill")
        .args(["-INT", &running.child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let (status, text) = running.end();
    assert_eq!(status.code(), Some(4), "{text}");
    let after = screen(&text, 100).join("\n");
    assert!(
        after.contains("interrupted: 0 finished runs") && !after.contains("in flight"),
        "{after}"
    );
    assert!(!folder.join("session.live.json").exists());
}

#[test]
fn a_measurement_is_watched_from_another_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, trouble) = expect(folder, 2, &["watch"]);
    assert!(
        trouble.contains("nothing is being measured here") && trouble.contains("session.live.json"),
        "{trouble}"
    );

    let sim = Sim::start(&[]);
    let mut run = perfgate(folder, &measuring(&sim.url, &["--quiet"]));
    let mut running = run.stdout(Stdio::null()).spawn().unwrap();
    until("the live file", || folder.join("session.live.json").exists());
    let (once, _) = expect(folder, 0, &["watch", "--once"]);
    assert!(once.contains("run 1 of 1") && once.contains("TTFT P50"), "{once}");
    let watching = on_terminal(folder, &["watch", "session.json"], (100, 30));
    let (status, text) = watching.end();
    assert!(is_measured(running.wait().unwrap().code()));
    assert!(status.success(), "{text}");
    let last = text.rfind("\u{1b}[?2026l").unwrap();
    let seen = screen(&text[..last], 100).join("\n");
    assert!(seen.contains("of 80 requests") && seen.contains("in flight"), "{seen}");
    assert_eq!(screen(&text, 100).join("\n").trim(), "the measurement is over");
    let file = std::fs::read_to_string(folder.join("session.json")).unwrap();
    assert!(file.contains("perfgate-llm/session/1"));
}

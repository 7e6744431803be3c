//! T6: no line of ours is a command to GitHub's runner, whatever a name holds.
//!
//! The oracle is the runner's own parser, `ActionCommand.cs` of actions/runner, for both forms.

use perfgate::render::{command_data, command_property, html, log_safe, markdown, report_json, terminal_report};
use proptest::prelude::*;

use super::fixtures::poisoned;

/// What the runner knows; it compares without case.
const COMMANDS: [&str; 14] = [
    "add-mask",
    "add-matcher",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

fn is_known(info: &str) -> bool {
    let name = info.split(' ').next().unwrap_or_default();
    COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `TryParseV2`: the line begins with `::`, after white space.
fn is_command(line: &str) -> bool {
    let rest = line.trim_start().strip_prefix("::");
    rest.and_then(|rest| rest.split_once("::"))
        .is_some_and(|(info, _)| is_known(info))
}

/// `TryParse`: `##[name …]` anywhere; the first one counts.
fn is_old_command(line: &str) -> bool {
    let rest = line.split_once("##[").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once(']'))
        .is_some_and(|(info, _)| is_known(info))
}

/// The line as a comparison by language sees it: signs without a width or a weight are skipped.
fn seen(line: &str) -> String {
    let skipped = |sign: char| {
        (sign.is_control() && !sign.is_whitespace())
            || matches!(sign, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    line.chars().filter(|sign| !skipped(*sign)).collect()
}

#[track_caller]
fn obeys_nothing(text: &str, of: &str) {
    for line in text.split(['\n', '\r']) {
        for line in [line.to_owned(), seen(line)] {
            assert!(!is_command(&line) && !is_old_command(&line), "{line:?} of {of:?}");
        }
    }
}

const PAYLOADS: [&str; 14] = [
    "::error::x",
    "::set-output name=verdict::pass",
    "\n::set-env name=PATH::/evil",
    "\r::add-mask::a",
    "  \t ::error file=a,line=1::x",
    "\u{a0}\u{2028}::warning::x",
    "\u{200b}:\u{200b}:error::x",
    "\u{feff}::ERROR::x",
    "##[error]x",
    "a ##[group]x",
    "###[error]x",
    "#\u{200b}#\u{ad}[error]x",
    "##\u{fe0f}[error]x",
    "%0A::error::x",
];

#[test]
fn the_oracle_knows_a_command() {
    assert!(is_command("  ::error file=a::x") && is_old_command("a ##[Error]x"));
    assert!(!is_command("a ::error::x") && !is_command("::unknown::x") && !is_old_command("# #[error]"));
}

#[test]
fn t6_no_line_of_ours_is_a_command() {
    for payload in PAYLOADS {
        let report = poisoned(payload);
        obeys_nothing(&log_safe(payload), payload);
        for width in [80, 160] {
            obeys_nothing(&log_safe(&terminal_report(&report, false, width)), payload);
        }
        obeys_nothing(&markdown(&report).unwrap(), payload);
        obeys_nothing(&html(&report).unwrap(), payload);
        let json = report_json(&report).unwrap();
        for line in json.lines() {
            assert!(!is_command(line) && !is_old_command(line), "{line}");
        }
        assert_eq!(
            perfgate::render::read_report(&json).unwrap(),
            report,
            "nothing is lost by it"
        );
    }
}

#[test]
fn t6_what_is_safe_already_stays_as_it_is() {
    let report = poisoned("::error::x ##[error]y");
    for text in [
        markdown(&report).unwrap(),
        html(&report).unwrap(),
        report_json(&report).unwrap(),
    ] {
        assert_eq!(log_safe(&text), text);
    }
}

#[test]
fn t6_an_annotation_of_ours_holds_one_command() {
    let payload = "x\n::error::y\r,line=9::z";
    let line = format!("::error title={}::{}", command_property(payload), command_data(payload));
    assert_eq!(line.lines().count(), 1);
    assert!(!line.contains('\r') && is_command(&line));
    let properties = line.split("::").nth(1).unwrap();
    assert!(!properties.contains(",line="), "{properties}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t6_any_text_is_made_safe(text in "(:|#|\\[|\\]|error|group| |\t|\n|\r|\u{200b}|\u{ad}|\u{a0}|\u{2028}|a|\u{1b}){0,40}") {
        obeys_nothing(&log_safe(&text), &text);
    }
}

//! `JUnit` XML: each check of a report is a test case, as Jenkins, GitLab and others show them.
//!
//! What is no pass never looks like one: a blocking regression is a `failure`, what could not be settled an `error`, and
//! what only warns, or may stay open by the policy, is `skipped` with its words.

use std::fmt::Write as _;

use super::action;
use crate::{
    render::{escape::visible, format},
    report::{Check, Report},
    verdict::{Action, Verdict},
};

/// The gate's answer and its checks; the suite of the answer is called `gate`, the others after their cells.
pub fn junit(report: &Report) -> String {
    let mut suites = vec![Suite::of("gate", vec![answer(report)])];
    let mut cells: Vec<&str> = Vec::new();
    for check in &report.checks {
        if !cells.contains(&check.cell.as_str()) {
            cells.push(&check.cell);
        }
    }
    for cell in cells {
        let checks = report.checks.iter().filter(|check| check.cell == cell);
        suites.push(Suite::of(cell, checks.map(|check| case(check, report)).collect()));
    }
    let count = |kind: Kind| suites.iter().map(|suite| suite.count(kind)).sum::<usize>();
    let tests: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"perfgate\" tests=\"{tests}\" failures=\"{}\" errors=\"{}\">",
        count(Kind::Failure),
        count(Kind::Error),
    );
    let stamp = format::utc_stamp(report.candidate.started_unix_s);
    for suite in &suites {
        suite.write(&mut text, stamp.trim_end_matches('Z'));
    }
    text.push_str("</testsuites>\n");
    text
}

/// How a test case ended, where it did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failure,
    Error,
    Skipped,
}

impl Kind {
    const fn tag(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

struct Case {
    name: String,
    kind: Option<Kind>,
    /// What kind of failure it is.
    what: String,
    message: String,
    /// In full.
    text: String,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// The answer as a whole, which counts evidence that is owed and sessions that cannot be compared too.
fn answer(report: &Report) -> Case {
    let kind = match (report.exit_code, report.verdict.is_within()) {
        (0, true) => None,
        (0, false) => Some(Kind::Skipped),
        (1, _) => Some(Kind::Failure),
        _ => Some(Kind::Error),
    };
    let told = report.next_steps.iter().chain(&report.warnings).map(String::as_str);
    let told: Vec<&str> = [report.headline.as_str()].into_iter().chain(told).collect();
    Case {
        name: "verdict".into(),
        kind,
        what: report.verdict.name().into(),
        message: report.headline.clone(),
        text: told.join("\n"),
    }
}

fn case(check: &Check, report: &Report) -> Case {
    let kind = match (check.verdict, check.action) {
        (Verdict::Improvement | Verdict::Pass, _) => None,
        (_, Action::Warn | Action::Report) => Some(Kind::Skipped),
        (Verdict::Regression, Action::Block) => Some(Kind::Failure),
        (_, Action::Block) if report.exit_code == 0 => Some(Kind::Skipped),
        (_, Action::Block) => Some(Kind::Error),
    };
    Case {
        name: format!("{} ({})", check.metric.label(), check.metric.key()),
        kind,
        what: format!("{} ({})", check.verdict.name(), action(check.action)),
        message: check.reason.clone(),
        text: check.explanation.clone().unwrap_or_else(|| check.reason.clone()),
    }
}

impl Suite {
    fn of(name: &str, cases: Vec<Case>) -> Self {
        Self {
            name: name.to_owned(),
            cases,
        }
    }

    fn count(&self, kind: Kind) -> usize {
        self.cases.iter().filter(|case| case.kind == Some(kind)).count()
    }

    fn write(&self, text: &mut String, stamp: &str) {
        let name = escaped(&self.name);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\" \
             timestamp=\"{stamp}\">",
            self.cases.len(),
            self.count(Kind::Failure),
            self.count(Kind::Error),
            self.count(Kind::Skipped),
        );
        for case in &self.cases {
            case.write(text, &name);
        }
        text.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn write(&self, text: &mut String, suite: &str) {
        let _ = write!(
            text,
            "    <testcase name=\"{}\" classname=\"perfgate.{suite}\" time=\"0\"",
            escaped(&self.name)
        );
        let Some(kind) = self.kind else {
            text.push_str("/>\n");
            return;
        };
        let lines: Vec<String> = self.text.lines().map(escaped).collect();
        let _ = writeln!(
            text,
            ">\n      <{tag} type=\"{}\" message=\"{}\">{}</{tag}>\n    </testcase>",
            escaped(&self.what),
            escaped(&self.message),
            lines.join("\n"),
            tag = kind.tag(),
        );
    }
}

/// Text as XML has it between quotes and tags; signs that XML has no place for are shown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in visible(text).chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_attribute_or_a_tag() {
        assert_eq!(
            escaped("\"><x a='1'>&\u{1b}[31m\u{ffff}\n"),
            "&quot;&gt;&lt;x a=&apos;1&apos;&gt;&amp;\\u{1b}[31m\u{fffd} "
        );
    }
}

//! A report as text: what every renderer for people shows. Escaping is left to each of them.

mod check;

use serde::Serialize;

pub(super) use check::CheckView;

use super::{
    budget::LeftOut,
    chart::{Axis, Domain},
    details::{self, CellCharts},
    evidence::{self, ObligationView, TrustedView},
    facts::{FactView, facts, origins},
    figures::{self, CellTable, NamedArm, Rows, Runs},
    format,
    ladder::{self, Ladders},
    past::{self, PastSection},
    profile::{self, ProfileView},
    reproduce,
    words::{self, Look},
};
use crate::{
    report::{Arm, Check, Report},
    verdict::{Action, Verdict, wording},
};

/// Everything that is shown of one report.
#[derive(Debug, Serialize)]
pub(super) struct ReportView {
    pub(super) word: &'static str,
    pub(super) mark: &'static str,
    pub(super) glyph: &'static str,
    pub(super) class: &'static str,
    pub(super) exit_code: u8,
    pub(super) exit_meaning: &'static str,
    pub(super) headline: String,
    /// What decided, in full: the story of the coupled metrics, then the checks.
    pub(super) why: Vec<String>,
    /// The headline without the verdict that it begins with.
    pub(super) finding: String,
    pub(super) next_steps: Vec<String>,
    pub(super) counts: String,
    pub(super) baseline: Option<ArmView>,
    pub(super) candidate: ArmView,
    /// `baseline` and `candidate`, or `candidate` alone.
    pub(super) arm_names: Vec<&'static str>,
    /// The check whose interval stands at the top: the worst that blocks, else the worst.
    worst: Option<CheckView>,
    pub(super) checks: Vec<CheckView>,
    pub(super) axis: Axis,
    pub(super) indicators: Vec<CellTable>,
    /// Throughput against latency, where the levels make a ladder.
    pub(super) ladder: Ladders,
    pub(super) runs: Vec<Runs>,
    /// What is drawn of requests, cell by cell; empty where the report was read from its file.
    pub(super) details: Vec<CellCharts>,
    /// Whether the report was read from its file, which holds no requests.
    pub(super) is_stored: bool,
    /// The stored sessions behind the baseline.
    pub(super) history: PastSection,
    pub(super) metrics: Vec<CellTable>,
    pub(super) failures: Vec<FailureView>,
    pub(super) differences: Vec<DifferenceView>,
    pub(super) facts: Vec<FactView>,
    /// Which session each arm is, of which commit and when, and the hash of what must be equal.
    pub(super) origins: Vec<FactView>,
    /// What is still owed.
    pub(super) obligations: Vec<ObligationView>,
    /// What was given, and by whom.
    pub(super) given: Vec<ObligationView>,
    /// Whose rules held; `None`: the work tree's.
    pub(super) trusted: Option<TrustedView>,
    pub(super) warnings: Vec<String>,
    /// What profiles of both arms tell, for a comment.
    pub(super) profile: Option<ProfileView>,
    pub(super) method: String,
    /// The command that judges the same files again.
    pub(super) reproduce: String,
    /// What the page has no room for, in sentences.
    pub(super) left_out: LeftOut,
}

/// One arm.
#[derive(Debug, Serialize)]
pub(super) struct ArmView {
    pub(super) name: String,
    pub(super) commit: Option<String>,
    pub(super) short_commit: Option<String>,
    pub(super) started: String,
    pub(super) fingerprint: String,
}

/// Failed requests of one class in one cell of one arm.
#[derive(Debug, Serialize)]
pub(super) struct FailureView {
    pub(super) arm: &'static str,
    pub(super) cell: String,
    pub(super) class: String,
    pub(super) count: String,
    pub(super) message: String,
}

/// A field in which the fingerprints differ.
#[derive(Debug, Serialize)]
pub(super) struct DifferenceView {
    pub(super) field: String,
    pub(super) baseline: String,
    pub(super) candidate: String,
    pub(super) allowed: bool,
}

impl ReportView {
    pub(super) fn of(report: &Report) -> Self {
        let Look {
            word,
            mark,
            glyph,
            tone,
        } = words::look(report.verdict);
        let arms = figures::arms(report);
        let domain = Domain::of(&report.checks);
        let finding = report
            .headline
            .strip_prefix(word)
            .and_then(|rest| rest.strip_prefix(':'));
        Self {
            word,
            mark,
            glyph,
            class: tone.class(),
            exit_code: report.exit_code,
            exit_meaning: words::exit_meaning(report.verdict, report.exit_code),
            headline: report.headline.clone(),
            why: why(report),
            finding: finding.unwrap_or(&report.headline).trim().to_owned(),
            next_steps: report.next_steps.clone(),
            counts: words::counts(&report.checks),
            baseline: report.baseline.as_ref().map(arm_view),
            candidate: arm_view(&report.candidate),
            arm_names: arms.iter().map(|(name, _)| *name).collect(),
            checks: check_views(report, domain),
            worst: worst(&report.checks).map(|check| CheckView::of(check, domain, false, &[])),
            axis: domain.axis(),
            indicators: figures::tables(&arms, &report.checks, Rows::Indicators),
            ladder: ladder::charts(&arms),
            runs: figures::runs(&arms, &report.checks),
            details: details::charts(report),
            is_stored: report.detail.is_empty() && report.candidate.cells.iter().any(|cell| cell.runs > 0),
            history: past::section(report),
            metrics: figures::tables(&arms, &report.checks, Rows::Measured),
            failures: arms.iter().flat_map(failures).collect(),
            differences: differences(report),
            facts: facts(&arms),
            origins: origins(&arms),
            obligations: evidence::owed(report),
            given: evidence::given(report),
            trusted: report.trusted.as_ref().map(evidence::trusted),
            warnings: report.warnings.clone(),
            profile: profile::brief(report),
            method: report.method.clone(),
            reproduce: reproduce::command(report),
            left_out: LeftOut::default(),
        }
    }
}

impl ReportView {
    /// Nothing but text and tables.
    pub(super) fn without_charts(&mut self) {
        self.runs.clear();
        self.details.clear();
        self.ladder.charts_mut().clear();
        self.history.without_charts();
    }
}

fn check_views(report: &Report, domain: Domain) -> Vec<CheckView> {
    let explained: Vec<&Check> = explained(report).collect();
    let view = |check: &Check| {
        let is_explained = explained.iter().any(|other| std::ptr::eq(*other, check));
        CheckView::of(check, domain, is_explained, &report.warnings)
    };
    report.checks.iter().map(view).collect()
}

/// More paragraphs than this are not read.
const MOST_WHY: usize = 3;

/// The story, then the checks that blocked or left the gate open, else the first that was tested.
fn why(report: &Report) -> Vec<String> {
    let story = report.story.iter().map(|story| format!("{}.", wording::upper(story)));
    let told = |check: &Check| check.explanation.clone();
    let mut decided: Vec<String> = explained(report).filter_map(told).collect();
    if decided.is_empty() {
        decided.extend(report.checks.iter().find_map(told));
    }
    story.chain(decided).collect()
}

/// The worst checks that blocked or left the gate open, of those that explain themselves.
fn explained(report: &Report) -> impl Iterator<Item = &Check> {
    let decides = |check: &&Check| {
        let open = check.verdict == Verdict::Inconclusive || check.verdict == Verdict::Regression;
        open && check.action == Action::Block && check.explanation.is_some()
    };
    report.checks.iter().filter(decides).take(MOST_WHY)
}

fn worst(checks: &[Check]) -> Option<&Check> {
    let mut blocking = checks.iter().filter(|check| check.action == Action::Block);
    let worst = blocking.next().or_else(|| checks.first());
    worst.filter(|check| check.interval.is_some())
}

fn arm_view(arm: &Arm) -> ArmView {
    ArmView {
        name: arm.name.clone(),
        commit: arm.commit.clone(),
        short_commit: arm.commit.as_ref().map(|commit| commit.chars().take(10).collect()),
        started: format::utc_time(arm.started_unix_s),
        fingerprint: arm.fingerprint.clone(),
    }
}

fn failures<'a>((arm_name, arm): &NamedArm<'a>) -> impl Iterator<Item = FailureView> + use<'a> {
    let arm_name = *arm_name;
    arm.failures
        .iter()
        .map(move |(cell, class, count, message)| FailureView {
            arm: arm_name,
            cell: cell.clone(),
            class: class.clone(),
            count: count.to_string(),
            message: message.clone(),
        })
}

fn differences(report: &Report) -> Vec<DifferenceView> {
    let rows = report.differences.iter().map(|difference| DifferenceView {
        field: difference.field.clone(),
        baseline: difference.baseline.clone(),
        candidate: difference.candidate.clone(),
        allowed: difference.is_allowed(),
    });
    rows.collect()
}

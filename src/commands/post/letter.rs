//! What is posted: a report, or why there is none, each in every form that the forge takes.

use super::wish::{FailOn, When};
use crate::{
    commands::CommandError,
    github::{Annotation, Conclusion},
    obligation::Obligation,
    render::{self, NoResult, Posting},
    report::Report,
    verdict::{OnUnmet, Verdict},
};

/// Longer titles are cut in mails and on telephones.
const TITLE_CHARS: usize = 120;

/// What is posted.
#[derive(Clone, Copy, Debug)]
pub enum Letter<'a> {
    /// A verdict, with what it says of lines of the configuration.
    Report(&'a Report, &'a [Annotation]),
    /// None: absent is red.
    Nothing(&'a NoResult),
}

impl Letter<'_> {
    pub(super) fn markdown(self, posting: &Posting, budget: usize) -> Result<String, CommandError> {
        Ok(match self {
            Self::Report(report, _) => render::comment(report, posting, budget)?,
            Self::Nothing(nothing) => render::comment_without_result(nothing, posting)?,
        })
    }

    /// One line of plain text.
    pub(super) fn title(self) -> String {
        match self {
            Self::Report(report, _) => render::one_line(&report.headline.replace('`', ""), TITLE_CHARS),
            Self::Nothing(nothing) => {
                render::one_line(&format!("no verdict: {}", nothing.what.replace('`', "")), TITLE_CHARS)
            }
        }
    }

    /// The verdict in a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Report(report, _) => report.verdict.name(),
            Self::Nothing(_) => "no verdict",
        }
    }

    pub(super) fn annotations(self) -> Vec<Annotation> {
        match self {
            Self::Report(_, annotations) => annotations.to_vec(),
            Self::Nothing(_) => Vec::new(),
        }
    }

    /// When what was found was measured.
    pub(super) fn measured_unix_s(self) -> Option<u64> {
        match self {
            Self::Report(report, _) => Some(report.candidate.started_unix_s),
            Self::Nothing(_) => None,
        }
    }

    /// How the check ends. What was not shown to be harmless is never a success; a neutral check does not block.
    pub(super) fn conclusion(self, fail_on: FailOn) -> Conclusion {
        let Self::Report(report, _) = self else {
            return Conclusion::Failure;
        };
        match (report.exit_code, report.verdict) {
            (0, _) => Conclusion::Success,
            // Whoever opens a pull request can make any two measurements incomparable.
            (3, Verdict::Incomparable) => Conclusion::ActionRequired,
            (3, _) if is_held(report) => Conclusion::ActionRequired,
            (3, _) if fail_on == FailOn::Inconclusive => Conclusion::ActionRequired,
            (3, Verdict::Inconclusive | Verdict::NoBaseline) => Conclusion::Neutral,
            _ => Conclusion::Failure,
        }
    }

    /// Whether a pull request that has no comment yet gets one.
    pub(super) fn begins_a_comment(self, when: When) -> bool {
        let Self::Report(report, _) = self else {
            return when != When::Off;
        };
        let owes = report.obligations.iter().any(|owed| owed.settled.is_none());
        match when {
            When::Always => true,
            When::Changes => report.verdict != Verdict::Pass || !report.obligations.is_empty(),
            When::Regression => !matches!(report.exit_code, 0 | 3) || owes,
            When::Off => false,
        }
    }
}

/// Whether evidence is owed that holds the gate until it is given.
fn is_held(report: &Report) -> bool {
    let does = |owed: &Obligation| owed.unmet(report.judging.unmet);
    report
        .obligations
        .iter()
        .filter_map(does)
        .any(|does| does >= OnUnmet::Hold)
}

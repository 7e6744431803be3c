//! Whose rules held, what is still owed, and who gave what: as every renderer for people shows it.

use serde::Serialize;

use super::words;
use crate::{
    obligation::{Place, Settled},
    report::{Obligation, Report, Trusted},
};

/// Something a warning asks for.
#[derive(Debug, Serialize)]
pub(super) struct ObligationView {
    pub(super) cell: String,
    pub(super) requires: &'static str,
    pub(super) text: String,
    /// `None`: it is still owed.
    pub(super) settled: Option<SettledView>,
}

/// Who gave it.
#[derive(Debug, Serialize)]
pub(super) struct SettledView {
    pub(super) who: String,
    /// In words (`in the pull request's description`).
    pub(super) place: String,
    pub(super) text: String,
}

/// Whose rules held.
#[derive(Debug, Serialize)]
pub(super) struct TrustedView {
    pub(super) commit: String,
    pub(super) short_commit: String,
    /// `None`: the commit has none, and the built-in rules held.
    pub(super) config: Option<String>,
    pub(super) changed: Vec<ChangedView>,
}

/// A file of rules that the pull request changes.
#[derive(Debug, Serialize)]
pub(super) struct ChangedView {
    pub(super) path: String,
    /// The diff, line by line.
    pub(super) lines: Vec<String>,
}

/// What is still owed.
pub(super) fn owed(report: &Report) -> Vec<ObligationView> {
    let owed = report.obligations.iter().filter(|one| one.settled.is_none());
    owed.map(view).collect()
}

/// What was given.
pub(super) fn given(report: &Report) -> Vec<ObligationView> {
    let given = report.obligations.iter().filter(|one| one.settled.is_some());
    given.map(view).collect()
}

fn view(obligation: &Obligation) -> ObligationView {
    ObligationView {
        cell: obligation.cell.clone(),
        requires: words::evidence(obligation.requires),
        text: obligation.text.clone(),
        settled: obligation.settled.as_ref().map(settled),
    }
}

fn settled(settled: &Settled) -> SettledView {
    SettledView {
        who: settled.who.clone(),
        place: match &settled.place {
            Place::PullRequest => "in the pull request's description".to_owned(),
            Place::Trailer { commit } => format!("in commit {}", short(commit)),
            Place::AcceptFile => "in `perfgate-accept.yaml` of the base".to_owned(),
            Place::Profile {
                kind,
                sha256,
                commit_is_assumed,
            } => {
                let assumed = if *commit_is_assumed {
                    ", commit assumed: the file names none"
                } else {
                    ""
                };
                format!("{} profile, sha256 {}{assumed}", kind.name(), short(sha256))
            }
        },
        text: settled.text.clone(),
    }
}

/// Whose rules held, where they are not the work tree's.
pub(super) fn trusted(trusted: &Trusted) -> TrustedView {
    let changed = trusted.not_applied.iter().map(|changed| ChangedView {
        path: changed.path.clone(),
        lines: changed.diff.lines().map(str::to_owned).collect(),
    });
    TrustedView {
        commit: trusted.commit.clone(),
        short_commit: short(&trusted.commit),
        config: trusted.config.clone(),
        changed: changed.collect(),
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

impl TrustedView {
    /// In sentences: whose rules, and which changes are not applied.
    pub(super) fn sentences(&self) -> Vec<String> {
        let commit = &self.short_commit;
        let mut sentences = vec![match &self.config {
            Some(config) => format!("judged by `{config}` of commit `{commit}`"),
            None => format!("judged by the built-in rules, as commit `{commit}` has no configuration"),
        }];
        let changed = self.changed.iter();
        sentences.extend(changed.map(|changed| format!("`{}` is changed here, which is not applied:", changed.path)));
        sentences
    }
}

impl ObligationView {
    /// What was given, by whom and where, in one sentence.
    pub(super) fn sentence(&self) -> String {
        match &self.settled {
            None => format!("{} ({}, {})", self.text, self.requires, self.cell),
            Some(settled) => format!("{}: `{}` ({}, {})", self.text, settled.text, settled.who, settled.place),
        }
    }
}

//! The ratchet of a baseline: what a gate would not let pass does not become the level that later changes are judged by,
//! unless somebody says why.

use super::{CommandError, reference::Found};
use crate::{
    history::Accepted,
    metric::Metric,
    obligation::Explanation,
    report::Check,
    session::Session,
    verdict::{Action, Bound, Policy, Verdict, figures, wording::bound},
};

/// A gated metric that a session would move for the worse, by more than its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    metric: Metric,
    cell: String,
    /// In words.
    what: String,
    /// Who says why, and why.
    accepted: Option<(String, String)>,
}

/// What a session would move for the worse in the baseline that it joins; nothing where it is there already, or older than what
/// is there: the newest one is the level.
pub(super) fn moved(found: Option<&Found>, session: &Session, policy: &Policy) -> Vec<Moved> {
    let Some(found) = found else { return Vec::new() };
    if found.holds_candidate || session.started_unix_s < found.session.started_unix_s {
        return Vec::new();
    }
    let report = super::reference::judge(Some(found), ("the session", session), policy);
    let is_worse = |check: &&Check| {
        check.verdict == Verdict::Regression
            && check.action != Action::Report
            && !matches!(check.limit, Bound::Value(_))
    };
    let worse = report.checks.iter().filter(is_worse);
    worse
        .map(|check| Moved {
            metric: check.metric,
            cell: check.cell.clone(),
            what: format!(
                "{} {} at {}, limit {}",
                check.metric.label(),
                figures(check),
                check.cell,
                bound(check.metric, check.limit)
            ),
            accepted: None,
        })
        .collect()
}

/// Accepts what somebody answers for: all of it for a reason given with the save, else what `perfgate-accept.yaml` explains. An
/// entry there lifts the ratchet once: what it was used for stands in the baseline.
///
/// # Errors
/// Something is left that nobody answers for.
pub(super) fn accept(
    mut moved: Vec<Moved>,
    given: Option<(&str, &str)>,
    explanations: &[Explanation],
    found: Option<&Found>,
) -> Result<Vec<Moved>, CommandError> {
    let used = found.map_or(&[][..], |found| &found.accepted);
    for one in &mut moved {
        let given = given.map(|(who, reason)| (who.to_owned(), reason.to_owned()));
        one.accepted = given.or_else(|| {
            let explained = explanations.iter().find(|said| explains(said, one, used));
            explained.map(|said| (said.who.clone(), said.text.clone()))
        });
    }
    let open: Vec<&str> = moved
        .iter()
        .filter(|one| one.accepted.is_none())
        .map(|one| one.what.as_str())
        .collect();
    if !open.is_empty() {
        return Err(CommandError::Worse { moved: open.join("; ") });
    }
    Ok(moved)
}

fn explains(said: &Explanation, moved: &Moved, used: &[Accepted]) -> bool {
    let fits = said.metric == moved.metric && said.cell.as_ref().is_none_or(|cell| *cell == moved.cell);
    let is_used =
        |step: &Accepted| step.covers(moved.metric, &moved.cell) && step.reason == said.text && step.who == said.who;
    fits && !used.iter().any(is_used)
}

impl Moved {
    /// The step that is recorded for it, after the session that was the last.
    pub(super) fn step(&self, found: Option<&Found>, session: &Session, now_unix_s: u64) -> Option<Accepted> {
        let (who, reason) = self.accepted.clone()?;
        Some(Accepted {
            after: found.and_then(|found| found.last.clone()),
            commit: session.commit.clone(),
            metric: Some(self.metric),
            cell: Some(self.cell.clone()),
            reason,
            who,
            accepted_unix_s: now_unix_s,
        })
    }

    /// In a line, once it is accepted.
    pub(super) fn told(&self) -> String {
        let (who, reason) = self.accepted.clone().unwrap_or_default();
        format!("accepted by {who}: {}: {reason}", self.what)
    }
}

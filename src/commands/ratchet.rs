//! The ratchet of a baseline: what a gate would not let pass does not become the level that later changes are judged by,
//! unless somebody says why.

use super::{
    CommandError,
    reference::{self, Found},
};
use crate::{
    history::Accepted,
    measure::invalid_because,
    metric::Metric,
    obligation::Explanation,
    report::{Check, Report},
    session::{Ended, Session},
    store::Baselines,
    verdict::{Action, Bound, Policy, Verdict, figures, wording::bound},
};

/// What a session is held against before it is saved.
pub(super) struct Level {
    found: Option<Found>,
    /// Whether it is of the baseline that the session joins.
    is_joined: bool,
}

impl Level {
    /// The baseline that a session joins; where it would be the first there, what a gate would compare it with.
    ///
    /// # Errors
    /// When a baseline that comes into question is broken.
    pub(super) fn of(baselines: &Baselines, session: &Session, policy: &Policy) -> Result<Self, CommandError> {
        let (found, is_joined) = reference::before_saving(baselines, session, policy)?;
        Ok(Self { found, is_joined })
    }

    /// Whether the session changes no level: it is there already, or older than what is there, as the newest one is the level.
    /// First in a file of its own, any session is the level of that file.
    fn stays(&self, found: &Found, session: &Session) -> bool {
        found.holds_candidate || self.is_joined && session.started_unix_s < found.session.started_unix_s
    }
}

/// What a session would move for the worse: a gated metric by more than its limit, or all of it where that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// `None`: all of them.
    metric: Option<Metric>,
    /// `None`: all of them.
    cell: Option<String>,
    /// In words.
    what: String,
    /// Who says why, and why.
    accepted: Option<(String, String)>,
}

/// What a session would move for the worse of the level that it is held against.
pub(super) fn moved(level: &Level, session: &Session, policy: &Policy) -> Vec<Moved> {
    let Some(found) = &level.found else { return Vec::new() };
    // The store refuses what carries no verdict by itself.
    let carries_none = matches!(session.ended, Ended::Aborted(_)) || invalid_because(session).is_some();
    if level.stays(found, session) || carries_none {
        return Vec::new();
    }
    let report = reference::judge(Some(found), ("the session", session), policy);
    let is_unjudged = match report.verdict {
        Verdict::Invalid => true,
        // Another environment's or plan's baseline judges nothing here.
        Verdict::Incomparable => level.is_joined,
        _ => false,
    };
    if is_unjudged {
        return vec![Moved {
            metric: None,
            cell: None,
            what: report.headline,
            accepted: None,
        }];
    }
    worse(&report)
}

fn worse(report: &Report) -> Vec<Moved> {
    let is_worse = |check: &&Check| {
        check.verdict == Verdict::Regression
            && check.action != Action::Report
            && !matches!(check.limit, Bound::Value(_))
    };
    let worse = report.checks.iter().filter(is_worse);
    worse
        .map(|check| Moved {
            metric: Some(check.metric),
            cell: Some(check.cell.clone()),
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
/// entry there lifts the ratchet once: what it was `used` for stands in the baselines. It names a metric, so it says nothing
/// of a session that cannot be judged.
///
/// # Errors
/// Something is left that nobody answers for.
pub(super) fn accept(
    mut moved: Vec<Moved>,
    given: Option<(&str, &str)>,
    explanations: &[Explanation],
    used: &[Accepted],
) -> Result<Vec<Moved>, CommandError> {
    for one in &mut moved {
        let given = given.map(|(who, reason)| (who.to_owned(), reason.to_owned()));
        one.accepted = given.or_else(|| {
            let explained = explanations.iter().find(|said| explains(said, one, used));
            explained.map(|said| (said.who.clone(), said.text.clone()))
        });
    }
    let open = || moved.iter().filter(|one| one.accepted.is_none());
    if let Some(unjudged) = open().find(|one| one.metric.is_none()) {
        return Err(CommandError::Unjudged {
            headline: unjudged.what.clone(),
        });
    }
    let open: Vec<&str> = open().map(|one| one.what.as_str()).collect();
    if !open.is_empty() {
        return Err(CommandError::Worse { moved: open.join("; ") });
    }
    Ok(moved)
}

fn explains(said: &Explanation, moved: &Moved, used: &[Accepted]) -> bool {
    let Some((metric, cell)) = moved.metric.zip(moved.cell.as_deref()) else {
        return false;
    };
    let fits = said.metric == metric && said.cell.as_deref().is_none_or(|own| own == cell);
    let is_used = |step: &Accepted| step.covers(metric, cell) && step.reason == said.text && step.who == said.who;
    fits && !used.iter().any(is_used)
}

impl Moved {
    /// The step that is recorded for it, after the session that was the last of the baseline that it joins.
    pub(super) fn step(&self, level: &Level, session: &Session, now_unix_s: u64) -> Option<Accepted> {
        let (who, reason) = self.accepted.clone()?;
        let joined = level.found.as_ref().filter(|_| level.is_joined);
        Some(Accepted {
            after: joined.and_then(|found| found.last.clone()),
            commit: session.commit.clone(),
            metric: self.metric,
            cell: self.cell.clone(),
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

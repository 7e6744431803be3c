//! Slow creep: many small steps, none of which any gate would have seen, away from a session that was pinned.

use super::{Accepted, Entry, course::first_after, window::without};
use crate::{
    compare::{Around, Comparison, Noise, Stored, compare_levels},
    measure::{Measurements, measure},
    metric::Metric,
    session::Session,
    verdict::{self, Action, Bound, Check, Difference, Policy, Verdict, differences, judge, refuse, refuse_work},
};

/// A session that was pinned, with what is stored around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    session: Session,
    around: Around,
    /// Steps that were accepted after it: it is no measure any more for what they are about.
    accepted: Vec<Accepted>,
}

impl Pin {
    /// A session that was pinned by its hash at a time, in a history with its accepted steps.
    ///
    /// Where it made room long ago, all that is stored came after it, and the level of then is known from it alone.
    pub fn new(
        session: Session,
        (sha256, pinned_unix_s): (&str, u64),
        entries: &[Entry],
        accepted: &[Accepted],
    ) -> Self {
        let place = |hash: &str| entries.iter().position(|entry| entry.sha256 == hash);
        let pinned = place(sha256);
        let is_after = |step: &&Accepted| match (pinned, step.after.as_deref().map(|hash| (place(hash), hash))) {
            (_, None) | (Some(_), Some((None, _))) => false,
            (Some(pinned), Some((Some(last), _))) => last >= pinned && first_after(step, entries).is_some(),
            (None, Some((Some(_), _))) => first_after(step, entries).is_some(),
            (None, Some((None, _))) => step.accepted_unix_s > pinned_unix_s,
        };
        let mut kept = entries.to_vec();
        without(&mut kept, accepted);
        let mut measured = kept.into_iter().map(|entry| entry.measured);
        let before = measured.by_ref().take(pinned.unwrap_or(0)).collect();
        let since = measured.skip(usize::from(pinned.is_some())).collect();
        Self {
            session,
            around: Around { before, since },
            accepted: accepted.iter().filter(is_after).cloned().collect(),
        }
    }

    /// What a candidate shows against the pinned level, in warnings: each gated metric whose level of now is worse beyond
    /// its limit by the rule of stored baselines, or why the two cannot be compared. It never blocks.
    pub fn creep(&self, candidate: &Session, policy: &Policy) -> Vec<String> {
        if *candidate == self.session {
            return Vec::new();
        }
        let differences = differences(&self.session, candidate, policy);
        if let Some(refusal) = refuse(Some(&self.session), candidate, &differences, policy) {
            return vec![self.not_checked(&refusal.reason)];
        }
        let comparison = self.levels(&measure(candidate));
        if let Some(refusal) = refuse_work(&comparison, policy) {
            return vec![self.not_checked(&refusal.reason)];
        }
        let judged = judge(&comparison, &only_changes(policy));
        let worse = judged.checks.iter().filter(|check| {
            let is_worse = check.verdict == Verdict::Regression && !matches!(check.limit, Bound::Value(_));
            is_worse && !self.accepted.iter().any(|step| step.covers(check.metric, &check.cell))
        });
        let mut told: Vec<String> = worse.map(|check| self.told(check, &comparison)).collect();
        if !told.is_empty() {
            told.extend(self.unlike(&differences));
        }
        let moved = self.accepted.iter().filter(|step| is_gated(step, policy));
        let moved = moved.map(|step| self.not_checked(&accepted_since(step)));
        told.into_iter().chain(moved).collect()
    }

    /// In what the pinned session differs and was compared all the same.
    fn unlike(&self, differences: &[Difference]) -> Option<String> {
        let fields = differences
            .iter()
            .map(|d| format!("`{}` (`{}`, `{}`)", d.field, d.baseline, d.candidate));
        let fields: Vec<String> = fields.collect();
        (!fields.is_empty()).then(|| {
            format!(
                "the pinned reference{} differs in {}, which is allowed: the creep may come from it",
                self.of_commit(),
                fields.join(", ")
            )
        })
    }

    /// The change of every metric from the pinned level to that of a measured candidate.
    pub(super) fn levels(&self, candidate: &Measurements) -> Comparison {
        compare_levels(&measure(&self.session), candidate, &self.around)
    }

    /// The steps that were accepted after it.
    pub(super) fn steps_since(&self) -> &[Accepted] {
        &self.accepted
    }

    fn told(&self, check: &Check, comparison: &Comparison) -> String {
        let cell = comparison.cells.iter().find(|cell| cell.name == check.cell);
        let change = cell
            .and_then(|cell| cell.metrics.get(&check.metric))
            .and_then(|found| found.change);
        let sessions = match change.map(|change| change.noise) {
            Some(Noise::Stored(Stored {
                sessions,
                candidate_sessions,
                ..
            })) if check.limit != Bound::NoMoreFailures => (sessions, candidate_sessions),
            _ => (1, 1),
        };
        let now = match sessions.1 {
            1 => String::new(),
            now => format!(", in the mean of the last {now} sessions,"),
        };
        let before = match sessions.0 {
            1 => String::new(),
            2 => " and the session before it".to_owned(),
            then => format!(" and the {} sessions before it", then - 1),
        };
        format!(
            "{} at {}{now} is {} against the pinned reference{}{before}, limit {}: slow creep, or a step that nobody \
             accepted",
            check.metric.label(),
            check.cell,
            verdict::figures(check),
            self.of_commit(),
            verdict::wording::bound(check.metric, check.limit)
        )
    }

    fn not_checked(&self, reason: &str) -> String {
        format!("not compared with the pinned reference{}: {reason}", self.of_commit())
    }

    fn of_commit(&self) -> String {
        let commit = self.session.commit.as_ref();
        commit.map_or_else(String::new, |commit| {
            format!(" ({})", commit.chars().take(12).collect::<String>())
        })
    }
}

/// The policy without what asks nothing of the pinned session, or is told in no warning.
pub(super) fn only_changes(policy: &Policy) -> Policy {
    let mut own = policy.clone();
    own.ceilings.clear();
    own.gates.retain(|_, gate| gate.action != Action::Report);
    own.errors = own.errors.filter(|action| *action != Action::Report);
    own
}

fn is_gated(step: &Accepted, policy: &Policy) -> bool {
    let own = only_changes(policy);
    step.metric.is_none_or(|metric| own.gates.contains_key(&metric))
}

fn accepted_since(step: &Accepted) -> String {
    let what = step.metric.map_or("every metric", Metric::label);
    let place = step
        .cell
        .as_ref()
        .map_or_else(String::new, |cell| format!(" at {cell}"));
    format!(
        "{what}{place} has had a new level since, which was accepted ({}); pin a later session with `perfgate baseline pin`",
        step.reason
    )
}

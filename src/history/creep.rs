//! Slow creep: many small steps, none of which any gate would have seen, away from a session that was pinned.

use crate::{
    compare::{Background, compare},
    measure::measure,
    session::Session,
    verdict::{self, Policy, Verdict, differences, judge, refuse, refuse_work},
};

/// What a candidate shows against the pinned session, in warnings: each gated metric that is worse beyond its limit by
/// the rule of stored baselines, or why the two cannot be compared. It never blocks.
pub fn creep(pinned: &Session, candidate: &Session, policy: &Policy) -> Vec<String> {
    let differences = differences(pinned, candidate, policy);
    if let Some(refusal) = refuse(Some(pinned), candidate, &differences, policy) {
        return vec![not_checked(pinned, &refusal.reason)];
    }
    let comparison = compare(&measure(pinned), &measure(candidate), &Background::default());
    if let Some(refusal) = refuse_work(&comparison, policy) {
        return vec![not_checked(pinned, &refusal.reason)];
    }
    let judged = judge(&comparison, policy);
    let worse = judged
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Regression);
    let told = worse.map(|check| {
        format!(
            "{} at {} is {} against the pinned reference{}, limit {}: slow creep, or a step that nobody accepted",
            check.metric.label(),
            check.cell,
            verdict::figures(check),
            of_commit(pinned),
            verdict::wording::bound(check.metric, check.limit)
        )
    });
    told.collect()
}

fn not_checked(pinned: &Session, reason: &str) -> String {
    format!("not compared with the pinned reference{}: {reason}", of_commit(pinned))
}

fn of_commit(session: &Session) -> String {
    let commit = session.commit.as_ref();
    commit.map_or_else(String::new, |commit| {
        format!(" ({})", commit.chars().take(12).collect::<String>())
    })
}

//! Reasons to give no verdict: nothing to compare with, not the same measurement, or none that can carry a verdict.

use super::{Action, Bound, Check, Difference, Policy, Verdict, errors::DEATHS};
use crate::{
    compare::{
        Comparison, different_work,
        fingerprint::DEFINITIONS,
        work::{ALLOW, more_failures},
    },
    measure::{deaths, invalid_because, invalid_beside_failures},
    metric::definitions_apart,
    session::{Ended, Session},
};

/// Why there is nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Invalid, no baseline, or incomparable.
    pub verdict: Verdict,
    /// In one sentence.
    pub reason: String,
}

impl Refusal {
    /// There is nothing to compare with.
    pub fn no_baseline() -> Self {
        Self {
            verdict: Verdict::NoBaseline,
            reason: "there is nothing to compare with yet".into(),
        }
    }
}

/// Whether two sessions can be judged at all: both valid, both there, and both the same measurement.
///
/// Where more failures than the baseline's block, a candidate that fails is judged by them and not refused.
pub fn refuse(
    baseline: Option<&Session>,
    candidate: &Session,
    differences: &[Difference],
    policy: &Policy,
) -> Option<Refusal> {
    let invalid = |reason| {
        Some(Refusal {
            verdict: Verdict::Invalid,
            reason,
        })
    };
    if let Some(why) = baseline.and_then(|session| unusable("baseline", session)) {
        return invalid(why);
    }
    let found = match baseline {
        Some(baseline) if judges_failures(policy) => unusable_beside_failures(baseline, candidate),
        _ => unusable("candidate", candidate),
    };
    if let Some(why) = found {
        return invalid(why);
    }
    if baseline.is_none() {
        return Some(Refusal::no_baseline());
    }
    incomparable(differences).map(|reason| Refusal {
        verdict: Verdict::Incomparable,
        reason,
    })
}

/// Why a candidate cannot carry a verdict that failed too often and whose failures decide nothing: they may be the
/// baseline's too, or chance.
pub fn refuse_failures(candidate: &Session, checks: &[Check]) -> Option<Refusal> {
    let why = invalid_because(candidate)?;
    let decided = |check: &Check| check.limit == Bound::NoMoreFailures && check.verdict != Verdict::Pass;
    let is_decided = checks
        .iter()
        .any(|check| decided(check) && check.action == Action::Block);
    (!is_decided).then(|| Refusal {
        verdict: Verdict::Invalid,
        reason: format!("the candidate cannot carry a verdict: {why}"),
    })
}

fn judges_failures(policy: &Policy) -> bool {
    policy.errors == Some(Action::Block)
}

fn unusable(arm: &str, session: &Session) -> Option<String> {
    if let Ended::Aborted(why) = &session.ended {
        return Some(format!("the {arm} was stopped before its end: {why}"));
    }
    let why = invalid_because(session)?;
    Some(format!("the {arm} cannot carry a verdict: {why}"))
}

/// A candidate that was stopped because its server died twice, where the baseline's lived, is judged by that.
fn unusable_beside_failures(baseline: &Session, candidate: &Session) -> Option<String> {
    let died = deaths(baseline) == 0 && deaths(candidate) >= DEATHS;
    if let Ended::Aborted(why) = &candidate.ended
        && !died
    {
        return Some(format!("the candidate was stopped before its end: {why}"));
    }
    let why = invalid_beside_failures(candidate)?;
    Some(format!("the candidate cannot carry a verdict: {why}"))
}

/// Whether the arms did work so different that none is faster, unless the policy allows it.
///
/// A candidate that fails more is judged by that where it blocks; else it is different work.
pub fn refuse_work(comparison: &Comparison, policy: &Policy) -> Option<Refusal> {
    let failures = || {
        let asked = !judges_failures(policy);
        asked
            .then(|| more_failures(&comparison.cells, &comparison.design))
            .flatten()
    };
    let why = different_work(&comparison.cells, &comparison.design).or_else(failures);
    let why = why.filter(|_| !policy.allows(ALLOW))?;
    Some(Refusal {
        verdict: Verdict::Invalid,
        reason: format!("different work: {why}"),
    })
}

/// The fields that differ and are not allowed: the first three with their values, the others by name.
fn incomparable(differences: &[Difference]) -> Option<String> {
    let open: Vec<&Difference> = differences
        .iter()
        .filter(|difference| !difference.is_allowed())
        .collect();
    let told = open.iter().take(3).map(|d| {
        let why = (d.field == DEFINITIONS).then(|| format!(": {}", definitions_apart(&d.baseline, &d.candidate)));
        format!(
            "`{}` is `{}` in the baseline and `{}` here{}",
            d.field,
            d.baseline,
            d.candidate,
            why.unwrap_or_default()
        )
    });
    let others: Vec<String> = open.iter().skip(3).map(|d| format!("`{}`", d.field)).collect();
    let mut told: Vec<String> = told.collect();
    if !others.is_empty() {
        told.push(format!("different too: {}", others.join(", ")));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

//! What is still owed, and what is still open: what they do to the answer and to the exit code.

use crate::{
    measure::invalid_because,
    obligation::Obligation,
    session::Session,
    verdict::{Action, Check, Judgement, OnInconclusive, OnUnmet, Policy, Verdict, answer_holding},
};

/// The answer, now that it is known which warnings still owe their evidence, and what that does.
pub(super) fn answer_again(judgement: &mut Judgement, obligations: &[Obligation], policy: &Policy) {
    if obligations.is_empty() || judgement.verdict == Verdict::Regression {
        return;
    }
    let holds = |check: &Check| {
        let own = |owed: &&Obligation| owed.metric == check.metric && owed.cell == check.cell;
        let does = obligations.iter().find(own).and_then(|owed| owed.unmet(policy.unmet));
        does.is_some_and(|does| does >= OnUnmet::Hold)
    };
    judgement.verdict = answer_holding(&judgement.checks, holds);
}

/// What the strictest obligation does that is still owed.
pub(super) fn strictest(obligations: &[Obligation], policy: &Policy) -> Option<OnUnmet> {
    obligations.iter().filter_map(|owed| owed.unmet(policy.unmet)).max()
}

/// That of the verdict; an open gate does what the policy says, unless nothing was judged or only evidence is owed.
///
/// It lets through what was tested and could not be settled, and nothing else: no figure that is missing, no evidence
/// that is owed, no session that carries no verdict.
pub(super) fn exit_code(
    verdict: Verdict,
    (checks, obligations): (&[Check], &[Obligation]),
    candidate: &Session,
    policy: &Policy,
) -> u8 {
    let owed = strictest(obligations, policy);
    if verdict == Verdict::Inconclusive && owed == Some(OnUnmet::Block) {
        return Verdict::Regression.exit_code();
    }
    let is_open = |check: &Check| check.action == Action::Block && check.verdict == Verdict::Inconclusive;
    if verdict != Verdict::Inconclusive || !checks.iter().any(is_open) {
        return verdict.exit_code();
    }
    match policy.on_inconclusive {
        OnInconclusive::Warn => verdict.exit_code(),
        OnInconclusive::Block => Verdict::Regression.exit_code(),
        OnInconclusive::Pass if invalid_because(candidate).is_some() => Verdict::Invalid.exit_code(),
        OnInconclusive::Pass => {
            let is_tested = |check: &Check| check.p_real.or(check.p_beyond).is_some();
            let may_pass = checks.iter().filter(|check| is_open(check)).all(is_tested)
                && owed.is_none_or(|owed| owed == OnUnmet::Ask);
            if may_pass { Verdict::Pass } else { verdict }.exit_code()
        }
    }
}

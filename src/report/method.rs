//! How a verdict was reached, in one paragraph: how it was measured, by what rule, and the check that decided.

use crate::{
    compare::Design,
    session::{PairArm, Pairing, Session},
    verdict::{
        Action, Check, Judgement, Policy, Refusal, Verdict, WITHIN_LEVEL,
        wording::{count, share},
    },
};

/// The paragraph of the gate.
pub(super) fn method(outcome: Result<&Judgement, &Refusal>, candidate: &Session, policy: &Policy) -> String {
    let Ok(judgement) = outcome else {
        return "No change was computed: there is nothing to judge.".into();
    };
    let pairing = candidate.pairing.as_ref();
    let measured = match &judgement.design {
        Design::Apart { sessions } => Some(apart(*sessions)),
        Design::Paired { pairs, looks, blocks } => Some(in_pairs(*pairs, looks, *blocks, pairing)),
    };
    let measured = measured.filter(|_| judgement.checks.iter().any(|check| check.interval.is_some()));
    let decided = deciding(judgement).and_then(|check| check.explanation.clone());
    let parts = [measured, Some(rule(policy)), decided];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The check that decided: the worst of those that block, else the worst there is; what could not be tested decides
/// nothing that could be explained.
pub(super) fn deciding(judgement: &Judgement) -> Option<&Check> {
    let told = || judgement.checks.iter().filter(|check| check.explanation.is_some());
    let decides = |check: &&Check| match judgement.verdict {
        Verdict::Regression | Verdict::Inconclusive | Verdict::Improvement => check.verdict == judgement.verdict,
        _ => true,
    };
    let blocking = told().filter(|check| check.action == Action::Block);
    blocking.filter(decides).chain(told()).next()
}

fn apart(sessions: usize) -> String {
    let baseline = match sessions {
        0 | 1 => "one stored session".to_owned(),
        many => format!("the mean of {many} stored sessions"),
    };
    format!(
        "Each run gives one value of each metric. The two sides were measured at different times: a change is that of the \
         candidate's runs against {baseline}, on logarithms, and its error holds what runs differ by and what sessions \
         differ by."
    )
}

fn in_pairs(pairs: u32, looks: &[u32], blocks: u32, pairing: Option<&Pairing>) -> String {
    let pairs = usize::try_from(pairs).unwrap_or(usize::MAX);
    let cut = match blocks {
        0 | 1 => String::new(),
        blocks => format!(", each cut into {blocks} alternating blocks"),
    };
    let last = looks.last().map(u32::to_string).unwrap_or_default();
    let earlier: Vec<String> = looks.iter().rev().skip(1).rev().map(u32::to_string).collect();
    let planned = if earlier.is_empty() {
        last
    } else {
        format!("{} and {last}", earlier.join(", "))
    };
    let ended = pairing.and_then(|pairing| pairing.stopped_early.as_ref());
    let ended = ended.map_or_else(String::new, |why| format!(" It ended early: {why}."));
    format!(
        "The two sides were measured in alternation, {}{cut}; each pair gives one log-ratio of each metric, and a paired t \
         test moderated by what is known of the noise tests their mean. The gate looks after {planned} pairs, at levels \
         that keep all looks together at those named here.{}{ended}",
        count(pairs, "pair"),
        measured_again(pairing),
    )
}

fn measured_again(pairing: Option<&Pairing>) -> String {
    let again = pairing.map_or(&[][..], |pairing| &pairing.remeasured);
    let told = again.iter().map(|pair| {
        let arm = match pair.arm {
            PairArm::Baseline => "baseline",
            PairArm::Candidate => "candidate",
        };
        format!(
            "pair {} at {} ({}, on the {arm})",
            pair.pair + 1,
            pair.cell,
            pair.reason
        )
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return String::new();
    }
    format!(
        " {} again, on both sides: {}.",
        match told.len() {
            1 => "One pair was measured".to_owned(),
            many => format!("{many} pairs were measured"),
        },
        told.join("; ")
    )
}

fn rule(policy: &Policy) -> String {
    format!(
        "A check is a regression when the change is real (Holm-corrected over all checks of its kind, level {}) and beyond \
         its limit with {} confidence; it passes when the change is within the limit with {} confidence; else it is \
         inconclusive.",
        share(policy.family_error),
        share(policy.confidence),
        share(1.0 - WITHIN_LEVEL),
    )
}

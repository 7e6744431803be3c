//! The gate's answer from all checks, and the reasons to give none.

use super::{
    Action, Check, Difference, Evidence, Policy, Verdict,
    check::{self, Draft, figures},
    wording,
};
use crate::{
    compare::{CellComparison, Comparison, different_work, work::ALLOW},
    measure::invalid_because,
    metric::Metric,
    session::{Ended, Session},
};

/// All checks of one comparison, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The gate's answer.
    pub verdict: Verdict,
    /// Worst first.
    pub checks: Vec<Check>,
    /// What the reader should know, in sentences.
    pub warnings: Vec<String>,
    /// How many more runs a side would settle every check that more runs can settle.
    pub repeat_more: Option<usize>,
    /// How many requests a run every gated percentile needs, where some have fewer.
    pub requests_needed: Option<usize>,
}

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
pub fn refuse(baseline: Option<&Session>, candidate: &Session, differences: &[Difference]) -> Option<Refusal> {
    let refusal = |verdict, reason| Some(Refusal { verdict, reason });
    let arms = baseline.map(|session| ("baseline", session)).into_iter();
    for (arm, session) in arms.chain([("candidate", candidate)]) {
        if let Ended::Aborted(why) = &session.ended {
            return refusal(Verdict::Invalid, format!("the {arm} was stopped before its end: {why}"));
        }
        if let Some(why) = invalid_because(session) {
            return refusal(Verdict::Invalid, format!("the {arm} cannot carry a verdict: {why}"));
        }
    }
    if baseline.is_none() {
        return Some(Refusal::no_baseline());
    }
    incomparable(differences).and_then(|reason| refusal(Verdict::Incomparable, reason))
}

/// Whether the arms did work so different that none is faster, unless the policy allows it.
pub fn refuse_work(comparison: &Comparison, policy: &Policy) -> Option<Refusal> {
    let why = different_work(&comparison.cells).filter(|_| !policy.allows(ALLOW))?;
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
        format!(
            "`{}` is `{}` in the baseline and `{}` here",
            d.field, d.baseline, d.candidate
        )
    });
    let others: Vec<String> = open.iter().skip(3).map(|d| format!("`{}`", d.field)).collect();
    let mut told: Vec<String> = told.collect();
    if !others.is_empty() {
        told.push(format!("different too: {}", others.join(", ")));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// Judges every gated metric in every cell.
pub fn judge(comparison: &Comparison, policy: &Policy) -> Judgement {
    let (mut drafts, mut warnings) = drafts(comparison, policy);
    if policy.allows(ALLOW) {
        warnings
            .extend(different_work(&comparison.cells).map(|why| format!("different work, which is allowed: {why}")));
    }
    check::settle(&mut drafts);
    drafts.sort_by(|a, b| {
        let ((rank_a, excess_a), (rank_b, excess_b)) = (a.rank(), b.rank());
        rank_a.cmp(&rank_b).then(excess_a.total_cmp(&excess_b))
    });
    let open = drafts
        .iter()
        .filter(|draft| draft.check.verdict == Verdict::Inconclusive);
    let repeat_more = open.filter_map(|draft| draft.repeat_more).max();
    let requests_needed = drafts.iter().filter_map(|draft| draft.requests_needed).max();
    let checks: Vec<Check> = drafts.into_iter().map(|draft| draft.check).collect();
    warnings.extend(checks.iter().filter_map(warning));
    warnings.extend(not_judged(&checks));
    if !checks.is_empty() && !checks.iter().any(|check| check.action == Action::Block) {
        warnings.push("no gate blocks: every gated metric only warns".into());
    }
    Judgement {
        verdict: answer(&checks),
        checks,
        warnings,
        repeat_more,
        requests_needed,
    }
}

/// One draft for each gated metric and cell, and a warning for each cell that was left out on purpose.
fn drafts(comparison: &Comparison, policy: &Policy) -> (Vec<Draft>, Vec<String>) {
    let mut drafts = Vec::new();
    let mut warnings = comparison.left_out.clone();
    for cell in &comparison.cells {
        let gates = policy.gates.iter().filter(|(metric, _)| can_have(cell, **metric));
        drafts.extend(gates.map(|(metric, gate)| Draft::of(cell, *metric, gate)));
    }
    let alone = [
        (&comparison.only_baseline, "baseline", "candidate"),
        (&comparison.only_candidate, "candidate", "baseline"),
    ];
    for (cells, has, lacks) in alone {
        for cell in cells {
            if policy.allows("plan.cells") {
                warnings.push(format!(
                    "only the {has} has the cell `{cell}`; it is not judged, as `plan.cells` is allowed"
                ));
                continue;
            }
            let gates = policy.gates.iter().filter(|(metric, _)| !metric.is_capacity());
            drafts.extend(gates.map(|(metric, gate)| Draft::one_sided(cell, *metric, gate, has, lacks)));
        }
    }
    (drafts, warnings)
}

/// Whether a cell can have this metric at all: a search has only its answer, and nothing else has that.
fn can_have(cell: &CellComparison, metric: Metric) -> bool {
    match cell.answer {
        Some(answer) => metric == answer,
        None => !metric.is_capacity(),
    }
}

/// Blocking checks decide; a warning holds the merge only where a profiling report is owed.
fn answer(checks: &[Check]) -> Verdict {
    let blocking = || checks.iter().filter(|check| check.action == Action::Block);
    let mut settled = checks.iter().filter(|check| check.verdict != Verdict::Inconclusive);
    let owes_profile =
        |check: &Check| check.verdict == Verdict::Regression && check.requires == Some(Evidence::Profile);
    if blocking().any(|check| check.verdict == Verdict::Regression) {
        Verdict::Regression
    } else if settled.next().is_none()
        || blocking().any(|check| !check.verdict.is_within())
        || checks.iter().any(owes_profile)
    {
        Verdict::Inconclusive
    } else if checks.iter().all(|check| check.verdict.is_within())
        && blocking().any(|check| check.verdict == Verdict::Improvement)
    {
        Verdict::Improvement
    } else {
        Verdict::Pass
    }
}

fn warning(check: &Check) -> Option<String> {
    let warns = check.action == Action::Warn && check.verdict == Verdict::Regression;
    warns.then(|| {
        format!(
            "{} at {}: {}, limit {}",
            check.metric.label(),
            check.cell,
            figures(check),
            wording::bound(check.metric, check.limit)
        )
    })
}

/// Warning checks that are open: one sentence for all cells with the same reason, as where no GPU can be read.
fn not_judged(checks: &[Check]) -> Vec<String> {
    let mut groups: Vec<Vec<&Check>> = Vec::new();
    for check in checks.iter().filter(|check| check.action == Action::Warn) {
        if check.verdict != Verdict::Inconclusive {
            continue;
        }
        let same = |group: &Vec<&Check>| {
            let first = group.first();
            first.is_some_and(|first| first.metric == check.metric && first.reason == check.reason)
        };
        match groups.iter_mut().find(|group| same(group)) {
            Some(group) => group.push(check),
            None => groups.push(vec![check]),
        }
    }
    let told = groups.iter().filter_map(|group| {
        let first = group.first()?;
        let place = match group.len() {
            1 => format!("at {}", first.cell),
            cells => format!("in {}", wording::count(cells, "cell")),
        };
        Some(format!(
            "{} {place} could not be judged: {}",
            first.metric.label(),
            first.reason
        ))
    });
    told.collect()
}

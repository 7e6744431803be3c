//! What the candidate itself must keep, whatever the baseline did: its own runs against a bound, on logarithms.

use super::{
    Action, Bound, Verdict,
    check::{Draft, Evidence},
    obstacle,
    rule::{MIN_RUNS, Rule},
    wording,
};
use crate::{
    compare::{Change, Side},
    metric::{Better, Metric},
};

/// One bound in one cell, judged: beyond surely is a regression, within surely a pass.
pub(super) fn draft(cell: &str, metric: Metric, bound: f64, runs: &Side, rule: &Rule) -> Draft {
    let mut draft = Draft::blank(cell, metric, Bound::Value(bound), Action::Block);
    draft.is_in_family = false;
    draft.check.n_candidate = runs.values.len();
    draft.check.candidate = runs.geometric_mean();
    let excess = |value: &f64| match metric.better() {
        Better::Lower => (value / bound).ln(),
        Better::Higher => (bound / value).ln(),
    };
    let excesses: Vec<f64> = runs.values.iter().map(excess).collect();
    let change = Change::of_pairs(&excesses, None);
    let is_nothing = |value: &f64| metric.better() == Better::Higher && *value == 0.0;
    if runs.missing.is_empty() && runs.values.len() >= MIN_RUNS && runs.values.iter().all(is_nothing) {
        draft.check.verdict = Verdict::Regression;
        let limit = wording::bound(metric, draft.check.limit);
        draft.check.reason = format!("nothing in any run: beyond what it must keep, {limit}");
        return draft;
    }
    match (obstacle::of_one_side(metric, "candidate", runs), change) {
        (Some(reason), _) => draft.check.reason = reason,
        (None, None) => {
            draft.check.reason = format!(
                "a ceiling needs {MIN_RUNS} runs, the candidate has {}",
                runs.values.len()
            );
            draft.repeat_more = Some(MIN_RUNS.saturating_sub(runs.values.len()));
        }
        (None, Some(change)) => settle(&mut draft, &change, bound, rule),
    }
    draft
}

fn settle(draft: &mut Draft, change: &Change, bound: f64, rule: &Rule) {
    let Some(evidence) = Evidence::of(*change, 0.0, None) else {
        return;
    };
    let n = change.n_candidate;
    let levels = rule.levels(n);
    let metric = draft.check.metric;
    let (p_beyond, p_within) = (evidence.tested.p_beyond, evidence.tested.p_within);
    let limit = wording::bound(metric, draft.check.limit);
    let (verdict, told) = if p_beyond <= levels.beyond && rule.may_show_a_change(n) {
        let told = format!("beyond what it must keep, {limit} ({})", wording::sure(p_beyond));
        (Verdict::Regression, told)
    } else if p_within <= levels.within {
        (Verdict::Pass, format!("keeps {limit} ({})", wording::sure(p_within)))
    } else {
        let told = format!("these runs cannot tell whether it keeps {limit}");
        (Verdict::Inconclusive, told)
    };
    let value = |excess: f64| match metric.better() {
        Better::Lower => bound * excess.exp(),
        Better::Higher => bound / excess.exp(),
    };
    let unit = metric.unit();
    let mut figures = format!("{} {unit}", wording::amount(value(change.log_difference), false));
    if let Some((low, high)) = change.interval() {
        let (low, high) = (value(low).min(value(high)), value(low).max(value(high)));
        figures = format!(
            "{figures} (90 % interval {} … {} {unit})",
            wording::amount(low, false),
            wording::amount(high, false)
        );
    }
    draft.check.verdict = verdict;
    draft.check.p_beyond = Some(p_beyond);
    draft.check.reason = format!("{figures}: {told}");
    let (label, cell) = (metric.label(), &draft.check.cell);
    draft.check.explanation = Some(format!(
        "{label} at {cell} is {figures} over {}, whatever the baseline was: {told}.",
        wording::count(n, "run")
    ));
    draft.evidence = Some(evidence);
}

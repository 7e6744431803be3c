//! What the candidate itself must keep, whatever the baseline did: its own runs against a bound, on logarithms.

use super::{
    Action, Bound, Verdict,
    check::{Draft, Evidence},
    obstacle,
    rule::{self, Lacking, MIN_RUNS, Rule},
    wording,
};
use crate::{
    compare::{Change, Side},
    metric::{Better, Metric},
    stats::holm,
};

/// One bound in one cell, with what [`settle`] judges it by: beyond surely is a regression, within surely a pass.
pub(super) fn draft(cell: &str, metric: Metric, bound: f64, runs: &Side) -> Draft {
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
            draft.lacking = Lacking::Candidate;
        }
        (None, Some(change)) => draft.evidence = Evidence::of(change, 0.0, None),
    }
    draft
}

/// Judges all drafts: how surely one is beyond its bound is corrected over all ceilings (Holm), a family of their own, as
/// each more of them would else block a server once more that stands just at its bounds.
///
/// `elsewhere` counts those of cells that are judged by themselves. What cannot be tested stays in the family as p = 1.
pub(super) fn settle(drafts: &mut [Draft], elsewhere: usize, rule: &Rule) {
    let p = |draft: &Draft| draft.evidence.as_ref().map_or(1.0, |evidence| evidence.tested.p_beyond);
    let others = std::iter::repeat_n(1.0, elsewhere);
    let all: Vec<f64> = drafts.iter().map(p).chain(others).collect();
    for (draft, adjusted) in drafts.iter_mut().zip(holm::adjusted(&all)) {
        if let Some(evidence) = draft.evidence.clone() {
            settle_one(draft, &evidence, (adjusted, all.len()), rule);
        }
    }
}

fn settle_one(draft: &mut Draft, evidence: &Evidence, (adjusted, family): (f64, usize), rule: &Rule) {
    let (change, p_within) = (&evidence.change, evidence.tested.p_within);
    let n = change.n_candidate;
    let levels = rule.levels(n);
    let p_beyond = evidence.tested.p_beyond;
    let is_beyond = adjusted <= levels.real && p_beyond <= levels.beyond && rule.may_show_a_change(n);
    let limit = wording::bound(draft.check.metric, draft.check.limit);
    let over = || {
        format!(
            "family-wise {} over {}",
            wording::p_value(adjusted),
            wording::count(family, "ceiling")
        )
    };
    let (verdict, told) = if is_beyond {
        let told = format!(
            "beyond what it must keep, {limit} ({}; {})",
            wording::sure(p_beyond),
            over()
        );
        (Verdict::Regression, told)
    } else if p_within <= levels.within {
        (Verdict::Pass, format!("keeps {limit} ({})", wording::sure(p_within)))
    } else {
        draft.repeat_more = rule::more(change, evidence.limit, rule, family);
        draft.lacking = Lacking::Candidate;
        let told = if p_beyond <= levels.beyond {
            format!(
                "beyond what it must keep, {limit}, as it seems, which these runs cannot show ({}, level {})",
                over(),
                wording::level(levels.real)
            )
        } else {
            format!("these runs cannot tell whether it keeps {limit}")
        };
        (
            Verdict::Inconclusive,
            format!("{told}{}", remedy(draft.repeat_more, rule)),
        )
    };
    let figures = figures(draft, change);
    draft.check.verdict = verdict;
    draft.check.p_beyond = Some(p_beyond);
    draft.check.reason = format!("{figures}: {told}");
    let (label, cell) = (draft.check.metric.label(), &draft.check.cell);
    draft.check.explanation = Some(format!(
        "{label} at {cell} is {figures} over {}, whatever the baseline was: {told}.",
        wording::count(n, "run")
    ));
}

fn remedy(more: Option<usize>, rule: &Rule) -> String {
    let noun = if rule.is_paired() { "pair" } else { "run" };
    more.map_or_else(String::new, |more| {
        format!("; repeat {}", wording::count_more(more, noun))
    })
}

/// The mean of the runs with its interval, in the metric's unit.
fn figures(draft: &Draft, change: &Change) -> String {
    let (metric, bound) = (draft.check.metric, draft.check.limit.size().unwrap_or(f64::NAN));
    let value = |excess: f64| match metric.better() {
        Better::Lower => bound * excess.exp(),
        Better::Higher => bound / excess.exp(),
    };
    let unit = metric.unit();
    let mean = format!("{} {unit}", wording::amount(value(change.log_difference), false));
    let Some((low, high)) = change.interval() else {
        return mean;
    };
    let (low, high) = (value(low).min(value(high)), value(low).max(value(high)));
    format!(
        "{mean} (90 % interval {} … {} {unit})",
        wording::amount(low, false),
        wording::amount(high, false)
    )
}

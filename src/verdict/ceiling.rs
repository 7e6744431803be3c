//! What the candidate itself must keep, whatever the baseline did: its own runs against a bound, on logarithms, and shares
//! of requests as what they are.

use super::{
    Action, Bound, Verdict,
    check::{Draft, Evidence},
    obstacle,
    rule::{self, Lacking, MIN_RUNS, Rule},
    share::{Share, is_constant},
    wording,
};
use crate::{
    compare::{CellComparison, Change, Mended, OneSided, Side, change::RUN_SD_FLOOR},
    metric::{Better, Metric},
    stats::holm,
};

/// One bound in one cell, with what [`settle`] judges it by: beyond surely is a regression, within surely a pass.
pub(super) fn draft(cell: &str, metric: Metric, bound: f64, runs: &Side) -> Draft {
    let mut draft = Draft::blank(cell, metric, Bound::Value(bound), Action::Block);
    let share = Share::of(metric, runs);
    draft.is_in_family = false;
    draft.check.n_candidate = runs.values.len();
    draft.check.candidate = share.map_or_else(|| runs.geometric_mean(), |share| Some(share.value()));
    let excess = |value: &f64| match (share, metric.better()) {
        (Some(_), _) => bound - value,
        (None, Better::Lower) => (value / bound).ln(),
        (None, Better::Higher) => (bound / value).ln(),
    };
    let excesses: Vec<f64> = runs.values.iter().map(excess).collect();
    let change = Change::of_pairs(&excesses, None);
    let is_nothing = |value: &f64| metric.better() == Better::Higher && *value == 0.0;
    if runs.missing.is_empty() && runs.values.len() >= MIN_RUNS && runs.values.iter().all(is_nothing) {
        draft.check.verdict = Verdict::Regression;
        draft.check.candidate = Some(0.0);
        let limit = wording::bound(metric, draft.check.limit);
        draft.check.reason = format!("nothing in any run: beyond what it must keep, {limit}");
        return draft;
    }
    let obstacle = obstacle::of_one_side(metric, "candidate", runs, share.is_some());
    match (obstacle, change) {
        (Some(reason), _) => draft.check.reason = reason,
        (None, None) => {
            draft.check.reason = format!(
                "a ceiling needs {MIN_RUNS} runs, the candidate has {}",
                runs.values.len()
            );
            draft.check.repeat_more = Some(MIN_RUNS.saturating_sub(runs.values.len()));
            draft.lacking = Lacking::Candidate;
        }
        (None, Some(change)) => draft.evidence = evidence(change, share, bound),
    }
    draft
}

fn evidence(change: Change, share: Option<Share>, bound: f64) -> Option<Evidence> {
    let found = Evidence::of(change, 0.0, None)?;
    Some(match share {
        None => found,
        Some(share) => Evidence {
            tested: share.tested(bound, &change)?,
            share: Some(share),
            ..found
        },
    })
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
    } else if let Some(why) = reached(evidence, bound_of(draft), levels.within) {
        (Verdict::Pass, format!("keeps {limit}: {why}"))
    } else {
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
        let remedy = remedy(draft, evidence, (levels.within, family), rule);
        (Verdict::Inconclusive, format!("{told}{remedy}"))
    };
    let figures = figures(draft, evidence);
    draft.check.verdict = verdict;
    draft.check.p_beyond = Some(p_beyond);
    draft.check.reason = format!("{figures}: {told}");
    let (label, cell) = (draft.check.metric.label(), &draft.check.cell);
    draft.check.explanation = Some(format!(
        "{label} at {cell} is {figures} over {}, whatever the baseline was: {told}.",
        wording::count(n, "run")
    ));
}

/// What is beyond its bound on a machine that was disturbed under the candidate alone is none of the server's doing: open. A bound
/// that is kept all the same is kept.
pub(super) fn excuse(draft: &mut Draft, cell: &CellComparison) {
    let found = cell.metrics.get(&draft.check.metric);
    let disturbed = found.and_then(|found| found.one_sided.as_ref());
    let Some((OneSided { reason, .. }, Mended::CandidateRuns(more))) = disturbed.map(|told| (told, told.mended_by))
    else {
        return;
    };
    let check = &mut draft.check;
    if check.verdict != Verdict::Regression || check.p_beyond.is_none() || obstacle::is_of_errors(check.metric) {
        return;
    }
    draft.lacking = Lacking::Candidate;
    check.verdict = Verdict::Inconclusive;
    check.explanation = None;
    check.repeat_more = Some(more);
    check.reason = format!(
        "{}; {reason}; repeat {more} more {}",
        check.reason,
        draft.lacking.words()
    );
}

fn bound_of(draft: &Draft) -> f64 {
    draft.check.limit.size().unwrap_or(f64::NAN)
}

/// Why a bound is kept that is just reached, which no test of a distance can show.
fn reached(evidence: &Evidence, bound: f64, level: f64) -> Option<String> {
    let change = &evidence.change;
    match evidence.share {
        Some(share) => share.is_reached(bound, level).then(|| {
            format!(
                "all {} requests did, so at least {} do ({})",
                share.requests(),
                wording::share(floor(share.at_least(level))),
                wording::sure(level)
            )
        }),
        // What is the same in every run is known: it is not beyond where it is equal.
        None => (is_constant(change) && change.n_candidate >= MIN_RUNS && change.log_difference <= EQUAL).then(|| {
            format!(
                "it is the same in each of {} and not beyond",
                wording::count(change.n_candidate, "run")
            )
        }),
    }
}

/// A hair of the last bit, where a bound was given in another unit.
const EQUAL: f64 = 1e-9;

/// A share that is promised is never rounded up.
fn floor(share: f64) -> f64 {
    (share * 1e4).floor() / 1e4
}

/// What would settle it, and in words.
fn remedy(draft: &mut Draft, evidence: &Evidence, (level, family): (f64, usize), rule: &Rule) -> String {
    let (change, bound) = (&evidence.change, bound_of(draft));
    let n = change.n_candidate;
    let Some(share) = evidence.share else {
        draft.check.repeat_more = rule::more(change, evidence.limit, rule, family);
        let is_hair = is_constant(change) && change.log_difference.abs() < RUN_SD_FLOOR;
        if is_hair && draft.check.repeat_more.is_none() {
            let far = wording::share(change.log_difference.abs());
            return format!(
                ": it is the same in every run and {far} off, less than the {} that runs are taken to differ by",
                wording::share(RUN_SD_FLOOR)
            );
        }
        return more(draft.check.repeat_more, rule);
    };
    if !share.is_whole() {
        return String::new();
    }
    let needed = share.runs_needed(bound, level, n);
    let look = needed.and_then(|needed| rule.ahead(n).into_iter().find(|look| *look >= needed));
    draft.check.repeat_more = look.map(|look| look - n);
    if draft.check.repeat_more.is_some() {
        return more(draft.check.repeat_more, rule);
    }
    let Some(requests) = Share::requests_needed(bound, level) else {
        return String::new();
    };
    let a_run = usize::try_from(requests).unwrap_or(usize::MAX).div_ceil(n.max(1));
    draft.requests_needed = Some(a_run);
    format!(
        "; {requests} requests that all meet it would show it, these are {}",
        share.requests()
    )
}

fn more(more: Option<usize>, rule: &Rule) -> String {
    let noun = if rule.is_paired() { "pair" } else { "run" };
    more.map_or_else(String::new, |more| {
        format!("; repeat {}", wording::count_more(more, noun))
    })
}

/// The mean of the runs with its interval, in the metric's unit; of a share that of all requests.
fn figures(draft: &Draft, evidence: &Evidence) -> String {
    let (metric, bound, change) = (draft.check.metric, bound_of(draft), &evidence.change);
    let value = |excess: f64| match metric.better() {
        Better::Lower => bound * excess.exp(),
        Better::Higher => bound / excess.exp(),
    };
    let (mean, interval) = if let Some(share) = evidence.share {
        (wording::value(metric, share.value()), share.interval(bound, change))
    } else {
        let ends = |(low, high)| (value(low).min(value(high)), value(low).max(value(high)));
        let mean = wording::value(metric, value(change.log_difference));
        (mean, change.interval().map(ends))
    };
    match interval {
        None => mean,
        Some(_) if evidence.share.is_none() && is_constant(change) => {
            format!("{} in every run", wording::exact(metric, value(change.log_difference)))
        }
        Some(ends) => format!("{mean} (90 % interval {})", wording::interval_of_values(metric, ends)),
    }
}

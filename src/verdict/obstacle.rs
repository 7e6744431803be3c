//! What stands in the way of a verdict: figures that are missing, too few, or not comparable.

use super::{
    Gate, Limit,
    check::Draft,
    rule::{Lacking, MIN_RUNS, Rule},
    share, wording,
};
use crate::{
    compare::{CellComparison, Mended, MetricComparison, OneSided, Side},
    measure::TokenCounts,
    metric::{Better, Metric},
    stats::real,
};

/// Sample sizes that differ by more than this share bias percentiles apart (10 %).
const SAMPLES_DIFFER: f64 = 0.10;

/// Why no verdict can rest on some figures, and what would take that away.
pub(super) struct Obstacle {
    reason: String,
    lacks: Lacks,
}

/// What more of would take an obstacle away.
#[derive(Clone, Copy)]
enum Lacks {
    /// Of nothing that a longer measurement brings.
    Nothing,
    Runs,
    /// As many pairs as the next look has.
    Pairs,
    /// So many of the candidate.
    CandidateRuns(usize),
    /// Of the candidate's requests, over all of its runs.
    Requests {
        seen: u32,
        needed: u32,
    },
}

impl Obstacle {
    pub(super) const fn requests(reason: String, seen: u32, needed: u32) -> Self {
        let lacks = Lacks::Requests { seen, needed };
        Self { reason, lacks }
    }

    const fn lasting(reason: String) -> Self {
        let lacks = Lacks::Nothing;
        Self { reason, lacks }
    }

    const fn runs(reason: String) -> Self {
        let lacks = Lacks::Runs;
        Self { reason, lacks }
    }

    fn one_sided(found: OneSided) -> Self {
        Self {
            reason: found.reason,
            lacks: match found.mended_by {
                Mended::Pairs => Lacks::Pairs,
                Mended::CandidateRuns(runs) => Lacks::CandidateRuns(runs),
                Mended::Nothing => Lacks::Nothing,
            },
        }
    }

    /// Keeps a check open for this.
    pub(super) fn hold(self, draft: &mut Draft, rule: &Rule) {
        let check = &mut draft.check;
        check.reason = self.reason;
        let (old, new) = (check.n_baseline, check.n_candidate);
        match self.lacks {
            Lacks::Nothing => {}
            Lacks::Runs => {
                check.repeat_more = Some(MIN_RUNS.saturating_sub(old.min(new)));
                draft.lacking = match (old < MIN_RUNS, new < MIN_RUNS) {
                    (true, false) => Lacking::Baseline,
                    (false, true) => Lacking::Candidate,
                    _ => Lacking::Both,
                };
            }
            Lacks::Pairs => {
                check.repeat_more = rule.ahead(new).first().map(|look| look - new);
                draft.lacking = Lacking::Both;
            }
            Lacks::CandidateRuns(more) => {
                check.repeat_more = Some(more);
                draft.lacking = Lacking::Candidate;
                check.reason = format!("{}; repeat {more} more {}", check.reason, draft.lacking.words());
            }
            Lacks::Requests { seen, needed } => {
                let has_enough = |look: &usize| real(*look) * f64::from(seen) >= real(new) * f64::from(needed);
                let look = rule.ahead(new).into_iter().find(has_enough);
                let Some(more) = look.map(|look| look - new) else {
                    let needed = usize::try_from(needed).unwrap_or(usize::MAX);
                    draft.requests_needed = Some(needed.div_ceil(new.max(1)));
                    return;
                };
                check.repeat_more = Some(more);
                draft.lacking = Lacking::Candidate;
                let told = if rule.is_paired() {
                    wording::count_more(more, "pair")
                } else {
                    format!("{more} more {}", draft.lacking.words())
                };
                check.reason = format!("{}; repeat {told}", check.reason);
            }
        }
    }
}

/// Why no verdict can rest on these figures, if so; fewer runs than usual may still have a change, where the noise is
/// known from elsewhere.
pub(super) fn obstacle(
    cell: &CellComparison,
    metric: Metric,
    gate: &Gate,
    found: &MetricComparison,
    (has_change, rule): (bool, &Rule),
) -> Option<Obstacle> {
    limit_makes_no_sense(metric, gate)
        .or_else(|| limit_beyond_all(metric, gate, found))
        .or_else(|| cell.unpaired.clone())
        .or_else(|| not_measured(found))
        .or_else(|| runs_without_a_value(found))
        .or_else(|| no_ratio(found).filter(|_| !metric.is_count()))
        .map(Obstacle::lasting)
        .or_else(|| too_few_runs(found).filter(|_| !has_change).map(Obstacle::runs))
        .or_else(|| of_the_work(cell, metric, found).map(Obstacle::lasting))
        .or_else(|| {
            let told = cell.one_sided.as_ref().or(found.one_sided.as_ref());
            told.filter(|_| !is_of_errors(metric)).cloned().map(Obstacle::one_sided)
        })
        .or_else(|| too_few_requests(metric, gate, found, rule))
}

/// Failed requests are the server's answers, whatever else the machine did.
pub(super) const fn is_of_errors(metric: Metric) -> bool {
    matches!(metric, Metric::ErrorRate | Metric::Failed | Metric::Completed)
}

/// Why the two sides cannot be compared, however often they are measured.
fn of_the_work(cell: &CellComparison, metric: Metric, found: &MetricComparison) -> Option<String> {
    tokens_counted_differently(cell, metric)
        .or_else(|| different_work(cell, metric))
        .or_else(|| too_few_samples(metric, found))
        .or_else(|| samples_differ(metric, found))
}

/// The same of one arm alone, which is held against a bound; a share of requests is no ratio and may be zero.
pub(super) fn of_one_side(metric: Metric, name: &'static str, side: &Side, is_share: bool) -> Option<String> {
    let not_measured = || {
        let why = side.missing.first();
        let why = why.map_or("the cell has no run", |(_, why)| why.as_str());
        side.values
            .is_empty()
            .then(|| format!("not measured on the {name}: {why}"))
    };
    let told = || told_missing(name, side).map(|told| format!("no value in {told}"));
    let few = || {
        let percentile = metric.percentile()?;
        let is_short = !percentile.is_judged_by(side.samples_fewest);
        is_short.then(|| needs_samples(metric, percentile.min_samples_to_judge(), side.samples_fewest))?
    };
    not_measured()
        .or_else(told)
        .or_else(|| unusable(name, side).filter(|_| !is_share))
        .or_else(few)
}

fn limit_makes_no_sense(metric: Metric, gate: &Gate) -> Option<String> {
    let (size, highest) = match (gate.limit, metric.better()) {
        (Limit::Relative(share), Better::Higher) => (share, 1.0),
        (Limit::Relative(size) | Limit::Absolute(size), _) => (size, f64::INFINITY),
    };
    (!(size >= 0.0 && size < highest))
        .then(|| format!("the limit `{size}` of `{metric}` is no number from 0 to below {highest}"))
}

/// A fall that is more than all there is can never happen: such a limit would block nothing and look like one.
fn limit_beyond_all(metric: Metric, gate: &Gate, found: &MetricComparison) -> Option<String> {
    let Limit::Absolute(size) = gate.limit else { return None };
    let all = found.baseline.geometric_mean()?;
    let is_beyond = metric.better() == Better::Higher && size >= all;
    is_beyond.then(|| {
        let size = wording::difference(metric, size);
        let (size, all) = (size.trim_start_matches('+'), wording::value(metric, all));
        format!("the limit lets it fall by {size}, more than the baseline's {all}: give a smaller one")
    })
}

/// As many as this look asks for, whose level is stricter than that of the whole schedule.
fn too_few_requests(metric: Metric, gate: &Gate, found: &MetricComparison, rule: &Rule) -> Option<Obstacle> {
    let baseline = found.baseline.geometric_mean()?;
    let fall = gate.limit.share(Some(baseline))?;
    let (lowest, runs) = (baseline * (1.0 - fall), found.candidate.values.len());
    share::too_few(metric, &found.candidate, lowest, rule.levels(runs).within)
}

fn sides(found: &MetricComparison) -> [(&'static str, &Side); 2] {
    [("baseline", &found.baseline), ("candidate", &found.candidate)]
}

fn not_measured(found: &MetricComparison) -> Option<String> {
    if let Some((name, _)) = sides(found).into_iter().find(|(_, side)| side.runs == 0) {
        return Some(format!("the {name} has no run of this cell"));
    }
    let [old, new] = sides(found).map(|(_, side)| side.values.is_empty());
    let (place, side) = match (old, new) {
        (true, true) => ("either side", &found.candidate),
        (true, false) => ("the baseline", &found.baseline),
        (false, true) => ("the candidate", &found.candidate),
        (false, false) => return None,
    };
    let why = side
        .missing
        .first()
        .map_or("no reason is known", |(_, why)| why.as_str());
    Some(format!("not measured on {place}: {why}"))
}

/// A verdict on the runs that went well would call a server that fails half the time unchanged.
fn runs_without_a_value(found: &MetricComparison) -> Option<String> {
    let told = sides(found)
        .into_iter()
        .filter_map(|(name, side)| told_missing(name, side));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| {
        format!(
            "no value in {}: the other runs alone cannot carry a verdict",
            told.join(" and in ")
        )
    })
}

fn told_missing(name: &str, side: &Side) -> Option<String> {
    let (run, why) = side.missing.first()?;
    let (missing, runs) = (side.missing.len(), wording::count(side.runs, "run"));
    let first = if missing == 1 { "" } else { "the first is " };
    Some(format!("{missing} of {runs} of the {name} ({first}run {run}: {why})"))
}

fn unusable(name: &str, side: &Side) -> Option<String> {
    let value = side.without_ratio()?;
    Some(format!(
        "the {name} has the value `{value}`, of which no ratio can be made"
    ))
}

fn no_ratio(found: &MetricComparison) -> Option<String> {
    sides(found).into_iter().find_map(|(name, side)| unusable(name, side))
}

fn too_few_runs(found: &MetricComparison) -> Option<String> {
    let (name, side) = sides(found).into_iter().min_by_key(|(_, side)| side.values.len())?;
    let n = side.values.len();
    (n < MIN_RUNS).then(|| {
        format!(
            "a verdict needs {MIN_RUNS} runs a side, the {name} has {n}: measure {} more",
            MIN_RUNS - n
        )
    })
}

/// A chunk may hold several tokens: figures made of both counts differ without any change of the server.
fn tokens_counted_differently(cell: &CellComparison, metric: Metric) -> Option<String> {
    let (old, new) = cell.token_counts.filter(|_| cell.counts_tokens_differently())?;
    let made_of_tokens = matches!(metric, Metric::Tpot(_) | Metric::OutputTokensPerS);
    // Counted in two ways, answers of equal length seem different work.
    let seems_different = depends_on_length(metric) && cell.is_different_work();
    (made_of_tokens || seems_different).then(|| {
        format!(
            "tokens were counted differently: {} in the baseline, {} in the candidate",
            counted(old),
            counted(new)
        )
    })
}

fn counted(counts: TokenCounts) -> &'static str {
    match counts {
        TokenCounts::Usage => "by the server's `usage`",
        TokenCounts::Chunks => "as chunks",
        TokenCounts::Tokenizer => "by a tokenizer of the tool that measured",
        TokenCounts::Mixed => "some by `usage` and some as chunks",
    }
}

fn depends_on_length(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Qps | Metric::OutputTokensPerS | Metric::E2e(_) | Metric::E2eFromSchedule(_)
    )
}

fn different_work(cell: &CellComparison, metric: Metric) -> Option<String> {
    let drift = cell
        .token_drift
        .filter(|_| depends_on_length(metric) && cell.is_different_work())?;
    Some(format!(
        "different work: the candidate's answers have {} output tokens, so {} cannot be compared",
        wording::percent(drift),
        metric.label()
    ))
}

fn samples_of(metric: Metric) -> &'static str {
    match metric {
        Metric::Itl(_) => "gaps",
        Metric::Tpot(_) => "requests with two output tokens or more",
        _ => "requests",
    }
}

/// How many samples a run a percentile needs, where a run has fewer.
pub(super) fn samples_needed(metric: Metric, found: &MetricComparison) -> Option<usize> {
    let percentile = metric.percentile()?;
    let fewest = found.baseline.samples_fewest.min(found.candidate.samples_fewest);
    (!percentile.is_judged_by(fewest)).then(|| percentile.min_samples_to_judge())
}

fn too_few_samples(metric: Metric, found: &MetricComparison) -> Option<String> {
    let needed = samples_needed(metric, found)?;
    let fewest = found.baseline.samples_fewest.min(found.candidate.samples_fewest);
    needs_samples(metric, needed, fewest)
}

fn needs_samples(metric: Metric, needed: usize, fewest: usize) -> Option<String> {
    let p = metric.percentile()?.percent();
    let what = if matches!(metric, Metric::Itl(_)) {
        "gaps"
    } else {
        "requests"
    };
    // Figures without samples are those of a tool that tells none.
    Some(match fewest {
        0 => format!("P{p} needs {needed} {what} a run, and how many these had is not told"),
        _ => format!("P{p} needs {needed} {what} a run, these have {fewest}"),
    })
}

fn samples_differ(metric: Metric, found: &MetricComparison) -> Option<String> {
    // GPU and engine are sampled by time: a slower run has more samples, and they bias nothing.
    if metric.is_watched() || matches!(metric, Metric::GpuMemoryPeakGb | Metric::GpuUtilizationPct) {
        return None;
    }
    let (old, new) = (found.baseline.samples_mean, found.candidate.samples_mean);
    (old.max(new) / old.min(new) > 1.0 + SAMPLES_DIFFER).then(|| {
        format!(
            "the baseline has {old:.0} {what} a run, the candidate {new:.0}: measure both with the same number",
            what = samples_of(metric)
        )
    })
}

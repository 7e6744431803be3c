//! Failed requests: does the candidate fail more often, and does its server die? Goodput of zero is asked alike.
//!
//! Fisher's exact test on all requests, and, as failures come in bursts, a permutation of whole runs beside it. A family of
//! its own: failures cost latency checks no power.

use std::collections::BTreeSet;

use super::{Action, Bound, Check, Gate, Policy, Verdict, check::Draft, counts, rule::Rule, untold, wording};
use crate::{
    compare::{CellComparison, Comparison, MetricComparison},
    measure::{Death, Work},
    metric::Metric,
    stats::{
        Alternative,
        fisher::{self, Counts},
        holm, permutation, proportion, real,
    },
};

/// Whole runs, exchanged between the arms, must show as many failures no oftener than this.
const RUNS_LEVEL: f64 = 0.05;
/// A server that died so often, or with which nothing succeeded, blocks without statistics, where the baseline's never
/// did.
pub(super) const DEATHS: usize = 2;
/// What is asked for where only the requests speak, and not the runs, of sessions measured apart.
const MORE_RUNS: usize = 2;

/// One run: requests that failed (missed an SLO), and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RunCount {
    bad: u32,
    all: u32,
    death: Option<Death>,
}

/// The verdict, why, and how many more pairs or runs a side may settle it.
type Found = (Verdict, String, Option<usize>);

/// What both arms counted in one cell.
struct Counted {
    draft: Draft,
    baseline: Vec<RunCount>,
    candidate: Vec<RunCount>,
    /// What a bad request is called (`failed`).
    what: &'static str,
}

/// One check of failures for each cell in which requests were counted, and one for each gate on a goodput that is zero.
pub(super) fn drafts(comparison: &Comparison, policy: &Policy, rule: &Rule) -> Vec<Draft> {
    let plain = comparison.cells.iter().filter(|cell| cell.answer.is_none());
    let (mut counted, mut left_open): (Vec<Counted>, Vec<Draft>) = (Vec::new(), Vec::new());
    for cell in plain {
        let open = policy.errors.and_then(|action| untold::open(cell, action));
        if open.is_none() {
            counted.extend(policy.errors.and_then(|action| Counted::failures(cell, action)));
        }
        left_open.extend(open);
        let goodput = policy.gates.iter().filter(|(metric, _)| is_goodput(**metric));
        counted.extend(goodput.filter_map(|(metric, gate)| Counted::misses(cell, *metric, gate)));
    }
    let all: Vec<f64> = counted.iter().map(Counted::p_requests).collect();
    let adjusted = holm::adjusted(&all);
    let deaths = deaths(comparison);
    let settled = counted.into_iter().zip(adjusted);
    settled
        .map(|(counted, p)| counted.settle(p, (all.len(), deaths), rule))
        .chain(left_open)
        .collect()
}

/// Whether a metric is a goodput of zero in some run, of which no ratio can be made: its requests are counted instead.
pub(super) fn is_counted(cell: &CellComparison, metric: Metric) -> bool {
    is_goodput(metric) && cell.metrics.get(&metric).is_some_and(has_zero) && missed(cell).is_some()
}

const fn is_goodput(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::GoodputRps | Metric::GoodputTokensPerS | Metric::SloAttainment
    )
}

fn has_zero(found: &MetricComparison) -> bool {
    let sides = [&found.baseline, &found.candidate];
    found.is_complete() && sides.iter().any(|side| side.values.contains(&0.0))
}

/// Requests of each run that missed an SLO, baseline and candidate, where every run was counted.
fn missed(cell: &CellComparison) -> Option<[Vec<RunCount>; 2]> {
    let found = cell.metrics.get(&Metric::SloAttainment)?;
    let counts = |values: &[f64], work: &[Work]| -> Option<Vec<RunCount>> {
        let runs = values.iter().zip(work).map(|(met, work)| {
            let all = u32::try_from(work.requests).ok().filter(|all| *all > 0)?;
            let good = proportion::hits(*met, all)?;
            Some(RunCount {
                bad: all - good,
                all,
                death: None,
            })
        });
        (values.len() == work.len() && !values.is_empty()).then(|| runs.collect())?
    };
    let old = counts(&found.baseline.values, &cell.work.baseline)?;
    let new = counts(&found.candidate.values, &cell.work.candidate)?;
    found.is_complete().then_some([old, new])
}

impl Counted {
    fn failures(cell: &CellComparison, action: Action) -> Option<Self> {
        let counts = |runs: &[Work]| -> Option<Vec<RunCount>> {
            let all: Option<Vec<RunCount>> = runs.iter().map(run_count).collect();
            all.filter(|runs| runs.iter().any(|run| run.all > 0))
        };
        let (baseline, candidate) = (counts(&cell.work.baseline)?, counts(&cell.work.candidate)?);
        let draft = Draft::blank(&cell.name, Metric::ErrorRate, Bound::NoMoreFailures, action);
        Some(Self::new(draft, baseline, candidate, "failed"))
    }

    fn misses(cell: &CellComparison, metric: Metric, gate: &Gate) -> Option<Self> {
        let [baseline, candidate] = missed(cell).filter(|_| is_counted(cell, metric))?;
        let found = cell.metrics.get(&metric)?;
        let mut draft = Draft::blank(&cell.name, metric, Bound::NoMoreFailures, gate.action);
        draft.check.stated = Some(gate.limit);
        draft.check.requires = gate.requires;
        draft.check.baseline = counts::mean(&found.baseline);
        draft.check.candidate = counts::mean(&found.candidate);
        Some(Self::new(draft, baseline, candidate, "missed an SLO"))
    }

    fn new(mut draft: Draft, baseline: Vec<RunCount>, candidate: Vec<RunCount>, what: &'static str) -> Self {
        draft.is_in_family = false;
        draft.check.n_baseline = baseline.len();
        draft.check.n_candidate = candidate.len();
        if draft.check.metric == Metric::ErrorRate {
            let share = |runs: &[RunCount]| f64::from(total(runs).hits) / requests(runs);
            draft.check.baseline = Some(share(&baseline));
            draft.check.candidate = Some(share(&candidate));
        }
        Self {
            draft,
            baseline,
            candidate,
            what,
        }
    }

    /// Of all requests: that the candidate's are bad as often as the baseline's.
    fn p_requests(&self) -> f64 {
        fisher::p_value(total(&self.baseline), total(&self.candidate), Alternative::Greater)
    }

    /// Of whole runs: the same.
    fn p_runs(&self) -> f64 {
        let bad = |runs: &[RunCount]| -> Vec<u32> { runs.iter().map(|run| run.bad).collect() };
        permutation::run_counts(&bad(&self.baseline), &bad(&self.candidate)).unwrap_or(1.0)
    }

    fn settle(self, p_requests: f64, (cells, deaths): (usize, (usize, usize)), rule: &Rule) -> Draft {
        let n = self.baseline.len().min(self.candidate.len());
        let by_death = self.by_death(deaths);
        let is_tested = by_death.is_none();
        let (verdict, reason, repeat_more) = by_death.unwrap_or_else(|| self.by_requests(p_requests, cells, rule, n));
        let mut draft = self.draft;
        draft.check.repeat_more = repeat_more;
        let label = draft.check.metric.label();
        let cell = &draft.check.cell;
        draft.check = Check {
            p_real: Some(p_requests).filter(|_| is_tested),
            verdict,
            explanation: Some(format!("{label} at {cell}: {reason}.")),
            reason,
            ..draft.check
        };
        draft
    }

    /// Where the candidate lost its server here, and the baseline never did; no statistics are asked, and no further runs
    /// take it away.
    fn by_death(&self, deaths: (usize, usize)) -> Option<Found> {
        let is_lost = |runs: &[RunCount]| runs.iter().any(|run| run.death.is_some());
        if !is_lost(&self.candidate) || is_lost(&self.baseline) {
            return None;
        }
        if matches!(deaths, (0, DEATHS..)) {
            return Some((Verdict::Regression, self.told_dead(deaths.1), None));
        }
        let told = format!("{}; measure it again", self.told_dead(1));
        Some((Verdict::Inconclusive, told, None))
    }

    fn by_requests(&self, p_requests: f64, cells: usize, rule: &Rule, n: usize) -> Found {
        let p_runs = self.p_runs();
        let is_seen = p_requests <= rule.levels(n).real;
        let may_block = rule.may_show_a_change(n) && p_runs <= RUNS_LEVEL;
        let said = self.told(p_requests, p_runs, cells);
        if total(&self.baseline).others == 0 && total(&self.candidate).others == 0 {
            let told = format!("all requests of both sides {}: there is nothing to compare", self.what);
            return (Verdict::Inconclusive, told, None);
        }
        match (is_seen, may_block) {
            (true, true) => (Verdict::Regression, said, None),
            (true, false) => {
                let told = format!("{said}: they came in too few runs to tell; {}", remedy(n, rule));
                (Verdict::Inconclusive, told, more(n, rule))
            }
            (false, _) => (Verdict::Pass, said, None),
        }
    }

    fn told(&self, p_requests: f64, p_runs: f64, cells: usize) -> String {
        let (old, new) = (total(&self.baseline), total(&self.candidate));
        if old.hits + new.hits == 0 {
            let (old, new) = (requests(&self.baseline), requests(&self.candidate));
            return format!(
                "none of {old} requests of the baseline {}, and none of {new} of the candidate",
                self.what
            );
        }
        let over = if cells > 1 {
            format!(" over {cells} checks")
        } else {
            String::new()
        };
        format!(
            "{} of {} requests of the candidate {}, {} of {} of the baseline (Fisher's exact {}{over}; {} when whole runs \
             are exchanged)",
            new.hits,
            requests(&self.candidate),
            self.what,
            old.hits,
            requests(&self.baseline),
            wording::p_value(p_requests),
            wording::p_value(p_runs),
        )
    }

    fn told_dead(&self, in_all: usize) -> String {
        let (nothing, midway) = (
            died(&self.candidate, Death::Throughout),
            died(&self.candidate, Death::Midway),
        );
        let of = format!("of {} of the candidate", wording::count(self.candidate.len(), "run"));
        let here = match (nothing, midway) {
            (nothing, 0) => format!("in {nothing} {of} no request succeeded, in none of the baseline's"),
            (0, midway) => format!("the server died in {midway} {of}, in none of the baseline's"),
            (nothing, midway) => format!(
                "the server died in {midway} {of} and no request succeeded in {nothing}, neither in any of the baseline's"
            ),
        };
        if in_all > nothing + midway {
            return format!("{here}; it died in {in_all} repeats, over all cells");
        }
        here
    }
}

/// `None` where a count does not fit.
fn run_count(work: &Work) -> Option<RunCount> {
    let bad = work.failed.iter().map(|(_, count)| *count).sum();
    Some(RunCount {
        bad,
        all: u32::try_from(work.requests).ok()?,
        death: work.death,
    })
}

fn died(runs: &[RunCount], how: Death) -> usize {
    runs.iter().filter(|run| run.death == Some(how)).count()
}

/// In how many repeats an arm lost its server, baseline and candidate; in several cells of one repeat it may be the same
/// outage.
fn deaths(comparison: &Comparison) -> (usize, usize) {
    let works = |of: fn(&CellComparison) -> &[Work]| {
        let all = comparison.cells.iter().flat_map(of);
        let lost = all.filter(|work| work.death.is_some()).map(|work| work.repeat);
        lost.collect::<BTreeSet<u32>>().len()
    };
    (works(|cell| &cell.work.baseline), works(|cell| &cell.work.candidate))
}

fn total(runs: &[RunCount]) -> Counts {
    let sum = |of: fn(&RunCount) -> u32| runs.iter().map(of).fold(0_u32, u32::saturating_add);
    Counts {
        hits: sum(|run| run.bad),
        others: sum(|run| run.all.saturating_sub(run.bad)),
    }
}

fn requests(runs: &[RunCount]) -> f64 {
    runs.iter().map(|run| f64::from(run.all)).sum()
}

/// To the next look, or two runs more.
fn more(n: usize, rule: &Rule) -> Option<usize> {
    if rule.is_paired() {
        return rule.ahead(n).first().map(|look| look - n);
    }
    Some(MORE_RUNS)
}

fn remedy(n: usize, rule: &Rule) -> String {
    match more(n, rule) {
        Some(more) if rule.is_paired() => format!("repeat {}", wording::count_more(more, "pair")),
        Some(more) => format!("repeat {more} more on each side"),
        None => format!("there is no look left after {} pairs", real(n)),
    }
}

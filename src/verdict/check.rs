//! From a comparison to judged checks: the rule, family by family, and the reason of each answer.

use super::{
    Action, Bound, Check, Gate, Verdict,
    obstacle::{obstacle, samples_needed},
    rule::{self, FAMILY_LEVEL, MAX_RUNS, MIN_RUNS},
    wording,
};
use crate::{
    compare::{CellComparison, Change, MetricComparison, Tested, change::raw_change},
    metric::Metric,
    stats::holm,
};

/// A check on its way to a verdict.
pub(super) struct Draft {
    pub(super) check: Check,
    /// How many more runs a side would settle it, where that is what it lacks.
    pub(super) repeat_more: Option<usize>,
    /// How many requests a run it needs, where it has fewer.
    pub(super) requests_needed: Option<usize>,
    evidence: Option<(Change, Tested)>,
    /// The limit on the log scale.
    limit: f64,
}

impl Draft {
    /// One gated metric in a cell that both arms have.
    pub(super) fn of(cell: &CellComparison, metric: Metric, gate: &Gate) -> Self {
        let empty = MetricComparison::default();
        let found = cell.metrics.get(&metric).unwrap_or(&empty);
        let mut draft = Self::blank(&cell.name, metric, gate);
        let raw = |log: f64| raw_change(metric.better(), log);
        draft.limit = gate
            .limit
            .log(metric.better(), found.baseline.geometric_mean())
            .unwrap_or(f64::NAN);
        let check = &mut draft.check;
        check.baseline = found.baseline.geometric_mean();
        check.candidate = found.candidate.geometric_mean();
        check.change = found.ratio.map(|ratio| ratio - 1.0);
        let interval = found.change.as_ref().and_then(Change::interval);
        check.interval = interval.map(|(low, high)| (raw(low).min(raw(high)), raw(low).max(raw(high))));
        check.n_baseline = found.baseline.values.len();
        check.n_candidate = found.candidate.values.len();
        let measured = !found.baseline.values.is_empty() && !found.candidate.values.is_empty();
        draft.requests_needed = samples_needed(metric, found).filter(|_| measured);
        let evidence = || {
            found
                .change
                .and_then(|change| Some((change, change.test(draft.limit)?)))
        };
        match obstacle(cell, metric, gate, found) {
            Some(reason) => check.reason = reason,
            None => draft.evidence = evidence(),
        }
        let fewest = draft.check.n_baseline.min(draft.check.n_candidate);
        if found.is_complete() && fewest > 0 && fewest < MIN_RUNS {
            draft.repeat_more = Some(MIN_RUNS - fewest);
        }
        draft
    }

    /// One gated metric in a cell that only one arm has.
    pub(super) fn one_sided(cell: &str, metric: Metric, gate: &Gate, has: &str, lacks: &str) -> Self {
        let mut draft = Self::blank(cell, metric, gate);
        draft.check.reason = format!("only the {has} has this cell: measure it on the {lacks} too");
        draft
    }

    fn blank(cell: &str, metric: Metric, gate: &Gate) -> Self {
        let check = Check {
            cell: cell.to_owned(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            limit: Bound::of(metric, gate.limit),
            action: gate.action,
            requires: gate.requires,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Inconclusive,
            reason: "there are no figures to compare".into(),
            minimum_detectable_change: None,
            n_baseline: 0,
            n_candidate: 0,
        };
        Self {
            check,
            repeat_more: None,
            requests_needed: None,
            evidence: None,
            limit: f64::NAN,
        }
    }

    /// The place in the report: regressions first, then what is open, blocking before warning, the worst first; what
    /// only warns and was measured nowhere (GPU memory without a GPU) comes last.
    pub(super) fn rank(&self) -> (u8, f64) {
        let nowhere = self.check.baseline.is_none() && self.check.candidate.is_none();
        let rank = match (self.check.verdict, self.check.action) {
            (Verdict::Inconclusive, Action::Warn | Action::Report) if nowhere => 5,
            (Verdict::Regression, Action::Block) => 0,
            (Verdict::Regression, _) => 1,
            (Verdict::Improvement | Verdict::Pass, _) => 4,
            (_, Action::Block) => 2,
            (_, _) => 3,
        };
        let excess = self
            .evidence
            .map_or(0.0, |(change, _)| change.log_difference - self.limit);
        (rank, -excess)
    }

    fn settle(&mut self, real: f64, better: f64, family: usize) {
        let Some((change, tested)) = self.evidence else {
            return;
        };
        let metric = self.check.metric;
        let verdict = rule::decide(&tested, real, better);
        let detectable = rule::minimum_detectable(&change, self.limit, family);
        self.check.verdict = verdict;
        self.check.p_real = Some(tested.p_real);
        self.check.p_beyond = Some(tested.p_beyond);
        self.check.minimum_detectable_change = detectable.map(|log| raw_change(metric.better(), log).abs());
        let family_text = format!("over {}", wording::count(family, kind(self.check.action)));
        let limit = wording::bound(metric, self.check.limit);
        let told = match verdict {
            Verdict::Regression => format!(
                "real (family-wise {} {family_text}) and beyond the limit of {limit} ({})",
                wording::p_value(real),
                wording::sure(tested.p_beyond)
            ),
            Verdict::Improvement => format!(
                "better, and really so (family-wise {} {family_text})",
                wording::p_value(better)
            ),
            Verdict::Pass => format!("within the limit of {limit} ({})", wording::sure(tested.p_within)),
            _ => self.open_question(&change, &tested, real, family),
        };
        self.check.reason = format!("{}: {told}", self.figures());
    }

    /// The change with its interval (`+12.1 % (90 % interval +11.0 … +13.2 %)`).
    fn figures(&self) -> String {
        figures(&self.check)
    }

    fn open_question(&mut self, change: &Change, tested: &Tested, real: f64, family: usize) -> String {
        let limit = wording::bound(self.check.metric, self.check.limit);
        let question = if tested.p_beyond <= rule::BEYOND_LEVEL {
            format!(
                "beyond the limit of {limit} if it is real, which these runs cannot show (family-wise {} over {}, \
                 level {FAMILY_LEVEL})",
                wording::p_value(real),
                wording::count(family, kind(self.check.action))
            )
        } else {
            format!("these runs cannot tell whether that is beyond the limit of {limit}")
        };
        self.repeat_more = rule::more_runs(change, self.limit, family);
        let raw = |log: f64| wording::percent(raw_change(self.check.metric.better(), log));
        let remedy = match self.repeat_more {
            Some(more) => format!("repeat {more} more on each side"),
            None => rule::settleable(change, self.limit, family).map_or_else(
                || format!("it cannot be settled within {MAX_RUNS} runs a side"),
                |log| {
                    let smallest = raw(log);
                    format!(
                        "it cannot be settled within {MAX_RUNS} runs a side; the smallest change that can is {smallest}"
                    )
                },
            ),
        };
        format!("{question}; {remedy}")
    }
}

/// The change of a check with its interval.
pub(crate) fn figures(check: &Check) -> String {
    let change = check
        .change
        .map_or_else(|| "no change known".to_owned(), wording::percent);
    match check.interval {
        Some(interval) => format!("{change} (90 % interval {})", wording::interval(interval)),
        None => change,
    }
}

/// Judges all drafts; blocking and warning checks are Holm families of their own.
pub(super) fn settle(drafts: &mut [Draft]) {
    for action in Action::ALL {
        let mut family: Vec<&mut Draft> = drafts.iter_mut().filter(|draft| draft.check.action == action).collect();
        // A check that cannot be tested stays in its family as p = 1: a missing figure never makes the others easier.
        let adjusted = |p: fn(&Tested) -> f64| {
            let all: Vec<f64> = family
                .iter()
                .map(|draft| draft.evidence.as_ref().map_or(1.0, |(_, tested)| p(tested)))
                .collect();
            holm::adjusted(&all)
        };
        let (real, better) = (adjusted(|tested| tested.p_real), adjusted(|tested| tested.p_better));
        let size = family.len();
        for (draft, (real, better)) in family.iter_mut().zip(real.into_iter().zip(better)) {
            draft.settle(real, better, size);
        }
    }
}

fn kind(action: Action) -> &'static str {
    match action {
        Action::Block => "blocking check",
        Action::Warn => "warning check",
        Action::Report => "reported check",
    }
}

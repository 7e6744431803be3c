//! From a comparison to judged checks: the rule, family by family, and the reason of each answer.

use super::{
    Action, Bound, Check, Gate, Limit, UnitChange, Verdict, counts, explain,
    obstacle::{obstacle, samples_needed},
    rule::{self, Lacking, MAX_RUNS, MIN_RUNS, Rule},
    share::Share,
    wording,
};
use crate::{
    compare::{CellComparison, Change, MetricComparison, Scale, Tested, Window},
    metric::{Better, Metric},
    stats::holm,
};

/// A check on its way to a verdict.
pub(super) struct Draft {
    pub(super) check: Check,
    /// Which side has too few runs, of sessions measured apart.
    pub(super) lacking: Lacking,
    /// How many requests a run it needs, where it has fewer.
    pub(super) requests_needed: Option<usize>,
    /// Whether it is one of the tests that Holm's correction is over: ceilings and counts of failures have families of
    /// their own.
    pub(super) is_in_family: bool,
    pub(super) evidence: Option<Evidence>,
    /// What would settle it, in words, where it is open.
    pub(super) remedy: Option<String>,
    /// In which gate's place it stands, and why.
    pub(super) reads: Option<String>,
}

/// What a check is decided on.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) change: Change,
    pub(super) tested: Tested,
    /// The limit on the scale of the change.
    pub(super) limit: f64,
    /// The stored sessions behind the baseline.
    pub(super) window: Option<Window>,
    /// The requests of all runs, where a share of them is held against a bound.
    pub(super) share: Option<Share>,
}

impl Draft {
    /// One gated metric in a cell that both arms have.
    pub(super) fn of(cell: &CellComparison, metric: Metric, gate: &Gate, rule: &Rule) -> Self {
        let empty = MetricComparison::default();
        let found = cell.metrics.get(&metric).unwrap_or(&empty);
        let mut draft = Self::blank(&cell.name, metric, Bound::of(metric, gate.limit), gate.action);
        draft.check.requires = gate.requires;
        draft.check.n_baseline = found.baseline.values.len();
        draft.check.n_candidate = found.candidate.values.len();
        let (change, limit) = if metric.is_count() {
            draft.count(metric, found);
            (counts::change(metric, found, rule.is_paired()), gate.limit.size())
        } else {
            draft.ratio(metric, found, gate);
            let scale = found.change.map(|change| change.scale).unwrap_or_default();
            let fall = gate.limit.share(draft.check.baseline);
            let limit = fall.map(|fall| scale.limit(metric.better(), fall));
            (found.change, limit.unwrap_or(f64::NAN))
        };
        let measured = !found.baseline.values.is_empty() && !found.candidate.values.is_empty();
        draft.requests_needed = samples_needed(metric, found).filter(|_| measured);
        match obstacle(cell, metric, gate, found, (change.is_some(), rule)) {
            Some(obstacle) => obstacle.hold(&mut draft, rule),
            None => draft.evidence = change.and_then(|change| Evidence::of(change, limit, found.window.clone())),
        }
        if metric.is_count() {
            draft.check.difference = draft
                .evidence
                .as_ref()
                .and_then(|evidence| unit_change(metric, &evidence.change));
        }
        draft
    }

    /// What a ratio of geometric means shows; the baseline is the level that the change is counted from.
    fn ratio(&mut self, metric: Metric, found: &MetricComparison, gate: &Gate) {
        let check = &mut self.check;
        let scale = found.change.map(|change| change.scale).unwrap_or_default();
        let raw = |worse: f64| scale.raw_change(metric.better(), worse);
        check.baseline = found.baseline.geometric_mean();
        check.candidate = found.candidate.geometric_mean();
        check.change = found.ratio.map(|ratio| ratio - 1.0);
        if let Some(change) = &found.change {
            let by = raw(change.log_difference);
            let sessions = found.window.as_ref().map(|window| window.sessions);
            // Of one session and another the ratio is known; all of a share counts as a little less on its own scale.
            if scale == Scale::Log || sessions != Some(1) {
                check.change = Some(by);
            }
            if sessions.is_some_and(|sessions| sessions > 1) {
                check.baseline = check.candidate.map(|candidate| candidate / (1.0 + by));
            }
        }
        let interval = found.change.as_ref().and_then(Change::interval);
        check.interval = interval.map(|(low, high)| (raw(low).min(raw(high)), raw(low).max(raw(high))));
        if let (Limit::Absolute(_), Some(baseline), Some(by)) = (gate.limit, check.baseline, check.change) {
            check.difference = Some(UnitChange {
                by: by * baseline,
                interval: check.interval.map(|(low, high)| (low * baseline, high * baseline)),
            });
        }
    }

    /// What counts show: means of the runs, as 0 is a good value.
    fn count(&mut self, metric: Metric, found: &MetricComparison) {
        self.check.baseline = counts::mean(&found.baseline);
        self.check.candidate = counts::mean(&found.candidate);
        let ratio = self.check.baseline.zip(self.check.candidate);
        let ratio = ratio.filter(|(old, _)| *old > 0.0 && metric.is_count());
        self.check.change = ratio.map(|(old, new)| new / old - 1.0);
    }

    /// One gated metric in a cell that only one arm has.
    pub(super) fn one_sided(cell: &str, metric: Metric, gate: &Gate, has: &str, lacks: &str) -> Self {
        let mut draft = Self::blank(cell, metric, Bound::of(metric, gate.limit), gate.action);
        draft.check.requires = gate.requires;
        draft.check.reason = format!("only the {has} has this cell: measure it on the {lacks} too");
        draft
    }

    /// A check of which nothing is known yet.
    pub(super) fn blank(cell: &str, metric: Metric, limit: Bound, action: Action) -> Self {
        let check = Check {
            cell: cell.to_owned(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            difference: None,
            limit,
            stated: None,
            action,
            requires: None,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Inconclusive,
            reason: "there are no figures to compare".into(),
            explanation: None,
            minimum_detectable_change: None,
            repeat_more: None,
            n_baseline: 0,
            n_candidate: 0,
        };
        Self {
            check,
            lacking: Lacking::Both,
            requests_needed: None,
            is_in_family: true,
            evidence: None,
            remedy: None,
            reads: None,
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
        let excess = |evidence: &Evidence| evidence.change.log_difference - evidence.limit;
        let untested = if self.check.verdict.is_within() {
            f64::NEG_INFINITY
        } else {
            0.0
        };
        (rank, -self.evidence.as_ref().map_or(untested, excess))
    }

    /// Decides; `real` and `better` are adjusted over so many checks of its kind.
    fn settle(&mut self, (real, better): (f64, f64), family: usize, rule: &Rule) {
        let Some(Evidence {
            change, tested, limit, ..
        }) = self.evidence.clone()
        else {
            return;
        };
        let n = change.n_baseline.min(change.n_candidate);
        let (levels, may_show) = (rule.levels(n), rule.may_show_a_change(n));
        let verdict = rule::decide(&tested, (real, better), levels, may_show);
        let metric = self.check.metric;
        let detectable = rule::minimum_detectable(&change, limit, levels, family);
        self.check.verdict = verdict;
        self.check.p_real = Some(tested.p_real);
        self.check.p_beyond = Some(tested.p_beyond);
        let as_fraction = |worse: f64| change.scale.raw_change(metric.better(), worse).abs();
        self.check.minimum_detectable_change = detectable.filter(|_| !metric.is_count()).map(as_fraction);
        let said = Said {
            real,
            better,
            family,
            rule,
            n,
        };
        let told = self.told(&change, &tested, limit, &said);
        self.check.reason = format!("{}: {told}", figures(&self.check));
        if let Some(why) = &self.reads {
            self.check.reason = format!("{why}: {}", self.check.reason);
        }
        self.check.explanation = Some(explain::check(self, &said));
    }

    fn told(&mut self, change: &Change, tested: &Tested, limit: f64, said: &Said<'_>) -> String {
        let over = format!("over {}", wording::count(said.family, kind(self.check.action)));
        let bound = wording::bound(self.check.metric, self.check.limit);
        match self.check.verdict {
            Verdict::Regression => format!(
                "real (family-wise {} {over}) and beyond the limit of {bound} ({})",
                wording::p_value(said.real),
                wording::sure(tested.p_beyond)
            ),
            Verdict::Improvement => format!(
                "better, and really so (family-wise {} {over})",
                wording::p_value(said.better)
            ),
            Verdict::Pass => format!("within the limit of {bound} ({})", wording::sure(tested.p_within)),
            _ => self.open_question(change, tested, limit, said),
        }
    }

    fn open_question(&mut self, change: &Change, tested: &Tested, limit: f64, said: &Said<'_>) -> String {
        let bound = wording::bound(self.check.metric, self.check.limit);
        let (rule, levels) = (said.rule, said.rule.levels(said.n));
        let these = if rule.is_paired() { "pairs" } else { "runs" };
        let question = if !rule.may_show_a_change(said.n) && tested.p_beyond <= levels.beyond {
            let needed = rule.ahead(said.n).first().copied().unwrap_or(MIN_RUNS);
            format!("beyond the limit of {bound} as it seems, which {needed} {these} at least must show")
        } else if tested.p_beyond <= levels.beyond {
            format!(
                "beyond the limit of {bound} if it is real, which these {these} cannot show (family-wise {} over {}, level \
                 {})",
                wording::p_value(said.real),
                wording::count(said.family, kind(self.check.action)),
                wording::level(levels.real),
            )
        } else {
            format!("these {these} cannot tell whether that is beyond the limit of {bound}")
        };
        let of_one = rule::more_of_one(change, limit, rule, said.family);
        self.lacking = of_one.map_or(Lacking::Both, |(_, lacking)| lacking);
        let of_one = of_one.map(|(more, _)| more);
        self.check.repeat_more = of_one.or_else(|| rule::more(change, limit, rule, said.family));
        let remedy = self.remedy(change, limit, said);
        let told = format!("{question}; {remedy}");
        self.remedy = Some(remedy);
        told
    }

    /// What would settle it: more pairs or runs, or none of them.
    fn remedy(&self, change: &Change, limit: f64, said: &Said<'_>) -> String {
        let is_paired = said.rule.is_paired();
        if let Some(more) = self.check.repeat_more {
            return if is_paired {
                format!("repeat {}", wording::count_more(more, "pair"))
            } else {
                format!("repeat {more} more {}", self.lacking.words())
            };
        }
        let most = said.rule.most();
        let within = if is_paired {
            format!("within {most} pairs")
        } else {
            format!("within {MAX_RUNS} runs a side")
        };
        let smallest =
            rule::settleable(change, limit, said.rule, said.family).filter(|_| !self.check.metric.is_count());
        let smallest = smallest.map(|worse| change.scale.raw_change(self.check.metric.better(), worse));
        smallest.map_or_else(
            || format!("it cannot be settled {within}"),
            |raw| {
                format!(
                    "it cannot be settled {within}; the smallest change that can is {}",
                    wording::percent(raw)
                )
            },
        )
    }
}

/// What a check was decided by, for its words.
pub(super) struct Said<'a> {
    /// Family-wise p that there is no change for the worse.
    pub(super) real: f64,
    /// Family-wise p that there is no change for the better.
    pub(super) better: f64,
    /// Checks in its family.
    pub(super) family: usize,
    pub(super) rule: &'a Rule,
    /// Pairs, or runs on the side that has fewer.
    pub(super) n: usize,
}

impl Evidence {
    pub(super) fn of(change: Change, limit: f64, window: Option<Window>) -> Option<Self> {
        Some(Self {
            change,
            tested: change.test(limit)?,
            limit,
            window,
            share: None,
        })
    }
}

/// A change on the metric's own scale, with its raw sign.
fn unit_change(metric: Metric, change: &Change) -> Option<UnitChange> {
    let raw = |worse: f64| match metric.better() {
        Better::Lower => worse,
        Better::Higher => -worse,
    };
    let (low, high) = change.interval()?;
    Some(UnitChange {
        by: raw(change.log_difference),
        interval: Some((raw(low).min(raw(high)), raw(low).max(raw(high)))),
    })
}

/// The change of a check with its interval.
pub(crate) fn figures(check: &Check) -> String {
    if let Some(UnitChange { by, interval }) = check.difference {
        let by = wording::difference(check.metric, by);
        return match interval {
            Some(ends) => format!(
                "{by} (90 % interval {})",
                wording::difference_interval(check.metric, ends)
            ),
            None => by,
        };
    }
    if let (Bound::NoMoreFailures, Some(old), Some(new)) = (check.limit, check.baseline, check.candidate) {
        let (old, new) = (wording::value(check.metric, old), wording::value(check.metric, new));
        return format!("{old} → {new}");
    }
    if let (Bound::Value(_), Some(value)) = (check.limit, check.candidate) {
        return wording::value(check.metric, value);
    }
    let change = check
        .change
        .map_or_else(|| "no change known".to_owned(), wording::percent);
    match check.interval {
        Some(interval) => format!("{change} (90 % interval {})", wording::interval(interval)),
        None => change,
    }
}

/// Judges all drafts; blocking, warning and reported checks are Holm families of their own.
pub(super) fn settle(drafts: &mut [Draft], rule: &Rule) {
    for action in Action::ALL {
        let in_family = |draft: &&mut Draft| draft.check.action == action && draft.is_in_family;
        let mut family: Vec<&mut Draft> = drafts.iter_mut().filter(in_family).collect();
        // A check that cannot be tested stays in its family as p = 1: a missing figure never makes the others easier.
        let adjusted = |p: fn(&Tested) -> f64| {
            let all: Vec<f64> = family
                .iter()
                .map(|draft| draft.evidence.as_ref().map_or(1.0, |evidence| p(&evidence.tested)))
                .collect();
            holm::adjusted(&all)
        };
        let (real, better) = (adjusted(|tested| tested.p_real), adjusted(|tested| tested.p_better));
        let size = family.len();
        for (draft, adjusted) in family.iter_mut().zip(real.into_iter().zip(better)) {
            draft.settle(adjusted, size, rule);
        }
    }
}

pub(super) const fn kind(action: Action) -> &'static str {
    match action {
        Action::Block => "blocking check",
        Action::Warn => "warning check",
        Action::Report => "reported check",
    }
}

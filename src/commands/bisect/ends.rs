//! Whether there is anything to find between the ends, in which metric and cell, and how large it is.

use std::time::{Duration, Instant};

use super::{
    Asked, History, Kept,
    stand::{Bench, Outcome, Stands, plan_at},
};
use crate::{
    bisect::{self, MOST_END_RUNS},
    commands::{
        CommandError,
        ab::{self, Follow, Wanted},
        trust::Rules,
    },
    compare::{Background, Noise, change::RUN_SD_FLOOR, compare},
    config::Resolved,
    measure::measure as metrics,
    metric::{Better, Metric},
    plan::{Alternation, Plan},
    report::{self, Check, Reference, Report},
    session::{Ended, Session},
    stats::{
        moments::{mean, variance},
        real,
    },
    store::EndsFound,
    verdict::{Policy, Verdict, can_settle},
};

/// What is searched for.
pub(super) struct Ends {
    pub(super) metric: Metric,
    pub(super) cell: String,
    /// What the search is to believe of values on the scale of [`Ends::scaled`].
    pub(super) known: bisect::Ends,
    /// Mean of the good end on that scale.
    pub(super) good: f64,
    /// How many runs that rests on.
    pub(super) good_runs: usize,
    pub(super) build_s: f64,
    pub(super) run_s: f64,
}

impl Ends {
    /// What an earlier search found of them.
    pub(super) fn known(kept: &Kept) -> Option<Self> {
        Self::of(kept.bisection.ends.as_ref()?)
    }

    fn of(found: &EndsFound) -> Option<Self> {
        let metric = Metric::from_key(&found.metric)?;
        let scale = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| scaled(metric, *value)).collect() };
        let (good, bad) = (scale(&found.good), scale(&found.bad));
        Some(Self {
            metric,
            cell: found.cell.clone(),
            known: bisect::Ends::of(&good, &bad, found.run_sd)?,
            good_runs: good.len(),
            good: mean(&good)?,
            build_s: found.build_s,
            run_s: found.run_s,
        })
    }
}

/// A value on the scale of the search: its logarithm, more being worse.
pub(super) fn scaled(metric: Metric, value: f64) -> f64 {
    match metric.better() {
        Better::Lower => value.ln(),
        Better::Higher => -value.ln(),
    }
}

/// Measures both ends in alternation until the regression is there and well enough known; `None` where there is none.
///
/// # Errors
/// An end cannot be built or measured.
pub(super) fn measured(
    bench: &Bench<'_>,
    stands: &mut Stands,
    asked: &Asked,
    (kept, history): (&mut Kept, &History),
    rules: &Rules,
) -> Result<Option<Ends>, CommandError> {
    let policy = &rules.resolved.policy;
    refuse_unfit(asked, policy, &rules.resolved.plan)?;
    let began = Instant::now();
    for (stand, commit, end) in [
        (&mut stands.anchor, &history.good, "good"),
        (&mut stands.probe, &history.bad, "bad"),
    ] {
        match stand.build(bench, commit)? {
            Ok(_) => {}
            Err(Outcome::Broken(why)) => {
                return Err(CommandError::Unsearchable(format!(
                    "the {end} end cannot be built, and both ends have to be measured: {why}"
                )));
            }
            Err(_) => return Ok(None),
        }
    }
    let build = began.elapsed() / 2;
    let wanted = wanted(bench, stands, asked);
    let mut judge = Judge { asked, policy };
    let began = Instant::now();
    let sessions = ab::measure(&wanted, &mut judge, bench.console, bench.interrupt)?;
    let took = began.elapsed();
    for session in &sessions {
        if let Ended::Aborted(why) = &session.ended {
            return Err(CommandError::Unsearchable(format!(
                "the ends cannot be measured: {why}"
            )));
        }
    }
    if sessions.iter().any(|session| session.ended == Ended::Interrupted) {
        return Ok(None);
    }
    let report = judge.report(&sessions);
    let Some(check) = judge.worst(&report) else {
        kept.nothing(judge.verdict(&report), &judge.headline(&report));
        return Ok(None);
    };
    let found = found(&sessions, (check, &report), (build, took))?;
    let ends = Ends::of(&found);
    kept.ends(found)?;
    ends.map(Some).ok_or_else(|| {
        CommandError::Unsearchable(format!(
            "the values of {} at the ends have no ratio",
            check.metric.label()
        ))
    })
}

/// A metric without a limit is never a regression; a count has no ratio; a percentile of few requests is never judged.
fn refuse_unfit(asked: &Asked, policy: &Policy, plan: &Plan) -> Result<(), CommandError> {
    let Some(metric) = asked.metric else { return Ok(()) };
    let gated = || -> String {
        let gates = policy.gates.keys().filter(|metric| is_fit(**metric));
        gates.map(|metric| metric.key()).collect::<Vec<_>>().join(", ")
    };
    if metric.is_count() || metric.is_capacity() {
        return Err(CommandError::Usage(format!(
            "{} has no ratio of single runs to search by; take one of {}",
            metric.label(),
            gated()
        )));
    }
    if !policy.gates.contains_key(&metric) {
        return Err(CommandError::Usage(format!(
            "{} has no limit, so that nothing tells a good commit from a bad one; give it one with `--gate {}=5%`, or take \
             one of {}",
            metric.label(),
            metric.key(),
            gated()
        )));
    }
    match ab::few::too_few_requests(plan, metric) {
        Some(told) => Err(CommandError::Usage(told)),
        None => Ok(()),
    }
}

fn is_fit(metric: Metric) -> bool {
    !metric.is_count() && !metric.is_capacity()
}

/// Both ends in alternation, in whole runs: the runs of the search are such.
pub(super) fn wanted<'a>(bench: &'a Bench<'_>, stands: &Stands, asked: &Asked) -> Wanted<'a> {
    let resolved: &Resolved = bench.resolved;
    let usual = &resolved.alternation;
    let mut looks = usual.looks.clone();
    if usual.most_pairs() < MOST_END_RUNS {
        looks.push(MOST_END_RUNS);
    }
    let load = asked.cell.as_deref().and_then(|cell| bench.load_of(cell));
    Wanted {
        plan: plan_at(&resolved.plan, load, &resolved.plan.target.url),
        alternation: Alternation {
            looks,
            blocks: 1,
            max: bench.left(),
        },
        arms: bench.arms(stands),
        secrets: bench.secrets.clone(),
        dataset_dir: &resolved.settings.dataset_dir,
        idle_answers: resolved.settings.idle_answers.clone(),
        log_dir: bench.logs.clone(),
        commit: None,
        built: None,
        withholds_secrets: true,
    }
}

/// Stops once the regression is there and its size well enough known, or once there is none.
pub(super) struct Judge<'a> {
    pub(super) asked: &'a Asked,
    pub(super) policy: &'a Policy,
}

impl Judge<'_> {
    pub(super) fn report(&self, [good, bad]: &[Session; 2]) -> Report {
        let reference = Reference::alone("the good end", good);
        report::build(Some(&reference), ("the bad end", bad), self.policy)
    }

    /// What a search can go by, worst first.
    fn checks<'r>(&self, report: &'r Report) -> impl Iterator<Item = &'r Check> {
        let asked = self.asked;
        let is_asked = move |check: &&Check| {
            asked.metric.is_none_or(|metric| check.metric == metric)
                && asked.cell.as_ref().is_none_or(|cell| check.cell == *cell)
        };
        report
            .checks
            .iter()
            .filter(is_asked)
            .filter(|check| is_fit(check.metric))
    }

    /// The worst regression of it.
    pub(super) fn worst<'r>(&self, report: &'r Report) -> Option<&'r Check> {
        self.checks(report).find(|check| check.verdict == Verdict::Regression)
    }

    fn asks_all(&self) -> bool {
        self.asked.metric.is_none() && self.asked.cell.is_none()
    }

    /// What is said of the ends where nothing is searched: of what was asked for.
    fn headline(&self, report: &Report) -> String {
        if self.asks_all() {
            return report.headline.clone();
        }
        let mut checks = self.checks(report);
        let told = |check: &Check| {
            format!(
                "{}: {} at {}: {}",
                check.verdict.name(),
                check.metric.label(),
                check.cell,
                check.reason
            )
        };
        let open = self.checks(report).find(|check| !check.verdict.is_within());
        open.or_else(|| checks.next())
            .map_or_else(|| report.headline.clone(), told)
    }

    /// Why more pairs tell no more of what was asked for.
    fn why_settled(&self, report: &Report) -> Option<&'static str> {
        if self.verdict(report) == Verdict::Pass {
            return Some("what was asked for is within its limits");
        }
        if self.asks_all() {
            return ab::why_stop(report);
        }
        let checks: Vec<Check> = self.checks(report).cloned().collect();
        (!can_settle(&checks)).then_some("no further pair can settle what was asked for")
    }

    /// The verdict on what was asked for, where there is no regression of it.
    fn verdict(&self, report: &Report) -> Verdict {
        if matches!(report.verdict, Verdict::Invalid | Verdict::Incomparable) {
            return report.verdict;
        }
        let mut checks = self.checks(report).peekable();
        let is_known = checks.peek().is_some() && checks.all(|check| check.verdict.is_within());
        match (is_known, report.verdict) {
            (true, _) => Verdict::Pass,
            // The gate passes too where a check that only warns is open.
            (false, Verdict::Pass | Verdict::Improvement) if self.asks_all() => Verdict::Pass,
            (false, Verdict::Regression) if self.asks_all() => Verdict::Regression,
            (false, _) => Verdict::Inconclusive,
        }
    }
}

impl Follow for Judge<'_> {
    fn on_pair(&mut self, _: &[Session; 2]) {}

    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String> {
        let report = self.report(sessions);
        let Some(check) = self.worst(&report) else {
            return self.why_settled(&report).map(str::to_owned);
        };
        let ends = found(sessions, (check, &report), Default::default()).ok()?;
        let needed = bisect::Ends::runs_needed(Ends::of(&ends)?.known.ratio);
        (real(ends.good.len()) >= f64::from(needed))
            .then(|| "the regression is there, and its size is known".to_owned())
    }
}

/// The values of one metric in one cell, the first session's first; of a pair both or none.
pub(super) fn values_of(sessions: &[Session; 2], (metric, cell): (Metric, &str)) -> [Vec<f64>; 2] {
    let [old, new] = [&sessions[0], &sessions[1]].map(metrics);
    let comparison = compare(&old, &new, &Background::default());
    let cell = comparison.cells.into_iter().find(|own| own.name == cell);
    let found = cell.and_then(|mut cell| cell.metrics.remove(&metric));
    found.map_or_else(Default::default, |found| {
        [found.baseline.values, found.candidate.values]
    })
}

/// What the sessions of both ends show of one metric in one cell.
fn found(
    sessions: &[Session; 2],
    (check, report): (&Check, &Report),
    (build, took): (Duration, Duration),
) -> Result<EndsFound, CommandError> {
    let [good, bad] = [&sessions[0], &sessions[1]].map(metrics);
    let comparison = compare(&good, &bad, &Background::default());
    let cell = comparison.cells.iter().find(|cell| cell.name == check.cell);
    let metric = cell.and_then(|cell| cell.metrics.get(&check.metric));
    let metric =
        metric.ok_or_else(|| CommandError::Unsearchable(format!("{} is gone from the ends", check.metric.label())))?;
    let pair_variance = metric.change.as_ref().and_then(|change| match change.noise {
        Noise::Paired { variance, .. } => Some(variance),
        Noise::Stored(_) => None,
    });
    let (good, bad) = (metric.baseline.values.clone(), metric.candidate.values.clone());
    let cells = sessions.iter().flat_map(|session| &session.cells);
    let runs = real(cells.map(|cell| cell.runs.len()).sum::<usize>()).max(1.0);
    Ok(EndsFound {
        metric: check.metric.key().to_owned(),
        cell: check.cell.clone(),
        run_sd: run_sd(check.metric, [&good, &bad], pair_variance),
        good,
        bad,
        headline: report.headline.clone(),
        build_s: build.as_secs_f64(),
        run_s: took.as_secs_f64() / runs,
    })
}

/// Degrees of freedom that the variance of a pair is worth beside that of the runs: it lacks what both runs of a pair share.
const PAIR_DF: f64 = 4.0;

/// Standard deviation of the logarithm of one run: within the ends, drawn towards half the variance of a pair.
fn run_sd(metric: Metric, ends: [&[f64]; 2], pair_variance: Option<f64>) -> f64 {
    let of = |values: &[f64]| {
        let values: Vec<f64> = values.iter().map(|value| scaled(metric, *value)).collect();
        (variance(&values).unwrap_or(0.0), real(values.len().saturating_sub(1)))
    };
    let [(good, good_df), (bad, bad_df)] = ends.map(of);
    let (prior, prior_df) = pair_variance.map_or((0.0, 0.0), |variance| (variance / 2.0, PAIR_DF));
    let df = good_df + bad_df + prior_df;
    let pooled = (good * good_df + bad * bad_df + prior * prior_df) / df;
    pooled.sqrt().max(RUN_SD_FLOOR)
}

//! The gate's answer from all checks, and the reasons to give none.

use super::{
    Action, Bound, Check, Evidence, Policy, Verdict, ceiling,
    check::{self, Draft, figures},
    coupled, errors, memory,
    rule::{Lacking, Rule},
    untold, wording,
};
use crate::{
    compare::{CellComparison, Comparison, Design, LeftOut, Side, answer_of, different_work, work::ALLOW},
    measure::Measurements,
    metric::Metric,
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
    /// What throughput, TTFT and TPOT tell together, in one sentence; `None` where none of them got worse.
    pub story: Option<String>,
    /// How the two were measured.
    pub design: Design,
    /// How many more pairs (runs a side, of sessions measured apart) would settle every check that more can settle.
    pub repeat_more: Option<usize>,
    /// Of which side, of sessions measured apart.
    pub lacking: Lacking,
    /// How many requests a run every gated percentile needs, where some have fewer.
    pub requests_needed: Option<usize>,
}

/// Judges every gated metric in every cell.
pub fn judge(comparison: &Comparison, policy: &Policy) -> Judgement {
    let rule = Rule::new(&comparison.design, policy);
    let (mut drafts, mut warnings) = drafts(comparison, policy, &rule);
    if policy.allows(ALLOW) {
        warnings.extend(
            different_work(&comparison.cells, &comparison.design)
                .map(|why| format!("different work, which is allowed: {why}")),
        );
    }
    check::settle(&mut drafts, &rule);
    drafts.extend(errors::drafts(comparison, policy, &rule));
    drafts.extend(ceilings(comparison, policy, &rule));
    warnings.extend(nowhere(comparison, policy));
    coupled::guard(&mut drafts, comparison, &rule);
    untold::guard(&mut drafts, comparison);
    drafts.sort_by(|a, b| {
        let ((rank_a, excess_a), (rank_b, excess_b)) = (a.rank(), b.rank());
        rank_a.cmp(&rank_b).then(excess_a.total_cmp(&excess_b))
    });
    let open = drafts
        .iter()
        .filter(|draft| draft.check.verdict == Verdict::Inconclusive);
    let asked: Vec<(usize, Lacking)> = open
        .filter_map(|draft| Some((draft.check.repeat_more?, draft.lacking)))
        .collect();
    let repeat_more = asked.iter().map(|(more, _)| *more).max();
    let mut sides = asked.iter().map(|(_, lacking)| *lacking);
    let lacking = sides.next().filter(|first| sides.all(|other| other == *first));
    let requests_needed = drafts.iter().filter_map(|draft| draft.requests_needed).max();
    let checks: Vec<Check> = drafts.into_iter().map(|draft| draft.check).collect();
    warnings.extend(checks.iter().filter_map(warning));
    warnings.extend(not_judged(&checks));
    let gates = || checks.iter().filter(|check| is_gate(check));
    if gates().next().is_some() && !gates().any(|check| check.action == Action::Block) {
        warnings.push("no gate blocks: every gated metric only warns".into());
    }
    let cells: Vec<&str> = checks.iter().map(|check| check.cell.as_str()).collect();
    Judgement {
        verdict: answer(&checks),
        story: coupled::story(comparison, &cells),
        design: comparison.design.clone(),
        checks,
        warnings,
        repeat_more,
        lacking: lacking.unwrap_or_default(),
        requests_needed,
    }
}

impl Judgement {
    /// The same with what the candidate must keep by itself in cells that the baseline does not have.
    #[must_use]
    pub fn with_new_cells(mut self, comparison: &Comparison, candidate: &Measurements, policy: &Policy) -> Self {
        let is_new = |check: &Check| comparison.cells.iter().all(|cell| cell.name != check.cell);
        let (bad, kept): (Vec<Check>, Vec<Check>) = judge_alone(candidate, policy)
            .into_iter()
            .filter(is_new)
            .partition(|check| check.verdict == Verdict::Regression);
        self.warnings.extend(bad.iter().filter_map(warning));
        self.checks.splice(0..0, bad);
        self.checks.extend(kept);
        self.verdict = answer(&self.checks);
        self
    }
}

/// What the candidate must keep by itself, where there is nothing to compare it with: one check for each ceiling and
/// cell, in the order of the cells.
pub fn judge_alone(candidate: &Measurements, policy: &Policy) -> Vec<Check> {
    let rule = Rule::new(&Design::Apart { sessions: 0 }, policy);
    let cells = candidate.cells.iter().filter(|cell| cell.skipped.is_none());
    let drafts = cells.flat_map(|cell| {
        let answer = answer_of(&cell.load);
        let is_measured = answer.is_some() || !cell.work.is_empty();
        let bounds = policy.ceilings.iter();
        let held = bounds.filter(|(metric, _)| is_measured && is_of(answer, **metric));
        held.map(|(metric, bound)| {
            let series = cell.series.get(metric).map_or(&[][..], Vec::as_slice);
            ceiling::draft(&cell.name, *metric, *bound, &Side::of(series))
        })
        .collect::<Vec<_>>()
    });
    let mut drafts: Vec<Draft> = drafts.collect();
    ceiling::settle(&mut drafts, 0, &rule);
    let untold = |name: &str| {
        let mut cells = candidate.cells.iter();
        cells.any(|cell| cell.name == name && untold::is_untold(&cell.work))
    };
    let of_these = drafts.iter_mut().filter(|draft| untold(&draft.check.cell));
    of_these.for_each(untold::leave_open);
    drafts.into_iter().map(|draft| draft.check).collect()
}

fn ceilings(comparison: &Comparison, policy: &Policy, rule: &Rule) -> Vec<Draft> {
    let cells = comparison.cells.iter();
    let drafts = cells.flat_map(|cell| {
        let bounds = policy.ceilings.iter().filter(|(metric, _)| can_have(cell, **metric));
        bounds.map(|(metric, bound)| {
            let side = cell.metrics.get(metric).map(|found| &found.candidate);
            let nothing = Side::default();
            ceiling::draft(&cell.name, *metric, *bound, side.unwrap_or(&nothing))
        })
    });
    let mut drafts: Vec<Draft> = drafts.collect();
    let of_new_cells = comparison.only_candidate.len() * policy.ceilings.len();
    ceiling::settle(&mut drafts, of_new_cells, rule);
    for draft in &mut drafts {
        if let Some(cell) = comparison.cells.iter().find(|cell| cell.name == draft.check.cell) {
            ceiling::excuse(draft, cell);
        }
    }
    drafts
}

/// Ceilings that no cell can be held against: who set them should know that nobody looks.
fn nowhere(comparison: &Comparison, policy: &Policy) -> Option<String> {
    let cells = &comparison.cells;
    let asks_nothing = |metric: &&Metric| !cells.iter().any(|cell| can_have(cell, **metric));
    let labels = policy.ceilings.keys().filter(asks_nothing).map(|metric| metric.label());
    let labels: Vec<&str> = labels.collect();
    (!cells.is_empty() && !labels.is_empty()).then(|| {
        format!(
            "no cell here has {}, for which there is a ceiling: it asks nothing",
            labels.join(", ")
        )
    })
}

/// Whether nothing that blocks is open, so that no further pair is needed.
///
/// Where nothing blocks, every check counts.
pub fn is_settled(checks: &[Check]) -> bool {
    let is_open = |check: &&Check| check.verdict == Verdict::Inconclusive;
    let mut blocking = checks.iter().filter(|check| check.action == Action::Block).peekable();
    if blocking.peek().is_some() {
        return blocking.find(is_open).is_none();
    }
    !checks.is_empty() && checks.iter().find(is_open).is_none()
}

/// Whether further pairs may settle what is open: it was tested, and only noise or chance leaves it open; or it lacks what
/// they bring.
pub fn can_settle(checks: &[Check]) -> bool {
    let tested = |check: &Check| check.p_real.or(check.p_beyond).is_some();
    let lacks_pairs = |check: &Check| check.repeat_more.is_some_and(|more| more > 0);
    let mut open = checks.iter().filter(|check| check.verdict == Verdict::Inconclusive);
    open.any(|check| tested(check) || lacks_pairs(check))
}

/// One draft for each gated metric and cell, and a warning for each cell that was left out on purpose.
fn drafts(comparison: &Comparison, policy: &Policy, rule: &Rule) -> (Vec<Draft>, Vec<String>) {
    let mut drafts = Vec::new();
    let mut warnings = Vec::new();
    for cell in &comparison.cells {
        let here = |metric: Metric| can_have(cell, metric) && !errors::is_counted(cell, metric);
        let gates = policy.gates.iter().filter(|(metric, _)| here(**metric));
        drafts.extend(gates.flat_map(|(metric, gate)| match metric {
            Metric::GpuMemoryPeakGb => memory::drafts(cell, gate, policy, rule),
            Metric::KvCacheCapacityTokens => vec![memory::capacity_draft(cell, gate, rule)],
            _ => vec![Draft::of(cell, *metric, gate, rule)],
        }));
    }
    for LeftOut {
        cell,
        lacks,
        has,
        reason,
    } in &comparison.left_out
    {
        warnings.push(format!(
            "the {lacks} left `{cell}` out ({reason}), which the {has} measured"
        ));
        if !policy.allows("plan.cells") {
            drafts.extend(one_sided(cell, policy, has, lacks));
        }
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
            drafts.extend(one_sided(cell, policy, has, lacks));
        }
    }
    (drafts, warnings)
}

/// Every gated metric of a cell that only one arm measured: open, whatever the other cells say.
fn one_sided(cell: &str, policy: &Policy, has: &str, lacks: &str) -> Vec<Draft> {
    let gates = policy.gates.iter().filter(|(metric, _)| !metric.is_capacity());
    gates
        .map(|(metric, gate)| Draft::one_sided(cell, *metric, gate, has, lacks))
        .collect()
}

/// Whether a cell can have this metric at all: a search has only its answer, and nothing else has that.
fn can_have(cell: &CellComparison, metric: Metric) -> bool {
    is_of(cell.answer, metric)
}

fn is_of(answer: Option<Metric>, metric: Metric) -> bool {
    match answer {
        Some(answer) => metric == answer,
        None => !metric.is_capacity(),
    }
}

/// Blocking checks decide; a warning holds the merge only where a profiling report is owed.
fn answer(checks: &[Check]) -> Verdict {
    answer_holding(checks, |check| check.requires == Some(Evidence::Profile))
}

/// The same where it is known which warnings hold the merge: those whose evidence is still owed and is needed.
pub fn answer_holding(checks: &[Check], holds: impl Fn(&Check) -> bool) -> Verdict {
    let blocking = || checks.iter().filter(|check| check.action == Action::Block);
    // That nothing failed more is no verdict on how fast it was.
    let gates = checks.iter().filter(|check| is_gate(check));
    let mut settled = gates.filter(|check| check.verdict != Verdict::Inconclusive);
    let is_held = |check: &Check| check.verdict == Verdict::Regression && holds(check);
    if blocking().any(|check| check.verdict == Verdict::Regression) {
        Verdict::Regression
    } else if settled.next().is_none()
        || blocking().any(|check| !check.verdict.is_within())
        || checks.iter().any(is_held)
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

/// Whether somebody set a limit for it: failed requests are judged without one.
pub fn is_gate(check: &Check) -> bool {
    check.limit != Bound::NoMoreFailures || check.metric != Metric::ErrorRate
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

//! Throughput, TTFT and TPOT move together: a server that serves fewer requests at a time shows a better TPOT.

use super::{
    Action, Verdict,
    check::Draft,
    rule::{self, Rule},
    wording,
};
use crate::{
    compare::{
        CellComparison, Change, Comparison,
        change::{log_limit, raw_change},
    },
    metric::{Metric, Percentile},
    stats::real,
};

/// A change within this is none, however sure (2 %).
const NOTHING: f64 = 0.02;
/// Chance that a story is told of equal servers, over all figures and cells that are looked at.
const TOLD_BY_CHANCE: f64 = 0.05;
/// Figures that a story looks at in each cell: throughput, and P50 and P95 of three latencies.
const FIGURES: usize = 7;
/// A real fall of throughput beyond this lets no TPOT pass alone, however wide the limit of TPOT is (5 %).
const FALL: f64 = 0.05;
/// Throughput and TPOT are the same where the whole interval lies within this (5 %).
const SAME: f64 = 0.05;
/// The same of TTFT, which is noisier (10 %).
const SAME_TTFT: f64 = 0.10;

/// TPOT alone never clears a candidate whose throughput fell: says so beside it, and leaves it open where no gate on
/// throughput blocks.
pub(super) fn guard(drafts: &mut [Draft], comparison: &Comparison, rule: &Rule) {
    for cell in &comparison.cells {
        let of_cell = |draft: &&Draft| draft.check.cell == cell.name && draft.is_in_family;
        let gated: Vec<&Draft> = drafts
            .iter()
            .filter(of_cell)
            .filter(|draft| is_throughput(draft.check.metric))
            .collect();
        let fell = gated.iter().find(|draft| fell(draft)).map(|draft| told(draft));
        let is_gated = gated.iter().any(|draft| draft.check.action == Action::Block);
        let tpots = drafts
            .iter_mut()
            .filter(|draft| draft.check.cell == cell.name && is_per_token(draft.check.metric) && draft.is_in_family);
        for tpot in tpots.filter(|draft| draft.check.verdict.is_within()) {
            let ungated_fall = really_fell(tpot, cell, rule);
            if let Some(fell) = fell.as_ref().or(ungated_fall.as_ref()) {
                label(tpot, fell);
            }
            if let Some(fell) = ungated_fall.filter(|_| !is_gated) {
                leave_open(tpot, &fell);
            }
        }
    }
}

const fn is_throughput(metric: Metric) -> bool {
    matches!(metric, Metric::OutputTokensPerS | Metric::Qps)
}

const fn is_per_token(metric: Metric) -> bool {
    matches!(metric, Metric::Tpot(_) | Metric::Itl(_))
}

/// Whether throughput is worse, or may be.
fn fell(throughput: &Draft) -> bool {
    let worse = |draft: &Draft| draft.evidence.as_ref().is_some_and(|e| e.change.log_difference > 0.0);
    match throughput.check.verdict {
        Verdict::Regression => true,
        Verdict::Inconclusive => worse(throughput),
        _ => false,
    }
}

fn told(throughput: &Draft) -> String {
    let (check, label) = (&throughput.check, throughput.check.metric.label());
    let by = check
        .change
        .map_or_else(|| "fell".to_owned(), |by| format!("is {}", wording::percent(by)));
    if check.verdict == Verdict::Regression {
        format!("{label} {by}")
    } else {
        format!("{label} {by} and not settled")
    }
}

fn label(tpot: &mut Draft, fell: &str) {
    let note = format!("it clears nothing by itself: {fell}, and fewer requests at a time make each of them faster");
    tpot.check.reason = format!("{}; {note}", tpot.check.reason);
    if let Some(explanation) = &mut tpot.check.explanation {
        *explanation = format!("{explanation} {}.", wording::upper(&note));
    }
}

/// A real fall of throughput by more than the limit of TPOT or [`FALL`], in words, whatever limit throughput has.
fn really_fell(tpot: &Draft, cell: &CellComparison, rule: &Rule) -> Option<String> {
    let metric = Metric::OutputTokensPerS;
    let limit = tpot.evidence.as_ref()?.limit.min(log_limit(metric.better(), FALL));
    let change = cell.metrics.get(&metric)?.change?;
    if cell.is_different_work() {
        return None;
    }
    let n = change.n_baseline.min(change.n_candidate);
    let tested = change.test(limit)?;
    let alone = (tested.p_real, tested.p_better);
    let decided = rule::decide(&tested, alone, rule.levels(n), rule.may_show_a_change(n));
    let by = wording::percent(raw_change(metric.better(), change.log_difference));
    (decided == Verdict::Regression).then(|| format!("{} is {by}", metric.label()))
}

/// Where no gate on throughput blocks, its fall keeps TPOT open.
fn leave_open(tpot: &mut Draft, fell: &str) {
    let why = format!(
        "TPOT alone cannot clear it, as {fell}: give `{}` a gate",
        Metric::OutputTokensPerS
    );
    tpot.check.verdict = Verdict::Inconclusive;
    tpot.check.reason = format!("{}; {why}", tpot.check.reason);
    if let Some(explanation) = &mut tpot.check.explanation {
        *explanation = format!("{explanation} {}.", wording::upper(&why));
    }
}

/// How one figure moved, as far as its interval tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Worse,
    Better,
    Same,
    Unknown,
}

/// Which of the stories a cell tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    CapacityLost,
    DecodeSlower,
    PrefillSlower,
    FirstTokenLate,
    Queueing,
    NotClear,
}

impl Story {
    const fn words(self) -> &'static str {
        match self {
            Self::CapacityLost => {
                "capacity lost: fewer requests are served at a time, so that they wait longer and each of them runs no slower"
            }
            Self::DecodeSlower => "decode is slower: each token takes longer",
            Self::PrefillSlower => "prefill is slower: the first token takes longer, the others do not",
            Self::FirstTokenLate => {
                "the first token comes later and the others as before: prefill is slower, or fewer requests are served at a time"
            }
            Self::Queueing => "queueing: requests wait longer for their turn, and are then served as before",
            Self::NotClear => "no clear story",
        }
    }
}

/// What throughput, TTFT and TPOT tell together; `None` where none of them moved.
///
/// Of the first cell that tells something, worst first, with the number of cells that tell the same.
pub(super) fn story(comparison: &Comparison, worst_first: &[&str]) -> Option<String> {
    let mut cells: Vec<&CellComparison> = comparison.cells.iter().filter(|cell| tells(cell)).collect();
    let place = |cell: &&CellComparison| worst_first.iter().position(|name| *name == cell.name);
    cells.sort_by_key(|cell| place(cell).unwrap_or(usize::MAX));
    let by_chance = TOLD_BY_CHANCE / real(FIGURES * cells.len().max(1));
    let told: Vec<(Story, &CellComparison)> = cells
        .iter()
        .filter_map(|cell| Some((of_cell(cell, by_chance)?, *cell)))
        .collect();
    let clear = told.iter().find(|(story, _)| *story != Story::NotClear);
    let (story, first) = clear.or(told.first())?;
    let same = told.iter().filter(|(other, _)| other == story).count() - 1;
    let others = match same {
        0 => String::new(),
        same => format!("; the same in {}", wording::count_more(same, "cell")),
    };
    Some(format!(
        "{} at {} ({}){others}",
        story.words(),
        first.name,
        moves(first)
    ))
}

fn tells(cell: &CellComparison) -> bool {
    cell.answer.is_none() && !cell.is_different_work()
}

fn of_cell(cell: &CellComparison, by_chance: f64) -> Option<Story> {
    let one = |metric, same| moved(cell, metric, same, by_chance);
    let many = |family: fn(Percentile) -> Metric, same| {
        let all = [Percentile::P50, Percentile::P95].map(|p| one(family(p), same));
        worst(all)
    };
    let throughput = worst([one(Metric::OutputTokensPerS, SAME), Moved::Unknown]);
    let (ttft, tpot) = (many(Metric::Ttft, SAME_TTFT), many(Metric::Tpot, SAME));
    let waiting = many(Metric::TtftFromSchedule, SAME_TTFT);
    if ![throughput, ttft, tpot, waiting].contains(&Moved::Worse) {
        return None;
    }
    Some(match (throughput, ttft, tpot) {
        (Moved::Worse, Moved::Worse, Moved::Better) => Story::CapacityLost,
        (Moved::Worse, Moved::Worse, Moved::Same) if !is_slight(cell) => Story::FirstTokenLate,
        (_, _, Moved::Worse) => Story::DecodeSlower,
        (Moved::Same | Moved::Worse, Moved::Worse, Moved::Same) => Story::PrefillSlower,
        (Moved::Same, Moved::Same, Moved::Same) if waiting == Moved::Worse => Story::Queueing,
        _ => Story::NotClear,
    })
}

/// Whether throughput fell no more than a longer prefill brings it down in closed loop.
fn is_slight(cell: &CellComparison) -> bool {
    let change = cell
        .metrics
        .get(&Metric::OutputTokensPerS)
        .and_then(|found| found.change);
    change.is_some_and(|change| change.log_difference < SAME)
}

fn moved(cell: &CellComparison, metric: Metric, same: f64, by_chance: f64) -> Moved {
    let change = cell.metrics.get(&metric).and_then(|found| found.change.as_ref());
    let known = change.and_then(|change| Some((change.log_difference, change.interval()?, change.test(NOTHING)?)));
    let Some((by, (low, high), tested)) = known else {
        return Moved::Unknown;
    };
    let within = |size: f64| low > -size && high < size;
    if within(NOTHING) {
        Moved::Same
    } else if by > NOTHING && tested.p_real < by_chance {
        Moved::Worse
    } else if by < -NOTHING && tested.p_better < by_chance {
        Moved::Better
    } else if within(same) {
        Moved::Same
    } else {
        Moved::Unknown
    }
}

/// Of median and tail: worse if one is, the same if none moved and one did not for sure.
fn worst(all: [Moved; 2]) -> Moved {
    let order = [Moved::Worse, Moved::Better, Moved::Same];
    order
        .into_iter()
        .find(|moved| all.contains(moved))
        .unwrap_or(Moved::Unknown)
}

/// The figures behind a story (`Output throughput −29.0 %, TTFT P95 +88.0 %, TPOT P95 −4.0 %`).
fn moves(cell: &CellComparison) -> String {
    let told = |metric: Metric| {
        let change: &Change = cell.metrics.get(&metric)?.change.as_ref()?;
        let by = wording::percent(raw_change(metric.better(), change.log_difference));
        Some(format!("{} {by}", metric.label()))
    };
    let tail = Percentile::P95;
    let all = [
        Metric::OutputTokensPerS,
        Metric::Ttft(tail),
        Metric::TtftFromSchedule(tail),
        Metric::Tpot(tail),
    ];
    all.into_iter().filter_map(told).collect::<Vec<_>>().join(", ")
}

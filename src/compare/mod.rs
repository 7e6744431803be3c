//! Are two sessions comparable, and how much did each metric change.
//!
//! A change is the log-ratio of the geometric means of the runs, oriented so that more is worse. `pairs` makes it of two
//! arms measured in alternation, `window` of sessions measured apart, `pinned` of two levels of one history; one rule
//! judges them all. Shares of sessions measured apart lie on another `scale`.

mod background;
pub mod change;
pub mod fingerprint;
mod left_out;
mod one_sided;
mod pairs;
mod pinned;
mod scale;
mod shards;
#[cfg(test)]
mod synthetic;
pub mod window;
pub mod work;

use std::collections::{BTreeMap, BTreeSet};

pub use background::{Background, Design, PairNoise, PairVariance};
pub use change::{Change, Noise, Prior, PriorFrom, Stored, Tested};
pub use fingerprint::{Fingerprint, differences};
pub use left_out::LeftOut;
pub use one_sided::{Mended, OneSided};
pub use pinned::{Around, LEVEL_SESSIONS, compare_levels};
pub use scale::Scale;
pub use shards::{MergeError, merge, merge_but};
pub use window::Window;
pub use work::{WorkComparison, different_work};

use crate::{
    measure::{CellMeasurements, Measurements, RunValue, TokenCounts},
    metric::Metric,
    plan::{Axis, Load},
    session::Pairing,
    stats::{moments, real},
};

/// All metrics of all cells of two arms, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How the two were measured.
    pub design: Design,
    /// Cells of both arms, in the candidate's order.
    pub cells: Vec<CellComparison>,
    /// Names of the cells that only the baseline has.
    pub only_baseline: Vec<String>,
    /// Names of the cells that only the candidate has.
    pub only_candidate: Vec<String>,
    /// Cells that one side left out on the way.
    pub left_out: Vec<LeftOut>,
}

/// All metrics of one cell of two arms.
#[derive(Clone, Debug, PartialEq)]
pub struct CellComparison {
    /// Cell name.
    pub name: String,
    /// Mean output tokens of a request, candidate / baseline − 1, where both are known.
    pub token_drift: Option<f64>,
    /// How output tokens were counted, baseline and candidate, where both are known.
    pub token_counts: Option<(TokenCounts, TokenCounts)>,
    /// What each run of both arms got done.
    pub work: WorkComparison,
    /// Why no pair of it is whole, though both arms have runs.
    pub unpaired: Option<String>,
    /// Why its pairs compare machines rather than servers: most of them were disturbed on one arm alone.
    pub one_sided: Option<OneSided>,
    /// What both engines state that their models and activations take, in 10⁹ bytes, where both state it.
    pub stated_memory_gb: Option<(f64, f64)>,
    /// The only metric that it has, where its runs are searches.
    pub answer: Option<Metric>,
    /// One for each metric.
    pub metrics: BTreeMap<Metric, MetricComparison>,
}

impl CellComparison {
    /// Whether the two arms generated answers of different lengths, so that throughput and whole answers do not compare.
    pub fn is_different_work(&self) -> bool {
        self.token_drift
            .is_some_and(|drift| drift.abs() > work::TOKEN_DRIFT_LIMIT)
    }

    /// Whether tokens were not counted in one way throughout, so that no figure made of them compares.
    pub fn counts_tokens_differently(&self) -> bool {
        self.token_counts
            .is_some_and(|(old, new)| old != new || old == TokenCounts::Mixed)
    }
}

/// One metric of one cell of two arms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricComparison {
    /// The baseline's runs.
    pub baseline: Side,
    /// The candidate's runs.
    pub candidate: Side,
    /// The ratio of their geometric means, candidate / baseline, where both are above zero; `None` where a run has no
    /// value: the runs that went well are not the server.
    pub ratio: Option<f64>,
    /// The change with its error; `None` where a run has no value, and where nothing is known of the noise. Of pairs it
    /// is their mean log-ratio, of sessions measured apart the distance to the mean of [`MetricComparison::window`].
    pub change: Option<Change>,
    /// The stored sessions that the change rests on; `None` for pairs.
    pub window: Option<Window>,
    /// Why it compares machines rather than servers, where sessions were measured apart: their runs were not disturbed alike.
    pub one_sided: Option<OneSided>,
}

impl MetricComparison {
    /// Whether every run of both arms has a value.
    pub fn is_complete(&self) -> bool {
        self.baseline.missing.is_empty() && self.candidate.missing.is_empty()
    }
}

/// One metric of one cell of one arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// How many runs there are.
    pub runs: usize,
    /// The values of the runs that have one, in run order; a change needs one of every run.
    pub values: Vec<f64>,
    /// Runs without a value: `(run, counted from 1; why)`.
    pub missing: Vec<(usize, String)>,
    /// Samples of the runs that have a value, in run order.
    pub samples: Vec<usize>,
    /// Fewest samples of a run that has a value.
    pub samples_fewest: usize,
    /// Mean samples of the runs that have a value.
    pub samples_mean: f64,
    /// Of GPU memory: whether the engine takes it at start, whatever the requests need; `None`: nobody knows.
    pub is_reserved: Option<bool>,
}

impl Side {
    /// The runs of one arm.
    pub fn of(series: &[RunValue]) -> Self {
        let measured = || series.iter().flatten();
        let missing = series.iter().enumerate();
        let missing = missing.filter_map(|(run, value)| value.as_ref().err().map(|why| (run + 1, why.clone())));
        let samples: Vec<usize> = measured().map(|sample| sample.samples).collect();
        let lengths: Vec<f64> = samples.iter().map(|count| real(*count)).collect();
        Self {
            runs: series.len(),
            values: measured().map(|sample| sample.value).collect(),
            missing: missing.collect(),
            samples_fewest: samples.iter().copied().min().unwrap_or(0),
            samples_mean: moments::mean(&lengths).unwrap_or(0.0),
            is_reserved: measured().find_map(|sample| sample.is_reserved),
            samples,
        }
    }

    /// Geometric mean of the values; `None` of nothing, or where a value is not above zero.
    pub fn geometric_mean(&self) -> Option<f64> {
        moments::geometric_mean(&self.values)
    }

    /// The first value of which no ratio can be made: zero, negative, infinite or no number.
    pub fn without_ratio(&self) -> Option<f64> {
        self.values
            .iter()
            .copied()
            .find(|value| !(*value > 0.0 && value.is_finite()))
    }
}

/// The change of every metric in every cell that both arms have; cells are matched by load level and stage.
pub fn compare(baseline: &Measurements, candidate: &Measurements, background: &Background) -> Comparison {
    compare_within(baseline, candidate, &background.history, &background.pair_noise)
}

/// The same where the background stands elsewhere, which may be large.
pub fn compare_within(
    baseline: &Measurements,
    candidate: &Measurements,
    history: &[Measurements],
    pair_noise: &PairNoise,
) -> Comparison {
    let lacks = |cells: &[CellMeasurements], cell: &CellMeasurements| !cells.iter().any(|c| c.is_same_level(cell));
    let only = |these: &[CellMeasurements], those: &[CellMeasurements]| -> Vec<String> {
        let alone = these.iter().filter(|cell| lacks(those, cell));
        alone.map(|cell| cell.name.clone()).collect()
    };
    let pairs = candidate.cells.iter().filter_map(|new| {
        let old = baseline.cells.iter().find(|old| old.is_same_level(new))?;
        Some((old, new))
    });
    let (left_out, both): (Vec<_>, Vec<_>) =
        pairs.partition(|(old, new)| old.skipped.is_some() || new.skipped.is_some());
    let pairing = candidate
        .pairing
        .as_ref()
        .filter(|new| Pairing::is_pair(baseline.pairing.as_ref(), Some(new)));
    let (design, cells) = match pairing {
        Some(pairing) => in_pairs(&both, pairing, pair_noise),
        None => apart(&both, baseline, history),
    };
    Comparison {
        design,
        cells,
        left_out: left_out
            .into_iter()
            .filter_map(|(old, new)| LeftOut::of(old, new))
            .collect(),
        only_baseline: only(&baseline.cells, &candidate.cells),
        only_candidate: only(&candidate.cells, &baseline.cells),
    }
}

type Both<'a> = (&'a CellMeasurements, &'a CellMeasurements);

fn in_pairs(both: &[Both<'_>], pairing: &Pairing, noise: &PairNoise) -> (Design, Vec<CellComparison>) {
    let matched = both.iter().map(|(old, new)| {
        let unpaired = pairs::unpaired(old, new);
        let (old, new) = pairs::matched(old, new);
        let one_sided = one_sided::in_pairs(&old, &new);
        CellComparison {
            unpaired,
            one_sided,
            ..compare_cell(&old, &new)
        }
    });
    let mut cells: Vec<CellComparison> = matched.collect();
    pairs::fill(&mut cells, pairing, noise);
    let design = Design::Paired {
        pairs: u32::try_from(pairs::fewest(&cells)).unwrap_or(u32::MAX),
        looks: pairing.looks.clone(),
        blocks: pairing.blocks,
    };
    (design, cells)
}

fn apart(both: &[Both<'_>], baseline: &Measurements, history: &[Measurements]) -> (Design, Vec<CellComparison>) {
    let sessions: Vec<&Measurements> = history.iter().chain([baseline]).collect();
    let cells = both.iter().map(|(old, new)| {
        let mut cell = compare_cell(old, new);
        let level = window::level(&sessions, new);
        window::fill(&mut cell, &level);
        fill_one_sided(&mut cell, &level, new);
        cell
    });
    let design = Design::Apart {
        sessions: sessions.len().min(window::SESSIONS),
    };
    (design, cells.collect())
}

/// Each metric against the runs of the sessions that it is compared with.
fn fill_one_sided(cell: &mut CellComparison, level: &window::Level<'_>, new: &CellMeasurements) {
    let stored: Vec<&CellMeasurements> = level.iter().map(|(_, cell)| *cell).collect();
    let mut known: BTreeMap<usize, Option<OneSided>> = BTreeMap::new();
    for found in cell.metrics.values_mut() {
        let sessions = found.window.as_ref().map_or(1, |window| window.sessions);
        let why = known.entry(sessions).or_insert_with(|| {
            let first = stored.len().saturating_sub(sessions);
            one_sided::apart(stored.get(first..).unwrap_or_default(), new)
        });
        found.one_sided.clone_from(why);
    }
}

fn compare_cell(baseline: &CellMeasurements, candidate: &CellMeasurements) -> CellComparison {
    let tokens = baseline.output_tokens_mean.zip(candidate.output_tokens_mean);
    let drift = tokens
        .map(|(old, new)| new / old - 1.0)
        .filter(|drift| drift.is_finite());
    let series =
        |cell: &CellMeasurements, metric: Metric| Side::of(cell.series.get(&metric).map_or(&[], Vec::as_slice));
    let told = baseline.series.keys().chain(candidate.series.keys());
    let told: BTreeSet<Metric> = told
        .copied()
        .filter(|metric| matches!(metric, Metric::Told(_)))
        .collect();
    let metrics = Metric::ALL.into_iter().chain(told).map(|metric| {
        let sides = (series(baseline, metric), series(candidate, metric));
        (metric, compare_metric(sides.0, sides.1))
    });
    CellComparison {
        name: candidate.name.clone(),
        token_drift: drift,
        token_counts: baseline.token_counts.zip(candidate.token_counts),
        work: WorkComparison {
            baseline: baseline.work.clone(),
            candidate: candidate.work.clone(),
        },
        unpaired: None,
        one_sided: None,
        stated_memory_gb: baseline.stated_memory_gb.zip(candidate.stated_memory_gb),
        answer: answer_of(&candidate.load),
        metrics: metrics.collect(),
    }
}

/// The only metric that a cell has whose runs are searches.
pub const fn answer_of(load: &Load) -> Option<Metric> {
    let Load::Capacity(search) = load else { return None };
    Some(match search.axis {
        Axis::Rate(_) => Metric::MaxRateUnderSlo,
        Axis::Concurrency => Metric::MaxConcurrencyUnderSlo,
    })
}

fn compare_metric(baseline: Side, candidate: Side) -> MetricComparison {
    let mut found = MetricComparison {
        baseline,
        candidate,
        ..MetricComparison::default()
    };
    if found.is_complete() {
        let (old, new) = (&found.baseline, &found.candidate);
        let means = old.geometric_mean().zip(new.geometric_mean());
        found.ratio = means.map(|(old, new)| new / old);
    }
    found
}

#[cfg(test)]
mod tests;

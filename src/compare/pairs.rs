//! Two arms measured in alternation: run `i` of both makes pair `i`, and each pair has one log-ratio.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    CellComparison, Change, MetricComparison, Noise, PairNoise,
    change::{Prior, PriorFrom, RUN_SD_FLOOR},
};
use crate::{
    measure::CellMeasurements,
    metric::{Better, Metric},
    session::Pairing,
    stats::{
        moments::variance,
        real,
        variance_prior::{SampleVariance, fit},
    },
};

/// The newest measurements that make a prior, at most.
const MEASUREMENTS: usize = 30;
/// The most degrees of freedom that a prior is worth.
const PRIOR_DF: f64 = 50.0;
/// What the noise of other cells is worth for this one, for each of its degrees of freedom.
const OTHER_CELLS: f64 = 0.5;

/// Both cells with the runs that make pairs, in the order of the pairs; a run whose partner was never made is left out.
pub(super) fn matched<'a>(
    old: &'a CellMeasurements,
    new: &'a CellMeasurements,
) -> (Cow<'a, CellMeasurements>, Cow<'a, CellMeasurements>) {
    // An arm without any run is told as such.
    if old.repeats == new.repeats || old.repeats.is_empty() || new.repeats.is_empty() {
        return (Cow::Borrowed(old), Cow::Borrowed(new));
    }
    let places = |cell: &CellMeasurements| -> BTreeMap<u32, usize> { cell.repeats.iter().copied().zip(0..).collect() };
    let (in_old, in_new) = (places(old), places(new));
    let both = in_old
        .iter()
        .filter_map(|(repeat, at)| Some((*at, *in_new.get(repeat)?)));
    let (in_old, in_new): (Vec<usize>, Vec<usize>) = both.unzip();
    (Cow::Owned(old.with_runs(&in_old)), Cow::Owned(new.with_runs(&in_new)))
}

/// Why no pair is whole, where both arms have runs and none of one pair: in words.
pub(super) fn unpaired(old: &CellMeasurements, new: &CellMeasurements) -> Option<String> {
    let shared = old.repeats.iter().any(|repeat| new.repeats.contains(repeat));
    let is_so = !(shared || old.repeats.is_empty() || new.repeats.is_empty());
    is_so.then(|| {
        format!(
            "no pair is whole: the baseline has runs of {}, the candidate of {}; give both files as one measurement wrote \
             them, or measure again with `perfgate gate --ab`",
            pairs_in_words(&old.repeats),
            pairs_in_words(&new.repeats)
        )
    })
}

/// Counted from 1 (`pair 3`, `pairs 1, 2`).
fn pairs_in_words(repeats: &[u32]) -> String {
    let mut numbers: Vec<u32> = repeats.iter().map(|repeat| repeat.saturating_add(1)).collect();
    numbers.sort_unstable();
    let noun = if numbers.len() == 1 { "pair" } else { "pairs" };
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    format!("{noun} {}", numbers.join(", "))
}

/// Gives every metric of every cell its change, with what is known of the noise before these pairs.
pub(super) fn fill(cells: &mut [CellComparison], pairing: &Pairing, noise: &PairNoise) {
    let differences: Vec<BTreeMap<Metric, Vec<f64>>> = cells.iter().map(of_cell).collect();
    let changes: Vec<Vec<(Metric, Option<Change>)>> = (0..)
        .zip(cells.iter().zip(&differences))
        .map(|(place, (cell, own))| {
            let change = |(metric, pairs): (&Metric, &Vec<f64>)| {
                let prior =
                    earlier(&cell.name, *metric, pairing, noise).or_else(|| other_cells(place, *metric, &differences));
                (*metric, Change::of_pairs(pairs, prior))
            };
            own.iter().map(change).collect()
        })
        .collect();
    for (cell, changes) in cells.iter_mut().zip(changes) {
        for (metric, change) in changes {
            if let Some(found) = cell.metrics.get_mut(&metric) {
                found.change = change;
            }
        }
    }
}

fn of_cell(cell: &CellComparison) -> BTreeMap<Metric, Vec<f64>> {
    let of = |(metric, found): (&Metric, &MetricComparison)| Some((*metric, log_ratios(*metric, found)?));
    cell.metrics.iter().filter_map(of).collect()
}

/// One a pair, above zero for worse; `None` where a run has no value or one of which no ratio can be made.
fn log_ratios(metric: Metric, found: &MetricComparison) -> Option<Vec<f64>> {
    found.ratio?;
    let pairs = found.baseline.values.iter().zip(&found.candidate.values);
    let worse = |(old, new): (&f64, &f64)| match metric.better() {
        Better::Lower => (new / old).ln(),
        Better::Higher => (old / new).ln(),
    };
    Some(pairs.map(worse).collect())
}

/// The prior of earlier A/B measurements of this cell, cut into as many blocks.
fn earlier(cell: &str, metric: Metric, pairing: &Pairing, noise: &PairNoise) -> Option<Prior> {
    let mut same: Vec<_> = noise
        .0
        .iter()
        .filter(|one| one.cell == cell && one.metric == metric && one.blocks == pairing.blocks && one.id != pairing.id)
        .collect();
    same.sort_by_key(|one| std::cmp::Reverse(one.measured_unix_s));
    let newest = same.into_iter().take(MEASUREMENTS).map(|one| SampleVariance {
        variance: one.variance,
        df: f64::from(one.df),
    });
    let sound = |one: &SampleVariance| one.variance >= 0.0 && one.variance.is_finite() && one.df > 0.0;
    let newest: Vec<SampleVariance> = newest.filter(sound).collect();
    let fitted = fit(&newest, RUN_SD_FLOOR, PRIOR_DF)?;
    Some(Prior {
        variance: fitted.variance,
        df: fitted.df,
        from: PriorFrom::Measurements(newest.len()),
    })
}

/// Where there is no earlier measurement: the other cells of this one, each degree of freedom for half.
///
/// `None` where they are quieter than the cell itself: a noisy cell among quiet ones would look surer than it is, and
/// block without a cause.
fn other_cells(place: usize, metric: Metric, cells: &[BTreeMap<Metric, Vec<f64>>]) -> Option<Prior> {
    let others = cells.iter().enumerate().filter(|(at, _)| *at != place);
    let samples = others.filter_map(|(_, cell)| {
        let pairs = cell.get(&metric)?;
        Some((variance(pairs)?.max(RUN_SD_FLOOR.powi(2)), real(pairs.len() - 1)))
    });
    let samples: Vec<(f64, f64)> = samples.collect();
    let df: f64 = samples.iter().map(|(_, df)| df).sum();
    let pooled = samples.iter().map(|(variance, df)| variance * df).sum::<f64>() / df;
    let own = cells.get(place)?.get(&metric).and_then(|pairs| variance(pairs));
    let is_cautious = own.is_none_or(|own| pooled >= own);
    (df > 0.0 && is_cautious).then(|| Prior {
        variance: pooled,
        df: (df * OTHER_CELLS).min(PRIOR_DF),
        from: PriorFrom::OtherCells(samples.len()),
    })
}

/// Pairs of the cell that has fewest.
pub(super) fn fewest(cells: &[CellComparison]) -> usize {
    let runs = |found: &MetricComparison| found.baseline.runs.min(found.candidate.runs);
    let pairs = cells
        .iter()
        .map(|cell| cell.metrics.values().map(runs).max().unwrap_or(0));
    pairs.min().unwrap_or(0)
}

/// Sample variance of a metric's pairs and its degrees of freedom, as later measurements want to know it; `None` below
/// two pairs.
pub(super) fn own_noise(found: &MetricComparison) -> Option<(f64, u32)> {
    let change = found.change?;
    let df = u32::try_from(change.n_candidate)
        .ok()?
        .checked_sub(1)
        .filter(|df| *df > 0)?;
    match change.noise {
        Noise::Paired { sample, .. } => Some((sample.variance, df)),
        Noise::Stored(_) => None,
    }
}

#[cfg(test)]
mod tests;

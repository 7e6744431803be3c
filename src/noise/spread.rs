//! How far apart the figures of one metric in one cell lie, all on the log scale: between the runs of a session, between
//! sessions, and of a pair measured in alternation.

use std::collections::BTreeMap;

use super::{HalvesSpread, Material, halves, same_level};
use crate::{
    compare::change::RUN_SD_FLOOR,
    history::values,
    measure::{CellMeasurements, Measurements},
    metric::{Better, Metric},
    stats::{
        change_point,
        moments::{mean, variance},
        real,
    },
};

/// From so many sessions on their means tell how far sessions lie apart.
const SESSIONS: usize = 3;

/// How far apart the figures of one metric in one cell lie, as standard deviations of the logarithm (0.02 ≈ 2 %).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// Runs behind it.
    pub runs: usize,
    /// Runs of a session, in the middle.
    pub runs_a_session: f64,
    /// Between the runs of one session.
    pub between_runs: Option<f64>,
    /// Between sessions, that of their runs taken off; `None` below three sessions.
    pub between_sessions: Option<f64>,
    /// How alike neighbouring runs are, from −1 to 1: above zero there is slow drift, which pairs take off.
    pub lag1: Option<f64>,
    /// Of pairs, by the blocks that they were cut into, fewest first.
    pub pairs: Vec<PairSpread>,
    /// Of half the requests of pairs that were measured in blocks, put together into fewer, fewest first.
    pub halves: Vec<HalvesSpread>,
}

/// How far apart the log-ratios of pairs lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairSpread {
    /// Into how many blocks each pair was cut; 1: whole runs.
    pub blocks: u32,
    /// Standard deviation.
    pub sd: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// Where it comes from.
    pub from: PairsFrom,
}

/// Where the noise of a pair comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairsFrom {
    /// From measurements in alternation.
    Measured,
    /// From neighbouring runs of sessions: what pairs of whole runs would show.
    Neighbours,
}

impl Spread {
    pub(super) fn of(material: &Material, cell: &CellMeasurements, metric: Metric) -> Self {
        let all = material.sessions.iter();
        let sessions: Vec<Vec<f64>> = all.filter_map(|session| logs(session, cell, metric)).collect();
        let runs: Vec<f64> = sessions.iter().map(|session| real(session.len())).collect();
        let between = between_runs(&sessions);
        Self {
            runs: sessions.iter().map(Vec::len).sum(),
            runs_a_session: mean(&runs).unwrap_or(0.0),
            between_runs: between.map(f64::sqrt),
            between_sessions: between
                .and_then(|between| between_sessions(&sessions, between))
                .map(f64::sqrt),
            lag1: lag1(&sessions),
            pairs: pairs(material, cell, metric),
            halves: halves::spreads(&material.halves, cell, metric),
        }
    }

    /// What to plan with: pairs cut into as many blocks, or else those of which most is known, never smaller than the
    /// noise that a gate assumes at least.
    pub(super) fn planned(&self, blocks: u32) -> Option<PairSpread> {
        let same = self.pairs.iter().find(|pair| pair.blocks == blocks);
        let best = || self.pairs.iter().max_by(|one, other| one.df.total_cmp(&other.df));
        same.or_else(best).map(|pair| PairSpread {
            sd: pair.sd.max(RUN_SD_FLOOR),
            ..*pair
        })
    }

    /// How many times fewer pairs blocks need for the same certainty: `(blocks, times)`, against whole runs.
    pub fn gain_of_blocks(&self) -> Vec<(u32, f64)> {
        gains(self.pairs.iter().map(|pair| (pair.blocks, pair.sd)))
    }

    /// The same by the halves of the pairs.
    pub fn gain_of_halves(&self) -> Vec<(u32, f64)> {
        gains(self.halves.iter().map(|pair| (pair.blocks, pair.sd)))
    }
}

/// From blocks and standard deviations, those of whole runs among them.
fn gains(all: impl Iterator<Item = (u32, f64)> + Clone) -> Vec<(u32, f64)> {
    let Some((_, whole)) = all.clone().find(|(blocks, _)| *blocks == 1) else {
        return Vec::new();
    };
    let cut = all.filter(|(blocks, sd)| *blocks > 1 && *sd > 0.0);
    cut.map(|(blocks, sd)| (blocks, (whole / sd).powi(2))).collect()
}

/// At which session the level of a metric changed last; `None` where it never did.
pub(super) fn last_step(sessions: &[Measurements], cell: &CellMeasurements, metric: Metric) -> Option<usize> {
    let levels = sessions.iter().enumerate().filter_map(|(at, session)| {
        let level = level(same_level(session, cell)?, metric)?;
        Some((at, level.ln()))
    });
    let (places, levels): (Vec<usize>, Vec<f64>) = levels.unzip();
    let start = *change_point::segments(&levels)?.starts.last()?;
    places.get(start).copied()
}

/// Geometric mean of a cell's runs, where every run has a value.
pub(super) fn level(cell: &CellMeasurements, metric: Metric) -> Option<f64> {
    let logs: Vec<f64> = values(cell, metric)?.iter().map(|value| value.ln()).collect();
    mean(&logs).map(f64::exp)
}

/// Pooled variance of the runs around their session's mean.
fn between_runs(sessions: &[Vec<f64>]) -> Option<f64> {
    let each = sessions
        .iter()
        .filter_map(|logs| Some((variance(logs)?, real(logs.len() - 1))));
    let (sum, df) = each.fold((0.0, 0.0), |(sum, all), (variance, df)| (sum + variance * df, all + df));
    (df > 0.0).then(|| sum / df)
}

/// Variance of the sessions' means beyond what their runs explain.
fn between_sessions(sessions: &[Vec<f64>], between_runs: f64) -> Option<f64> {
    let means: Vec<f64> = sessions.iter().filter_map(|logs| mean(logs)).collect();
    let shares: Vec<f64> = sessions.iter().map(|logs| 1.0 / real(logs.len())).collect();
    let explained = between_runs * mean(&shares)?;
    let all = variance(&means).filter(|_| means.len() >= SESSIONS)?;
    Some((all - explained).max(0.0))
}

/// Autocorrelation of neighbouring runs around their session's mean, pooled; `None` where nothing varies.
fn lag1(sessions: &[Vec<f64>]) -> Option<f64> {
    let (mut products, mut squares) = (0.0, 0.0);
    for logs in sessions.iter().filter(|logs| logs.len() >= 3) {
        let centre = mean(logs)?;
        let off: Vec<f64> = logs.iter().map(|log| log - centre).collect();
        products += off
            .iter()
            .zip(off.iter().skip(1))
            .map(|(one, next)| one * next)
            .sum::<f64>();
        squares += off.iter().map(|one| one * one).sum::<f64>();
    }
    (squares > 0.0).then(|| products / squares)
}

/// Sums of squares and degrees of freedom by blocks.
type ByBlocks = BTreeMap<u32, (f64, f64)>;

fn pairs(material: &Material, cell: &CellMeasurements, metric: Metric) -> Vec<PairSpread> {
    let mut measured = ByBlocks::new();
    let mut add = |blocks: u32, variance: f64, df: f64| {
        let sum = measured.entry(blocks).or_default();
        *sum = (sum.0 + variance * df, sum.1 + df);
    };
    for (baseline, candidate) in &material.pairs {
        let blocks = candidate.pairing.as_ref().map_or(1, |pairing| pairing.blocks);
        let both = same_level(baseline, cell).zip(same_level(candidate, cell));
        let differences = both.map_or_else(Vec::new, |(old, new)| log_ratios(old, new, metric));
        if let Some(variance) = variance(&differences) {
            add(blocks, variance, real(differences.len() - 1));
        }
    }
    let is_here = |id: &str| {
        let own = |(_, candidate): &(Measurements, Measurements)| {
            candidate.pairing.as_ref().is_some_and(|pairing| pairing.id == id)
        };
        material.pairs.iter().any(own)
    };
    let known = material
        .known
        .0
        .iter()
        .filter(|one| one.cell == cell.name && one.metric == metric);
    for one in known.filter(|one| !is_here(&one.id)) {
        add(one.blocks, one.variance, f64::from(one.df));
    }
    let spread = |(blocks, (sum, df)): (u32, (f64, f64))| PairSpread {
        blocks,
        sd: (sum / df).sqrt(),
        df,
        from: PairsFrom::Measured,
    };
    let mut found: Vec<PairSpread> = measured
        .into_iter()
        .filter(|(_, (_, df))| *df > 0.0)
        .map(spread)
        .collect();
    if !found.iter().any(|pair| pair.blocks == 1) {
        found.splice(0..0, neighbours(&in_whole_runs(material, cell, metric)));
    }
    found
}

/// The runs of the sessions that were not cut into blocks: neighbours of others are no whole runs.
fn in_whole_runs(material: &Material, cell: &CellMeasurements, metric: Metric) -> Vec<Vec<f64>> {
    let is_whole = |session: &&Measurements| session.pairing.as_ref().is_none_or(|pairing| pairing.blocks <= 1);
    let whole = material.sessions.iter().filter(is_whole);
    whole.filter_map(|session| logs(session, cell, metric)).collect()
}

fn logs(session: &Measurements, cell: &CellMeasurements, metric: Metric) -> Option<Vec<f64>> {
    let values = values(same_level(session, cell)?, metric)?;
    Some(values.iter().map(|value| value.ln()).collect())
}

/// Worse is above zero; one for each pair of which both runs are there and have a value.
pub(super) fn log_ratios(old: &CellMeasurements, new: &CellMeasurements, metric: Metric) -> Vec<f64> {
    let runs = |cell: &CellMeasurements| -> BTreeMap<u32, f64> {
        let series = cell.series.get(&metric).into_iter().flatten();
        let values = cell.repeats.iter().zip(series);
        values
            .filter_map(|(repeat, value)| Some((*repeat, value.as_ref().ok()?.value)))
            .collect()
    };
    let new = runs(new);
    let ratio = |(repeat, old): (u32, f64)| worse(metric, old, *new.get(&repeat)?);
    runs(old).into_iter().filter_map(ratio).collect()
}

/// The log-ratio of two values, above zero for worse; `None` where there is none.
pub(super) fn worse(metric: Metric, old: f64, new: f64) -> Option<f64> {
    let ratio = match metric.better() {
        Better::Lower => new / old,
        Better::Higher => old / new,
    };
    Some(ratio.ln()).filter(|log| log.is_finite())
}

/// The same of one session.
pub(super) fn neighbours_of(session: &Measurements, cell: &CellMeasurements, metric: Metric) -> Option<PairSpread> {
    neighbours(&[logs(session, cell, metric)?])
}

/// What pairs of whole runs would show, from neighbouring runs of one session.
///
/// The mean square of the steps; n steps are worth two thirds of n degrees of freedom (von Neumann et al. 1941).
fn neighbours(sessions: &[Vec<f64>]) -> Option<PairSpread> {
    let steps: Vec<f64> = sessions
        .iter()
        .flat_map(|logs| logs.iter().zip(logs.iter().skip(1)))
        .map(|(one, next)| (next - one).powi(2))
        .collect();
    let df = real(steps.len()) * 2.0 / 3.0;
    Some(PairSpread {
        blocks: 1,
        sd: mean(&steps)?.sqrt(),
        df,
        from: PairsFrom::Neighbours,
    })
}

//! What is known besides the two sessions: earlier sessions of the baseline, and the noise of earlier pairs.

use super::{Comparison, pairs};
use crate::{measure::Measurements, metric::Metric};

/// What is known besides the two sessions that are compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Background {
    /// Older sessions of the baseline, oldest first; the newest is the baseline itself.
    pub history: Vec<Measurements>,
    /// How far apart the pairs of earlier A/B measurements lay, on this machine and plan.
    pub pair_noise: PairNoise,
}

/// The variances of pairs in earlier A/B measurements; they do not depend on whether anything changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairNoise(pub Vec<PairVariance>);

impl PairNoise {
    /// The noise that a comparison in pairs showed, for later ones to know; nothing of sessions measured apart.
    pub fn of(comparison: &Comparison, id: &str, measured_unix_s: u64) -> Self {
        let Design::Paired { blocks, .. } = comparison.design else {
            return Self::default();
        };
        let cells = comparison.cells.iter().flat_map(|cell| {
            let samples = cell
                .metrics
                .iter()
                .filter_map(|(metric, found)| Some((*metric, pairs::own_noise(found)?)));
            samples.map(|(metric, (variance, df))| PairVariance {
                id: id.to_owned(),
                measured_unix_s,
                cell: cell.name.clone(),
                metric,
                blocks,
                variance,
                df,
            })
        });
        Self(cells.collect())
    }
}

/// How far apart the pairs of one metric in one cell of one A/B measurement lay.
#[derive(Clone, Debug, PartialEq)]
pub struct PairVariance {
    /// The measurement ([`crate::session::Pairing::id`]).
    pub id: String,
    /// When it was made, seconds since 1970 UTC.
    pub measured_unix_s: u64,
    /// Cell name.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// Into how many blocks each pair was cut: more blocks, less noise.
    pub blocks: u32,
    /// Sample variance of the log-ratios of the pairs.
    pub variance: f64,
    /// Its degrees of freedom: pairs − 1.
    pub df: u32,
}

/// How the two sessions were measured, which decides what noise lies between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Design {
    /// Each on its own, at another time: the sessions differ too, not only the runs.
    Apart {
        /// Stored sessions behind the baseline, the newest included.
        sessions: usize,
    },
    /// In alternation.
    Paired {
        /// Pairs whose runs are all there.
        pairs: u32,
        /// After how many pairs the gate looks, rising.
        looks: Vec<u32>,
        /// Into how many blocks each pair was cut; 1: whole runs.
        blocks: u32,
    },
}

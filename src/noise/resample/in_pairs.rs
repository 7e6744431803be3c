//! A/B measurements put together from pairs: each drawn at random, its arms changed at random, judged look by look.

use std::collections::BTreeMap;

use super::{Resampled, with_series};
use crate::{
    compare::{Background, PairNoise, PairVariance, compare},
    measure::{CellMeasurements, Measurements, RunValue},
    metric::Metric,
    noise::{
        Looks, Material, same_level,
        spread::{neighbours_of, worse},
    },
    session::{PairArm, Pairing},
    stats::draws::Draws,
    verdict::{Limit, Policy, Verdict, judge},
};

/// One pair of one cell: the runs of both arms, `(metric, baseline, candidate)`.
type Pair = Vec<(Metric, RunValue, RunValue)>;

/// A cell with the pairs that can be drawn, and which blocking metrics have a limit that a ratio can break.
struct Drawn<'a> {
    cell: &'a CellMeasurements,
    pairs: Vec<Pair>,
}

pub(super) struct InPairs<'a> {
    cells: Vec<Drawn<'a>>,
    policy: &'a Policy,
    looks: &'a Looks,
    pub(super) background: Background,
    pub(super) from: Resampled,
}

impl<'a> InPairs<'a> {
    /// `None` where a cell has fewer than three pairs.
    pub(super) fn of(material: &'a Material, policy: &'a Policy, looks: &'a Looks) -> Option<Self> {
        let newest = material
            .sessions
            .last()
            .or(material.pairs.last().map(|(baseline, _)| baseline))?;
        let measured = !material.pairs.is_empty();
        let cells: Vec<Drawn<'a>> = newest
            .cells
            .iter()
            .filter(|cell| cell.skipped.is_none())
            .map(|cell| Drawn {
                cell,
                pairs: if measured {
                    measured_pairs(material, cell, policy)
                } else {
                    neighbours(material, cell, policy)
                },
            })
            .collect();
        let pairs = cells
            .iter()
            .map(|drawn| drawn.pairs.len())
            .min()
            .filter(|fewest| *fewest >= 3)?;
        let pair_noise = prior(material, &cells, policy, looks.blocks);
        Some(Self {
            cells,
            policy,
            looks,
            background: Background {
                history: Vec::new(),
                pair_noise,
            },
            from: Resampled::Pairs { pairs, measured },
        })
    }

    pub(super) fn blocked(&self, resamples: u32, seed: u64) -> u32 {
        let mut draws = Draws::new(seed);
        let blocks = |_: &u32| self.draw(&mut draws).is_some_and(|drawn| self.is_blocked(&drawn));
        u32::try_from((0..resamples).filter(blocks).count()).unwrap_or(u32::MAX)
    }

    /// For each cell, as many pairs as the last look has: which one, and whether its arms change places.
    pub(super) fn draw(&self, draws: &mut Draws) -> Option<Vec<Vec<(usize, bool)>>> {
        let most = self.looks.pairs.last().copied().unwrap_or(0);
        let of_cell = |drawn: &Drawn<'_>| -> Option<Vec<(usize, bool)>> {
            (0..most)
                .map(|_| Some((draws.below(drawn.pairs.len())?, draws.coin())))
                .collect()
        };
        self.cells.iter().map(of_cell).collect()
    }

    /// As the gate does, which ends at the first look that is settled: a look at which it blocks, after none that was.
    fn is_blocked(&self, drawn: &[Vec<(usize, bool)>]) -> bool {
        let verdict = |look: u32| {
            let [baseline, candidate] = self.arms(drawn, look);
            judge(&compare(&baseline, &candidate, &self.background), self.policy).verdict
        };
        let mut beyond = self.looks_beyond(drawn).into_iter();
        let Some(blocks) = beyond.find(|look| verdict(*look) == Verdict::Regression) else {
            return false;
        };
        let mut earlier = self.looks.pairs.iter().take_while(|look| **look < blocks);
        earlier.all(|look| verdict(*look) == Verdict::Inconclusive)
    }

    /// The looks at which the mean of any blocking metric lies beyond its limit: at no other does the rule block, as it asks
    /// for more than that. Saves nine judgements of ten.
    pub(super) fn looks_beyond(&self, drawn: &[Vec<(usize, bool)>]) -> Vec<u32> {
        let is_beyond = |look: &&u32| {
            self.cells.iter().zip(drawn).any(|(cell, places)| {
                let mut gates = self.policy.gates.iter();
                gates.any(|(metric, gate)| {
                    let Limit::Relative(_) = gate.limit else { return true };
                    let Some(limit) = gate.limit.log(metric.better(), None) else {
                        return true;
                    };
                    let pairs = (0..**look).zip(places);
                    let sum: f64 = pairs
                        .map(|(_, (place, turned))| {
                            cell.log_ratio(*metric, *place).unwrap_or(0.0) * if *turned { -1.0 } else { 1.0 }
                        })
                        .sum();
                    sum / f64::from(**look) > limit
                })
            })
        };
        self.looks.pairs.iter().filter(is_beyond).copied().collect()
    }

    pub(super) fn arms(&self, drawn: &[Vec<(usize, bool)>], look: u32) -> [Measurements; 2] {
        [PairArm::Baseline, PairArm::Candidate].map(|arm| {
            let cells = self
                .cells
                .iter()
                .zip(drawn)
                .map(|(cell, places)| cell.arm(arm, places, look));
            Measurements {
                commit: None,
                started_unix_s: 0,
                pairing: Some(Pairing {
                    id: "resampled".into(),
                    arm,
                    looks: self.looks.pairs.clone(),
                    blocks: self.looks.blocks,
                    remeasured: Vec::new(),
                    stopped_early: None,
                }),
                cells: cells.collect(),
            }
        })
    }
}

impl Drawn<'_> {
    fn log_ratio(&self, metric: Metric, place: usize) -> Option<f64> {
        let (_, old, new) = self.pairs.get(place)?.iter().find(|(own, ..)| *own == metric)?;
        worse(metric, old.as_ref().ok()?.value, new.as_ref().ok()?.value)
    }

    /// One arm of this cell with the first pairs that were drawn.
    fn arm(&self, arm: PairArm, places: &[(usize, bool)], look: u32) -> CellMeasurements {
        let chosen: Vec<_> = places.iter().zip(0..look).map(|(place, _)| place).collect();
        let mut series: BTreeMap<Metric, Vec<RunValue>> = BTreeMap::new();
        for (place, turned) in chosen {
            for (metric, old, new) in self.pairs.get(*place).into_iter().flatten() {
                let is_old = (arm == PairArm::Baseline) != *turned;
                let run = if is_old { old } else { new };
                series.entry(*metric).or_default().push(run.clone());
            }
        }
        with_series(self.cell, series, (0..look).collect())
    }
}

/// What a gate would know of the noise of pairs here: each measurement of this material, or each session, counts as an
/// earlier one.
fn prior(material: &Material, cells: &[Drawn<'_>], policy: &Policy, blocks: u32) -> PairNoise {
    let known = material.known.0.iter().filter(|one| one.blocks == blocks).cloned();
    let measured = (0_u32..)
        .zip(&material.pairs)
        .flat_map(|(number, (baseline, candidate))| {
            let comparison = compare(baseline, candidate, &Background::default());
            let noise = PairNoise::of(&comparison, &format!("measurement {number}"), 0);
            noise.0.into_iter().map(|one| PairVariance { blocks, ..one })
        });
    let mut all: Vec<PairVariance> = known.chain(measured).collect();
    if material.pairs.is_empty() {
        all.extend(
            cells
                .iter()
                .flat_map(|drawn| of_neighbours(material, drawn.cell, policy, blocks)),
        );
    }
    PairNoise(all)
}

fn of_neighbours(material: &Material, cell: &CellMeasurements, policy: &Policy, blocks: u32) -> Vec<PairVariance> {
    let sessions = (0_u32..).zip(&material.sessions);
    let each = sessions.flat_map(|(number, session)| policy.gates.keys().map(move |metric| (number, session, *metric)));
    let known = each.filter_map(|(number, session, metric)| {
        let spread = neighbours_of(session, cell, metric)?;
        Some(PairVariance {
            id: format!("session {number}"),
            measured_unix_s: 0,
            cell: cell.name.clone(),
            metric,
            blocks,
            variance: spread.sd.powi(2),
            df: whole(spread.df),
        })
    });
    known.filter(|one| one.df > 0).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "degrees of freedom, never negative and far below 2^32"
)]
fn whole(df: f64) -> u32 {
    df.floor() as u32
}

/// The blocking series of one run.
fn runs_at<'a>(
    cell: &'a CellMeasurements,
    place: usize,
    policy: &'a Policy,
) -> impl Iterator<Item = (Metric, &'a RunValue)> {
    let metrics = policy.gates.keys();
    metrics.filter_map(move |metric| Some((*metric, cell.series.get(metric)?.get(place)?)))
}

fn pair(old: (&CellMeasurements, usize), new: (&CellMeasurements, usize), policy: &Policy) -> Pair {
    let others: Vec<_> = runs_at(new.0, new.1, policy).collect();
    runs_at(old.0, old.1, policy)
        .filter_map(|(metric, run)| {
            let (_, other) = others.iter().find(|(own, _)| *own == metric)?;
            Some((metric, run.clone(), (*other).clone()))
        })
        .collect()
}

fn measured_pairs(material: &Material, cell: &CellMeasurements, policy: &Policy) -> Vec<Pair> {
    let both = material
        .pairs
        .iter()
        .filter_map(|(baseline, candidate)| same_level(baseline, cell).zip(same_level(candidate, cell)));
    let pairs = both.flat_map(|(old, new)| {
        let fewest = old.repeats.len().min(new.repeats.len());
        (0..fewest).map(move |place| pair((old, place), (new, place), policy))
    });
    pairs.collect()
}

/// Neighbouring runs of a session, each in one pair.
fn neighbours(material: &Material, cell: &CellMeasurements, policy: &Policy) -> Vec<Pair> {
    let sessions = material.sessions.iter().filter_map(|session| same_level(session, cell));
    let pairs = sessions.flat_map(|own| {
        let firsts = (0..own.repeats.len().saturating_sub(1)).step_by(2);
        firsts.map(move |first| pair((own, first), (own, first + 1), policy))
    });
    pairs.collect()
}

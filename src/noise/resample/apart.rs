//! Stored baselines put together from sessions: one is the candidate, with its runs drawn anew, the others are the window.

use super::with_series;
use crate::{
    compare::{Background, PairNoise, Scale, compare},
    measure::{CellMeasurements, Measurements},
    noise::{
        Material, same_level,
        spread::{level, worse},
    },
    stats::{draws::Draws, real},
    verdict::{Limit, Policy, Verdict, judge},
};

/// Sessions measured alone, as the rule of stored baselines sees them.
pub(super) struct Apart<'a> {
    pub(super) sessions: Vec<Measurements>,
    /// For each candidate: the baseline's place and its window.
    pub(super) backgrounds: Vec<(usize, Background)>,
    policy: &'a Policy,
}

impl<'a> Apart<'a> {
    /// `None` below two sessions.
    pub(super) fn of(material: &Material, policy: &'a Policy) -> Option<Self> {
        let trimmed = |session: &Measurements| Measurements {
            commit: None,
            started_unix_s: session.started_unix_s,
            pairing: None,
            cells: session.cells.iter().map(|cell| gated_only(cell, policy)).collect(),
        };
        let sessions: Vec<Measurements> = material.sessions.iter().map(trimmed).collect();
        let last = sessions.len().checked_sub(1).filter(|last| *last > 0)?;
        let backgrounds = (0..=last).map(|candidate| {
            let baseline = if candidate == last { last - 1 } else { last };
            let others = sessions
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != candidate && *place != baseline);
            let history = others.map(|(_, session)| session.clone()).collect();
            (
                baseline,
                Background {
                    history,
                    pair_noise: PairNoise::default(),
                },
            )
        });
        Some(Self {
            backgrounds: backgrounds.collect(),
            sessions,
            policy,
        })
    }

    pub(super) fn blocked(&self, resamples: u32, seed: u64) -> u32 {
        let mut draws = Draws::new(seed);
        let blocks = |_: &u32| self.is_blocked(&mut draws).unwrap_or(false);
        u32::try_from((0..resamples).filter(blocks).count()).unwrap_or(u32::MAX)
    }

    fn is_blocked(&self, draws: &mut Draws) -> Option<bool> {
        let place = draws.below(self.sessions.len())?;
        let session = self.sessions.get(place)?;
        let mut candidate = Measurements {
            cells: Vec::with_capacity(session.cells.len()),
            ..session.clone()
        };
        for cell in &session.cells {
            let runs = cell.repeats.len();
            let places: Option<Vec<usize>> = (0..runs).map(|_| draws.below(runs)).collect();
            candidate.cells.push(cell.with_runs(&places?));
        }
        if !self.could_block(place, &candidate) {
            return Some(false);
        }
        let (baseline, background) = self.backgrounds.get(place)?;
        let comparison = compare(self.sessions.get(*baseline)?, &candidate, background);
        Some(judge(&comparison, self.policy).verdict == Verdict::Regression)
    }

    /// Whether the candidate lies beyond a limit of any window that the others can make: the newest of them, and as many
    /// before it as there are.
    pub(super) fn could_block(&self, place: usize, candidate: &Measurements) -> bool {
        candidate.cells.iter().any(|cell| {
            self.policy.gates.iter().any(|(metric, gate)| {
                let Limit::Relative(_) = gate.limit else { return true };
                if !Scale::is_log_of(*metric) {
                    return true;
                }
                let Some(limit) = gate.limit.log(metric.better(), None) else {
                    return true;
                };
                let Some(own) = level(cell, *metric) else {
                    return false;
                };
                let others = self
                    .sessions
                    .iter()
                    .enumerate()
                    .rev()
                    .filter(|(other, _)| *other != place);
                let levels = others.filter_map(|(_, other)| level(same_level(other, cell)?, *metric));
                let (mut sum, mut count) = (0.0, 0_usize);
                levels.map(f64::ln).any(|level| {
                    sum += level;
                    count += 1;
                    worse(*metric, (sum / real(count)).exp(), own).is_some_and(|log| log > limit)
                })
            })
        })
    }
}

/// A cell with its blocking series alone.
fn gated_only(cell: &CellMeasurements, policy: &Policy) -> CellMeasurements {
    let gated = cell
        .series
        .iter()
        .filter(|(metric, _)| policy.gates.contains_key(metric));
    let series = gated.map(|(metric, runs)| (*metric, runs.clone())).collect();
    CellMeasurements {
        skipped: cell.skipped.clone(),
        ..with_series(cell, series, cell.repeats.clone())
    }
}

//! A against A: how far apart the figures of one server lie on this machine, what a gate can tell here, and how often it
//! would block a server against itself. Sessions in, findings out.
//!
//! | file | what lives there |
//! |---|---|
//! | `halves.rs` | what pairs in blocks would have shown in fewer of them |
//! | `spread.rs` | noise of each metric in each cell: between runs, between sessions, of a pair |
//! | `power.rs` | which change a gate finds with that noise, and how many pairs or repeats a limit needs |
//! | `resample.rs` | how often the real rule blocks a server against itself |
//! | `suggest.rs` | limits and looks that this machine can hold |

mod halves;
mod power;
mod resample;
mod spread;
mod suggest;
#[cfg(test)]
mod tests;

pub use halves::{Halves, HalvesSpread, halves};
pub use resample::{FalseBlocks, Resampled, false_blocks};
pub use spread::{PairSpread, PairsFrom, Spread};
pub use suggest::{Suggestion, suggest};

use self::power::Planned;
use crate::{
    compare::{Background, PairNoise, compare},
    measure::{CellMeasurements, Measurements},
    metric::Metric,
    session::{PairArm, Pairing},
    verdict::{Action, Gate, Policy, judge},
};

/// What one server showed, measured again and again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Material {
    /// Sessions measured alone, and baselines of A/B measurements, oldest first.
    pub sessions: Vec<Measurements>,
    /// Both arms of A/B measurements of a server against itself, baseline first.
    pub pairs: Vec<(Measurements, Measurements)>,
    /// What else is known of the noise of pairs.
    pub known: PairNoise,
    /// Arms of those measurements, put together from fewer blocks.
    pub halves: Vec<Halves>,
}

impl Material {
    /// Sorts sessions: arms of one measurement belong together, whatever else there is stands alone.
    pub fn of(mut sessions: Vec<Measurements>, known: PairNoise) -> Self {
        sessions.sort_by_key(|session| session.started_unix_s);
        let id = |session: &Measurements, arm: PairArm| {
            let pairing = session.pairing.as_ref().filter(|pairing| pairing.arm == arm);
            pairing.map(|pairing| pairing.id.clone())
        };
        let (candidates, sessions): (Vec<_>, Vec<_>) = sessions
            .into_iter()
            .partition(|session| id(session, PairArm::Candidate).is_some());
        let partner = |candidate: Measurements| {
            let is_its = |other: &&Measurements| Pairing::is_pair(other.pairing.as_ref(), candidate.pairing.as_ref());
            let baseline = sessions.iter().find(is_its)?.clone();
            Some((baseline, candidate))
        };
        Self {
            pairs: candidates.into_iter().filter_map(partner).collect(),
            sessions,
            known,
            halves: Vec::new(),
        }
    }

    /// The same with what is known of the blocks of its arms.
    #[must_use]
    pub fn with_halves(self, halves: Vec<Halves>) -> Self {
        Self { halves, ..self }
    }
}

impl Material {
    /// The same without the sessions before the last change of level of any of these metrics, and how many those were: a
    /// step is no noise.
    #[must_use]
    pub fn since_last_step(mut self, metrics: &[Metric]) -> (Self, usize) {
        let newest = self.sessions.last().map_or(&[][..], |session| &session.cells);
        let each = newest
            .iter()
            .flat_map(|cell| metrics.iter().map(move |metric| (cell, *metric)));
        let older = each
            .filter_map(|(cell, metric)| spread::last_step(&self.sessions, cell, metric))
            .max();
        let older = older.unwrap_or(0);
        self.sessions.drain(..older);
        (self, older)
    }
}

/// How an A/B measurement here would look, and cut its pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// After how many pairs, rising.
    pub pairs: Vec<u32>,
    /// Into how many blocks a pair is cut.
    pub blocks: u32,
}

/// What is known of the noise, and what a gate can do with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Sessions behind it.
    pub sessions: usize,
    /// A/B measurements of a server against itself behind it.
    pub measurements: usize,
    /// One for each gated metric of each cell that was measured, in plan order.
    pub rows: Vec<Row>,
    /// Gated metrics that only some runs of the newest session have, in words.
    pub missing: Vec<String>,
}

/// One gated metric of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Cell name.
    pub cell: String,
    /// The metric.
    pub metric: Metric,
    /// Its rule.
    pub gate: Gate,
    /// Geometric mean of the newest session's runs, in the metric's unit.
    pub level: f64,
    /// Its limit as a fraction of that.
    pub limit: f64,
    /// How far apart its figures lie.
    pub spread: Spread,
    /// The smallest change that an A/B measurement finds at each look with 80 % probability: `(pairs, fraction)`.
    pub found_at: Vec<(u32, f64)>,
    /// Pairs that find a change of twice the limit with 80 % probability; `None`: not in 500.
    pub pairs_to_find: Option<u32>,
    /// Pairs that show a change of just the limit to be real with 80 % probability.
    pub pairs_to_see: Option<u32>,
    /// Pairs that let an unchanged server pass with 80 % probability.
    pub pairs_to_pass: Option<u32>,
    /// Repeats a session with which an unchanged server passes against the stored ones with 80 % probability; `None`: the
    /// noise between sessions alone forbids it.
    pub repeats_to_pass: Option<u32>,
    /// The smallest change that the newest session would have been found with against the stored ones before it, with
    /// 80 % probability, as a fraction.
    pub stored_finds: Option<f64>,
    /// The limit on the log scale, and what is planned with.
    pub(crate) planned: Option<Planned>,
}

/// Looks at the noise of every gated metric in every cell of the newest session.
pub fn noise(material: &Material, policy: &Policy, looks: &Looks) -> Noise {
    let newest = material.sessions.last();
    let cells = newest.map_or(&[][..], |session| &session.cells);
    let gates = || policy.gates.iter().filter(|(_, gate)| gate.action != Action::Report);
    let each = cells
        .iter()
        .flat_map(|cell| gates().map(move |(metric, gate)| (cell, *metric, *gate)));
    let measured: Vec<_> = each
        .clone()
        .filter(|(cell, metric, _)| spread::level(cell, *metric).is_some())
        .collect();
    let blocking = measured.iter().filter(|(_, _, gate)| gate.action == Action::Block);
    let levels = power::Levels::of(policy, &looks.pairs, blocking.count());
    let stored = stored_finds(material, policy);
    let rows = measured.into_iter().filter_map(|(cell, metric, gate)| {
        let spread = Spread::of(material, cell, metric);
        let mut row = row(cell, (metric, gate), spread, (levels, looks))?;
        let same = |found: &&(String, Metric, f64)| found.0 == cell.name && found.1 == metric;
        row.stored_finds = stored.iter().find(same).map(|found| found.2);
        Some(row)
    });
    Noise {
        sessions: material.sessions.len(),
        measurements: material.pairs.len(),
        rows: rows.collect(),
        missing: each.filter_map(|(cell, metric, _)| missing(cell, metric)).collect(),
    }
}

/// Why a metric has no row though some runs have it: their noise is not that of all.
fn missing(cell: &CellMeasurements, metric: Metric) -> Option<String> {
    let runs = cell.series.get(&metric)?;
    let (run, why) = (1_usize..)
        .zip(runs)
        .find_map(|(run, value)| Some((run, value.as_ref().err()?)))?;
    let without = runs.iter().filter(|value| value.is_err()).count();
    (without < runs.len()).then(|| {
        format!(
            "{} at {} is left out: {without} of {} runs have no value (run {run}: {why})",
            metric.label(),
            cell.name,
            runs.len()
        )
    })
}

fn row(
    cell: &CellMeasurements,
    (metric, gate): (Metric, Gate),
    spread: Spread,
    (levels, looks): (Option<power::Levels>, &Looks),
) -> Option<Row> {
    let level = spread::level(cell, metric)?;
    let limit = gate.limit.log(metric.better(), Some(level))?;
    let planned = levels.zip(spread.planned(looks.blocks)).map(|(levels, pair)| Planned {
        limit,
        pair,
        levels,
        better: metric.better(),
    });
    let pairs = |holds: fn(&Planned, u32) -> bool| planned?.fewest(holds);
    Some(Row {
        found_at: planned.map_or_else(Vec::new, |planned| planned.found_at(&looks.pairs)),
        pairs_to_find: pairs(Planned::finds_twice),
        pairs_to_see: pairs(Planned::sees_limit),
        pairs_to_pass: pairs(Planned::passes),
        repeats_to_pass: power::repeats_to_pass(&spread, limit),
        stored_finds: None,
        cell: cell.name.clone(),
        metric,
        gate,
        level,
        limit: gate.limit.share(Some(level))?,
        spread,
        planned,
    })
}

/// What the rule of stored baselines says that it would find, the newest session against all before it.
fn stored_finds(material: &Material, policy: &Policy) -> Vec<(String, Metric, f64)> {
    let Some((newest, [history @ .., baseline])) = material.sessions.split_last() else {
        return Vec::new();
    };
    let background = Background {
        history: history.to_vec(),
        pair_noise: PairNoise::default(),
    };
    let alone = |session: &Measurements| Measurements {
        pairing: None,
        ..session.clone()
    };
    let judged = judge(&compare(&alone(baseline), &alone(newest), &background), policy);
    let found = judged.checks.into_iter().filter_map(|check| {
        let smallest = check.minimum_detectable_change?;
        Some((check.cell, check.metric, smallest))
    });
    found.collect()
}

/// The cell of a session that measured the same level.
fn same_level<'a>(session: &'a Measurements, cell: &CellMeasurements) -> Option<&'a CellMeasurements> {
    session.cells.iter().find(|other| other.is_same_level(cell))
}

//! The difference of two sides of captures, as two verdicts that are kept apart.
//!
//! *Structure* (which operators and kernels, how often, of which shapes, how many bytes) is exact: one capture of each side tells
//! it. *Time* is not: it is held against the spread between captures of one side, and with one capture nothing is said of it.

mod comparable;
mod counts;
mod judge;
mod keys;
mod structure;
mod time;
mod told;

pub use self::{
    comparable::Incomparable,
    keys::{Level, Row, level_of, times_of},
    structure::{Change, Changed, Counted, Structure},
    time::{Busy, Idle, TimeDiff, TimeRow, Values},
    told::Told,
};
use super::{Clock, Cut, OpTable, Phase, PhaseTable, Source};

/// What was measured when captures were made, as far as whoever compared them knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The cell whose load was sent.
    pub cell: Option<String>,
    /// The commit of each side, the good one first.
    pub commits: [Option<String>; 2],
    /// Program and arguments of the bad side's server, for commands that a reader may run; it stands in no file.
    pub server: Vec<String>,
}

/// What differs between captures of a good and a bad state.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// What they are of; nothing where nobody told.
    pub origin: Origin,
    /// Names of the captures, the good side first.
    pub names: [Vec<String>; 2],
    /// Which profiler.
    pub source: Source,
    /// Whose time it is.
    pub clock: Clock,
    /// What the steps are.
    pub cut: Cut,
    /// The engine, where one of the captures tells.
    pub engine: Option<String>,
    /// What the rows of time are: the finest that both sides can be told apart by.
    pub level: Level,
    /// The least share of device time of a capture whose operator is known; `None` without a device.
    pub attributed_ratio: Option<f64>,
    /// Phases that both sides have, with equal batches.
    pub phases: Vec<PhaseDiff>,
    /// Phases that only one side has.
    pub alone: Vec<Alone>,
    /// The highest peak of allocated bytes of each side; `None` where it was not recorded.
    pub peak_bytes: Option<[u64; 2]>,
    /// What a reader must know of these captures, in sentences.
    pub cautions: Vec<String>,
}

impl Diff {
    /// Whether nothing but times differs.
    pub fn is_same_structure(&self) -> bool {
        let is_same = |phase: &PhaseDiff| phase.structure.is_same() && phase.has_same_passes();
        self.phases.iter().all(is_same) && self.alone.is_empty()
    }

    /// Whether something differs of which each side agrees with itself: only that is exact.
    pub fn has_exact_change(&self) -> bool {
        let differs = |phase: &PhaseDiff| phase.structure.has_steady_change() || !phase.has_same_passes();
        self.phases.iter().any(differs) || !self.alone.is_empty()
    }

    /// Rows of all phases that tell nothing, as one side does not agree with itself.
    pub fn unsteady_rows(&self) -> u64 {
        self.phases.iter().map(|phase| phase.structure.unsteady).sum()
    }

    /// Captures of the side that has fewer.
    pub fn captures(&self) -> usize {
        self.names.iter().map(Vec::len).min().unwrap_or(0)
    }
}

/// One phase of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseDiff {
    /// Which.
    pub phase: Phase,
    /// Of which batch.
    pub batch: Option<String>,
    /// Steps of all captures of each side.
    pub steps: [u64; 2],
    /// Passes in a step.
    pub passes: [f64; 2],
    /// What is done.
    pub structure: Structure,
    /// How long it takes; `None` where the two sides' times must not be compared.
    pub time: Option<TimeDiff>,
    /// Bytes allocated in a step.
    pub allocated_bytes: Option<[f64; 2]>,
}

impl PhaseDiff {
    /// Whether a step has as many passes on both sides.
    pub fn has_same_passes(&self) -> bool {
        let [good, bad] = self.passes;
        (good - bad).abs() <= 1e-9 * good.abs()
    }
}

/// A phase that the other side does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alone {
    /// Which.
    pub phase: Phase,
    /// Of which batch.
    pub batch: Option<String>,
    /// Whether the bad side has it.
    pub is_bad: bool,
    /// Its steps.
    pub steps: u64,
}

/// What differs between `good` and `bad`, each with at least one capture.
///
/// # Errors
/// The captures cannot be held against one another (another profiler, other modes, no phase in common), with the reasons.
pub fn diff(good: &[OpTable], bad: &[OpTable]) -> Result<Diff, Incomparable> {
    let sides = [good, bad];
    let common = comparable::check(sides)?;
    let keys = phase_keys(sides);
    let (both, alone): (Vec<_>, Vec<_>) = keys
        .into_iter()
        .partition(|key| sides.iter().all(|side| has(side, key)));
    if both.is_empty() {
        return Err(comparable::no_common_phase(sides));
    }
    let level = keys::level(sides, &both);
    let mut phases: Vec<PhaseDiff> = both
        .iter()
        .map(|key| phase_diff(sides, key, level, common.are_times))
        .collect();
    judge::judge(&mut phases);
    Ok(Diff {
        origin: Origin::default(),
        names: sides.map(|side| side.iter().map(|table| table.name.clone()).collect()),
        source: common.source,
        clock: common.clock,
        cut: common.cut,
        engine: sides.iter().copied().flatten().find_map(|table| table.engine.clone()),
        level,
        attributed_ratio: keys::attributed(sides),
        phases,
        alone: alone.into_iter().map(|key| alone_of(sides, key)).collect(),
        peak_bytes: peaks(sides),
        cautions: common.cautions,
    })
}

type PhaseKey = (Phase, Option<String>);

fn key_of(phase: &PhaseTable) -> PhaseKey {
    (phase.phase, phase.batch.clone())
}

fn phase_keys(sides: [&[OpTable]; 2]) -> Vec<PhaseKey> {
    let tables = sides.into_iter().flatten();
    let mut keys: Vec<PhaseKey> = tables.flat_map(|table| table.phases.iter().map(key_of)).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Whether each capture of a side has a phase.
fn has(side: &[OpTable], key: &PhaseKey) -> bool {
    side.iter().all(|table| phase_of(table, key).is_some())
}

fn phase_of<'a>(table: &'a OpTable, key: &PhaseKey) -> Option<&'a PhaseTable> {
    table
        .phases
        .iter()
        .find(|phase| phase.phase == key.0 && phase.batch == key.1)
}

/// The phase in each capture of each side.
fn phases_of<'a>(sides: [&'a [OpTable]; 2], key: &PhaseKey) -> [Vec<&'a PhaseTable>; 2] {
    sides.map(|side| side.iter().filter_map(|table| phase_of(table, key)).collect())
}

fn phase_diff(sides: [&[OpTable]; 2], key: &PhaseKey, level: Level, are_times: bool) -> PhaseDiff {
    let tables = phases_of(sides, key);
    let steps = |side: &Vec<&PhaseTable>| side.iter().map(|phase| phase.steps).sum::<u64>();
    let passes = |side: &Vec<&PhaseTable>| side.iter().map(|phase| phase.passes).sum::<u64>();
    let per_step = |side: &Vec<&PhaseTable>| super::ratio(passes(side), steps(side).max(1));
    let structure = structure::structure(&tables);
    let clock = sides
        .iter()
        .copied()
        .flatten()
        .next()
        .map_or(Clock::Device, |table| table.clock);
    let time = are_times.then(|| time::times(&tables, (level, clock), &structure));
    PhaseDiff {
        phase: key.0,
        batch: key.1.clone(),
        steps: [steps(&tables[0]), steps(&tables[1])],
        passes: [per_step(&tables[0]), per_step(&tables[1])],
        structure,
        time,
        allocated_bytes: allocated(&tables),
    }
}

/// Bytes allocated in a step, over all captures of a side.
fn allocated(tables: &[Vec<&PhaseTable>; 2]) -> Option<[f64; 2]> {
    let of = |side: &Vec<&PhaseTable>| {
        let bytes: Option<u64> = side.iter().map(|phase| Some(phase.memory?.allocated_bytes)).sum();
        let steps: u64 = side.iter().map(|phase| phase.steps).sum();
        bytes.map(|bytes| super::ratio(bytes, steps.max(1)))
    };
    Some([of(&tables[0])?, of(&tables[1])?])
}

fn alone_of(sides: [&[OpTable]; 2], key: PhaseKey) -> Alone {
    let [good, bad] = phases_of(sides, &key);
    let steps = |side: &[&PhaseTable]| side.iter().map(|phase| phase.steps).sum::<u64>();
    Alone {
        is_bad: good.len() < sides[0].len() && !bad.is_empty(),
        steps: steps(&good) + steps(&bad),
        phase: key.0,
        batch: key.1,
    }
}

fn peaks(sides: [&[OpTable]; 2]) -> Option<[u64; 2]> {
    let peak = |side: &[OpTable]| side.iter().map(|table| table.peak_bytes).max().flatten();
    Some([peak(sides[0])?, peak(sides[1])?])
}

#[cfg(test)]
mod tests;

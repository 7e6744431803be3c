//! The machine and the engine beside the requests, run after run, for charts.
//!
//! Bounded whatever the number of runs and cells.

mod host;
mod sampled;
mod words;

pub use self::sampled::{Sampled, Teller};
use self::words::{missing, troubles};
use crate::{
    plan::Load,
    session::{CellRuns, EngineUse, GpuSeries, Run, Session, Stretch},
    stats::moments,
};

/// Points of one line at most, and of all lines of a report.
const POINTS: usize = 240;
const POINTS_IN_ALL: usize = 24_000;
/// Points of one run at least.
const FEWEST: usize = 4;
/// Gaps of one run at most, and times when clocks were held down: nearest ones become one.
const STRETCHES: usize = 40;
/// A run with fewer samples has no course.
const FEWEST_SAMPLES: usize = 3;

/// The courses of one cell of both arms.
#[derive(Clone, Debug, PartialEq)]
pub struct CellTelemetry {
    /// Cell name, the candidate's.
    pub name: String,
    /// Of each thing that an arm has samples of.
    pub courses: Vec<Course>,
    /// Why others are not drawn, in sentences.
    pub missing: Vec<String>,
    /// Gaps and throttling, in sentences.
    pub troubles: Vec<String>,
}

/// One thing over the runs of both arms.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What.
    pub of: Sampled,
    /// Baseline first, where it has samples.
    pub arms: Vec<ArmCourse>,
}

/// One thing over the runs of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmCourse {
    /// `baseline` or `candidate`.
    pub arm: &'static str,
    /// Every run of the cell in order, one without samples too.
    pub runs: Vec<RunCourse>,
}

/// One thing over one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunCourse {
    /// How long the run took.
    pub seconds: f64,
    /// Seconds since its start and the value, in stretches without a gap.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Begin and end of gaps, in seconds since its start.
    pub gaps: Vec<(f64, f64)>,
    /// When clocks were held down; of GPUs alone.
    pub throttled: Vec<(f64, f64)>,
    /// Mean over its samples.
    pub mean: Option<f64>,
    /// Largest.
    pub most: Option<f64>,
}

/// A moment of a run: when, how many samples, what.
type Moment = (u64, u32, f64);

/// The courses of every cell that the candidate measured; of a search there are none.
pub(super) fn telemetry(baseline: Option<&Session>, candidate: &Session) -> Vec<CellTelemetry> {
    let cells = candidate.cells.iter();
    let drawn: Vec<&CellRuns> = cells
        .filter(|cell| !cell.runs.is_empty() && !matches!(cell.load, Load::Capacity(_)))
        .collect();
    let lines = drawn.len() * Sampled::ALL.len() * 2;
    let most = (POINTS_IN_ALL / lines.max(1)).clamp(FEWEST, POINTS);
    let one = |cell: &&CellRuns| {
        let old = baseline.and_then(|old| old.cells.iter().find(|other| other.load == cell.load));
        let old = old.filter(|old| !old.runs.is_empty()).map(|old| ("baseline", old));
        let arms: Vec<(&'static str, &CellRuns)> = old.into_iter().chain([("candidate", *cell)]).collect();
        of_cell(cell, &arms, most)
    };
    drawn.iter().map(one).collect()
}

fn of_cell(cell: &CellRuns, arms: &[(&'static str, &CellRuns)], most: usize) -> CellTelemetry {
    let mut courses = Vec::new();
    let mut untold = Vec::new();
    for of in Sampled::ALL {
        let drawn: Vec<ArmCourse> = arms.iter().filter_map(|arm| arm_course(of, *arm, most)).collect();
        if of == Sampled::HostSteal && drawn.iter().all(|arm| arm.level(of).is_none_or(|level| level <= 0.0)) {
            // Nothing was stolen, or nobody could tell.
            continue;
        }
        if drawn.is_empty() {
            untold.push(of);
        } else {
            courses.push(Course { of, arms: drawn });
        }
    }
    CellTelemetry {
        name: cell.name.clone(),
        missing: missing(arms, &untold),
        troubles: arms.iter().flat_map(|(arm, cell)| troubles(arm, &cell.runs)).collect(),
        courses,
    }
}

/// `None` where no run has enough samples.
fn arm_course(of: Sampled, (arm, cell): (&'static str, &CellRuns), most: usize) -> Option<ArmCourse> {
    let all: Vec<Vec<Moment>> = cell.runs.iter().map(|run| moments_of(of, run)).collect();
    if all.iter().all(|run| samples(run) < FEWEST_SAMPLES) {
        return None;
    }
    let each = (most / cell.runs.len().max(1)).max(FEWEST);
    let runs = cell.runs.iter().zip(all);
    Some(ArmCourse {
        arm,
        runs: runs.map(|(run, moments)| run_course(of, run, &moments, each)).collect(),
    })
}

fn samples(moments: &[Moment]) -> usize {
    moments.iter().map(|(_, samples, _)| *samples as usize).sum()
}

fn run_course(of: Sampled, run: &Run, moments: &[Moment], most: usize) -> RunCourse {
    let gaps = in_order(&gaps_of(of, run));
    let series = run.telemetry.gpus.iter().filter(|_| of.teller() == Teller::Gpu);
    let throttled = in_order(series.flat_map(|series| &series.throttled));
    let stretches = STRETCHES.min(most);
    let weights: f64 = moments.iter().map(|(_, samples, _)| f64::from(*samples)).sum();
    let sum: f64 = moments
        .iter()
        .map(|(_, samples, value)| f64::from(*samples) * value)
        .sum();
    RunCourse {
        seconds: length_s(run, moments),
        lines: cut_at(&thinned(of, moments, most), &gaps),
        gaps: united(&gaps, stretches),
        throttled: united(&throttled, stretches),
        mean: (weights > 0.0).then(|| sum / weights),
        most: moments.iter().map(|(.., value)| *value).reduce(f64::max),
    }
}

/// To the end of its last request, or to its last sample where it has none on the clock of the samples.
fn length_s(run: &Run, moments: &[Moment]) -> f64 {
    let records = run.requests.iter().filter(|_| !run.is_of_another_tool());
    let end = records.map(|record| record.end_ns).max();
    seconds(end.or(moments.last().map(|(at_ns, ..)| *at_ns)).unwrap_or(0))
}

/// The values of one thing in one run, rising in time.
fn moments_of(of: Sampled, run: &Run) -> Vec<Moment> {
    match of.teller() {
        Teller::Gpu => return of_gpus(of, &run.telemetry.gpus),
        Teller::Host => return host::moments(of, &run.telemetry.host),
        Teller::Engine => {}
    }
    let EngineUse::Sampled(series) = &run.telemetry.engine else {
        return Vec::new();
    };
    let points = series.points.iter().filter_map(|point| {
        let value = match of {
            Sampled::KvUsed => point.kv_used.map(|share| share * 100.0),
            Sampled::Running => point.running,
            _ => point.waiting,
        };
        Some((point.at_ns, point.samples, value?))
    });
    points.collect()
}

/// All GPUs as one: they were sampled together, so that their points stand beside one another.
fn of_gpus(of: Sampled, gpus: &[GpuSeries]) -> Vec<Moment> {
    let Some((first, others)) = gpus.split_first() else {
        return Vec::new();
    };
    let moments = first.points.iter().enumerate().filter_map(|(place, point)| {
        let beside = others
            .iter()
            .map(|series| series.points.get(place).filter(|other| other.at_ns == point.at_ns));
        let beside: Option<Vec<_>> = beside.collect();
        let all = [point].into_iter().chain(beside?);
        let values: Option<Vec<f64>> = all
            .map(|point| match of {
                Sampled::GpuMemory => Some(bytes(point.memory_used_bytes) / 1e9),
                Sampled::GpuPower => point.power_w,
                Sampled::SmClock => point.sm_clock_mhz,
                Sampled::MemoryClock => point.memory_clock_mhz,
                Sampled::Temperature => point.temperature_c.map(f64::from),
                _ => point.utilization_pct,
            })
            .collect();
        Some((point.at_ns, point.samples, together(of, &values?)?))
    });
    moments.collect()
}

fn together(of: Sampled, values: &[f64]) -> Option<f64> {
    match of {
        Sampled::GpuMemory | Sampled::GpuPower => Some(values.iter().sum()),
        Sampled::SmClock | Sampled::MemoryClock => values.iter().copied().reduce(f64::min),
        Sampled::Temperature => values.iter().copied().reduce(f64::max),
        _ => moments::mean(values),
    }
}

fn gaps_of(of: Sampled, run: &Run) -> Vec<Stretch> {
    if of.teller() == Teller::Host {
        return Vec::new();
    }
    if of.teller() == Teller::Gpu {
        let gaps = run.telemetry.gpus.iter().flat_map(|series| &series.gaps);
        return gaps.cloned().collect();
    }
    match &run.telemetry.engine {
        EngineUse::Sampled(series) => series.gaps.clone(),
        EngineUse::NotSampled(_) => Vec::new(),
    }
}

/// At most so many: neighbours become their peak or their mean.
fn thinned(of: Sampled, moments: &[Moment], most: usize) -> Vec<(f64, f64)> {
    let width = moments.len().div_ceil(most.max(1)).max(1);
    let one = |few: &[Moment]| {
        let values: Vec<f64> = few.iter().map(|(.., value)| *value).collect();
        let value = if of.is_peak() {
            values.iter().copied().reduce(f64::max)
        } else {
            moments::mean(&values)
        };
        Some((seconds(few.first()?.0), value?))
    };
    moments.chunks(width).filter_map(one).collect()
}

/// In seconds, by their begins.
fn in_order<'a>(stretches: impl IntoIterator<Item = &'a Stretch>) -> Vec<(f64, f64)> {
    let stretches = stretches.into_iter();
    let mut spans: Vec<(f64, f64)> = stretches
        .map(|stretch| (seconds(stretch.from_ns), seconds(stretch.to_ns)))
        .collect();
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    spans
}

/// Those that meet as one, and where there are still more than so many, those with the least between them: nothing that was
/// in one of them is left out. Spans come by their begins.
fn united(spans: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let apart = joined(spans, |last, span| span.0 <= last.1);
    let pairs = apart.iter().zip(apart.iter().skip(1));
    let mut between: Vec<(f64, f64)> = pairs.map(|(one, next)| (next.0 - one.1, next.0)).collect();
    between.sort_by(|one, other| one.0.total_cmp(&other.0));
    between.truncate(apart.len().saturating_sub(most.max(1)));
    between.sort_by(|one, other| one.1.total_cmp(&other.1));
    let is_near = |begin: f64| between.binary_search_by(|near| near.1.total_cmp(&begin)).is_ok();
    joined(&apart, |_, span| is_near(span.0))
}

/// Spans that belong to the one before them are one with it.
fn joined(spans: &[(f64, f64)], belongs: impl Fn(&(f64, f64), &(f64, f64)) -> bool) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        match found.last_mut().filter(|last| belongs(last, span)) {
            Some(last) => last.1 = last.1.max(span.1),
            None => found.push(*span),
        }
    }
    found
}

/// No line goes over a gap; gaps come by their begins.
fn cut_at(points: &[(f64, f64)], gaps: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut before: Option<f64> = None;
    for (at, value) in points {
        let is_cut = before.is_none_or(|before| {
            let next = gaps.partition_point(|gap| gap.0 < before);
            gaps.get(next).is_some_and(|gap| gap.0 < *at)
        });
        match lines.last_mut().filter(|_| !is_cut) {
            Some(line) => line.push((*at, *value)),
            None => lines.push(vec![(*at, *value)]),
        }
        before = Some(*at);
    }
    lines
}

impl ArmCourse {
    /// Over all runs: the largest of a peak, else the mean of the runs' means; `None` where there is no value.
    pub fn level(&self, of: Sampled) -> Option<f64> {
        if of.is_peak() {
            return self.runs.iter().filter_map(|run| run.most).reduce(f64::max);
        }
        let means: Vec<f64> = self.runs.iter().filter_map(|run| run.mean).collect();
        moments::mean(&means)
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "2^52 bytes are four petabytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;

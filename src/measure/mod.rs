//! From a session to one value per run for each metric. The unit of statistics is the run, never the request.

mod alike;
mod capacity;
mod clocks;
mod cost;
pub mod deaths;
pub mod disturbance;
mod goodput;
mod gpu;
pub mod live;
pub mod lockstep;
mod offered;
mod promise;
mod run;
pub mod scenario;
pub mod selftest;
pub mod settled;
mod stage;
mod stated;
#[cfg(test)]
pub(crate) mod synthetic;
mod tail;
mod telemetry;
mod usable;
pub mod validity;
mod work;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

pub use alike::measure_alike;
pub use clocks::{clocks_apart, limits_apart, power_limits_apart, sm_clocks_apart};
pub use deaths::{Death, death, deaths};
pub use disturbance::Circumstances;
pub use gpu::headroom_pct;
pub(crate) use offered::asked_rps;
pub use offered::offered_rps;
pub use promise::{Kept, kept, why_unseen};
pub use run::{RequestLatency, came_at_once, request_latency_ms};
pub use tail::around;
pub use validity::{client_was_bottleneck, invalid_because, invalid_beside_failures};
pub use work::Work;

use crate::{
    metric::Metric,
    plan::{Load, Plan},
    session::{CellRuns, EngineUse, Pairing, Session, TokensFrom},
    stats::moments,
};

/// All metrics of all cells of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// When the session began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Which arm of which A/B measurement it is; `None`: measured alone.
    pub pairing: Option<Pairing>,
    /// In plan order.
    pub cells: Vec<CellMeasurements>,
}

/// All metrics of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellMeasurements {
    /// Cell name.
    pub name: String,
    /// Its load level.
    pub load: Load,
    /// Which stage of it, from 0, where it has stages.
    pub stage: Option<u16>,
    /// Which repeat each run is, from 0, in run order.
    pub repeats: Vec<u32>,
    /// `series[metric]` has one entry a run, in run order.
    pub series: BTreeMap<Metric, Vec<RunValue>>,
    /// Mean output tokens of a completed request over all runs; `None` where a count is missing.
    pub output_tokens_mean: Option<f64>,
    /// How the output tokens of its completed requests were counted; `None` where no count is known.
    pub token_counts: Option<TokenCounts>,
    /// What each run got done, in run order.
    pub work: Vec<Work>,
    /// Under what each run was measured, in run order; empty where nobody looked.
    pub circumstances: Vec<Circumstances>,
    /// What the engine states that its model and the peak of its activations take, in 10⁹ bytes.
    pub stated_memory_gb: Option<f64>,
    /// Why it was left out, where that was decided on the way.
    pub skipped: Option<String>,
}

impl CellMeasurements {
    /// Whether both are of the same load level, and of the same stage of it.
    pub fn is_same_level(&self, other: &Self) -> bool {
        self.load == other.load && self.stage == other.stage
    }

    /// The same cell with only the runs at these places, in this order.
    pub(crate) fn with_runs(&self, places: &[usize]) -> Self {
        fn pick<T: Clone>(all: &[T], places: &[usize]) -> Vec<T> {
            places.iter().filter_map(|place| all.get(*place).cloned()).collect()
        }
        let series = self.series.iter();
        Self {
            repeats: pick(&self.repeats, places),
            series: series.map(|(metric, runs)| (*metric, pick(runs, places))).collect(),
            work: pick(&self.work, places),
            circumstances: pick(&self.circumstances, places),
            ..self.clone()
        }
    }
}

/// How output tokens were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCounts {
    /// All by the server's `usage`.
    Usage,
    /// All as chunks.
    Chunks,
    /// All by a tokenizer of the tool that measured.
    Tokenizer,
    /// Some by `usage`, some as chunks.
    Mixed,
}

/// One metric of one run, or why there is none.
pub type RunValue = Result<Sample, String>;

/// One metric of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// In the metric's unit.
    pub value: f64,
    /// From how many requests (or gaps) it comes, failed ones included.
    pub samples: usize,
    /// The same percentile of the completed requests alone, where others failed and count as infinitely slow.
    pub completed_only: Option<f64>,
    /// Of a percentile: how far the values just above it lie above those just below it (0.2 = 20 %), where that is a cliff
    /// between two modes.
    pub cliff: Option<f64>,
    /// Of GPU memory: whether the engine takes it at start, whatever the requests need; `None`: nobody knows.
    pub is_reserved: Option<bool>,
    /// Of an attainment or a goodput: what it would be if all times were one, two, … times [`SLOWER_STEP`] longer and as many
    /// requests came.
    pub slower: Option<[f64; SLOWER_STEPS]>,
}

/// By how much slower, on the log scale, each of [`Sample::slower`] is than the one before it (6 %).
pub const SLOWER_STEP: f64 = 0.06;
/// How many of them there are: up to a third slower.
pub const SLOWER_STEPS: usize = 5;

/// Every metric of every run of a session.
///
/// A value that does not exist is an `Err` with the reason, never a zero or a NaN. A run that Ctrl-C cut is left out.
pub fn measure(session: &Session) -> Measurements {
    let cells = session.cells.iter();
    let mut measured = Measurements {
        commit: session.commit.clone(),
        started_unix_s: session.started_unix_s,
        pairing: session.pairing.clone(),
        cells: cells
            .flat_map(|cell| measure_cell(&without_cut_runs(session, cell), &session.plan))
            .collect(),
    };
    of_the_engine(&mut measured, session);
    cost::fill(&mut measured, session.plan.price);
    measured
}

/// What the engine stated once, and what is known of it by name.
fn of_the_engine(measured: &mut Measurements, session: &Session) {
    let tokens = session.environment.engine_facts.get("kv_cache_tokens");
    let tokens = tokens
        .and_then(|tokens| tokens.parse::<f64>().ok())
        .filter(|tokens| *tokens > 0.0);
    // What was said at the start is none of a run whose server was started later, where such servers say it themselves.
    let mut runs = session.cells.iter().flat_map(|cell| &cell.runs);
    let tokens = tokens.filter(|_| runs.all(|run| run.telemetry.logged_kv_tokens.is_none()));
    let is_reserved = gpu::takes_memory_at_start(&session.environment);
    let stated_memory_gb = gpu::stated_memory_gb(&session.environment);
    for cell in &mut measured.cells {
        cell.stated_memory_gb = stated_memory_gb;
        let capacities = cell
            .series
            .get_mut(&Metric::KvCacheCapacityTokens)
            .into_iter()
            .flatten();
        for value in capacities.filter(|value| value.is_err()) {
            if let Some(tokens) = tokens {
                *value = Ok(run::sample(tokens, 1));
            }
        }
        let peaks = cell.series.get_mut(&Metric::GpuMemoryPeakGb).into_iter().flatten();
        for sample in peaks.flatten() {
            sample.is_reserved = is_reserved;
        }
    }
}

/// The cell without the run that Ctrl-C cut.
fn without_cut_runs<'a>(session: &Session, cell: &'a CellRuns) -> Cow<'a, CellRuns> {
    if !cell.runs.iter().any(|run| session.was_cut_by_interrupt(run)) {
        return Cow::Borrowed(cell);
    }
    let whole = cell.runs.iter().filter(|run| !session.was_cut_by_interrupt(run));
    Cow::Owned(CellRuns {
        runs: whole.cloned().collect(),
        ..cell.clone()
    })
}

/// One cell, or one for each of its stages.
fn measure_cell(cell: &CellRuns, plan: &Plan) -> Vec<CellMeasurements> {
    match &cell.load {
        Load::Stages { stages, .. } => {
            let numbers = (0_u16..).take(stages.len());
            numbers
                .map(|stage| stage::measure(cell, plan, stage, stages.len()))
                .collect()
        }
        load => vec![measure_level(cell, plan, load)],
    }
}

/// A cell as it is judged: itself, or for each of its stages the runs' part in it.
pub fn levels<'a>(cell: &'a CellRuns, plan: &Plan) -> Vec<Cow<'a, CellRuns>> {
    let Load::Stages { stages, .. } = &cell.load else {
        return vec![Cow::Borrowed(cell)];
    };
    let numbers = (0_u16..).take(stages.len());
    let part = |stage| Cow::Owned(stage::part(cell, plan, stage, stages.len()));
    numbers.map(part).collect()
}

/// The runs of a cell at one level.
fn measure_level(cell: &CellRuns, plan: &Plan, level: &Load) -> CellMeasurements {
    let mut series: BTreeMap<Metric, Vec<RunValue>> = BTreeMap::new();
    let asked = asked_for(cell, plan);
    for metric in Metric::ALL.into_iter().chain(asked.iter().copied()) {
        series.insert(metric, Vec::with_capacity(cell.runs.len()));
    }
    for run in &cell.runs {
        for (metric, value) in run::values(run, level, plan) {
            series.entry(metric).or_default().push(usable::usable(metric, value));
        }
        for metric in &asked {
            let value = usable::usable(*metric, telemetry::told(run, *metric));
            series.entry(*metric).or_default().push(value);
        }
    }
    CellMeasurements {
        name: cell.name.clone(),
        load: cell.load.clone(),
        stage: None,
        repeats: cell.runs.iter().map(|run| run.repeat).collect(),
        series,
        output_tokens_mean: output_tokens_mean(cell),
        token_counts: token_counts(cell),
        work: cell.runs.iter().map(Work::of).collect(),
        circumstances: cell.runs.iter().map(Circumstances::of).collect(),
        stated_memory_gb: None,
        skipped: cell.skipped.clone(),
    }
}

/// The series that the plan asks for by name, or that any run was asked for.
fn asked_for(cell: &CellRuns, plan: &Plan) -> BTreeSet<Metric> {
    let planned = plan.target.told.iter().map(|told| Metric::Told(told));
    let of_runs = cell.runs.iter().flat_map(|run| match &run.telemetry.engine {
        EngineUse::Sampled(series) => series.told.as_slice(),
        EngineUse::NotSampled(_) => &[],
    });
    planned.chain(of_runs.map(|told| told.metric)).collect()
}

fn output_tokens_mean(cell: &CellRuns) -> Option<f64> {
    let completed = cell.runs.iter().flat_map(|run| &run.requests).filter(|r| r.completed());
    let counts: Option<Vec<f64>> = completed.map(|record| record.output_tokens.map(f64::from)).collect();
    moments::mean(&counts?).or_else(|| stated::output_tokens_mean(cell))
}

fn token_counts(cell: &CellRuns) -> Option<TokenCounts> {
    let requests = cell.runs.iter().flat_map(|run| &run.requests);
    let counted = requests.filter(|record| record.completed() && record.output_tokens.is_some());
    let counts = counted.map(|record| match record.tokens_from {
        TokensFrom::Usage => TokenCounts::Usage,
        TokensFrom::Chunks => TokenCounts::Chunks,
        TokensFrom::Tokenizer => TokenCounts::Tokenizer,
    });
    counts.reduce(|all, one| if all == one { all } else { TokenCounts::Mixed })
}

#[cfg(test)]
mod tests;

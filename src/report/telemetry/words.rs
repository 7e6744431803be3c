//! Why something is not drawn, and what disturbed the runs, in sentences.

use std::collections::BTreeMap;

use super::{FEWEST_SAMPLES, Sampled, Teller, gaps_of, seconds};
use crate::session::{CellRuns, EngineUse, GpuUse, Run};

/// Why things are not drawn that no arm has enough samples of.
pub(super) fn missing(arms: &[(&'static str, &CellRuns)], untold: &[Sampled]) -> Vec<String> {
    let mut said = Vec::new();
    for (arm, cell) in arms {
        let of_engine = cell.runs.iter().find_map(|run| match &run.telemetry.engine {
            EngineUse::NotSampled(reason) => Some(reason.clone()),
            EngineUse::Sampled(_) => None,
        });
        let of_gpu = cell.runs.iter().find_map(|run| match &run.gpu {
            GpuUse::NotMeasured(reason) => Some(reason.clone()),
            GpuUse::Measured { .. } => None,
        });
        said.extend(of_engine.map(|reason| format!("{arm}, the engine: {reason}")));
        said.extend(of_gpu.map(|reason| format!("{arm}, GPU: {reason}")));
    }
    let names = |teller: Teller| {
        let names = untold.iter().filter(|of| of.teller() == teller);
        names.map(|of| of.name()).collect::<Vec<_>>().join(", ")
    };
    let all = |is_told: fn(&Run) -> bool| arms.iter().all(|(_, cell)| cell.runs.iter().any(is_told));
    let of_engine = names(Teller::Engine);
    if !of_engine.is_empty() && all(|run| matches!(run.telemetry.engine, EngineUse::Sampled(_))) {
        said.push(format!(
            "not drawn: {of_engine}; the engine's page of metrics does not tell, or fewer than {FEWEST_SAMPLES} samples fell \
             into each run"
        ));
    }
    let of_gpu = names(Teller::Gpu);
    if !of_gpu.is_empty() && all(|run| matches!(run.gpu, GpuUse::Measured { .. })) {
        said.push(format!(
            "not drawn: {of_gpu}; the GPU does not tell, or the session holds fewer than {FEWEST_SAMPLES} samples of each run"
        ));
    }
    said
}

/// Sentences about one arm at most: more are one trouble in many words.
const MOST_TROUBLES: usize = 40;

/// Gaps and throttled stretches of one arm, each reason once, in the order in which they came.
pub(super) fn troubles(arm: &str, runs: &[Run]) -> Vec<String> {
    let mut found: Vec<(String, f64, Vec<usize>)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (place, run) in runs.iter().enumerate() {
        let engine = gaps_of(Sampled::KvUsed, run).into_iter();
        let engine = engine.map(|gap| (format!("no sample of the engine ({})", gap.reason), gap));
        let gpus = run.telemetry.gpus.iter().flat_map(|series| {
            let gaps = series.gaps.iter();
            let gaps = gaps.map(|gap| {
                (
                    format!("no sample of GPU {} ({})", series.index, gap.reason),
                    gap.clone(),
                )
            });
            let slow = series.throttled.iter();
            gaps.chain(slow.map(|held| {
                (
                    format!("GPU {} was held down ({})", series.index, held.reason),
                    held.clone(),
                )
            }))
        });
        for (what, stretch) in engine.chain(gpus) {
            let long = seconds(stretch.to_ns.saturating_sub(stretch.from_ns));
            if let Some((_, sum, places)) = known.get(&what).and_then(|at| found.get_mut(*at)) {
                *sum += long;
                places.extend((places.last() != Some(&(place + 1))).then_some(place + 1));
            } else {
                known.insert(what.clone(), found.len());
                found.push((what, long, vec![place + 1]));
            }
        }
    }
    let untold = found.len().saturating_sub(MOST_TROUBLES);
    let told = found.into_iter().take(MOST_TROUBLES).map(|(what, long, places)| {
        let runs: Vec<String> = places.iter().map(ToString::to_string).collect();
        let noun = if runs.len() == 1 { "run" } else { "runs" };
        format!("{arm}: {what} for {long:.1} s in {noun} {}", runs.join(", "))
    });
    let rest = (untold > 0).then(|| format!("{arm}: {untold} more gaps and reasons for clocks held down"));
    told.chain(rest).collect()
}

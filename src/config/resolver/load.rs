//! How hard the server is pressed: load levels, spacing, and what `capacity` and `sweep` try.

use std::time::Duration;

use super::Resolver;
use crate::{
    config::{
        error::ConfigError,
        layers::Layer,
        node::Source,
        resolve::Sweep,
        show,
        twin::{ArrivalsTwin, AxisTwin, CapacityTwin, StageTwin, SweepTwin, TraceTwin},
        values::Whole,
    },
    plan::{Arrivals, Axis, Capacity, Load, Prompts, RampShape, Stage},
};

/// The levels where no load is given.
const DEFAULT_CONCURRENCY: [u32; 3] = [1, 4, 16];

/// How long a batch of a search lasts at least: a queue of one part in a hundred too much is 50 ms long by then.
const BATCH: Duration = Duration::from_secs(5);

/// Keys that each give load levels.
pub(super) const LOADS: [&str; 4] = ["concurrency", "rate", "ramp", "stages"];

impl Resolver {
    /// The highest layer that sets `arrivals` or `burstiness` decides both; a `burstiness` alone means gamma.
    pub(super) fn arrivals(&mut self) -> Result<Arrivals, ConfigError> {
        let is_deciding = |layer: &&Layer| layer.twin.arrivals.is_some() || layer.twin.burstiness.is_some();
        let Some(layer) = self.layers.iter().rev().find(is_deciding) else {
            self.note("arrivals", Arrivals::Poisson.name().into(), Source::Default);
            return Ok(Arrivals::Poisson);
        };
        let shape = self.find("burstiness", |twin| twin.burstiness);
        let key = if layer.twin.arrivals.is_some() {
            "arrivals"
        } else {
            "burstiness"
        };
        let (arrivals, source) = match (layer.twin.arrivals, layer.twin.burstiness, shape) {
            (Some(ArrivalsTwin::Poisson), None, _) => (Arrivals::Poisson, layer.source(key)),
            (Some(ArrivalsTwin::Constant), None, _) => (Arrivals::Constant, layer.source(key)),
            (Some(ArrivalsTwin::Poisson | ArrivalsTwin::Constant), Some(_), _) => {
                let place = layer.place("arrivals");
                let message =
                    format!("it is the shape of gamma arrivals, but `arrivals` ({place}) is another; keep one");
                return Err(layer.error("burstiness", &message));
            }
            (_, _, Some((shape, _))) => (Arrivals::Gamma { burstiness: shape.0 }, layer.source(key)),
            (_, _, None) => return Err(layer.error("arrivals", "`gamma` needs `burstiness`, such as `0.5`")),
        };
        self.note("arrivals", arrivals.name().into(), source);
        if let (Arrivals::Gamma { burstiness }, Some((_, source))) = (arrivals, shape) {
            self.note("burstiness", burstiness.to_string(), source);
        }
        Ok(arrivals)
    }

    /// The highest layer that gives a load decides alone: else a lower layer's levels would sneak in. A trace is a load
    /// where its layer gives no other.
    pub(super) fn loads(&mut self, prompts: &Prompts, arrivals: Arrivals) -> Result<Vec<Load>, ConfigError> {
        let speed_ratio = self.trace_speed(prompts)?;
        let is_trace = matches!(prompts, Prompts::Trace { .. });
        let gives_levels = |layer: &Layer| LOADS.into_iter().any(|key| layer.names(key));
        let deciding = self
            .layers
            .iter()
            .rposition(|layer| gives_levels(layer) || (is_trace && layer.twin.trace.is_some()));
        let Some(layer) = deciding.and_then(|at| self.layers.get(at)) else {
            self.note("concurrency", show::list(&DEFAULT_CONCURRENCY), Source::Default);
            return Ok(DEFAULT_CONCURRENCY.into_iter().map(Load::Concurrency).collect());
        };
        if !gives_levels(layer) {
            return Ok(vec![Load::Trace { speed_ratio }]);
        }
        let (loads, notes) = levels(layer, arrivals)?;
        for (key, text, source) in notes {
            self.note(key, text, source);
        }
        Ok(loads)
    }

    fn trace_speed(&mut self, prompts: &Prompts) -> Result<f64, ConfigError> {
        let found = self.layers.iter().rev().find_map(|layer| {
            let inner = layer.twin.trace.as_ref().and_then(TraceTwin::speed);
            let inner = inner.map(|speed| (speed, "trace.speed"));
            let (speed, key) = layer.twin.trace_speed.map(|speed| (speed, "trace_speed")).or(inner)?;
            Some((speed.0, key, layer))
        });
        let Some((speed, key, layer)) = found else {
            return Ok(1.0);
        };
        if !matches!(prompts, Prompts::Trace { .. }) {
            return Err(layer.error(key, "there is no trace to replay; give `trace` or remove this"));
        }
        let source = layer.source(key);
        self.note("trace_speed", speed.to_string(), source);
        Ok(speed)
    }

    pub(super) fn capacity(&mut self, arrivals: Arrivals) -> Result<Capacity, ConfigError> {
        let found = self.find("capacity", |twin| twin.capacity);
        let twin = found.map_or_else(CapacityTwin::default, |(twin, _)| twin);
        let batch = twin.batch_duration.map_or(BATCH, |span| span.0);
        let capacity = Capacity {
            axis: match twin.axis {
                None | Some(AxisTwin::Rate) => Axis::Rate(arrivals),
                Some(AxisTwin::Concurrency) => Axis::Concurrency,
            },
            batch_s: Some(batch.as_secs_f64()),
            min: twin.min.map_or(1.0, |level| level.0),
            max: twin.max.map_or(1024.0, |level| level.0),
            precision_ratio: 1.0 + twin.precision.map_or(0.05, |share| share.0),
            attainment: twin.attainment.map_or(0.99, |share| share.0),
        };
        if let Some((_, source)) = found {
            let (axis, precision) = (axis_name(capacity.axis), show::percent(capacity.precision_ratio - 1.0));
            let text = format!(
                "{axis} from {} to {}, precision {precision}",
                capacity.min, capacity.max
            );
            self.note("capacity", text, source);
        }
        let problem = if capacity.min > capacity.max {
            Some(format!("`min` {} is above `max` {}", capacity.min, capacity.max))
        } else if capacity.precision_ratio <= 1.0 || capacity.attainment <= 0.0 {
            Some("`precision` and `attainment` must be above 0".to_owned())
        } else {
            whole_levels(capacity.axis, [capacity.min, capacity.max])
        };
        problem.map_or(Ok(capacity), |message| Err(self.refuse("capacity", &message)))
    }

    pub(super) fn sweep(&mut self, arrivals: Arrivals) -> Result<Sweep, ConfigError> {
        let found = self.find("sweep", |twin| twin.sweep);
        let twin = found.map_or_else(SweepTwin::default, |(twin, _)| twin);
        let sweep = Sweep {
            axis: match twin.axis {
                None | Some(AxisTwin::Concurrency) => Axis::Concurrency,
                Some(AxisTwin::Rate) => Axis::Rate(arrivals),
            },
            from: twin.from.map_or(1.0, |level| level.0),
            to: twin.to.map_or(256.0, |level| level.0),
            steps: twin.steps.map_or(9, Whole::as_u32),
            spacing: twin.spacing(),
        };
        if let Some((_, source)) = found {
            let (axis, steps) = (axis_name(sweep.axis), sweep.steps);
            let text = format!("{axis} from {} to {} in {steps} steps", sweep.from, sweep.to);
            self.note("sweep", text, source);
        }
        let problem = if sweep.from >= sweep.to {
            Some(format!("`from` {} is not below `to` {}", sweep.from, sweep.to))
        } else {
            whole_levels(sweep.axis, [sweep.from, sweep.to])
        };
        problem.map_or(Ok(sweep), |message| Err(self.refuse("sweep", &message)))
    }
}

fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Rate(_) => "rate",
        Axis::Concurrency => "concurrency",
    }
}

/// Requests in flight are whole.
fn whole_levels(axis: Axis, levels: [f64; 2]) -> Option<String> {
    let broken = levels.into_iter().find(|level| level.fract() > 0.0);
    match (axis, broken) {
        (Axis::Concurrency, Some(level)) => {
            Some(format!("`{level}` requests cannot be in flight; give a whole number"))
        }
        _ => None,
    }
}

/// What a layer says under a key, for people.
type Note = (&'static str, String, Source);

/// All levels of one layer, in the order of [`LOADS`].
fn levels(layer: &Layer, arrivals: Arrivals) -> Result<(Vec<Load>, Vec<Note>), ConfigError> {
    let (mut loads, mut notes) = (Vec::new(), Vec::new());
    let streams: Vec<u32> = layer.streams().map(Whole::as_u32).collect();
    if !streams.is_empty() {
        notes.push(("concurrency", show::list(&streams), layer.source("concurrency")));
    }
    loads.extend(streams.into_iter().map(Load::Concurrency));
    let rates: Vec<f64> = layer.rates().map(|rate| rate.0).collect();
    if !rates.is_empty() {
        notes.push(("rate", show::list(&rates), layer.source("rate")));
    }
    loads.extend(rates.into_iter().map(|rate_rps| Load::Rate { rate_rps, arrivals }));
    if let Some(ramp) = layer.twin.ramp {
        if ramp.shape() == RampShape::Exponential && ramp.from.0 <= 0.0 {
            return Err(layer.error(
                "ramp",
                "`exponential` multiplies the rate; give `from` above 0, or `shape: linear`",
            ));
        }
        let load = Load::Ramp {
            from_rps: ramp.from.0,
            to_rps: ramp.to.0,
            shape: ramp.shape(),
            arrivals,
        };
        notes.push(("ramp", load.to_string(), layer.source("ramp")));
        loads.push(load);
    }
    if let Some(stages) = &layer.twin.stages {
        let stage = |(at, twin): (usize, &StageTwin)| {
            let wrong = |message: String| layer.error(&format!("stages[{at}]"), &message);
            twin.stage().map_err(wrong)
        };
        let stages: Vec<Stage> = stages.iter().enumerate().map(stage).collect::<Result<_, _>>()?;
        notes.push(("stages", show::list(&stages), layer.source("stages")));
        loads.push(Load::Stages { stages, arrivals });
    }
    Ok((loads, notes))
}

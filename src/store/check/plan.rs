//! What holds of a plan.

use super::{Checked, above_zero, each, ensure, is_above_zero, is_zero_or_more};
use crate::plan::{
    Arrivals, Axis, Capacity, Lengths, Load, Plan, Prompts, RampShape, Shape, Slo, Stage, StageLength, StageLevel,
    Workload,
};

/// More load levels than anyone measures; the search for two alike takes their square.
const MAX_LOADS: usize = 1000;

/// A request names its stage by a number up to here.
const MAX_STAGES: usize = 1 << 16;

pub(super) fn plan(plan: &Plan) -> Checked {
    workload(&plan.workload).map_err(|fault| fault.within("workload"))?;
    loads(plan)?;
    above_zero(plan.requests_per_run, "requests_per_run")?;
    above_zero(plan.repeats, "repeats")?;
    slo(&plan.slo).map_err(|fault| fault.within("slo"))?;
    if let Some(scenario) = &plan.scenario {
        above_zero(scenario.min_requests, "scenario.min_requests")?;
        slo(&scenario.limits).map_err(|fault| fault.within("scenario.limits"))?;
    }
    if let Some(price) = plan.price {
        each(&[("gpu_hour", price.gpu_hour)], is_above_zero, "a price above zero")
            .and_then(|()| above_zero(price.gpus, "gpus"))
            .map_err(|fault| fault.within("price"))?;
    }
    if let Some(limit) = plan.warmup_limit {
        ensure(limit >= plan.warmup_requests, "warmup_limit", || {
            format!("is `{limit}`, below `warmup_requests` `{}`", plan.warmup_requests)
        })?;
    }
    let rate = plan.max_error_rate;
    ensure((0.0..=1.0).contains(&rate), "max_error_rate", || {
        format!("is `{rate}`; give a fraction from 0 to 1")
    })
}

/// Checks the limits of a plan or of one request.
pub(super) fn slo(slo: &Slo) -> Checked {
    let limits = [
        ("ttft_ms", slo.ttft_ms),
        ("tpot_ms", slo.tpot_ms),
        ("e2e_ms", slo.e2e_ms),
    ];
    limits.iter().try_for_each(|&(key, limit)| match limit {
        Some(limit) => each(&[(key, limit)], is_zero_or_more, "milliseconds, zero or more"),
        None => Ok(()),
    })
}

fn workload(workload: &Workload) -> Checked {
    match &workload.prompts {
        Prompts::Synthetic { input_tokens } => lengths(*input_tokens, "prompts.synthetic.input_tokens")?,
        Prompts::SharedPrefix {
            groups,
            prefix_tokens,
            input_tokens,
            prompts_per_group,
        } => {
            above_zero(*groups, "prompts.shared_prefix.groups")?;
            lengths(*prefix_tokens, "prompts.shared_prefix.prefix_tokens")?;
            lengths(*input_tokens, "prompts.shared_prefix.input_tokens")?;
            above_zero(
                prompts_per_group.unwrap_or(1),
                "prompts.shared_prefix.prompts_per_group",
            )?;
        }
        Prompts::Dataset { .. } | Prompts::Trace { .. } | Prompts::Foreign { .. } => {}
    }
    lengths(workload.output_tokens, "output_tokens")?;
    if let Some(conversation) = &workload.conversation {
        lengths(conversation.turns, "conversation.turns")?;
    }
    if let Some(images) = workload.images {
        above_zero(images.width_px, "images.width_px")?;
        above_zero(images.height_px, "images.height_px")?;
        above_zero(images.per_request, "images.per_request")?;
    }
    for (at, model) in workload.models.iter().enumerate() {
        let weight = [("weight", model.weight)];
        each(&weight, is_above_zero, "a weight above zero")
            .map_err(|fault| fault.within(format_args!("models[{at}]")))?;
    }
    above_zero(workload.batch, "batch")
}

fn lengths(lengths: Lengths, key: &str) -> Checked {
    let bell = |mean: f64, std: f64, key: &str| {
        ensure(is_above_zero(mean) && is_zero_or_more(std), key, || {
            format!("has mean `{mean}` and std `{std}`; give a mean above zero and a std of zero or more")
        })
    };
    let range = |min: u32, max: u32, key: &str| {
        ensure(1 <= min && min <= max, key, || {
            format!("goes from `{min}` to `{max}`; give 1 ≤ min ≤ max")
        })
    };
    match lengths {
        Lengths::Fixed(tokens) => above_zero(tokens, &format!("{key}.fixed")),
        Lengths::Normal { mean, std } => bell(mean, std, &format!("{key}.normal")),
        Lengths::LogNormal { mean, std } => bell(mean, std, &format!("{key}.lognormal")),
        Lengths::Uniform { min, max } => range(min, max, &format!("{key}.uniform")),
        Lengths::Zipf { min, max, exponent } => {
            range(min, max, &format!("{key}.zipf"))?;
            let key = format!("{key}.zipf.exponent");
            each(&[(&key, exponent)], is_above_zero, "an exponent above zero")
        }
        Lengths::Within { shape, min, max } => {
            let (Shape::Normal { mean, std } | Shape::LogNormal { mean, std }) = shape;
            bell(mean, std, &format!("{key}.within.shape"))?;
            range(min, max, &format!("{key}.within"))
        }
    }
}

fn loads(plan: &Plan) -> Checked {
    ensure(!plan.loads.is_empty(), "loads", || {
        "is empty; give at least one load level".into()
    })?;
    ensure(plan.loads.len() <= MAX_LOADS, "loads", || {
        format!("has {} entries; give at most {MAX_LOADS}", plan.loads.len())
    })?;
    let is_trace = matches!(plan.workload.prompts, Prompts::Trace { .. } | Prompts::Foreign { .. });
    for (at, load) in plan.loads.iter().enumerate() {
        let key = format!("loads[{at}]");
        load_level(load).map_err(|fault| fault.within(&key))?;
        ensure(is_trace || !matches!(load, Load::Trace { .. }), &key, || {
            "replays the times of a trace, but `workload.prompts` is none".into()
        })?;
        let earlier = plan.loads.iter().position(|other| other == load);
        ensure(earlier == Some(at), &key, || {
            format!("`{load}` stands twice; each load level is one cell")
        })?;
    }
    Ok(())
}

fn load_level(load: &Load) -> Checked {
    let rates = |numbers: &[(&str, f64)]| each(numbers, is_above_zero, "requests per second above zero");
    match load {
        Load::Concurrency(streams) => above_zero(*streams, "concurrency"),
        Load::Rate { rate_rps, arrivals } => {
            rates(&[("rate.rate_rps", *rate_rps)])?;
            spacing(*arrivals, "rate.arrivals")
        }
        Load::Ramp {
            from_rps,
            to_rps,
            arrivals,
            shape,
        } => {
            let is_from_nothing = *shape == RampShape::Linear && from_rps.abs() <= 0.0;
            if !is_from_nothing {
                rates(&[("ramp.from_rps", *from_rps)])?;
            }
            rates(&[("ramp.to_rps", *to_rps)])?;
            spacing(*arrivals, "ramp.arrivals")
        }
        Load::Stages { stages, arrivals } => {
            ensure((1..MAX_STAGES).contains(&stages.len()), "stages.stages", || {
                format!("has {} entries; give 1 to {}", stages.len(), MAX_STAGES - 1)
            })?;
            for (at, stage) in stages.iter().enumerate() {
                stage_of(stage).map_err(|fault| fault.within(format_args!("stages.stages[{at}]")))?;
            }
            spacing(*arrivals, "stages.arrivals")
        }
        Load::Trace { speed_ratio } => each(
            &[("trace.speed_ratio", *speed_ratio)],
            is_above_zero,
            "a factor above zero",
        ),
        Load::Capacity(search) => capacity(search).map_err(|fault| fault.within("capacity")),
    }
}

fn spacing(arrivals: Arrivals, key: &str) -> Checked {
    match arrivals {
        Arrivals::Constant | Arrivals::Poisson => Ok(()),
        Arrivals::Gamma { burstiness } => {
            let key = format!("{key}.gamma.burstiness");
            each(&[(&key, burstiness)], is_above_zero, "a shape above zero")
        }
    }
}

fn stage_of(stage: &Stage) -> Checked {
    match stage.level {
        StageLevel::Rate(rate_rps) => each(
            &[("level.rate_rps", rate_rps)],
            is_above_zero,
            "requests per second above zero",
        )?,
        StageLevel::Concurrency(streams) => above_zero(streams, "level.concurrency")?,
    }
    match stage.length {
        StageLength::Requests(requests) => above_zero(requests, "length.requests"),
        StageLength::Duration(time) => ensure(!time.is_zero(), "length.duration_ns", || {
            "is `0`; give a time above zero".into()
        }),
    }
}

fn capacity(search: &Capacity) -> Checked {
    each(
        &[("min", search.min), ("max", search.max)],
        is_above_zero,
        "a level above zero",
    )?;
    ensure(search.min <= search.max, "max", || {
        format!("is `{}`, below `min` `{}`", search.max, search.min)
    })?;
    let precision = search.precision_ratio;
    ensure(precision.is_finite() && precision > 1.0, "precision_ratio", || {
        format!("is `{precision}`; give a ratio above 1")
    })?;
    let attainment = search.attainment;
    ensure(attainment > 0.0 && attainment <= 1.0, "attainment", || {
        format!("is `{attainment}`; give a share above 0, up to 1")
    })?;
    if let Some(batch_s) = search.batch_s {
        each(&[("batch_s", batch_s)], is_above_zero, "seconds above zero")?;
    }
    match search.axis {
        Axis::Rate(arrivals) => spacing(arrivals, "axis.rate"),
        Axis::Concurrency => Ok(()),
    }
}

//! Loads that cannot be scheduled, with what would do.

use std::fmt::Display;

use super::super::LoadError;
use crate::plan::{Arrivals, Load, Plan, Prompts, RampShape, Stage, StageLength, StageLevel};

/// A stage with more requests than this is a slip of the pen, and would not fit into memory.
const MOST_REQUESTS: f64 = 10_000_000.0;

/// Refuses a plan whose loads cannot be generated.
///
/// # Errors
/// The key of the plan, its value, and what would do.
pub(in super::super) fn check(plan: &Plan) -> Result<(), LoadError> {
    let workload = &plan.workload;
    let replays = plan.loads.iter().any(|load| matches!(load, Load::Trace { .. }));
    if replays && !matches!(workload.prompts, Prompts::Trace { .. }) {
        return Err(refuse(
            "trace",
            &workload.name(),
            "the file whose times are to be replayed",
        ));
    }
    if let Some(talk) = &workload.conversation {
        let turns = format!("{} turns", talk.turns);
        if replays {
            return Err(refuse(
                "conversation",
                &turns,
                "a rate or a concurrency with it: a trace sets its own times",
            ));
        }
        if !plan.target.api.has_tokens() {
            return Err(refuse(
                "conversation",
                &turns,
                "an API whose answers can be sent back, such as `chat`",
            ));
        }
    }
    plan.loads.iter().try_for_each(check_load)
}

fn check_load(load: &Load) -> Result<(), LoadError> {
    match load {
        Load::Concurrency(streams) => check_streams(*streams),
        Load::Rate { rate_rps, arrivals } => check_rate("rate", *rate_rps).and_then(|()| check_arrivals(*arrivals)),
        Load::Ramp {
            from_rps,
            to_rps,
            arrivals,
            shape,
        } => {
            let is_from_nothing = *shape == RampShape::Linear && from_rps.abs() <= 0.0;
            if !is_from_nothing {
                check_rate("ramp.from", *from_rps)?;
            }
            check_rate("ramp.to", *to_rps)?;
            check_arrivals(*arrivals)
        }
        Load::Stages { stages, arrivals } => {
            if stages.is_empty() || stages.len() > usize::from(u16::MAX) {
                return Err(refuse("stages", &stages.len(), "from 1 to 65535 stages"));
            }
            check_arrivals(*arrivals)?;
            stages.iter().try_for_each(check_stage)
        }
        Load::Trace { speed_ratio } if !is_positive(*speed_ratio) => {
            Err(refuse("trace.speed", &speed_ratio, "a factor above 0"))
        }
        // A search makes a load of each level that it tries.
        Load::Trace { .. } | Load::Capacity(_) => Ok(()),
    }
}

fn check_stage(stage: &Stage) -> Result<(), LoadError> {
    match stage.level {
        StageLevel::Rate(rate_rps) => check_rate("stages.rate", rate_rps)?,
        StageLevel::Concurrency(streams) => check_streams(streams)?,
    }
    match (stage.level, stage.length) {
        (_, StageLength::Requests(0)) => Err(refuse("stages.requests", &0, "at least 1")),
        (_, StageLength::Duration(time)) if time.is_zero() => Err(refuse("stages.duration", &"0s", "more than 0s")),
        (StageLevel::Rate(rate_rps), StageLength::Duration(time)) => {
            let requests = rate_rps * time.as_secs_f64();
            if requests > MOST_REQUESTS {
                return Err(refuse("stages", &stage, "a stage of at most 10 million requests"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_streams(streams: u32) -> Result<(), LoadError> {
    if streams == 0 {
        return Err(refuse("concurrency", &0, "at least 1"));
    }
    Ok(())
}

fn check_rate(key: &'static str, rate_rps: f64) -> Result<(), LoadError> {
    if !is_positive(rate_rps) {
        return Err(refuse(key, &rate_rps, "a rate above 0 requests per second"));
    }
    Ok(())
}

fn check_arrivals(arrivals: Arrivals) -> Result<(), LoadError> {
    match arrivals {
        Arrivals::Gamma { burstiness } if !is_positive(burstiness) => Err(refuse(
            "burstiness",
            &burstiness,
            "a number above 0 (1 is Poisson, less is burstier)",
        )),
        _ => Ok(()),
    }
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn refuse(key: &'static str, value: &dyn Display, wanted: &'static str) -> LoadError {
    LoadError::Plan {
        key,
        value: value.to_string(),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Api, Conversation, Lengths, Target, ThinkTime, TraceFormat, Workload};

    fn stage(level: StageLevel, length: StageLength) -> Load {
        Load::Stages {
            stages: vec![Stage { level, length }],
            arrivals: Arrivals::Poisson,
        }
    }

    fn rate(rate_rps: f64, arrivals: Arrivals) -> Load {
        Load::Rate { rate_rps, arrivals }
    }

    #[test]
    fn a_conversation_needs_answers_and_a_trace_needs_its_file() {
        let plan = |api, load| {
            let prompts = Prompts::Synthetic {
                input_tokens: Lengths::Fixed(8),
            };
            let mut plan = Plan::new(
                Target::at("http://a"),
                Workload::new(prompts, Lengths::Fixed(8)),
                vec![load],
            );
            plan.target.api = api;
            plan
        };
        let words = |plan: &Plan| check(plan).unwrap_err().to_string();
        let mut replay = plan(Api::Chat, Load::Trace { speed_ratio: 1.0 });
        assert!(
            words(&replay).contains("`trace` is `synthetic-8/8`"),
            "{}",
            words(&replay)
        );
        replay.workload.prompts = Prompts::Trace {
            path: "t.jsonl".into(),
            format: TraceFormat::Auto,
            sha256: None,
        };
        assert!(check(&replay).is_ok());
        let talk = Conversation {
            turns: Lengths::Fixed(3),
            think_time: ThinkTime::Fixed(Duration::ZERO),
        };
        replay.workload.conversation = Some(talk.clone());
        assert!(
            words(&replay).contains("`conversation` is `3 turns`"),
            "{}",
            words(&replay)
        );
        let mut silent = plan(Api::Embeddings, Load::Concurrency(1));
        silent.workload.conversation = Some(talk);
        assert!(words(&silent).contains("can be sent back"), "{}", words(&silent));
    }

    #[test]
    fn a_load_that_cannot_be_sent_is_refused_by_its_key() {
        let second = StageLength::Duration(Duration::from_secs(1));
        let day = StageLength::Duration(Duration::from_secs(86_400));
        let gamma = Arrivals::Gamma { burstiness: 0.0 };
        let table = [
            (Load::Concurrency(0), "`concurrency` is `0`"),
            (rate(0.0, Arrivals::Poisson), "`rate` is `0`"),
            (rate(f64::NAN, Arrivals::Poisson), "`rate` is `NaN`"),
            (rate(1.0, gamma), "`burstiness` is `0`"),
            (Load::Trace { speed_ratio: -1.0 }, "`trace.speed` is `-1`"),
            (stage(StageLevel::Rate(-1.0), second), "`stages.rate` is `-1`"),
            (stage(StageLevel::Concurrency(0), second), "`concurrency` is `0`"),
            (
                stage(StageLevel::Rate(1.0), StageLength::Requests(0)),
                "`stages.requests`",
            ),
            (
                stage(StageLevel::Rate(1.0), StageLength::Duration(Duration::ZERO)),
                "`stages.duration`",
            ),
            (stage(StageLevel::Rate(1000.0), day), "10 million"),
        ];
        for (load, expected) in table {
            let error = check_load(&load).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(check_load(&stage(StageLevel::Rate(100.0), day)).is_ok());
    }
}

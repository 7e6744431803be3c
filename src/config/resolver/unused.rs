//! Values that would do nothing, as another one takes what they are about away.
//!
//! They are refused where they were typed for this call, and where both stand in one place: a file may well hold what
//! only another call uses, and a flag may well put aside what the file says.

use std::time::Duration;

use super::{
    Resolver,
    clashes::{is_replay, untimed},
    load::LOADS,
};
use crate::{
    config::{error::ConfigError, layers::Layer, node::Source, resolve::IdleAnswers},
    plan::{Api, Load, MetricsPage, Plan, Prompts, StageLength, StageLevel, TraceFormat},
};

/// Keys that say where the server is.
const URLS: [&str; 2] = ["target.url", "target.urls"];

/// A page of metrics is not read more often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

impl Resolver {
    /// Refuses what would do nothing.
    pub(super) fn check_unused(&self, plan: &Plan) -> Result<(), ConfigError> {
        self.check_lengths_used(plan)?;
        self.check_target_used(plan)?;
        self.check_load_used(plan)
    }

    fn check_lengths_used(&self, plan: &Plan) -> Result<(), ConfigError> {
        let own = |kind: &str| format!("the rows of a {kind} have their own lengths");
        match &plan.workload.prompts {
            // Beside a dataset in a file they describe it, and a note says so.
            Prompts::Dataset { .. } if !self.is_typed("input_tokens") => {}
            Prompts::Dataset { .. } => self.refuse_unused("input_tokens", &own("dataset"), &["dataset"])?,
            Prompts::Trace { path, format, .. } => {
                self.refuse_unused("input_tokens", &own("trace"), &["trace"])?;
                if states_answers(path, *format) {
                    self.refuse_unused("output_tokens", &own("trace"), &["trace"])?;
                }
            }
            Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } | Prompts::Foreign { .. } => {}
        }
        if plan.target.api == Api::Embeddings {
            self.refuse_unused("output_tokens", "embeddings have no answer of tokens", &["target.api"])?;
        }
        if sets_limit(plan) {
            let why = "the extra fields set the limit of output tokens themselves";
            self.refuse_unused("output_tokens", why, &["extra_body"])?;
        }
        Ok(())
    }

    /// What becomes of `output_tokens` should every row of the prompts turn out to state the length of its answer.
    pub(super) fn idle_answers(&self, plan: &Plan) -> Option<IdleAnswers> {
        let (kind, way_out) = match plan.workload.prompts {
            Prompts::Dataset { .. } => ("dataset", "remove it, or give the dataset `output_column: none`"),
            Prompts::Trace { .. } => ("trace", "remove it"),
            Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } | Prompts::Foreign { .. } => return None,
        };
        let (layer, _) = self.useless("output_tokens", &[kind])?;
        let message =
            format!("each row of the {kind} states how long its answer is, so that this does nothing; {way_out}");
        let told = layer.error("output_tokens", &message).to_string();
        Some(if kind == "dataset" && !is_typed(layer, "output_tokens") {
            IdleAnswers::Noted(told)
        } else {
            IdleAnswers::Refused(told)
        })
    }

    fn check_target_used(&self, plan: &Plan) -> Result<(), ConfigError> {
        let target = &plan.target;
        if target.more_urls.is_empty() {
            self.refuse_unused("target.spread", "requests are spread over several addresses", &URLS)?;
        }
        let urls = target.more_urls.iter().chain([&target.url]).map(String::as_str);
        let mut urls = urls.chain(self.arm_urls());
        if !urls.any(|url| url.to_ascii_lowercase().starts_with("https:")) {
            self.refuse_unused("target.ca_file", "only addresses of `https` have certificates", &URLS)?;
        }
        if target.metrics == MetricsPage::Off && target.gpu_exporter.is_none() {
            self.refuse_unused("target.metrics_interval", "nobody looks there", &["target.metrics"])?;
        }
        if target.metrics_interval < SHORTEST_INTERVAL {
            let message = "a page read so often would be load of its own; give `100ms` or more";
            return Err(self.refuse("target.metrics_interval", message));
        }
        if target.gpu_exporter.is_some() {
            self.refuse_unused(
                "target.nvml_lib",
                "the exporter tells of the GPUs",
                &["target.gpu_exporter"],
            )?;
        }
        if !target.api.has_tokens() && target.streaming {
            self.refuse_unused("target.streaming", "this API has only whole answers", &["target.api"])?;
        }
        if let Some(cause) = untimed(plan) {
            for key in ["target.timeouts.first_token", "target.timeouts.between_tokens"] {
                self.refuse_unused(key, "it waits for streamed tokens", &[cause])?;
            }
        }
        Ok(())
    }

    /// Addresses of arms, which an A/B measurement puts in the place of the target's.
    fn arm_urls(&self) -> impl Iterator<Item = &str> {
        let arms = self.layers.iter().filter_map(|layer| layer.twin.arms.as_ref());
        let each = arms.flat_map(|arms| [&arms.baseline, &arms.candidate]).flatten();
        each.filter_map(|arm| Some(arm.url.as_ref()?.0.as_str()))
    }

    fn check_load_used(&self, plan: &Plan) -> Result<(), ConfigError> {
        if matches!(plan.workload.prompts, Prompts::Trace { .. }) && !plan.loads.iter().any(is_replay) {
            for key in ["trace_speed", "trace.speed"] {
                self.refuse_unused(key, "a trace beside load levels gives only its prompts", &LOADS)?;
            }
        }
        if !plan.loads.iter().any(is_spaced) {
            for key in ["burstiness", "arrivals"] {
                let closed = ["concurrency", "stages", "trace"];
                self.refuse_beside(key, "only requests at a rate are spaced", &closed)?;
            }
        }
        if plan.loads.iter().all(counts_itself) {
            self.refuse_beside("num_requests", "each stage says itself how many it sends", &["stages"])?;
        }
        Ok(())
    }

    /// As [`Resolver::refuse_unused`], for what `capacity` and `sweep` use although the load of the file does not.
    fn refuse_beside(&self, key: &str, why: &str, others: &[&str]) -> Result<(), ConfigError> {
        let has_any = |layer: &&Layer| others.iter().any(|other| layer.names(other));
        let Some(decided) = self.layers.iter().rfind(has_any) else {
            return Ok(());
        };
        let is_typed = others
            .iter()
            .any(|other| decided.names(other) && is_typed(decided, other));
        let is_searched = decided.names("capacity") || decided.names("sweep");
        if is_typed || (decided.names(key) && !is_searched) {
            return self.refuse_unused(key, why, others);
        }
        Ok(())
    }

    /// Refuses a key that others make useless.
    fn refuse_unused(&self, key: &str, why: &str, others: &[&str]) -> Result<(), ConfigError> {
        let refuse = |(layer, other): (&Layer, &str)| Err(layer.error(key, &self.against(why, other)));
        self.useless(key, others).map_or(Ok(()), refuse)
    }

    /// The layer of a key, where it stands beside the one of others that makes it useless, or was typed for this call above
    /// it; and which one that is.
    fn useless<'a>(&self, key: &str, others: &[&'a str]) -> Option<(&Layer, &'a str)> {
        let given = self.layers.iter().rposition(|layer| layer.names(key))?;
        let named = |layer: &Layer| others.iter().find(|other| layer.names(other)).copied();
        let decided = self.layers.iter().rposition(|layer| named(layer).is_some())?;
        let (layer, other) = (self.layers.get(given)?, named(self.layers.get(decided)?)?);
        (given == decided || (given > decided && is_typed(layer, key))).then_some((layer, other))
    }

    /// Whether a key was given for this call.
    pub(super) fn is_typed(&self, key: &str) -> bool {
        let given = self.layers.iter().rfind(|layer| layer.names(key));
        given.is_some_and(|layer| is_typed(layer, key))
    }
}

fn is_typed(layer: &Layer, key: &str) -> bool {
    matches!(layer.source(key), Source::Flag(_) | Source::Env(_))
}

/// Whether requests come at random gaps, or could.
fn is_spaced(load: &Load) -> bool {
    match load {
        Load::Concurrency(_) | Load::Trace { .. } => false,
        Load::Stages { stages, .. } => stages.iter().any(|stage| matches!(stage.level, StageLevel::Rate(_))),
        Load::Rate { .. } | Load::Ramp { .. } | Load::Capacity(_) => true,
    }
}

/// Whether a load needs no number of requests: all of its stages say how many, or follow from their rate and time.
fn counts_itself(load: &Load) -> bool {
    let Load::Stages { stages, .. } = load else {
        return false;
    };
    stages.iter().all(|stage| {
        let is_open_ended = matches!(
            (stage.level, stage.length),
            (StageLevel::Concurrency(_), StageLength::Duration(_))
        );
        !is_open_ended
    })
}

/// Whether the extra fields of a body name the one that holds the limit of output tokens.
fn sets_limit(plan: &Plan) -> bool {
    let body = &plan.target.extra_body;
    let within = |name: &str| {
        let parameters = body.get("parameters");
        parameters.is_some_and(|text| text.contains(&format!("\"{name}\"")))
    };
    match plan.target.api {
        Api::Chat | Api::Completions | Api::Messages => body.contains_key("max_tokens"),
        Api::Responses => body.contains_key("max_output_tokens"),
        Api::KserveGenerate | Api::KserveInfer => within("max_tokens"),
        Api::Tgi => within("max_new_tokens"),
        Api::Embeddings => false,
    }
}

/// Whether all lines of a trace are known to state the length of their answer before it is read.
fn states_answers(path: &str, format: TraceFormat) -> bool {
    match format {
        TraceFormat::Mooncake | TraceFormat::AzureLlm | TraceFormat::BurstGpt => true,
        TraceFormat::Auto => path.to_ascii_lowercase().ends_with(".csv"),
        TraceFormat::Jsonl => false,
    }
}

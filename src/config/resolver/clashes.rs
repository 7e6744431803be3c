//! Values that contradict each other, wherever they came from: both places are named.

use super::Resolver;
use crate::{
    config::{error::ConfigError, node::Source, show, twin::GateTwin},
    metric::Metric,
    plan::{Api, Load, Plan},
};

impl Resolver {
    /// An error about a key, at the place that its value came from.
    pub(super) fn refuse(&self, key: &str, message: &str) -> ConfigError {
        let origin = self.origins.iter().find(|origin| origin.key == key);
        ConfigError::at(
            origin.map_or(Source::Default, |origin| origin.source),
            &self.file(),
            key,
            message,
        )
    }

    /// The same, for a value that another one rules out.
    fn clash(&self, key: &str, why: &str, other: &str) -> ConfigError {
        self.refuse(key, &self.against(why, other))
    }

    /// Why a value cannot stand, with the other one that rules it out and its place.
    pub(super) fn against(&self, why: &str, other: &str) -> String {
        let origin = self.origins.iter().find(|origin| origin.key == other);
        let told = origin.map_or_else(String::new, |origin| {
            let place = show::place(origin.source, Some(&self.file()));
            format!(", but `{other}` is `{}` ({place})", origin.value)
        });
        format!("{why}{told}; change one of them")
    }

    /// Name of the configuration file, in errors.
    fn file(&self) -> String {
        let files = self.layers.iter().map(super::Layer::file);
        files
            .into_iter()
            .find(|file| !file.is_empty())
            .unwrap_or_default()
            .to_owned()
    }

    pub(super) fn check_clashes(&self, plan: &Plan) -> Result<(), ConfigError> {
        let api = plan.target.api;
        let rules = [
            (
                plan.workload.conversation.is_some() && !api.has_tokens(),
                "conversation",
                "a conversation needs answers of text",
                "target.api",
            ),
            (
                plan.workload.conversation.is_some() && plan.loads.iter().any(is_replay),
                "conversation",
                "a trace has its own times, and those of a conversation follow the answers",
                "trace",
            ),
            (
                plan.workload.images.is_some() && api != Api::Chat,
                "images",
                "images stand in chat messages",
                "target.api",
            ),
            (
                plan.workload.batch > 1 && api != Api::Embeddings,
                "batch",
                "only embeddings take several texts",
                "target.api",
            ),
            (
                !plan.workload.models.is_empty() && plan.target.model.is_some(),
                "models",
                "models share all requests among themselves",
                "model",
            ),
            (
                !plan.workload.models.is_empty() && !names_model(api),
                "models",
                "a request of this API does not name its model",
                "target.api",
            ),
            (
                plan.warmup_limit
                    .is_some_and(|limit| plan.warmup_requests == 0 || limit < plan.warmup_requests),
                "warmup_limit",
                "it bounds a warm-up that goes on in steps of `warmup_requests`",
                "warmup_requests",
            ),
        ];
        for (is_clash, key, why, other) in rules {
            if is_clash {
                return Err(self.clash(key, why, other));
            }
        }
        self.check_unused(plan)?;
        self.check_token_times(plan)
    }

    /// Limits on tokens' times, where answers bring no tokens one by one.
    fn check_token_times(&self, plan: &Plan) -> Result<(), ConfigError> {
        let Some(cause) = untimed(plan) else { return Ok(()) };
        if plan.slo.ttft_ms.or(plan.slo.tpot_ms).is_some() {
            return Err(self.clash("slo", "a limit on TTFT or TPOT needs streamed tokens", cause));
        }
        for layer in &self.layers {
            let rules = layer.twin.gates.iter().flatten();
            let rules = rules.filter(|(_, rule)| !matches!(rule, GateTwin::Off(_)));
            let limits = layer.twin.threshold.iter().flat_map(|threshold| threshold.metrics());
            let ceilings = layer.twin.ceilings.iter().flat_map(|bounds| bounds.keys());
            let keys = rules
                .map(|(key, _)| ("gates", key.as_str()))
                .chain(ceilings.map(|key| ("ceilings", key.as_str())))
                .chain(limits.map(|(key, _)| ("threshold", key)));
            for (path, key) in keys {
                if Metric::from_key(key).is_some_and(|metric| is_unknown(plan, metric)) {
                    let message = self.against("this metric needs streamed tokens", cause);
                    return Err(layer.error(&format!("{path}.{key}"), &message));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn is_replay(load: &Load) -> bool {
    matches!(load, Load::Trace { .. })
}

/// Whether a request says which model it is for; else that stands in the path, or nowhere.
fn names_model(api: Api) -> bool {
    !matches!(api, Api::KserveGenerate | Api::KserveInfer | Api::Tgi)
}

/// Which key takes the tokens' times away, if one does.
pub(super) fn untimed(plan: &Plan) -> Option<&'static str> {
    if !plan.target.api.has_tokens() {
        return Some("target.api");
    }
    (!plan.target.streaming).then_some("target.streaming")
}

/// Whether answers of this plan have no value for a metric.
pub(super) fn is_unknown(plan: &Plan, metric: Metric) -> bool {
    let key = metric.key();
    let times = ["ttf", "tpot", "itl"];
    let has_tokens = plan.target.api.has_tokens();
    times.iter().any(|start| key.starts_with(start)) || (!has_tokens && metric == Metric::OutputTokensPerS)
}

//! From layers to the policy: the rule table, and what each layer changes in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::ConfigError,
    layers::Layer,
    node::Source,
    twin::{ALL, ActionTwin, GateTwin, RequiresTwin, RuleTwin},
};
use crate::{
    compare::{fingerprint, work},
    metric::{Better, Metric, Percentile},
    verdict::{Action, Evidence, Gate, Policy},
};

/// The gates, and those switched off, with the place that each came from.
#[derive(Debug)]
pub(super) struct Rules(BTreeMap<Metric, (Option<Gate>, Source)>);

impl Rules {
    /// Applies the layers to the rule table, lowest first.
    pub(super) fn resolve(layers: &[Layer]) -> Result<Self, ConfigError> {
        let mut rules = Self::table();
        for layer in layers {
            check_allowed(layer)?;
            rules.apply(layer)?;
        }
        Ok(rules)
    }

    fn table() -> Self {
        let rows = Policy::default().gates.into_iter();
        let rows = rows.map(|(metric, gate)| (metric, (Some(gate), Source::Default)));
        Self(rows.collect())
    }

    /// Inside one layer the general gives way to the particular: first the limit for all, then rules, then limits by
    /// metric.
    fn apply(&mut self, layer: &Layer) -> Result<(), ConfigError> {
        let limits = layer.twin.threshold.iter().flat_map(|threshold| threshold.metrics());
        let (all, by_metric): (Vec<_>, Vec<_>) = limits.partition(|(key, _)| *key == ALL);
        for (_, limit) in all {
            let path = "threshold";
            for (metric, (gate, source)) in &mut self.0 {
                let Some(gate) = gate else { continue };
                check(*metric, limit.0).map_err(|message| layer.error(path, &message))?;
                gate.threshold = limit.0;
                *source = layer.source(path);
            }
        }
        for (key, twin) in layer.twin.gates.iter().flatten() {
            self.set(layer, key, twin)?;
        }
        for (key, limit) in by_metric {
            self.limit(layer, key, limit.0)?;
        }
        Ok(())
    }

    fn set(&mut self, layer: &Layer, key: &str, twin: &GateTwin) -> Result<(), ConfigError> {
        let Some(metric) = Metric::from_key(key) else {
            return Ok(());
        };
        let path = format!("gates.{key}");
        let gate = match twin {
            GateTwin::Off(_) => {
                self.0.insert(metric, (None, layer.source(&path)));
                return Ok(());
            }
            GateTwin::Limit(limit) => Gate {
                threshold: limit.0,
                ..self.standing(metric)
            },
            GateTwin::Rule(rule) => gate(rule, self.standing(metric)),
        };
        check(metric, gate.threshold).map_err(|message| layer.error(&path, &message))?;
        self.0.insert(metric, (Some(gate), layer.source(&path)));
        Ok(())
    }

    /// The rule so far, of which a new one keeps what it does not name; a metric without one blocks.
    fn standing(&self, metric: Metric) -> Gate {
        let blocks = Gate {
            threshold: 0.0,
            action: Action::Block,
            requires: None,
        };
        self.0.get(&metric).and_then(|(gate, _)| *gate).unwrap_or(blocks)
    }

    fn limit(&mut self, layer: &Layer, key: &str, limit: f64) -> Result<(), ConfigError> {
        let Some(metric) = Metric::from_key(key) else {
            return Ok(());
        };
        let path = format!("threshold.{key}");
        let Some((Some(gate), source)) = self.0.get_mut(&metric) else {
            let message = format!("`{key}` has no gate; give it one with `gates.{key}` or `--gate {key}=LIMIT`");
            return Err(layer.error(&path, &message));
        };
        check(metric, limit).map_err(|message| layer.error(&path, &message))?;
        gate.threshold = limit;
        *source = layer.source(&path);
        Ok(())
    }

    /// Takes away the gates of metrics that an answer without streamed tokens does not have; E2E stands in for TPOT.
    pub(super) fn without(&mut self, is_unknown: impl Fn(Metric) -> bool) {
        let tpot = self.0.remove(&Metric::Tpot(Percentile::P95));
        self.0.retain(|metric, _| !is_unknown(*metric));
        if let Some(rule) = tpot {
            self.0.entry(Metric::E2e(Percentile::P95)).or_insert(rule);
        }
    }

    /// Each metric that has a gate or lost it, with its place, in metric order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Metric, Option<Gate>, Source)> {
        self.0.iter().map(|(metric, (gate, source))| (*metric, *gate, *source))
    }

    /// The policy itself.
    pub(super) fn policy(&self, allow: BTreeSet<String>) -> Policy {
        Policy {
            gates: self
                .rows()
                .filter_map(|(metric, gate, _)| Some((metric, gate?)))
                .collect(),
            allow,
        }
    }
}

/// A misspelt field would silently allow nothing.
fn check_allowed(layer: &Layer) -> Result<(), ConfigError> {
    let names = layer.twin.allow.iter().flatten();
    let Some(unknown) = names
        .map(|word| &word.0)
        .find(|name| !fingerprint::is_field(name) && *name != work::ALLOW)
    else {
        return Ok(());
    };
    let fields = fingerprint::FIELDS.into_iter().map(|field| format!("`{field}`"));
    let open = fingerprint::OPEN_FIELDS.into_iter().map(|start| format!("`{start}…`"));
    let work = [format!("`{}`", work::ALLOW)];
    let known: Vec<String> = fields.chain(open).chain(work).collect();
    let message = format!("there is no field `{unknown}`; the fields are {}", known.join(", "));
    Err(layer.error("allow", &message))
}

/// A throughput cannot fall by 100 % and still be measured.
fn check(metric: Metric, threshold: f64) -> Result<(), String> {
    if matches!(metric, Metric::ErrorRate | Metric::Completed | Metric::Failed) {
        return Err(format!(
            "`{metric}` has no relative limit, as it is 0 on a healthy server; failures are limited by `max_error_rate`"
        ));
    }
    if metric.better() == Better::Higher && threshold >= 1.0 {
        return Err(format!(
            "limit {threshold} is too large for `{metric}`, where more is better; give less than 1"
        ));
    }
    Ok(())
}

fn gate(rule: &RuleTwin, standing: Gate) -> Gate {
    Gate {
        threshold: rule.threshold.0,
        action: match rule.action {
            Some(ActionTwin::Warn) => Action::Warn,
            Some(ActionTwin::Block) => Action::Block,
            None => standing.action,
        },
        requires: match rule.requires {
            Some(RequiresTwin::Explanation) => Some(Evidence::Explanation),
            Some(RequiresTwin::Profile) => Some(Evidence::Profile),
            Some(RequiresTwin::None) => None,
            None => standing.requires,
        },
    }
}

//! From layers to the policy: the rule table, and what each layer changes in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::ConfigError,
    fields,
    layers::Layer,
    limits::Limit,
    node::Source,
    show,
    twin::{ALL, ActionTwin, FieldRuleTwin, GateTwin, RequiresTwin},
};
use crate::{
    metric::{Better, Metric, Percentile, Told},
    verdict::{self, Action, Evidence, FieldRule, Gate, Policy},
};

/// All rules with the place that each came from; a rule that was switched off is kept as `None`.
#[derive(Debug)]
pub(super) struct Rules {
    gates: BTreeMap<Metric, (Option<Gate>, Source)>,
    ceilings: BTreeMap<Metric, (Option<f64>, Source)>,
    errors: (Option<Action>, Source),
    fields: BTreeMap<String, (FieldRule, Source)>,
}

impl Rules {
    /// Applies the layers to the rule table, lowest first.
    pub(super) fn resolve(layers: &[Layer]) -> Result<Self, ConfigError> {
        let mut rules = Self::table();
        fields::check(layers)?;
        for layer in layers {
            rules.apply(layer)?;
        }
        Ok(rules)
    }

    fn table() -> Self {
        let built_in = Policy::default();
        let gates = built_in.gates.into_iter();
        Self {
            gates: gates
                .map(|(metric, gate)| (metric, (Some(gate), Source::Default)))
                .collect(),
            ceilings: BTreeMap::new(),
            errors: (built_in.errors, Source::Default),
            fields: BTreeMap::new(),
        }
    }

    /// Inside one layer the general gives way to the particular: first the limit for all, then rules, then limits by
    /// metric.
    fn apply(&mut self, layer: &Layer) -> Result<(), ConfigError> {
        let limits = layer.twin.threshold.iter().flat_map(|threshold| threshold.metrics());
        let (all, by_metric): (Vec<_>, Vec<_>) = limits.partition(|(key, _)| *key == ALL);
        for (_, limit) in all {
            let path = "threshold";
            for (metric, (gate, source)) in &mut self.gates {
                let Some(gate) = gate else { continue };
                gate.limit = checked(*metric, limit).map_err(|message| layer.error(path, &message))?;
                *source = layer.source(path);
            }
        }
        for (key, twin) in layer.twin.gates.iter().flatten() {
            let path = format!("gates.{key}");
            self.set(layer, key, twin, &path)
                .map_err(|message| layer.error(&path, &message))?;
        }
        for (key, limit) in by_metric {
            self.limit(layer, key, limit)?;
        }
        self.bounds(layer)
    }

    /// Ceilings and rules of fields.
    fn bounds(&mut self, layer: &Layer) -> Result<(), ConfigError> {
        for (key, ceiling) in layer.twin.ceilings.iter().flatten() {
            let path = format!("ceilings.{key}");
            let Some(metric) = Metric::from_key(key) else { continue };
            let bound = ceiling.of(metric).map_err(|message| layer.error(&path, &message))?;
            self.ceilings.insert(metric, (bound, layer.source(&path)));
        }
        for (field, rule) in layer.twin.fields.iter().flatten() {
            let rule = match rule {
                FieldRuleTwin::Refuse => FieldRule::Refuse,
                FieldRuleTwin::Warn => FieldRule::Warn,
                FieldRuleTwin::Ignore => FieldRule::Ignore,
            };
            let source = layer.entry_source("fields", field);
            self.fields.insert(field.clone(), (rule, source));
        }
        Ok(())
    }

    fn set(&mut self, layer: &Layer, key: &str, twin: &GateTwin, path: &str) -> Result<(), String> {
        let Some(metric) = twin.metric(key)? else {
            return Ok(());
        };
        let source = layer.source(path);
        if metric == Metric::ErrorRate {
            self.errors = (errors(twin)?, source);
            return Ok(());
        }
        let standing = self.gates.get(&metric).and_then(|(gate, _)| *gate);
        let (action, requires) = standing.map_or((Action::Block, None), |gate| (gate.action, gate.requires));
        let gate = match twin {
            GateTwin::Off(_) => None,
            GateTwin::Does(does) => Some(Gate {
                action: action_of(*does),
                ..standing.ok_or_else(|| format!("`{key}` has no limit yet; give it one, such as `5%`"))?
            }),
            GateTwin::Limit(limit) => Some(Gate {
                limit: checked(metric, *limit)?,
                action,
                requires,
            }),
            GateTwin::Rule(rule) => Some(Gate {
                limit: checked(metric, rule.threshold)?,
                action: rule.action.map_or(action, action_of),
                requires: rule.requires.map_or(requires, requires_of),
            }),
        };
        self.gates.insert(metric, (gate, source));
        Ok(())
    }

    fn limit(&mut self, layer: &Layer, key: &str, limit: Limit) -> Result<(), ConfigError> {
        let Some(metric) = Metric::from_key(key) else {
            return Ok(());
        };
        let path = format!("threshold.{key}");
        let Some((Some(gate), source)) = self.gates.get_mut(&metric) else {
            let message = format!("`{key}` has no gate; give it one with `gates.{key}` or `--gate {key}=LIMIT`");
            return Err(layer.error(&path, &message));
        };
        gate.limit = checked(metric, limit).map_err(|message| layer.error(&path, &message))?;
        *source = layer.source(&path);
        Ok(())
    }

    /// Takes away the gates of metrics that an answer without streamed tokens does not have; E2E stands in for TPOT.
    pub(super) fn without(&mut self, is_unknown: impl Fn(Metric) -> bool) {
        let tpot = self.gates.remove(&Metric::Tpot(Percentile::P95));
        self.gates.retain(|metric, _| !is_unknown(*metric));
        if let Some(rule) = tpot {
            self.gates.entry(Metric::E2e(Percentile::P95)).or_insert(rule);
        }
    }

    /// Takes away the built-in gates of some metrics; who asks for one has it.
    pub(super) fn without_built_in(&mut self, is_unwanted: impl Fn(Metric) -> bool) {
        self.gates
            .retain(|metric, (_, source)| *source != Source::Default || !is_unwanted(*metric));
    }

    /// Whether a layer lets a latency be longer than this, or its ceiling be off.
    pub(super) fn weakens(&self, metric: Metric, bound: f64) -> bool {
        let own = self.ceilings.get(&metric);
        own.is_some_and(|(own, _)| own.is_none_or(|own| own > bound))
    }

    /// Sets the ceiling of a latency where no layer has a lower one.
    pub(super) fn bound(&mut self, metric: Metric, bound: f64, source: Source) {
        let own = self.ceilings.get(&metric).and_then(|(own, _)| *own);
        if own.is_none_or(|own| own > bound) {
            self.ceilings.insert(metric, (Some(bound), source));
        }
    }

    /// The series that are asked for by name.
    pub(super) fn told(&self) -> Vec<&'static Told> {
        let gated = self.gates.iter().filter(|(_, (gate, _))| gate.is_some());
        let bounded = self.ceilings.iter().filter(|(_, (bound, _))| bound.is_some());
        let metrics: BTreeSet<Metric> = gated
            .map(|(metric, _)| *metric)
            .chain(bounded.map(|(metric, _)| *metric))
            .collect();
        let told = metrics.into_iter().filter_map(|metric| match metric {
            Metric::Told(told) => Some(told),
            _ => None,
        });
        told.collect()
    }

    /// Each rule with its key, as text, and its place: gates in metric order, then ceilings, then fields.
    pub(super) fn rows(&self) -> Vec<(String, String, Source)> {
        let off = || "off".to_owned();
        let gates = self.gates.iter().map(|(metric, (gate, source))| {
            let text = gate.map_or_else(off, |gate| show::gate(*metric, gate));
            (format!("gates.{metric}"), text, *source)
        });
        let errors = self.errors.0.map_or_else(off, |action| show::action(action).to_owned());
        let errors = (format!("gates.{}", Metric::ErrorRate), errors, self.errors.1);
        let ceilings = self.ceilings.iter().map(|(metric, (bound, source))| {
            let text = bound.map_or_else(off, |bound| show::ceiling(*metric, bound));
            (format!("ceilings.{metric}"), text, *source)
        });
        let fields = self.fields.iter().map(|(field, (rule, source))| {
            let text = match rule {
                FieldRule::Refuse => "refuse",
                FieldRule::Warn => "warn",
                FieldRule::Ignore => "ignore",
            };
            (format!("fields.{field}"), text.to_owned(), *source)
        });
        gates.chain([errors]).chain(ceilings).chain(fields).collect()
    }

    /// The policy itself, but for what no rule says.
    pub(super) fn policy(&self) -> Policy {
        let gates = self.gates.iter();
        let ceilings = self.ceilings.iter();
        let fields = self.fields.iter();
        Policy {
            gates: gates
                .filter_map(|(metric, (gate, _))| Some((*metric, (*gate)?)))
                .collect(),
            ceilings: ceilings
                .filter_map(|(metric, (bound, _))| Some((*metric, (*bound)?)))
                .collect(),
            errors: self.errors.0,
            fields: fields.map(|(field, (rule, _))| (field.clone(), *rule)).collect(),
            ..Policy::default()
        }
    }
}

/// Failed requests have a test of their own, which has no limit.
fn errors(twin: &GateTwin) -> Result<Option<Action>, String> {
    match twin {
        GateTwin::Off(_) => Ok(None),
        GateTwin::Does(action) => Ok(Some(action_of(*action))),
        GateTwin::Limit(_) | GateTwin::Rule(_) => Err(format!(
            "`{}` has no limit: any real rise is one too many; give `block`, `warn`, `report` or `off`, and the largest \
             share that a run may have as `max_error_rate`",
            Metric::ErrorRate
        )),
    }
}

/// The limit of a gate, if the metric can have it.
fn checked(metric: Metric, limit: Limit) -> Result<verdict::Limit, String> {
    match limit {
        Limit::Share(_) if metric.is_count() => Err(format!(
            "`{metric}` has no relative limit, as it is 0 on a healthy server; give a difference such as `5 requests`"
        )),
        // A throughput cannot fall by 100 % and still be measured.
        Limit::Share(share) if metric.better() == Better::Higher && share >= 1.0 => Err(format!(
            "limit {share} is too large for `{metric}`, where more is better; give less than 1"
        )),
        Limit::Share(share) => Ok(verdict::Limit::Relative(share)),
        Limit::Difference(amount) => amount.harm(metric).map(verdict::Limit::Absolute),
    }
}

const fn action_of(twin: ActionTwin) -> Action {
    match twin {
        ActionTwin::Block => Action::Block,
        ActionTwin::Warn => Action::Warn,
        ActionTwin::Report => Action::Report,
    }
}

const fn requires_of(twin: RequiresTwin) -> Option<Evidence> {
    match twin {
        RequiresTwin::Explanation => Some(Evidence::Explanation),
        RequiresTwin::Profile => Some(Evidence::Profile),
        RequiresTwin::None => None,
    }
}

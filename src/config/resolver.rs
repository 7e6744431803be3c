//! Takes each key from the highest layer that has it, or from the defaults that stand here, and notes which it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    error::ConfigError,
    layers::Layer,
    lengths::LengthsTwin,
    node::Source,
    policy::Rules,
    resolve::{HeaderSource, Origin, Resolved},
    show,
    texts::FreeMap,
    twin::{ApiTwin, ArrivalsTwin, ConfigFile, HeaderTwin, TargetTwin, TimeoutsTwin},
    values::{Span, Whole},
};
use crate::{
    plan::{Api, Arrivals, Lengths, Load, Plan, Prompts, Slo, Target, Timeouts, Workload},
    verdict::Policy,
};

/// The levels where neither `concurrency` nor `rate` is given.
const DEFAULT_CONCURRENCY: [u32; 3] = [1, 4, 16];

/// The dataset that stands for prompts made from the seed.
const SYNTHETIC: &str = "synthetic";

pub(super) struct Resolver {
    /// Lowest first.
    pub(super) layers: Vec<Layer>,
    pub(super) base_dir: PathBuf,
    pub(super) origins: Vec<Origin>,
    pub(super) notes: Vec<String>,
}

impl Resolver {
    pub(super) fn new(layers: Vec<Layer>, base_dir: PathBuf) -> Self {
        Self {
            layers,
            base_dir,
            origins: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn resolve(mut self, file: Option<PathBuf>, rules: &Rules) -> Result<Resolved, ConfigError> {
        let (target, header_sources) = self.target();
        let plan = Plan {
            target,
            loads: self.loads(),
            workload: self.workload()?,
            seed: self.value("seed", 42, |twin| twin.seed.map(|seed| seed.0), u64::to_string),
            requests_per_run: self.count("num_requests", 200, |twin| twin.num_requests.map(Whole::as_u32)),
            warmup_limit: None,
            slo: Slo::default(),
            warmup_requests: self.count("warmup_requests", 20, |twin| twin.warmup_requests.map(Whole::as_u32)),
            repeats: self.count("repeat", 5, |twin| twin.repeat.map(Whole::as_u32)),
            max_error_rate: self.value(
                "max_error_rate",
                0.01,
                |twin| twin.max_error_rate.map(|share| share.0),
                |share| show::percent(*share),
            ),
            hardware: self.description("hardware", |twin| twin.hardware.as_ref()),
            framework: self.description("framework", |twin| twin.framework.as_ref()),
        };
        let policy = self.policy(rules);
        let settings = self.settings(file);
        self.note_dataset(&plan, &settings);
        Ok(Resolved {
            plan,
            policy,
            settings,
            header_sources,
            origins: self.origins,
            notes: self.notes,
        })
    }

    pub(super) fn note(&mut self, key: &str, value: String, source: Source) {
        let key = key.to_owned();
        self.origins.push(Origin { key, value, source });
    }

    /// The value of the highest layer that has it, with its place.
    pub(super) fn find<T>(&self, key: &str, get: impl Fn(&ConfigFile) -> Option<T>) -> Option<(T, Source)> {
        let found = |layer: &Layer| get(&layer.twin).map(|value| (value, layer.source(key)));
        self.layers.iter().rev().find_map(found)
    }

    pub(super) fn value<T>(
        &mut self,
        key: &str,
        default: T,
        get: impl Fn(&ConfigFile) -> Option<T>,
        text: impl Fn(&T) -> String,
    ) -> T {
        let (value, source) = self.find(key, get).unwrap_or((default, Source::Default));
        self.note(key, text(&value), source);
        value
    }

    fn count(&mut self, key: &str, default: u32, get: impl Fn(&ConfigFile) -> Option<u32>) -> u32 {
        self.value(key, default, get, u32::to_string)
    }

    /// A text that may be absent; `absent` says what happens then.
    pub(super) fn word(
        &mut self,
        key: &str,
        absent: &str,
        get: impl Fn(&ConfigFile) -> Option<String>,
    ) -> Option<String> {
        let found = self.find(key, get);
        let (text, source) = found.clone().unwrap_or((absent.to_owned(), Source::Default));
        self.note(key, text, source);
        found.map(|(text, _)| text)
    }

    fn target(&mut self) -> (Target, Vec<(String, HeaderSource)>) {
        let url = self.in_target("target.url", "http://127.0.0.1:8000".into(), |t| {
            t.url.clone().map(|url| url.0)
        });
        let model = self.model();
        let api = self.in_target("target.api", "chat".into(), |t| {
            t.api.map(|api| match api {
                ApiTwin::Chat => Api::Chat.name().to_owned(),
                ApiTwin::Completions => Api::Completions.name().to_owned(),
            })
        });
        let header_sources = self.headers();
        let api_key_env = self.word("target.api_key_env", "(none)", |twin| {
            twin.target.as_ref()?.api_key_env.clone().map(|name| name.0)
        });
        let target = Target {
            model,
            api: if api == Api::Completions.name() {
                Api::Completions
            } else {
                Api::Chat
            },
            header_names: header_sources.iter().map(|(name, _)| name.clone()).collect(),
            api_key_env,
            timeouts: self.timeouts(),
            extra_body: self.extra_body(),
            ..Target::at(&url)
        };
        (target, header_sources)
    }

    fn in_target(&mut self, key: &str, default: String, get: impl Fn(&TargetTwin) -> Option<String>) -> String {
        self.value(key, default, |twin| twin.target.as_ref().and_then(&get), String::clone)
    }

    /// `model` stands at the top level or in the target; the layers agree with themselves.
    fn model(&mut self) -> Option<String> {
        let found = self.layers.iter().rev().find_map(|layer| {
            let inner = layer.twin.target.as_ref().and_then(|target| target.model.as_ref());
            let top = layer.twin.model.as_ref().map(|model| (model, "model"));
            let (model, key) = top.or_else(|| inner.map(|model| (model, "target.model")))?;
            Some((model.0.clone(), layer.source(key)))
        });
        let (text, source) = found
            .clone()
            .unwrap_or(("(the server's only model)".into(), Source::Default));
        self.note("model", text, source);
        found.map(|(model, _)| model)
    }

    /// Headers add up over the layers; a higher one replaces its namesake, whatever the letter case.
    fn headers(&mut self) -> Vec<(String, HeaderSource)> {
        let mut merged: BTreeMap<String, (String, HeaderSource, Source)> = BTreeMap::new();
        for layer in &self.layers {
            let headers = layer.twin.target.as_ref().and_then(|target| target.headers.as_ref());
            for (name, value) in headers.into_iter().flatten() {
                let value = match value {
                    HeaderTwin::Text(text) => HeaderSource::Text(text.clone()),
                    HeaderTwin::Env(from) => HeaderSource::Env(from.env.0.clone()),
                };
                let place = layer.entry_source("target.headers", name);
                merged.insert(name.to_ascii_lowercase(), (name.clone(), value, place));
            }
        }
        let mut sources = Vec::with_capacity(merged.len());
        for (name, value, place) in merged.into_values() {
            let text = match &value {
                HeaderSource::Text(_) => "(hidden)".to_owned(),
                HeaderSource::Env(variable) => format!("env:{variable}"),
            };
            self.note(&format!("target.headers.{name}"), text, place);
            sources.push((name, value));
        }
        sources
    }

    fn timeouts(&mut self) -> Timeouts {
        let default = Timeouts::default();
        let mut phase = |name: &str, default, get: fn(&TimeoutsTwin) -> Option<Span>| {
            let get = |twin: &ConfigFile| get(twin.target.as_ref()?.timeouts.as_ref()?).map(|span| span.0);
            self.value(&format!("target.timeouts.{name}"), default, get, |time| {
                format!("{time:?}")
            })
        };
        Timeouts {
            connect: phase("connect", default.connect, |twin| twin.connect),
            first_token: phase("first_token", default.first_token, |twin| twin.first_token),
            between_tokens: phase("between_tokens", default.between_tokens, |twin| twin.between_tokens),
            total: phase("total", default.total, |twin| twin.total),
        }
    }

    /// Answers of full length and without chance, so that two sessions do the same work.
    fn extra_body(&mut self) -> BTreeMap<String, String> {
        let default = [("ignore_eos", "true"), ("temperature", "0")];
        let default = default.map(|(key, json)| (key.to_owned(), json.to_owned())).into();
        let get = |twin: &ConfigFile| {
            let fields = twin.extra_body.as_ref()?.iter();
            Some(fields.map(|(key, json)| (key.clone(), json.to_string())).collect())
        };
        self.value("extra_body", default, get, |fields: &BTreeMap<String, String>| {
            let fields: Vec<String> = fields.iter().map(|(key, json)| format!("{key:?}: {json}")).collect();
            format!("{{{}}}", fields.join(", "))
        })
    }

    /// The highest layer that sets `concurrency` or `rate` decides both: else a lower layer's levels would sneak in.
    fn loads(&mut self) -> Vec<Load> {
        let arrivals = self.value(
            "arrivals",
            Arrivals::Poisson,
            |twin| {
                twin.arrivals.map(|arrivals| match arrivals {
                    ArrivalsTwin::Poisson => Arrivals::Poisson,
                    ArrivalsTwin::Constant => Arrivals::Constant,
                })
            },
            |arrivals| arrivals.name().to_owned(),
        );
        let deciding = self.layers.iter().rev();
        let deciding = deciding
            .clone()
            .find(|layer| layer.twin.concurrency.is_some() || layer.twin.rate.is_some());
        let Some(layer) = deciding else {
            self.note("concurrency", show::list(&DEFAULT_CONCURRENCY), Source::Default);
            return DEFAULT_CONCURRENCY.into_iter().map(Load::Concurrency).collect();
        };
        let streams = layer.twin.concurrency.iter().flat_map(|list| &list.0);
        let streams: Vec<u32> = streams.map(|level| level.as_u32()).collect();
        let rates: Vec<f64> = layer
            .twin
            .rate
            .iter()
            .flat_map(|list| &list.0)
            .map(|rate| rate.0)
            .collect();
        let places = (layer.source("concurrency"), layer.source("rate"));
        if !streams.is_empty() {
            self.note("concurrency", show::list(&streams), places.0);
        }
        if !rates.is_empty() {
            self.note("rate", show::list(&rates), places.1);
        }
        let open = rates.into_iter().map(|rate_rps| Load::Rate { rate_rps, arrivals });
        streams.into_iter().map(Load::Concurrency).chain(open).collect()
    }

    fn workload(&mut self) -> Result<Workload, ConfigError> {
        let dataset = self.word("dataset", SYNTHETIC, |twin| twin.dataset.clone().map(|word| word.0));
        let dataset = dataset.filter(|name| name != SYNTHETIC);
        let input_tokens = self.lengths("input_tokens", 512, |twin| twin.input_tokens)?;
        let output_tokens = self.lengths("output_tokens", 128, |twin| twin.output_tokens)?;
        let prompts = match dataset {
            None => Prompts::Synthetic { input_tokens },
            Some(path) => Prompts::dataset(path),
        };
        Ok(Workload::new(prompts, output_tokens))
    }

    fn lengths(
        &mut self,
        key: &str,
        default: u32,
        get: impl Fn(&ConfigFile) -> Option<LengthsTwin>,
    ) -> Result<Lengths, ConfigError> {
        let found = self
            .layers
            .iter()
            .rev()
            .find_map(|layer| get(&layer.twin).map(|twin| (twin, layer)));
        let (lengths, source) = match found {
            None => (Lengths::Fixed(default), Source::Default),
            Some((twin, layer)) => {
                let lengths = twin.lengths().map_err(|message| layer.error(key, &message))?;
                (lengths, layer.source(key))
            }
        };
        self.note(key, lengths.to_string(), source);
        Ok(lengths)
    }

    /// Descriptions add up over the layers, entry by entry.
    fn description(&mut self, key: &str, get: fn(&ConfigFile) -> Option<&FreeMap>) -> BTreeMap<String, String> {
        let mut merged: BTreeMap<String, (String, Source)> = BTreeMap::new();
        for layer in &self.layers {
            for (name, text) in get(&layer.twin).iter().flat_map(|map| &map.0) {
                merged.insert(name.clone(), (text.clone(), layer.entry_source(key, name)));
            }
        }
        for (name, (text, source)) in &merged {
            self.note(&format!("{key}.{name}"), text.clone(), *source);
        }
        merged.into_iter().map(|(name, (text, _))| (name, text)).collect()
    }

    fn policy(&mut self, rules: &Rules) -> Policy {
        for (metric, gate, source) in rules.rows() {
            let text = gate.map_or_else(|| "off".to_owned(), show::gate);
            self.note(&format!("gates.{metric}"), text, source);
        }
        let allow = self.find("allow", |twin| twin.allow.clone());
        let allow: BTreeSet<String> = allow.map_or_else(BTreeSet::new, |(names, source)| {
            let names: Vec<String> = names.into_iter().map(|name| name.0).collect();
            self.note("allow", show::list(&names), source);
            names.into_iter().collect()
        });
        rules.policy(allow)
    }
}

//! Takes each key from the highest layer that has it, or from the defaults that stand here, and notes which it was.
//!
//! `target`, `load` and `workload` each make their part of the plan, and `scenario` replaces what an `MLPerf` scenario sets;
//! `clashes` refuses parts that contradict each other, `unused` those that would do nothing.

mod arms;
mod clashes;
mod judging;
mod load;
mod profile;
mod runner;
mod scenario;
mod target;
mod unused;
mod workload;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    error::ConfigError,
    layers::Layer,
    node::Source,
    policy::Rules,
    resolve::{Origin, Resolved, Settings},
    show,
    texts::FreeMap,
    twin::{ConfigFile, PriceTwin, SloTwin, WarmupTwin},
    values::Whole,
};
use crate::{
    metric::Metric,
    plan::{Plan, Price, Slo},
    verdict::{Headroom, Policy},
};

/// Warm-up requests of a run.
const DEFAULT_WARMUP: u32 = 20;

/// Where `auto` gives up waiting for a steady server.
const DEFAULT_WARMUP_LIMIT: u32 = 200;

pub(super) struct Resolver {
    /// Lowest first.
    pub(super) layers: Vec<Layer>,
    pub(super) base_dir: PathBuf,
    /// Whether the file was read from disk, so that what lies beside it there may be looked at.
    pub(super) on_disk: bool,
    pub(super) origins: Vec<Origin>,
    pub(super) notes: Vec<String>,
}

impl Resolver {
    pub(super) fn new(layers: Vec<Layer>, base_dir: PathBuf, on_disk: bool) -> Self {
        Self {
            layers,
            base_dir,
            on_disk,
            origins: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn resolve(mut self, file: Option<PathBuf>, mut rules: Rules) -> Result<Resolved, ConfigError> {
        let (mut target, header_sources) = self.target();
        target.told = rules.told();
        let workload = self.workload()?;
        let arrivals = self.arrivals()?;
        let loads = self.loads(&workload.prompts, arrivals)?;
        let requests_per_run = self.count("num_requests", 200, |twin| twin.num_requests.map(Whole::as_u32));
        let (warmup_requests, warmup_limit) = self.warmup();
        let mut plan = Plan {
            target,
            loads,
            workload,
            seed: self.value("seed", 42, |twin| twin.seed.map(|seed| seed.0), u64::to_string),
            requests_per_run,
            warmup_limit,
            slo: self.slo(),
            scenario: None,
            shard: None,
            price: self.price(),
            warmup_requests,
            repeats: self.count("repeat", 5, |twin| twin.repeat.map(Whole::as_u32)),
            max_error_rate: self.max_error_rate(),
            hardware: self.description("hardware", |twin| twin.hardware.as_ref()),
            framework: self.description("framework", |twin| twin.framework.as_ref()),
        };
        let (capacity, sweep) = (self.capacity(arrivals)?, self.sweep(arrivals)?);
        let (measure, alternation) = (self.measure(), self.alternation()?);
        let (arms, only_arm) = self.arms()?;
        self.apply_scenario(&mut plan, &mut rules)?;
        let runner = self.runner()?;
        let profiling = self.profiling()?;
        self.check_clashes(&plan)?;
        if clashes::untimed(&plan).is_some() {
            rules.without(|metric| clashes::is_unknown(&plan, metric));
        }
        let policy = self.policy(&rules);
        let settings = Settings {
            idle_answers: self.idle_answers(&plan),
            runner,
            ..self.settings(file)
        };
        self.note_dataset(&plan, &settings);
        Ok(Resolved {
            plan,
            policy,
            settings,
            arrivals,
            capacity,
            sweep,
            measure,
            alternation,
            arms,
            only_arm,
            profiling,
            header_sources,
            origins: self.origins,
            notes: self.notes,
        })
    }

    fn max_error_rate(&mut self) -> f64 {
        let get = |twin: &ConfigFile| twin.max_error_rate.map(|share| share.0);
        self.value("max_error_rate", 0.01, get, |share| show::percent(*share))
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

    /// The value of a key that is worth a line only where it is given.
    pub(super) fn given<T>(
        &mut self,
        key: &str,
        get: impl Fn(&ConfigFile) -> Option<T>,
        text: impl Fn(&T) -> String,
    ) -> Option<T> {
        let (value, source) = self.find(key, get)?;
        self.note(key, text(&value), source);
        Some(value)
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
        for (key, text, source) in rules.rows() {
            self.note(&key, text, source);
        }
        let allow = self.find("allow", |twin| twin.allow.clone());
        let allow: BTreeSet<String> = allow.map_or_else(BTreeSet::new, |(names, source)| {
            let names: Vec<String> = names.into_iter().map(|name| name.0).collect();
            self.note("allow", show::list(&names), source);
            names.into_iter().collect()
        });
        let mut built = rules.policy();
        let headroom = self.headroom();
        if headroom == Headroom::Block {
            let least = built.ceilings.entry(Metric::GpuMemoryHeadroomPct);
            least.or_insert(Headroom::LEAST_PCT);
        }
        Policy {
            allow,
            headroom,
            confidence: self.value(
                "confidence",
                Policy::CONFIDENCE,
                |twin| twin.confidence.map(|level| level.0),
                |level| show::percent(*level),
            ),
            family_error: self.value(
                "family_error",
                Policy::FAMILY_ERROR,
                |twin| twin.family_error.map(|level| level.0),
                |level| show::percent(*level),
            ),
            on_inconclusive: self.on_inconclusive(),
            unmet: self.unmet(),
            ..built
        }
    }

    /// Requests of a warm-up, and the most it may take where it goes on until the server is steady.
    fn warmup(&mut self) -> (u32, Option<u32>) {
        let found = self.layers.iter().rev().find_map(|layer| {
            let twin = &layer.twin;
            let short = twin.warmup.map(|warmup| (warmup, "warmup"));
            let (warmup, key) = twin
                .warmup_requests
                .map(|warmup| (warmup, "warmup_requests"))
                .or(short)?;
            Some((warmup, layer.source(key)))
        });
        let (warmup, source) = found.unwrap_or((WarmupTwin::Requests(DEFAULT_WARMUP), Source::Default));
        let limit = self.given(
            "warmup_limit",
            |twin| twin.warmup_limit.map(Whole::as_u32),
            u32::to_string,
        );
        match warmup {
            WarmupTwin::Requests(requests) => {
                self.note("warmup_requests", requests.to_string(), source);
                (requests, limit)
            }
            WarmupTwin::Auto => {
                self.note("warmup_requests", "auto".into(), source);
                let limit = limit.unwrap_or(DEFAULT_WARMUP_LIMIT);
                (DEFAULT_WARMUP.min(limit), Some(limit))
            }
        }
    }

    fn price(&mut self) -> Option<Price> {
        let get = |twin: &ConfigFile| twin.price.map(PriceTwin::price);
        self.given("price", get, |price| {
            format!("{} an hour × {} GPUs", price.gpu_hour, price.gpus)
        })
    }

    fn slo(&mut self) -> Slo {
        let get = |twin: &ConfigFile| twin.slo.map(SloTwin::slo);
        self.given("slo", get, show::slo).unwrap_or_default()
    }
}

//! What was asked: target, workload, load levels, repeats. Resolved once by `config`; nothing after that reads flags.
//!
//! A plan holds no secret: the API key and header values travel apart, in [`Secrets`].

mod launch;
mod load;
mod pairs;
mod price;
mod profiling;
mod scenario;
mod shard;
mod slo;
mod target;
mod workload;

use std::collections::BTreeMap;

pub use self::{
    launch::{Launch, Reset, Says},
    load::{Arrivals, Axis, Capacity, Load, RampShape, Stage, StageLength, StageLevel},
    pairs::{Alternation, ArmPlace, Arms},
    price::Price,
    profiling::Profiling,
    scenario::{BENCHMARKS, Benchmark, MIN_DURATION, RULES, Scenario, ScenarioKind},
    shard::{Meeting, Shard, Sharing},
    slo::Slo,
    target::{Api, CacheReset, FromVariable, Http, METRICS_INTERVAL, MetricsPage, Secrets, Spread, Target, Timeouts},
    workload::{
        Conversation, DatasetFormat, Images, Lengths, ModelShare, Prompts, Shape, ThinkTime, Tokenizer, TraceFormat,
        Workload,
    },
};

/// Everything that is needed to measure one arm, and to tell whether another session measured the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The server under test.
    pub target: Target,
    /// The prompts and answer lengths.
    pub workload: Workload,
    /// Load levels; each is one cell, in the order given.
    pub loads: Vec<Load>,
    /// Measured requests of one run.
    pub requests_per_run: u32,
    /// Warm-up requests before each run; other prompts than the measured ones.
    pub warmup_requests: u32,
    /// Where the warm-up goes on until the server is steady: the most requests it may take.
    pub warmup_limit: Option<u32>,
    /// Runs of each cell.
    pub repeats: u32,
    /// Seed of prompts, lengths and schedules.
    pub seed: u64,
    /// A run with a larger share of failed requests is invalid (0.01 = 1 %).
    pub max_error_rate: f64,
    /// What users are promised; empty where there is no goodput to speak of.
    pub slo: Slo,
    /// The `MLPerf` scenario by whose rules it is measured, if one was asked for.
    pub scenario: Option<Scenario>,
    /// How it was shared out; `None`: not at all, or so that nobody can tell.
    pub shard: Option<Sharing>,
    /// What the GPUs cost; `None`: nobody said.
    pub price: Option<Price>,
    /// The hardware as its owner describes it, flattened (`gpu` → `H100-80GB SXM`).
    pub hardware: BTreeMap<String, String>,
    /// The serving framework as its owner describes it, flattened (`config.tensor_parallel_size` → `8`).
    pub framework: BTreeMap<String, String>,
}

impl Plan {
    /// A plan with the usual numbers: five runs of 200 requests for each load level, each after 20 warm-up requests.
    pub fn new(target: Target, workload: Workload, loads: Vec<Load>) -> Self {
        Self {
            target,
            workload,
            loads,
            requests_per_run: 200,
            warmup_requests: 20,
            warmup_limit: None,
            repeats: 5,
            seed: 42,
            max_error_rate: 0.01,
            slo: Slo::default(),
            scenario: None,
            shard: None,
            price: None,
            hardware: BTreeMap::new(),
            framework: BTreeMap::new(),
        }
    }

    /// The name of one cell: workload and load level (`synthetic-512/128 @ c=16`).
    pub fn cell_name(&self, load: &Load) -> String {
        format!("{} @ {}", self.workload_name(), self.load_name(load))
    }

    /// The name of one stage of a load's cell, counted from 0, of so many.
    pub fn stage_cell_name(&self, load: &Load, stage: u16, stages: usize) -> String {
        let level = self.in_own_unit(&load.stage_name(stage));
        format!("{} @ stage {}/{stages}: {level}", self.workload_name(), stage + 1)
    }

    /// The load whose cell has this name, or whose stage has.
    pub fn load_of_cell(&self, cell: &str) -> Option<&Load> {
        let has_stage = |load: &Load| {
            let Load::Stages { stages, .. } = load else {
                return false;
            };
            (0_u16..)
                .take(stages.len())
                .any(|stage| self.stage_cell_name(load, stage, stages.len()) == cell)
        };
        self.loads
            .iter()
            .find(|load| self.cell_name(load) == cell || has_stage(load))
    }

    /// What is sent, in a few signs; embeddings have no length of answers.
    pub fn workload_name(&self) -> String {
        match self.target.api {
            Api::Embeddings => self.workload.name_of_prompts(),
            _ => self.workload.name(),
        }
    }

    /// A load level in words, in this plan's unit.
    pub fn load_name(&self, load: &Load) -> String {
        self.in_own_unit(&load.to_string())
    }

    /// Words that name a rate: one of conversations is called so, as each of them sends several requests.
    pub fn in_own_unit(&self, rate: &str) -> String {
        match self.workload.conversation {
            Some(_) => rate.replace("req/s", "conversations/s"),
            None => rate.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_named_without_a_length_of_answers() {
        let mut target = Target::at("http://127.0.0.1:8000");
        target.api = Api::Embeddings;
        let prompts = Prompts::Synthetic {
            input_tokens: Lengths::Fixed(32),
        };
        let load = Load::Concurrency(4);
        let plan = Plan::new(target, Workload::new(prompts, Lengths::Fixed(16)), vec![load.clone()]);
        assert_eq!(plan.cell_name(&load), "synthetic-32 @ c=4");
    }

    #[test]
    fn a_rate_of_conversations_is_named_so() {
        let load = Load::Rate {
            rate_rps: 10.0,
            arrivals: Arrivals::Poisson,
        };
        let target = Target::at("http://127.0.0.1:8000");
        let prompts = Prompts::Synthetic {
            input_tokens: Lengths::Fixed(32),
        };
        let mut plan = Plan::new(target, Workload::new(prompts, Lengths::Fixed(16)), vec![load.clone()]);
        assert_eq!(plan.cell_name(&load), "synthetic-32/16 @ 10 req/s");
        plan.workload.conversation = Some(Conversation {
            turns: Lengths::Fixed(3),
            think_time: ThinkTime::Fixed(std::time::Duration::ZERO),
        });
        assert_eq!(plan.cell_name(&load), "synthetic-32/16 × 3 turns @ 10 conversations/s");
    }
}

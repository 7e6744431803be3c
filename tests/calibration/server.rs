//! A made-up server: runs of request records in closed loop, and sessions of them.

use perfgate::{
    metric::DEFINITIONS_ID,
    plan::{Lengths, Load, Plan, Prompts, Target, Workload},
    session::{
        CellRuns, Ended, Environment, GapCounts, GpuUse, Outcome, RequestRecord, Run, Session, TokensFrom, Warmup,
        WarmupEnd,
    },
};

use crate::noise::Random;

/// Cells, by requests in flight: with TPOT P95 and throughput they make ten blocking checks.
pub(crate) const CONCURRENCY: [u32; CELLS] = [1, 2, 4, 8, 16];
pub(crate) const CELLS: usize = 5;
/// The fewest from which a P95 is judged.
const REQUESTS: u32 = 200;
const OUTPUT_TOKENS: u32 = 32;
const TTFT_MS: f64 = 200.0;
const TPOT_MS: f64 = 10.0;
/// How requests differ by their prompts, alike in both arms, and by chance (standard deviations of the log).
const WORKLOAD_SD: f64 = 0.06;
const REQUEST_SD: f64 = 0.10;

/// What a commit does to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    Nothing,
    /// Each token takes longer by this fraction.
    Decode(f64),
    /// Everything takes longer by this fraction.
    Everything(f64),
    /// Each token of this share of the requests takes longer by this fraction.
    Tail {
        share: f64,
        by: f64,
    },
}

/// TPOT +5 %, the limit.
pub(crate) const AT_LIMIT: Effect = Effect::Decode(0.05);
/// TPOT +10 %.
pub(crate) const TWICE_LIMIT: Effect = Effect::Decode(0.10);
/// TPOT P95 +10 %, its mean +3 %, its median +1 %.
pub(crate) const TAIL: Effect = Effect::Tail { share: 0.08, by: 0.35 };

impl Effect {
    /// How much longer TTFT and TPOT of a request are.
    fn of_request(self, random: &mut Random) -> (f64, f64) {
        match self {
            Self::Decode(by) => (1.0, 1.0 + by),
            Self::Everything(by) => (1.0 + by, 1.0 + by),
            Self::Tail { share, by } if random.uniform() < share => (1.0, 1.0 + by),
            Self::Tail { .. } | Self::Nothing => (1.0, 1.0),
        }
    }
}

/// Log-normal factors that all runs share: each walks through them in a way of its own.
pub(crate) struct World {
    by_chance: Vec<f64>,
    by_prompt: Vec<f64>,
}

const FACTORS: usize = 1 << 16;

impl World {
    pub(crate) fn new() -> Self {
        let mut random = Random::new(1);
        let mut factors = |size, sd: f64| (0..size).map(|_| (sd * random.normal()).exp()).collect();
        Self {
            by_chance: factors(FACTORS, REQUEST_SD),
            by_prompt: factors(REQUESTS as usize, WORKLOAD_SD),
        }
    }

    /// One run on a machine on which everything takes `slower` times as long.
    pub(crate) fn run(&self, repeat: u32, streams: u32, slower: f64, effect: Effect, random: &mut Random) -> Run {
        let (start, stride) = (random.bits() as usize, random.bits() as usize | 1);
        let mut free_ns = vec![0_u64; streams as usize];
        let mut requests = Vec::with_capacity(REQUESTS as usize);
        for (index, by_prompt) in (0..).zip(&self.by_prompt) {
            let chance = self.by_chance[start.wrapping_add(stride.wrapping_mul(index as usize)) % FACTORS];
            let (ttft, tpot) = effect.of_request(random);
            let usual = slower * by_prompt * chance;
            let stream = free_ns.iter_mut().min().unwrap();
            let record = record(index, *stream, TTFT_MS * usual * ttft, TPOT_MS * usual * tpot);
            *stream = record.end_ns;
            requests.push(record);
        }
        Run {
            repeat,
            requests,
            itl: GapCounts {
                bins: vec![(ns(TPOT_MS * slower), u64::from(REQUESTS * (OUTPUT_TOKENS - 1)))],
            },
            warmup: Warmup {
                requests: 20,
                failed: 0,
                end: WarmupEnd::Planned,
            },
            gpu: GpuUse::Measured {
                memory_peak_bytes: 60_000_000_000,
                utilization_mean_pct: Some(90.0),
                utilization_untold: None,
                samples: 20,
            },
            ..Run::default()
        }
    }
}

fn record(index: u32, sent_ns: u64, ttft_ms: f64, tpot_ms: f64) -> RequestRecord {
    let first_token_ns = sent_ns + ns(ttft_ms);
    let end_ns = first_token_ns + ns(tpot_ms * f64::from(OUTPUT_TOKENS - 1));
    RequestRecord {
        index,
        sent_ns,
        first_token_ns: Some(first_token_ns),
        last_token_ns: Some(end_ns),
        end_ns,
        input_tokens: Some(64),
        output_tokens: Some(OUTPUT_TOKENS),
        chunks: OUTPUT_TOKENS,
        tokens_from: TokensFrom::Usage,
        outcome: Outcome::Completed,
        ..RequestRecord::default()
    }
}

fn ns(ms: f64) -> u64 {
    std::time::Duration::from_secs_f64(ms / 1e3)
        .as_nanos()
        .try_into()
        .unwrap()
}

/// A session with all cells and no runs yet.
pub(crate) fn empty_session(started_unix_s: u64) -> Session {
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(64),
    };
    let loads = CONCURRENCY.map(Load::Concurrency).to_vec();
    let workload = Workload::new(prompts, Lengths::Fixed(OUTPUT_TOKENS));
    let plan = Plan::new(Target::at("http://127.0.0.1:8000"), workload, loads);
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: Vec::new(),
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s,
        commit: None,
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        environment: Environment::default(),
        cells: cells.collect(),
        plan,
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

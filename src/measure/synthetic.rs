//! Sessions made from one set of figures a run, for the tests of the arithmetic.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test helper")]

use std::collections::BTreeMap;

use crate::{
    metric::DEFINITIONS_ID,
    plan::{Arrivals, Lengths, Load, Plan, Prompts, Slo, Stage, StageLength, StageLevel, Target, Workload},
    session::{
        CellRuns, Ended, Environment, Failure, FailureClass, GapCounts, GpuUse, Outcome, PairArm, Pairing,
        RequestRecord, Run, Session, TokensFrom, Warmup, WarmupEnd,
    },
};

/// What every request of one run looks like, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) requests: u32,
    pub(crate) output_tokens: u32,
    pub(crate) ttft_ms: f64,
    pub(crate) tpot_ms: f64,
    pub(crate) output_tokens_per_s: f64,
    pub(crate) memory_gb: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            requests: 200,
            output_tokens: 17,
            ttft_ms: 50.0,
            tpot_ms: 10.0,
            output_tokens_per_s: 1000.0,
            memory_gb: 60.0,
        }
    }
}

impl Figures {
    /// Requests sent evenly, so that the window gives the asked throughput.
    pub(crate) fn run(&self) -> Run {
        let last = self.ttft_ms + self.tpot_ms * f64::from(self.output_tokens - 1);
        let window_ms = f64::from(self.requests * self.output_tokens) / self.output_tokens_per_s * 1e3;
        let spacing_ms = (window_ms - last) / f64::from((self.requests - 1).max(1));
        let ns = |ms: f64| (ms * 1e6).round() as u64;
        let requests = (0..self.requests).map(|index| {
            let sent_ns = ns(f64::from(index) * spacing_ms);
            RequestRecord {
                index,
                scheduled_ns: None,
                sent_ns,
                first_token_ns: Some(sent_ns + ns(self.ttft_ms)),
                last_token_ns: Some(sent_ns + ns(last)),
                end_ns: sent_ns + ns(last),
                input_tokens: Some(64),
                output_tokens: Some(self.output_tokens),
                chunks: self.output_tokens,
                tokens_from: TokensFrom::Usage,
                outcome: Outcome::Completed,
                ..RequestRecord::default()
            }
        });
        Run {
            requests: requests.collect(),
            itl: GapCounts {
                bins: vec![(ns(self.tpot_ms), u64::from(self.requests * (self.output_tokens - 1)))],
            },
            warmup: Warmup {
                requests: 10,
                failed: 0,
                end: WarmupEnd::Planned,
            },
            gpu: GpuUse::Measured {
                memory_peak_bytes: (self.memory_gb * 1e9) as u64,
                utilization_mean_pct: Some(90.0),
                utilization_untold: None,
                samples: 20,
            },
            ..Run::default()
        }
    }
}

/// A failed request like the others of its run.
pub(crate) fn fail(record: &mut RequestRecord) {
    fail_with(record, FailureClass::Http(500));
}

/// The same of another kind.
pub(crate) fn fail_with(record: &mut RequestRecord, class: FailureClass) {
    record.first_token_ns = None;
    record.last_token_ns = None;
    record.output_tokens = None;
    record.outcome = Outcome::Failed(Box::new(Failure {
        class,
        message: "out of memory".into(),
    }));
}

/// A session of one closed-loop cell a concurrency, each with these runs.
pub(crate) fn session(concurrency: &[u32], runs: &[Figures]) -> Session {
    let loads: Vec<Load> = concurrency.iter().map(|c| Load::Concurrency(*c)).collect();
    let plan = plan(loads, runs);
    let repeats: Vec<Run> = (0..).zip(runs).map(|(repeat, f)| Run { repeat, ..f.run() }).collect();
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: repeats.clone(),
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s: 1_790_000_000,
        commit: Some("0123456789abcdef".into()),
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        environment: environment(),
        cells: cells.collect(),
        plan,
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

/// Like [`session`] for one cell at concurrency 16, each run at a multiple of the usual figures.
pub(crate) fn scaled(factors: &[f64], scale: impl Fn(&mut Figures, f64)) -> Session {
    let runs: Vec<Figures> = factors
        .iter()
        .map(|factor| {
            let mut figures = Figures::default();
            scale(&mut figures, *factor);
            figures
        })
        .collect();
    session(&[16], &runs)
}

/// The same two sessions as if measured in alternation, so that nothing drifted between them; each run of the
/// candidate makes a pair with the baseline's second next, so that equal lists of factors are not equal pairs.
pub(crate) fn in_pairs(baseline: &Session, candidate: &Session) -> (Session, Session) {
    let (mut old, mut new) = (baseline.clone(), candidate.clone());
    for (session, arm) in [(&mut old, PairArm::Baseline), (&mut new, PairArm::Candidate)] {
        session.pairing = Some(Pairing {
            id: "a0".into(),
            arm,
            looks: vec![3, 5, 8, 12],
            blocks: 1,
            remeasured: Vec::new(),
            stopped_early: None,
        });
    }
    for (cells, shift) in [(&mut old.cells, 2), (&mut new.cells, 0)] {
        for cell in cells {
            let count = u32::try_from(cell.runs.len()).unwrap();
            (shift..)
                .zip(&mut cell.runs)
                .for_each(|(place, run)| run.repeat = place % count);
        }
    }
    (old, new)
}

fn plan(loads: Vec<Load>, runs: &[Figures]) -> Plan {
    let requests_per_run = runs.first().map_or(200, |figures| figures.requests);
    Plan {
        target: Target {
            model: Some("llama".into()),
            extra_body: BTreeMap::from([("ignore_eos".to_owned(), "true".to_owned())]),
            ..Target::at("http://user:secret@127.0.0.1:8000/v1")
        },
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(64),
            },
            Lengths::Fixed(16),
        ),
        loads,
        requests_per_run,
        warmup_requests: 10,
        warmup_limit: None,
        repeats: u32::try_from(runs.len()).unwrap(),
        seed: 42,
        max_error_rate: 0.01,
        slo: Slo::default(),
        scenario: None,
        shard: None,
        price: None,
        hardware: BTreeMap::from([("gpu".to_owned(), "H100-80GB SXM".to_owned())]),
        framework: BTreeMap::new(),
    }
}

fn environment() -> Environment {
    Environment {
        engine_name: Some("llama.cpp".into()),
        engine_version: Some("0.6.4".into()),
        engine_facts: BTreeMap::new(),
        model: Some("llama".into()),
        gpus: vec!["NVIDIA H100 80GB HBM3".into()],
        gpu_driver: Some("535.129.03".into()),
        gpu_cuda: None,
        cpu: Some("Xeon".into()),
        cpu_cores: Some(32),
        os: Some("linux x86_64".into()),
    }
}

/// A session whose load has two equal stages, the second of them slower.
pub(crate) fn staged() -> Session {
    let stage = Stage {
        level: StageLevel::Concurrency(4),
        length: StageLength::Requests(100),
    };
    let load = Load::Stages {
        stages: vec![stage, stage],
        arrivals: Arrivals::Poisson,
    };
    let mut session = session(&[1], &[Figures::default(); 3]);
    session.plan.loads = vec![load.clone()];
    session.cells[0].name = session.plan.cell_name(&load);
    session.cells[0].load = load;
    for record in session.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
        record.stage = u16::from(record.index >= 100);
        if record.stage == 1 {
            record.first_token_ns = record.first_token_ns.map(|ns| ns + 20_000_000);
        }
    }
    session
}

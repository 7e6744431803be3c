//! The load generator against scripted servers on 127.0.0.1.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod apis;
mod bad_input;
mod conversations;
mod counting;
mod engines;
mod failures;
mod loops;
mod patterns;
mod profiler;
mod prompts;
mod secrets;
mod secure;
mod server;
mod timing;
mod traces;
mod transport;
mod warmup;
mod workloads;

use std::{path::Path, time::Duration};

use perfgate::{
    load::{Interrupt, PromptSet, Runner, Watch},
    plan::{Lengths, Load, Plan, Prompts, Secrets, Slo, Target, Timeouts, Workload},
    session::{Outcome, RequestRecord, Run},
};

/// A plan of `requests` short synthetic prompts; tests change what they are about.
fn plan(url: &str, requests: u32) -> Plan {
    Plan {
        target: Target {
            model: Some("tiny".into()),
            timeouts: Timeouts {
                connect: Duration::from_secs(20),
                first_token: Duration::from_secs(20),
                between_tokens: Duration::from_secs(20),
                total: Duration::from_secs(60),
            },
            ..Target::at(url)
        },
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(12),
            },
            Lengths::Fixed(8),
        ),
        loads: vec![Load::Concurrency(1)],
        requests_per_run: requests,
        warmup_requests: 0,
        warmup_limit: None,
        repeats: 1,
        seed: 42,
        max_error_rate: 0.01,
        slo: Slo::default(),
        scenario: None,
        shard: None,
        price: None,
        hardware: [].into(),
        framework: [].into(),
    }
}

struct Nobody;

impl Watch for Nobody {
    fn request_done(&self, _: &RequestRecord) {}
}

fn runner(plan: &Plan) -> Runner {
    let prompts = PromptSet::prepare(plan, Path::new(".")).unwrap();
    Runner::new(plan, Secrets::default(), prompts).unwrap()
}

/// One run at the plan's first load level.
fn measure(plan: &Plan) -> Run {
    let load = plan.loads.first().unwrap();
    runner(plan).measure(load, 0, &Nobody, &Interrupt::never()).unwrap()
}

/// Class key and message of a failed request, `completed` for another.
fn class(record: &RequestRecord) -> (String, String) {
    match &record.outcome {
        Outcome::Completed => ("completed".into(), String::new()),
        Outcome::Failed(failure) => (failure.class.key(), failure.message.clone()),
    }
}

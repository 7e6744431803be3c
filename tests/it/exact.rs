//! The server of exact timing over its socket: never early, and true to what it says of itself.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{collections::HashMap, net::SocketAddr, path::Path, thread, time::Duration};

use perfgate::{
    load::{Interrupt, PromptSet, Runner, Watch},
    plan::{Api, Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    session::{RequestRecord, Run},
    sim::{self, ExactServer, ExactTiming, Truth},
};

use crate::command::Sim;

const TIMING: ExactTiming = ExactTiming {
    ttft: Duration::from_millis(20),
    tpot: Duration::from_millis(3),
};

fn server() -> ExactServer {
    ExactServer::start(TIMING, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

struct Nobody;

impl Watch for Nobody {
    fn request_done(&self, _: &RequestRecord) {}
}

fn measure(url: &str, api: Api) -> Run {
    let lengths = Lengths::Fixed(12);
    let load = Load::Concurrency(4);
    let target = Target {
        api,
        model: Some("exact".into()),
        ..Target::at(url)
    };
    let workload = Workload::new(Prompts::Synthetic { input_tokens: lengths }, lengths);
    let plan = Plan {
        requests_per_run: 12,
        warmup_requests: 0,
        ..Plan::new(target, workload, vec![load.clone()])
    };
    let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
    let runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    runner.measure(&load, 0, &Nobody, &Interrupt::never()).unwrap()
}

/// The truth of twelve answers; that of the last one may come a moment after its last token.
fn by_answer(addr: SocketAddr) -> HashMap<u32, Truth> {
    let ask = || -> HashMap<u32, Truth> {
        let truths = sim::truths(addr).unwrap();
        truths.into_iter().map(|truth| (truth.answer, truth)).collect()
    };
    let mut truths = ask();
    for _ in 0..500 {
        if truths.len() >= 12 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
        truths = ask();
    }
    truths
}

#[test]
fn no_token_comes_early_and_the_client_adds_to_the_truth() {
    for api in [Api::Chat, Api::Completions] {
        let server = server();
        let run = measure(&server.url(), api);
        let truths = by_answer(server.addr());
        assert_eq!((run.requests.len(), truths.len()), (12, 12));
        for record in &run.requests {
            assert!(record.completed(), "{record:?}");
            let truth = truths.get(&record.input_tokens.unwrap()).unwrap();
            let ttft_ns = record.first_token_ns.unwrap() - record.sent_ns;
            assert!(truth.ttft_ns >= 20_000_000, "{truth:?}");
            assert!(truth.span_ns + truth.late_ns >= 11 * 3_000_000, "{truth:?}");
            assert!(ttft_ns >= truth.ttft_ns, "{truth:?}, seen after {ttft_ns} ns");
            assert_eq!(record.output_tokens, Some(12));
        }
    }
}

#[test]
fn a_dropped_server_of_exact_timing_ends_at_once() {
    let server = server();
    let addr = server.addr();
    drop(server);
    assert!(sim::truths(addr).is_err());
}

#[test]
fn the_sim_serves_exact_timing_and_says_what_it_did() {
    let server = Sim::start(&["--exact", "ttft=5ms,tpot=1ms"]);
    let run = measure(&server.url, Api::Chat);
    assert!(run.requests.iter().all(RequestRecord::completed));
    let addr: SocketAddr = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let truths = by_answer(addr);
    assert!(truths.len() == 12 && truths.values().all(|truth| truth.ttft_ns >= 5_000_000));
}

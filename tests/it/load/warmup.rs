//! What comes before a run: a warm-up that ends when the server is steady, and an empty prefix cache.

use std::net::{Ipv4Addr, SocketAddr};

use perfgate::{
    load::{Interrupt, Stopped},
    plan::{Arrivals, CacheReset, Load, Plan},
    session::WarmupEnd,
    sim::{EngineConfig, Server as Engine},
};

use super::{
    Nobody, measure, plan, runner,
    server::{Act, Server, good_answer, good_answers, wait, whole},
};

fn auto(url: &str, block: u32, limit: u32) -> Plan {
    Plan {
        warmup_requests: block,
        warmup_limit: Some(limit),
        ..plan(url, 2)
    }
}

#[test]
fn a_warm_up_by_evidence_goes_on_until_the_server_is_steady() {
    // The first 30 answers take ever less time, the others none.
    let slow = (0..30_u64)
        .flat_map(|place| [vec![Act::Request, wait(300 - 10 * place)], good_answer()[1..].to_vec()].concat());
    let script = slow.chain(good_answers(400)).collect();
    let server = Server::of(script);
    let plan = auto(&server.url, 20, 300);
    let warmup = runner(&plan)
        .warm_up(&plan.loads[0], 0, &Nobody, &Interrupt::never())
        .unwrap();
    // On a busy machine the limit may come first; what may not happen is an end while it is still getting faster.
    assert!(warmup.requests > 30, "{warmup:?}");
    assert_ne!(warmup.end, WarmupEnd::Planned);
    assert_eq!(warmup.failed, 0);
}

#[test]
fn a_warm_up_too_short_to_tell_ends_at_its_limit_in_both_loops() {
    let rate = Load::Rate {
        rate_rps: 200.0,
        arrivals: Arrivals::Constant,
    };
    for load in [Load::Concurrency(1), rate] {
        let server = Server::of(good_answers(12));
        let plan = auto(&server.url, 4, 12);
        let warmup = runner(&plan).warm_up(&load, 0, &Nobody, &Interrupt::never()).unwrap();
        assert_eq!((warmup.requests, warmup.end), (12, WarmupEnd::Limit), "{load}");
    }
}

#[test]
fn a_planned_warm_up_looks_at_nothing() {
    let server = Server::of(good_answers(10));
    let plan = Plan {
        warmup_requests: 5,
        ..plan(&server.url, 2)
    };
    let warmup = runner(&plan)
        .warm_up(&plan.loads[0], 0, &Nobody, &Interrupt::never())
        .unwrap();
    assert_eq!((warmup.requests, warmup.end), (5, WarmupEnd::Planned));
}

fn reset(plan: &Plan, times: usize) -> Vec<Result<Option<String>, String>> {
    let runner = runner(plan);
    let words = |stopped: Stopped| stopped.to_string();
    (0..times)
        .map(|_| runner.reset_cache(&Interrupt::never()).map_err(words))
        .collect()
}

fn with_reset(url: &str, cache_reset: CacheReset) -> Plan {
    let mut plan = plan(url, 1);
    plan.target.cache_reset = cache_reset;
    plan
}

/// The same answer to every request.
fn always(status: &str) -> Server {
    Server::of(
        (0..20)
            .flat_map(|_| [Act::Request, whole(status, "", "words")])
            .collect(),
    )
}

/// One answer for each connection, the last one for all that follow.
fn in_turn(statuses: &[&str]) -> Server {
    let script = |status: &&str| vec![Act::Request, whole(status, "Connection: close\r\n", "words")];
    Server::start(statuses.iter().map(script).collect())
}

fn asked(server: &Server) -> Vec<String> {
    let path = |head: &str| head.split(' ').take(2).collect::<Vec<_>>().join(" ");
    server.seen().iter().map(|seen| path(&seen.head)).collect()
}

#[test]
fn the_page_that_resets_the_cache_is_found_once_and_asked_before_each_run() {
    let vllm = always("200 OK");
    let page = || Ok(Some("/reset_prefix_cache".to_owned()));
    assert_eq!(reset(&with_reset(&vllm.url, CacheReset::Auto), 2), [page(), page()]);
    assert_eq!(asked(&vllm), ["POST /reset_prefix_cache"; 2]);

    let sglang = in_turn(&["404 Not Found", "200 OK"]);
    let page = || Ok(Some("/flush_cache".to_owned()));
    assert_eq!(reset(&with_reset(&sglang.url, CacheReset::Auto), 2), [page(), page()]);
    let flush = "POST /flush_cache";
    let paths = ["POST /reset_prefix_cache", flush, flush];
    assert_eq!(asked(&sglang), paths);
}

#[test]
fn every_replica_is_reset() {
    let replicas = [always("200 OK"), always("200 OK")];
    let mut plan = with_reset(&replicas[0].url, CacheReset::Path("/clear".into()));
    plan.target.more_urls = vec![replicas[1].url.clone()];
    assert_eq!(reset(&plan, 1), [Ok(Some("/clear".to_owned()))]);
    for replica in &replicas {
        assert_eq!(asked(replica), ["POST /clear"]);
    }
}

#[test]
fn a_server_without_such_a_page_is_asked_once() {
    let plain = always("405 Method Not Allowed");
    assert_eq!(
        reset(&with_reset(&plain.url, CacheReset::Auto), 3),
        [Ok(None), Ok(None), Ok(None)]
    );
    assert_eq!(asked(&plain), ["POST /reset_prefix_cache", "POST /flush_cache"]);
    let off = always("200 OK");
    assert_eq!(reset(&with_reset(&off.url, CacheReset::Off), 1), [Ok(None)]);
    assert_eq!(asked(&off), [""; 0]);
}

#[test]
fn a_page_that_must_reset_the_cache_and_does_not_stops_the_run() {
    let plan = |server: &Server| with_reset(&server.url, CacheReset::Path("/clear".into()));
    let broken = always("500 Internal Server Error");
    let words = reset(&plan(&broken), 1).remove(0).unwrap_err();
    assert!(
        words.contains("`POST /clear` did not reset the prefix cache: 500"),
        "{words}"
    );
    assert!(words.contains("words") && words.contains("`off`"), "{words}");
    let missing = always("404 Not Found");
    let words = reset(&plan(&missing), 1).remove(0).unwrap_err();
    assert!(words.contains("no such page"), "{words}");
    let then_done = in_turn(&["400 Bad Request", "400 Bad Request", "200 OK"]);
    assert_eq!(reset(&plan(&then_done), 1), [Ok(Some("/clear".to_owned()))]);
}

#[test]
fn the_embedded_engine_answers_cold_after_a_reset() {
    let engine = Engine::start(EngineConfig::default(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let mut plan = with_reset(&engine.url(), CacheReset::Auto);
    plan.target.model = Some(EngineConfig::default().model);
    assert_eq!(reset(&plan, 1), [Ok(Some("/reset_prefix_cache".to_owned()))]);
    assert_eq!(measure(&plan).requests.len(), 1);
}

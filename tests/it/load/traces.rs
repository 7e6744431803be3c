//! Traces over a real socket: their times, their lengths, and the blocks that their prompts share.

use std::path::{Path, PathBuf};

use perfgate::{
    load::{Interrupt, PromptSet, Runner},
    plan::{Arrivals, Load, Plan, Prompts, Secrets, TraceFormat},
    session::Run,
};
use serde_json::Value;

use super::{
    Nobody, class, plan,
    server::{Server, good_answers},
};

const MOONCAKE: &str = r#"{"timestamp": 1000, "input_length": 1030, "output_length": 5, "hash_ids": [46, 47, 90]}
{"timestamp": 1040, "input_length": 1030, "output_length": 6, "hash_ids": [46, 47, 91]}
{"timestamp": 1030, "input_length": 700, "output_length": 7, "hash_ids": [46, 52]}
"#;

struct Folder {
    _keep: tempfile::TempDir,
    path: PathBuf,
}

fn folder(name: &str, text: &str) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    Folder {
        path: folder.path().to_owned(),
        _keep: folder,
    }
}

fn replay(url: &str, name: &str, load: Load, requests: u32) -> Plan {
    let mut plan = plan(url, requests);
    plan.workload.prompts = Prompts::Trace {
        path: name.into(),
        format: TraceFormat::Auto,
        sha256: None,
    };
    plan.loads = vec![load];
    plan
}

fn runner(plan: &Plan, folder: &Path) -> Runner {
    let prompts = PromptSet::prepare(plan, folder).unwrap();
    Runner::new(plan, Secrets::default(), prompts).unwrap()
}

fn measure(runner: &Runner, plan: &Plan, repeat: u32) -> Run {
    let run = runner
        .measure(plan.loads.first().unwrap(), repeat, &Nobody, &Interrupt::never())
        .unwrap();
    for record in &run.requests {
        assert_eq!(class(record).0, "completed", "{record:?}");
        assert!(Some(record.sent_ns) >= record.scheduled_ns || record.scheduled_ns.is_none());
    }
    run
}

fn scheduled_ms(run: &Run) -> Vec<u64> {
    run.requests
        .iter()
        .map(|record| record.scheduled_ns.unwrap() / 1_000_000)
        .collect()
}

/// Prompts by their answer limit; on a busy machine requests may arrive out of order.
fn asked(server: &Server) -> Vec<(u64, String)> {
    let mut asked: Vec<(u64, String)> = server
        .seen()
        .iter()
        .map(|seen| {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let text = body.pointer("/messages/0/content").and_then(Value::as_str).unwrap();
            (body.get("max_tokens").and_then(Value::as_u64).unwrap(), text.to_owned())
        })
        .collect();
    asked.sort();
    asked
}

fn limits(asked: &[(u64, String)]) -> Vec<u64> {
    asked.iter().map(|(limit, _)| *limit).collect()
}

fn common(a: &str, b: &str) -> usize {
    let same = a.split(' ').zip(b.split(' ')).take_while(|(a, b)| a == b);
    same.count()
}

#[test]
fn a_trace_is_replayed_at_its_times_with_its_lengths_and_its_shared_blocks() {
    let folder = folder("mooncake.jsonl", MOONCAKE);
    let load = || Load::Trace { speed_ratio: 0.5 };
    let [first, second] = [0, 1].map(|repeat| {
        let server = Server::of(good_answers(10));
        let plan = replay(&server.url, "mooncake.jsonl", load(), 200);
        let runner = runner(&plan, &folder.path);
        assert!(runner.schedule_sha256(&load()).is_some());
        let run = measure(&runner, &plan, repeat);
        assert_eq!(
            scheduled_ms(&run),
            [0, 60, 80],
            "at half speed, sorted, alike in all repeats"
        );
        asked(&server)
    });
    assert_eq!(limits(&first), [5, 6, 7]);
    let [(_, a), (_, b), (_, c)] = &first[..] else {
        panic!("three rows")
    };
    // One word a token; words may happen to be alike, but not the nine that a block of its own begins with.
    let words = [a, b, c].map(|text| text.split(' ').count());
    assert_eq!(words, [1030, 1030, 700]);
    assert!((1024..1033).contains(&common(a, b)), "two blocks of three");
    assert!((512..521).contains(&common(a, c)), "one block of two");
    let [(_, again), (_, like), _] = &second[..] else {
        panic!("three rows")
    };
    assert!(common(a, again) < 9, "a cache must not know the run before");
    assert!((1024..1033).contains(&common(again, like)));
}

#[test]
fn a_long_trace_is_cut_at_the_requests_of_a_run_and_says_so() {
    let folder = folder("mooncake.jsonl", MOONCAKE);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "mooncake.jsonl", Load::Trace { speed_ratio: 1.0 }, 2);
    let prompts = PromptSet::prepare(&plan, &folder.path).unwrap();
    let notes = prompts.notes().join("\n");
    assert!(notes.contains("3 rows: each run uses the first 2"), "{notes}");
    assert!(
        notes.contains("1 row of the trace came before the row above"),
        "{notes}"
    );
    assert_eq!(prompts.dataset_sha256().map(str::len), Some(64));
    assert_eq!(scheduled_ms(&measure(&runner(&plan, &folder.path), &plan, 0)), [0, 30]);
}

#[test]
fn a_trace_gives_its_prompts_to_another_load() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,20,3\n2023-11-16 19:00:00,30,4\n";
    let folder = folder("azure.csv", text);
    let server = Server::of(good_answers(10));
    let mut plan = replay(&server.url, "azure.csv", Load::Concurrency(1), 2);
    plan.warmup_requests = 4;
    let runner = runner(&plan, &folder.path);
    runner.warm_up(&plan.loads[0], 0, &Nobody, &Interrupt::never()).unwrap();
    measure(&runner, &plan, 0);
    let asked = asked(&server);
    let limits = limits(&asked);
    assert_eq!(
        limits.iter().filter(|limit| **limit == 3).count(),
        3,
        "a warm-up covers all rows: {limits:?}"
    );
    assert_eq!(limits.iter().filter(|limit| **limit == 4).count(), 3, "{limits:?}");
    let texts: std::collections::BTreeSet<&String> = asked.iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), 6, "no prompt twice");
    let open = replay(
        &server.url,
        "azure.csv",
        Load::Rate {
            rate_rps: 100.0,
            arrivals: Arrivals::Constant,
        },
        3,
    );
    let run = measure(&self::runner(&open, &folder.path), &open, 0);
    assert_eq!(scheduled_ms(&run), [0, 10, 20], "rows come round again");
}

#[test]
fn prompts_in_a_trace_are_sent_as_they_are() {
    let text = "{\"timestamp_s\": 5, \"prompt\": \"one\", \"output_tokens\": 9}\n\
                {\"timestamp_s\": 5.02, \"messages\": [{\"role\": \"user\", \"content\": \"two\"}]}\n";
    let folder = folder("plain.jsonl", text);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "plain.jsonl", Load::Trace { speed_ratio: 1.0 }, 200);
    let run = measure(&runner(&plan, &folder.path), &plan, 0);
    assert_eq!(scheduled_ms(&run), [0, 20]);
    assert_eq!(asked(&server), [(8, "two".to_owned()), (9, "one".to_owned())]);
}

#[test]
fn a_burst_gpt_trace_leaves_out_what_failed_when_it_was_recorded() {
    let text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                5,ChatGPT,12,7,19,Conversation log\n\
                6,ChatGPT,12,0,12,Conversation log\n\
                5.05,GPT-4,15,4,19,API log\n";
    let folder = folder("burst.csv", text);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "burst.csv", Load::Trace { speed_ratio: 5.0 }, 200);
    let run = measure(&runner(&plan, &folder.path), &plan, 0);
    assert_eq!(scheduled_ms(&run), [0, 10]);
    assert_eq!(limits(&asked(&server)), [4, 7]);
}

#[test]
fn a_logged_request_is_replayed_with_its_limit_and_its_fields() {
    let text = "{\"timestamp\": 5, \"prompt\": \"one\", \"max_completion_tokens\": 9, \"temperature\": 0.5}\n\
                {\"timestamp\": 25, \"prompt\": \"two\", \"max_tokens\": 7.0, \"system_prompt\": \"be kind\"}\n";
    let folder = folder("log.jsonl", text);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "log.jsonl", Load::Trace { speed_ratio: 1.0 }, 2);
    measure(&runner(&plan, &folder.path), &plan, 0);
    let bodies: Vec<Value> = server
        .seen()
        .iter()
        .map(|seen| serde_json::from_str(&seen.body).unwrap())
        .collect();
    let by_limit = |limit: u64| bodies.iter().find(|body| body["max_tokens"] == limit).unwrap();
    assert_eq!(by_limit(9)["temperature"], 0.5);
    assert_eq!(by_limit(7)["messages"][0]["content"], "be kind");
    assert_eq!(by_limit(7)["messages"][1]["content"], "two");
}

#[test]
fn blocks_of_a_later_round_are_other_text_unless_they_may_be_seen_again() {
    let folder = folder("mooncake.jsonl", MOONCAKE);
    for reuse in [false, true] {
        let server = Server::of(good_answers(10));
        let mut plan = replay(&server.url, "mooncake.jsonl", Load::Concurrency(1), 6);
        plan.workload.reuse_prompts = reuse;
        let runner = runner(&plan, &folder.path);
        let notes = runner.prompts().notes().join("\n");
        let told = if reuse { "with the same text" } else { "with other text" };
        assert!(
            notes.contains("3 rows for 6 requests of a run: they come round again"),
            "{notes}"
        );
        assert!(notes.contains(told), "{notes}");
        measure(&runner, &plan, 0);
        let asked = asked(&server);
        assert_eq!(limits(&asked), [5, 5, 6, 6, 7, 7]);
        let [(_, a), (_, again), (_, b), (_, again_b), ..] = &asked[..] else {
            panic!("six rows")
        };
        assert_eq!(common(a, again) > 1000, reuse);
        // Whichever of a pair came first, one of each round shares two blocks with one of the other pair.
        assert!(
            [b, again_b].iter().any(|other| common(a, other) >= 1024),
            "blocks are still shared in a round"
        );
    }
}

#[test]
fn a_trace_that_is_shorter_than_a_run_says_how_many_are_sent() {
    let folder = folder("mooncake.jsonl", MOONCAKE);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "mooncake.jsonl", Load::Trace { speed_ratio: 1.0 }, 100);
    let runner = runner(&plan, &folder.path);
    let notes = runner.prompts().notes().join("\n");
    assert!(
        notes.contains("100 requests asked of each run, the trace has 3 rows: each replay sends 3"),
        "{notes}"
    );
    assert_eq!(measure(&runner, &plan, 0).requests.len(), 3);
}

#[test]
fn times_since_1970_and_uneven_blocks_are_replayed_as_they_are_meant() {
    let text = "{\"timestamp\": 1700000000, \"input_length\": 600, \"output_length\": 3, \"hash_ids\": [1]}\n\
                {\"timestamp\": 1700000000.03, \"input_length\": 512, \"output_length\": 4, \"hash_ids\": [1, 2]}\n";
    let folder = folder("seconds.jsonl", text);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "seconds.jsonl", Load::Trace { speed_ratio: 1.0 }, 2);
    let run = measure(&runner(&plan, &folder.path), &plan, 0);
    let gap_ns = run.requests[1].scheduled_ns.unwrap() - run.requests[0].scheduled_ns.unwrap();
    assert!(gap_ns.abs_diff(30_000_000) < 1_000, "{gap_ns}");
    let asked = asked(&server);
    let words: Vec<usize> = asked.iter().map(|(_, text)| text.split(' ').count()).collect();
    assert_eq!(words, [600, 512]);
    assert!(common(&asked[0].1, &asked[1].1) >= 512, "they share the block");
}

#[test]
fn an_azure_trace_is_replayed_at_its_own_times() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                2023-11-16 18:15:46.6805900,20,3\n\
                2023-11-16 18:15:46.7305900,30,4\n\
                2023-11-16 18:15:46.8005900,40,5\n";
    let folder = folder("azure.csv", text);
    let server = Server::of(good_answers(10));
    let plan = replay(&server.url, "azure.csv", Load::Trace { speed_ratio: 1.0 }, 3);
    let run = measure(&runner(&plan, &folder.path), &plan, 0);
    let times: Vec<u64> = run.requests.iter().map(|record| record.scheduled_ns.unwrap()).collect();
    assert_eq!(times, [0, 50_000_000, 120_000_000]);
    let mut arrived: Vec<(u64, std::time::Instant)> = server
        .seen()
        .iter()
        .map(|seen| {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            (body["max_tokens"].as_u64().unwrap(), seen.at)
        })
        .collect();
    arrived.sort();
    for (pair, gap_ms) in arrived.windows(2).zip([50, 70]) {
        let gap = pair[1].1.duration_since(pair[0].1);
        // A busy machine is late, by less than the next gap.
        let late = std::time::Duration::from_millis(40);
        let due = std::time::Duration::from_millis(gap_ms);
        assert!(gap + late > due && gap < due + late, "{gap:?} for {due:?}");
    }
    let asked = asked(&server);
    assert_eq!(limits(&asked), [3, 4, 5]);
    let words: Vec<usize> = asked.iter().map(|(_, text)| text.split(' ').count()).collect();
    assert_eq!(words, [20, 30, 40]);
}

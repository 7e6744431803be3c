//! A server that counts what cannot be true, over a socket: its counts are kept, told, and in no figure.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{path::Path, sync::Arc, thread::sleep, time::Duration};

use perfgate::{
    session::{RequestRecord, Run, Session, TokensFrom, UsageClaim},
    store::{self, Stored},
};
use serde_json::Value;

use crate::{
    answering::{Answer, serve},
    command::{expect, perfgate},
};

const FLAGS: &str = "run --model tiny --concurrency 2 --requests 20 --repeat 1 --warmup 0 --input-tokens 8 --output-tokens 6 \
                     --quiet";

/// What the screen says of a run, its lines joined, and the run itself.
fn measured(folder: &Path, usage: [u64; 2], more: &[&str]) -> (String, Run) {
    let url = serve(move |_| Answer {
        usage,
        around: Some(Arc::new(|send| {
            send();
            sleep(Duration::from_millis(5));
        })),
        ..Answer::honest(5, 6)
    });
    let ours = ["--url", url.as_str(), "-o", "s.json"];
    let args: Vec<&str> = FLAGS
        .split_whitespace()
        .chain(ours)
        .chain(more.iter().copied())
        .collect();
    let ended = perfgate(folder, &args).output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Stored::Session(Session { mut cells, .. }) = store::read(&folder.join("s.json")).unwrap() else {
        unreachable!("a session was written")
    };
    (text, cells.remove(0).runs.remove(0))
}

fn median(folder: &Path, metric: &str) -> Option<f64> {
    let (text, _) = expect(folder, 0, &["show", "s.json", "--format", "json"]);
    let shown: Value = serde_json::from_str(&text).unwrap();
    shown
        .pointer(&format!("/cells/0/metrics/{metric}/median"))
        .unwrap()
        .as_f64()
}

#[test]
fn four_billion_tokens_are_told_and_are_no_tpot_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (text, run) = measured(folder.path(), [8, 4_000_000_000], &[]);
    for record in &run.requests {
        assert!(record.completed(), "{record:?}");
        assert_eq!(
            (record.output_tokens, record.tokens_from),
            (Some(6), TokensFrom::Chunks)
        );
        let claim = UsageClaim {
            input_tokens: None,
            output_tokens: Some(4_000_000_000),
        };
        assert_eq!((record.input_tokens, record.false_usage), (Some(8), Some(claim)));
    }
    let told =
        "the `usage` of 20 of 20 answers at synthetic-8/6 @ c=2 cannot be true (such as 4000000000 output tokens)";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("from chunks in 20 requests"), "{text}");
    // Five gaps of 5 ms each, of which a busy reader may see some together.
    assert!(median(folder.path(), "tpot_p50").unwrap() > 0.5);
}

#[test]
fn fewer_tokens_than_chunks_are_told_and_are_in_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (text, run) = measured(folder.path(), [8, 1], &[]);
    let claim = UsageClaim {
        input_tokens: None,
        output_tokens: Some(1),
    };
    for record in &run.requests {
        let counted = (record.output_tokens, record.tokens_from, record.false_usage);
        assert_eq!(counted, (Some(6), TokensFrom::Chunks, Some(claim)));
    }
    assert!(text.contains("(such as 1 output tokens in 6 chunks)"), "{text}");
    assert!(median(folder.path(), "tpot_p50").unwrap() > 0.5);
}

#[test]
fn counts_of_each_event_are_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let answer = Answer {
        beside: Some(3),
        around: Some(Arc::new(|send| {
            send();
            sleep(Duration::from_millis(4));
        })),
        ..Answer::honest(5, 6)
    };
    let url = serve(move |_| answer.clone());
    let args: Vec<&str> = FLAGS
        .split_whitespace()
        .chain(["--url", &url, "-o", "s.json"])
        .collect();
    assert!(perfgate(folder.path(), &args).output().unwrap().status.success());
    let Stored::Session(session) = store::read(&folder.path().join("s.json")).unwrap() else {
        unreachable!("a session was written")
    };
    for record in &session.cells[0].runs[0].requests {
        let counted = (record.output_tokens, record.tokens_from, record.chunks);
        assert_eq!(counted, (Some(18), TokensFrom::Usage, 6), "three in each of six events");
        assert_eq!(record.first_chunk_tokens, Some(3));
    }
    // Five gaps of 4 ms or more for the 15 tokens after the first event; of 17 they would be less.
    let tpot_ms = median(folder.path(), "tpot_p50").unwrap();
    assert!(tpot_ms >= 20.0 / 15.0 * 0.97, "{tpot_ms} ms");
}

#[test]
fn several_tokens_a_chunk_without_counts_of_each_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (text, run) = measured(folder.path(), [8, 12], &[]);
    assert!(run.requests.iter().all(|record| record.first_chunk_tokens.is_none()));
    assert!(
        text.contains("TPOT at synthetic-8/6 @ c=2 is understated by up to about 9.1 %"),
        "{text}"
    );
}

#[test]
fn a_prompt_of_no_token_or_of_billions_is_not_believed() {
    for prompt in [0, 4_000_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let (text, run) = measured(folder.path(), [prompt, 6], &[]);
        for record in &run.requests {
            assert_eq!(
                (record.input_tokens, record.output_tokens),
                (None, Some(6)),
                "{record:?}"
            );
            assert_eq!(record.tokens_from, TokensFrom::Usage);
            let claimed = record.false_usage.unwrap().input_tokens.map(u64::from);
            assert_eq!(claimed, Some(prompt));
        }
        assert!(text.contains(&format!("(such as {prompt} prompt tokens)")), "{text}");
    }
}

#[test]
fn counts_that_may_be_true_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    // Two tokens in each event, and the end mark.
    let (text, run) = measured(folder.path(), [8, 13], &[]);
    assert!(
        run.requests.iter().all(|record| record.output_tokens == Some(13)),
        "{text}"
    );
    assert!(!text.contains("cannot be true"), "{text}");
}

#[test]
fn a_count_that_no_machine_holds_is_not_believed_and_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (text, run) = measured(folder.path(), [8, 5_000_000_000_000], &[]);
    assert!(run.requests.iter().all(RequestRecord::completed), "{text}");
    assert!(
        run.requests
            .iter()
            .all(|record| record.tokens_from == TokensFrom::Chunks),
        "{text}"
    );
    assert!(
        text.contains("of 20 answers at synthetic-8/6 @ c=2 cannot be true"),
        "{text}"
    );
}

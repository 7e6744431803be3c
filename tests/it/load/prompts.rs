//! What is sent: deterministic, unique, and disjoint from the warm-up.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use perfgate::{
    load::{Interrupt, LoadError, PromptSet, Runner},
    plan::{Load, Plan, Prompts, Secrets},
};
use serde_json::Value;

use super::{
    Nobody, plan,
    server::{Server, good_answers},
};

const LOAD: Load = Load::Concurrency(1);

/// The bodies of warm-up and measured requests of one repeat.
fn bodies(plan: &Plan, base: &Path, repeat: u32) -> (Vec<Value>, Vec<Value>) {
    let server = Server::of(good_answers(100));
    let mut plan = plan.clone();
    plan.target.url.clone_from(&server.url);
    let prompts = PromptSet::prepare(&plan, base).unwrap();
    let runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    let never = Interrupt::never();
    runner.warm_up(&LOAD, repeat, &Nobody, &never).unwrap();
    runner.measure(&LOAD, repeat, &Nobody, &never).unwrap();
    let mut all: Vec<Value> = server
        .seen()
        .iter()
        .map(|seen| serde_json::from_str(&seen.body).unwrap())
        .collect();
    let measured = all.split_off(plan.warmup_requests as usize);
    (all, measured)
}

fn content(body: &Value) -> &str {
    body.pointer("/messages/0/content").unwrap().as_str().unwrap()
}

fn texts(bodies: &[Value]) -> BTreeSet<String> {
    bodies.iter().map(|body| content(body).to_owned()).collect()
}

fn small() -> Plan {
    let mut plan = plan("", 10);
    plan.warmup_requests = 6;
    plan
}

#[test]
fn measured_prompts_are_the_same_in_every_repeat_and_warm_up_prompts_are_not() {
    let (warmup_0, measured_0) = bodies(&small(), Path::new("."), 0);
    let (warmup_1, measured_1) = bodies(&small(), Path::new("."), 1);
    assert_eq!(measured_0, measured_1);
    let sets = [texts(&warmup_0), texts(&warmup_1), texts(&measured_0)];
    assert_eq!(sets.each_ref().map(BTreeSet::len), [6, 6, 10]);
    assert_eq!(
        sets.iter().flatten().collect::<BTreeSet<_>>().len(),
        22,
        "no prompt twice"
    );
}

#[test]
fn no_two_prompts_begin_with_the_same_word() {
    let (warmup, measured) = bodies(&small(), Path::new("."), 0);
    let all: Vec<Value> = warmup.into_iter().chain(measured).collect();
    let first_words: BTreeSet<String> = texts(&all)
        .iter()
        .map(|text| text.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(first_words.len(), 16);
}

#[test]
fn another_seed_sends_other_prompts() {
    let mut other = small();
    other.seed = 43;
    let (_, measured) = bodies(&small(), Path::new("."), 0);
    let (_, others) = bodies(&other, Path::new("."), 0);
    assert!(texts(&measured).is_disjoint(&texts(&others)));
}

fn dataset(folder: &Path, rows: usize) -> Plan {
    let row = |i: usize| match i % 2 {
        0 => format!("{{\"prompt\": \"row {i}\", \"output_tokens\": {}}}\n", 100 + i),
        _ => format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"row {i}\"}}]}}\n"),
    };
    std::fs::write(
        folder.join("set.jsonl"),
        (0..rows).map(row).collect::<Vec<_>>().concat(),
    )
    .unwrap();
    let mut plan = small();
    plan.workload.prompts = Prompts::Dataset {
        path: "set.jsonl".into(),
        sha256: None,
    };
    plan
}

#[test]
fn a_dataset_s_rows_are_sent_once_with_their_own_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let (warmup, measured) = bodies(&dataset(folder.path(), 40), folder.path(), 0);
    assert_eq!(texts(&measured).len(), 10);
    assert_eq!(texts(&warmup).len(), 6);
    assert!(texts(&measured).is_disjoint(&texts(&warmup)));
    for body in measured {
        let text = content(&body);
        let row: u64 = text.strip_prefix("row ").unwrap().parse().unwrap();
        let expected = if row.is_multiple_of(2) { 100 + row } else { 8 };
        assert_eq!(body["max_tokens"], expected, "{text}");
    }
}

#[test]
fn a_short_dataset_repeats_and_says_so_and_never_warms_up_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let plan = dataset(folder.path(), 4);
    let prompts = PromptSet::prepare(&plan, folder.path()).unwrap();
    assert_eq!(prompts.notes().len(), 2, "{:?}", prompts.notes());
    let (warmup, measured) = bodies(&plan, folder.path(), 0);
    assert_eq!((measured.len(), texts(&measured).len()), (10, 4));
    assert!(texts(&warmup).is_disjoint(&texts(&measured)));
}

#[test]
fn a_dataset_is_named_by_the_hash_of_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("set.jsonl"), "{\"prompt\": \"abc\"}\n").unwrap();
    let mut plan = small();
    plan.workload.prompts = Prompts::Dataset {
        path: "set.jsonl".into(),
        sha256: None,
    };
    let prompts = PromptSet::prepare(&plan, folder.path()).unwrap();
    // printf '{"prompt": "abc"}\n' | sha256sum
    assert_eq!(
        prompts.dataset_sha256(),
        Some("a87cd28e1b308a3d2a53b34d16451a5f5f847aaa4df08f3fcdb1da68492f5617")
    );
    assert_eq!(
        PromptSet::prepare(&small(), folder.path()).unwrap().dataset_sha256(),
        None
    );
}

fn refusal(content: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("set.jsonl");
    if let Some(content) = content {
        std::fs::write(&path, content).unwrap();
    }
    let mut plan = small();
    plan.workload.prompts = Prompts::Dataset {
        path: path.display().to_string(),
        sha256: None,
    };
    match PromptSet::prepare(&plan, Path::new(".")) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_dataset_that_cannot_be_sent_says_where_and_why() {
    assert!(refusal(None).contains("cannot read dataset"));
    assert!(refusal(Some("\n\n")).contains("holds no prompt"));
    let problem = refusal(Some("{\"prompt\": \"a\"}\n\n{\"text\": \"b\"}\n"));
    assert!(
        problem.contains("line 3") && problem.contains("neither `prompt` nor `messages`"),
        "{problem}"
    );
    assert!(refusal(Some("{\"prompt\": \"a\"")).contains("line 1"));
}

#[test]
fn a_plan_without_requests_or_load_is_refused() {
    let none = plan("http://127.0.0.1:1", 0);
    assert!(matches!(
        PromptSet::prepare(&none, Path::new(".")),
        Err(LoadError::Plan { key: "requests", .. })
    ));
    let mut idle = plan("http://127.0.0.1:1", 1);
    idle.loads = vec![Load::Concurrency(0)];
    let prompts = PromptSet::prepare(&idle, Path::new(".")).unwrap();
    let refused = Runner::new(&idle, Secrets::default(), prompts);
    assert!(matches!(refused, Err(LoadError::Plan { key: "concurrency", .. })));
}

//! What is sent: deterministic, unique, and disjoint from the warm-up.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use perfgate::{
    load::{Interrupt, LoadError, PromptSet, Runner},
    plan::{Arrivals, Axis, Capacity, Lengths, Load, Plan, Prompts, Secrets, Stage, StageLength, StageLevel},
};
use serde_json::Value;

use super::{
    Nobody, plan,
    server::{Server, good_answers},
};

const LOAD: Load = Load::Concurrency(1);

/// The bodies of warm-up and measured requests of one repeat of the first cell.
fn bodies(plan: &Plan, base: &Path, repeat: u32) -> (Vec<Value>, Vec<Value>) {
    bodies_of(plan, base, &LOAD, repeat)
}

/// The bodies of warm-up and measured requests of one run; above concurrency 1 measured ones are in any order.
fn bodies_of(plan: &Plan, base: &Path, load: &Load, repeat: u32) -> (Vec<Value>, Vec<Value>) {
    let server = Server::of(good_answers(100));
    let mut plan = plan.clone();
    plan.target.url.clone_from(&server.url);
    let prompts = PromptSet::prepare(&plan, base).unwrap();
    let runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    let never = Interrupt::never();
    runner.warm_up(load, repeat, &Nobody, &never).unwrap();
    runner.measure(load, repeat, &Nobody, &never).unwrap();
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

/// Nine words spell which prompt it is.
fn beginning(text: &str) -> String {
    text.split(' ').take(9).collect()
}

fn texts(bodies: &[Value]) -> BTreeSet<String> {
    bodies.iter().map(|body| content(body).to_owned()).collect()
}

fn small() -> Plan {
    let mut plan = plan("", 10);
    plan.warmup_requests = 6;
    plan
}

/// Two cells and two repeats.
fn four_runs(mut plan: Plan) -> Plan {
    plan.loads = vec![LOAD, Load::Concurrency(2)];
    plan.repeats = 2;
    plan
}

/// Warm-up and measured bodies of each run of `four_runs`, in the order in which they are measured.
fn all_runs(plan: &Plan, base: &Path) -> Vec<(Vec<Value>, Vec<Value>)> {
    let runs = [0, 1]
        .into_iter()
        .flat_map(|repeat| plan.loads.iter().map(move |load| (load, repeat)));
    runs.map(|(load, repeat)| bodies_of(plan, base, load, repeat)).collect()
}

#[test]
fn no_prompt_is_sent_twice_in_a_session() {
    let runs = all_runs(&four_runs(small()), Path::new("."));
    let sets: Vec<BTreeSet<String>> = runs
        .iter()
        .flat_map(|(warmup, measured)| [texts(warmup), texts(measured)])
        .collect();
    assert_eq!(sets.iter().map(BTreeSet::len).collect::<Vec<_>>(), [6, 10].repeat(4));
    let beginnings: BTreeSet<String> = sets.iter().flatten().map(|text| beginning(text)).collect();
    assert_eq!(
        beginnings.len(),
        4 * 16,
        "even within the first block of a prefix cache"
    );
}

#[test]
fn two_sessions_of_a_plan_send_the_same_prompts_run_for_run() {
    let plan = four_runs(small());
    let session = || -> Vec<[BTreeSet<String>; 2]> {
        let runs = all_runs(&plan, Path::new("."));
        runs.iter()
            .map(|(warmup, measured)| [texts(warmup), texts(measured)])
            .collect()
    };
    assert_eq!(session(), session());
}

#[test]
fn the_lengths_of_a_run_are_those_of_every_other_run() {
    let mut plan = small();
    plan.workload.prompts = Prompts::Synthetic {
        input_tokens: Lengths::Uniform { min: 10, max: 60 },
    };
    plan.workload.output_tokens = Lengths::Uniform { min: 1, max: 500 };
    plan = four_runs(plan);
    // Workers of one run send in any order.
    let lengths = |bodies: &[Value]| -> BTreeSet<(usize, u64)> {
        let length = |body: &Value| (content(body).split(' ').count(), body["max_tokens"].as_u64().unwrap());
        bodies.iter().map(length).collect()
    };
    let runs = all_runs(&plan, Path::new("."));
    let each: Vec<_> = runs
        .iter()
        .map(|(warmup, measured)| [lengths(warmup), lengths(measured)])
        .collect();
    assert!(each[0].iter().all(|set| set.len() > 4), "{each:?}");
    assert!(each.iter().all(|run| *run == each[0]), "{each:?}");
    let (_, again) = bodies(&plan, Path::new("."), 1);
    let (_, first) = bodies(&plan, Path::new("."), 0);
    let in_order = |bodies: &[Value]| bodies.iter().map(|body| body["max_tokens"].clone()).collect::<Vec<_>>();
    assert_eq!(in_order(&again), in_order(&first), "index by index");
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
    plan.workload.prompts = Prompts::dataset("set.jsonl");
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
fn a_dataset_s_rows_are_not_repeated_before_they_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let rows_of = |rows| -> (Vec<BTreeSet<String>>, Vec<String>) {
        let plan = four_runs(dataset(folder.path(), rows));
        let notes = PromptSet::prepare(&plan, folder.path()).unwrap().notes();
        let runs = all_runs(&plan, folder.path());
        let sets = runs
            .iter()
            .flat_map(|(warmup, measured)| [texts(warmup), texts(measured)]);
        (sets.collect(), notes)
    };
    let distinct = |sets: &[BTreeSet<String>]| sets.iter().flatten().collect::<BTreeSet<_>>().len();
    let is_row = |text: &&String| text.starts_with("row ");
    for (rows, of_rows, of_all, words) in [
        (64, 64, 64, ""),
        (63, 63, 64, "23 rows beyond the measured ones for 24 warm-up"),
        (40, 40, 64, "no rows beyond the measured ones"),
        (
            39,
            39,
            63,
            "39 rows for 4 runs of 10 requests: prompts repeat across runs",
        ),
        (10, 10, 34, "prompts repeat across runs"),
        (9, 9, 33, "prompts repeat within a run and across runs"),
    ] {
        let (sets, notes) = rows_of(rows);
        assert_eq!(distinct(&sets), of_all, "{rows} rows");
        assert_eq!(
            sets.iter().flatten().filter(is_row).collect::<BTreeSet<_>>().len(),
            of_rows
        );
        assert!(notes.concat().contains(words), "{rows} rows: {notes:?}");
        assert_eq!(notes.is_empty(), words.is_empty(), "{rows} rows: {notes:?}");
    }
}

#[test]
fn stages_and_searches_repeat_no_row_before_they_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let stage = |requests| Stage {
        level: StageLevel::Concurrency(1),
        length: StageLength::Requests(requests),
    };
    let mut plan = dataset(folder.path(), 100);
    plan.repeats = 2;
    // 30 requests a run, though the plan says 10 of each load.
    let load = Load::Stages {
        stages: vec![stage(20), stage(10)],
        arrivals: Arrivals::Poisson,
    };
    plan.loads = vec![load.clone()];
    let notes = PromptSet::prepare(&plan, folder.path()).unwrap().notes();
    assert_eq!(notes, [""; 0]);
    let sent = |plan: &Plan, load: &Load, runs: u32| -> usize {
        let runs = (0..runs).map(|run| bodies_of(plan, folder.path(), load, run));
        let texts = runs.flat_map(|(warmup, measured)| [texts(&warmup), texts(&measured)]);
        texts.flatten().collect::<BTreeSet<_>>().len()
    };
    assert_eq!(sent(&plan, &load, 2), 2 * (6 + 30));

    plan.repeats = 1;
    plan.loads = vec![Load::Capacity(Capacity {
        axis: Axis::Concurrency,
        min: 1.0,
        max: 8.0,
        precision_ratio: 1.1,
        attainment: 0.9,
        batch_s: None,
    })];
    assert_eq!(sent(&plan, &LOAD, 9), 9 * (6 + 10));
    let notes = PromptSet::prepare(&plan, folder.path()).unwrap().notes();
    assert!(
        notes.concat().contains("100 rows: should the searches send more"),
        "{notes:?}"
    );
}

#[test]
fn a_dataset_is_named_by_the_hash_of_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("set.jsonl"), "{\"prompt\": \"abc\"}\n").unwrap();
    let mut plan = small();
    plan.workload.prompts = Prompts::dataset("set.jsonl");
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
    plan.workload.prompts = Prompts::dataset(path.display().to_string());
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

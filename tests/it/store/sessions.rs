#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{fs, path::Path};

use perfgate::{
    plan::{Api, Arrivals, Load, Plan, Stage, StageLength, StageLevel},
    session::{Ended, GpuUse, Outcome, TokensFrom},
    store::{self, Stored},
};

use super::{plan, session};
use crate::schemas::assert_committed;

const SCHEMA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/session.schema.json");
const DOC_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/files.md");

/// The JSON blocks of `docs/files.md`.
fn documented() -> Vec<String> {
    let doc = fs::read_to_string(DOC_FILE).unwrap();
    let blocks = doc.split("```json\n").skip(1);
    blocks
        .map(|block| block.split_once("```").unwrap().0.to_owned())
        .collect()
}

fn documented_example() -> String {
    documented().swap_remove(0)
}

/// Names of all files in a directory, hidden ones too.
fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(super) fn assert_fits_schema(text: &str) {
    let schema = serde_json::from_str(&fs::read_to_string(SCHEMA_FILE).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn a_session_comes_back_as_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/session.json");
    for ended in [Ended::Complete, Ended::Interrupted, Ended::Aborted("no answer".into())] {
        let mut session = session();
        session.ended = ended;
        store::write_session(&path, &session).unwrap();
        assert_eq!(store::read_session(&path).unwrap(), session);
        assert_eq!(store::read(&path).unwrap(), Stored::Session(session));
    }
}

#[test]
fn a_written_session_fits_the_schema_and_has_a_request_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    store::write_session(&path, &session()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("{\n \"schema\":\"perfgate-llm/session/1\",\n"),
        "{text}"
    );
    assert_fits_schema(&text);
    let requests: Vec<&str> = text.lines().filter(|line| line.contains("\"sent_ns\"")).collect();
    assert_eq!(requests.len(), 2 * 2 * 3);
    // Index 0 is its place in the list and left out; index 7 is not.
    assert_eq!(
        requests[0].trim(),
        r#"{"scheduled_ns":1000,"sent_ns":2000,"first_token_ns":45000000,"last_token_ns":945000000,"end_ns":945100000,"input_tokens":512,"output_tokens":101,"chunks":51,"tokens_from":"chunks"},"#
    );
    assert_eq!(
        requests[2].trim(),
        r#"{"index":8,"sent_ns":2000,"end_ns":945100000,"input_tokens":512,"outcome":{"class":"http_503","message":"the model is loading: \"soon\"\n"}}"#
    );
}

#[test]
fn the_documented_example_is_read_and_means_what_the_document_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let example = documented_example();
    assert_fits_schema(&example);
    fs::write(&path, example).unwrap();
    let session = store::read_session(&path).unwrap();

    assert_eq!(session.tool_version, "unknown");
    assert_eq!(session.ended, Ended::Complete);
    assert!((session.plan.max_error_rate - 0.01).abs() < f64::EPSILON);
    assert_eq!(session.cells[0].name, "synthetic-512/128±16 @ c=4");
    let run = &session.cells[0].runs[0];
    assert_eq!((run.repeat, run.started_unix_s), (0, 1_790_000_000));
    assert_eq!(run.gpu, GpuUse::default());
    let [first, second] = run.requests.as_slice() else {
        panic!("two requests")
    };
    assert_eq!((first.index, first.chunks, first.input_tokens), (0, 101, None));
    assert_eq!(first.tokens_from, TokensFrom::Usage);
    assert!(first.completed());
    assert_eq!((second.index, second.chunks), (1, 0));
    assert!(matches!(&second.outcome, Outcome::Failed(failure) if failure.message == "the model is loading"));
}

#[test]
fn the_documented_prompts_lengths_and_loads_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let blocks: Vec<serde_json::Value> = documented()
        .iter()
        .map(|block| serde_json::from_str(block).unwrap())
        .collect();
    let [example, prompts, lengths, loads] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    let mut names = Vec::new();
    for at in 0..6 {
        let mut file = example.clone();
        let prompt = &prompts[at.min(3)];
        file["cells"] = serde_json::json!([]);
        file["plan"]["workload"] = serde_json::json!({"prompts": prompt, "output_tokens": lengths[at]});
        if prompt.get("trace").is_some() {
            file["plan"]["loads"] = loads.clone();
        }
        let text = file.to_string();
        assert_fits_schema(&text);
        fs::write(&path, text).unwrap();
        let session = store::read_session(&path).unwrap();
        names.extend(session.cells.into_iter().map(|cell| cell.name));
    }
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    assert_committed("schemas/session.schema.json", &store::session_schema());
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema: serde_json::Value = serde_json::from_str(&store::session_schema()).unwrap();
    let mut objects = vec![&schema];
    let mut seen = 0;
    while let Some(object) = objects.pop() {
        if let Some(properties) = object.get("properties").and_then(|p| p.as_object()) {
            for (key, property) in properties {
                // A choice (`{"fixed": 128}`) is described at the choice, not at its key.
                let described = property.get("description").or_else(|| object.get("description"));
                assert!(described.is_some(), "`{key}` has no description");
                seen += 1;
            }
        }
        match object {
            serde_json::Value::Object(map) => objects.extend(map.values()),
            serde_json::Value::Array(list) => objects.extend(list),
            _ => {}
        }
    }
    assert!(seen > 60, "only {seen} keys");
}

#[test]
fn no_secret_reaches_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    store::write_session(&path, &session()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("STORE_TEST_API_KEY") && text.contains("x-team"));
    let plan: serde_json::Value = serde_json::from_str::<serde_json::Value>(&text).unwrap()["plan"].clone();
    let keys: Vec<&String> = plan["target"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "api",
            "api_key_env",
            "extra_body",
            "header_names",
            "model",
            "timeouts",
            "url"
        ]
    );
    assert_eq!(plan["target"]["header_names"], serde_json::json!(["x-team"]));
}

#[test]
fn a_load_level_without_a_cell_is_a_cell_without_runs_in_plan_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let mut session = session();
    session.plan.loads = vec![
        Load::Concurrency(1),
        session.cells[1].load.clone(),
        Load::Concurrency(4),
    ];
    store::write_session(&path, &session).unwrap();
    let read = store::read_session(&path).unwrap();
    let cells: Vec<(Load, usize)> = read
        .cells
        .iter()
        .map(|cell| (cell.load.clone(), cell.runs.len()))
        .collect();
    assert_eq!(
        cells,
        [
            (Load::Concurrency(1), 0),
            (plan().loads[1].clone(), 2),
            (Load::Concurrency(4), 2)
        ]
    );
}

#[test]
fn a_file_with_a_byte_order_mark_and_schema_last_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let example = documented_example();
    let (_, body) = example.split_once(",\n").unwrap();
    let body = body.trim_end().strip_suffix('}').unwrap();
    fs::write(
        &path,
        format!("\u{feff}{{{body}, \"schema\": \"perfgate-llm/session/1\"}}\r\n"),
    )
    .unwrap();
    assert_eq!(store::read_session(&path).unwrap().cells.len(), 2);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_litter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    store::write_session(&path, &session()).unwrap();
    store::write_session(&path, &session()).unwrap();
    assert_eq!(names_in(dir.path()), ["session.json"]);

    let taken = dir.path().join("folder");
    fs::create_dir(&taken).unwrap();
    let error = store::write_session(&taken, &session()).unwrap_err();
    assert!(error.to_string().contains("is a directory"), "{error}");
    let below_a_file = path.join("session.json");
    assert!(store::write_session(&below_a_file, &session()).is_err());
    assert_eq!(store::read_session(&path).unwrap(), session());
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_a_device() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real.json"), dir.path().join("link.json"));
    fs::write(&real, "old").unwrap();
    symlink(&real, &link).unwrap();
    store::write_session(&link, &session()).unwrap();
    assert!(link.is_symlink());
    assert_eq!(store::read_session(&real).unwrap(), session());

    store::write_session(Path::new("/dev/null"), &session()).unwrap();
    store::claim_output(Path::new("/dev/null")).unwrap();
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn an_output_is_claimed_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("reports/session.json");
    store::claim_output(&new).unwrap();
    assert_eq!(names_in(new.parent().unwrap()), Vec::<String>::new());

    let old = dir.path().join("old.json");
    fs::write(&old, "kept").unwrap();
    store::claim_output(&old).unwrap();
    assert_eq!(fs::read_to_string(&old).unwrap(), "kept");

    for bad in [dir.path().to_owned(), old.join("below.json"), dir.path().join("..")] {
        assert!(store::claim_output(&bad).is_err(), "{}", bad.display());
    }
}

#[test]
fn a_completed_request_needs_tokens_only_where_they_are_streamed() {
    type Edit = fn(&mut Plan);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let edits: [(Edit, bool); 4] = [
        (|_| {}, false),
        (|plan| plan.target.streaming = false, true),
        (|plan| plan.target.api = Api::Embeddings, true),
        (|plan| plan.target.api = Api::Tgi, false),
    ];
    for (edit, readable) in edits {
        let mut session = session();
        edit(&mut session.plan);
        let record = &mut session.cells[0].runs[0].requests[0];
        (record.first_token_ns, record.last_token_ns) = (None, None);
        store::write_session(&path, &session).unwrap();
        assert_eq!(store::read_session(&path).is_ok(), readable);
    }
}

#[test]
fn the_plan_bounds_the_indexes_only_where_it_states_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let stage = Stage {
        level: StageLevel::Concurrency(4),
        length: StageLength::Requests(500),
    };
    let stages = Load::Stages {
        stages: vec![stage, stage],
        arrivals: Arrivals::Poisson,
    };
    for (load, readable) in [(Load::Concurrency(9), false), (stages, true)] {
        let mut session = session();
        (session.plan.loads[0], session.cells[0].load) = (load.clone(), load);
        session.cells[0].runs[0].requests[2].index = 999;
        store::write_session(&path, &session).unwrap();
        assert_eq!(store::read_session(&path).is_ok(), readable);
    }
}

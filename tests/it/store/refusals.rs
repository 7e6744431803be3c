#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{fs, path::Path};

use perfgate::store;
use serde_json::{Value, json};

use super::{in_words, session};

/// What reading these bytes as a session answers; the path is replaced by `FILE`.
fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    fs::write(&path, bytes).unwrap();
    let error = store::read_session(&path).unwrap_err();
    in_words(&error).replace(path.to_str().unwrap(), "FILE")
}

fn whole() -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    store::write_session(&path, &session()).unwrap();
    fs::read_to_string(path).unwrap()
}

/// A written session with the value at one place replaced (or taken away).
fn edited(pointer: &str, value: Option<Value>) -> String {
    let mut json: Value = serde_json::from_str(&whole()).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap();
    let slot = match parent {
        Value::Object(map) if value.is_none() => map.remove(key),
        Value::Object(map) => Some(map.insert(key.into(), value.unwrap()).unwrap_or_default()),
        list => list
            .get_mut(key.parse::<usize>().unwrap())
            .map(|slot| std::mem::replace(slot, value.unwrap())),
    };
    assert!(slot.is_some(), "there is no `{pointer}` to edit");
    json.to_string()
}

#[test]
fn what_is_no_session_file_is_named_as_what_it_is() {
    let whole = whole();
    let newer = whole.replacen("session/1", "session/2", 1);
    let later_shape = r#"{"cells": 7, "schema": "perfgate-llm/session/12"}"#;
    let cut = &whole[..whole.len() / 2];
    let cases: &[(&[u8], &str)] = &[
        (b"", "`FILE` is empty"),
        (b" \n\n", "`FILE` is empty"),
        (
            b"\x7fELF\x02\x01\x01\x00\xff\xfe",
            "`FILE` is not a JSON object: it does not begin with `{`",
        ),
        (b"{\xff\xfe\x00", "`FILE` is not a JSON object"),
        (b"schema: perfgate-llm/1\nmodel: tiny\n", "`FILE` is not a JSON object"),
        (b"[1, 2]", "`FILE` is not a JSON object"),
        (
            b"{\"schema\": 7}",
            "neither a perfgate session nor a baseline: its `schema` is no text",
        ),
        (
            b"{\"a\": 1}",
            "neither a perfgate session nor a baseline: it has no `schema`",
        ),
        (
            b"{\"schema\": \"perfgate-llm/report/1\"}",
            "its `schema` is `perfgate-llm/report/1`",
        ),
        (
            b"{\"schema\": \"perfgate-llm/session/0\"}",
            "its `schema` is `perfgate-llm/session/0`",
        ),
        (
            b"{\"schema\": \"perfgate-llm/session/x\"}",
            "its `schema` is `perfgate-llm/session/x`",
        ),
        (
            newer.as_bytes(),
            "`FILE` is `perfgate-llm/session/2`, written by a newer perfgate; this one reads up to 1",
        ),
        (
            later_shape.as_bytes(),
            "`FILE` is `perfgate-llm/session/12`, written by a newer perfgate",
        ),
        (cut.as_bytes(), "was the disk full?"),
        (b"{\"sche", "ends in the middle, at line 1"),
        (
            b"{\"schema\": \"perfgate-llm/session/1\", oops}",
            "`FILE` is not a JSON object: key must be a string",
        ),
    ];
    for (bytes, expected) in cases {
        let found = refusal(bytes);
        assert!(found.contains(expected), "{found}\n  lacks {expected}");
    }
    let doubled = format!("{whole}{whole}");
    assert!(refusal(doubled.as_bytes()).contains("trailing characters"));
}

#[test]
fn what_is_no_file_is_named_too() {
    let dir = tempfile::tempdir().unwrap();
    let missing = store::read(&dir.path().join("none.json")).unwrap_err();
    assert!(missing.to_string().starts_with("there is no file `"), "{missing}");
    let folder = store::read(dir.path()).unwrap_err();
    assert!(folder.to_string().contains("is a directory"), "{folder}");
    let odd = store::read(Path::new("a\0b")).unwrap_err();
    assert!(in_words(&odd).starts_with("cannot read `"), "{odd}");
}

#[test]
fn a_file_beyond_the_limit_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.json");
    // A hole: it takes no room on the disk.
    fs::File::create(&path).unwrap().set_len((2 << 30) + 1).unwrap();
    let error = store::read(&path).unwrap_err();
    assert!(error.to_string().contains("has 2147483649 bytes"), "{error}");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(200_000);
    assert!(refusal(format!("{{\"schema\":\"perfgate-llm/session/1\",\"cells\":{deep}").as_bytes()).contains("FILE"));
    assert!(refusal(format!("{{\"a\":{deep}").as_bytes()).contains("FILE"));
}

/// Place, new value (`-`: taken away) and what the refusal says after the file's name.
const WRONG_REQUESTS: &str = r#"
/cells/0/runs/1/requests/2/sent_ns        | "5"   | `cells[0].runs[1].requests[2].sent_ns`: invalid type: string "5"
/cells/0/runs/1/requests/2/sent_ns        | -5    | `cells[0].runs[1].requests[2].sent_ns`: invalid value: integer `-5`
/cells/0/runs/1/requests/2/sent_ns        | 5.5   | `cells[0].runs[1].requests[2].sent_ns`: invalid type: floating point `5.5`
/cells/0/runs/1/requests/2/sent_ns        | -     | `cells[0].runs[1].requests[2]`: missing field `sent_ns`
/cells/0/runs/1/requests/2/first_token    | 1     | `cells[0].runs[1].requests[2].first_token`: unknown field `first_token`
/cells/0/runs/1/requests/2/outcome/class  | "tired" | `cells[0].runs[1].requests[2].outcome.class`: unknown failure class `tired`
/cells/0/runs/1/requests/2/outcome        | -     | `cells[0].runs[1].requests[2].first_token_ns`: is missing from a completed request
/cells/0/runs/1/requests/2/index          | 7     | `cells[0].runs[1].requests[2].index`: `7` stands twice
/cells/0/runs/1/requests/2/index          | 100   | `cells[0].runs[1].requests[2].index`: is `100`, but `plan.requests_per_run` is `100`
/cells/0/runs/1/requests/2/last_token_ns  | 3000  | `cells[0].runs[1].requests[2].first_token_ns`: is missing, but there is a later token
/cells/0/runs/1/requests/2/first_token_ns | 1999  | `cells[0].runs[1].requests[2].first_token_ns`: is `1999`, before `sent_ns` at `2000`
/cells/0/runs/1/requests/2/scheduled_ns   | 2001  | `cells[0].runs[1].requests[2].sent_ns`: is `2000`, before `scheduled_ns` at `2001`
/cells/0/runs/1/requests/2/end_ns         | 1     | `cells[0].runs[1].requests[2].end_ns`: is `1`, before `sent_ns` at `2000`
/cells/0/runs/1/requests/2/end_ns         | 1790000000000000000 | `cells[0].runs[1].requests[2].end_ns`: is `1790000000000000000`, beyond 2^53
/cells/0/runs/1/requests/0/last_token_ns  | 44999999 | `cells[0].runs[1].requests[0].last_token_ns`: is `44999999`, before `first_token_ns` at `45000000`
/cells/0/runs/1/requests/0/last_token_ns  | -     | `cells[0].runs[1].requests[0].last_token_ns`: is missing from a completed request
/cells/0/runs/1/requests/0/first_answer_ns | 44999999 | `cells[0].runs[1].requests[0].first_answer_ns`: is `44999999`, before `first_token_ns` at `45000000`
/cells/0/runs/1/requests/0/first_answer_ns | 945000001 | `cells[0].runs[1].requests[0].last_token_ns`: is `945000000`, before `first_answer_ns` at `945000001`
/cells/0/runs/1/requests/2/first_answer_ns | 3000 | `cells[0].runs[1].requests[2].first_token_ns`: is missing, but there is a later token
/cells/0/runs/1/requests/0/stage          | 1     | `cells[0].runs[1].requests[0].stage`: is `1`, but the load has 1, counted from 0
/cells/0/runs/1/requests/0/finish         | "tired" | `cells[0].runs[1].requests[0].finish`: unknown variant `tired`
/cells/0/runs/1/requests/0/turn           | {"turn": 1} | `cells[0].runs[1].requests[0].turn`: missing field `conversation`
/cells/0/runs/1/requests/0/slo            | {"ttft_ms": -1} | `cells[0].runs[1].requests[0].slo.ttft_ms`: is `-1`; give milliseconds
"#;

const WRONG_RUNS: &str = r#"
/cells/0/runs/1/repeat                    | 0     | `cells[0].runs[1].repeat`: is `0`, not above
/cells/0/runs/1/started_unix_s            | 1790000000000 | `cells[0].runs[1].started_unix_s`: is `1790000000000`, after the year 9999
/cells/0/runs/1/itl/0/1                   | 0     | `cells[0].runs[1].itl[0]`: counts `0` gaps
/cells/0/runs/1/itl/1/0                   | 9000000 | `cells[0].runs[1].itl[1]`: `9000000` is not above
/cells/0/runs/1/itl/1/1                   | 18446744073709551615 | `cells[0].runs[1].itl`: counts
/cells/0/runs/1/itl/1                     | [1]   | `cells[0].runs[1].itl[1]`: invalid length 1
/cells/0/runs/1/itl_by_stage              | [[], []] | `cells[0].runs[1].itl_by_stage`: counts the gaps of 2 stages, but the load has 1
/cells/0/runs/1/itl_by_stage              | [[[5, 0]]] | `cells[0].runs[1].itl_by_stage[0][0]`: counts `0` gaps
/cells/0/runs/1/warmup/failed             | 4     | `cells[0].runs[1].warmup.failed`: is `4` of `3`
/cells/0/runs/1/client                    | {"cpu_s": -1, "wall_s": 1, "threads": 1, "kernel_stamps": true} | `cells[0].runs[1].client.cpu_s`: is `-1`; give seconds
/cells/0/runs/1/client                    | {"cpu_s": 1, "wall_s": 1, "threads": 1, "kernel_stamps": true, "read_lag": {"p50_ms": 2, "p95_ms": 2, "p99_ms": 1, "max_ms": 3}} | `cells[0].runs[1].client.read_lag`: does not rise
/cells/0/runs/1/search                    | {"end": {"found": 4}, "steps": []} | `cells[0].runs[1].search`: stands in a run of `c=4`, which is no search
/cells/0/runs/1/gpu/measured/samples      | 0     | `cells[0].runs[1].gpu.measured.samples`: is `0`
/cells/0/runs/1/gpu/measured/utilization_mean_pct | 100.5 | `cells[0].runs[1].gpu.measured.utilization_mean_pct`: is `100.5`
/cells/0/runs/1/telemetry                 | {"gpus": [{"index": 0, "points": [[5, 0, 1, 0, null, null, null, null]]}]} | `cells[0].runs[1].telemetry.gpus[0].points[0].samples`: is `0`
/cells/0/runs/1/telemetry                 | {"gpus": [{"index": 0, "points": [[5, 1, 1, 101, null, null, null, null]]}]} | `cells[0].runs[1].telemetry.gpus[0].points[0].utilization_pct`: is `101`
/cells/0/runs/1/telemetry                 | {"gpus": [{"index": 0, "points": []}, {"index": 0, "points": []}]} | `cells[0].runs[1].telemetry.gpus[1].index`: `0` stands twice
/cells/0/runs/1/telemetry                 | {"engine": {"sampled": {"every_ns": 1, "samples": 2, "points": [[7, 1, null, 1, 0], [7, 1, null, 1, 0]]}}} | `cells[0].runs[1].telemetry.engine.sampled.points[1]`: is at `7`, not after
/cells/0/runs/1/telemetry                 | {"engine": {"sampled": {"every_ns": 1, "samples": 1, "points": [[7, 1, -0.5, 1, 0]]}}} | `cells[0].runs[1].telemetry.engine.sampled.points[0].kv_used`: is `-0.5`
/cells/0/runs/1/telemetry                 | {"engine": {"sampled": {"every_ns": 1, "samples": 1, "points": [], "gaps": [[9, 3, "x"]]}}} | `cells[0].runs[1].telemetry.engine.sampled.gaps[0]`: goes from `9` to `3`
/cells/1/load                             | {"concurrency": 4} | `cells[1].load`: `c=4` has a cell already
/cells/1/load                             | {"concurrency": 9} | `cells[1].load`: `c=9` is none of `plan.loads`
/cells/1/load                             | {"streams": 9} | `cells[1].load`: unknown variant `streams`
/cells/1/name                             | "chat.jsonl/200.5±50 @ c=4" | `cells[1].name`: `chat.jsonl/200.5±50 @ c=4` is the name
"#;

const WRONG_PAIRS: &str = r#"
/pairing/id                               | " "   | `pairing.id`: is empty
/pairing/blocks                           | 0     | `pairing.blocks`: is `0`
/pairing/looks                            | []    | `pairing.looks`: are []; give at least one
/pairing/looks                            | [5, 5] | `pairing.looks`: are [5, 5]; give at least one number of pairs, rising
/pairing/looks                            | [0, 5] | `pairing.looks`: are [0, 5]
/pairing/arm                              | "left" | `pairing.arm`: unknown variant `left`
/cells/0/runs/1/blocks                    | [{"requests": 2, "start_ns": 0, "started_unix_ms": 0}] | `cells[0].runs[1].blocks`: hold 2 requests, but the run has 3
/cells/0/runs/1/blocks                    | [{"requests": 0, "start_ns": 0, "started_unix_ms": 0}] | `cells[0].runs[1].blocks[0].requests`: is `0`
/cells/0/runs/1/blocks                    | [{"requests": 3, "start_ns": 9007199254740993, "started_unix_ms": 0}] | `cells[0].runs[1].blocks[0].start_ns`: is `9007199254740993`
/cells/0/runs/1/blocks                    | [{"requests": 3, "start_ns": 0, "started_unix_ms": 253402300800000}] | `cells[0].runs[1].blocks[0].started_unix_ms`: is
/cells/0/runs/1/blocks                    | [{"requests": 2, "start_ns": 9, "started_unix_ms": 0}, {"requests": 1, "start_ns": 8, "started_unix_ms": 0}] | `cells[0].runs[1].blocks`: do not follow
/cells/0/runs/1/host                      | {"cpu_steal": 1.01} | `cells[0].runs[1].host.cpu_steal`: is `1.01`
/cells/0/runs/1/host                      | {"resting_arm_cpu_s": -1} | `cells[0].runs[1].host.resting_arm_cpu_s`: is `-1`
"#;

const WRONG_PLANS: &str = r#"
/plan/loads                               | []    | `plan.loads`: is empty
/cells                                    | {}    | `cells`: invalid type: map, expected a sequence
/plan/loads/1                             | {"concurrency": 4} | `plan.loads[1]`: `c=4` stands twice
/plan/loads/0/concurrency                 | 0     | `plan.loads[0].concurrency`: is `0`
/plan/loads/1/rate/rate_rps               | 0.0   | `plan.loads[1].rate.rate_rps`: is `0`
/plan/loads/1/rate/rate_rps               | null  | `plan.loads[1].rate.rate_rps`: invalid type: null
/plan/requests_per_run                    | 0     | `plan.requests_per_run`: is `0`
/plan/requests_per_run                    | 4294967296 | `plan.requests_per_run`: invalid value
/plan/repeats                             | 0     | `plan.repeats`: is `0`
/plan/seed                                | -     | `plan`: missing field `seed`
/plan/max_error_rate                      | 1.5   | `plan.max_error_rate`: is `1.5`
/plan/workload/output_tokens/normal/std   | -1    | `plan.workload.output_tokens.normal`: has mean `200.5` and std `-1`
/plan/workload/output_tokens              | {"fixed": 0} | `plan.workload.output_tokens.fixed`: is `0`
/plan/workload/output_tokens              | {"uniform": {"min": 3, "max": 2}} | `plan.workload.output_tokens.uniform`: goes from `3` to `2`
/plan/workload/output_tokens              | {"zipf": {"min": 1, "max": 2, "exponent": 0}} | `plan.workload.output_tokens.zipf.exponent`: is `0`; give an exponent above zero
/plan/workload/output_tokens              | {"within": {"shape": {"lognormal": {"mean": 5, "std": 1}}, "min": 3, "max": 2}} | `plan.workload.output_tokens.within`: goes from `3` to `2`
/plan/workload/prompts                    | {"shared_prefix": {"groups": 0, "prefix_tokens": {"fixed": 1}, "input_tokens": {"fixed": 1}}} | `plan.workload.prompts.shared_prefix.groups`: is `0`
/plan/workload/models                     | [{"name": "a", "weight": 0}] | `plan.workload.models[0].weight`: is `0`; give a weight above zero
/plan/workload/images                     | {"width_px": 1, "height_px": 0, "per_request": 1} | `plan.workload.images.height_px`: is `0`
/plan/workload/conversation               | {"turns": {"fixed": 0}, "think_time": {"fixed_ns": 0}} | `plan.workload.conversation.turns.fixed`: is `0`
/plan/workload/batch                      | 0     | `plan.workload.batch`: is `0`
/plan/slo                                 | {"e2e_ms": -2} | `plan.slo.e2e_ms`: is `-2`; give milliseconds
/plan/warmup_limit                        | 2     | `plan.warmup_limit`: is `2`, below `warmup_requests` `3`
/plan/loads/1                             | {"trace": {"speed_ratio": 1}} | `plan.loads[1]`: replays the times of a trace, but `workload.prompts` is none
/plan/loads/1                             | {"ramp": {"from_rps": 0, "to_rps": 1, "shape": "exponential", "arrivals": "poisson"}} | `plan.loads[1].ramp.from_rps`: is `0`
/plan/loads/1                             | {"ramp": {"from_rps": 0, "to_rps": 0, "shape": "linear", "arrivals": "poisson"}} | `plan.loads[1].ramp.to_rps`: is `0`
/plan/loads/1                             | {"rate": {"rate_rps": 1, "arrivals": {"gamma": {"burstiness": 0}}}} | `plan.loads[1].rate.arrivals.gamma.burstiness`: is `0`
/plan/loads/1                             | {"stages": {"stages": [], "arrivals": "poisson"}} | `plan.loads[1].stages.stages`: has 0 entries
/plan/loads/1                             | {"stages": {"stages": [{"level": {"concurrency": 1}, "length": {"duration_ns": 0}}], "arrivals": "poisson"}} | `plan.loads[1].stages.stages[0].length.duration_ns`: is `0`
/plan/loads/1                             | {"capacity": {"axis": "concurrency", "min": 2, "max": 1, "precision_ratio": 1.1, "attainment": 0.9}} | `plan.loads[1].capacity.max`: is `1`, below `min` `2`
/plan/loads/1                             | {"capacity": {"axis": "concurrency", "min": 1, "max": 2, "precision_ratio": 1, "attainment": 0.9}} | `plan.loads[1].capacity.precision_ratio`: is `1`
/plan/loads/1                             | {"capacity": {"axis": {"rate": "poisson"}, "min": 1, "max": 2, "precision_ratio": 1.1, "attainment": 1.1}} | `plan.loads[1].capacity.attainment`: is `1.1`
/plan/loads/1                             | {"capacity": {"axis": {"rate": "poisson"}, "min": 1, "max": 2, "precision_ratio": 1.1, "attainment": 0.9, "batch_s": 0}} | `plan.loads[1].capacity.batch_s`: is `0`
/plan/target/api                          | "grpc" | `plan.target.api`: unknown variant `grpc`
/plan                                     | -     | `top level`: missing field `plan`
/started_unix_s                           | 1790000000000 | `started_unix_s`: is `1790000000000`, after the year 9999
/ended                                    | "tired" | `ended`: unknown variant `tired`
/definitions                              | -     | missing field `definitions`
"#;

fn check_refusals(table: &str) {
    for row in table.trim().lines() {
        let mut cells = row.splitn(3, '|').map(str::trim);
        let (place, value, expected) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        let value = (value != "-").then(|| serde_json::from_str(value).unwrap());
        let found = refusal(edited(place, value).as_bytes());
        assert!(found.starts_with("`FILE`: `"), "{place}: {found}");
        assert!(found.contains(expected), "{place}: {found}\n  lacks {expected}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    check_refusals(WRONG_REQUESTS);
    check_refusals(WRONG_RUNS);
    check_refusals(WRONG_PAIRS);
    check_refusals(WRONG_PLANS);
}

#[test]
fn an_unedited_file_passes_the_same_path() {
    let text = edited("/definitions", Some(json!("perfgate/1")));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    fs::write(&path, text).unwrap();
    assert_eq!(store::read_session(&path).unwrap(), session());
}

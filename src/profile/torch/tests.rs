use std::fs;

use super::*;
use crate::{
    op_table::{Graphs, IdleCause, PhaseTable, Timeline},
    profile,
};

/// Traces that were made for this project.
fn own(name: &str) -> OpTable {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/profiles")
        .join(name);
    profile::read(&path).unwrap()
}

/// Traces of others, which are read where they lie.
fn public(name: &str) -> Option<OpTable> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/profiles")
        .join(name);
    if path.exists() {
        return Some(profile::read(&path).unwrap());
    }
    println!("skipped: no `{}`", path.display());
    None
}

fn phase(table: &OpTable, phase: Phase) -> &PhaseTable {
    table.phases.iter().find(|one| one.phase == phase).unwrap()
}

fn timeline(phase: &PhaseTable) -> &Timeline {
    phase.time.as_ref().unwrap()
}

/// Calls, device time and bytes of an operator over all places and inputs of a phase.
fn sums(phase: &PhaseTable, op: &str) -> (u64, u64, u64) {
    phase
        .ops
        .iter()
        .filter(|row| row.name == op)
        .fold((0, 0, 0), |all, row| {
            let bytes = row.moved_bytes.unwrap_or(0);
            (all.0 + row.calls, all.1 + row.device_ns, all.2 + bytes)
        })
}

fn near(ns: u64, ms: f64) {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let found = ns as f64 / 1e6;
    assert!((found - ms).abs() < 2e-5, "{found} ms, expected {ms} ms");
}

#[test]
fn the_h100_trace_is_busy_as_tracelens_says() {
    let Some(table) = public("public/tl_h100_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz") else {
        return;
    };
    assert_eq!((table.cut, table.clock), (Cut::ProfilerSteps, Clock::Device));
    assert_eq!(table.devices, ["NVIDIA H100 80GB HBM3"]);
    let whole = phase(&table, Phase::Whole);
    let time = timeline(whole);
    near(time.busy_ns(), 31.905_483_154_296_878);
    near(time.compute_ns, 31.903_115_234_375);
    near(time.exposed_copy_ns, 0.002_367_919_921_875);
    near(time.idle_ns(), 2.986_935_791_015_625);
    near(time.wall_ns, 34.892_418_945_312_5);
    assert_eq!(whole.kernels.iter().map(|row| row.launches).sum::<u64>(), 1198);
    assert_eq!(table.left_out.events, 1707 - 1198);
}

#[test]
fn the_mi300x_trace_is_busy_as_tracelens_says() {
    let Some(table) = public("public/tl_mi300_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz") else {
        return;
    };
    let time = timeline(phase(&table, Phase::Whole));
    near(time.busy_ns(), 29.743_927_734_375);
    near(time.compute_ns, 29.743_167_968_75);
    near(time.exposed_copy_ns, 0.000_759_765_625);
    near(time.idle_ns(), 3.387_405_761_718_75);
    near(time.wall_ns, 33.131_333_496_093_75);
}

#[test]
fn operators_have_the_kernel_time_that_tracelens_gives_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/profiles/public");
    let (Some(h100), Some(mi300)) = (
        public("public/tl_h100_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz"),
        public("public/tl_mi300_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz"),
    ) else {
        return;
    };
    let csv = fs::read_to_string(folder.join("tl_expected_compare_h100_mi300_ops_summary.csv")).unwrap();
    let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let mut compared = 0;
    for line in csv.lines().skip(1) {
        // Only the category, `['elementwise']`, could hold a comma, and none does.
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), head.len(), "{line}");
        for (table, arm) in [(&h100, "h100"), (&mi300, "mi300")] {
            let cell = |what: &str| cells[head.iter().position(|name| *name == format!("{arm}::{what}")).unwrap()];
            let Ok(expected) = cell("total_direct_kernel_time_ms").parse::<f64>() else {
                continue;
            };
            let (_, device_ns, _) = sums(phase(table, Phase::Whole), cells[0]);
            near(device_ns, expected);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared} figures");
}

#[test]
fn kernels_of_a_graph_have_no_operator_and_that_is_told() {
    let Some(table) = public("public/tl_inference_vllm_decode_full_graph_execution.json.gz") else {
        return;
    };
    assert_eq!(table.mode.graphs, Graphs::Nodes);
    let decode = phase(&table, Phase::Decode);
    assert_eq!(decode.batch.as_deref(), Some("32 requests"));
    assert_eq!(decode.kernels.iter().map(|row| row.launches).sum::<u64>(), 434);
    let known: u64 = decode
        .kernels
        .iter()
        .filter(|row| row.op.is_some())
        .map(|row| row.launches)
        .sum();
    assert_eq!(known, 13, "13 of 434 carry an `External id`");
    assert!(table.attributed_ratio().unwrap() < 0.05);
}

#[test]
fn the_synthetic_traces_are_as_their_truth_says() {
    for (name, kernels, busy_ns, idle_ns) in [
        ("gpu_good.json.gz", 384, 14_423_427, 361_400),
        ("gpu_good2.json.gz", 384, 14_397_417, 361_400),
        ("gpu_bad.json.gz", 528, 18_027_786, 4_876_600),
    ] {
        let table = own(name);
        assert_eq!((table.cut, table.clock), (Cut::Passes, Clock::Device), "{name}");
        let decode = phase(&table, Phase::Decode);
        assert_eq!(decode.steps, 12, "{name}");
        assert_eq!(
            decode.kernels.iter().map(|row| row.launches).sum::<u64>(),
            kernels,
            "{name}"
        );
        let time = timeline(decode);
        assert_eq!((time.busy_ns(), time.idle_ns()), (busy_ns, idle_ns), "{name}");
        assert_eq!(time.wall_ns, busy_ns + idle_ns, "{name}");
        assert_eq!(table.attributed_ratio(), Some(1.0), "{name}");
    }
}

#[test]
fn the_gap_that_was_planted_is_the_hosts() {
    let bad = own("gpu_bad.json.gz");
    let time = timeline(phase(&bad, Phase::Decode));
    let late = time.idle[&IdleCause::HostWait];
    assert_eq!(
        late.time_ns, 4_463_800,
        "4.464 ms by the query on the same run's Nsight Systems file"
    );
    assert!(
        time.between_steps_ns > 4_400_000,
        "11 gaps of 0.4 ms lie between the steps"
    );
}

#[test]
fn our_own_model_is_counted_to_the_byte() {
    for (name, ops, allocated, moved, peak) in [
        ("good.json.gz", 2302, 112_227_904, 76_837_120, 24_125_440),
        ("goodB.json.gz", 2302, 112_227_904, 76_837_120, 24_125_440),
        ("unfused.json.gz", 2826, 264_952_336, 177_631_728, 31_531_008),
        ("copy.json.gz", 3022, 239_040_064, 330_461_440, 19_931_136),
    ] {
        let table = own(name);
        assert_eq!((table.cut, table.clock), (Cut::ProfilerSteps, Clock::Host), "{name}");
        let calls: u64 = table
            .phases
            .iter()
            .flat_map(|phase| &phase.ops)
            .map(|row| row.calls)
            .sum();
        assert_eq!(calls, 3 * ops, "{name}");
        let bytes: u64 = table
            .phases
            .iter()
            .filter_map(|phase| phase.memory)
            .map(|memory| memory.allocated_bytes)
            .sum();
        assert_eq!(bytes, 3 * allocated, "{name}");
        let copied: u64 = table.phases.iter().map(|phase| sums(phase, "aten::copy_").2).sum();
        assert_eq!(copied, 3 * moved, "{name}");
        assert_eq!(table.peak_bytes, Some(peak), "{name}");
        for phase in &table.phases {
            let first = phase.prints[0];
            assert!(
                phase.prints.iter().all(|print| *print == first),
                "{name}: all steps are alike"
            );
            assert_eq!(phase.prints.len(), 3, "{name}");
        }
    }
}

#[test]
fn the_needless_copies_are_in_the_attention_of_decode() {
    let copies = |name: &str| -> u64 {
        let table = own(name);
        let rows = phase(&table, Phase::Decode).ops.iter();
        rows.filter(|row| row.name == "aten::copy_" && row.region == "layer/attn")
            .map(|row| row.calls)
            .sum()
    };
    assert_eq!((copies("good.json.gz"), copies("copy.json.gz")), (3 * 32, 3 * 128));
}

#[test]
fn the_time_of_a_host_is_covered_or_not_and_closes() {
    let table = own("good.json.gz");
    for phase in &table.phases {
        let time = timeline(phase);
        assert_eq!(time.wall_ns, time.busy_ns() + time.idle_ns());
        let own: u64 = phase.ops.iter().map(|row| row.self_ns).sum();
        assert_eq!(own, time.compute_ns, "one thread: self times add up to what is covered");
        assert_eq!(time.compute_by_family.values().sum::<u64>(), time.compute_ns);
    }
    let wall: u64 = table.phases.iter().map(|phase| timeline(phase).wall_ns).sum();
    near(wall / 3, 99.408_083);
}

#[test]
fn what_was_not_recorded_is_not_there() {
    let table = own("good_plain.json.gz");
    assert_eq!((table.mode.shapes, table.mode.memory), (Some(false), Some(false)));
    assert_eq!(table.peak_bytes, None);
    assert!(table.phases.iter().all(|phase| phase.memory.is_none()));
    assert!(
        table
            .phases
            .iter()
            .flat_map(|phase| &phase.ops)
            .all(|row| row.inputs.is_none())
    );
    assert_eq!(own("good_stack.json.gz").mode.stacks, Some(true));
}

#[test]
fn passes_of_vllm_last_until_the_next_and_are_told_apart_by_batch() {
    let table = own("vllm_cpu_rank0.pt.trace.json.gz");
    assert_eq!(table.cut, Cut::Passes);
    let two = table
        .phases
        .iter()
        .find(|phase| phase.batch.as_deref() == Some("2 requests"))
        .unwrap();
    assert_eq!((two.phase, two.steps), (Phase::Decode, 28));
    assert_eq!(
        two.ops.iter().map(|row| row.calls).sum::<u64>(),
        28 * (782 + 24),
        "with the 24 of sampling"
    );
    assert!(two.prints.iter().all(|print| *print == two.prints[0]));
    assert_eq!(table.notes.len(), 1, "{:?}", table.notes);
    assert_eq!(table.left_out.events, 3, "those of the last pass, which had no request");
}

fn refused(name: &str, bytes: &[u8]) -> ProfileError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    profile::read(&path).unwrap_err()
}

#[test]
fn a_packed_trace_that_is_cut_off_is_told() {
    let whole = fs::read("tests/data/profiles/gpu_good.json.gz").unwrap();
    for end in [whole.len() - 1, whole.len() / 2, 20] {
        assert!(
            matches!(refused("t.json.gz", &whole[..end]), ProfileError::CutOff { .. }),
            "{end}"
        );
    }
    let mut changed = whole.clone();
    let at = whole.len() - 6;
    changed[at] ^= 1;
    assert!(matches!(refused("t.json.gz", &changed), ProfileError::Malformed { .. }));
}

#[test]
fn a_plain_trace_that_is_cut_off_is_told_wherever_it_ends() {
    let text = r#"{"schemaVersion": 1, "traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 5.0, "dur": 1, "args": {}}]}"#;
    for end in 1..text.len() {
        assert!(
            matches!(refused("t.json", &text.as_bytes()[..end]), ProfileError::CutOff { .. }),
            "{end}"
        );
    }
}

#[test]
fn a_trace_in_which_nothing_ran_is_no_zero() {
    let text = r#"{"schemaVersion": 1, "deviceProperties": [], "traceEvents": [{"ph": "M", "name": "process_name", "ts": 1.0}]}"#;
    assert!(matches!(refused("t.json", text.as_bytes()), ProfileError::Empty { .. }));
    let outside = r#"{"schemaVersion": 1, "traceEvents": [
        {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#1", "pid": 1, "tid": 1, "ts": 100, "dur": 10},
        {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 5, "dur": 1}]}"#;
    let error = refused("t.json", outside.as_bytes()).to_string();
    assert!(error.contains("outside of its steps"), "{error}");
}

#[test]
fn foreign_json_is_no_profile() {
    for text in [
        "[]",
        "{}",
        "null",
        r#"{"traceEvents": []}"#,
        r#"{"traceEvents": [{"ph": "X", "name": "js", "ts": 1, "dur": 1}]}"#,
        r#"{"results": {"mean": 1}}"#,
        "not json",
    ] {
        assert!(
            matches!(refused("t.json", text.as_bytes()), ProfileError::Unknown { .. }),
            "{text}"
        );
    }
}

#[test]
fn an_event_that_is_wrong_is_told_with_its_place() {
    let text = r#"{"schemaVersion": 1, "traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": "soon", "dur": 1}]}"#;
    let error = refused("t.json", text.as_bytes()).to_string();
    assert!(
        error.contains("the event at byte 37") && error.contains("`ts` is no number"),
        "{error}"
    );
}

#[test]
fn ranges_that_overlap_at_their_edges_are_no_trouble() {
    let table = parse_table(
        r#"{"schemaVersion": 1, "traceEvents": [
        {"ph": "X", "cat": "cpu_op", "name": "a", "pid": 1, "tid": 1, "ts": 0, "dur": 10},
        {"ph": "X", "cat": "user_annotation", "name": "late", "pid": 1, "tid": 1, "ts": 9, "dur": 20},
        {"ph": "X", "cat": "cpu_op", "name": "b", "pid": 1, "tid": 1, "ts": 12, "dur": 4}]}"#,
    );
    let row = |name: &str| {
        phase(&table, Phase::Whole)
            .ops
            .iter()
            .find(|row| row.name == name)
            .unwrap()
            .clone()
    };
    assert_eq!((row("a").self_ns, row("b").self_ns), (10_000, 4000));
    assert_eq!(row("b").region, "late");
}

#[test]
fn work_launched_before_the_trace_began_is_left_out() {
    let table = parse_table(
        r#"{"schemaVersion": 1, "traceEvents": [
        {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#1", "pid": 1, "tid": 1, "ts": 100, "dur": 50},
        {"ph": "X", "cat": "kernel", "name": "early", "pid": 0, "tid": 7, "ts": 101, "dur": 5, "args": {"correlation": 1}},
        {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1, "ts": 105, "dur": 1, "args": {"correlation": 2}},
        {"ph": "X", "cat": "kernel", "name": "own", "pid": 0, "tid": 7, "ts": 160, "dur": 5, "args": {"correlation": 2}}]}"#,
    );
    let names: Vec<String> = phase(&table, Phase::Whole)
        .kernels
        .iter()
        .map(|row| row.name.clone())
        .collect();
    assert_eq!(names, ["own"], "by the time of its launch");
    assert_eq!((table.left_out.events, table.left_out.time_ns), (1, 5000));
}

#[test]
fn a_stage_of_sglang_is_told_by_the_files_name() {
    assert_eq!(stage_of("1760-TP-0-DECODE.trace.json.gz"), Some(Phase::Decode));
    assert_eq!(stage_of("1760-TP-0-EXTEND.trace.json.gz"), Some(Phase::Prefill));
    assert_eq!(stage_of("1760-TP-0.trace.json.gz"), None);
}

fn parse_table(text: &str) -> OpTable {
    read(Path::new("t.json"), text.as_bytes()).unwrap()
}

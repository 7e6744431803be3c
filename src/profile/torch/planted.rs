//! Differences that were planted into our own traces, found again.

use std::path::Path;

use crate::{
    op_table::{
        IdleCause, OpTable, Phase,
        diff::{Change, Changed, Diff, PhaseDiff, TimeDiff, TimeRow, Told, diff},
    },
    profile,
};

fn own(name: &str) -> OpTable {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/profiles")
        .join(name);
    profile::read(&path).unwrap()
}

fn of(good: &str, bad: &str) -> Diff {
    diff(&[own(good)], &[own(bad)]).unwrap()
}

fn phase(diff: &Diff, phase: Phase) -> &PhaseDiff {
    diff.phases.iter().find(|one| one.phase == phase).unwrap()
}

fn change<'a>(phase: &'a PhaseDiff, name: &str) -> &'a Change {
    phase
        .structure
        .changes
        .iter()
        .find(|change| change.row.name == name)
        .unwrap()
}

fn row<'a>(time: &'a TimeDiff, name: &str) -> &'a TimeRow {
    time.rows.iter().find(|row| row.row.name == name).unwrap()
}

fn near(found: f64, expected: f64, by: f64) {
    assert!((found - expected).abs() <= by, "{found}, expected {expected}");
}

#[test]
fn the_same_code_twice_has_no_structural_change() {
    let found = of("good.json.gz", "goodB.json.gz");
    assert!(found.is_same_structure(), "{:?}", found.phases);
    assert!(found.phases.iter().all(|phase| phase.structure.unsteady == 0));
    assert_eq!(found.peak_bytes, Some([24_125_440; 2]));
    assert!(of("gpu_good.json.gz", "gpu_good2.json.gz").is_same_structure());
}

#[test]
fn needless_copies_are_named_with_their_calls_time_and_bytes() {
    let found = of("good.json.gz", "copy.json.gz");
    let decode = phase(&found, Phase::Decode);
    let copies = change(decode, "aten::copy_");
    assert_eq!(
        (copies.row.region.as_str(), copies.calls),
        ("layer/attn", [32.0, 128.0])
    );
    assert_eq!(copies.changed, Changed::Calls);
    let time = decode.time.as_ref().unwrap();
    let copies = row(time, "aten::copy_");
    near(copies.values.means()[0], 0.13, 0.01);
    near(copies.values.change(), 19.50, 0.01);
    assert_eq!(
        time.foremost().first().map(|row| row.row.name.as_str()),
        Some("aten::copy_")
    );
    near(time.share_of_change(copies.values.change()).unwrap(), 0.91, 0.02);
    let prefill = phase(&found, Phase::Prefill);
    let copies = change(prefill, "aten::copy_");
    assert_eq!((&copies.changed, copies.calls), (&Changed::Calls, [8.0, 32.0]));
    near(
        row(prefill.time.as_ref().unwrap(), "aten::copy_").values.change(),
        4.06,
        0.01,
    );
    let allocated: f64 = found
        .phases
        .iter()
        .filter_map(|phase| phase.allocated_bytes)
        .map(|[_, bad]| bad)
        .sum();
    near(allocated, 239_040_064.0, 0.5);
    assert_eq!(
        found.peak_bytes,
        Some([24_125_440, 19_931_136]),
        "the peak alone would look better"
    );
}

#[test]
fn attention_that_is_no_longer_fused_is_named_by_what_took_its_place() {
    let found = of("good.json.gz", "unfused.json.gz");
    let prefill = phase(&found, Phase::Prefill);
    assert_eq!(
        change(prefill, "aten::_scaled_dot_product_flash_attention_for_cpu").changed,
        Changed::Gone
    );
    for name in ["aten::bmm", "aten::_softmax", "aten::masked_fill_"] {
        assert_eq!(change(prefill, name).changed, Changed::New, "{name}");
    }
    assert_eq!(found.peak_bytes, Some([24_125_440, 31_531_008]));
}

#[test]
fn the_gpu_traces_differ_as_their_truth_says() {
    let found = of("gpu_good.json.gz", "gpu_bad.json.gz");
    let decode = phase(&found, Phase::Decode);
    let launches = |name: &str| {
        let changes = decode.structure.changes.iter().filter(|change| change.row.name == name);
        changes.fold([0.0, 0.0], |all, own| [all[0] + own.calls[0], all[1] + own.calls[1]])
    };
    for (name, expected) in [("softmax_warp_forward", 4.0), ("elementwise_copy_kernel", 8.0)] {
        let [good, bad] = launches(name);
        near(good, 0.0, 0.0);
        near(bad, expected, 1e-9);
    }
    let time = decode.time.as_ref().unwrap();
    let flash = row(time, "vllm::unified_attention").values.means();
    near(flash[1] / flash[0], 1.35, 0.01);
    assert!(
        !row(time, "vllm::unified_attention").is_changed,
        "slower, and called as often as before"
    );
    let late = time.foremost_idle();
    assert_eq!(late.len(), 1, "the host gap explains most");
    near(late[0].values.change(), 4.4638 / 12.0, 1e-6);
    let parts =
        time.changed_rows_ms() + time.same_rows_ms() + time.unsteady_rows_ms() + time.idle_ms() + time.overlap_ms();
    near(parts, time.change_ms(), 1e-9);
    near(time.change_ms(), (22_904_386.0 - 14_784_827.0) / 12e6, 1e-9);
}

/// Six decodes of one kernel, with a gap between two of them.
fn with_gaps(gap_us: u64, extra_us: u64, is_host: bool) -> OpTable {
    let mut events = Vec::new();
    let mut at = 1000;
    for step in 0..6 {
        events.push(format!(
            r#"{{"ph":"X","cat":"user_annotation","name":"decode_step_{step}","pid":1,"tid":1,"ts":{at},"dur":300}},
            {{"ph":"X","cat":"cpu_op","name":"aten::mm","pid":1,"tid":1,"ts":{},"dur":{},"args":{{"External id":{step}}}}}"#,
            at + 10,
            if is_host { 280 } else { 4 }
        ));
        if !is_host {
            events.push(format!(
                r#"{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1,"ts":{},"dur":2,
                "args":{{"External id":{step},"correlation":{step}}}}},
                {{"ph":"X","cat":"kernel","name":"gemm","pid":0,"tid":7,"ts":{},"dur":250,
                "args":{{"External id":{step},"correlation":{step},"device":0,"stream":7}}}}"#,
                at + 11,
                at + 20
            ));
        }
        at += 300 + gap_us + extra_us * step;
    }
    let text = format!(r#"{{"schemaVersion":1,"traceEvents":[{}]}}"#, events.join(","));
    super::read(Path::new("decode.json"), text.as_bytes()).unwrap()
}

#[test]
fn a_gap_that_grew_beyond_fifty_milliseconds_is_slower_and_never_faster() {
    for is_host in [false, true] {
        let side = |gap_us| [with_gaps(gap_us, 0, is_host), with_gaps(gap_us, 40, is_host)];
        let found = diff(&side(20_000), &side(60_000)).unwrap();
        let time = found.phases[0].time.as_ref().unwrap();
        assert_eq!(
            time.wall_told,
            Told::Waiting,
            "shorter without the gaps, longer with them"
        );
        assert!(time.does_close());
        near(time.change_ms(), 40.0 * 5.0 / 6.0, 1e-6);
        let faster = time.idle.iter().filter(|idle| matches!(idle.told, Told::Faster(..)));
        assert_eq!(faster.count(), 0, "{:?}", time.idle);
        let [foremost] = time.foremost_idle()[..] else {
            panic!("{:?}", time.idle)
        };
        assert_eq!(foremost.cause, IdleCause::Waiting);
        assert!(matches!(foremost.told, Told::Slower(..)), "{:?}", foremost.told);
        let late = time
            .idle
            .iter()
            .find(|idle| idle.cause != IdleCause::Waiting && idle.values.change() < -10.0);
        assert_eq!(late.unwrap().told, Told::Waiting, "that it is less is no news");
        // A server that waits less for requests is no faster one.
        let busier = diff(&side(80_000), &side(60_000)).unwrap();
        assert_eq!(busier.phases[0].time.as_ref().unwrap().wall_told, Told::Waiting);
        assert!(found.cautions.iter().any(|caution| caution.contains("over 50 ms")));
        // As long on both sides as they are, they are no news.
        let same = diff(
            &side(60_000),
            &[with_gaps(60_000, 20, is_host), with_gaps(60_000, 30, is_host)],
        )
        .unwrap();
        assert_eq!(same.phases[0].time.as_ref().unwrap().wall_told, Told::Nothing);
    }
}

#[test]
fn traces_with_and_without_shapes_are_incomparable() {
    let error = diff(&[own("good.json.gz")], &[own("good_plain.json.gz")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("`good_plain.json.gz` without"), "{error}");
}

#[test]
fn two_devices_differ_as_tracelens_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/profiles/public");
    let names = ["h100", "mi300"].map(|arm| folder.join(format!("tl_{arm}_Qwen_Qwen1.5-0.5B-Chat__1016005.json.gz")));
    if names.iter().any(|name| !name.exists()) {
        println!("skipped: no `{}`", folder.display());
        return;
    }
    let [good, bad] = names.map(|name| profile::read(&name).unwrap());
    let found = diff(&[good], &[bad]).unwrap();
    let time = found.phases[0].time.as_ref().unwrap();
    for (name, change_ms) in [
        ("aten::mul", -2.211_611_328_125),
        ("aten::mm", 1.994_933_593_75),
        ("aten::copy_", -1.911_240_478_515_625_2),
        ("aten::_flash_attention_forward", 1.186_093_994_140_625),
    ] {
        near(row(time, name).values.change(), change_ms, 2e-5);
    }
    near(time.change_ms(), -1.761_085_449_218_747, 2e-5);
    near(time.idle_ms(), 0.400_469_970_703_125, 2e-5);
    assert!(
        found
            .cautions
            .iter()
            .any(|caution| caution.contains("different devices"))
    );
}

#[test]
fn of_several_devices_a_step_is_that_of_the_one_that_worked_longest() {
    let event = |cat: &str, name: &str, (ts, dur): (u64, u64), args: &str| {
        format!(r#"{{"ph":"X","cat":"{cat}","name":"{name}","pid":1,"tid":1,"ts":{ts},"dur":{dur},"args":{{{args}}}}}"#)
    };
    let mut events = Vec::new();
    for (device, length) in [(0_u64, 100_u64), (1, 130)] {
        let args = format!(r#""External id":{device},"correlation":{device},"device":{device}"#);
        let at = 10 + 2 * device;
        events.push(event("cpu_op", "aten::mm", (at, 2), &args));
        events.push(event("cuda_runtime", "cudaLaunchKernel", (at, 1), &args));
        events.push(event("kernel", "gemm", (20 + 120 * device, length), &args));
    }
    let text = format!(r#"{{"schemaVersion":1,"traceEvents":[{}]}}"#, events.join(","));
    let table = super::read(Path::new("two.json"), text.as_bytes()).unwrap();
    let whole = &table.phases[0];
    let time = whole.time.as_ref().unwrap();
    assert_eq!((time.busy_ns(), time.wall_ns), (130_000, 130_000), "the second one's");
    let kernels: Vec<(u64, u64)> = whole.kernels.iter().map(|row| (row.launches, row.time_ns)).collect();
    assert_eq!(kernels, [(2, 130_000)]);
    let op = &whole.ops[0];
    assert_eq!((op.calls, op.device_ns), (2, 130_000));
    assert!(
        table.notes[0].starts_with("2 devices: times are of the one"),
        "{:?}",
        table.notes
    );
}

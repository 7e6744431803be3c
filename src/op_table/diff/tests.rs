mod exact;

use std::collections::BTreeMap;

use super::*;
use crate::op_table::{Family, Gaps, Graphs, IdleCause, Inputs, KernelRow, Memory, OpRow, Timeline};

fn op(name: &str, calls: u64, device_ns: u64) -> OpRow {
    OpRow {
        region: "attn".into(),
        name: name.into(),
        inputs: None,
        calls,
        self_ns: device_ns,
        device_ns,
        moved_bytes: None,
        allocated_bytes: None,
    }
}

fn kernel(name: &str, op: Option<&str>, launches: u64, time_ns: u64) -> KernelRow {
    KernelRow {
        region: "attn".into(),
        op: op.map(str::to_owned),
        launches,
        time_ns,
        ..KernelRow::new(name)
    }
}

/// One phase of four steps whose wall time is that of its kernels and of a gap.
fn table(ops: Vec<OpRow>, kernels: Vec<KernelRow>, idle_ns: u64) -> OpTable {
    let busy_ns = kernels.iter().map(|kernel| kernel.time_ns).sum();
    let mut phase = PhaseTable::new(Phase::Decode);
    phase.steps = 4;
    phase.passes = 4;
    phase.prints = vec![7; 4];
    phase.time = Some(Timeline {
        wall_ns: busy_ns + idle_ns,
        compute_ns: busy_ns,
        compute_by_family: BTreeMap::from([(Family::Gemm, busy_ns)]),
        idle: BTreeMap::from([(
            IdleCause::HostWait,
            Gaps {
                count: 4,
                time_ns: idle_ns,
            },
        )]),
        ..Timeline::default()
    });
    (phase.ops, phase.kernels) = (ops, kernels);
    let mut table = OpTable::new("t", Source::TorchTrace, Clock::Device);
    table.phases.push(phase);
    table.mode.shapes = Some(true);
    table.cut = Cut::Passes;
    table
}

/// 40 copies and 40 products in four steps; times vary by `extra_ns`.
fn usual(extra_ns: u64) -> OpTable {
    let ops = vec![op("aten::copy_", 40, 0), op("aten::mm", 40, 0)];
    let kernels = vec![
        kernel("copy_kernel", Some("aten::copy_"), 40, 4_000_000 + extra_ns),
        kernel("gemm", Some("aten::mm"), 40, 40_000_000 + 2 * extra_ns),
    ];
    table(ops, kernels, 1_000_000 + extra_ns)
}

/// The same with 80 copies, which take 8 ms longer.
fn copying(extra_ns: u64) -> OpTable {
    let mut table = usual(extra_ns);
    let phase = &mut table.phases[0];
    phase.ops[0].calls = 80;
    phase.kernels[0].launches = 80;
    phase.kernels[0].time_ns += 8_000_000;
    let time = phase.time.as_mut().unwrap();
    time.wall_ns += 8_000_000;
    time.compute(Family::Copy, 8_000_000);
    table
}

fn only(diff: &Diff) -> (&Structure, &TimeDiff) {
    (&diff.phases[0].structure, diff.phases[0].time.as_ref().unwrap())
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
}

#[test]
fn the_same_twice_differs_in_nothing() {
    let found = diff(&[usual(0)], &[usual(0)]).unwrap();
    assert!(found.is_same_structure());
    let (structure, time) = only(&found);
    assert_eq!(
        (structure.changes.len(), structure.is_reordered, structure.unsteady),
        (0, false, 0)
    );
    near(time.change_ms(), 0.0);
    assert_eq!(time.share_of_change(1.0), None, "there is nothing to explain");
    assert_eq!(time.wall_told, Told::OneCapture);
}

#[test]
fn more_calls_are_told_by_one_capture_a_side_and_their_time_is_not() {
    let found = diff(&[usual(0)], &[copying(0)]).unwrap();
    let (structure, time) = only(&found);
    let names: Vec<(&str, Counted)> = structure
        .changes
        .iter()
        .map(|change| (change.row.name.as_str(), change.counted))
        .collect();
    assert_eq!(
        names,
        [("aten::copy_", Counted::Operator), ("copy_kernel", Counted::Kernel)]
    );
    let first = &structure.changes[0];
    assert_eq!((&first.changed, first.calls), (&Changed::Calls, [10.0, 20.0]));
    near(time.change_ms(), 2.0);
    let [foremost] = time.foremost()[..] else {
        panic!("one row explains it")
    };
    assert_eq!(
        (foremost.row.name.as_str(), foremost.told),
        ("aten::copy_", Told::OneCapture)
    );
    near(time.share_of_change(foremost.values.change()).unwrap(), 1.0);
}

#[test]
fn times_are_told_where_captures_of_one_side_agree() {
    let good = [usual(0), usual(20_000), usual(10_000)];
    let bad = [copying(5_000), copying(25_000), copying(15_000)];
    let found = diff(&good, &bad).unwrap();
    let (_, time) = only(&found);
    let told = |name: &str| time.rows.iter().find(|row| row.row.name == name).unwrap().told;
    let Told::Slower(low, high) = told("aten::copy_") else {
        panic!("{:?}", told("aten::copy_"))
    };
    assert!(low < 2.001 && 2.001 < high && low > 1.9, "{low} … {high}");
    assert_eq!(told("aten::mm"), Told::Nothing);
    assert!(matches!(time.wall_told, Told::Slower(..)));
    near(time.band_ms.unwrap(), 0.01);
    let back = diff(&bad, &good).unwrap();
    let is_faster = |row: &&TimeRow| matches!(row.told, Told::Faster(..));
    assert_eq!(only(&back).1.rows.iter().filter(is_faster).count(), 1);
}

#[test]
fn one_side_against_itself_is_told_nothing() {
    let found = diff(&[usual(0), usual(30_000)], &[usual(10_000), usual(20_000)]).unwrap();
    let (structure, time) = only(&found);
    assert!(structure.changes.is_empty());
    assert!(time.rows.iter().all(|row| row.told == Told::Nothing));
    assert_eq!(time.wall_told, Told::Nothing);
}

#[test]
fn the_sums_close() {
    let mut bad = copying(7_000);
    let phase = &mut bad.phases[0];
    // Two streams: 3 ms of the kernels ran at the same time.
    let time = phase.time.as_mut().unwrap();
    time.wall_ns -= 3_000_000;
    time.compute_ns -= 3_000_000;
    *time.compute_by_family.get_mut(&Family::Gemm).unwrap() -= 3_000_000;
    let found = diff(&[usual(0)], &[bad]).unwrap();
    let (_, time) = only(&found);
    near(time.overlap_ms(), -0.75);
    let parts =
        time.changed_rows_ms() + time.same_rows_ms() + time.unsteady_rows_ms() + time.idle_ms() + time.overlap_ms();
    near(parts, time.change_ms());
    let busy: f64 = time.busy.iter().map(|busy| busy.values.change()).sum();
    near(busy + time.idle_ms(), time.change_ms());
}

#[test]
fn counts_are_held_against_steps() {
    let mut longer = usual(0);
    let phase = &mut longer.phases[0];
    (phase.steps, phase.passes) = (8, 8);
    phase.ops.iter_mut().for_each(|op| op.calls *= 2);
    phase.kernels.iter_mut().for_each(|kernel| kernel.launches *= 2);
    assert!(diff(&[usual(0)], &[longer]).unwrap().is_same_structure());
}

#[test]
fn what_one_side_does_differently_itself_tells_nothing() {
    let mut other = usual(10);
    other.phases[0].ops[0].calls = 44;
    let found = diff(&[usual(0), other.clone()], &[other]).unwrap();
    let (structure, time) = only(&found);
    assert_eq!((structure.changes.len(), structure.unsteady), (0, 1));
    // What its time did is no work that is the same as before.
    let unsteady = time
        .rows
        .iter()
        .filter(|row| (row.calls[0] - row.calls[1]).abs() > 1e-9);
    near(time.unsteady_rows_ms(), unsteady.map(|row| row.values.change()).sum());
    let rows: f64 = time.rows.iter().map(|row| row.values.change()).sum();
    near(time.unsteady_rows_ms() + time.same_rows_ms(), rows);
}

#[test]
fn new_gone_and_other_inputs_are_told_apart() {
    let inputs = |dims: &str| {
        Some(Inputs {
            dims: dims.into(),
            types: "[\"float\"]".into(),
        })
    };
    let mut good = usual(0);
    let mut bad = usual(0);
    good.phases[0].ops.push(op("aten::relu", 4, 0));
    bad.phases[0].ops.push(op("aten::gelu", 4, 0));
    good.phases[0].ops[1].inputs = inputs("[[4,8]]");
    bad.phases[0].ops[1].inputs = inputs("[[4,16]]");
    let found = diff(&[good], &[bad]).unwrap();
    let of = |name: &str| {
        let changes = &found.phases[0].structure.changes;
        changes
            .iter()
            .find(|change| change.row.name == name)
            .unwrap()
            .changed
            .clone()
    };
    assert_eq!((of("aten::relu"), of("aten::gelu")), (Changed::Gone, Changed::New));
    let wanted = [inputs("[[4,8]]"), inputs("[[4,16]]")];
    assert_eq!(of("aten::mm"), Changed::Inputs(Box::new(wanted)));
}

#[test]
fn another_order_of_the_same_is_a_change() {
    let mut bad = usual(0);
    bad.phases[0].prints = vec![8; 4];
    let found = diff(&[usual(0)], &[bad]).unwrap();
    assert!(found.phases[0].structure.is_reordered);
    assert!(!found.is_same_structure());
}

#[test]
fn kernels_without_operators_stand_for_themselves_and_families_where_names_differ() {
    let graph = |name: &str, time_ns| table(Vec::new(), vec![kernel(name, None, 8, time_ns)], 0);
    let kernels = diff(&[graph("gemm_a", 8000)], &[graph("gemm_a", 9000)]).unwrap();
    assert_eq!((kernels.level, kernels.attributed_ratio), (Level::Kernel, Some(0.0)));
    let families = diff(&[graph("sm90_gemm_a", 8000)], &[graph("Cijk_b", 9000)]).unwrap();
    assert_eq!(families.level, Level::Family);
    assert!(families.is_same_structure(), "as many products as before");
    assert_eq!(only(&families).1.rows[0].row.name, "gemm");
}

fn why_not(change: impl Fn(&mut OpTable)) -> String {
    let mut bad = usual(0);
    change(&mut bad);
    diff(&[usual(0)], &[bad]).unwrap_err().to_string()
}

#[test]
fn captures_of_different_modes_are_incomparable_with_the_sentence_why() {
    assert!(why_not(|bad| bad.mode.shapes = Some(false)).contains("`record_shapes`"));
    assert!(why_not(|bad| bad.mode.graphs = Graphs::Whole).contains("`--cuda-graph-trace=node`"));
    assert!(why_not(|bad| bad.clock = Clock::Host).contains("record CPU and GPU"));
    assert!(why_not(|bad| bad.source = Source::NsysSqlite).contains("one profiler"));
    assert!(why_not(|bad| bad.cut = Cut::WholeFile).contains("no steps at all"));
    let batch = why_not(|bad| bad.phases[0].batch = Some("2 requests".into()));
    assert!(batch.contains("good has decode, bad decode (2 requests)"), "{batch}");
    assert_eq!(
        diff(&[], &[usual(0)]).unwrap_err().to_string(),
        "each side needs a capture"
    );
}

#[test]
fn one_capture_given_twice_is_no_spread() {
    let error = diff(&[usual(0), usual(0)], &[copying(0)]).unwrap_err().to_string();
    assert!(error.contains("the same capture"), "{error}");
}

#[test]
fn stacks_on_one_side_forbid_times_and_not_structure() {
    let mut bad = copying(0);
    bad.mode.stacks = Some(true);
    let found = diff(&[usual(0)], &[bad]).unwrap();
    assert_eq!(found.phases[0].time, None);
    assert!(!found.is_same_structure());
    assert!(
        found
            .cautions
            .iter()
            .any(|caution| caution.contains("times are not compared"))
    );
}

#[test]
fn a_phase_of_one_side_is_named_and_left_out() {
    let mut bad = usual(0);
    let mut other = PhaseTable::new(Phase::Prefill);
    other.steps = 3;
    other.kernels = vec![kernel("gemm", Some("aten::mm"), 3, 10)];
    bad.phases.push(other);
    let found = diff(&[usual(0)], &[bad]).unwrap();
    assert_eq!(
        found.alone,
        [Alone {
            phase: Phase::Prefill,
            batch: None,
            is_bad: true,
            steps: 3
        }]
    );
}

#[test]
fn bytes_are_compared_where_both_sides_recorded_them() {
    let with = |allocated_bytes, peak| {
        let mut table = usual(0);
        table.peak_bytes = Some(peak);
        table.phases[0].memory = Some(Memory {
            allocations: 4,
            allocated_bytes,
        });
        table
    };
    let found = diff(&[with(400, 90)], &[with(800, 80)]).unwrap();
    assert_eq!(found.phases[0].allocated_bytes, Some([100.0, 200.0]));
    assert_eq!(
        found.peak_bytes,
        Some([90, 80]),
        "less at the peak, and twice as much allocated"
    );
    assert_eq!(diff(&[with(400, 90)], &[usual(0)]).unwrap().peak_bytes, None);
}

#[test]
fn idle_time_that_grew_explains_what_no_operator_does() {
    let mut bad = usual(0);
    let time = bad.phases[0].time.as_mut().unwrap();
    time.wall_ns += 8_000_000;
    time.idle.get_mut(&IdleCause::HostWait).unwrap().time_ns += 8_000_000;
    let found = diff(&[usual(0)], &[bad]).unwrap();
    assert!(found.is_same_structure(), "no operator shows it");
    let (_, time) = only(&found);
    let [idle] = time.foremost_idle()[..] else {
        panic!("one cause")
    };
    near(time.share_of_change(idle.values.change()).unwrap(), 1.0);
    assert!(time.foremost().is_empty());
}

//! What is exact, and what only seems to be.

use super::*;

fn inputs(dims: &str) -> Inputs {
    Inputs {
        dims: dims.into(),
        types: "[\"float\"]".into(),
    }
}

/// `usual` with products of these inputs, so many of each in all steps.
fn products(kinds: &[(&str, u64)]) -> OpTable {
    let mut table = usual(0);
    let phase = &mut table.phases[0];
    phase.ops.truncate(1);
    for (dims, calls) in kinds {
        let row = op("aten::mm", *calls, 0);
        phase.ops.push(OpRow {
            inputs: Some(inputs(dims)),
            ..row
        });
    }
    table
}

fn changes(good: &[OpTable], bad: &[OpTable]) -> Vec<(String, Changed, bool)> {
    let found = diff(good, bad).unwrap();
    assert_eq!(found.is_same_structure(), found.phases[0].structure.is_same());
    let changes = found.phases[0].structure.changes.iter();
    changes
        .map(|change| (change.row.name.clone(), change.changed.clone(), change.is_steady))
        .collect()
}

#[test]
fn bytes_that_a_copy_moves_are_part_of_the_structure() {
    let copying = |bytes| {
        let mut table = usual(0);
        table.phases[0].kernels[0].bytes = Some(bytes);
        table
    };
    let expected = [("copy_kernel".to_owned(), Changed::Bytes, true)];
    assert_eq!(changes(&[copying(4_000)], &[copying(256_000)]), expected);
    assert_eq!(changes(&[copying(4_000)], &[copying(4_000)]), []);
    assert_eq!(changes(&[copying(4_000)], &[usual(0)]), [], "one side does not tell");
    let found = diff(&[copying(4_000)], &[copying(256_000)]).unwrap();
    let change = &found.phases[0].structure.changes[0];
    assert_eq!(change.moved_bytes, Some([1_000.0, 64_000.0]));
    assert!(found.has_exact_change());
}

#[test]
fn allocated_bytes_are_part_of_the_structure_inside_and_outside_of_operators() {
    let allocating = |by_op, all| {
        let mut table = usual(0);
        table.phases[0].memory = Some(Memory {
            allocations: 4,
            allocated_bytes: all,
        });
        table.phases[0].ops[1].allocated_bytes = Some(by_op);
        table
    };
    let usual = || [allocating(400, 600)];
    assert_eq!(changes(&usual(), &usual()), []);
    let by_op = changes(&usual(), &[allocating(800, 1_000)]);
    assert_eq!(by_op, [("aten::mm".to_owned(), Changed::Bytes, true)]);
    let outside = changes(&usual(), &[allocating(400, 1_000)]);
    assert_eq!(outside, [("(outside of operators)".to_owned(), Changed::Bytes, true)]);
}

#[test]
fn as_many_calls_with_more_of_some_inputs_and_fewer_of_others_are_a_change() {
    let (good, bad) = (
        products(&[("[8]", 12), ("[1]", 4)]),
        products(&[("[8]", 4), ("[1]", 12)]),
    );
    let wanted = Changed::Inputs(Box::new([Some(inputs("[8]")), Some(inputs("[1]"))]));
    let expected = [("aten::mm".to_owned(), wanted.clone(), true)];
    assert_eq!(
        changes(std::slice::from_ref(&good), std::slice::from_ref(&bad)),
        expected
    );
    // In one of four steps only: then some steps are as before, and others are not.
    let some = products(&[("[8]", 6), ("[1]", 10)]);
    assert_eq!(
        changes(std::slice::from_ref(&good), &[some]),
        [("aten::mm".to_owned(), wanted, false)]
    );
    // That the steps' hashes differ is no other order of the same then.
    let mut other = bad;
    other.phases[0].prints = vec![8; 4];
    assert!(!diff(&[good], &[other]).unwrap().phases[0].structure.is_reordered);
}

#[test]
fn as_many_launches_of_other_grids_are_a_change() {
    let launching = |launches: [u64; 2]| {
        let mut table = usual(0);
        let kernels = &mut table.phases[0].kernels;
        let product = kernels.pop().unwrap();
        for (grid, launches) in [[1, 1, 1], [132, 1, 1]].into_iter().zip(launches) {
            kernels.push(KernelRow {
                grid: Some(grid),
                launches,
                ..product.clone()
            });
        }
        table
    };
    let found = changes(&[launching([32, 8])], &[launching([8, 32])]);
    assert_eq!(found, [("gemm".to_owned(), Changed::LaunchShape, true)]);
}

#[test]
fn a_sequence_that_grows_is_no_change_and_another_one_is() {
    let growing = |steps: u64, start: u64| {
        let dims: Vec<String> = (start..start + steps).map(|length| format!("[1,{length}]")).collect();
        let kinds: Vec<(&str, u64)> = dims.iter().map(|dims| (dims.as_str(), 1)).collect();
        let mut table = products(&kinds);
        let phase = &mut table.phases[0];
        (phase.steps, phase.passes) = (steps, steps);
        phase.ops[0].calls = 10 * steps;
        phase.kernels.iter_mut().for_each(|kernel| kernel.launches = 10 * steps);
        table
    };
    assert_eq!(changes(&[growing(4, 7)], &[growing(4, 7)]), []);
    let longer = diff(&[growing(4, 7)], &[growing(5, 7)]).unwrap();
    assert!(longer.is_same_structure() && longer.unsteady_rows() == 1);
    let [(_, Changed::Inputs(_), true)] = &changes(&[growing(4, 7)], &[growing(4, 700)])[..] else {
        panic!("each step has inputs that the other side never has")
    };
}

#[test]
fn counts_of_sides_that_do_not_agree_with_themselves_are_not_exact() {
    let of = |calls, extra| {
        let mut table = usual(extra);
        table.phases[0].ops[1].calls = calls;
        table
    };
    let (good, bad) = ([of(40, 0), of(48, 9_000)], [of(52, 4_000), of(60, 7_000)]);
    assert_eq!(changes(&good, &bad), [("aten::mm".to_owned(), Changed::Calls, false)]);
    let found = diff(&good, &bad).unwrap();
    assert!(!found.has_exact_change());
    let (_, time) = only(&found);
    assert!(time.rows.iter().all(|row| !row.is_changed));
    assert!(time.foremost().is_empty(), "and no headline");
}

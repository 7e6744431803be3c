//! What is compared with what.

use super::*;
use crate::{
    measure::{measure, synthetic},
    metric::Percentile,
};

#[test]
fn runs_without_a_value_are_set_aside_with_their_reason() {
    let mut session = synthetic::session(&[1], &[synthetic::Figures::default(); 4]);
    session.cells[0].runs[2].requests.iter_mut().for_each(synthetic::fail);
    let measured = measure(&session);
    let side = Side::of(&measured.cells[0].series[&Metric::Ttft(Percentile::P95)]);
    assert_eq!((side.runs, side.values.len(), side.samples_fewest), (4, 3, 200));
    assert_eq!(side.missing, [(3, "no request completed, 200 failed".to_owned())]);
}

#[test]
fn runs_that_went_well_have_no_change_of_their_own() {
    let whole = measure(&synthetic::session(&[1], &[synthetic::Figures::default(); 4]));
    let mut session = synthetic::session(&[1], &[synthetic::Figures::default(); 4]);
    session.cells[0].runs[2].requests.iter_mut().for_each(synthetic::fail);
    let broken = measure(&session);
    for (old, new) in [(&whole, &broken), (&broken, &whole)] {
        let found = compare(old, new, &Background::default());
        let ttft = &found.cells[0].metrics[&Metric::Ttft(Percentile::P95)];
        assert_eq!((ttft.is_complete(), ttft.ratio, ttft.change), (false, None, None));
    }
}

#[test]
fn cells_of_one_side_are_named() {
    let runs = [synthetic::Figures::default(); 3];
    let (old, new) = (
        measure(&synthetic::session(&[1, 4], &runs)),
        measure(&synthetic::session(&[4, 16], &runs)),
    );
    let found = compare(&old, &new, &Background::default());
    assert_eq!(found.cells.len(), 1);
    assert_eq!(old.cells[0].load, Load::Concurrency(1));
    assert_eq!(found.only_baseline, [old.cells[0].name.clone()]);
    assert_eq!(found.only_candidate, [new.cells[1].name.clone()]);
}

#[test]
fn a_cell_that_one_side_left_out_is_told() {
    let runs = [synthetic::Figures::default(); 3];
    let whole = synthetic::session(&[1, 4], &runs);
    let mut saturated = whole.clone();
    saturated.cells[1].runs.clear();
    saturated.cells[1].skipped = Some("saturated at c=1".to_owned());
    let (whole, saturated) = (measure(&whole), measure(&saturated));
    let found = compare(&whole, &saturated, &Background::default());
    assert_eq!(found.cells.len(), 1);
    assert_eq!(
        (found.left_out[0].lacks, found.left_out[0].has),
        ("candidate", "baseline")
    );
    let turned = compare(&saturated, &whole, &Background::default());
    assert_eq!(
        (turned.left_out[0].lacks, turned.left_out[0].has),
        ("baseline", "candidate")
    );
    let neither = compare(&saturated, &saturated, &Background::default());
    assert_eq!(neither.left_out, Vec::new());
}

#[test]
fn longer_answers_are_different_work() {
    let longer = synthetic::Figures {
        output_tokens: 18,
        ..Default::default()
    };
    let old = measure(&synthetic::session(&[1], &[synthetic::Figures::default(); 3]));
    let new = measure(&synthetic::session(&[1], &[longer; 3]));
    assert!(compare(&old, &new, &Background::default()).cells[0].is_different_work());
    assert!(!compare(&old, &old, &Background::default()).cells[0].is_different_work());
}

#[test]
fn a_stage_is_compared_with_itself_only() {
    let (old, mut later) = (measure(&synthetic::staged()), synthetic::staged());
    for record in later.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
        record.stage = 1;
    }
    let found = compare(&old, &measure(&later), &Background::default());
    let ratios: Vec<Option<f64>> = found
        .cells
        .iter()
        .map(|cell| cell.metrics[&Metric::Ttft(Percentile::P50)].ratio)
        .collect();
    assert_eq!(ratios[0], None, "nothing is left of the first stage");
    assert!(
        ratios[1].is_some_and(|ratio| (ratio - 60.0 / 70.0).abs() < 1e-9),
        "{ratios:?}"
    );
    let same = compare(&old, &old, &Background::default());
    assert_eq!((same.cells.len(), same.only_baseline.len()), (2, 0));
}

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    stack::{HEIGHT, Stack, WIDTH, stack},
    *,
};
use crate::op_table::{
    Clock, Cut, Family, IdleCause, Source,
    diff::{Busy, Idle, Level, Origin, Row as Place, Structure, TimeRow, Told, Values},
};

fn values([good, bad]: [f64; 2]) -> Values {
    Values {
        good: vec![good],
        bad: vec![bad],
    }
}

/// A phase whose rows, busy and idle times add up to its step.
fn time(rows: &[(&str, Family, [f64; 2])], idle: &[(IdleCause, [f64; 2])]) -> TimeDiff {
    let sum =
        |all: &mut dyn Iterator<Item = [f64; 2]>| all.fold([0.0; 2], |sum, own| [sum[0] + own[0], sum[1] + own[1]]);
    let busy = sum(&mut rows.iter().map(|row| row.2));
    let still = sum(&mut idle.iter().map(|idle| idle.1));
    let mut by_family = BTreeMap::new();
    for (_, family, ms) in rows {
        let all: &mut [f64; 2] = by_family.entry(*family).or_default();
        *all = [all[0] + ms[0], all[1] + ms[1]];
    }
    TimeDiff {
        wall: Some(values([busy[0] + still[0], busy[1] + still[1]])),
        wall_told: Told::OneCapture,
        rows: rows
            .iter()
            .map(|(name, family, ms)| TimeRow {
                row: Place {
                    region: "layer/attn".into(),
                    name: (*name).into(),
                },
                family: *family,
                calls: [1.0, 2.0],
                values: values(*ms),
                is_changed: true,
                told: Told::OneCapture,
            })
            .collect(),
        idle: idle
            .iter()
            .map(|(cause, ms)| Idle {
                cause: *cause,
                gaps: [1.0, 1.0],
                values: values(*ms),
                told: Told::OneCapture,
            })
            .collect(),
        busy: by_family
            .into_iter()
            .map(|(family, ms)| Busy {
                family,
                values: values(ms),
            })
            .collect(),
        overlap: values([0.0; 2]),
        exposed_copy_ms: [0.0; 2],
        exposed_communication_ms: [0.0; 2],
        band_ms: None,
    }
}

fn diff_of(time: Option<TimeDiff>) -> Diff {
    Diff {
        origin: Origin::default(),
        names: [vec!["good.json.gz".into()], vec!["bad.json.gz".into()]],
        source: Source::TorchTrace,
        clock: Clock::Host,
        cut: Cut::Passes,
        engine: None,
        level: Level::Operator,
        attributed_ratio: None,
        phases: vec![PhaseDiff {
            phase: crate::op_table::Phase::Decode,
            batch: None,
            steps: [4, 4],
            passes: [1.0, 1.0],
            structure: Structure::default(),
            time,
            allocated_bytes: None,
        }],
        alone: Vec::new(),
        peak_bytes: None,
        cautions: Vec::new(),
    }
}

fn page(diff: Diff) -> String {
    profile_diff_html(&Ok(diff), false).unwrap().replace('\u{a0}', " ")
}

fn inside(chart: &Stack) -> Result<(), TestCaseError> {
    for bar in &chart.bars {
        for part in &bar.parts {
            let (x, width): (f64, f64) = (part.x.parse().unwrap(), part.width.parse().unwrap());
            prop_assert!(x >= 0.0 && width >= 0.0 && x + width <= WIDTH + 0.11, "{part:?}");
        }
        let (end, top): (f64, f64) = (bar.end.parse().unwrap(), bar.top.parse().unwrap());
        prop_assert!((0.0..=WIDTH).contains(&end) && (0.0..=HEIGHT).contains(&top));
    }
    let labels: Vec<_> = chart
        .bars
        .iter()
        .flat_map(|bar| &bar.labels)
        .map(|label| label.part().shrunk())
        .collect();
    for (place, label) in labels.iter().enumerate() {
        prop_assert!(
            label.left >= 0.0 && label.right <= WIDTH && label.top >= 0.0 && label.bottom <= HEIGHT,
            "{label:?}"
        );
        prop_assert!(!labels[..place].iter().any(|other| other.overlaps(*label)), "{label:?}");
    }
    Ok(())
}

#[test]
fn the_chart_says_what_most_of_the_change_is_and_its_table_adds_up() {
    let time = time(
        &[("mm", Family::Gemm, [6.0, 6.5]), ("copy_", Family::Copy, [0.5, 20.0])],
        &[(IdleCause::BetweenOps, [1.5, 1.5])],
    );
    let chart = stack(&time, ["good", "bad"]).unwrap();
    assert_eq!(
        chart.sentence.replace('\u{a0}', " "),
        "A step takes 8.00 → 28.00 ms (+20.00 ms, +250.0 %); most of it is copy (+19.50 ms). Nothing ran for 19 % → 5 % of it."
    );
    let parts: Vec<usize> = chart.bars.iter().map(|bar| bar.parts.len()).collect();
    assert_eq!((parts, chart.rows.len()), (vec![3, 3], 4));
    assert!(time.does_close());
}

#[test]
fn no_time_is_no_chart_with_its_reason_and_numbers_that_are_none_break_nothing() {
    let mut sums = time(&[("k", Family::Gemm, [1.0, 2.0])], &[]);
    sums.wall = None;
    assert!(page(diff_of(Some(sums))).contains("Not drawn: the files have sums only"));
    let nothing = time(&[], &[]);
    assert!(page(diff_of(Some(nothing))).contains("Not drawn: there is no time in it"));
    assert!(page(diff_of(None)).contains("<dt>Time</dt><dd>not compared</dd>"));
    for odd in [f64::NAN, f64::INFINITY] {
        let time = time(&[("k", Family::Gemm, [odd, 2.0])], &[]);
        assert!(!time.does_close());
        let page = page(diff_of(Some(time)));
        assert!(!page.contains("\"NaN\"") && !page.contains("\"inf\""));
    }
}

#[test]
fn names_are_names_on_a_page_and_ten_thousand_rows_have_an_end() {
    let bad = "<script>alert(1)</script>{{ 7 }}\u{202e}😀\"'&";
    let names: Vec<String> = (0..10_000).map(|place| format!("{bad}{place}")).collect();
    let rows: Vec<(&str, Family, [f64; 2])> = names
        .iter()
        .map(|name| (name.as_str(), Family::Other, [1.0, 2.0]))
        .collect();
    let time = time(&rows, &[]);
    let page = page(diff_of(Some(time)));
    let own = page.rsplit_once("</script>").unwrap().1;
    assert!(!own.contains("<script") && !own.contains('\u{202e}') && own.contains("&lt;script&gt;"));
    assert!(
        own.contains("9988 other rows")
            && own.contains("60 other rows, of 9988")
            && own.contains("9928 more are left out")
    );
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn a_side_that_did_nothing_is_a_bar_of_nothing() {
    let chart = stack(&time(&[("k", Family::Gemm, [0.0, 2.0])], &[]), ["good", "bad"]).unwrap();
    assert!(chart.bars[0].parts.is_empty());
    assert!(
        chart.sentence.starts_with("A step takes 0 → 2.00"),
        "{}",
        chart.sentence
    );
}

proptest! {
    #[test]
    fn every_coordinate_is_inside_its_view_box_and_no_label_covers_another(
        rows in prop::collection::vec((0_usize..6, 0.0..1e5_f64, 0.0..1e5_f64), 0..12),
        idle in (0.0..1e4_f64, prop_oneof![Just(f64::NAN), Just(1e300), 0.0..10.0_f64]),
    ) {
        let families = [Family::Gemm, Family::Attention, Family::Copy, Family::Norm, Family::Elementwise, Family::Communication];
        let rows: Vec<(&str, Family, [f64; 2])> =
            rows.into_iter().map(|(family, good, bad)| ("k", families[family], [good, bad])).collect();
        let time = time(&rows, &[(IdleCause::HostWait, [idle.0, idle.1])]);
        if let Some(chart) = stack(&time, ["baseline", "candidate"]) {
            inside(&chart)?;
        }
    }
}

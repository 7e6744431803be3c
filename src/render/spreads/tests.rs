//! Curves, their labels and their marks, of usual and of odd values.

use proptest::prelude::*;

use super::{super::stairs::corners, *};
use crate::render::made;

fn spread(steps: Vec<(f64, f64)>) -> Spread {
    let told = [0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
    let at = |share: f64| steps.iter().find(|step| step.1 >= share).map(|step| step.0);
    Spread {
        latency: Latency::Ttft,
        samples: 10,
        failed: 0,
        told: told.map(|share| (share, at(share))).to_vec(),
        steps,
    }
}

#[test]
fn equal_values_and_one_value_have_a_chart() {
    for steps in [vec![(5.0, 1.0)], vec![(1e-6, 0.5), (1e9, 1.0)], vec![(1e-9, 1.0)]] {
        let chart = chart(Latency::Ttft, &[("candidate", spread(steps))], &[]).unwrap();
        assert!(!chart.ticks.is_empty() && chart.rows.len() == 10, "{chart:?}");
    }
    assert!(chart(Latency::Ttft, &[], &[]).is_none());
}

proptest! {
    #[test]
    fn curves_rise_and_stay_inside(
        mut values in prop::collection::vec(1e-3..1e7_f64, 1..600), other in 1e-3..1e7_f64, failed in 0.0..0.9_f64,
    ) {
        values.sort_unstable_by(f64::total_cmp);
        let count = f64::from(u32::try_from(values.len()).unwrap());
        let share = |place: usize| f64::from(u32::try_from(place + 1).unwrap()) / count * (1.0 - failed);
        let steps = values.iter().enumerate().map(|(place, value)| (*value, share(place))).collect();
        let arms = [("baseline", spread(vec![(other, 1.0)])), ("candidate", spread(steps))];
        let chart = chart(Latency::Ttft, &arms, &[]).unwrap();
        for curve in &chart.curves {
            let corners = corners(&curve.path);
            prop_assert!(corners.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1), "{}", curve.path);
            let inside = |corner: &(f64, f64)| (LEFT..=RIGHT).contains(&corner.0) && (TOP..=BOTTOM).contains(&corner.1);
            prop_assert!(corners.iter().all(inside), "{}", curve.path);
            let label: f64 = curve.label.as_ref().map_or(LEFT, |label| label.x.parse().unwrap());
            prop_assert!((LEFT..=RIGHT).contains(&label));
        }
        let ticks: Vec<f64> = chart.ticks.iter().map(|tick| tick.x.parse().unwrap()).collect();
        prop_assert!(ticks.is_sorted_by(|a, b| b - a >= LABEL_ROOM - 0.2) && !ticks.is_empty());
    }
}

fn gate(percentile: Percentile, limit: Bound) -> Check {
    Check {
        baseline: Some(10.0),
        ..made::check(Latency::Ttft.metric(percentile), limit)
    }
}

proptest! {
    #[test]
    fn labels_of_limits_percentiles_and_arms_cover_none_of_one_another(
        limits in prop::array::uniform3(-0.5..3.0_f64), ceiling in 1.0..60.0_f64, middle in 1.0..60.0_f64,
    ) {
        let checks = Percentile::ALL.into_iter().zip(limits).map(|(percentile, limit)| gate(percentile, Bound::Relative(limit)));
        let checks: Vec<Check> = checks.chain([gate(Percentile::P99, Bound::Value(ceiling))]).collect();
        let arms = [
            ("baseline", spread(vec![(1.0, 0.2), (10.0, 0.8), (50.0, 1.0)])),
            ("candidate", spread(vec![(1.0, 0.1), (middle, 0.8), (60.0, 1.0)])),
        ];
        let chart = chart(Latency::Ttft, &arms, &checks.iter().collect::<Vec<_>>()).unwrap();
        let of_gates = chart.gates.iter().flat_map(|gate| [gate.limit.as_ref(), gate.percentile.as_ref()]);
        let of_arms = chart.curves.iter().map(|curve| curve.label.as_ref());
        let labels: Vec<&Label> = of_gates.chain(of_arms).flatten().collect();
        prop_assert!(chart.curves.iter().all(|curve| curve.label.is_some()), "both arms are named");
        for (place, label) in labels.iter().enumerate() {
            let part = label.part();
            prop_assert!(part.left >= 0.0 && part.right <= 420.0 && part.top >= 0.0 && part.bottom <= 204.0, "{label:?}");
            let covered = labels[..place].iter().find(|other| other.part().shrunk().overlaps(part.shrunk()));
            prop_assert!(covered.is_none(), "{label:?} covers {covered:?}");
        }
    }
}

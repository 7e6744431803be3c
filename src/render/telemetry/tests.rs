use proptest::prelude::*;

use super::*;

fn run(seconds: f64, values: &[f64]) -> RunCourse {
    let step = seconds / real(values.len().max(1));
    RunCourse {
        seconds,
        lines: vec![
            values
                .iter()
                .enumerate()
                .map(|(at, value)| (real(at) * step, *value))
                .collect(),
        ],
        mean: values.first().copied(),
        most: values.iter().copied().reduce(f64::max),
        ..RunCourse::default()
    }
}

fn course(of: Sampled, arms: Vec<Vec<RunCourse>>) -> Course {
    let names = if arms.len() > 1 {
        vec!["baseline", "candidate"]
    } else {
        vec!["candidate"]
    };
    let arms = names.into_iter().zip(arms).map(|(arm, runs)| ArmCourse { arm, runs });
    Course {
        of,
        arms: arms.collect(),
    }
}

fn plain(text: &str) -> String {
    text.replace(SPACE, " ")
}

#[test]
fn the_sentence_tells_the_peak_of_what_fills_and_the_mean_of_what_flows() {
    let runs = |first: f64, second: f64| vec![run(2.0, &[first, second]), run(2.0, &[first, second])];
    let kv = course(Sampled::KvUsed, vec![runs(10.0, 80.0), runs(10.0, 96.5)]);
    assert_eq!(plain(&sentence(&kv)), "peak 80.0 % → 96.5 %");
    let power = course(Sampled::GpuPower, vec![runs(400.0, 700.0), runs(440.0, 700.0)]);
    assert_eq!(plain(&sentence(&power)), "mean 400 W → 440 W (+10.0 %)");
    let alone = course(Sampled::Running, vec![runs(7.5, 8.0)]);
    assert_eq!(plain(&sentence(&alone)), "mean 7.50 (candidate)");
}

#[test]
fn runs_of_both_arms_begin_in_one_place_and_the_longer_one_decides() {
    let both = course(
        Sampled::Running,
        vec![
            vec![run(1.0, &[1.0; 3]), run(1.0, &[1.0; 3])],
            vec![run(3.0, &[2.0; 3]), run(1.0, &[2.0; 3])],
        ],
    );
    let chart = chart(&both, true).unwrap();
    let marks: Vec<_> = chart
        .runs
        .iter()
        .map(|mark| (mark.x.as_str(), mark.label.as_str()))
        .collect();
    assert_eq!(marks, [("64.0", "run 1"), ("319.0", "run 2")]);
    assert!(chart.lines.iter().all(|line| line.path.contains("M319.0")), "{chart:?}");
    assert_eq!(
        chart.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["run 1", "run 2", "all runs"]
    );
    assert_eq!(chart.header.len(), chart.rows[0].values.len());
}

#[test]
fn a_gap_and_throttling_are_shaded_with_their_titles() {
    let mut slow = run(10.0, &[1.0, 2.0, 3.0]);
    slow.gaps = vec![(2.0, 4.0)];
    slow.throttled = vec![(5.0, 99.0)];
    let chart = chart(&course(Sampled::SmClock, vec![vec![slow]]), true).unwrap();
    let told: Vec<_> = chart
        .shades
        .iter()
        .map(|shade| (shade.class, shade.title.as_str()))
        .collect();
    let expected = [
        ("gap", "no sample of the candidate's run 1"),
        ("held-down", "clocks held down, the candidate's run 1"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (chart.shades[1].x.as_str(), chart.shades[1].width.as_str()),
        ("234.0", "170.0"),
        "to the end of the run"
    );
}

#[test]
fn nothing_is_no_chart_and_equal_or_odd_values_are_one() {
    assert!(chart(&course(Sampled::Running, vec![vec![RunCourse::default()]]), true).is_none());
    for values in [&[0.0][..], &[5.0, 5.0], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0]] {
        let chart = chart(&course(Sampled::Running, vec![vec![run(1.0, values)]]), true).unwrap();
        assert!(
            !chart.lines[0].path.contains("NaN") && !chart.lines[0].path.contains("inf"),
            "{chart:?}"
        );
    }
}

proptest! {
    #[test]
    fn every_coordinate_is_inside_its_view_box(
        runs in prop::collection::vec((0.0..1e4_f64, prop::collection::vec(0.0..1e6_f64, 0..20)), 1..30),
        span in (0.0..2e4_f64, 0.0..2e4_f64),
    ) {
        let mut all: Vec<RunCourse> = runs.iter().map(|(seconds, values)| run(*seconds, values)).collect();
        all[0].gaps = vec![span];
        let Some(chart) = chart(&course(Sampled::Waiting, vec![all]), true) else { return Ok(()) };
        let inside = |text: &str, low: f64, high: f64| text.parse::<f64>().is_ok_and(|at| (low..=high).contains(&at));
        for line in &chart.lines {
            for point in line.path.split(['M', 'L']).filter(|point| !point.is_empty()) {
                let (x, y) = point.trim_end_matches("h1").split_once(' ').unwrap();
                prop_assert!(inside(x, LEFT, RIGHT) && inside(y, TOP, BOTTOM), "{point}");
            }
        }
        prop_assert!(chart.runs.iter().all(|mark| inside(&mark.x, LEFT, RIGHT)));
        prop_assert!(chart.labels.iter().all(|label| inside(&label.x, LEFT, RIGHT) && inside(&label.y, TOP, BOTTOM)));
        for shade in &chart.shades {
            let (x, width): (f64, f64) = (shade.x.parse().unwrap(), shade.width.parse().unwrap());
            prop_assert!(x >= LEFT && width >= 0.0 && x + width <= RIGHT + 0.11, "{shade:?}");
        }
    }
}

use std::collections::BTreeMap;

use super::*;
use crate::stats::series;

fn run(output_tokens_mean: f64, stopped: usize, failed: u32) -> Work {
    Work {
        requests: 200,
        output_tokens_mean: Some(output_tokens_mean),
        output_tokens: Vec::new(),
        finished: BTreeMap::from([(Finish::Stop, stopped), (Finish::Length, 200 - stopped)]),
        failed: vec![("http_500".into(), failed)],
        ..Work::default()
    }
}

const APART: Design = Design::Apart { sessions: 1 };

fn told(baseline: Vec<Work>, candidate: Vec<Work>) -> Option<String> {
    told_of(&APART, baseline, candidate)
}

fn told_of(design: &Design, baseline: Vec<Work>, candidate: Vec<Work>) -> Option<String> {
    let work = WorkComparison { baseline, candidate };
    let cells = [CellComparison {
        name: "chat @ c=4".into(),
        token_drift: None,
        token_counts: None,
        unpaired: None,
        one_sided: None,
        stated_memory_gb: None,
        answer: None,
        work,
        metrics: BTreeMap::new(),
    }];
    different_work(&cells, design).or_else(|| more_failures(&cells, design))
}

fn all_alike(work: &Work) -> Vec<Work> {
    vec![work.clone(); 5]
}

#[test]
fn shorter_answers_are_different_work_beyond_two_percent() {
    let base = all_alike(&run(100.0, 0, 0));
    assert_eq!(told(base.clone(), all_alike(&run(98.1, 0, 0))), None);
    assert_eq!(
        told(base.clone(), all_alike(&run(97.9, 0, 0))).unwrap(),
        "the candidate's answers have 97.9 output tokens on average, the baseline's 100.0 at chat @ c=4"
    );
    assert!(
        told(base, all_alike(&run(103.0, 0, 0))).is_some(),
        "longer ones are, too"
    );
}

#[test]
fn prompts_of_another_length_are_different_work_beyond_two_percent_and_two_tokens() {
    let asked = |input_tokens: f64| {
        all_alike(&Work {
            input_tokens_mean: Some(input_tokens),
            ..run(100.0, 0, 0)
        })
    };
    assert_eq!(told(asked(16.0), asked(17.0)), None, "a mark at the beginning");
    assert_eq!(told(asked(1_000.0), asked(1_019.0)), None);
    assert_eq!(told(asked(1_000.0), all_alike(&run(100.0, 0, 0))), None, "not counted");
    assert_eq!(
        told(asked(16.0), asked(4.0)).unwrap(),
        "the candidate's prompts have 4.0 input tokens on average, the baseline's 16.0 at chat @ c=4"
    );
    assert!(told(asked(1_000.0), asked(1_021.0)).is_some(), "longer ones are, too");
}

/// A run of answers of these lengths.
fn lengths_of(mut output_tokens: Vec<u32>) -> Work {
    output_tokens.sort_unstable();
    let lengths: Vec<f64> = output_tokens.iter().copied().map(f64::from).collect();
    Work {
        output_tokens,
        ..run(moments::mean(&lengths).unwrap(), 0, 0)
    }
}

#[test]
fn lengths_of_one_mean_and_another_shape_are_different_work() {
    let even = all_alike(&lengths_of(vec![100; 200]));
    let of_two = |short: usize, by: u32| {
        let short_ones = std::iter::repeat_n(100 - by, short);
        let long_ones = std::iter::repeat_n(100 + by, short);
        let even_ones = std::iter::repeat_n(100, 200 - 2 * short);
        all_alike(&lengths_of(short_ones.chain(long_ones).chain(even_ones).collect()))
    };
    assert_eq!(told(even.clone(), of_two(20, 50)), None, "no more than ten points");
    assert_eq!(
        told(even.clone(), of_two(60, 50)).unwrap(),
        "30.0 % of the candidate's answers have at most 50 output tokens, 0.0 % of the baseline's at most 51 at chat @ \
         c=4"
    );
    assert!(told(of_two(60, 50), even.clone()).is_some(), "in both directions");
    assert_eq!(told(even.clone(), of_two(100, 1)), None, "within the tolerance of 2 %");
    assert_eq!(
        told(even, all_alike(&lengths_of(vec![101; 200]))),
        None,
        "the end mark counted"
    );
}

#[test]
fn lengths_of_one_wide_shape_are_the_same_work_as_themselves() {
    // Answers of a prompt vary by half, and whole runs by a tenth: of 80 answers, not 800, a comparison is made.
    let alarms = (0..300_u64).filter(|seed| {
        let between = series::noise(*seed, 10);
        let runs: Vec<Work> = (0_u64..)
            .zip(&between)
            .map(|(at, run)| {
                let within = series::noise(1000 + seed * 10 + at, 80);
                let length = |v: &f64| 100.0 * (0.5 * (v - 10.0) + 0.1 * (run - 10.0)).exp();
                let whole = |v: &f64| (0..=5000_u32).find(|count| f64::from(*count) >= length(v)).unwrap();
                lengths_of(within.iter().map(whole).collect())
            })
            .collect();
        told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
    });
    assert!(alarms.count() <= 6, "about one in a hundred");
}

#[test]
fn answers_that_end_otherwise_are_different_work_beyond_two_points() {
    let base = all_alike(&run(100.0, 20, 0));
    assert_eq!(told(base.clone(), all_alike(&run(100.0, 24, 0))), None);
    let why = told(base, all_alike(&run(100.0, 60, 0))).unwrap();
    assert_eq!(
        why,
        "70.0 % of the candidate's answers end at the length that was asked for, 90.0 % of the baseline's at chat @ c=4"
    );
}

#[test]
fn a_candidate_that_fails_more_does_less_work_and_one_that_fails_less_does_not() {
    let (healthy, failing) = (all_alike(&run(100.0, 0, 0)), all_alike(&run(100.0, 0, 12)));
    let why = told(healthy.clone(), failing.clone()).unwrap();
    assert_eq!(
        why,
        "6.0 % of the candidate's requests fail (most often `http_500`), 0.0 % of the baseline's at chat @ c=4"
    );
    assert_eq!(told(failing, healthy.clone()), None);
    assert_eq!(
        told(healthy, all_alike(&run(100.0, 0, 2))),
        None,
        "one point is no more"
    );
}

#[test]
fn answers_of_random_length_are_the_same_work_as_themselves() {
    // Runs of 50 answers whose lengths vary by 60 %: their means vary by 8.5 %, far more than the limit.
    let alarms = (0..500).filter(|seed| {
        let noise = series::noise(*seed, 10);
        let runs: Vec<Work> = noise
            .iter()
            .map(|v| run(100.0 * (0.085 * (v - 10.0)).exp(), 0, 0))
            .collect();
        told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
    });
    assert!(alarms.count() <= 5, "about one in 500");
}

#[test]
fn random_ends_and_failures_are_the_same_work_as_themselves() {
    let alarms = (0..500).filter(|seed| {
        let noise = series::noise(*seed, 20);
        let counted = |at: usize, mean: f64, sd: f64| {
            let count = (mean + sd * (noise[at] - 10.0)).round().clamp(0.0, 200.0);
            (0..=200_u32).find(|c| f64::from(*c) >= count).unwrap()
        };
        let runs: Vec<Work> = (0..10)
            .map(|at| run(100.0, counted(at, 30.0, 5.0) as usize, counted(at + 10, 4.0, 2.0)))
            .collect();
        told(runs[..5].to_vec(), runs[5..].to_vec()).is_some()
    });
    assert!(alarms.count() <= 5);
}

fn in_pairs(pairs: u32, looks: &[u32]) -> Design {
    Design::Paired {
        pairs,
        looks: looks.to_vec(),
        blocks: 1,
    }
}

#[test]
fn each_look_of_a_schedule_asks_at_its_own_level() {
    let usual = [3, 5, 8, 12];
    for (design, expected) in [
        (APART, 0.01),
        (in_pairs(3, &usual), 0.003_366_602),
        (in_pairs(12, &usual), 0.003_366_602),
        (in_pairs(20, &usual), 0.002_729),
        (in_pairs(5, &[5]), 0.01),
        // What is no schedule has an equal share for each look.
        (in_pairs(3, &[5, 3]), 0.005),
        (in_pairs(3, &[]), 0.01),
    ] {
        let found = at_this_look(LEVEL, &design);
        assert!((found - expected).abs() < 1e-6, "{design:?}: {found}");
    }
    // Lengths that differ by 5 %, so surely that one look is enough and four are not.
    let side = |mean: f64, wave: f64| -> Vec<Work> {
        let shift = [-2.0, -1.0, 0.0, 1.0, 2.0];
        shift.map(|at| run(mean * (1.0 + wave * at), 0, 0)).to_vec()
    };
    let (old, new) = (side(100.0, 0.0097), side(105.0, 0.0097));
    assert!(told_of(&APART, old.clone(), new.clone()).is_some());
    assert!(told_of(&in_pairs(5, &[5]), old.clone(), new.clone()).is_some());
    assert_eq!(told_of(&in_pairs(5, &usual), old, new), None);
}

#[test]
fn looking_again_makes_equal_work_no_different() {
    // Means of runs vary by 8.5 %; what is asked at each look is asked at 5 % over all of them.
    let (looks, seeds, whole) = ([3_u32, 5, 8, 12], 2000, 0.05);
    let alarms = |level: &dyn Fn(u32) -> f64| {
        let is_told = |seed: &u64| {
            let noise = series::noise(*seed, 24);
            let runs: Vec<Work> = noise
                .iter()
                .map(|v| run(100.0 * (0.085 * (v - 10.0)).exp(), 0, 0))
                .collect();
            looks.iter().any(|look| {
                let (first, pairs) = (runs.iter().take(12), *look as usize);
                let work = WorkComparison {
                    baseline: first.take(pairs).cloned().collect(),
                    candidate: runs.iter().skip(12).take(pairs).cloned().collect(),
                };
                lengths(&work, level(*look)).is_some()
            })
        };
        (0..seeds).filter(is_told).count()
    };
    let (scheduled, each) = (
        alarms(&|look| at_this_look(whole, &in_pairs(look, &looks))),
        alarms(&|_| whole),
    );
    // 5 % is 100 of 2,000, with a standard deviation of 10.
    assert!(scheduled <= 120, "{scheduled} of {seeds}");
    assert!(
        each >= 180,
        "{each} of {seeds}: four looks at the whole level are too many"
    );
}

#[test]
fn one_run_a_side_proves_nothing() {
    assert_eq!(told(vec![run(100.0, 0, 0)], vec![run(50.0, 100, 50)]), None);
    assert_eq!(told(Vec::new(), Vec::new()), None);
}

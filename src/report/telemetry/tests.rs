use super::*;
use crate::{
    measure::synthetic::{Figures, session},
    session::{EnginePoint, EngineSeries, GpuPoint, GpuUse},
};

fn engine(at_s: &[u64], kv: &[f64], gaps: Vec<Stretch>) -> EngineUse {
    let points = at_s.iter().zip(kv).map(|(at_s, kv)| EnginePoint {
        at_ns: at_s * 1_000_000_000,
        samples: 1,
        kv_used: Some(*kv),
        running: Some(4.0),
        waiting: None,
    });
    EngineUse::Sampled(EngineSeries {
        samples: u32::try_from(at_s.len()).unwrap(),
        points: points.collect(),
        gaps,
        ..EngineSeries::default()
    })
}

fn gpu(index: u32, values: &[(u64, f64)]) -> GpuSeries {
    let points = values.iter().zip(0..).map(|((memory, clock), at_ns)| GpuPoint {
        at_ns,
        samples: 1,
        memory_used_bytes: *memory,
        utilization_pct: Some(*clock / 100.0),
        power_w: Some(100.0),
        sm_clock_mhz: Some(*clock),
        ..GpuPoint::default()
    });
    GpuSeries {
        index,
        points: points.collect(),
        ..GpuSeries::default()
    }
}

fn with(edit: impl Fn(usize, &mut Run)) -> Session {
    let mut session = session(&[4], &[Figures::default(); 2]);
    for (place, run) in session.cells[0].runs.iter_mut().enumerate() {
        edit(place, run);
    }
    session
}

fn only(cells: Vec<CellTelemetry>) -> CellTelemetry {
    let [cell] = cells.try_into().unwrap();
    cell
}

fn course(cell: &CellTelemetry, of: Sampled) -> &Course {
    cell.courses.iter().find(|course| course.of == of).unwrap()
}

#[test]
fn both_arms_are_drawn_run_by_run_with_their_peaks() {
    let old = with(|_, run| run.telemetry.engine = engine(&[0, 1, 2], &[0.1, 0.3, 0.2], vec![]));
    let new = with(|place, run| {
        run.telemetry.engine = engine(&[0, 1, 2], &[0.1, if place == 1 { 0.9 } else { 0.3 }, 0.2], vec![]);
    });
    let cell = only(telemetry(Some(&old), &new));
    let kv = course(&cell, Sampled::KvUsed);
    let levels: Vec<_> = kv
        .arms
        .iter()
        .map(|arm| (arm.arm, arm.level(Sampled::KvUsed), arm.runs.len()))
        .collect();
    assert_eq!(levels, [("baseline", Some(30.0), 2), ("candidate", Some(90.0), 2)]);
    assert_eq!(kv.arms[0].runs[0].lines, [vec![(0.0, 10.0), (1.0, 30.0), (2.0, 20.0)]]);
    assert!(!cell.courses.iter().any(|course| course.of == Sampled::Waiting));
    assert!(
        cell.missing
            .iter()
            .any(|said| said.starts_with("not drawn: Requests waiting in the engine;")),
        "{cell:?}"
    );
}

#[test]
fn gpus_add_up_where_they_should_and_the_slowest_clock_and_the_mean_utilisation_count() {
    let session = with(|_, run| {
        run.telemetry.gpus = vec![
            gpu(0, &[(1_000_000_000, 1000.0); 3]),
            gpu(1, &[(2_000_000_000, 2000.0); 3]),
        ];
    });
    let cell = only(telemetry(None, &session));
    let level = |of| course(&cell, of).arms[0].level(of);
    assert_eq!(
        (level(Sampled::GpuMemory), level(Sampled::GpuPower)),
        (Some(3.0), Some(200.0))
    );
    assert_eq!(
        (level(Sampled::SmClock), level(Sampled::GpuUtilization)),
        (Some(1000.0), Some(15.0))
    );
    assert!(
        cell.missing
            .iter()
            .any(|said| said.starts_with("not drawn: GPU memory clock, GPU temperature;"))
    );
}

#[test]
fn no_line_crosses_a_gap_and_the_gap_is_told() {
    let gap = Stretch {
        from_ns: 1_500_000_000,
        to_ns: 3_000_000_000,
        reason: "no answer".into(),
    };
    let session = with(|place, run| {
        let gaps = if place == 0 { vec![gap.clone()] } else { Vec::new() };
        run.telemetry.engine = engine(&[0, 1, 3, 4], &[0.5; 4], gaps);
    });
    let cell = only(telemetry(None, &session));
    let runs = &course(&cell, Sampled::Running).arms[0].runs;
    assert_eq!(runs[0].lines.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_eq!((runs[1].lines.len(), runs[0].gaps[0]), (1, (1.5, 3.0)));
    assert_eq!(
        cell.troubles,
        ["candidate: no sample of the engine (no answer) for 1.5 s in run 1"]
    );
}

#[test]
fn throttling_is_shaded_where_gpus_are_drawn_and_summed_up() {
    let session = with(|_, run| {
        let mut series = gpu(0, &[(1, 1000.0); 3]);
        series.throttled = vec![Stretch {
            from_ns: 0,
            to_ns: 2_000_000_000,
            reason: "hw_thermal_slowdown".into(),
        }];
        run.telemetry.gpus = vec![series];
        run.telemetry.engine = engine(&[0, 1, 2], &[0.5; 3], vec![]);
    });
    let cell = only(telemetry(None, &session));
    assert_eq!(course(&cell, Sampled::SmClock).arms[0].runs[0].throttled, [(0.0, 2.0)]);
    assert_eq!(course(&cell, Sampled::KvUsed).arms[0].runs[0].throttled, []);
    assert_eq!(
        cell.troubles,
        ["candidate: GPU 0 was held down (hw_thermal_slowdown) for 4.0 s in runs 1, 2"]
    );
}

#[test]
fn what_a_session_lacks_is_told_with_its_reason_and_never_drawn() {
    let session = with(|_, run| {
        run.telemetry.engine = EngineUse::NotSampled("the page of metrics: 404 Not Found".into());
        run.gpu = GpuUse::NotMeasured("no NVIDIA driver on this machine".into());
    });
    let cell = only(telemetry(None, &session));
    assert_eq!(cell.courses, []);
    assert_eq!(
        cell.missing,
        [
            "candidate, the engine: the page of metrics: 404 Not Found",
            "candidate, GPU: no NVIDIA driver on this machine"
        ]
    );
    let short = with(|_, run| run.telemetry.engine = engine(&[0, 1], &[0.5; 2], vec![]));
    let cell = only(telemetry(None, &short));
    assert_eq!(cell.courses, [], "two samples are no course");
    assert!(
        cell.missing.iter().any(|said| said.contains("fewer than 3 samples")),
        "{cell:?}"
    );
}

#[test]
fn a_line_is_bounded_however_many_cells_and_runs_there_are() {
    let mut many = with(|_, run| {
        let at: Vec<u64> = (0..120).collect();
        run.telemetry.engine = engine(&at, &[0.5; 120], vec![]);
    });
    let cells = telemetry(None, &many);
    let points = |cell: &CellTelemetry| {
        let runs = &course(cell, Sampled::KvUsed).arms[0].runs;
        runs.iter().flat_map(|run| &run.lines).map(Vec::len).sum::<usize>()
    };
    assert_eq!(points(&cells[0]), 240);
    let cell = many.cells[0].clone();
    many.cells = vec![cell; 60];
    let cells = telemetry(None, &many);
    assert!(cells.iter().all(|cell| points(cell) <= 24), "{}", points(&cells[0]));
}

#[test]
fn stretches_of_many_gpus_are_united_and_none_is_lost() {
    let spans = [(0.0, 2.0), (1.0, 1.5), (1.5, 3.0), (5.0, 6.0), (6.5, 7.0), (9.0, 9.5)];
    assert_eq!(united(&[], 4), []);
    assert_eq!(united(&spans, 4), [(0.0, 3.0), (5.0, 6.0), (6.5, 7.0), (9.0, 9.5)]);
    assert_eq!(united(&spans, 3), [(0.0, 3.0), (5.0, 7.0), (9.0, 9.5)]);
    assert_eq!(united(&spans, 1), [(0.0, 9.5)]);
    // All alike: no more are united than has to be.
    let even: Vec<(f64, f64)> = (0..100_u32).map(|at| (f64::from(at), f64::from(at) + 0.5)).collect();
    let few = united(&even, 40);
    assert_eq!(
        (few.len(), few[0].0, few.last().map(|last| last.1)),
        (40, 0.0, Some(99.5))
    );
}

#[test]
fn many_throttled_gpus_draw_no_more_than_a_few_stretches() {
    let hot = |place: u64| Stretch {
        from_ns: place * 100_000_000,
        to_ns: place * 100_000_000 + 50_000_000,
        reason: "hw_slowdown".into(),
    };
    let session = with(|_, run| {
        let gpus = (0..64_u32).map(|index| GpuSeries {
            throttled: (0..500).map(|place| hot(place * 7 % 500 + u64::from(index))).collect(),
            ..gpu(index, &[(1_000_000_000, 1000.0); 3])
        });
        run.telemetry.gpus = gpus.collect();
    });
    let cell = only(telemetry(None, &session));
    let clock = course(&cell, Sampled::SmClock);
    for run in &clock.arms[0].runs {
        assert!(
            (1..=STRETCHES).contains(&run.throttled.len()),
            "{}",
            run.throttled.len()
        );
        assert!(run.throttled.is_sorted_by(|one, next| one.1 < next.0));
        assert!(run.throttled[0].0 <= 0.0, "from the first one on");
    }
    assert_eq!(
        cell.troubles.len(),
        41,
        "a sentence for each of 40 GPUs, and one for the rest"
    );
    assert!(
        cell.troubles[40].starts_with("candidate: 24 more"),
        "{:?}",
        cell.troubles[40]
    );
}

#[test]
fn a_thousand_reasons_are_told_in_a_moment_and_in_few_sentences() {
    let session = with(|_, run| {
        let odd = |place: u64| Stretch {
            from_ns: place,
            to_ns: place + 1,
            reason: format!("reason {place}"),
        };
        let gpus = (0..100).map(|index| GpuSeries {
            throttled: (0..1000).map(odd).collect(),
            ..gpu(index, &[(1, 1.0)])
        });
        run.telemetry.gpus = gpus.collect();
    });
    let cell = only(telemetry(None, &session));
    assert_eq!(cell.troubles.len(), 41);
    assert_eq!(
        cell.troubles[40],
        "candidate: 99960 more gaps and reasons for clocks held down"
    );
}

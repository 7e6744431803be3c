//! The gate on peak GPU memory: what it reads of engines that take their memory at start.

use super::*;
use crate::session::{EngineSeries, EngineUse, GpuPoint, GpuSeries, GpuUse};

fn default_gate() -> Policy {
    policy(&[(Metric::GpuMemoryPeakGb, 0.10, Action::Warn, Some(Evidence::Profile))])
}

/// Five runs at a peak in GB, none where it is 0, and room for so many tokens, unknown where it is 0.
fn arm(engine: &str, peak_gb: f64, tokens: u64) -> Session {
    let figures = Figures {
        memory_gb: peak_gb,
        ..Figures::default()
    };
    let mut session = session(&[16], &[figures; 5]);
    session.environment.engine_name = Some(engine.to_owned());
    for run in &mut session.cells[0].runs {
        if peak_gb <= 0.0 {
            run.gpu = GpuUse::NotMeasured("both arms' servers were up at once".into());
        }
        run.telemetry.engine = EngineUse::Sampled(EngineSeries {
            samples: 9,
            kv_capacity_tokens: Some(tokens).filter(|tokens| *tokens > 0),
            ..EngineSeries::default()
        });
    }
    session
}

/// The room of each run by its server's own log, in place of the engine's page.
fn by_logs(session: &mut Session, rooms: &[u64]) {
    for (run, room) in session.cells[0].runs.iter_mut().zip(rooms) {
        run.telemetry.engine = EngineUse::NotSampled("no page".into());
        run.telemetry.logged_kv_tokens = Some(*room);
    }
}

fn checks(old: &Session, new: &Session, policy: &Policy) -> Vec<(Metric, Verdict, String)> {
    let checks = judge_sessions(old, new, policy).checks.into_iter();
    checks
        .map(|check| (check.metric, check.verdict, check.reason))
        .collect()
}

#[test]
fn a_still_peak_is_read_through_the_room_of_the_kv_cache() {
    for (tokens, verdict) in [(100_000, Verdict::Pass), (60_000, Verdict::Regression)] {
        let found = checks(&arm("vllm", 72.0, 100_000), &arm("vllm", 72.3, tokens), &default_gate());
        let [(metric, found, reason)] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!((*metric, *found), (Metric::KvCacheCapacityTokens, verdict), "{reason}");
        assert!(
            reason.starts_with("the memory gate reads the room of the KV cache, as peak GPU memory stands still: "),
            "{reason}"
        );
    }
}

#[test]
fn where_no_gpu_can_be_read_the_room_of_the_kv_cache_is_still_judged() {
    let found = checks(
        &arm("llama.cpp", 0.0, 8192),
        &arm("llama.cpp", 0.0, 4096),
        &default_gate(),
    );
    let [(metric, verdict, reason)] = &found[..] else {
        unreachable!("{found:?}")
    };
    assert_eq!(
        (*metric, *verdict),
        (Metric::KvCacheCapacityTokens, Verdict::Regression),
        "{reason}"
    );
    assert!(reason.contains("as peak GPU memory was not measured"), "{reason}");
}

#[test]
fn a_peak_that_moves_is_read_beside_the_room_of_the_kv_cache() {
    let found = checks(&arm("vllm", 60.0, 100_000), &arm("vllm", 72.0, 99_000), &default_gate());
    let told: Vec<_> = found.iter().map(|(metric, verdict, _)| (*metric, *verdict)).collect();
    assert_eq!(
        told,
        [
            (Metric::GpuMemoryPeakGb, Verdict::Regression),
            (Metric::KvCacheCapacityTokens, Verdict::Pass)
        ]
    );
}

#[test]
fn a_still_peak_of_an_engine_that_takes_its_memory_at_start_is_blind_and_not_passed() {
    for (engine, peaks, is_blind) in [
        ("vllm", (72.0, 72.0), true),
        ("sglang", (72.0, 72.7), true),
        ("vllm", (72.0, 72.8), true),
        ("llama.cpp", (72.0, 72.8), false),
        ("llama.cpp", (72.0, 72.0), false),
    ] {
        let found = checks(&arm(engine, peaks.0, 0), &arm(engine, peaks.1, 0), &default_gate());
        let [(metric, verdict, reason)] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(*metric, Metric::GpuMemoryPeakGb);
        assert_eq!(
            *verdict == Verdict::Inconclusive && reason.starts_with("blind: "),
            is_blind,
            "{engine}: {reason}"
        );
        assert!(is_blind || *verdict == Verdict::Pass, "{engine}: {reason}");
    }
}

#[test]
fn a_limit_in_gigabytes_and_a_gate_of_its_own_keep_the_room_of_the_kv_cache_out() {
    let (old, new) = (arm("llama.cpp", 72.0, 8192), arm("llama.cpp", 72.0, 4096));
    let mut in_gb = default_gate();
    in_gb
        .gates
        .entry(Metric::GpuMemoryPeakGb)
        .and_modify(|gate| gate.limit = Limit::Absolute(4.0));
    let metrics = |policy: &Policy| {
        checks(&old, &new, policy)
            .into_iter()
            .map(|check| check.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(metrics(&in_gb), [Metric::GpuMemoryPeakGb]);
    let both = policy(&[
        (Metric::GpuMemoryPeakGb, 0.10, Action::Warn, None),
        (Metric::KvCacheCapacityTokens, 0.05, Action::Block, None),
    ]);
    assert_eq!(metrics(&both), [Metric::KvCacheCapacityTokens, Metric::GpuMemoryPeakGb]);
}

#[test]
fn a_room_that_every_run_states_alike_is_a_fact_without_noise_and_nothing_more_is_claimed() {
    for (old, new, verdict) in [
        (100_000, 90_000, Verdict::Pass),
        (100_000, 89_999, Verdict::Regression),
        (100_000, 100_000, Verdict::Pass),
        (100_000, 100_900, Verdict::Pass),
        (100_000, 120_000, Verdict::Improvement),
    ] {
        let judged = judge_sessions(&arm("vllm", 72.0, old), &arm("vllm", 72.0, new), &default_gate());
        let [check] = &judged.checks[..] else {
            unreachable!("{judged:?}")
        };
        assert_eq!(check.verdict, verdict, "{}", check.reason);
        assert_eq!((check.p_real, check.p_beyond, check.interval), (None, None, None));
        assert!(
            check.reason.contains("the same in every run of a side"),
            "{}",
            check.reason
        );
    }
}

#[test]
fn a_room_that_differs_from_start_to_start_is_judged_as_what_it_is() {
    let (mut old, mut new) = (arm("vllm", 72.0, 0), arm("vllm", 72.0, 0));
    by_logs(&mut old, &[100_000, 100_200, 99_900, 100_100, 100_000]);
    by_logs(&mut new, &[50_000, 50_100, 49_900, 50_000, 50_050]);
    let judged = judge_sessions(&old, &new, &default_gate());
    let check = &judged.checks[0];
    assert_eq!(check.verdict, Verdict::Regression, "{}", check.reason);
    assert!(check.p_real.is_some() && check.interval.is_some(), "{}", check.reason);
    // One start among five with half the room: what is true of the others is not known.
    by_logs(&mut new, &[100_000, 100_000, 50_000, 100_000, 100_000]);
    let judged = judge_sessions(&old, &new, &default_gate());
    let check = &judged.checks[0];
    assert_eq!(check.verdict, Verdict::Inconclusive, "{}", check.reason);
}

#[test]
fn an_engine_of_no_known_name_is_blind_where_its_metrics_or_its_command_say_that_it_takes_its_memory_at_start() {
    for (fact, is_blind) in [(Some("tgi, by its metrics"), true), (None, false)] {
        let [old, new] = [72.0, 72.0].map(|peak| {
            let mut session = arm("", peak, 0);
            session.environment.engine_name = None;
            let facts = &mut session.environment.engine_facts;
            facts.extend(fact.map(|fact| (crate::session::TAKES_MEMORY_AT_START.to_owned(), fact.to_owned())));
            session
        });
        let found = checks(&old, &new, &default_gate());
        let [(_, verdict, reason)] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(*verdict == Verdict::Inconclusive, is_blind, "{reason}");
        assert_eq!(reason.starts_with("blind: "), is_blind, "{reason}");
    }
}

#[test]
fn a_still_peak_of_an_engine_that_nobody_knows_is_blind_where_it_fills_its_gpu() {
    let with = |engine: Option<&str>, free: [u64; 2]| {
        let [old, new] = free.map(|free| {
            let mut session = arm("", 72.0, 0);
            session.environment.engine_name = engine.map(str::to_owned);
            for run in &mut session.cells[0].runs {
                run.telemetry.gpus = vec![GpuSeries {
                    points: vec![GpuPoint {
                        samples: 20,
                        memory_used_bytes: 100 - free,
                        ..GpuPoint::default()
                    }],
                    memory_total_bytes: Some(100),
                    ..GpuSeries::default()
                }];
            }
            session
        });
        let found = checks(&old, &new, &default_gate());
        let [(_, verdict, reason)] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(
            *verdict == Verdict::Inconclusive,
            reason.starts_with("blind: "),
            "{reason}"
        );
        *verdict
    };
    assert_eq!(with(None, [10, 25]), Verdict::Inconclusive);
    assert_eq!(with(None, [10, 26]), Verdict::Pass, "engines that reserve leave less");
    assert_eq!(with(Some("llama.cpp"), [10, 10]), Verdict::Pass);
}

#[test]
fn where_no_room_is_known_what_the_engine_states_of_its_model_and_activations_is_judged() {
    let states = |peak_gb: f64, activations: &str| {
        let mut session = arm("vllm", peak_gb, 0);
        let facts = &mut session.environment.engine_facts;
        facts.insert("model_memory_gib".to_owned(), "14.9889".to_owned());
        facts.insert("activation_peak_gib".to_owned(), activations.to_owned());
        session
    };
    for (peaks, activations, verdict) in [
        ((72.0, 72.0), "1.23", Verdict::Pass),
        ((72.0, 72.0), "2.8", Verdict::Pass),
        ((72.0, 72.0), "2.9", Verdict::Regression),
        ((0.0, 0.0), "2.9", Verdict::Regression),
        ((72.0, 72.0), "1.0", Verdict::Improvement),
        ((72.0, 72.0), "unknown", Verdict::Inconclusive),
    ] {
        let found = checks(&states(peaks.0, "1.23"), &states(peaks.1, activations), &default_gate());
        let [(metric, found, reason)] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(
            (*metric, *found),
            (Metric::GpuMemoryPeakGb, verdict),
            "{activations}: {reason}"
        );
        let is_read = reason.starts_with("the memory gate reads what the engine states of its model");
        assert_eq!(is_read, verdict != Verdict::Inconclusive, "{reason}");
    }
    let older = checks(&arm("vllm", 72.0, 0), &states(72.0, "1.23"), &default_gate());
    assert_eq!(older[0].1, Verdict::Inconclusive, "one side alone tells nothing");
}

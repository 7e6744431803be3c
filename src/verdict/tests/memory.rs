//! The gate on peak GPU memory: what it reads of engines that take their memory at start.

use super::*;
use crate::session::{EngineSeries, EngineUse, GpuUse};

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

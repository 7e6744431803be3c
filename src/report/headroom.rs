//! The standing rule of safety: GPU memory that is full at its peak ends in an out-of-memory error on a longer prompt.

use crate::{
    measure::headroom_pct,
    metric::Metric,
    session::Session,
    verdict::{Headroom, Policy, wording},
};

/// What should be told of both arms, cell by cell.
pub(super) fn of_both(baseline: Option<(&str, &Session)>, candidate: &Session, policy: &Policy) -> Vec<String> {
    let old = baseline.map_or_else(Vec::new, |(_, old)| of("baseline", old, policy.headroom));
    old.into_iter()
        .chain(of("candidate", candidate, policy.headroom))
        .collect()
}

/// What should be told of one arm, cell by cell.
pub(super) fn of(arm: &str, session: &Session, rule: Headroom) -> Vec<String> {
    let cells = session.cells.iter().filter(|_| rule == Headroom::Warn);
    let told = cells.filter_map(|cell| {
        let least = cell.runs.iter().filter_map(headroom_pct).reduce(f64::min)?;
        (least < Headroom::LEAST_PCT).then(|| {
            format!(
                "{arm}: only {} of a GPU's memory was free at its peak at {}, less than {}: a longer prompt or one more \
                 request may end in an out-of-memory error; an engine that takes a share of the memory at start should take \
                 0.85 to 0.90 of it (vLLM's `--gpu-memory-utilization`)",
                wording::value(Metric::GpuMemoryHeadroomPct, least),
                cell.name,
                wording::value(Metric::GpuMemoryHeadroomPct, Headroom::LEAST_PCT)
            )
        })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        session::{GpuPoint, GpuSeries},
    };

    fn with_peak(used: u64) -> Session {
        let mut session = session(&[4], &[Figures::default(); 2]);
        for run in &mut session.cells[0].runs {
            run.telemetry.gpus = vec![GpuSeries {
                points: vec![GpuPoint {
                    samples: 1,
                    memory_used_bytes: used,
                    ..GpuPoint::default()
                }],
                memory_total_bytes: Some(1000),
                ..GpuSeries::default()
            }];
        }
        session
    }

    #[test]
    fn less_than_a_tenth_free_is_told_with_advice_and_the_rule_may_be_off() {
        let told = |used, rule| of("candidate", &with_peak(used), rule);
        assert_eq!(told(900, Headroom::Warn), Vec::<String>::new(), "just enough");
        let [sentence] = &told(901, Headroom::Warn)[..] else {
            unreachable!("one cell")
        };
        assert!(
            sentence.starts_with("candidate: only 9.9 % of a GPU's memory"),
            "{sentence}"
        );
        assert!(sentence.contains("0.85 to 0.90"), "{sentence}");
        for rule in [Headroom::Off, Headroom::Block] {
            assert_eq!(told(990, rule), Vec::<String>::new());
        }
        assert_eq!(
            of("candidate", &session(&[4], &[Figures::default(); 2]), Headroom::Warn),
            Vec::<String>::new()
        );
    }
}

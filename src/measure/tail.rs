//! Does TPOT's P95 stand on a cliff? Where a second mode begins near it, it jumps from run to run by itself.

use super::run::tpots;
use crate::{session::Run, stats::quantile::quantile};

/// A P97 further than this above the P93 makes a P95 that says little (15 %): P90, P99 or goodput are steadier.
pub const BIMODAL_GAP: f64 = 0.15;

/// How far TPOT's P97 lies above its P93, in the median run that has both; `None` where none has.
pub(super) fn gap(runs: &[Run]) -> Option<f64> {
    let of = |run: &Run| {
        let tpots = tpots(run).ok()?;
        let gap = tpots.quantile(0.97)? / tpots.quantile(0.93)? - 1.0;
        gap.is_finite().then_some(gap)
    };
    let gaps: Vec<f64> = runs.iter().filter_map(of).collect();
    quantile(&gaps, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::Figures;

    /// Answers of 10 ms a token, so many of which take twice as long.
    fn two_modes(slow: usize) -> Run {
        let mut run = Figures::default().run();
        for record in run.requests.iter_mut().take(slow) {
            record.last_token_ns = record.last_token_ns.map(|last_ns| last_ns + 160_000_000);
        }
        run
    }

    #[test]
    fn a_second_mode_at_the_percentile_is_seen_and_elsewhere_it_is_not() {
        let found = |slow| gap(&[two_modes(slow), two_modes(slow), two_modes(0)]).unwrap();
        assert!(
            (found(10) - 1.0).abs() < 1e-9,
            "5 % are slow: P93 and P97 lie on both sides"
        );
        for slow in [0, 2, 60] {
            assert!(found(slow).abs() < 1e-9, "{slow} of 200");
        }
    }

    #[test]
    fn runs_without_tpot_have_no_gap() {
        assert_eq!(gap(&[]), None);
        assert_eq!(gap(&[Run::default()]), None);
    }
}

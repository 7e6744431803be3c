//! Is a series of latencies steady yet? Where its warm-up ends, and whether it still moves after that.

use super::{cusum, moments, real, trend};

/// Values in one batch of MSER-5.
const BATCH: usize = 5;
/// Fewest values that can be called steady.
pub const FEWEST: usize = 2 * cusum::FEWEST;
/// Level at which a drift keeps a warm-up going (2 %).
const DRIFT_LEVEL: f64 = 0.02;
/// A change smaller than this share is steady enough, however sure we are of it (5 %).
pub const HARMLESS_CHANGE: f64 = 0.05;

/// Whether a server's latencies have become steady.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steadiness {
    /// They have, from this value on at the latest.
    Steady {
        /// How many values come before.
        after: usize,
    },
    /// They still move.
    Moving,
    /// Fewer than [`FEWEST`] values: nobody can tell.
    TooFew,
}

impl Steadiness {
    /// Whether it is known that they are steady.
    pub fn is_steady(self) -> bool {
        matches!(self, Self::Steady { .. })
    }
}

/// Whether a warm-up may end: TTFT and TPOT of its requests so far, in ms, each in the order in which they were sent.
///
/// After its warm-up, by MSER-5 and at most its first half, a series must neither change its mean nor drift any more. Values
/// that are not finite (failed requests) are left out, and so is a series that is empty, as where there is no TPOT.
pub fn is_steady(ttft_ms: &[f64], tpot_ms: &[f64]) -> Steadiness {
    let finite = |series: &[f64]| -> Vec<f64> { series.iter().copied().filter(|value| value.is_finite()).collect() };
    let all = [finite(ttft_ms), finite(tpot_ms)];
    let told = all.iter().filter(|series| !series.is_empty()).map(|series| one(series));
    told.reduce(worse).unwrap_or(Steadiness::TooFew)
}

fn worse(a: Steadiness, b: Steadiness) -> Steadiness {
    match (a, b) {
        (Steadiness::Steady { after: a }, Steadiness::Steady { after: b }) => Steadiness::Steady { after: a.max(b) },
        (Steadiness::TooFew, _) | (_, Steadiness::TooFew) => Steadiness::TooFew,
        _ => Steadiness::Moving,
    }
}

fn one(series: &[f64]) -> Steadiness {
    if series.len() < FEWEST {
        return Steadiness::TooFew;
    }
    // Chance alone makes MSER cut more than half now and then; what follows is then tested instead.
    let after = mser5(series).unwrap_or(series.len() / 2);
    let rest = series.get(after..).unwrap_or_default();
    if moved(rest, cusum::LEVEL_5_PCT).is_some() || drifted(rest, DRIFT_LEVEL).is_some() {
        return Steadiness::Moving;
    }
    Steadiness::Steady { after }
}

/// The drift within a series that is real at this level and large enough to matter, if there is one.
pub fn drifted(series: &[f64], level: f64) -> Option<trend::Drift> {
    trend::drift(series).filter(|drift| drift.p < level && drift.change.abs() > HARMLESS_CHANGE)
}

/// The change of the mean within a series that is beyond this level and large enough to matter, if there is one.
pub fn moved(series: &[f64], level: f64) -> Option<cusum::Split> {
    let split = cusum::strongest_split(series)?;
    let matters = split.statistic > level && (split.ratio - 1.0).abs() > HARMLESS_CHANGE;
    matters.then_some(split)
}

/// How many values at the beginning of a series belong to its warm-up, by MSER-5.
///
/// Of the batches of five, as many are cut as make the standard error of the mean of the rest smallest. `None` where
/// that would cut more than half: the series has not settled. Source: K. P. White, "An effective truncation heuristic
/// for bias reduction in simulation output" (1997); batches of five and the half after White, Cobb and Spratt (2000).
pub fn mser5(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> = series.chunks_exact(BATCH).filter_map(moments::mean).collect();
    let centre = moments::mean(&batches)?;
    let mut best: Option<(usize, f64)> = None;
    let (mut sum, mut squares, mut kept) = (0.0, 0.0, 0.0);
    let last = batches.len().saturating_sub(BATCH);
    for (cut, batch) in batches.iter().enumerate().rev() {
        let off = batch - centre;
        sum += off;
        squares += off * off;
        kept += 1.0;
        let score = (squares - sum * sum / kept).max(0.0) / (kept * kept);
        // The last few batches alone are alike by chance.
        if cut <= last && best.is_none_or(|(_, least)| score <= least) {
            best = Some((cut, score));
        }
    }
    let (cut, _) = best?;
    (real(cut) <= real(batches.len()) / 2.0).then_some(cut * BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::series;

    /// Cold at first: each value is larger by this, dying out over `over` values.
    fn warming(seed: u64, size: usize, excess: f64, over: f64) -> Vec<f64> {
        let values = series::noise(seed, size).into_iter().enumerate();
        values
            .map(|(at, value)| value + excess * (-real(at) / over).exp())
            .collect()
    }

    #[test]
    fn mser_cuts_the_warm_up_and_little_else() {
        let step: Vec<f64> = (0..100)
            .map(|at| if at < 20 { 50.0 } else { 10.0 + f64::from(at % 3) })
            .collect();
        assert_eq!(mser5(&step), Some(20));
        assert_eq!(mser5(&[7.0; 60]), Some(0));
        let late: Vec<f64> = (0..100)
            .map(|at| if at < 70 { 50.0 } else { 10.0 + f64::from(at % 3) })
            .collect();
        assert_eq!(mser5(&late), None, "the larger part is warm-up");
    }

    #[test]
    fn a_steady_server_is_called_steady_nearly_always() {
        for size in [40, 100, 400] {
            let calls = (0..200).filter(|seed| {
                let (ttft, tpot) = (series::noise(*seed, size), series::noise(seed + 1000, size));
                is_steady(&ttft, &tpot).is_steady()
            });
            let share = real(calls.count()) / 200.0;
            assert!(share > 0.8, "{size} values: {share}");
        }
    }

    #[test]
    fn a_server_that_still_warms_up_is_not_steady() {
        let falling = (0..200).filter(|seed| is_steady(&warming(*seed, 100, 60.0, 80.0), &[]).is_steady());
        let share = real(falling.count()) / 200.0;
        assert!(share < 0.05, "{share}");
    }

    #[test]
    fn a_warm_up_in_the_first_half_does_not_last() {
        let settled = (0..200).filter(|seed| match is_steady(&warming(*seed, 200, 60.0, 10.0), &[]) {
            Steadiness::Steady { after } => (20..=100).contains(&after),
            _ => false,
        });
        let share = real(settled.count()) / 200.0;
        assert!(share > 0.7, "{share}");
    }

    #[test]
    fn too_few_requests_settle_nothing() {
        assert_eq!(is_steady(&[], &[]), Steadiness::TooFew);
        assert_eq!(is_steady(&series::noise(1, 31), &[]), Steadiness::TooFew);
        let mut mostly_failed = series::noise(1, 60);
        mostly_failed
            .iter_mut()
            .skip(10)
            .for_each(|value| *value = f64::INFINITY);
        assert_eq!(is_steady(&mostly_failed, &[]), Steadiness::TooFew);
        let steady = vec![10.0; 60];
        assert_eq!(is_steady(&steady, &series::noise(1, 10)), Steadiness::TooFew);
        assert_eq!(is_steady(&steady, &[]), Steadiness::Steady { after: 0 });
    }
}

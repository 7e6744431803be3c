//! Numbers as other tools write them, as perfgate keeps them: seconds as nanoseconds, dates as seconds since 1970, gaps in bins.

use crate::{session::GapCounts, stats::calendar::days_since_1970};

/// Whole numbers up to here are exact in every program that reads JSON.
const MAX_NS: f64 = 9_007_199_254_740_992.0;
/// So many different gaps are kept to the nanosecond; beyond, four digits must do.
const EXACT_GAPS: usize = 20_000;

/// Seconds as whole nanoseconds; `None` of what is negative, no number, or beyond 2^53.
pub(super) fn ns_of_s(seconds: f64) -> Option<u64> {
    whole_ns(seconds * 1e9)
}

/// The same of milliseconds.
pub(super) fn ns_of_ms(ms: f64) -> Option<u64> {
    whole_ns(ms * 1e6)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 2^53, checked just before"
)]
fn whole_ns(ns: f64) -> Option<u64> {
    // Differences of clocks come out a hair below zero.
    let ns = if ns > -0.5 { ns.max(0.0) } else { ns };
    (0.0..=MAX_NS).contains(&ns).then(|| ns.round() as u64)
}

/// A count that some tools write as `40.0`; `None` of what is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 2^53, checked just before"
)]
pub(super) fn count(number: f64) -> Option<u64> {
    let is_count = (0.0..=MAX_NS).contains(&number) && number.fract().abs() < 1e-9;
    is_count.then(|| number.round() as u64)
}

/// The same where more than 2^32 cannot be.
pub(super) fn count_u32(number: f64) -> Option<u32> {
    count(number).and_then(|count| u32::try_from(count).ok())
}

/// Gaps between chunks, pooled over a run.
#[derive(Default)]
pub(super) struct Gaps(Vec<u64>);

impl Gaps {
    /// One more.
    pub(super) fn push(&mut self, gap_ns: u64) {
        self.0.push(gap_ns);
    }

    /// Counted, rising.
    pub(super) fn counts(mut self) -> GapCounts {
        self.0.sort_unstable();
        let exact = bins(self.0.iter().copied());
        if exact.len() <= EXACT_GAPS {
            return GapCounts { bins: exact };
        }
        drop(exact);
        GapCounts {
            bins: bins(self.0.iter().map(|gap_ns| four_digits(*gap_ns))),
        }
    }
}

fn bins(rising: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut bins: Vec<(u64, u64)> = Vec::new();
    for gap_ns in rising {
        match bins.last_mut() {
            Some((last, count)) if *last == gap_ns => *count += 1,
            _ => bins.push((gap_ns, 1)),
        }
    }
    bins
}

fn four_digits(ns: u64) -> u64 {
    let unit = 10_u64.pow(ns.checked_ilog10().unwrap_or(0).saturating_sub(3));
    (ns + unit / 2) / unit * unit
}

/// Seconds since 1970 of a date without a zone, taken as UTC: `20261121-224312`, `2026-11-21T22:47:04.804338`, with or without an
/// offset at its end.
pub(super) fn unix_s(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let days = days_since_1970(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
    let time = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let in_range = (0..24).contains(&time.0) && (0..60).contains(&time.1) && (0..=60).contains(&time.2);
    let local = days * 86_400 + time.0 * 3600 + time.1 * 60 + time.2;
    in_range.then(|| u64::try_from(local - offset_s(text)).ok())?
}

/// `+02:00` or `-0730` at the end of a time.
fn offset_s(text: &str) -> i64 {
    let Some((_, time)) = text.split_once(['T', ' ']) else {
        return 0;
    };
    let Some(at) = time.rfind(['+', '-']) else { return 0 };
    let digits: String = time
        .get(at..)
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let part = |from: usize| {
        digits
            .get(from..from + 2)
            .and_then(|two| two.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let seconds = part(0) * 3600 + part(2) * 60;
    if time.get(at..).is_some_and(|rest| rest.starts_with('-')) {
        -seconds
    } else {
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_counts_that_cannot_be_are_none() {
        assert_eq!(ns_of_s(0.032_517_809_5), Some(32_517_810));
        assert_eq!(ns_of_ms(1_019.573_01), Some(1_019_573_010));
        for bad in [-1e-3, f64::NAN, f64::INFINITY, 1e8] {
            assert_eq!(ns_of_s(bad), None, "{bad}");
        }
        assert_eq!(
            (count(40.0), count(40.5), count(-1.0), count(f64::NAN)),
            (Some(40), None, None, None)
        );
        assert_eq!(count_u32(5e9), None);
    }

    #[test]
    fn dates_are_read_with_and_without_an_offset() {
        for (text, expected) in [
            ("20261121-224312", Some(1_795_300_992)),
            ("2026-11-21T22:43:12.804338", Some(1_795_300_992)),
            ("2026-11-21T22:43:12Z", Some(1_795_300_992)),
            ("2026-11-22T00:43:12+02:00", Some(1_795_300_992)),
            ("1970-01-01 00:00:00", Some(0)),
            ("2026-13-21T22:43:12", None),
            ("soon", None),
        ] {
            assert_eq!(unix_s(text), expected, "{text}");
        }
    }

    #[test]
    fn few_gaps_are_exact_and_many_have_four_digits() {
        let mut few = Gaps::default();
        for gap in [30_123_457, 10, 30_123_457] {
            few.push(gap);
        }
        assert_eq!(few.counts().bins, [(10, 1), (30_123_457, 2)]);
        let mut many = Gaps::default();
        (0..100_000).for_each(|gap| many.push(10_000_000 + gap * 3));
        let bins = many.counts().bins;
        assert!(bins.len() < 100, "{}", bins.len());
        assert_eq!(bins.iter().map(|(_, count)| count).sum::<u64>(), 100_000);
        assert!(bins.is_sorted_by(|one, next| one.0 < next.0));
    }
}

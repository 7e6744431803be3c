//! Text of numbers in tables; percents and p values as the sentences of `verdict::wording` have them.
//!
//! Between a number and its unit stands a no-break space, so that no renderer breaks a line there.

use crate::{
    metric::{Better, Metric},
    verdict::{
        Bound,
        wording::{self, grouped, signed},
    },
};

/// No-break space: between a number and its unit.
pub(super) const SPACE: char = '\u{a0}';
const SECONDS_PER_DAY: u64 = 86_400;

/// How all values of one row are written: one unit and one number of decimals, so that they compare at a glance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    factor: f64,
    unit: &'static str,
    decimals: usize,
}

impl Scale {
    /// The scale for these values of one metric; values that are not finite do not count.
    pub(super) fn of(metric: Metric, values: impl IntoIterator<Item = f64>) -> Self {
        let sizes: Vec<f64> = values
            .into_iter()
            .map(f64::abs)
            .filter(|v| v.is_finite() && *v > 0.0)
            .collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let smallest = sizes.iter().copied().fold(largest, f64::min);
        let (factor, unit) = unit_for(metric.unit(), smallest, largest);
        Self {
            factor,
            unit,
            decimals: if unit == "requests" {
                0
            } else {
                decimals(smallest * factor, largest * factor)
            },
        }
    }

    /// The unit that stands beside the numbers.
    pub(super) fn unit(self) -> &'static str {
        self.unit
    }

    /// The number alone.
    pub(super) fn number(self, value: f64) -> String {
        if !value.is_finite() {
            return "not a number".into();
        }
        signed(value * self.factor, self.decimals, false)
    }

    /// Number and unit.
    pub(super) fn with_unit(self, value: f64) -> String {
        match self.unit {
            "" => self.number(value),
            unit => format!("{}{SPACE}{unit}", self.number(value)),
        }
    }

    /// A round value of an axis without idle zeros, and its unit.
    pub(super) fn round_with_unit(self, value: f64) -> String {
        if !value.is_finite() {
            return self.with_unit(value);
        }
        let text = signed(value * self.factor, 3, false);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        format!("{short}{SPACE}{}", self.unit)
    }
}

fn unit_for(unit: &'static str, smallest: f64, largest: f64) -> (f64, &'static str) {
    match unit {
        "ms" if smallest >= 1000.0 || largest >= 10_000.0 => (0.001, "s"),
        "ms" if largest > 0.0 && largest < 0.1 => (1000.0, "µs"),
        "GB" if largest > 0.0 && largest < 0.1 => (1000.0, "MB"),
        "fraction" => (100.0, "%"),
        same => (1.0, same),
    }
}

/// Three to four significant digits for the largest, at least two for the smallest, never more than four decimals.
fn decimals(smallest: f64, largest: f64) -> usize {
    let for_largest = match largest {
        0.0 => 0,
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let for_smallest = match smallest {
        0.0 => 0,
        v if v >= 10.0 => 0,
        v if v >= 1.0 => 1,
        v if v >= 0.1 => 2,
        v if v >= 0.01 => 3,
        _ => 4,
    };
    for_largest.max(for_smallest)
}

/// A value with its unit, on its own.
pub fn figure(metric: Metric, value: f64) -> String {
    Scale::of(metric, [value]).with_unit(value)
}

/// A fraction as signed percent with one decimal (`+12.1 %`).
pub(super) fn percent(fraction: f64) -> String {
    unbroken(&wording::percent(fraction))
}

/// A fraction without direction as percent with one decimal (`1.4 %`).
pub(super) fn size(fraction: f64) -> String {
    percent(fraction.abs()).replace('+', "")
}

/// An interval of fractions (`+11.0 … +13.2 %`).
pub(super) fn interval(ends: (f64, f64)) -> String {
    unbroken(&wording::interval(ends))
}

/// A change in the metric's unit (`+55 ms`).
pub(super) fn difference(metric: Metric, by: f64) -> String {
    unbroken(&wording::difference(metric, by))
}

/// Its interval (`+35 … +75 ms`).
pub(super) fn difference_interval(metric: Metric, ends: (f64, f64)) -> String {
    unbroken(&wording::difference_interval(metric, ends))
}

/// A limit with its side (`≤ +5.0 %` where lower is better).
pub(super) fn limit(metric: Metric, limit: Bound) -> String {
    let text = wording::bound(metric, limit);
    let side = match (limit, metric.better()) {
        (Bound::Value(_) | Bound::NoMoreFailures, _) => return unbroken(&text),
        (_, Better::Lower) => '≤',
        (_, Better::Higher) => '≥',
    };
    unbroken(&format!("{side} {text}"))
}

/// A p-value (`0.031`, `< 0.0001`).
pub(super) fn p_value(p: f64) -> String {
    unbroken(&wording::bare_p_value(p))
}

/// The same text in one piece.
fn unbroken(text: &str) -> String {
    text.replace(' ', &SPACE.to_string())
}

/// A count with its noun (`1 run`, `5 runs`).
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{}{SPACE}{noun}{plural}", grouped(&number.to_string()))
}

/// Seconds since 1970 as UTC (`2026-11-22 00:46 UTC`).
pub(super) fn utc_time(unix_s: u64) -> String {
    let second = unix_s % SECONDS_PER_DAY;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{} {hour:02}:{minute:02} UTC", utc_day(unix_s))
}

/// The same as programs read it (`2026-11-22T00:46:05Z`).
pub(super) fn utc_stamp(unix_s: u64) -> String {
    let second = unix_s % SECONDS_PER_DAY;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{}T{hour:02}:{minute:02}:{:02}Z", utc_day(unix_s), second % 60)
}

/// Seconds since 1970 as a day in UTC (`2026-11-22`).
pub(super) fn utc_day(unix_s: u64) -> String {
    let (year, month, day) = civil_date(unix_s / SECONDS_PER_DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds as minutes, and hours where there are some (`0:42`, `1:02:03`).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates"
)]
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Year, month, day from days since 1970-01-01.
///
/// Source: Howard Hinnant, `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metric::Percentile::P95, verdict::wording::THIN};

    fn plain(text: &str) -> String {
        text.replace([SPACE, THIN], " ")
    }

    #[test]
    fn both_arms_of_a_row_share_unit_and_decimals() {
        let cases = [
            (Metric::Ttft(P95), 182.04, 207.9, "182.0 ms", "207.9 ms"),
            (Metric::Ttft(P95), 98.7, 103.1, "98.7 ms", "103.1 ms"),
            (Metric::Tpot(P95), 11.416, 12.789, "11.42 ms", "12.79 ms"),
            (Metric::E2e(P95), 9_140.0, 9_600.0, "9.14 s", "9.60 s"),
            (Metric::E2e(P95), 900.0, 12_500.0, "0.90 s", "12.50 s"),
            (Metric::Itl(P95), 0.0512, 0.06, "51.20 µs", "60.00 µs"),
            (
                Metric::OutputTokensPerS,
                2410.4,
                12_395.0,
                "2410 tokens/s",
                "12 395 tokens/s",
            ),
            (Metric::ErrorRate, 0.0, 0.021, "0.00 %", "2.10 %"),
            (Metric::GpuMemoryPeakGb, 61.21, 58.04, "61.21 GB", "58.04 GB"),
            (Metric::GpuMemoryPeakGb, 0.061, 0.058, "61.00 MB", "58.00 MB"),
            (Metric::Completed, 1000.0, 998.0, "1000 requests", "998 requests"),
            (Metric::Failed, 0.0, 0.0, "0 requests", "0 requests"),
        ];
        for (metric, baseline, candidate, left, right) in cases {
            let scale = Scale::of(metric, [baseline, candidate]);
            assert_eq!(
                plain(&scale.with_unit(baseline)).as_str(),
                left,
                "{metric} {baseline} {candidate}"
            );
            assert_eq!(
                plain(&scale.with_unit(candidate)).as_str(),
                right,
                "{metric} {baseline} {candidate}"
            );
        }
    }

    #[test]
    fn a_change_is_signed_percent_with_one_decimal_and_a_real_minus() {
        for (fraction, text) in [
            (0.121, "+12.1 %"),
            (-0.03, "−3.0 %"),
            (0.0, "0.0 %"),
            (-0.0001, "0.0 %"),
            (130.0, "+13 000.0 %"),
            (f64::NAN, "not a number %"),
        ] {
            assert_eq!(plain(&percent(fraction)), text);
        }
        assert_eq!(plain(&size(0.014)), "1.4 %");
        assert_eq!(plain(&interval((0.11, 0.132))), "+11.0 … +13.2 %");
        assert_eq!(plain(&interval((-0.02, 0.007))), "−2.0 … +0.7 %");
    }

    #[test]
    fn a_limit_says_which_side_is_harmless() {
        assert_eq!(plain(&limit(Metric::Tpot(P95), Bound::Relative(0.05))), "≤ +5.0 %");
        assert_eq!(
            plain(&limit(Metric::OutputTokensPerS, Bound::Relative(-0.05))),
            "≥ −5.0 %"
        );
        assert_eq!(plain(&limit(Metric::Tpot(P95), Bound::Absolute(50.0))), "≤ +50 ms");
        assert_eq!(
            plain(&limit(Metric::OutputTokensPerS, Bound::Value(500.0))),
            "≥ 500 tokens/s"
        );
    }

    #[test]
    fn a_p_value_is_never_written_as_zero() {
        for (p, text) in [
            (0.0, "< 0.0001"),
            (0.000_99, "0.0010"),
            (0.0314, "0.031"),
            (1.0, "1.000"),
        ] {
            assert_eq!(plain(&p_value(p)), text);
        }
    }

    #[test]
    fn unix_seconds_become_a_civil_date() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00 UTC"),
            (1_795_308_360, "2026-11-22 00:46 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc_time(unix_s), text);
        }
        utc_time(u64::MAX);
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_so() {
        let scale = Scale::of(Metric::Qps, [f64::NAN, 1.5]);
        assert_eq!(scale.number(f64::INFINITY), "not a number");
        assert_eq!(scale.number(1.5), "1.50");
    }
}

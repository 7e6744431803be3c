//! Text of percents and p values: sentences take it as it is, `render`'s tables make its spaces no-break ones.

use super::Bound;
use crate::metric::{Better, Metric};

const MINUS: char = '\u{2212}';
/// Narrow no-break space: groups of three digits from 10 000 on.
pub(crate) const THIN: char = '\u{202f}';

/// A signed change in percent with one decimal (`+12.1 %`, `−3.0 %`, `0.0 %`).
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", bare_percent(fraction))
}

/// The same of both ends (`+11.0 … +13.2 %`).
pub(crate) fn interval((low, high): (f64, f64)) -> String {
    format!("{} … {}", bare_percent(low), percent(high))
}

/// A signed limit: one decimal, two where the limit has two (`+5.0 %`, `−2.25 %`).
pub(crate) fn limit(fraction: f64) -> String {
    if !fraction.is_finite() {
        return percent(fraction);
    }
    let digits = signed(fraction * 100.0, 2, true);
    format!("{} %", digits.strip_suffix('0').unwrap_or(&digits))
}

/// What a check is held against (`+5.0 %`, `+50 ms`, `≤ 2000 ms`, `≥ 99.5 %`).
pub(crate) fn bound(metric: Metric, bound: Bound) -> String {
    match bound {
        Bound::Relative(change) => limit(change),
        Bound::Absolute(size) => {
            let (factor, unit) = unit_of_change(metric);
            with(&plain(size * factor, true), unit)
        }
        Bound::Value(value) => {
            let side = match metric.better() {
                Better::Lower => '≤',
                Better::Higher => '≥',
            };
            let (factor, unit) = unit_of_value(metric);
            format!("{side} {}", with(&plain(value * factor, false), unit))
        }
        Bound::NoMoreFailures if metric == Metric::ErrorRate => "no more failures".into(),
        Bound::NoMoreFailures => "no more SLO misses".into(),
    }
}

/// A value of a metric (`55.2 ms`, `99.5 %`).
pub(crate) fn value(metric: Metric, value: f64) -> String {
    match unit_of_value(metric) {
        (_, "%") if metric.unit() == FRACTION => share(value),
        (_, unit) => with(&amount(value, false), unit),
    }
}

/// Both ends of values of a metric (`19.8 … 20.1 ms`).
pub(crate) fn interval_of_values(metric: Metric, (low, high): (f64, f64)) -> String {
    let end = value(metric, high);
    match unit_of_value(metric) {
        (_, "%") if metric.unit() == FRACTION => format!("{} … {end}", share(low).trim_end_matches(" %")),
        _ => format!("{} … {end}", amount(low, false)),
    }
}

/// A value that is known to the last digit (`80.01 GB`).
pub(crate) fn exact(metric: Metric, value: f64) -> String {
    let (factor, unit) = unit_of_value(metric);
    with(&plain(value * factor, false), unit)
}

/// A change in a metric's unit (`+55 ms`, `−3 points` of a share).
pub(crate) fn difference(metric: Metric, by: f64) -> String {
    let (factor, unit) = unit_of_change(metric);
    with(&amount(by * factor, true), unit)
}

/// Its interval (`+35 … +75 ms`).
pub(crate) fn difference_interval(metric: Metric, (low, high): (f64, f64)) -> String {
    let (factor, _) = unit_of_change(metric);
    format!("{} … {}", amount(low * factor, true), difference(metric, high))
}

/// A number and its unit; a series that is gated by name may have none.
fn with(number: &str, unit: &str) -> String {
    match unit {
        "" => number.to_owned(),
        unit => format!("{number} {unit}"),
    }
}

const FRACTION: &str = "fraction";

/// People read shares in percent.
fn unit_of_value(metric: Metric) -> (f64, &'static str) {
    match metric.unit() {
        FRACTION => (100.0, "%"),
        unit => (1.0, unit),
    }
}

/// A share that falls by three points does not fall by 3 %.
fn unit_of_change(metric: Metric) -> (f64, &'static str) {
    match metric.unit() {
        FRACTION => (100.0, "points"),
        "%" => (1.0, "points"),
        unit => (1.0, unit),
    }
}

/// A number with at most four decimals, none of them a closing zero.
fn plain(value: f64, plus: bool) -> String {
    if !value.is_finite() {
        return "not a number".into();
    }
    let digits = signed(value, 4, plus);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A value with about three digits (`55.2`, `1234`, `+0.012`).
pub(crate) fn amount(value: f64, plus: bool) -> String {
    if !value.is_finite() {
        return "not a number".into();
    }
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let digits = signed(value, decimals, plus);
    if digits.contains('.') {
        return digits.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    digits
}

/// A share without sign (`90 %`, `99.5 %`, `1 %`); what is near nothing or all, and is not, has more decimals.
pub(crate) fn share(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let is_end = fraction <= 0.0 || fraction >= 1.0;
    let digits = (2..6).map(|decimals| format!("{percent:.decimals$}"));
    let mut told = digits.map(|digits| digits.trim_end_matches('0').trim_end_matches('.').to_owned());
    let digits = told.find(|digits| is_end || !matches!(digits.as_str(), "0" | "100"));
    match digits {
        Some(digits) => format!("{digits} %"),
        None if fraction < 0.5 => "less than 0.00001 %".into(),
        None => "more than 99.9999 %".into(),
    }
}

/// A clause as the beginning of a sentence.
pub(crate) fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    first.map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A level that p values are held against (`0.01`, `0.0034`).
pub(crate) fn level(level: f64) -> String {
    let digits = format!("{level:.4}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How many more of something (`1 more pair`, `3 more pairs`).
pub(crate) fn count_more(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} more {noun}{plural}")
}

/// The size of a change without its sign (`12.1 %`).
pub(crate) fn size(fraction: f64) -> String {
    percent(fraction.abs()).trim_start_matches('+').to_owned()
}

/// A p value inside a sentence (`p 0.003`, `p < 0.0001`).
pub(crate) fn p_value(p: f64) -> String {
    format!("p {}", bare_p_value(p))
}

/// A p value (`0.031`, `0.0004`, `< 0.0001`).
pub(crate) fn bare_p_value(p: f64) -> String {
    if !p.is_finite() {
        "not a number".into()
    } else if p < 0.0001 {
        "< 0.0001".into()
    } else if p < 0.001 {
        format!("{p:.4}")
    } else {
        signed(p, 3, false)
    }
}

/// The confidence that belongs to a p value (`97 % sure`).
pub(crate) fn sure(p: f64) -> String {
    let percent = (1.0 - p) * 100.0;
    match percent {
        percent if percent > 99.9 => "more than 99.9 % sure".into(),
        percent if percent > 99.0 => format!("{:.1} % sure", (percent * 10.0).floor() / 10.0),
        percent => format!("{:.0} % sure", percent.floor()),
    }
}

/// A count with its noun (`1 run`, `3 runs`).
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn bare_percent(fraction: f64) -> String {
    if fraction.is_finite() {
        signed(fraction * 100.0, 1, true)
    } else {
        "not a number".into()
    }
}

/// From here on numbers have an exponent: no measured figure is as large, and written out one is as long as a page is wide.
const HUGE: f64 = 1e15;

/// A number with its sign as a real minus, thousands apart from 10 000 on; what rounds to zero has no sign.
pub(crate) fn signed(value: f64, decimals: usize, plus: bool) -> String {
    let digits = if value.abs() < HUGE {
        format!("{:.decimals$}", value.abs())
    } else {
        format!("{:.3e}", value.abs())
    };
    let is_zero = digits.chars().all(|sign| matches!(sign, '0' | '.'));
    let sign = match (is_zero, value < 0.0, plus) {
        (true, _, _) | (false, false, false) => String::new(),
        (false, true, _) => MINUS.to_string(),
        (false, false, true) => "+".into(),
    };
    format!("{sign}{}", grouped(&digits))
}

/// Digits in groups of three from 10 000 on.
pub(crate) fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    if whole.len() < 5 {
        return digits.to_owned();
    }
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(THIN);
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_in_percent_and_its_change_in_points() {
        let (share, busy) = (Metric::SloAttainment, Metric::GpuUtilizationPct);
        for (found, expected) in [
            (bound(share, Bound::Value(1.0)), "≥ 100 %"),
            (bound(share, Bound::Value(0.995)), "≥ 99.5 %"),
            (bound(share, Bound::Absolute(-0.03)), "−3 points"),
            (bound(share, Bound::Relative(-0.03)), "−3.0 %"),
            (bound(busy, Bound::Absolute(-5.0)), "−5 points"),
            (bound(busy, Bound::Value(80.0)), "≥ 80 %"),
            (bound(Metric::GpuMemoryPeakGb, Bound::Value(80.0)), "≤ 80 GB"),
            (value(share, 0.998), "99.8 %"),
            (value(Metric::GpuMemoryPeakGb, 80.0), "80 GB"),
            (difference(share, -0.025), "−2.5 points"),
            (difference(Metric::GpuMemoryPeakGb, 2.0), "+2 GB"),
            (difference_interval(share, (-0.04, 0.01)), "−4 … +1 points"),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn numbers_read_like_this() {
        for (fraction, expected) in [
            (0.121, "+12.1 %"),
            (-0.0003, "0.0 %"),
            (-0.0006, "−0.1 %"),
            (0.0, "0.0 %"),
            (0.00997, "+1.0 %"),
            (1.5, "+150.0 %"),
            (f64::NAN, "not a number %"),
        ] {
            assert_eq!(percent(fraction), expected);
        }
        assert_eq!(interval((-0.01, 0.132)), "−1.0 … +13.2 %");
        for (fraction, expected) in [(0.05, "+5.0 %"), (-0.05, "−5.0 %"), (0.0225, "+2.25 %"), (0.0, "0.0 %")] {
            assert_eq!(limit(fraction), expected);
        }
        for (p, expected) in [
            (0.00001, "p < 0.0001"),
            (0.000_42, "p 0.0004"),
            (0.00312, "p 0.003"),
            (0.5, "p 0.500"),
        ] {
            assert_eq!(p_value(p), expected);
        }
        assert_eq!(size(-0.121), "12.1 %");
        for (fraction, expected) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.9, "90 %"),
            (0.995, "99.5 %"),
            (0.999_96, "99.996 %"),
            (0.000_02, "0.002 %"),
            (1e-9, "less than 0.00001 %"),
        ] {
            assert_eq!(share(fraction), expected);
        }
        for (p, expected) in [
            (0.00001, "more than 99.9 % sure"),
            (0.0331, "96 % sure"),
            (0.0041, "99.5 % sure"),
        ] {
            assert_eq!(sure(p), expected);
        }
        assert_eq!(
            (count(1, "run"), count(2, "run")),
            ("1 run".to_owned(), "2 runs".to_owned())
        );
    }
}

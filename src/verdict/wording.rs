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

/// What a check is held against (`+5.0 %`, `+50 ms`, `≤ 2000 ms`).
pub(crate) fn bound(metric: Metric, bound: Bound) -> String {
    let unit = metric.unit();
    match bound {
        Bound::Relative(change) => limit(change),
        Bound::Absolute(size) => format!("{} {unit}", plain(size, true)),
        Bound::Value(value) => {
            let side = match metric.better() {
                Better::Lower => '≤',
                Better::Higher => '≥',
            };
            format!("{side} {} {unit}", plain(value, false))
        }
        Bound::NoMoreFailures => "no more failures".into(),
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

/// A share without sign, as it was configured (`90 %`, `99.5 %`, `1 %`).
pub(crate) fn share(fraction: f64) -> String {
    let digits = format!("{:.2}", fraction * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
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
        format!("{p:.3}")
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

/// A number with its sign as a real minus, thousands apart from 10 000 on; what rounds to zero has no sign.
pub(crate) fn signed(value: f64, decimals: usize, plus: bool) -> String {
    let digits = format!("{:.decimals$}", value.abs());
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

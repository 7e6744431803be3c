//! Text of numbers inside sentences; tables have `render`'s.

/// A signed change in percent (`+12.1 %`, `−0.03 %`): one decimal, two below 1 %, none from 100 %.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", signed(fraction))
}

/// The same of both ends (`+11.0 … +13.2 %`).
pub(crate) fn interval((low, high): (f64, f64)) -> String {
    format!("{} … {} %", signed(low), signed(high))
}

/// A signed limit without superfluous zeros (`+5 %`, `−2.5 %`).
pub(crate) fn limit(fraction: f64) -> String {
    let digits = format!("{:.2}", (fraction * 100.0).abs());
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{}{digits} %", sign(fraction))
}

/// The size of a change without its sign (`12.1 %`).
pub(crate) fn size(fraction: f64) -> String {
    format!("{} %", digits(fraction))
}

/// A p value (`p 0.0031`, `p < 0.0001`).
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "p < 0.0001".into(),
        p if p < 0.01 => format!("p {p:.4}"),
        p => format!("p {p:.2}"),
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

fn signed(fraction: f64) -> String {
    let digits = digits(fraction);
    // What rounds to nothing has no direction.
    let sign = if digits == "0.00" { "±" } else { sign(fraction) };
    format!("{sign}{digits}")
}

fn sign(fraction: f64) -> &'static str {
    if fraction < 0.0 { "−" } else { "+" }
}

fn digits(fraction: f64) -> String {
    match (fraction * 100.0).abs() {
        percent if percent >= 99.95 => format!("{percent:.0}"),
        percent if percent >= 0.995 => format!("{percent:.1}"),
        percent => format!("{percent:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_this() {
        for (fraction, expected) in [
            (0.121, "+12.1 %"),
            (-0.0003, "−0.03 %"),
            (0.0, "±0.00 %"),
            (0.00997, "+1.0 %"),
            (1.5, "+150 %"),
            (-0.9996, "−100 %"),
        ] {
            assert_eq!(percent(fraction), expected);
        }
        assert_eq!(interval((-0.01, 0.132)), "−1.0 … +13.2 %");
        for (fraction, expected) in [(0.05, "+5 %"), (-0.05, "−5 %"), (0.025, "+2.5 %"), (0.1, "+10 %")] {
            assert_eq!(limit(fraction), expected);
        }
        for (p, expected) in [(0.00001, "p < 0.0001"), (0.00312, "p 0.0031"), (0.5, "p 0.50")] {
            assert_eq!(p_value(p), expected);
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

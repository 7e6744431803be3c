//! Times in traces to whole nanoseconds.

use crate::stats::calendar::days_since_1970;

/// What a `timestamp` of JSON counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    /// As Mooncake has it.
    Milliseconds,
    Microseconds,
    Nanoseconds,
    /// It is a date.
    Date,
}

/// A number of seconds since 1970 lies between these from 2001 to 5138; so many milliseconds are days, and no start.
const SECONDS_SINCE_1970: std::ops::Range<f64> = 1e9..1e11;
/// The same in microseconds, and in nanoseconds from there on.
const MICROSECONDS_SINCE_1970: std::ops::Range<f64> = 1e14..1e17;

impl Unit {
    /// By the first number of a file.
    pub(super) fn of(first: f64) -> Self {
        if SECONDS_SINCE_1970.contains(&first) {
            Self::Seconds
        } else if MICROSECONDS_SINCE_1970.contains(&first) {
            Self::Microseconds
        } else if first >= MICROSECONDS_SINCE_1970.end {
            Self::Nanoseconds
        } else {
            Self::Milliseconds
        }
    }

    /// How many nanoseconds one of these is.
    const fn in_ns(self) -> i32 {
        match self {
            Self::Seconds | Self::Date => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1000,
            Self::Nanoseconds => 1,
        }
    }

    /// Its name, where it is another than the format's own.
    pub(super) fn unusual(self) -> Option<&'static str> {
        match self {
            Self::Milliseconds | Self::Date => None,
            Self::Seconds => Some("seconds"),
            Self::Microseconds => Some("microseconds"),
            Self::Nanoseconds => Some("nanoseconds"),
        }
    }
}

/// A number of a unit to nanoseconds; whole ones are exact, also of milliseconds since 1970.
///
/// # Errors
/// The number is not finite, below zero, or beyond the year 2262.
#[expect(clippy::cast_possible_truncation, reason = "looked at: below the largest i64")]
pub(super) fn nanoseconds(unit: Unit, number: f64, key: &str) -> Result<i64, String> {
    let in_ns = unit.in_ns();
    // A double has no room for all digits of nanoseconds since 1970.
    if (0.0..9.2e18).contains(&(number * f64::from(in_ns))) {
        let rest_ns = (number.fract() * f64::from(in_ns)).round();
        Ok(number.trunc() as i64 * i64::from(in_ns) + rest_ns as i64)
    } else {
        Err(format!("`{key}` is out of range; give a time from 0 on"))
    }
}

/// A date as Azure writes it (`2023-11-16 18:15:46.6805900`, `2024-05-10 00:00:00.009930+00:00`) since 1970 UTC.
///
/// # Errors
/// It is no such date.
pub(super) fn date_ns(text: &str, key: &str) -> Result<i64, String> {
    read_date(text.trim()).ok_or_else(|| format!("`{key}` is `{text}`; give a date like `2023-11-16 18:15:46.6805900`"))
}

fn read_date(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let (clock, offset_s) = split_offset(rest)?;
    let [year, month, day] = numbers(date, '-')?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [hour, minute, second] = numbers(whole, ':')?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction_ns(fraction)?)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// The time without its offset from UTC, and that offset in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let Some((clock, offset)) = text.find(['+', '-']).and_then(|at| text.split_at_checked(at)) else {
        return Some((text, 0));
    };
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let offset = offset.trim_start_matches(['+', '-']);
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "0"));
    Some((clock, sign * (digits(hours)? * 3600 + digits(minutes)? * 60)))
}

fn fraction_ns(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_fractions_and_offsets() {
        let cases = [
            ("1970-01-01 00:00:00", 0),
            ("2023-11-16 18:15:46.6805900", 1_700_158_546_680_590_000),
            ("2024-05-10 00:00:00.009930+00:00", 1_715_299_200_009_930_000),
            ("2024-05-10T02:00:00+02:00", 1_715_299_200_000_000_000),
            ("2024-02-29 12:00:00Z", 1_709_208_000_000_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(date_ns(text, "t"), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_says_how_one_looks() {
        for text in [
            "",
            "yesterday",
            "2024-13-01 00:00:00",
            "2023-02-29 00:00:00",
            "2024-02-30 00:00:00",
            "2024-06-31 00:00:00",
            "2024-01-01",
            "2024-01-01 25:00:00",
            "2024-01-01 1:2",
        ] {
            let problem = date_ns(text, "t").unwrap_err();
            assert!(problem.contains("give a date like"), "{problem}");
        }
    }

    #[test]
    fn the_first_number_tells_what_is_counted() {
        for (first, unit) in [
            (0.0, Unit::Milliseconds),
            (999_999_999.0, Unit::Milliseconds),
            (1e9, Unit::Seconds),
            (1_700_000_000.5, Unit::Seconds),
            (1e11, Unit::Milliseconds),
            (1_700_000_000_000.0, Unit::Milliseconds),
            (1_700_000_000_000_000.0, Unit::Microseconds),
            (1_700_000_000_000_000_000.0, Unit::Nanoseconds),
        ] {
            assert_eq!(Unit::of(first), unit, "{first}");
        }
    }

    #[test]
    fn seconds_must_be_a_time() {
        assert_eq!(nanoseconds(Unit::Seconds, 1.5, "t"), Ok(1_500_000_000));
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert!(nanoseconds(Unit::Seconds, seconds, "t").is_err(), "{seconds}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_however_long_ago_they_begin() {
        for (unit, number, expected) in [
            (Unit::Milliseconds, 1_700_000_000_051.0, 1_700_000_000_051_000_000),
            (Unit::Microseconds, 1_700_000_000_000_051.0, 1_700_000_000_000_051_000),
            (Unit::Milliseconds, 0.25, 250_000),
        ] {
            assert_eq!(nanoseconds(unit, number, "t"), Ok(expected), "{number}");
        }
    }
}

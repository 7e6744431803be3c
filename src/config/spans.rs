//! Times as they are written: how long something may take, and limits on latencies.

use std::{borrow::Cow, marker::PhantomData, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::values::{Scalar, ScalarVisitor, scalar};

/// How long something may take; a bare number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// Longest timeout that is no slip of the pen.
const MAX_SPAN_S: f64 = 86_400.0;

impl Scalar for Span {
    const EXPECTS: &'static str = "a duration such as `10s`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let seconds = seconds(text).filter(|seconds| (0.001..=MAX_SPAN_S).contains(seconds));
        seconds
            .map(|seconds| Self(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a duration from 1 ms to 24 h; write `500ms`, `10s`, `2m` or seconds as a number"
                )
            })
    }
}

/// A number with its unit, or seconds without one.
fn seconds(text: &str) -> Option<f64> {
    let unit_at = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let units_a_second = match unit.trim() {
        "us" | "µs" | "μs" => 1e6,
        "ms" => 1e3,
        "" | "s" => 1.0,
        "m" | "min" => 1.0 / 60.0,
        "h" => 1.0 / 3600.0,
        _ => return None,
    };
    Some(digits.trim().parse::<f64>().ok()? / units_a_second)
}

/// A duration as it stands in the configuration (`500ms`, `10s`, `2m`, seconds as a number).
///
/// # Errors
/// A sentence on what is no duration from 1 ms to 24 h.
pub fn duration(text: &str) -> Result<Duration, String> {
    Span::read(text).map(|span| span.0)
}

scalar!([] Span, json_schema!({"anyOf": [
    {"type": "number", "minimum": 0.001, "maximum": 86_400},
    {"type": "string", "pattern": r"^[0-9.]+\s*(us|µs|μs|ms|s|m|min|h)?$"},
]}));

/// A time that may be none at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pause(pub(super) Duration);

impl Scalar for Pause {
    const EXPECTS: &'static str = "a duration such as `10s`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let seconds = seconds(text).filter(|seconds| (0.0..=MAX_SPAN_S).contains(seconds));
        seconds
            .map(|seconds| Self(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| {
                format!("`{text}` is not a duration from 0 to 24 h; write `500ms`, `10s`, `2m` or seconds as a number")
            })
    }
}

scalar!([] Pause, json_schema!({"anyOf": [
    {"type": "number", "minimum": 0, "maximum": 86_400},
    {"type": "string", "pattern": r"^[0-9.]+\s*(us|µs|μs|ms|s|m|min|h)?$"},
]}));

/// A limit on a latency, in milliseconds; a bare number is seconds. Unlike a timeout it may be below a millisecond: a
/// fast server writes a token in less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LimitMs(pub(super) f64);

impl Scalar for LimitMs {
    const EXPECTS: &'static str = "a latency such as `200ms`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let seconds = seconds(text).filter(|seconds| (1e-6..=MAX_SPAN_S).contains(seconds));
        // To whole nanoseconds, so that `0.07s` and `70ms` are one limit.
        let limit = seconds.map(|seconds| Self((seconds * 1e9).round() / 1e6));
        limit.ok_or_else(|| {
            format!("`{text}` is not a latency from 1 us to 24 h; write `2s`, `200ms`, `500us` or seconds as a number")
        })
    }
}

scalar!([] LimitMs, json_schema!({"anyOf": [
    {"type": "number", "minimum": 0.000_001, "maximum": 86_400},
    {"type": "string", "pattern": r"^[0-9.]+\s*(us|µs|μs|ms|s|m|min|h)?$"},
]}));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_their_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1.5", 1500),
            ("1h", 3_600_000),
        ] {
            assert_eq!(Span::read(text), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "s", "0", "-1s", "10 weeks", "1e99", "nan", "25h", "inf"] {
            assert!(Span::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_on_a_latency_may_be_below_a_millisecond() {
        for (text, ms) in [
            ("0.5ms", 0.5),
            ("500us", 0.5),
            ("500 µs", 0.5),
            ("1us", 0.001),
            ("70ms", 70.0),
            ("0.07", 70.0),
            ("0.07s", 70.0),
            ("2s", 2000.0),
            ("1m", 60_000.0),
            ("24h", 86_400_000.0),
        ] {
            assert_eq!(LimitMs::read(text), Ok(LimitMs(ms)), "{text}");
        }
        for text in ["", "0", "0.5us", "-1ms", "1ns", "25h", "nan", "ms"] {
            assert!(LimitMs::read(text).is_err(), "{text}");
        }
        assert!(Span::read("500us").is_err(), "a timeout is no limit");
    }
}

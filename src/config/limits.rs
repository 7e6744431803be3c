//! Limits as they are written: a share of the baseline, a difference in a unit, a ceiling; and how sure is sure.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::values::{Scalar, ScalarVisitor, fraction, lacks_percent, scalar};
use crate::metric::{Better, Metric};

/// Units that an amount may have, with what it is of the metric's own.
const UNITS: [(&str, &str, f64); 21] = [
    ("us", "ms", 0.001),
    ("µs", "ms", 0.001),
    ("ms", "ms", 1.0),
    ("s", "ms", 1000.0),
    ("ms", "s", 0.001),
    ("s", "s", 1.0),
    ("MB", "GB", 0.001),
    ("MiB", "GB", 0.001_048_576),
    ("GB", "GB", 1.0),
    ("GiB", "GB", 1.073_741_824),
    ("tokens/s", "tokens/s", 1.0),
    ("req/s", "req/s", 1.0),
    ("inputs/s", "inputs/s", 1.0),
    ("requests", "requests", 1.0),
    ("request", "requests", 1.0),
    ("W", "W", 1.0),
    ("J", "J", 1.0),
    ("points", "%", 1.0),
    ("points", "fraction", 0.01),
    ("%", "%", 1.0),
    ("%", "fraction", 0.01),
];

/// A number with its unit; without one it is in the unit of its metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Amount {
    value: f64,
    unit: &'static str,
    has_plus: bool,
}

impl Amount {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().replace('−', "-");
        let unit_at = text
            .find(|sign: char| sign.is_alphabetic() || sign == '%')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(unit_at);
        let unit = match unit.trim() {
            "" => "",
            unit => UNITS.iter().find(|(name, _, _)| *name == unit)?.0,
        };
        let value: f64 = digits.split_whitespace().collect::<String>().parse().ok()?;
        value.is_finite().then_some(Self {
            value,
            unit,
            has_plus: text.starts_with('+'),
        })
    }

    /// In the unit of a metric.
    ///
    /// # Errors
    /// A sentence on a unit that the metric does not have.
    pub(super) fn of(self, metric: Metric) -> Result<f64, String> {
        let own = metric.unit();
        if self.unit.is_empty() {
            return Ok(self.value);
        }
        let found = UNITS.iter().find(|(name, of, _)| (*name, *of) == (self.unit, own));
        found.map(|(_, _, factor)| self.value * factor).ok_or_else(|| {
            let units = UNITS.iter().filter(|(_, of, _)| *of == own);
            let units: Vec<String> = units.map(|(name, _, _)| format!("`{name}`")).collect();
            let units = match units.as_slice() {
                [] => "a number alone".to_owned(),
                units => units.join(", "),
            };
            format!("`{metric}` is not measured in `{}`; give {units}", self.unit)
        })
    }

    /// The size of a change for the worse, in the unit of a metric.
    ///
    /// # Errors
    /// A sentence on a unit that the metric does not have, or on a sign that is no harm to it.
    pub(super) fn harm(self, metric: Metric) -> Result<f64, String> {
        let value = self.of(metric)?;
        let (sign, other, is_harm) = match metric.better() {
            Better::Lower => ('+', "lower", value > 0.0),
            Better::Higher => ('-', "higher", value < 0.0 || (value > 0.0 && !self.has_plus)),
        };
        if is_harm {
            return Ok(value.abs());
        }
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!(" {}", self.unit)
        };
        let size = self.value.abs();
        Err(if size > 0.0 {
            format!("a {other} `{metric}` is no harm; write `{sign}{size}{unit}`")
        } else {
            "a limit of 0 calls every change harm; give a size".into()
        })
    }
}

/// The limit of a gate: a share of the baseline (`0.05`, `5%`), or a difference (`+50 ms`, `-2 tokens/s`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// Above zero.
    Share(f64),
    /// With the sign that was written.
    Difference(Amount),
}

impl Scalar for Limit {
    const EXPECTS: &'static str = "a limit such as `0.05`, `5%` or `+50 ms`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let written = text.trim();
        let is_share =
            written.ends_with('%') || (!written.starts_with(['+', '-', '−']) && written.parse::<f64>().is_ok());
        if is_share {
            return match fraction(written) {
                Some(share) if share > 0.0 && share <= 10.0 => {
                    lacks_percent(written, share).map_or(Ok(Self::Share(share)), Err)
                }
                _ => Err(no_limit(text)),
            };
        }
        Amount::read(written)
            .map(Self::Difference)
            .ok_or_else(|| no_limit(text))
    }
}

fn no_limit(text: &str) -> String {
    format!(
        "`{text}` is not a limit; write a fraction above 0 such as `0.05` or `5%`, at most `1000%`, or a difference such \
         as `+50 ms` or `-2 tokens/s`"
    )
}

scalar!([] Limit, json_schema!({"anyOf": [
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "string", "pattern": r"^\s*([0-9.]+\s*%?|[+-]?\s*[0-9.]+\s*(us|ms|s|MB|MiB|GB|GiB|tokens/s|req/s|inputs/s|requests?|W|J|points)?)\s*$"},
]}));

/// What a metric itself must keep: `<= 2 s` or `2 s` where lower is better, `>= 500` or `500` where higher is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ceiling {
    /// None, though a lower layer has one.
    Off,
    /// A bound, and the side of it that is good, where that was written.
    At(Amount, Option<Better>),
}

impl Scalar for Ceiling {
    const EXPECTS: &'static str = "a bound such as `<= 2 s`, or `off`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let written = text.trim();
        if written == "off" {
            return Ok(Self::Off);
        }
        let sides = [
            ("<=", Better::Lower),
            ("≤", Better::Lower),
            ("<", Better::Lower),
            (">=", Better::Higher),
            ("≥", Better::Higher),
            (">", Better::Higher),
        ];
        let side = sides.iter().find(|(sign, _)| written.starts_with(sign));
        let rest = side.map_or(written, |(sign, _)| written.trim_start_matches(sign));
        let amount = Amount::read(rest).filter(|amount| amount.value > 0.0);
        amount
            .map(|amount| Self::At(amount, side.map(|(_, better)| *better)))
            .ok_or_else(|| format!("`{text}` is no bound; write `<= 2 s` or `>= 500`, above 0, or `off`"))
    }
}

scalar!([] Ceiling, json_schema!({"anyOf": [
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "string", "pattern": r"^\s*(off|(<=?|>=?|≤|≥)?\s*[0-9.]+\s*(us|ms|s|MB|MiB|GB|GiB|tokens/s|req/s|inputs/s|requests?|W|J|points|%)?)\s*$"},
]}));

impl Ceiling {
    /// The bound in the unit of a metric; `None` for `off`.
    ///
    /// # Errors
    /// A sentence on a unit or a side that the metric does not have.
    pub(super) fn of(self, metric: Metric) -> Result<Option<f64>, String> {
        let Self::At(amount, side) = self else { return Ok(None) };
        if metric.is_count() {
            return Err(format!(
                "`{metric}` has no bound of its own; failures are limited by `max_error_rate`"
            ));
        }
        if side.is_some_and(|side| side != metric.better()) {
            let (better, sign) = match metric.better() {
                Better::Lower => ("lower", "<="),
                Better::Higher => ("higher", ">="),
            };
            return Err(format!("{better} is better for `{metric}`; write `{sign}`"));
        }
        let bound = amount.of(metric)?;
        if metric.unit() == "fraction" && bound > 1.0 {
            return Err(format!(
                "`{bound}` of `{metric}` is above 1, the most it can be; write `99%` or `0.99`"
            ));
        }
        if metric.unit() == "%" && bound > 100.0 {
            return Err(format!("`{bound} %` of `{metric}` is above 100 %, the most it can be"));
        }
        Ok(Some(bound))
    }
}

/// A share within bounds, in thousandths (`0.9`, `90%`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level<const MIN: u32, const MAX: u32>(pub(super) f64);

impl<const MIN: u32, const MAX: u32> Scalar for Level<MIN, MAX> {
    const EXPECTS: &'static str = "a fraction such as `0.9` or `90%`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let (min, max) = (f64::from(MIN) / 1000.0, f64::from(MAX) / 1000.0);
        match fraction(text) {
            // `99.9%` is a hair above 0.999.
            Some(level) if (min..=max + 1e-12).contains(&level) => Ok(Self(level.min(max))),
            _ => Err(format!("`{text}` is not a fraction from {min} to {max}")),
        }
    }
}

scalar!([const MIN: u32, const MAX: u32] Level<MIN, MAX>, json_schema!({"anyOf": [
    {"type": "number", "minimum": f64::from(MIN) / 1000.0, "maximum": f64::from(MAX) / 1000.0},
    {"type": "string", "pattern": r"^\s*[0-9.]+\s*%?\s*$"},
]}));

/// How sure it must be that a change is beyond its limit.
pub(super) type Confidence = Level<500, 999>;
/// The chance of a false alarm over all blocking checks.
pub(super) type FamilyError = Level<1, 100>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile;

    const TTFT: Metric = Metric::Ttft(Percentile::P95);

    #[test]
    fn a_limit_is_tried_on_both_sides_of_its_bounds() {
        for (text, good) in [
            ("0", false),
            ("0.0001%", true),
            ("1000%", true),
            ("1001%", false),
            ("-5%", false),
            ("1", false),
            ("5", false),
            ("10.0", false),
            ("0.99", true),
            ("+5", true),
            ("50ms", true),
            ("+ 50 ms", true),
            ("−2 tokens/s", true),
            ("50 parsecs", false),
            ("ms", false),
            ("+inf ms", false),
            ("", false),
        ] {
            assert_eq!(Limit::read(text).is_ok(), good, "{text}");
        }
        assert_eq!(Limit::read("500%"), Ok(Limit::Share(5.0)));
        assert!(Limit::read("5").unwrap_err().contains("write `5%`"));
    }

    #[test]
    fn an_amount_is_brought_to_the_metrics_unit_and_has_its_sign_of_harm() {
        let harm = |text, metric| match Limit::read(text).unwrap() {
            Limit::Difference(amount) => amount.harm(metric),
            Limit::Share(_) => unreachable!("{text} is a difference"),
        };
        for (text, metric, expected) in [
            ("+50 ms", TTFT, Ok(50.0)),
            ("0.5 s", TTFT, Ok(500.0)),
            ("1 GiB", Metric::GpuMemoryPeakGb, Ok(1.073_741_824)),
            ("-2 tokens/s", Metric::OutputTokensPerS, Ok(2.0)),
            ("2 tokens/s", Metric::OutputTokensPerS, Ok(2.0)),
            ("3 points", Metric::SloAttainment, Ok(0.03)),
            ("+3 requests", Metric::Failed, Ok(3.0)),
            (
                "+2 tokens/s",
                Metric::OutputTokensPerS,
                Err("a higher `output_tokens_per_s` is no harm; write `-2 tokens/s`"),
            ),
            ("-50 ms", TTFT, Err("a lower `ttft_p95` is no harm; write `+50 ms`")),
            ("+0", TTFT, Err("a limit of 0 calls every change harm; give a size")),
            (
                "+1 GB",
                TTFT,
                Err("`ttft_p95` is not measured in `GB`; give `us`, `µs`, `ms`, `s`"),
            ),
        ] {
            assert_eq!(harm(text, metric), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_ceiling_stands_on_the_metrics_own_side() {
        for (text, metric, expected) in [
            ("<= 2 s", TTFT, Ok(Some(2000.0))),
            ("2000", TTFT, Ok(Some(2000.0))),
            (">=500", Metric::OutputTokensPerS, Ok(Some(500.0))),
            ("≥ 99 %", Metric::SloAttainment, Ok(Some(0.99))),
            ("off", TTFT, Ok(None)),
            ("100 %", Metric::GpuUtilizationPct, Ok(Some(100.0))),
            (
                ">= 101 %",
                Metric::GpuUtilizationPct,
                Err("`101 %` of `gpu_utilization_pct` is above 100 %, the most it can be"),
            ),
            (">= 2 s", TTFT, Err("lower is better for `ttft_p95`; write `<=`")),
            (
                "< 3",
                Metric::Failed,
                Err("`failed` has no bound of its own; failures are limited by `max_error_rate`"),
            ),
        ] {
            let found = Ceiling::read(text).unwrap().of(metric);
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
        for text in ["", "<=", "<= 0", "<= -1 s", "=2", "two"] {
            assert!(Ceiling::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn levels_are_tried_on_both_sides_of_their_bounds() {
        for (text, good) in [
            ("0.5", true),
            ("0.499", false),
            ("99.9%", true),
            ("1", false),
            ("nan", false),
        ] {
            assert_eq!(Confidence::read(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("0.001", true), ("0.0009", false), ("10%", true), ("0.11", false)] {
            assert_eq!(FamilyError::read(text).is_ok(), good, "{text}");
        }
    }
}

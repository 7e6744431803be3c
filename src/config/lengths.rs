//! How lengths in tokens are written: a number, or a map of one of five distributions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{
    either::scalar_or_map,
    twin::Ratio,
    values::{Count, Tokens},
};
use crate::plan::{Lengths, Shape};

/// The largest length where only the smallest is given; the bound of every length.
const MOST_TOKENS: u32 = 10_000_000;

/// A distribution of lengths in tokens.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum LengthsTwin {
    /// Always the same.
    Number(Count),
    /// By distribution.
    Map(LengthsMap),
}

/// A distribution of lengths in tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct LengthsMap {
    /// Mean length (`normal`, `lognormal`), or the length (`fixed`).
    mean: Option<Tokens>,
    /// Standard deviation (`normal`, `lognormal`).
    std: Option<Tokens>,
    /// Smallest length; 1 where absent, but for `uniform`.
    min: Option<Count>,
    /// Largest length.
    max: Option<Count>,
    /// How rare long ones are (`zipf`).
    exponent: Option<Ratio>,
    /// Which distribution; where absent, the one that fits the other keys.
    distribution: Option<Distribution>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Distribution {
    Fixed,
    Normal,
    LogNormal,
    Uniform,
    Zipf,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed",
            Self::Normal => "normal",
            Self::LogNormal => "lognormal",
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        })
    }
}

impl Distribution {
    /// The keys that say something of it.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Fixed => &["mean"],
            Self::Normal | Self::LogNormal => &["mean", "std", "min", "max"],
            Self::Uniform => &["min", "max"],
            Self::Zipf => &["min", "max", "exponent"],
        }
    }
}

impl<'de> Deserialize<'de> for LengthsTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(
            deserializer,
            "a number of tokens, or a map with `mean` or with `min` and `max`",
        )
        .map(|either| either.map_or_else(Self::Map, Self::Number))
    }
}

impl LengthsTwin {
    /// What was meant.
    ///
    /// # Errors
    /// A sentence on keys that do not go together.
    pub(super) fn lengths(self) -> Result<Lengths, String> {
        match self {
            Self::Number(tokens) => Ok(Lengths::Fixed(tokens.as_u32())),
            Self::Map(map) => map.lengths(),
        }
    }
}

impl LengthsMap {
    fn lengths(self) -> Result<Lengths, String> {
        let distribution = self.distribution.unwrap_or_else(|| self.fitting());
        self.refuse_strangers(distribution)?;
        match distribution {
            Distribution::Uniform => {
                let (min, max) = self.range(None)?;
                Ok(Lengths::Uniform { min, max })
            }
            Distribution::Normal => {
                let (mean, std) = self.bell("normal")?;
                self.within(Shape::Normal { mean, std }, Lengths::Normal { mean, std })
            }
            Distribution::LogNormal => {
                let (mean, std) = self.bell("lognormal")?;
                self.within(Shape::LogNormal { mean, std }, Lengths::LogNormal { mean, std })
            }
            Distribution::Zipf => {
                let exponent = self.exponent.ok_or("distribution `zipf` needs `exponent`")?.0;
                let (min, max) = self.range(Some(1))?;
                Ok(Lengths::Zipf { min, max, exponent })
            }
            Distribution::Fixed => self.fixed(),
        }
    }

    fn fitting(self) -> Distribution {
        match (self.exponent, self.std, self.min.or(self.max)) {
            (Some(_), _, _) => Distribution::Zipf,
            (None, Some(_), _) => Distribution::Normal,
            (None, None, Some(_)) => Distribution::Uniform,
            (None, None, None) => Distribution::Fixed,
        }
    }

    fn refuse_strangers(self, distribution: Distribution) -> Result<(), String> {
        let given = [
            ("mean", self.mean.is_some()),
            ("std", self.std.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("exponent", self.exponent.is_some()),
        ];
        let stranger = |(key, given): &(&str, bool)| *given && !distribution.keys().contains(key);
        match given.into_iter().find(stranger) {
            Some((key, _)) => Err(format!(
                "`{key}` has no meaning for distribution `{distribution}`; remove it"
            )),
            None => Ok(()),
        }
    }

    /// `min` and `max`; a `min` that is not given may have a usual value.
    fn range(self, usual_min: Option<u32>) -> Result<(u32, u32), String> {
        let name = if usual_min.is_some() { "zipf" } else { "uniform" };
        let min = self.min.map(Count::as_u32).or(usual_min);
        let (Some(min), Some(max)) = (min, self.max) else {
            let min = if usual_min.is_some() { "" } else { "`min` and " };
            return Err(format!("distribution `{name}` needs {min}`max`"));
        };
        ordered(min, max.as_u32())
    }

    fn bell(self, name: &str) -> Result<(f64, f64), String> {
        let (Some(mean), Some(std)) = (self.mean, self.std) else {
            return Err(format!("distribution `{name}` needs `mean` and `std`"));
        };
        if mean.0 < 1.0 {
            return Err(format!("`mean` {} is below one token", mean.0));
        }
        Ok((mean.0, std.0))
    }

    /// The distribution as it is, or cut where `min` or `max` is given.
    fn within(self, shape: Shape, whole: Lengths) -> Result<Lengths, String> {
        if self.min.or(self.max).is_none() {
            return Ok(whole);
        }
        let max = self.max.map_or(MOST_TOKENS, Count::as_u32);
        let (min, max) = ordered(self.min.map_or(1, Count::as_u32), max)?;
        Ok(Lengths::Within { shape, min, max })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`Tokens` lies from 0 to 10^7, and it was tested for being whole"
    )]
    fn fixed(self) -> Result<Lengths, String> {
        match self.mean {
            None => Err("give `mean`, or `min` and `max`".into()),
            Some(Tokens(mean)) if mean >= 1.0 && mean.fract() <= 0.0 => Ok(Lengths::Fixed(mean as u32)),
            Some(Tokens(mean)) => Err(format!("`mean` {mean} is not a whole number of tokens from 1 up")),
        }
    }
}

fn ordered(min: u32, max: u32) -> Result<(u32, u32), String> {
    if min > max {
        return Err(format!("`min` {min} is above `max` {max}"));
    }
    Ok((min, max))
}

//! How lengths in tokens are written: a number, or a map of one of three distributions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{
    either::scalar_or_map,
    values::{Count, Tokens},
};
use crate::plan::Lengths;

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
    /// Mean length (`normal`), or the length (`fixed`).
    mean: Option<Tokens>,
    /// Standard deviation (`normal`).
    std: Option<Tokens>,
    /// Smallest length (`uniform`).
    min: Option<Count>,
    /// Largest length (`uniform`).
    max: Option<Count>,
    /// Which distribution; where absent, the one that fits the other keys.
    distribution: Option<Distribution>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Distribution {
    Fixed,
    Normal,
    Uniform,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed",
            Self::Normal => "normal",
            Self::Uniform => "uniform",
        })
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
        let distribution = self.distribution.unwrap_or(match (self.min.or(self.max), self.std) {
            (Some(_), _) => Distribution::Uniform,
            (None, Some(_)) => Distribution::Normal,
            (None, None) => Distribution::Fixed,
        });
        self.refuse_strangers(distribution)?;
        match distribution {
            Distribution::Uniform => self.uniform(),
            Distribution::Normal => self.normal(),
            Distribution::Fixed => self.fixed(),
        }
    }

    fn refuse_strangers(self, distribution: Distribution) -> Result<(), String> {
        let uniform = distribution == Distribution::Uniform;
        let given = [
            ("mean", self.mean.is_some() && uniform),
            ("std", self.std.is_some() && distribution != Distribution::Normal),
            ("min", self.min.is_some() && !uniform),
            ("max", self.max.is_some() && !uniform),
        ];
        match given.into_iter().find(|(_, stranger)| *stranger) {
            Some((key, _)) => Err(format!(
                "`{key}` has no meaning for distribution `{distribution}`; remove it"
            )),
            None => Ok(()),
        }
    }

    fn uniform(self) -> Result<Lengths, String> {
        let (Some(min), Some(max)) = (self.min, self.max) else {
            return Err("distribution `uniform` needs `min` and `max`".into());
        };
        if min.0 > max.0 {
            return Err(format!("`min` {} is above `max` {}", min.0, max.0));
        }
        Ok(Lengths::Uniform {
            min: min.as_u32(),
            max: max.as_u32(),
        })
    }

    fn normal(self) -> Result<Lengths, String> {
        let (Some(mean), Some(std)) = (self.mean, self.std) else {
            return Err("distribution `normal` needs `mean` and `std`".into());
        };
        if mean.0 < 1.0 {
            return Err(format!("`mean` {} is below one token", mean.0));
        }
        Ok(Lengths::Normal {
            mean: mean.0,
            std: std.0,
        })
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

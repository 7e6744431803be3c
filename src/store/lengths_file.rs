//! How distributions of lengths look in a file. Every `///` line here is the description in the JSON Schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Lengths, Shape};

/// A distribution of lengths in tokens (or of turns).
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Lengths", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LengthsFile {
    /// Always the same.
    Fixed(#[schemars(range(min = 1))] u32),
    /// Normal, rounded, cut at one token.
    Normal {
        /// Mean in tokens, above zero.
        mean: f64,
        /// Standard deviation in tokens.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
    /// Lognormal with this mean and deviation of the lengths themselves, rounded, cut at one token.
    #[serde(rename = "lognormal")]
    LogNormal {
        /// Mean in tokens, above zero.
        mean: f64,
        /// Standard deviation in tokens.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
    /// Uniform over whole numbers, both ends included.
    Uniform {
        /// Smallest length in tokens.
        #[schemars(range(min = 1))]
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
    /// Zipf over whole numbers, both ends included: `P(min + k − 1) ∝ k^−exponent`.
    Zipf {
        /// Smallest and most frequent length in tokens.
        #[schemars(range(min = 1))]
        min: u32,
        /// Largest length in tokens.
        max: u32,
        /// Above zero; the larger, the rarer long ones are.
        exponent: f64,
    },
    /// A normal or lognormal distribution whose draws outside a range are drawn again.
    Within {
        /// The distribution.
        #[serde(with = "ShapeFile")]
        shape: Shape,
        /// Smallest length in tokens.
        #[schemars(range(min = 1))]
        min: u32,
        /// Largest length in tokens.
        max: u32,
    },
}

/// A bell that a range cuts.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Shape", rename_all = "snake_case", deny_unknown_fields)]
enum ShapeFile {
    /// Normal.
    Normal {
        /// Mean in tokens before the cut, above zero.
        mean: f64,
        /// Standard deviation in tokens before the cut.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
    /// Lognormal.
    #[serde(rename = "lognormal")]
    LogNormal {
        /// Mean in tokens before the cut, above zero.
        mean: f64,
        /// Standard deviation in tokens before the cut.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
}

//! What may stand under `price`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Ratio;
use crate::{config::values::Whole, plan::Price};

/// What the GPUs of the server cost, in whatever money you count.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct PriceTwin {
    /// One GPU for an hour.
    pub(in crate::config) gpu_hour: Ratio,
    /// How many of them the server takes.
    pub(in crate::config) gpus: Whole<1, 100_000>,
}

impl PriceTwin {
    pub(in crate::config) fn price(self) -> Price {
        Price {
            gpu_hour: self.gpu_hour.0,
            gpus: self.gpus.as_u32(),
        }
    }
}

//! Figures of levels in words.

use super::levels::Spot;
use crate::{
    metric::Metric,
    plan::Slo,
    render::{
        capacity,
        figures::NOT_MEASURED,
        format::{SPACE, Scale},
    },
};

/// A limit further above the values than this would press them to the floor of their chart.
const FAR: f64 = 4.0;

/// What a plan promises of one latency.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limit {
    pub(super) value: f64,
    /// `SLO 2 s`.
    pub(super) text: String,
}

impl Limit {
    pub(super) fn of(value: Option<f64>) -> Option<Self> {
        let value = value.filter(|value| value.is_finite() && *value > 0.0)?;
        Some(Self {
            value,
            text: format!("SLO {}", capacity::time(value).replace(' ', &SPACE.to_string())),
        })
    }

    /// These values, and the limit where it does not lie far from all of them.
    pub(super) fn beside(&self, values: &[f64]) -> Vec<f64> {
        let most = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        let is_near = self.value <= most * FAR;
        values.iter().copied().chain(is_near.then_some(self.value)).collect()
    }
}

/// All limits of a plan (`TTFT ≤ 2 s, TPOT ≤ 50 ms`), or that requests have their own.
pub(super) fn promise(slo: &Slo) -> String {
    if slo.is_empty() {
        return "each request's own".to_owned();
    }
    capacity::promise(slo)
}

/// Median and reach of the runs (`7.9 s (7.7 … 8.1)`).
pub(super) fn reach(spot: Option<Spot>, scale: Scale) -> String {
    let Some(spot) = spot else {
        return NOT_MEASURED.to_owned();
    };
    let (low, high) = (scale.number(spot.low), scale.number(spot.high));
    let median = scale.with_unit(spot.median);
    if low == high {
        median
    } else {
        format!("{median} ({low}{SPACE}…{SPACE}{high})")
    }
}

/// A share of requests.
pub(super) fn share_text(spot: Option<Spot>) -> String {
    let scale = Scale::of(Metric::SloAttainment, spot.map(|spot| spot.median));
    spot.map_or_else(|| NOT_MEASURED.to_owned(), |spot| scale.with_unit(spot.median))
}

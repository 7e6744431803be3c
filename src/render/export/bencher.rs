//! Bencher Metric Format: the JSON that `bencher run --adapter json` reads.
//!
//! Source: bencher.dev, reference of the Bencher Metric Format, whose JSON Schema is `https://bencher.dev/bmf.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{pretty, rows};
use crate::{
    render::{RenderError, escape::cut},
    report::Arm,
};

/// Longer names of benchmarks are refused there; one sign is for the `…` of a cut.
const LONGEST_NAME: usize = 1023;

/// One value with what the runs reach.
#[derive(Serialize)]
struct Point {
    value: f64,
    #[serde(rename = "lower_value")]
    low: f64,
    #[serde(rename = "upper_value")]
    high: f64,
}

/// The median of each measured figure, with the least and the largest of its runs; cells are benchmarks, metrics measures.
///
/// # Errors
/// A number that is not finite.
pub fn bencher(arm: &Arm) -> Result<String, RenderError> {
    let mut benchmarks: BTreeMap<String, BTreeMap<&'static str, Point>> = BTreeMap::new();
    for row in rows(arm)? {
        let (low, high) = row.reach();
        let measures = benchmarks.entry(cut(&row.cell, LONGEST_NAME)).or_default();
        measures.insert(
            row.metric.key(),
            Point {
                value: row.median,
                low,
                high,
            },
        );
    }
    pretty(&benchmarks)
}

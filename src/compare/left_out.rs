//! Cells that one arm left out on the way, as a sweep does beyond saturation.

use crate::measure::CellMeasurements;

/// A cell that one arm left out on the way, and the other measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Cell name.
    pub cell: String,
    /// The arm that left it out.
    pub lacks: &'static str,
    /// The arm that measured it.
    pub has: &'static str,
    /// Why it was left out.
    pub reason: String,
}

impl LeftOut {
    /// A cell that only one side measured; one that both left out is no difference.
    pub(super) fn of(old: &CellMeasurements, new: &CellMeasurements) -> Option<Self> {
        let (lacks, has, reason) = match (&old.skipped, &new.skipped) {
            (Some(reason), None) => ("baseline", "candidate", reason),
            (None, Some(reason)) => ("candidate", "baseline", reason),
            _ => return None,
        };
        Some(Self {
            cell: new.name.clone(),
            lacks,
            has,
            reason: reason.clone(),
        })
    }
}

//! A step that somebody answers for.

use crate::metric::Metric;

/// A change of level in a history that is wanted, or that nothing will undo: what lies before it is no measure any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Hash of the last session before the step; `None`: it lies before the first session.
    pub after: Option<String>,
    /// Commit of the first session after it, where it is known.
    pub commit: Option<String>,
    /// The metric that it is about; `None`: all.
    pub metric: Option<Metric>,
    /// Name of the cell that it is about; `None`: all.
    pub cell: Option<String>,
    /// Why, in the words of who accepted it.
    pub reason: String,
    /// Who accepted it.
    pub who: String,
    /// When, seconds since 1970 UTC.
    pub accepted_unix_s: u64,
}

impl Accepted {
    /// Whether it is about this metric in this cell.
    pub fn covers(&self, metric: Metric, cell: &str) -> bool {
        self.metric.is_none_or(|own| own == metric) && self.cell.as_deref().is_none_or(|own| own == cell)
    }
}

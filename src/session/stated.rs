//! What another tool stated of a run whose result was imported: its own figures, and counts where it kept no records.

use std::collections::BTreeMap;

use super::Run;
use crate::metric::Metric;

/// Figures of a run as the tool that measured it has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stated {
    /// Requests that completed.
    pub completed: u32,
    /// Requests that did not; `None`: the tool does not tell, and nothing is known of errors.
    pub failed: Option<u32>,
    /// Why, with how many each; empty where the tool does not tell.
    pub failures: Vec<(u32, String)>,
    /// Prompt tokens of all completed requests together.
    pub input_tokens: Option<u64>,
    /// Output tokens of all completed requests together.
    pub output_tokens: Option<u64>,
    /// One figure a metric; each stands in place of what the run's own requests would make.
    pub figures: BTreeMap<Metric, StatedFigure>,
}

/// One figure that a tool stated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StatedFigure {
    /// In the metric's unit.
    pub value: f64,
    /// From how many requests (or gaps) it comes; 0 where the tool does not tell.
    pub samples: u64,
}

impl Run {
    /// Whether there is nothing of it but what another tool stated.
    pub fn is_only_stated(&self) -> bool {
        self.requests.is_empty() && self.stated.is_some()
    }

    /// Whether another tool measured it: what was sampled beside it is then on a clock of its own, and of the tool's start and
    /// warm-up too.
    pub const fn is_of_another_tool(&self) -> bool {
        self.stated.is_some()
    }

    /// Requests that were sent: those on record, or as many as were stated.
    pub fn sent(&self) -> usize {
        let stated = self.stated.as_ref().filter(|_| self.requests.is_empty());
        stated.map_or(self.requests.len(), |stated| {
            stated.completed as usize + stated.failed.unwrap_or(0) as usize
        })
    }

    /// How many of them failed.
    pub fn failed(&self) -> usize {
        let stated = self.stated.as_ref().filter(|_| self.requests.is_empty());
        stated.map_or_else(
            || self.requests.iter().filter(|record| !record.completed()).count(),
            |stated| stated.failed.unwrap_or(0) as usize,
        )
    }

    /// Whether it is known how many failed: a tool that keeps the answered requests alone does not tell.
    pub fn knows_failures(&self) -> bool {
        self.stated.as_ref().is_none_or(|stated| stated.failed.is_some())
    }

    /// Failed requests over all requests; `None` for a run without requests, or of which nobody tells.
    #[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
    pub fn error_rate(&self) -> Option<f64> {
        let sent = self.sent();
        (sent > 0 && self.knows_failures()).then(|| self.failed() as f64 / sent as f64)
    }

    /// Failures as they were stated, by class key, with a message each, most frequent first.
    pub(super) fn stated_failures(&self) -> Vec<(String, u32, String)> {
        let Some(stated) = self.stated.as_ref().filter(|_| self.requests.is_empty()) else {
            return Vec::new();
        };
        let told: u32 = stated.failures.iter().map(|(count, _)| *count).sum();
        let untold = stated.failed.unwrap_or(0).saturating_sub(told);
        let why_untold = "the imported file does not tell why".to_owned();
        let mut rows = stated.failures.clone();
        rows.extend((untold > 0).then_some((untold, why_untold)));
        rows.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        rows.into_iter()
            .map(|(count, message)| ("stated".to_owned(), count, message))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RequestRecord;

    #[test]
    fn requests_on_record_come_before_what_was_stated() {
        let stated = Stated {
            completed: 90,
            failed: Some(10),
            failures: vec![(7, "Bad Request".into())],
            ..Stated::default()
        };
        let mut run = Run {
            stated: Some(Box::new(stated)),
            ..Run::default()
        };
        assert_eq!((run.sent(), run.failed(), run.error_rate()), (100, 10, Some(0.1)));
        let rows: Vec<_> = run.failures().into_iter().map(|(_, count, _)| count).collect();
        assert_eq!(rows, [7, 3]);
        run.requests.push(RequestRecord::default());
        assert_eq!((run.sent(), run.failed(), run.failures().len()), (1, 0, 0));
        assert_eq!(Run::default().error_rate(), None);
    }
}

//! Runs of a tool that does not tell how many requests failed: what fails is answered fast or left out, so that their figures
//! may show a regression and never that there is none.

use super::{Action, Bound, Verdict, check::Draft, wording};
use crate::{
    compare::{CellComparison, Comparison},
    measure::Work,
    metric::Metric,
};

const UNTOLD: &str = "the tool does not tell how many requests failed";

/// Whether some run does not tell.
pub(super) fn is_untold(runs: &[Work]) -> bool {
    runs.iter().any(|run| run.failures_untold)
}

fn of_cell(cell: &CellComparison) -> bool {
    is_untold(&cell.work.baseline) || is_untold(&cell.work.candidate)
}

/// The check of failures, left open, where they cannot be counted.
pub(super) fn open(cell: &CellComparison, action: Action) -> Option<Draft> {
    let mut draft = Draft::blank(&cell.name, Metric::ErrorRate, Bound::NoMoreFailures, action);
    draft.is_in_family = false;
    draft.check.n_baseline = cell.work.baseline.len();
    draft.check.n_candidate = cell.work.candidate.len();
    UNTOLD.clone_into(&mut draft.check.reason);
    of_cell(cell).then_some(draft)
}

/// No check of a cell with such a run passes.
pub(super) fn guard(drafts: &mut [Draft], comparison: &Comparison) {
    let cells = comparison.cells.iter().filter(|cell| of_cell(cell));
    let names: Vec<&str> = cells.map(|cell| cell.name.as_str()).collect();
    let untold = |draft: &&mut Draft| names.contains(&draft.check.cell.as_str());
    drafts.iter_mut().filter(untold).for_each(leave_open);
}

/// The same of one check.
pub(super) fn leave_open(draft: &mut Draft) {
    if !draft.check.verdict.is_within() {
        return;
    }
    draft.check.verdict = Verdict::Inconclusive;
    draft.check.reason = format!("{}; but {UNTOLD}", draft.check.reason);
    if let Some(explanation) = &mut draft.check.explanation {
        *explanation = format!("{explanation} {}.", wording::upper(UNTOLD));
    }
}

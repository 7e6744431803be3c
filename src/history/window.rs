//! The part of a history that a candidate is compared with, as far as people have a say: what lies before an accepted
//! step is no measure any more. A change of level that nobody spoke of, `compare` finds by itself.

use super::{Accepted, Entry, course::first_after};
use crate::measure::Measurements;

/// The older sessions of a history, oldest first, without what lies before an accepted step; the newest session is the
/// baseline itself and not among them.
///
/// A step is accepted for all metrics and cells or for some: the sessions before it lose those series, and who has none
/// left is left out.
pub fn window(mut entries: Vec<Entry>, accepted: &[Accepted]) -> Vec<Measurements> {
    without(&mut entries, accepted);
    entries.pop();
    let has_any = |entry: &Entry| entry.measured.cells.iter().any(|cell| !cell.series.is_empty());
    let kept = entries.into_iter().filter(has_any);
    kept.map(|entry| entry.measured).collect()
}

/// Takes the series away that lie before an accepted step.
pub(super) fn without(entries: &mut [Entry], accepted: &[Accepted]) {
    for step in accepted {
        let Some(first) = first_after(step, entries) else {
            continue;
        };
        for entry in entries.iter_mut().take(first) {
            for cell in &mut entry.measured.cells {
                let name = &cell.name;
                cell.series.retain(|metric, _| !step.covers(*metric, name));
            }
        }
    }
}

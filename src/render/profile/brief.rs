//! What profiles tell, as short as a comment needs it.

use serde::Serialize;

use super::{
    diff::timed,
    rows, verdicts,
    words::{headlines, phase_name},
};
use crate::{
    op_table::diff::{Diff, Incomparable},
    report::Report,
};

/// More of each is not read in a comment.
const MOST_LINES: usize = 4;
const MOST_ROWS: usize = 6;
const MOST_PHASES: usize = 2;

/// The folded section of a comment.
#[derive(Debug, Default, Serialize)]
pub(in crate::render) struct ProfileView {
    /// What explains the change first, or why there is nothing.
    headline: String,
    /// The others.
    lines: Vec<String>,
    structure: Option<String>,
    time: Option<String>,
    phases: Vec<PhaseView>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PhaseView {
    name: String,
    /// Where, what, both times, change, share and calls.
    rows: Vec<Vec<String>>,
}

/// What the report's profiles tell; `None` where it has none.
pub(in crate::render) fn brief(report: &Report) -> Option<ProfileView> {
    Some(match report.profile.as_ref()? {
        Ok(diff) => of_diff(diff),
        Err(why) => incomparable(why),
    })
}

fn incomparable(why: &Incomparable) -> ProfileView {
    ProfileView {
        headline: "not compared".to_owned(),
        lines: why.reasons.iter().take(MOST_LINES).cloned().collect(),
        ..ProfileView::default()
    }
}

fn of_diff(diff: &Diff) -> ProfileView {
    let mut lines = headlines(diff).into_iter();
    let structure = verdicts::structure(diff);
    let (first, _) = timed(diff);
    let phases = first.into_iter().take(MOST_PHASES).map(|(phase, time)| PhaseView {
        name: phase_name(phase.phase, phase.batch.as_deref()),
        rows: rows::of(time, MOST_ROWS)
            .iter()
            .map(|line| line.cells().into_iter().take(7).collect())
            .collect(),
    });
    ProfileView {
        headline: lines.next().unwrap_or_else(|| format!("structure {structure}")),
        lines: lines.take(MOST_LINES).collect(),
        time: Some(verdicts::time(diff)),
        structure: Some(structure),
        phases: phases.collect(),
        notes: verdicts::notes(diff).into_iter().take(MOST_LINES).collect(),
    }
}

//! What stands behind the figures: how the latencies of each cell are spread, and how a run went, for charts.
//!
//! Bounded whatever the number of requests: a distribution is a few hundred points, a run a hundred moments.

mod flow;
mod spread;

pub use flow::{Flow, Moment};
pub use spread::{Latency, Spread};

use crate::session::{CellRuns, Session};

/// The charts' data of one cell of both arms.
#[derive(Clone, Debug, PartialEq)]
pub struct CellDetail {
    /// Cell name, the candidate's.
    pub name: String,
    /// Baseline first, where there is one and it has the cell.
    pub arms: Vec<ArmDetail>,
}

/// The charts' data of one cell of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmDetail {
    /// `baseline` or `candidate`.
    pub arm: &'static str,
    /// One for each latency of which there is a value.
    pub spreads: Vec<Spread>,
    /// How its middle run went; `None` where no run has a request.
    pub flow: Option<Flow>,
}

/// The charts' data of every cell that the candidate measured.
pub(super) fn detail(baseline: Option<&Session>, candidate: &Session) -> Vec<CellDetail> {
    let cells = candidate.cells.iter().filter(|cell| !cell.runs.is_empty());
    cells
        .map(|cell| {
            let same = |session: &&Session| session.cells.iter().position(|other| other.load == cell.load);
            let old = baseline.and_then(|session| session.cells.get(same(&session)?));
            let old = old
                .filter(|old| !old.runs.is_empty())
                .map(|old| of_arm("baseline", old));
            CellDetail {
                name: cell.name.clone(),
                arms: old.into_iter().chain([of_arm("candidate", cell)]).collect(),
            }
        })
        .collect()
}

fn of_arm(arm: &'static str, cell: &CellRuns) -> ArmDetail {
    ArmDetail {
        arm,
        spreads: Latency::ALL
            .into_iter()
            .filter_map(|latency| Spread::of(latency, &cell.runs))
            .collect(),
        flow: Flow::of(&cell.runs),
    }
}

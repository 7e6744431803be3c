//! What stands behind the figures: how the latencies of each cell are spread, and how a run went, for charts.
//!
//! Bounded whatever the number of requests: a distribution is a few hundred points, a run a hundred moments.

mod flow;
mod spread;

pub use flow::{Flow, Moment};
pub use spread::{Latency, Spread};

use std::borrow::Cow;

use crate::{
    measure::levels,
    plan::Load,
    session::{CellRuns, Session},
};

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

/// The charts' data of every cell that the candidate measured, each stage by itself; of a search there are none, as its
/// requests are of many levels.
pub(super) fn detail(baseline: Option<&Session>, candidate: &Session) -> Vec<CellDetail> {
    let cells = candidate.cells.iter();
    let drawn = cells.filter(|cell| !cell.runs.is_empty() && !matches!(cell.load, Load::Capacity(_)));
    drawn
        .flat_map(|cell| {
            let old = baseline.and_then(|old| Some((old.cells.iter().find(|other| other.load == cell.load)?, old)));
            let old = old.filter(|(cell, _)| !cell.runs.is_empty());
            let old = old.map_or_else(Vec::new, |(cell, session)| levels(cell, &session.plan));
            of_cell(&old, &levels(cell, &candidate.plan))
        })
        .collect()
}

/// Stages of one load stand in the same order on both sides.
fn of_cell(old: &[Cow<'_, CellRuns>], new: &[Cow<'_, CellRuns>]) -> Vec<CellDetail> {
    let one = |(place, cell): (usize, &Cow<'_, CellRuns>)| {
        let baseline = old.get(place).map(|old| of_arm("baseline", old));
        CellDetail {
            name: cell.name.clone(),
            arms: baseline.into_iter().chain([of_arm("candidate", cell)]).collect(),
        }
    };
    new.iter().enumerate().map(one).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::{
            measure,
            synthetic::{Figures, session},
        },
        plan::{Arrivals, Axis, Capacity, Stage, StageLength, StageLevel},
    };

    #[test]
    fn each_stage_is_drawn_under_the_name_that_its_checks_have() {
        let mut staged = session(&[1], &[Figures::default(); 2]);
        let stage = |streams| Stage {
            level: StageLevel::Concurrency(streams),
            length: StageLength::Requests(100),
        };
        staged.cells[0].load = Load::Stages {
            stages: vec![stage(2), stage(4)],
            arrivals: Arrivals::Constant,
        };
        for run in &mut staged.cells[0].runs {
            run.requests.iter_mut().skip(150).for_each(|record| record.stage = 1);
        }
        let drawn = detail(Some(&staged), &staged);
        let names: Vec<&str> = drawn.iter().map(|cell| cell.name.as_str()).collect();
        let judged = measure(&staged);
        let judged: Vec<&str> = judged.cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(names, judged);
        let samples = |cell: &CellDetail| cell.arms.iter().map(|arm| arm.spreads[0].samples).collect::<Vec<_>>();
        assert_eq!(drawn.iter().map(samples).collect::<Vec<_>>(), [[300, 300], [100, 100]]);
    }

    #[test]
    fn a_search_has_no_charts() {
        let mut search = session(&[1], &[Figures::default(); 2]);
        search.cells[0].load = Load::Capacity(Capacity {
            axis: Axis::Concurrency,
            min: 1.0,
            max: 8.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: None,
        });
        assert_eq!(detail(None, &search), []);
    }
}

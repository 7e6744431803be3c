//! What the results of another tool can show, and what they cannot.

use crate::session::{CellRuns, Session};

/// What a reader should know of a session that was imported, in sentences.
pub(super) fn of(arm: &str, session: &Session) -> Vec<String> {
    if !session.plan.workload.prompts.is_foreign() {
        return Vec::new();
    }
    let told = session.cells.iter().filter_map(|cell| single_run(arm, session, cell));
    told.collect()
}

/// One run has a size and no spread.
fn single_run(arm: &str, session: &Session, cell: &CellRuns) -> Option<String> {
    (cell.runs.len() == 1).then(|| {
        format!(
            "{arm}: one run of {} at {} shows how large its figures are, and not how far its runs lie apart: a difference of any size \
             may be chance, and nothing passes by it; import three runs or more",
            session.tool_version, cell.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        plan::Prompts,
    };

    #[test]
    fn a_single_run_is_told_of_other_tools_alone() {
        let mut found = session(&[1], &[Figures::default(); 1]);
        assert_eq!(of("candidate", &found), Vec::<String>::new());
        found.plan.workload.prompts = Prompts::Foreign {
            name: "x".into(),
            asked: std::collections::BTreeMap::new(),
        };
        assert_eq!(of("candidate", &found).len(), 1);
        let again = found.cells[0].runs[0].clone();
        found.cells[0].runs.push(again);
        assert_eq!(of("candidate", &found), Vec::<String>::new());
    }
}

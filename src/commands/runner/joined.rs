//! The runs of one measurement by another tool as one session, as they come.

use std::collections::BTreeSet;

use super::asked::{self, Asked};
use crate::{
    commands::CommandError,
    plan::{Load, Prompts},
    session::Session,
};

/// A session of several calls of the tool.
pub(super) struct Joined {
    pub(super) session: Session,
    /// What the first run of each cell was asked for.
    asked: Vec<(Load, Asked)>,
    /// The models that the server had at the first run.
    models: Vec<String>,
}

/// Refuses what is of another measurement than the runs before it.
///
/// # Errors
/// What is another, in words.
pub(super) fn check(so_far: Option<&Joined>, (run, models): (&Session, &[String])) -> Result<(), CommandError> {
    let Some(joined) = so_far else { return Ok(()) };
    refuse(asked::apart(&joined.session, run))?;
    refuse(asked::models_apart(&joined.models, models))?;
    for cell in &run.cells {
        let first = joined.asked.iter().find(|(load, _)| *load == cell.load);
        refuse(first.and_then(|(_, first)| asked::asked_apart(first, &asked::of(run))))?;
    }
    Ok(())
}

/// What one call wrote joins what was there, and with it the models that the server had then.
pub(super) fn join(so_far: &mut Option<Joined>, (mut run, models): (Session, Vec<String>), commit: Option<&String>) {
    run.commit = commit.cloned().or_else(|| run.commit.take());
    let new_asked = asked::of(&run);
    let Some(joined) = so_far else {
        let asked = run.plan.loads.iter().map(|load| (load.clone(), new_asked.clone()));
        *so_far = Some(Joined {
            asked: asked.collect(),
            session: run,
            models,
        });
        return;
    };
    for cell in run.cells {
        let own = joined.session.cells.iter_mut().find(|own| own.load == cell.load);
        let Some(own) = own else {
            joined.asked.push((cell.load.clone(), new_asked.clone()));
            joined.session.plan.loads.push(cell.load.clone());
            joined.session.cells.push(cell);
            continue;
        };
        for mut run in cell.runs {
            run.repeat = u32::try_from(own.runs.len()).unwrap_or(u32::MAX);
            own.runs.push(run);
        }
    }
    if let Prompts::Foreign { asked, .. } = &mut joined.session.plan.workload.prompts {
        *asked = of_all(&joined.asked);
    }
    let session = &mut joined.session;
    session.plan.requests_per_run = session.plan.requests_per_run.max(run.plan.requests_per_run);
    let most = session.cells.iter().map(|cell| cell.runs.len()).max().unwrap_or(1);
    session.plan.repeats = u32::try_from(most).unwrap_or(u32::MAX);
    for note in run.notes {
        if !session.notes.contains(&note) {
            session.notes.push(note);
        }
    }
}

fn refuse(apart: Option<(String, String, String)>) -> Result<(), CommandError> {
    apart.map_or(Ok(()), |(what, one, other)| {
        Err(CommandError::Changed { what, one, other })
    })
}

/// What was asked, by cell where the cells differ in it (`40 at c=4, 80 at c=8`), as in an import of all of them.
fn of_all(cells: &[(Load, Asked)]) -> Asked {
    let keys: BTreeSet<&String> = cells.iter().flat_map(|(_, asked)| asked.keys()).collect();
    let text = |key: &String| {
        let value = |asked: &Asked| asked.get(key).cloned().unwrap_or_else(|| "not stated".into());
        let first = cells.first().map(|(_, asked)| value(asked)).unwrap_or_default();
        if cells.iter().all(|(_, asked)| value(asked) == first) {
            return first;
        }
        let each = cells.iter().map(|(load, asked)| format!("{} at {load}", value(asked)));
        each.collect::<Vec<_>>().join(", ")
    };
    keys.into_iter().map(|key| (key.clone(), text(key))).collect()
}

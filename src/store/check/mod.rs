//! The rules that arithmetic relies on: order of stamps, finite numbers, counts above zero, no duplicates.
//!
//! Keys are those of the file, so that a person finds the place.

mod pairing;
mod plan;
mod run;
mod stated;
mod telemetry;

use crate::{
    plan::Plan,
    session::{CellRuns, Session},
};

/// Whole numbers up to here are exact in `f64`, and so in every program that reads JSON.
const MAX_EXACT: u64 = 1 << 53;

/// The last second of the year 9999, UTC.
const MAX_UNIX_S: u64 = 253_402_300_799;

/// What is wrong with a value, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where (`cells[0].runs[1].requests[17].first_token_ns`).
    pub(super) key: String,
    /// What, and what would be right.
    pub(super) problem: String,
}

type Checked = Result<(), Fault>;

impl Fault {
    /// The same fault, seen from one level above.
    pub(super) fn within(self, outer: impl std::fmt::Display) -> Self {
        let key = format!("{outer}.{}", self.key);
        Self { key, ..self }
    }
}

fn ensure(holds: bool, key: &str, problem: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    Err(Fault {
        key: key.into(),
        problem: problem(),
    })
}

fn above_zero(count: u32, key: &str) -> Checked {
    ensure(count > 0, key, || "is `0`; give a number above zero".into())
}

/// Checks several numbers of one kind, each by its key.
fn each(numbers: &[(&str, f64)], holds: fn(f64) -> bool, wanted: &str) -> Checked {
    numbers
        .iter()
        .try_for_each(|&(key, number)| ensure(holds(number), key, || format!("is `{number}`; give {wanted}")))
}

fn is_above_zero(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

fn is_zero_or_more(number: f64) -> bool {
    number.is_finite() && number >= 0.0
}

fn time_of_day(unix_s: u64, key: &str) -> Checked {
    ensure(unix_s <= MAX_UNIX_S, key, || {
        format!("is `{unix_s}`, after the year 9999; give seconds since 1970 UTC")
    })
}

/// Checks a whole session.
pub(super) fn session(session: &Session) -> Checked {
    time_of_day(session.started_unix_s, "started_unix_s")?;
    plan::plan(&session.plan).map_err(|fault| fault.within("plan"))?;
    if let Some(pairing) = &session.pairing {
        pairing::pairing(pairing).map_err(|fault| fault.within("pairing"))?;
    }
    for (at, cell) in session.cells.iter().enumerate() {
        let before = session.cells.get(..at).unwrap_or_default();
        cell_in(cell, before, &session.plan).map_err(|fault| fault.within(format_args!("cells[{at}]")))?;
    }
    Ok(())
}

fn cell_in(cell: &CellRuns, before: &[CellRuns], plan: &Plan) -> Checked {
    ensure(plan.loads.contains(&cell.load), "load", || {
        format!("`{}` is none of `plan.loads`", cell.load)
    })?;
    ensure(!before.iter().any(|other| other.load == cell.load), "load", || {
        format!("`{}` has a cell already", cell.load)
    })?;
    ensure(!before.iter().any(|other| other.name == cell.name), "name", || {
        format!("`{}` is the name of an earlier cell", cell.name)
    })?;
    let mut next_repeat = 0;
    for (at, run) in cell.runs.iter().enumerate() {
        let whole = ensure(run.repeat >= next_repeat, "repeat", || {
            format!("is `{}`, not above that of the run before", run.repeat)
        });
        next_repeat = run.repeat.saturating_add(1);
        whole
            .and_then(|()| run::run(run, &cell.load, plan))
            .map_err(|fault| fault.within(format_args!("runs[{at}]")))?;
    }
    Ok(())
}

//! Whether what a tool wrote is what it was asked for: one run of the planned load, of the measurement that has begun.

use std::collections::BTreeMap;

use crate::{
    config::{Call, RunnerSettings},
    metric::Metric,
    plan::{Load, Plan, Prompts},
    session::Session,
};

/// What a run was asked for, in the tool's own words.
pub(super) type Asked = BTreeMap<String, String>;
/// What may differ between two runs of one cell, as in an import.
const WHICH_RUN: [&str; 7] = ["run", "run_number", "repeat", "trial", "iteration", "seed", "timestamp"];
/// Stands for what nobody told.
const NOT_STATED: &str = "not stated";

/// Why one call of the tool is not one run of the planned load; `None`: it is.
pub(super) fn not_one_run(session: &Session, load: &Load) -> Option<String> {
    let runs: usize = session.cells.iter().map(|cell| cell.runs.len()).sum();
    let [cell] = session.cells.as_slice() else {
        let cells = session.cells.len();
        return Some(format!(
            "wrote {runs} runs of {cells} load levels where one run was asked"
        ));
    };
    if runs != 1 {
        return Some(format!("wrote {runs} runs where one run was asked"));
    }
    (cell.load != *load).then(|| format!("measured `{}` where `{load}` was planned", cell.load))
}

/// The plan's own words on what counts join those of the tool; what they contradict is refused, in words.
pub(super) fn take_plan(session: &mut Session, plan: &Plan) -> Result<(), String> {
    session.plan.max_error_rate = plan.max_error_rate;
    session.plan.price = plan.price;
    session.plan.target.cache_reset.clone_from(&plan.target.cache_reset);
    session.plan.hardware.clone_from(&plan.hardware);
    session.plan.framework.clone_from(&plan.framework);
    if plan.slo.is_empty() {
        return Ok(());
    }
    if session.plan.slo.is_empty() {
        leave_unknown_goodput(session);
    } else if session.plan.slo != plan.slo {
        return Err("counted goodput by other limits than the plan's `slo`".into());
    }
    session.plan.slo = plan.slo;
    Ok(())
}

/// A goodput of limits that the tool does not tell is not that of the plan's.
fn leave_unknown_goodput(session: &mut Session) {
    let mut is_left = false;
    for run in session.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
        let Some(stated) = &mut run.stated else { continue };
        for metric in [Metric::GoodputRps, Metric::GoodputTokensPerS] {
            is_left |= stated.figures.remove(&metric).is_some();
        }
    }
    let note = "the tool's own goodput is left out: it does not tell whether its limits are the plan's `slo`";
    session.notes.extend(is_left.then(|| note.to_owned()));
}

/// A run of fewer requests than it was asked for is cut short.
pub(super) fn mark_short(session: &mut Session, plan: &Plan, runner: &RunnerSettings) {
    let is_asked = match &runner.call {
        Call::Tool(..) => true,
        Call::Command(words) => words.iter().any(|word| word.contains("{requests}")),
    };
    for cell in &mut session.cells {
        for run in &mut cell.runs {
            let told = run.stated.as_ref();
            let told = told.and_then(|stated| Some(stated.completed? as usize + stated.failed? as usize));
            let sent = run.sent().max(told.unwrap_or(0));
            let is_short = sent < plan.requests_per_run as usize && run.knows_failures();
            if is_asked && is_short && cell.load.has_planned_count() && run.cut_short.is_none() {
                let planned = plan.requests_per_run;
                run.cut_short = Some(format!("it holds {sent} of the {planned} requests that were asked for"));
            }
        }
    }
}

/// What the run was asked for.
pub(super) fn of(session: &Session) -> Asked {
    match &session.plan.workload.prompts {
        Prompts::Foreign { asked, .. } => asked.clone(),
        _ => Asked::new(),
    }
}

/// What tells two runs apart that are to be of one measurement: what it is, in the one, and in the other.
pub(super) fn apart(one: &Session, other: &Session) -> Option<(String, String, String)> {
    let facts = |session: &Session| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| NOT_STATED.into());
        [
            ("the tool", session.definitions.clone()),
            ("the model", shown(&session.environment.model)),
            ("the API", session.plan.target.api.name().to_owned()),
            ("streaming", session.plan.target.streaming.to_string()),
            ("what was sent", session.plan.workload_name()),
            ("the engine", shown(&session.environment.engine_name)),
            ("the engine's version", shown(&session.environment.engine_version)),
        ]
    };
    // A server too busy to say who it is may be the same one.
    let may_lack = |what: &str| what.starts_with("the engine");
    let is_silent = |what: &str, value: &str| may_lack(what) && value == NOT_STATED;
    let mut pairs = facts(one).into_iter().zip(facts(other));
    let apart =
        pairs.find(|((what, one), (_, other))| one != other && !is_silent(what, one) && !is_silent(what, other));
    let told = apart.map(|((what, one), (_, other))| (what.to_owned(), one, other));
    told.or_else(|| facts_apart(&one.environment.engine_facts, &other.environment.engine_facts))
}

/// A fact that the engine stated both times, and not the same.
fn facts_apart(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Option<(String, String, String)> {
    let mut both = one
        .iter()
        .filter_map(|(fact, value)| Some((fact, value, other.get(fact)?)));
    let (fact, one, other) = both.find(|(_, one, other)| one != other)?;
    Some((format!("the engine's `{fact}`"), one.clone(), other.clone()))
}

/// The same of the models that a server has; one that does not tell has not changed.
pub(super) fn models_apart(one: &[String], other: &[String]) -> Option<(String, String, String)> {
    let is_other = !one.is_empty() && !other.is_empty() && one != other;
    is_other.then(|| ("what the server serves".to_owned(), one.join(", "), other.join(", ")))
}

/// The same of what two runs of one cell were asked for.
pub(super) fn asked_apart(one: &Asked, other: &Asked) -> Option<(String, String, String)> {
    let shown = |asked: &Asked, key: &str| asked.get(key).cloned().unwrap_or_else(|| NOT_STATED.into());
    let mut keys = one.keys().chain(other.keys());
    let key = keys.find(|key| one.get(*key) != other.get(*key) && !WHICH_RUN.contains(&key.as_str()))?;
    Some((format!("`{key}`"), shown(one, key), shown(other, key)))
}

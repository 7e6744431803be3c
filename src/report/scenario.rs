//! What the rules of its `MLPerf` scenario say of a session, run by run.

use crate::{
    measure::scenario::{Standing, standing},
    plan::Scenario,
    session::Session,
};

/// What nobody may mistake such a session for.
const NO_SUBMISSION: &str = "no MLPerf result and no submission: perfgate measured by LoadGen's rules of load, limits, counts and early \
                             stopping; accuracy, data set and system were not checked, and MLCommons did not verify it";

/// Facts of the scenario, with `VALID` or `INVALID` for each run; none where there is no scenario.
pub(super) fn facts(session: &Session) -> Vec<(String, String)> {
    let Some(scenario) = &session.plan.scenario else {
        return Vec::new();
    };
    let mut facts = vec![("MLPerf scenario".to_owned(), asked(scenario))];
    let runs: Vec<String> = standings(session, scenario)
        .map(|(place, standing)| {
            let estimate = standing.estimate_ms.map_or_else(String::new, |ms| {
                format!(
                    ", P{:.0} latency {ms:.1} ms at most",
                    scenario.kind.percentile() * 100.0
                )
            });
            format!("{place} {}{estimate}", standing.word())
        })
        .collect();
    if !runs.is_empty() {
        facts.push(("By the scenario's rules".to_owned(), runs.join("; ")));
    }
    let unknown = format!("MLPerf has no {} of `{}`; ", scenario.kind.name(), scenario.benchmark);
    let unknown = if scenario.is_of_mlperf() { "" } else { &unknown };
    facts.push(("Standing".to_owned(), format!("{unknown}{NO_SUBMISSION}")));
    facts
}

/// Why runs are not valid, in sentences.
pub(super) fn warnings(arm: &str, session: &Session) -> Vec<String> {
    let Some(scenario) = &session.plan.scenario else {
        return Vec::new();
    };
    let invalid = standings(session, scenario).filter(|(_, standing)| !standing.reasons.is_empty());
    invalid
        .map(|(place, standing)| {
            let name = scenario.kind.name();
            format!(
                "{arm}: {place} is INVALID by the rules of {name}: {}",
                standing.reasons.join("; ")
            )
        })
        .collect()
}

/// Why the runs of a session are not all valid by the rules of its scenario, in one sentence; `None` where they are, or where
/// it has none.
pub fn invalid_by_scenario(session: &Session) -> Option<String> {
    let scenario = session.plan.scenario.as_ref()?;
    let (place, standing) = standings(session, scenario).find(|(_, standing)| !standing.reasons.is_empty())?;
    let name = scenario.kind.name();
    Some(format!(
        "{place} is INVALID by the rules of {name}: {}",
        standing.reasons.join("; ")
    ))
}

/// Each run in plan order, with its place in words.
fn standings<'a>(session: &'a Session, scenario: &'a Scenario) -> impl Iterator<Item = (String, Standing)> + 'a {
    let several = session.cells.len() > 1;
    let runs = session
        .cells
        .iter()
        .flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)));
    runs.map(move |(cell, run)| {
        let place = if several {
            format!("run {} at {}", run.repeat + 1, cell.name)
        } else {
            format!("run {}", run.repeat + 1)
        };
        (place, standing(scenario, &cell.load, run))
    })
}

fn asked(scenario: &Scenario) -> String {
    let limits = [
        ("TTFT", scenario.limits.ttft_ms),
        ("TPOT", scenario.limits.tpot_ms),
        ("E2E", scenario.limits.e2e_ms),
    ];
    let percent = scenario.kind.percentile() * 100.0;
    let limits: Vec<String> = limits
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("P{percent:.0} {name} ≤ {} ms, ", limit?)))
        .collect();
    let shortened = if scenario.is_shortened {
        "shortened: not valid; "
    } else {
        ""
    };
    format!(
        "{shortened}{} of {}: {}at least {} requests and {:?} ({})",
        scenario.kind.name(),
        scenario.benchmark,
        limits.concat(),
        scenario.min_requests,
        scenario.min_duration,
        scenario.rules
    )
}

//! What a session must be to enter a history: it will judge others for weeks.

use super::{Entry, course::values};
use crate::{
    measure::{disturbance, measure},
    metric::Metric,
    session::{Ended, PairArm, Session},
    stats::moments::Moments,
};

/// The largest standard deviation of the logarithm between the runs of a session that may enter a history.
///
/// 10 % for decode, throughput and memory; 25 % for first tokens and whole answers, which wait in queues.
pub const fn spread_limit(metric: Metric) -> f64 {
    match metric {
        Metric::Ttft(_)
        | Metric::Ttfa(_)
        | Metric::E2e(_)
        | Metric::TtftFromSchedule(_)
        | Metric::E2eFromSchedule(_) => 0.25,
        _ => 0.10,
    }
}

/// What speaks against a session as a baseline, in sentences: that it is a candidate or not of the main branch, or not
/// whole, or of a single run, or too noisy in one of the gated metrics, or its machine was
/// disturbed in most runs. None: nothing does.
///
/// Whether it can carry a verdict at all is not asked here ([`crate::measure::invalid_because`]).
pub fn objections(session: &Session, gated: &[Metric]) -> Vec<String> {
    let mut objections = Vec::new();
    let candidate = session
        .pairing
        .as_ref()
        .filter(|pairing| pairing.arm == PairArm::Candidate);
    if let Some(pairing) = candidate {
        objections.push(format!(
            "it is the candidate of A/B measurement `{}`: a baseline is what is on the main branch",
            pairing.id
        ));
    }
    objections.extend(not_of_main(session));
    if session.ended == Ended::Interrupted {
        objections.push("it was interrupted: not all of its runs are there".into());
    }
    objections.extend(alone(session));
    objections.extend(disturbed(session));
    objections.extend(noisy(session, gated));
    objections
}

/// What the machine did to most runs of a level would be the baseline's speed for weeks.
fn disturbed(session: &Session) -> Option<String> {
    session.cells.iter().find_map(|cell| {
        let found: Vec<String> = cell.runs.iter().filter_map(disturbance::of_machine).collect();
        let first = found.first().filter(|_| found.len() * 2 > cell.runs.len())?;
        Some(format!(
            "the machine was disturbed in {} of {} runs of {}: {first}",
            found.len(),
            cell.runs.len(),
            cell.name
        ))
    })
}

/// One run says nothing of how far runs lie apart here; what was left out on purpose has none.
fn alone(session: &Session) -> Option<String> {
    let cells = session.cells.iter().filter(|cell| cell.skipped.is_none());
    let few: Vec<_> = cells.filter(|cell| cell.runs.len() < 2).collect();
    let first = few.first()?;
    let runs = if first.runs.is_empty() { "no run" } else { "one run" };
    let others = match few.len() - 1 {
        0 => String::new(),
        1 => " and in 1 more cell".to_owned(),
        more => format!(" and in {more} more cells"),
    };
    Some(format!(
        "it has {runs} at {}{others}: how far its runs lie apart is not known",
        first.name
    ))
}

/// What spoke against the sessions of a history and still does, in sentences: one for each reason.
pub fn doubts(entries: &[Entry]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for entry in entries {
        for reason in &entry.forced {
            let label = format!("`{}`", entry.label());
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, labels)) => labels.push(label),
                None => reasons.push((reason, vec![label])),
            }
        }
    }
    let told = reasons.iter().map(|(reason, labels)| {
        let first: Vec<&str> = labels.iter().take(3).map(String::as_str).collect();
        let more = match labels.len() - first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let sessions = if labels.len() == 1 { "session" } else { "sessions" };
        format!("a doubt about stored {sessions} {}{more}: {reason}", first.join(", "))
    });
    told.collect()
}

/// The baseline's arm of an A/B measurement is main's server, whoever asked for the measurement; a candidate has been
/// told already.
fn not_of_main(session: &Session) -> Option<String> {
    let origin = session.origin.as_ref().filter(|_| session.pairing.is_none())?;
    let place = origin.not_of_main()?;
    Some(format!(
        "it was measured {place}: a baseline is what is on the main branch"
    ))
}

fn noisy(session: &Session, gated: &[Metric]) -> Vec<String> {
    let measured = measure(session);
    let each = measured
        .cells
        .iter()
        .flat_map(|cell| gated.iter().map(move |metric| (cell, *metric)));
    let too_much = each.filter_map(|(cell, metric)| {
        let logs: Vec<f64> = values(cell, metric)?.iter().map(|value| value.ln()).collect();
        let sd = Moments::of(&logs)?.variance.sqrt();
        let limit = spread_limit(metric);
        (sd > limit).then(|| {
            format!(
                "the runs of {} at {} lie {:.1} % apart (standard deviation), more than {:.0} %",
                metric.label(),
                cell.name,
                sd * 100.0,
                limit * 100.0
            )
        })
    });
    too_much.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::scaled;

    #[test]
    fn a_session_most_of_whose_runs_were_disturbed_is_no_baseline() {
        let mut session = scaled(&[0.99, 1.0, 1.0, 1.01], |_, _| {});
        let runs = session.cells[0].runs.len();
        let mut of = |disturbed: usize| {
            for (place, run) in session.cells[0].runs.iter_mut().enumerate() {
                run.host.throttled = if place < disturbed {
                    vec!["hw_slowdown".into()]
                } else {
                    Vec::new()
                };
            }
            objections(&session, &[])
        };
        assert_eq!(of(runs / 2), [""; 0]);
        let most = of(runs / 2 + 1);
        assert!(
            most[0].starts_with("the machine was disturbed in ")
                && most[0].ends_with("clocks were held down (hw_slowdown)"),
            "{most:?}"
        );
    }
}

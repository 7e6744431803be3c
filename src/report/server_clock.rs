//! The engine's own count of latencies beside the client's: where they disagree, something lies between the two, or somebody
//! else sends requests.

use crate::{
    measure::{RequestLatency, request_latency_ms},
    session::{CellRuns, EngineUse, Run, ServerClock, ServerLatency, Session},
    stats::{moments::mean, real},
    verdict::wording,
};

/// What the client sees beyond what the engine counts, as a share of the client's mean, and at least so much.
const MAX_BETWEEN: f64 = 0.10;
const LEAST_BETWEEN_MS: f64 = 5.0;
/// What the engine counts beyond what the client sees: clocks differ by less.
const MAX_BEYOND: f64 = 0.05;
const LEAST_BEYOND_MS: f64 = 2.0;
/// Requests that the engine counted beyond those of the run, as a share of them.
const MAX_OTHERS: f64 = 0.05;
/// Of the run's requests, this share may have been counted too late, or not at all, for their mean to be that of all.
const MAY_LACK: f64 = 0.02;

/// What a reader should know of it, in sentences: one for each cell and disagreement.
pub(super) fn of(arm: &str, session: &Session) -> Vec<String> {
    // What is sent again, or holds several inputs, is several requests to the engine.
    let sends_once = session.plan.target.retries == 0 && session.plan.workload.batch <= 1;
    let cells = session.cells.iter().flat_map(|cell| {
        let others = told(arm, cell, |run| others(run).filter(|_| sends_once));
        let ttft = told(arm, cell, |run| apart(run, ServerClock::Ttft));
        let tpot = told(arm, cell, |run| apart(run, ServerClock::Tpot));
        [others, ttft, tpot].into_iter().flatten()
    });
    cells.collect()
}

/// The first run in which something was found, and in how many.
fn told(arm: &str, cell: &CellRuns, of: impl Fn(&Run) -> Option<String>) -> Option<String> {
    let mut found = cell.runs.iter().filter_map(|run| Some((run.repeat + 1, of(run)?)));
    let (run, what) = found.next()?;
    let count = 1 + found.count();
    Some(format!(
        "{arm}: {what} (run {run}; {count} of {} at {})",
        wording::count(cell.runs.len(), "run"),
        cell.name
    ))
}

fn counted(run: &Run, of: ServerClock) -> Option<&ServerLatency> {
    let EngineUse::Sampled(series) = &run.telemetry.engine else {
        return None;
    };
    series.latencies.iter().find(|latency| latency.of == of)
}

/// Somebody else's requests in the engine.
fn others(run: &Run) -> Option<String> {
    let latency = counted(run, ServerClock::E2e).or_else(|| counted(run, ServerClock::Ttft))?;
    let own = u64::try_from(run.requests.len()).ok()?;
    let others = latency.count.checked_sub(own)?;
    // Engines count a little after their answers: the last ones of the warm-up may fall into the run.
    let is_many = others > most_in_flight(run) && count(others) > count(own) * MAX_OTHERS;
    is_many.then(|| {
        format!(
            "the engine counted {} requests while this run sent {own}: somebody else sends requests to it, and the figures are \
             those of a shared server",
            latency.count
        )
    })
}

/// The most requests that were in flight at once.
fn most_in_flight(run: &Run) -> u64 {
    let sent = run.requests.iter().map(|record| (record.sent_ns, 1_i64));
    let ended = run.requests.iter().map(|record| (record.end_ns, -1_i64));
    let mut events: Vec<(u64, i64)> = sent.chain(ended).collect();
    events.sort_unstable();
    let (mut now, mut most) = (0_i64, 0_i64);
    for (_, by) in events {
        now += by;
        most = most.max(now);
    }
    u64::try_from(most).unwrap_or(0)
}

/// The two means, where they disagree; only of runs whose requests are all that the engine counted.
fn apart(run: &Run, of: ServerClock) -> Option<String> {
    let theirs = counted(run, of)?;
    let (name, latency) = match of {
        ServerClock::Ttft => ("TTFT", RequestLatency::Ttft),
        _ => ("TPOT", RequestLatency::Tpot),
    };
    let own: Vec<f64> = run
        .requests
        .iter()
        .filter_map(|record| request_latency_ms(record, latency))
        .collect();
    let is_same = theirs.count <= u64::try_from(run.requests.len()).ok()?
        && count(theirs.count) >= real(own.len()) * (1.0 - MAY_LACK);
    let own_ms = mean(&own).filter(|_| is_same)?;
    let between_ms = own_ms - theirs.mean_ms;
    let (own, counted) = (ms(own_ms), ms(theirs.mean_ms));
    // A token takes a few milliseconds: of TPOT the share alone counts.
    let floor = |ms: f64| if of == ServerClock::Ttft { ms } else { 0.0 };
    if between_ms > floor(LEAST_BETWEEN_MS).max(own_ms * MAX_BETWEEN) {
        return Some(format!(
            "mean {name} is {own} for the client and {counted} by the engine's own count: {} lie between them, in the network, \
             a proxy, the engine's HTTP server or the client",
            ms(between_ms)
        ));
    }
    (-between_ms > floor(LEAST_BEYOND_MS).max(own_ms * MAX_BEYOND)).then(|| {
        format!(
            "mean {name} is {own} for the client and {counted} by the engine's own count, which is longer: its clock or its \
             histogram is of something else, or tokens reach the client together"
        )
    })
}

fn ms(ms: f64) -> String {
    format!("{} ms", wording::amount(ms, false))
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        session::EngineSeries,
    };

    /// 200 requests a run with a TTFT of 50 ms and a TPOT of 10 ms; the engine counted so many of that mean.
    fn seen(of: ServerClock, count: u64, mean_ms: f64) -> Vec<String> {
        let mut session = session(&[4], &[Figures::default(); 3]);
        for run in session.cells[0].runs.iter_mut().skip(1) {
            let latency = ServerLatency {
                of,
                count,
                mean_ms,
                p95_within_ms: None,
            };
            run.telemetry.engine = EngineUse::Sampled(EngineSeries {
                samples: 9,
                latencies: vec![latency],
                ..EngineSeries::default()
            });
        }
        super::of("candidate", &session)
    }

    #[test]
    fn each_disagreement_is_tried_on_both_sides() {
        for (of, count, mean_ms, words) in [
            (ServerClock::Ttft, 200, 45.1, None),
            (ServerClock::Ttft, 200, 44.9, Some("5.1 ms lie between them")),
            (ServerClock::Ttft, 200, 52.4, None),
            (ServerClock::Ttft, 200, 52.6, Some("which is longer")),
            (ServerClock::Ttft, 212, 50.0, None),
            (
                ServerClock::Ttft,
                220,
                50.0,
                Some("the engine counted 220 requests while this run sent 200"),
            ),
            // Not the same requests: no means to compare.
            (ServerClock::Ttft, 190, 10.0, None),
            (ServerClock::Tpot, 200, 9.1, None),
            (
                ServerClock::Tpot,
                200,
                8.9,
                Some("mean TPOT is 10 ms for the client and 8.9 ms"),
            ),
            (ServerClock::Itl, 200, 1.0, None),
        ] {
            let found = seen(of, count, mean_ms);
            match words {
                None => assert_eq!(found, Vec::<String>::new(), "{of:?} {count} {mean_ms}"),
                Some(words) => {
                    let [sentence] = &found[..] else {
                        unreachable!("{found:?}")
                    };
                    assert!(sentence.contains(words), "{sentence}");
                    assert!(
                        sentence.ends_with("(run 2; 2 of 3 runs at synthetic-64/16 @ c=4)"),
                        "{sentence}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_server_that_is_asked_again_counts_more_requests() {
        let mut again = session(&[4], &[Figures::default(); 2]);
        again.plan.target.retries = 1;
        assert_eq!(of("candidate", &again), Vec::<String>::new());
    }
}

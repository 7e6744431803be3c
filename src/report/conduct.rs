//! Signs that figures are true and yet mislead: requests that march in step, runs that had not settled.

use std::time::Duration;

use super::{counts, never_full};
use crate::{
    measure::{
        asked_rps,
        lockstep::in_lockstep,
        offered_rps,
        settled::{Movement, movements},
        validity::streams_stood_idle,
    },
    plan::{Load, Sharing, Stage, StageLength, StageLevel},
    session::{CellRuns, Run, Session, WarmupEnd},
    verdict::wording::percent,
};

/// What a reader should know of how the runs of one session went, in sentences.
pub(super) fn of(arm: &str, session: &Session) -> Vec<String> {
    let mut told = Vec::new();
    told.extend(neighbours(arm, session));
    for cell in &session.cells {
        let runs: Vec<&Run> = cell.runs.iter().filter(|run| run.cut_short.is_none()).collect();
        told.extend(never_full::of(arm, session, cell, &runs));
        told.extend(short_stages(arm, session, cell, &runs));
        told.extend(off_rate(arm, session, cell, &runs));
        told.extend(lockstep(arm, cell, &runs));
        told.extend(unsettled(arm, cell, &runs));
        told.extend(cold(arm, cell, &runs));
        told.extend(idle(arm, session, cell, &runs));
        told.extend(counts::of(arm, cell));
    }
    told
}

/// Work of others on the GPU of the server, on both sides of the pairs.
fn neighbours(arm: &str, session: &Session) -> Option<String> {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    let seen: Vec<u32> = runs.filter_map(|run| run.host.neighbour_gpu_processes).collect();
    let beside = seen.iter().filter(|processes| **processes > 0).count();
    let most = *seen.iter().max()?;
    (beside > 0).then(|| {
        let (processes, were) = if most == 1 { ("process", "was") } else { ("processes", "were") };
        format!(
            "{arm}: {most} other {processes} {were} on its server's GPU in {beside} of {} runs: the figures are those of a \
             shared GPU; end that work, or measure where nobody else is",
            seen.len()
        )
    })
}

/// Closed stages that had sent all that a run sends before their time was up.
fn short_stages(arm: &str, session: &Session, cell: &CellRuns, runs: &[&Run]) -> Vec<String> {
    let Load::Stages { stages, .. } = &cell.load else {
        return Vec::new();
    };
    let most = session.plan.requests_per_run as usize;
    let sentence = |(number, stage): (u16, &Stage)| {
        let (StageLevel::Concurrency(_), StageLength::Duration(time)) = (stage.level, stage.length) else {
            return None;
        };
        let is_short = |run: &&&Run| {
            let sent = run.requests.iter().filter(|record| record.stage == number);
            let sent: Vec<u64> = sent.map(|record| record.sent_ns).collect();
            let lasted_ns = sent
                .iter()
                .max()
                .zip(sent.iter().min())
                .map(|(last, first)| last - first);
            sent.len() >= most && lasted_ns.is_some_and(|ns| Duration::from_nanos(ns) < time)
        };
        let short = runs.iter().filter(is_short).count();
        (short > 0).then(|| {
            format!(
                "{arm}: `{}` of {} ended in {short} of {} runs before its time was up, as `num_requests` is {most}; give \
                 more",
                cell.load.stage_name(number),
                cell.name,
                runs.len()
            )
        })
    };
    (0_u16..).zip(stages).filter_map(sentence).collect()
}

/// A schedule further than this from the asked rate is told.
const OFF_RATE: f64 = 0.05;

/// Schedules too short to have the rate that was asked.
fn off_rate(arm: &str, session: &Session, cell: &CellRuns, runs: &[&Run]) -> Vec<String> {
    // A part of a plan has a part of its rate.
    if matches!(session.plan.shard, Some(Sharing::Part(_))) {
        return Vec::new();
    }
    let stages = match &cell.load {
        Load::Stages { stages, .. } => u16::try_from(stages.len()).unwrap_or(u16::MAX),
        _ => 1,
    };
    let sentence = |stage: u16| {
        let asked = asked_rps(&cell.load, stage)?;
        let offered = runs.iter().filter_map(|run| offered_rps(run, &cell.load, stage));
        let mut off = offered.filter(|rps| (rps / asked - 1.0).abs() > OFF_RATE);
        let first = off.next()?;
        let (part, more) = match &cell.load {
            Load::Stages { .. } => (format!("`{}` of ", cell.load.stage_name(stage)), "make it longer"),
            _ => (String::new(), "give more `num_requests`"),
        };
        let told = format!(
            "{arm}: the schedule of {part}{} itself offers {first:.3} req/s instead of {asked} ({}) in {} of {} runs: it is \
             too short for its rate; {more}",
            cell.name,
            percent(first / asked - 1.0),
            1 + off.count(),
            runs.len()
        );
        Some(session.plan.in_own_unit(&told))
    };
    (0..stages).filter_map(sentence).collect()
}

fn lockstep(arm: &str, cell: &CellRuns, runs: &[&Run]) -> Option<String> {
    let Load::Concurrency(streams) = cell.load else {
        return None;
    };
    let marching = runs
        .iter()
        .filter(|run| in_lockstep(run, streams) == Some(true))
        .count();
    // A run that fell into step by chance is no property of the workload.
    (marching * 2 > runs.len()).then(|| {
        format!(
            "{arm}: requests marched in waves of {streams} in {marching} of {} runs at {}: answers of equal length end \
             together, and TTFT is that of a burst; vary `output_tokens`, or give a request rate instead",
            runs.len(),
            cell.name
        )
    })
}

/// Where the load itself moves, so do the latencies.
fn unsettled(arm: &str, cell: &CellRuns, runs: &[&Run]) -> Vec<String> {
    if !matches!(cell.load, Load::Concurrency(_) | Load::Rate { .. }) {
        return Vec::new();
    }
    let found: Vec<(u32, Vec<(&str, Movement)>)> = runs
        .iter()
        .map(|run| (run.repeat + 1, movements(run, &cell.load, runs.len())))
        .collect();
    let sentence = |latency: &str| {
        let mut moved = found.iter().filter_map(|(run, movements)| {
            let (_, movement) = movements.iter().find(|(name, _)| *name == latency)?;
            Some((*run, *movement))
        });
        let (run, first) = moved.next()?;
        let count = 1 + moved.count();
        let how = in_words(run, first);
        Some(format!(
            "{arm}: {latency} had not settled in {count} of {} runs at {}: {how}",
            runs.len(),
            cell.name
        ))
    };
    ["TTFT", "TPOT"].into_iter().filter_map(sentence).collect()
}

fn in_words(run: u32, movement: Movement) -> String {
    match movement {
        Movement::Warming { share, excess } => format!(
            "in run {run} the first {:.0} % of the requests took {} as long as the rest; warm up longer, or until steady \
             with `warmup: auto`",
            share * 100.0,
            format_args!("{:.1} times", 1.0 + excess)
        ),
        Movement::Drift(change) => format!(
            "in run {run} it moved by {} from beginning to end; something beside the requests changed, or a queue grew",
            percent(change)
        ),
    }
}

fn cold(arm: &str, cell: &CellRuns, runs: &[&Run]) -> Option<String> {
    let at_limit = runs.iter().filter(|run| run.warmup.end == WarmupEnd::Limit).count();
    (at_limit > 0).then(|| {
        format!(
            "{arm}: the warm-up of {at_limit} of {} runs at {} reached its limit before the server was steady",
            runs.len(),
            cell.name
        )
    })
}

fn idle(arm: &str, session: &Session, cell: &CellRuns, runs: &[&Run]) -> Option<String> {
    let mut found = runs
        .iter()
        .filter_map(|run| streams_stood_idle(session, &cell.load, run));
    let first = found.next()?;
    Some(format!(
        "{arm}: the client was slow to send in {} of {} runs at {}: {}; the machine is busy, or too small for this load",
        1 + found.count(),
        runs.len(),
        cell.name,
        first.told()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        session::ClientUse,
    };

    fn five_runs() -> Session {
        session(&[4], &[Figures::default(); 5])
    }

    #[test]
    fn an_even_session_gives_nothing_to_say() {
        assert_eq!(of("candidate", &five_runs()), Vec::<String>::new());
    }

    #[test]
    fn neighbours_on_the_gpu_are_told_once_whatever_the_cells() {
        let mut shared = session(&[4, 8], &[Figures::default(); 2]);
        for run in shared.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            run.host.neighbour_gpu_processes = Some(0);
        }
        assert_eq!(of("baseline", &shared), Vec::<String>::new());
        shared.cells[0].runs[1].host.neighbour_gpu_processes = Some(1);
        shared.cells[1].runs[1].host.neighbour_gpu_processes = Some(2);
        assert_eq!(
            of("baseline", &shared),
            [
                "baseline: 2 other processes were on its server's GPU in 2 of 4 runs: the figures are those of a shared GPU; \
                 end that work, or measure where nobody else is"
            ]
        );
    }

    #[test]
    fn a_stage_that_ran_out_of_requests_is_told() {
        let mut staged = five_runs();
        staged.plan.requests_per_run = 200;
        staged.cells[0].load = Load::Stages {
            stages: vec![Stage {
                level: StageLevel::Concurrency(4),
                length: StageLength::Duration(Duration::from_secs(3600)),
            }],
            arrivals: crate::plan::Arrivals::Poisson,
        };
        assert_eq!(
            of("candidate", &staged),
            [
                "candidate: `c=4 for 3600s` of synthetic-64/16 @ c=4 ended in 5 of 5 runs before its time was up, as \
                 `num_requests` is 200; give more"
            ]
        );
        staged.plan.requests_per_run = 201;
        assert_eq!(of("candidate", &staged), Vec::<String>::new());
    }

    #[test]
    fn a_schedule_that_misses_the_asked_rate_by_more_than_a_twentieth_is_told() {
        let every = |gap: u64| {
            let mut open = five_runs();
            open.cells[0].load = Load::Rate {
                rate_rps: 100.0,
                arrivals: crate::plan::Arrivals::Poisson,
            };
            for record in open.cells[0].runs.iter_mut().flat_map(|run| &mut run.requests) {
                record.scheduled_ns = Some(u64::from(record.index) * gap * 100_000);
            }
            of("candidate", &open)
        };
        assert_eq!(every(105), Vec::<String>::new());
        assert_eq!(
            every(120),
            [
                "candidate: the schedule of synthetic-64/16 @ c=4 itself offers 83.333 req/s instead of 100 (−16.7 %) in 5 of \
                 5 runs: it is too short for its rate; give more `num_requests`"
            ]
        );
    }

    #[test]
    fn a_march_is_told_with_a_way_out() {
        let mut marching = five_runs();
        for run in marching.cells[0].runs.iter_mut().take(3) {
            for record in &mut run.requests {
                record.sent_ns = u64::from(record.index / 4) * 200_000_000 + u64::from(record.index % 4) * 10_000;
            }
        }
        assert_eq!(
            of("candidate", &marching)[0],
            "candidate: requests marched in waves of 4 in 3 of 5 runs at synthetic-64/16 @ c=4: answers of equal length \
             end together, and TTFT is that of a burst; vary `output_tokens`, or give a request rate instead"
        );
        marching.cells[0].runs.swap(0, 4);
        marching.cells[0].runs.truncate(4);
        assert!(
            !of("candidate", &marching).iter().any(|told| told.contains("waves")),
            "two of four"
        );
    }

    #[test]
    fn a_run_that_was_still_warming_up_is_told() {
        let mut cold = five_runs();
        for record in cold.cells[0].runs[1].requests.iter_mut().take(64) {
            record.first_token_ns = Some(record.sent_ns + 150_000_000 + u64::from(record.index % 5) * 1_000_000);
            record.last_token_ns = record.first_token_ns.map(|ns| ns + 160_000_000);
        }
        for record in cold.cells[0].runs[1].requests.iter_mut().skip(64) {
            record.first_token_ns = Some(record.sent_ns + 50_000_000 + u64::from(record.index % 7) * 1_000_000);
            record.last_token_ns = record.first_token_ns.map(|ns| ns + 160_000_000);
        }
        let told = of("baseline", &cold);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(
                "baseline: TTFT had not settled in 1 of 5 runs at synthetic-64/16 @ c=4: in run 2 the first"
            ),
            "{told:?}"
        );
    }

    #[test]
    fn a_client_that_is_slow_to_send_is_told() {
        let mut busy = five_runs();
        let run = &mut busy.cells[0].runs[1];
        run.client = Some(ClientUse::default());
        for record in &mut run.requests {
            // One stream after the other, each answer of 40 ms followed by 5 ms of nothing.
            record.sent_ns = u64::from(record.index) * 45_000_000;
            record.end_ns = record.sent_ns + 40_000_000;
        }
        let told = of("candidate", &busy).join("\n");
        assert!(
            told.contains(
                "candidate: the client was slow to send in 1 of 5 runs at synthetic-64/16 @ c=4: only 3.6 of 4"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_warm_up_that_reached_its_limit_is_told() {
        let mut cold = five_runs();
        cold.cells[0].runs[0].warmup.end = WarmupEnd::Limit;
        let told = of("candidate", &cold);
        assert_eq!(
            told,
            [
                "candidate: the warm-up of 1 of 5 runs at synthetic-64/16 @ c=4 reached its limit before the server was steady"
            ]
        );
    }
}

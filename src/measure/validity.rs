//! Whether a session can carry a verdict: runs that failed, that were cut short, or in which the client set the pace.

use super::deaths::{death, gone_because};
use crate::{
    plan::{Load, Sharing, StageLevel},
    session::{ClientUse, RequestRecord, Run, Session},
    stats::{moments, quantile::quantile, real},
};

/// A send or a read that is later than this counts as late, in milliseconds.
///
/// A busy machine makes a thread wait for a few milliseconds now and then; TTFTs on a network are tens of them.
pub const LATE_MS: f64 = 10.0;
/// Where TTFT is longer, this share of its median counts as late instead: it moves no figure by more.
pub const LATE_SHARE_OF_TTFT: f64 = 0.10;
/// A run with a larger share of late sends is invalid; that is P99 above the limit.
const MAX_LATE_SHARE: f64 = 0.01;
/// Fewer late sends than this are hiccups of the machine, however short the run.
const FEWEST_LATE: usize = 5;
/// A run that was sent at less than this share of its schedule's rate is invalid, and so is one with less than this
/// share of the asked requests in flight.
pub const MIN_ACHIEVED: f64 = 0.95;
/// A shorter mean pause between an answer and the next request is worth no word, in milliseconds.
const HARMLESS_PAUSE_MS: f64 = 1.0;
/// Of the pauses, this share, the longest, are hiccups of the machine.
const HICCUPS: f64 = 0.05;
/// A client that used a larger share of its threads' time had none to spare.
pub const MAX_CPU_SHARE: f64 = 0.90;
/// Shorter runs tell nothing about CPU time, in seconds.
const CPU_SHORTEST_S: f64 = 1.0;
/// Fewest requests from which a pace can be told.
const FEWEST_FOR_PACE: usize = 20;

/// Why no verdict may rest on this session, if so.
pub fn invalid_because(session: &Session) -> Option<String> {
    first_invalid(session, true)
}

/// The same for a session whose failed requests are judged themselves, and runs that lost their server with them.
pub fn invalid_beside_failures(session: &Session) -> Option<String> {
    first_invalid(session, false)
}

fn first_invalid(session: &Session, by_failures: bool) -> Option<String> {
    let mut runs = session
        .cells
        .iter()
        .flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)));
    runs.find_map(|(cell, run)| {
        let why = invalid_run(session, &cell.load, run, by_failures)?;
        Some(format!("`{}`, run {}: {why}", cell.name, run.repeat + 1))
    })
}

fn invalid_run(session: &Session, load: &Load, run: &Run, by_failures: bool) -> Option<String> {
    if session.was_cut_by_interrupt(run) {
        return None;
    }
    if !by_failures && death(run).is_some() {
        return None;
    }
    if let Some(reason) = &run.cut_short {
        return Some(reason.clone());
    }
    if run.search.is_some() {
        return None;
    }
    let errors = too_many_errors(session, run).filter(|_| by_failures || run.sent() == 0);
    errors.or_else(|| gone_because(run)).or_else(|| {
        let why = client_was_bottleneck(session, load, run)?;
        Some(format!("the client was the bottleneck: {why}"))
    })
}

fn too_many_errors(session: &Session, run: &Run) -> Option<String> {
    let limit = session.plan.max_error_rate;
    if run.sent() == 0 {
        return run.knows_requests().then(|| "it holds no request".into());
    }
    // Where a tool does not tell all failures, those that are known are the fewest there can be.
    let rate = real(run.failed()) / real(run.sent());
    let worst = || {
        let (class, count, message) = run.failures().into_iter().next()?;
        Some(format!("; {count} × {class}: {message}"))
    };
    (rate > limit).then(|| {
        format!(
            "{:.1} % of requests failed, more than `max_error_rate` {:.1} %{}",
            rate * 100.0,
            limit * 100.0,
            worst().unwrap_or_default()
        )
    })
}

/// Why the figures of a run are the client's and not the server's, if so.
pub fn client_was_bottleneck(session: &Session, load: &Load, run: &Run) -> Option<String> {
    let limit_ms = late_ms(run);
    let idle = || {
        // A machine that is busy makes each answer wait a few milliseconds; that is told and does not block.
        let idle = streams_stood_idle(session, load, run).filter(|idle| idle.pause_ms > LATE_MS)?;
        Some(idle.told())
    };
    sent_late(run, limit_ms)
        .or_else(|| sent_too_slowly(run))
        .or_else(|| run.client.as_ref().and_then(|client| read_late(client, limit_ms)))
        .or_else(|| run.client.as_ref().and_then(no_cpu_to_spare))
        .or_else(idle)
}

/// From when on a send or a read counts as late: 10 ms, or 10 % of the run's median TTFT where that is more.
pub fn late_ms(run: &Run) -> f64 {
    let answers = run.requests.iter().filter(|record| record.completed());
    let first = answers.map(|record| {
        ms(record
            .first_token_ns
            .unwrap_or(record.end_ns)
            .saturating_sub(record.sent_ns))
    });
    let median = quantile(&first.collect::<Vec<_>>(), 0.5).unwrap_or(0.0);
    LATE_MS.max(median * LATE_SHARE_OF_TTFT)
}

fn lags_ms(run: &Run) -> Vec<f64> {
    let behind = |record: &RequestRecord| Some(ms(ready_ns(record).saturating_sub(record.scheduled_ns?)));
    run.requests.iter().filter_map(behind).collect()
}

/// When the client had done its own part: opening a connection is waiting for the server.
fn ready_ns(record: &RequestRecord) -> u64 {
    record.sent_ns.saturating_sub(record.connect_ns.unwrap_or(0))
}

fn sent_late(run: &Run, limit_ms: f64) -> Option<String> {
    let lags = lags_ms(run);
    let late = lags.iter().filter(|lag| **lag > limit_ms).count();
    let too_many = late >= FEWEST_LATE && real(late) > MAX_LATE_SHARE * real(lags.len());
    let worst = lags.iter().copied().fold(0.0, f64::max);
    too_many.then(|| {
        format!(
            "{late} of {} requests were sent more than {limit_ms:.0} ms behind their schedule, the worst {worst:.0} ms",
            lags.len()
        )
    })
}

/// The pace of the sends against that of the schedule itself, so that the schedule's own chance plays no part.
fn sent_too_slowly(run: &Run) -> Option<String> {
    let mut sends: Vec<(u64, u64)> = run
        .requests
        .iter()
        .filter_map(|record| Some((record.scheduled_ns?, ready_ns(record))))
        .collect();
    if sends.len() < FEWEST_FOR_PACE {
        return None;
    }
    sends.sort_unstable();
    // Medians of a tenth at both ends, so that one late send is no slow run.
    let tenth = sends.len() / 10;
    let lag_of = |part: &[(u64, u64)]| {
        let lags: Vec<f64> = part.iter().map(|(due, sent)| ms(sent.saturating_sub(*due))).collect();
        quantile(&lags, 0.5)
    };
    let grown = lag_of(sends.get(sends.len() - tenth..)?)? - lag_of(sends.get(..tenth)?)?;
    let planned = ms(sends.last()?.0.saturating_sub(sends.first()?.0));
    let achieved = planned / (planned + grown.max(0.0));
    (achieved < MIN_ACHIEVED && grown > LATE_MS).then(|| {
        format!(
            "the requests were sent at {:.0} % of the rate that their schedule asked",
            achieved * 100.0
        )
    })
}

/// Where the kernel stamps arrivals, a late read moves no figure.
/// The kernel stamps the last bytes of a read. Of tokens that wait for one read together, the first is stamped too late:
/// that spoils P95 where one read in twenty is late.
fn read_late(client: &ClientUse, limit_ms: f64) -> Option<String> {
    let lag = client.read_lag?;
    let (late_ms, share, stamped) = if client.kernel_stamps {
        (lag.p95_ms, "P95", "the kernel stamps only the last token of a read")
    } else {
        (lag.p99_ms, "P99", "the kernel stamped none")
    };
    (late_ms > limit_ms)
        .then(|| format!("answers were read up to {late_ms:.0} ms after they had arrived ({share}), and {stamped}"))
}

/// Share of its threads' time that a client used (1.0 = all of it); `None` where the run was too short to tell.
pub fn judged_cpu_share(client: &ClientUse) -> Option<f64> {
    client.cpu_share().filter(|_| client.wall_s >= CPU_SHORTEST_S)
}

fn no_cpu_to_spare(client: &ClientUse) -> Option<String> {
    let share = judged_cpu_share(client)?;
    (share >= MAX_CPU_SHARE).then(|| {
        format!(
            "it used {:.0} % of the time of its {} {}",
            share * 100.0,
            client.threads,
            if client.threads == 1 { "thread" } else { "threads" }
        )
    })
}

/// How far a closed loop stayed below what was asked, where it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Idle {
    /// Requests that were asked to be in flight.
    pub streams: u32,
    /// Mean share of them that was.
    pub in_flight: f64,
    /// Mean pause between an answer and the next request, in milliseconds.
    pub pause_ms: f64,
}

impl Idle {
    /// In words.
    pub fn told(&self) -> String {
        format!(
            "only {:.1} of {} requests were in flight, as {:.1} ms passed between an answer and the next request",
            self.in_flight * f64::from(self.streams),
            self.streams,
            self.pause_ms
        )
    }
}

/// In closed loop, a stream is idle from the end of an answer until the next request leaves; `None` where enough were
/// in flight, where requests wait on purpose, or where that cannot be told.
pub fn streams_stood_idle(session: &Session, load: &Load, run: &Run) -> Option<Idle> {
    // Only perfgate's own records tell a pause; other tools stamp a send where they please.
    if run.client.is_none() || session.plan.workload.conversation.is_some() {
        return None;
    }
    let own = |streams: u32| {
        session
            .plan
            .shard
            .and_then(Sharing::part)
            .map_or(streams, |shard| shard.share(streams))
    };
    let Load::Stages { stages, .. } = load else {
        return match load {
            Load::Concurrency(streams) => idle(run.pieces().into_iter().map(<[_]>::iter), own(*streams)),
            _ => None,
        };
    };
    let mut numbered = (0_u16..).zip(stages);
    numbered.find_map(|(number, stage)| match stage.level {
        StageLevel::Concurrency(streams) => {
            let of_stage = run.requests.iter().filter(|record| record.stage == number);
            idle([of_stage].into_iter(), own(streams))
        }
        StageLevel::Rate(_) => None,
    })
}

fn idle<'a, Piece>(pieces: impl Iterator<Item = Piece>, streams: u32) -> Option<Idle>
where
    Piece: Iterator<Item = &'a RequestRecord>,
{
    let (mut lasted, mut pauses) = (Vec::new(), Vec::new());
    for piece in pieces {
        let spans: Vec<(u64, u64)> = piece.map(|record| (record.sent_ns, record.end_ns)).collect();
        lasted.extend(spans.iter().map(|(from, to)| ms(to.saturating_sub(*from))));
        pauses.extend(pauses_ms(&spans));
    }
    if pauses.len() < FEWEST_FOR_PACE {
        return None;
    }
    pauses.sort_unstable_by(f64::total_cmp);
    pauses.truncate(pauses.len() - hiccups(pauses.len()));
    let (pause_ms, busy_ms) = (moments::mean(&pauses)?, moments::mean(&lasted)?);
    let in_flight = busy_ms / (pause_ms + busy_ms);
    (in_flight < MIN_ACHIEVED && pause_ms > HARMLESS_PAUSE_MS).then_some(Idle {
        streams,
        in_flight,
        pause_ms,
    })
}

/// From each end to the send that followed it: a send answers to the latest end that none has followed yet. The first
/// wave follows no end, and nothing follows the last.
fn pauses_ms(spans: &[(u64, u64)]) -> Vec<f64> {
    const END: u8 = 0;
    const SEND: u8 = 1;
    let mut events: Vec<(u64, u8)> = spans
        .iter()
        .flat_map(|(sent, ended)| [(*sent, SEND), (*ended, END)])
        .collect();
    events.sort_unstable();
    let (mut free, mut pauses) = (Vec::new(), Vec::new());
    for (at_ns, event) in events {
        if event == END {
            free.push(at_ns);
        } else if let Some(ended_ns) = free.pop() {
            pauses.push(ms(at_ns - ended_ns));
        }
    }
    pauses
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a twentieth of a count"
)]
fn hiccups(count: usize) -> usize {
    (real(count) * HICCUPS).ceil() as usize
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

//! Sessions of the shards of one plan made into the session of all of it.

mod apart;

use std::collections::{BTreeMap, BTreeSet};

use self::apart::apart;
use super::differences;
use crate::{
    measure::invalid_because,
    plan::{Shard, Sharing},
    session::{
        COMES_NO_MORE, CellRuns, Ended, GapCounts, GpuUse, HostUse, Run, Session, ShardStart, Warmup, WarmupEnd,
    },
};

/// Why shards are no whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("no session to merge: name those of all shards")]
    Nothing,
    /// A session of something else.
    #[error("`{0}` is no session of a shard: only what `perfgate run --shard` wrote is merged")]
    NoShard(String),
    /// Shards of other wholes.
    #[error("`{name}` is shard {shard}, and `{first}` one of {of}: they are parts of different measurements")]
    OtherCount {
        /// File.
        name: String,
        /// Its shard.
        shard: String,
        /// The first file.
        first: String,
        /// Of how many its shard is one.
        of: u32,
    },
    /// The same shard twice.
    #[error("`{one}` and `{other}` are both shard {shard}: name each once")]
    Twice {
        /// A file.
        one: String,
        /// The other one.
        other: String,
        /// Which shard they both are.
        shard: String,
    },
    /// Shards that nobody named.
    #[error("{} missing: name the sessions of all {of} shards", missing(.shards))]
    Missing {
        /// Which, from 1.
        shards: Vec<u32>,
        /// How many there are.
        of: u32,
    },
    /// Another plan, another server or another perfgate.
    #[error("`{name}` did not measure what `{first}` did: {field} is {new} and {old}")]
    Different {
        /// File.
        name: String,
        /// The first file.
        first: String,
        /// What differs.
        field: String,
        /// There.
        new: String,
        /// In the first.
        old: String,
    },
    /// A request that two of them sent.
    #[error("request {index} of {cell}, run {run}, is in more than one session: they overlap")]
    Overlap {
        /// Cell.
        cell: String,
        /// From 1.
        run: u32,
        /// Its number.
        index: u32,
    },
    /// Clocks that do not agree, or shards that began apart.
    #[error("{cell}, run {run}: {what}; their requests were no common load")]
    Apart {
        /// Cell.
        cell: String,
        /// From 1.
        run: u32,
        /// Which, and by how much.
        what: String,
    },
}

fn missing(shards: &[u32]) -> String {
    let list: Vec<String> = shards.iter().map(u32::to_string).collect();
    match list.as_slice() {
        [one] => format!("shard {one} is"),
        _ => format!("shards {} are", list.join(", ")),
    }
}

/// A shard's session with the name of its file.
struct Part<'a> {
    name: &'a str,
    shard: Shard,
    session: &'a Session,
}

/// The session that one machine would have made of it. What makes a shard invalid makes the whole invalid, and is said in it.
///
/// # Errors
/// [`MergeError`]: shards that are no whole, or no common load.
pub fn merge(sessions: &[(String, Session)]) -> Result<Session, MergeError> {
    merge_but(sessions, &[])
}

/// The same where some shards are known to have died, and why: the whole is invalid for that, and holds what there is.
///
/// # Errors
/// As [`merge`].
pub fn merge_but(sessions: &[(String, Session)], lost: &[(Shard, String)]) -> Result<Session, MergeError> {
    let parts = parts(sessions, lost)?;
    let first = parts.first().ok_or(MergeError::Nothing)?;
    for part in &parts {
        same(first, part)?;
    }
    let mut whole = first.session.clone();
    // In open loop nothing tells them from those of one machine.
    let is_closed = whole.plan.loads.iter().any(|load| !load.is_open());
    whole.plan.shard = is_closed.then_some(Sharing::All(first.shard.of));
    whole.started_unix_s = parts.iter().map(|part| part.session.started_unix_s).min().unwrap_or(0);
    let died = lost.first().map(|(shard, why)| format!("shard {shard} died: {why}"));
    whole.ended = died.map_or_else(|| ended(&parts), Ended::Aborted);
    for part in parts.iter().skip(1) {
        let new = part.session.notes.iter().filter(|note| !whole.notes.contains(note));
        let new: Vec<String> = new.cloned().collect();
        whole.notes.extend(new);
    }
    let is_silent = |shard: &Shard| parts.iter().all(|part| part.shard != *shard);
    let silent: Vec<Shard> = lost.iter().map(|(shard, _)| *shard).filter(is_silent).collect();
    whole.notes.push(match silent.len() {
        0 => format!("merged from {} shards", parts.len()),
        _ => format!("merged from {} of {} shards", parts.len(), first.shard.of),
    });
    for (place, cell) in whole.cells.iter_mut().enumerate() {
        cell.runs = runs((&parts, &silent), place, &cell.name)?;
    }
    Ok(whole)
}

/// All shards, in order.
fn parts<'a>(sessions: &'a [(String, Session)], lost: &[(Shard, String)]) -> Result<Vec<Part<'a>>, MergeError> {
    let mut parts: BTreeMap<u32, Part<'_>> = BTreeMap::new();
    let mut first: Option<(&str, u32)> = None;
    for (name, session) in sessions {
        let shard = session.plan.shard.and_then(Sharing::part);
        let shard = shard.ok_or_else(|| MergeError::NoShard(name.clone()))?;
        let (first, of) = *first.get_or_insert((name, shard.of));
        if shard.of != of {
            return Err(MergeError::OtherCount {
                name: name.clone(),
                shard: shard.to_string(),
                first: first.to_owned(),
                of,
            });
        }
        if let Some(other) = parts.insert(shard.index, Part { name, shard, session }) {
            return Err(MergeError::Twice {
                one: other.name.to_owned(),
                other: name.clone(),
                shard: shard.to_string(),
            });
        }
    }
    let of = first.map_or(0, |(_, of)| of);
    let shards: Vec<u32> = (0..of)
        .filter(|index| !parts.contains_key(index) && lost.iter().all(|(shard, _)| shard.index != *index))
        .map(|index| index + 1)
        .collect();
    if !shards.is_empty() {
        return Err(MergeError::Missing { shards, of });
    }
    Ok(parts.into_values().collect())
}

/// Whether a shard measured the same as the first one, but for its part of it and the machine of its client.
fn same(first: &Part<'_>, part: &Part<'_>) -> Result<(), MergeError> {
    let mut as_first = part.session.clone();
    as_first.plan.shard = first.session.plan.shard;
    let client = [
        "hardware.cpu",
        "hardware.cpu_cores",
        "hardware.os",
        "hardware.gpus",
        "hardware.gpu_driver",
    ];
    let mut different = differences(first.session, &as_first);
    different.retain(|(field, _, _)| !client.contains(&field.as_str()));
    let versions = (first.session.tool_version.clone(), part.session.tool_version.clone());
    if versions.0 != versions.1 {
        different.push(("perfgate".into(), versions.0, versions.1));
    }
    let names = |session: &Session| {
        session
            .cells
            .iter()
            .map(|cell| cell.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if names(first.session) != names(part.session) {
        different.push(("the cells".into(), names(first.session), names(part.session)));
    }
    match different.into_iter().next() {
        None => Ok(()),
        Some((field, old, new)) => Err(MergeError::Different {
            name: part.name.to_owned(),
            first: first.name.to_owned(),
            field,
            new,
            old,
        }),
    }
}

/// How the whole ended: as the first shard that did not end well by itself.
fn ended(parts: &[Part<'_>]) -> Ended {
    let trouble = |part: &Part<'_>| {
        let shard = part.shard;
        match &part.session.ended {
            Ended::Complete => invalid_because(part.session).map(|reason| format!("shard {shard}: {reason}")),
            Ended::Interrupted => Some(format!("shard {shard} was interrupted")),
            Ended::Aborted(reason) => Some(format!("shard {shard} was stopped: {reason}")),
        }
    };
    let all: Vec<String> = parts.iter().filter_map(trouble).collect();
    let cause = all.iter().find(|reason| !reason.contains(COMES_NO_MORE));
    let first = cause.or(all.first()).cloned();
    first.map_or(Ended::Complete, Ended::Aborted)
}

/// The runs of one cell, each of all its shards; what one of them lacks is told in the run.
fn runs((parts, silent): (&[Part<'_>], &[Shard]), place: usize, cell: &str) -> Result<Vec<Run>, MergeError> {
    let cells: Vec<(&Part<'_>, &CellRuns)> = parts
        .iter()
        .filter_map(|part| Some((part, part.session.cells.get(place)?)))
        .collect();
    let repeats: BTreeSet<u32> = cells
        .iter()
        .flat_map(|(_, cell)| cell.runs.iter().map(|run| run.repeat))
        .collect();
    let one = |repeat: u32| {
        let found = cells
            .iter()
            .map(|(part, cell)| (part.shard, cell.runs.iter().find(|run| run.repeat == repeat)))
            .chain(silent.iter().map(|shard| (*shard, None)));
        whole_run(&found.collect::<Vec<_>>(), (cell, repeat))
    };
    repeats.into_iter().map(one).collect()
}

fn whole_run(found: &[(Shard, Option<&Run>)], (cell, repeat): (&str, u32)) -> Result<Run, MergeError> {
    let runs: Vec<(Shard, &Run)> = found
        .iter()
        .filter_map(|(shard, run)| Some((*shard, (*run)?)))
        .collect();
    let starts: Vec<(Shard, ShardStart)> = runs
        .iter()
        .filter_map(|(shard, run)| Some((*shard, run.shard?)))
        .collect();
    let untold = runs.iter().find(|(_, run)| run.shard.is_none());
    let untold = untold.map(|(shard, _)| format!("shard {shard} does not say when it began"));
    if let Some(what) = untold.or_else(|| apart(&starts)) {
        return Err(MergeError::Apart {
            cell: cell.to_owned(),
            run: repeat + 1,
            what,
        });
    }
    let first_ns = starts.iter().map(|(_, start)| start.began_unix_ns).min().unwrap_or(0);
    let mut requests = BTreeMap::new();
    for (_, run) in &runs {
        let later_ns = run
            .shard
            .map_or(0, |start| start.began_unix_ns.saturating_sub(first_ns));
        for record in &run.requests {
            if requests
                .insert(record.index, record.moved(|ns| ns.saturating_add(later_ns)))
                .is_some()
            {
                return Err(MergeError::Overlap {
                    cell: cell.to_owned(),
                    run: repeat + 1,
                    index: record.index,
                });
            }
        }
    }
    let gone = found
        .iter()
        .filter(|(_, run)| run.is_none())
        .map(|(shard, _)| format!("shard {shard} has no such run"));
    let cut = runs
        .iter()
        .filter_map(|(shard, run)| Some(format!("shard {shard}: {}", run.cut_short.as_ref()?)));
    let cut: Vec<String> = gone.chain(cut).collect();
    let own: Vec<&Run> = runs.into_iter().map(|(_, run)| run).collect();
    Ok(Run {
        requests: requests.into_values().collect(),
        cut_short: (!cut.is_empty()).then(|| cut.join("; ")),
        ..beside(&own, repeat)
    })
}

/// All of a run but its requests.
fn beside(runs: &[&Run], repeat: u32) -> Run {
    let stages = runs.iter().map(|run| run.itl_by_stage.len()).max().unwrap_or(0);
    let stage = |stage: usize| gaps(runs.iter().filter_map(|run| run.itl_by_stage.get(stage)));
    let sampled = |run: &&&Run| matches!(run.gpu, GpuUse::Measured { .. });
    let seen = runs.iter().find(sampled).or(runs.first());
    Run {
        repeat,
        started_unix_s: runs.iter().map(|run| run.started_unix_s).min().unwrap_or(0),
        itl: gaps(runs.iter().map(|run| &run.itl)),
        itl_by_stage: (0..stages).map(stage).collect(),
        warmup: warmup(runs),
        replaced_connections: runs.iter().map(|run| run.replaced_connections).sum(),
        // Each shard looks at the same server: what one of them saw is what all did.
        gpu: seen.map(|run| run.gpu.clone()).unwrap_or_default(),
        telemetry: seen.map(|run| run.telemetry.clone()).unwrap_or_default(),
        host: host(runs),
        client: runs
            .iter()
            .filter_map(|run| run.client)
            .reduce(|one, other| one.and(&other)),
        cache_reset: runs.iter().find_map(|run| run.cache_reset.clone()),
        server_died: runs.iter().any(|run| run.server_died),
        ..Run::default()
    }
}

/// Counts of equal gaps add up: nothing is lost by it.
fn gaps<'a>(all: impl Iterator<Item = &'a GapCounts>) -> GapCounts {
    let mut bins: BTreeMap<u64, u64> = BTreeMap::new();
    for (gap_ns, count) in all.flat_map(|counts| &counts.bins) {
        *bins.entry(*gap_ns).or_default() += count;
    }
    GapCounts {
        bins: bins.into_iter().collect(),
    }
}

fn warmup(runs: &[&Run]) -> Warmup {
    let ends = runs.iter().map(|run| run.warmup.end);
    // One that never settled stands for all.
    let worse = |one: WarmupEnd, other: WarmupEnd| if one == WarmupEnd::Limit { one } else { other };
    Warmup {
        requests: runs.iter().map(|run| run.warmup.requests).sum(),
        failed: runs.iter().map(|run| run.warmup.failed).sum(),
        end: ends
            .reduce(|one, other| {
                if other == WarmupEnd::Limit {
                    other
                } else {
                    worse(one, other)
                }
            })
            .unwrap_or_default(),
    }
}

/// The worst of what was seen on the machines.
fn host(runs: &[&Run]) -> HostUse {
    let all = |of: fn(&HostUse) -> &Vec<String>| runs.iter().flat_map(move |run| of(&run.host).clone());
    let each = |of| all(of).collect::<BTreeSet<String>>().into_iter().collect();
    HostUse {
        throttled: each(|host| &host.throttled),
        gpu_untold: each(|host| &host.gpu_untold),
        cpu_steal: runs.iter().filter_map(|run| run.host.cpu_steal).reduce(f64::max),
        gpu_memory_errors: runs.iter().map(|run| run.host.gpu_memory_errors).max().unwrap_or(0),
        foreign_gpu_processes: runs.iter().map(|run| run.host.foreign_gpu_processes).max().unwrap_or(0),
        neighbour_gpu_processes: runs.iter().filter_map(|run| run.host.neighbour_gpu_processes).max(),
        ..HostUse::default()
    }
}

#[cfg(test)]
mod tests;

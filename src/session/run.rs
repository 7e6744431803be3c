//! One run: its requests, its warm-up, the GPU beside it, and how hard the load generator had to work.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ShardStart,
    request::{Outcome, RequestRecord},
    stated::Stated,
    telemetry::Telemetry,
};

/// One repeat of one cell with its own warm-up: the unit of statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Which repeat of the cell, from 0.
    pub repeat: u32,
    /// When its first measured request was due, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Measured requests, in workload order.
    pub requests: Vec<RequestRecord>,
    /// Gaps between neighbouring output chunks of completed requests.
    pub itl: GapCounts,
    /// The same by stage of the load, in order; empty where it has no stages, or where they were not counted apart.
    pub itl_by_stage: Vec<GapCounts>,
    /// The warm-up before it.
    pub warmup: Warmup,
    /// Pooled connections that were found dead before the first byte and replaced once by a fresh one.
    pub replaced_connections: u32,
    /// The GPU during the run.
    pub gpu: GpuUse,
    /// What was sampled beside it.
    pub telemetry: Telemetry,
    /// The alternating blocks that it was measured in; empty: in one piece. Their times follow one another without the
    /// other arm's between them.
    pub blocks: Vec<Block>,
    /// The machine beside it, as far as it could be seen.
    pub host: HostUse,
    /// How hard the load generator itself had to work; `None` in files of other origin.
    pub client: Option<ClientUse>,
    /// The page that emptied the server's prefix cache before the warm-up (`/reset_prefix_cache`), if any did.
    pub cache_reset: Option<String>,
    /// What a capacity search found; such a run holds no requests.
    pub search: Option<Search>,
    /// What another tool stated of it, where its result was imported.
    pub stated: Option<Box<Stated>>,
    /// Why the run ended before all its requests were sent, if it did.
    pub cut_short: Option<String>,
    /// Whether its server, which perfgate had started, ended by itself meanwhile.
    pub server_died: bool,
    /// From the command that started its server to that server's first answer, in seconds; `None`: perfgate did not start
    /// it for this run.
    pub startup_s: Option<f64>,
    /// Whether that was the server's first start: the machine had not read its files yet, nor had the engine compiled anything.
    pub first_start: bool,
    /// When it began, where it is a shard's part of a run.
    pub shard: Option<ShardStart>,
}

/// A stretch of a run between two stretches of the other arm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// How many of the run's requests it holds, in the order of `requests`.
    pub requests: u32,
    /// When it begins on the clock of the run, in nanoseconds.
    pub start_ns: u64,
    /// When it really began, milliseconds since 1970 UTC.
    pub started_unix_ms: u64,
}

/// What else the machine did during a run: what may spoil it without being the server's doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostUse {
    /// Share of all CPU time that the hypervisor gave to others (steal), 0 to 1; `None` where the system does not tell.
    pub cpu_steal: Option<f64>,
    /// Why GPU clocks were held down, as NVML names it; empty: they were not, or nobody looked.
    pub throttled: Vec<String>,
    /// Why nobody could see what held GPU clocks down, or who else was on the GPU, in sentences; empty: it was seen, or nobody
    /// looked.
    pub gpu_untold: Vec<String>,
    /// Memory errors that the GPUs counted during the run and could not correct (ECC).
    pub gpu_memory_errors: u32,
    /// Processes on the GPU that were there for a part of the run only, or beside this arm of a pair only.
    pub foreign_gpu_processes: u32,
    /// Processes on its server's GPUs that are none of the arms' servers; `None` where nobody could tell.
    pub neighbour_gpu_processes: Option<u32>,
    /// Whether the other arm's server was up meanwhile, so that it had to rest.
    pub other_arm_up: bool,
    /// CPU seconds that the resting arm's server used while this one was measured; `None` where nobody could look.
    pub resting_arm_cpu_s: Option<f64>,
    /// The most requests that the resting arm's server held before a block of this one, or before and after it; `None`
    /// where nobody could look.
    pub resting_arm_requests: Option<u32>,
}

/// What the warm-up of a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmup {
    /// Requests sent.
    pub requests: u32,
    /// How many of them failed.
    pub failed: u32,
    /// Why it ended.
    pub end: WarmupEnd,
}

/// Why a warm-up ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarmupEnd {
    /// All its planned requests were sent; nobody looked whether the server was steady.
    #[default]
    Planned,
    /// The server's latencies had become steady.
    Steady,
    /// Its limit was reached before they had.
    Limit,
}

/// How hard the load generator itself had to work during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClientUse {
    /// CPU time of the load generator's threads during the run, in seconds.
    pub cpu_s: f64,
    /// Duration of the run, in seconds.
    pub wall_s: f64,
    /// Threads that read answers.
    pub threads: u32,
    /// Whether arrivals were stamped by the kernel, so that a late read moves no figure.
    pub kernel_stamps: bool,
    /// From the arrival of bytes in the kernel until they were read; `None` without kernel stamps.
    pub read_lag: Option<Lag>,
}

impl ClientUse {
    /// CPU time over the time of all threads (1 = nothing left); `None` where there was no time.
    pub fn cpu_share(&self) -> Option<f64> {
        let available_s = self.wall_s * f64::from(self.threads);
        (available_s > 0.0).then(|| self.cpu_s / available_s)
    }

    /// Of two stretches together: times add up, and the worse lag stands for both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let lags = [self.read_lag, other.read_lag];
        Self {
            cpu_s: self.cpu_s + other.cpu_s,
            wall_s: self.wall_s + other.wall_s,
            threads: self.threads.max(other.threads),
            kernel_stamps: self.kernel_stamps && other.kernel_stamps,
            read_lag: lags.into_iter().flatten().reduce(|one, two| Lag {
                p50_ms: one.p50_ms.max(two.p50_ms),
                p95_ms: one.p95_ms.max(two.p95_ms),
                p99_ms: one.p99_ms.max(two.p99_ms),
                max_ms: one.max_ms.max(two.max_ms),
            }),
        }
    }
}

/// How late something was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// Median in milliseconds.
    pub p50_ms: f64,
    /// P95 in milliseconds.
    pub p95_ms: f64,
    /// P99 in milliseconds.
    pub p99_ms: f64,
    /// Largest, in milliseconds.
    pub max_ms: f64,
}

/// What one search for the highest level under the SLO found.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// How it ended.
    pub end: SearchEnd,
    /// Every level that was tried, in order.
    pub steps: Vec<SearchStep>,
}

/// How a search for the highest level ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SearchEnd {
    /// The highest level that met the SLO, with one that did not close above it.
    Found(f64),
    /// Even the highest level that the plan allows met it.
    AboveMax(f64),
    /// Even the lowest level that the plan allows did not.
    BelowMin(f64),
    /// It had taken its most batches before these were as close as asked: the highest level that met the SLO, and the
    /// lowest that did not.
    Wide(f64, f64),
}

/// One level that a search tried.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchStep {
    /// Requests per second, or requests in flight.
    pub level: f64,
    /// Units due per second by the schedule that was sent; `None` in closed loop, or where it is not known.
    pub offered_rps: Option<f64>,
    /// Requests that count: all that were sent; in closed loop those while all streams were busy.
    pub requests: u32,
    /// Share of them that met every SLO; failed ones did not.
    pub attainment: f64,
    /// Requests per second that came back whole.
    pub completed_rps: f64,
    /// Whether the level counts as meeting the SLO.
    pub met: bool,
}

/// Gaps between neighbouring output chunks, counted at three significant digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapCounts {
    /// `(gap_ns, count)`, rising in `gap_ns`, counts above zero.
    pub bins: Vec<(u64, u64)>,
}

/// The GPU during a run.
#[derive(Clone, Debug, PartialEq)]
pub enum GpuUse {
    /// Sampled through NVML.
    Measured {
        /// Highest sum over the visible GPUs of memory in use.
        memory_peak_bytes: u64,
        /// Mean over samples and GPUs, 0 to 100; `None` where one of them does not tell it all the time.
        utilization_mean_pct: Option<f64>,
        /// Why there is no utilisation, where there is none.
        utilization_untold: Option<String>,
        /// How many times it was sampled.
        samples: u32,
    },
    /// Why there is no figure.
    NotMeasured(String),
}

impl Default for GpuUse {
    fn default() -> Self {
        Self::NotMeasured("not sampled".into())
    }
}

impl Run {
    /// How many requests failed, by class key, with one message each, most frequent first.
    pub fn failures(&self) -> Vec<(String, u32, String)> {
        let mut classes: BTreeMap<String, (u32, String)> = BTreeMap::new();
        if self.is_only_stated() {
            return self.stated_failures();
        }
        for record in &self.requests {
            if let Outcome::Failed(failure) = &record.outcome {
                let entry = classes
                    .entry(failure.class.key())
                    .or_insert_with(|| (0, failure.message.clone()));
                entry.0 += 1;
            }
        }
        let mut rows: Vec<_> = classes
            .into_iter()
            .map(|(key, (count, message))| (key, count, message))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.1));
        rows
    }

    /// The requests of each of its blocks, in order; all of them where it was measured in one piece.
    pub fn pieces(&self) -> Vec<&[RequestRecord]> {
        if self.blocks.is_empty() {
            return vec![&self.requests];
        }
        let mut rest = self.requests.as_slice();
        let counts = self.blocks.iter().map(|block| block.requests as usize);
        let pieces = counts.map(|count| {
            let (piece, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = later;
            piece
        });
        pieces.collect()
    }

    /// What was measured in some of its blocks, as one run of its own: their times follow one another. The gaps between
    /// chunks are counted over the whole run and left out, as is all that is known of the machine.
    #[must_use]
    pub fn of_blocks(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let mut part = Self {
            repeat: self.repeat,
            started_unix_s: self.started_unix_s,
            cut_short: self.cut_short.clone(),
            server_died: self.server_died,
            ..Self::default()
        };
        let all = self.blocks.iter().zip(self.pieces()).enumerate();
        for (_, (block, requests)) in all.filter(|(at, _)| is_kept(*at)) {
            let start_ns = part.requests.iter().map(|record| record.end_ns).max().unwrap_or(0);
            let moved = |ns: u64| ns.saturating_sub(block.start_ns) + start_ns;
            part.requests.extend(requests.iter().map(|record| record.moved(moved)));
            part.blocks.push(Block { start_ns, ..*block });
        }
        part
    }

    /// P99 (nearest rank) of how far behind its schedule a request was sent, in milliseconds; open loop only.
    pub fn send_lag_p99_ms(&self) -> Option<f64> {
        let behind_ns = |record: &RequestRecord| Some(record.sent_ns.saturating_sub(record.scheduled_ns?));
        let mut lags_ns: Vec<u64> = self.requests.iter().filter_map(behind_ns).collect();
        lags_ns.sort_unstable();
        let rank = (lags_ns.len() * 99).div_ceil(100).checked_sub(1)?;
        lags_ns
            .get(rank)
            .map(|lag_ns| Duration::from_nanos(*lag_ns).as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_falls_into_its_blocks_or_is_one_piece() {
        let block = |requests| Block {
            requests,
            start_ns: 0,
            started_unix_ms: 0,
        };
        let record = |index| RequestRecord {
            index,
            ..RequestRecord::default()
        };
        let mut run = Run {
            requests: (0..5).map(record).collect(),
            ..Run::default()
        };
        let sizes = |run: &Run| run.pieces().iter().map(|piece| piece.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&run), [5]);
        run.blocks = vec![block(3), block(2)];
        assert_eq!((sizes(&run), run.pieces()[1][0].index), (vec![3, 2], 3));
        run.blocks = vec![block(3), block(9)];
        assert_eq!(sizes(&run), [3, 2], "more than there are");
    }

    #[test]
    fn blocks_taken_out_of_a_run_follow_one_another() {
        let block = |start_ns| Block {
            requests: 1,
            start_ns,
            started_unix_ms: 0,
        };
        let record = |index: u32, at_ns: u64| RequestRecord {
            index,
            scheduled_ns: Some(at_ns),
            sent_ns: at_ns + 1,
            first_token_ns: Some(at_ns + 3),
            last_token_ns: Some(at_ns + 8),
            end_ns: at_ns + 10,
            ..RequestRecord::default()
        };
        let run = Run {
            repeat: 3,
            requests: vec![record(0, 0), record(1, 10), record(2, 20)],
            blocks: vec![block(0), block(10), block(20)],
            ..Run::default()
        };
        let ends = run.of_blocks(|at| at != 1);
        assert_eq!(
            ends.requests,
            [record(0, 0), record(2, 10)],
            "as if the second had never been"
        );
        assert_eq!((ends.repeat, &ends.blocks), (3, &vec![block(0), block(10)]));
        assert_eq!(run.of_blocks(|_| true).requests, run.requests);
        assert_eq!(run.of_blocks(|_| false).requests, []);
    }

    #[test]
    fn the_send_lag_is_known_only_where_there_is_a_schedule() {
        let record = |scheduled_ns, sent_ns| RequestRecord {
            scheduled_ns,
            sent_ns,
            end_ns: sent_ns,
            ..RequestRecord::default()
        };
        let open = Run {
            requests: vec![record(Some(0), 2_000_000), record(Some(5), 5)],
            ..Run::default()
        };
        let closed = Run {
            requests: vec![record(None, 7)],
            ..Run::default()
        };
        assert_eq!(open.send_lag_p99_ms(), Some(2.0));
        assert_eq!(closed.send_lag_p99_ms(), None);
        assert_eq!(Run::default().send_lag_p99_ms(), None);
    }
}

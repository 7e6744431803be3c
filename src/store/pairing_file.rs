//! How an arm of an A/B measurement says so in its file, and how a run keeps its blocks and its machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults::is_default;
use crate::session::{Block, HostUse, PairArm, Pairing, Remeasured};

/// Which arm of which A/B measurement a session is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PairingFile {
    /// The same in both arms, and in no other measurement.
    id: String,
    /// Which arm this is.
    #[serde(with = "PairArmFile")]
    arm: PairArm,
    /// After how many pairs the gate looks, rising; fixed before the first run.
    looks: Vec<u32>,
    /// Into how many alternating blocks of requests each pair was cut; 1: whole runs.
    #[schemars(range(min = 1))]
    blocks: u32,
    /// Pairs that were measured again because the machine was disturbed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remeasured: Vec<RemeasuredEntry>,
    /// Why it ended before the last look. Left out: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped_early: Option<String>,
}

/// The arms of an A/B measurement.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "PairArm", rename_all = "snake_case")]
enum PairArmFile {
    /// What the candidate is compared with.
    Baseline,
    /// What is judged.
    Candidate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct RemeasuredEntry(#[serde(with = "RemeasuredFile")] Remeasured);

/// A pair that was measured again.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Remeasured", deny_unknown_fields)]
struct RemeasuredFile {
    /// Cell name.
    cell: String,
    /// Which pair, from 0.
    pair: u32,
    /// On which arm the machine was disturbed.
    #[serde(with = "PairArmFile")]
    arm: PairArm,
    /// By what, in words.
    reason: String,
    /// Whether nothing came back from that run, or its server ended by itself. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    dead: bool,
}

/// A block, as an entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct BlockEntry(#[serde(with = "BlockFile")] pub(super) Block);

/// A stretch of a run between two stretches of the other arm's.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Block", deny_unknown_fields)]
struct BlockFile {
    /// How many of the run's requests it holds, in order.
    requests: u32,
    /// When it begins on the clock of the run, in nanoseconds.
    start_ns: u64,
    /// When it really began, milliseconds since 1970 UTC.
    started_unix_ms: u64,
}

/// What else the machine did during a run.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "HostUse", deny_unknown_fields)]
pub(super) struct HostFile {
    /// Share of all CPU time that the hypervisor gave to others (steal). Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    cpu_steal: Option<f64>,
    /// Why GPU clocks were held down, as NVML names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    throttled: Vec<String>,
    /// Why nobody could see what held GPU clocks down, or who else was on the GPU. Left out: it was seen, or nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gpu_untold: Vec<String>,
    /// Memory errors that the GPUs counted during the run and could not correct (ECC). Left out: none.
    #[serde(default, skip_serializing_if = "is_default")]
    gpu_memory_errors: u32,
    /// Processes on the GPU that were there for a part of the run only, or beside this arm of a pair only. Left out:
    /// none.
    #[serde(default, skip_serializing_if = "is_default")]
    foreign_gpu_processes: u32,
    /// Processes on its server's GPUs that are none of the arms' servers. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    neighbour_gpu_processes: Option<u32>,
    /// Whether the other arm's server was up meanwhile, so that it had to rest. Left out: no.
    #[serde(default, skip_serializing_if = "is_default")]
    other_arm_up: bool,
    /// CPU seconds that the resting arm's server used meanwhile. Left out: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resting_arm_cpu_s: Option<f64>,
    /// The most requests that the resting arm's server held before a block, or before and after a whole run. Left out:
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resting_arm_requests: Option<u32>,
}

impl From<&Pairing> for PairingFile {
    fn from(pairing: &Pairing) -> Self {
        Self {
            id: pairing.id.clone(),
            arm: pairing.arm,
            looks: pairing.looks.clone(),
            blocks: pairing.blocks,
            remeasured: pairing.remeasured.iter().cloned().map(RemeasuredEntry).collect(),
            stopped_early: pairing.stopped_early.clone(),
        }
    }
}

impl From<PairingFile> for Pairing {
    fn from(file: PairingFile) -> Self {
        Self {
            id: file.id,
            arm: file.arm,
            looks: file.looks,
            blocks: file.blocks,
            remeasured: file.remeasured.into_iter().map(|entry| entry.0).collect(),
            stopped_early: file.stopped_early,
        }
    }
}

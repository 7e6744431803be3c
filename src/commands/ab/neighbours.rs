//! Who else computes on the GPU while an arm is measured: it slows a server, and is not its doing.
//!
//! What is there on both sides of a pair and all the time spoils both alike, and measuring again would meet it again: it is
//! told. What is there beside one arm only, or for a part of a run, spoils the pair.

use std::collections::BTreeSet;

use super::{
    attempt::Attempt,
    sides::{ARMS, Sides},
};
use crate::{
    session::{PairArm, Run},
    telemetry,
};

/// Processes on the GPUs at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Others {
    processes: BTreeSet<u32>,
    /// Whether the arms' servers are surely not among them.
    are_foreign: bool,
}

/// Of each cell, baseline first: who was there around its last run.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Vec<[Option<Others>; 2]>);

/// Who is beside an arm's server now; `None` where nobody can tell.
pub(super) fn beside(sides: &Sides, arm: PairArm) -> Option<Others> {
    let gpus = telemetry::gpu_processes();
    let servers = ARMS.map(|arm| sides.of(arm).processes());
    others(&gpus, arm, ARMS.map(|arm| sides.of(arm).is_ours()), &servers)
}

/// From who is on each GPU; which arms' servers are ours, and their processes.
fn others(gpus: &[BTreeSet<u32>], arm: PairArm, is_ours: [bool; 2], servers: &[Option<Vec<u32>>; 2]) -> Option<Others> {
    if gpus.is_empty() {
        return None;
    }
    match is_ours {
        // Whose processes are the servers' is not known, but both are there all the time.
        [false, false] => Some(Others {
            processes: gpus.iter().flatten().copied().collect(),
            are_foreign: false,
        }),
        [true, true] => {
            let own: BTreeSet<u32> = arm.pick(servers).iter().flatten().copied().collect();
            // In a container the driver may count processes in another way than the system does.
            let of_its_own: Vec<_> = gpus.iter().filter(|gpu| !gpu.is_disjoint(&own)).collect();
            let arms: BTreeSet<u32> = servers.iter().flatten().flatten().copied().collect();
            let others = of_its_own.iter().flat_map(|gpu| *gpu - &arms);
            (!of_its_own.is_empty()).then(|| Others {
                processes: others.collect(),
                are_foreign: true,
            })
        }
        _ => None,
    }
}

impl Neighbours {
    /// Keeps who was there before and after a run, and what of that the run itself should know.
    pub(super) fn note(&mut self, (cell, arm): (usize, PairArm), around: [Option<Others>; 2], run: &mut Run) {
        if self.0.len() <= cell {
            self.0.resize(cell + 1, [None, None]);
        }
        let Some(kept) = self.0.get_mut(cell).map(|kept| arm.pick_mut(kept)) else {
            return;
        };
        let [Some(before), Some(after)] = around else {
            *kept = None;
            return;
        };
        spoilt_by(run, before.processes.symmetric_difference(&after.processes).count());
        let others = Others {
            processes: &before.processes | &after.processes,
            are_foreign: before.are_foreign && after.are_foreign,
        };
        run.host.neighbour_gpu_processes = others.are_foreign.then(|| count(others.processes.len()));
        *kept = Some(others);
    }

    /// A pair of a cell is there: who was beside one arm only has spoilt that arm's run.
    pub(super) fn compare(&self, cell: usize, attempt: &mut Attempt) {
        let Some([Some(old), Some(new)]) = self.0.get(cell) else {
            return;
        };
        let alone = [&old.processes - &new.processes, &new.processes - &old.processes];
        for arm in ARMS {
            let run = attempt.get_mut(cell).and_then(|runs| arm.pick_mut(runs).as_mut());
            if let Some(run) = run {
                spoilt_by(run, arm.pick(&alone).len());
            }
        }
    }
}

fn spoilt_by(run: &mut Run, processes: usize) {
    let foreign = &mut run.host.foreign_gpu_processes;
    *foreign = (*foreign).max(count(processes));
}

fn count(processes: usize) -> u32 {
    u32::try_from(processes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PairArm::{Baseline, Candidate};

    fn gpus(each: &[&[u32]]) -> Vec<BTreeSet<u32>> {
        each.iter().map(|gpu| gpu.iter().copied().collect()).collect()
    }

    fn found(
        each: &[&[u32]],
        arm: PairArm,
        is_ours: [bool; 2],
        servers: [Option<&[u32]>; 2],
    ) -> Option<(Vec<u32>, bool)> {
        let servers = servers.map(|server| server.map(<[u32]>::to_vec));
        let others = others(&gpus(each), arm, is_ours, &servers)?;
        Some((others.processes.into_iter().collect(), others.are_foreign))
    }

    #[test]
    fn others_are_told_from_servers_that_are_ours_on_the_gpus_that_these_use() {
        let (ours, theirs) = ([true, true], [false, false]);
        let up: [Option<&[u32]>; 2] = [Some(&[10, 11]), Some(&[20])];
        for (each, arm, is_ours, servers, expected) in [
            (&[&[10, 20, 7][..]][..], Baseline, ours, up, Some((vec![7], true))),
            (
                &[&[10, 11]],
                Baseline,
                ours,
                [Some(&[10, 11][..]), None],
                Some((vec![], true)),
            ),
            // A neighbour on a GPU that its server does not use is none of its.
            (&[&[10], &[20, 7]], Baseline, ours, up, Some((vec![], true))),
            (&[&[10], &[20, 7]], Candidate, ours, up, Some((vec![7], true))),
            // Ids of another numbering.
            (&[&[4242]], Baseline, ours, up, None),
            (
                &[&[10, 20, 7]],
                Baseline,
                theirs,
                [None, None],
                Some((vec![7, 10, 20], false)),
            ),
            (&[&[10, 20, 7]], Baseline, [true, false], [Some(&[10][..]), None], None),
            (&[], Baseline, ours, up, None),
        ] {
            assert_eq!(found(each, arm, is_ours, servers), expected, "{each:?} {arm:?}");
        }
    }

    #[test]
    fn who_is_there_in_part_or_beside_one_arm_spoils_it_and_who_is_always_there_is_counted() {
        let others = |processes: &[u32]| {
            Some(Others {
                processes: processes.iter().copied().collect(),
                are_foreign: true,
            })
        };
        let pair = |around: [[&[u32]; 2]; 2]| {
            let mut neighbours = Neighbours::default();
            let mut attempt: Attempt = vec![[None, None], [Some(Run::default()), Some(Run::default())]];
            for arm in ARMS {
                let around = arm.pick(&around).map(others);
                let run = arm.pick_mut(&mut attempt[1]).as_mut().unwrap();
                neighbours.note((1, arm), around, run);
            }
            neighbours.compare(1, &mut attempt);
            let [old, new] = &attempt[1];
            [old, new].map(|run| {
                let host = &run.as_ref().unwrap().host;
                (host.foreign_gpu_processes, host.neighbour_gpu_processes)
            })
        };
        assert_eq!(pair([[&[], &[]], [&[], &[]]]), [(0, Some(0)); 2]);
        assert_eq!(pair([[&[7], &[7]], [&[7], &[7]]]), [(0, Some(1)); 2], "always there");
        assert_eq!(pair([[&[7], &[7]], [&[], &[]]]), [(1, Some(1)), (0, Some(0))]);
        assert_eq!(pair([[&[], &[]], [&[7], &[7, 8]]]), [(0, Some(0)), (2, Some(2))]);
        assert_eq!(
            pair([[&[7], &[]], [&[7], &[]]]),
            [(1, Some(1)); 2],
            "it ended meanwhile"
        );
    }
}

//! Who else computes on the GPUs of a server that perfgate started: a run beside other work from its start to its end sees nobody
//! come, and is slower all the same.

use std::collections::BTreeSet;

use crate::{commands::served::Served, session::Run, telemetry};

/// Processes beside the server now; `None` where nobody can tell.
pub(super) fn beside(served: Option<&Served>) -> Option<BTreeSet<u32>> {
    let own = served?.server()?.processes()?;
    others(&telemetry::gpu_processes(), &own)
}

/// Those on the GPUs that these processes use; `None` where they use none, or the driver counts processes in another way than
/// the system does, as in a container.
pub(in crate::commands) fn others(gpus: &[BTreeSet<u32>], own: &[u32]) -> Option<BTreeSet<u32>> {
    let own: BTreeSet<u32> = own.iter().copied().collect();
    let used: Vec<&BTreeSet<u32>> = gpus.iter().filter(|gpu| !gpu.is_disjoint(&own)).collect();
    (!used.is_empty()).then(|| used.into_iter().flat_map(|gpu| gpu - &own).collect())
}

/// Keeps who was there both before and after a run: who came or went is counted while it goes on.
pub(super) fn note(run: &mut Run, before: Option<BTreeSet<u32>>, after: Option<BTreeSet<u32>>) {
    let stayed = before.zip(after).map(|(before, after)| (&before & &after).len());
    run.host.neighbour_gpu_processes = stayed.map(|stayed| u32::try_from(stayed).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(processes: &[u32]) -> BTreeSet<u32> {
        processes.iter().copied().collect()
    }

    #[test]
    fn others_are_those_on_the_servers_own_gpus() {
        let gpus = [set(&[10, 11, 7]), set(&[8])];
        assert_eq!(others(&gpus, &[10, 11]), Some(set(&[7])));
        assert_eq!(others(&gpus, &[10, 11, 7]), Some(set(&[])));
        assert_eq!(others(&gpus, &[4242]), None);
        assert_eq!(others(&[], &[10]), None);
    }

    #[test]
    fn a_neighbour_that_stays_is_counted_and_where_nobody_could_tell_nothing_is() {
        let mut run = Run::default();
        let mut of = |before: Option<&[u32]>, after: Option<&[u32]>| {
            note(&mut run, before.map(set), after.map(set));
            run.host.neighbour_gpu_processes
        };
        assert_eq!(of(Some(&[7]), Some(&[7, 8])), Some(1));
        assert_eq!(of(Some(&[]), Some(&[])), Some(0));
        assert_eq!(of(None, Some(&[7])), None);
    }
}

//! Clocks and power limits of the two arms' GPUs, where they differ.

use crate::{measure::clocks_apart, session::Session};

/// What a reader should know of it, in sentences.
pub(super) fn of(baseline: &Session, candidate: &Session) -> Vec<String> {
    let told = candidate.cells.iter().flat_map(|cell| {
        let old = baseline.cells.iter().find(|old| old.load == cell.load);
        let apart = old.map_or_else(Vec::new, |old| clocks_apart(old, cell));
        apart.into_iter().map(|why| {
            format!(
                "{why} at {}: a change may be the GPU's and not the server's; lock clocks and power limit on both sides \
                 (`nvidia-smi --lock-gpu-clocks`, `--power-limit`)",
                cell.name
            )
        })
    });
    told.collect()
}

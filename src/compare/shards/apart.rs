//! Whether the shards of a run began together, by clocks that agree.

use std::collections::BTreeSet;

use crate::{plan::Shard, session::ShardStart};

/// A run that one shard begins so much later than agreed is not one run; so is one whose clocks are further apart.
const MOST_APART_NS: u64 = 100_000_000;

/// Which shards began apart, or have clocks that are, if any.
pub(super) fn apart(starts: &[(Shard, ShardStart)]) -> Option<String> {
    let late = |(shard, start): &(Shard, ShardStart)| {
        let by_ns = start.began_unix_ns.saturating_sub(start.agreed_unix_ns);
        (by_ns > MOST_APART_NS).then(|| {
            format!(
                "shard {shard} began {} ms after the time that was agreed",
                by_ns / 1_000_000
            )
        })
    };
    let other = || {
        let agreed: BTreeSet<u64> = starts.iter().map(|(_, start)| start.agreed_unix_ns).collect();
        (agreed.len() > 1).then(|| "the shards were told different times to begin at".to_owned())
    };
    let ahead = || {
        let mut clocks: Vec<(i64, Shard)> = starts
            .iter()
            .filter_map(|(shard, start)| Some((start.clock_ahead_ns?, *shard)))
            .collect();
        clocks.sort_unstable();
        let ((least, behind), (most, ahead)) = (*clocks.first()?, *clocks.last()?);
        let by_ns = most.abs_diff(least);
        (by_ns > MOST_APART_NS).then(|| {
            format!(
                "the clock of shard {ahead} is {} ms ahead of that of shard {behind}",
                by_ns / 1_000_000
            )
        })
    };
    starts.iter().find_map(late).or_else(other).or_else(ahead)
}

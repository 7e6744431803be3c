//! What holds of an arm of an A/B measurement, of the blocks of a run and of the machine beside it.

use super::{Checked, MAX_EXACT, above_zero, each, ensure, is_zero_or_more};
use crate::session::{HostUse, Pairing, Run};

/// The latest stamp of a block, milliseconds since 1970 UTC: the last one of the year 9999.
const MAX_UNIX_MS: u64 = super::MAX_UNIX_S * 1000 + 999;

pub(super) fn pairing(pairing: &Pairing) -> Checked {
    ensure(!pairing.id.trim().is_empty(), "id", || {
        "is empty; both arms of a measurement carry the same word".into()
    })?;
    above_zero(pairing.blocks, "blocks")?;
    let rises = pairing.looks.is_sorted_by(|one, next| one < next);
    ensure(
        rises && pairing.looks.first().is_some_and(|first| *first > 0),
        "looks",
        || format!("are {:?}; give at least one number of pairs, rising", pairing.looks),
    )
}

/// Blocks follow one another and hold the run's requests, all of them unless the run was cut short.
pub(super) fn blocks(run: &Run) -> Checked {
    for (at, block) in run.blocks.iter().enumerate() {
        let key = |name: &str| format!("blocks[{at}].{name}");
        if run.cut_short.is_none() {
            above_zero(block.requests, &key("requests"))?;
        }
        ensure(block.start_ns <= MAX_EXACT, &key("start_ns"), || {
            format!(
                "is `{}`, beyond 2^53; stamps count from the run's start",
                block.start_ns
            )
        })?;
        ensure(block.started_unix_ms <= MAX_UNIX_MS, &key("started_unix_ms"), || {
            format!(
                "is `{}`, after the year 9999; give milliseconds since 1970 UTC",
                block.started_unix_ms
            )
        })?;
    }
    ensure(
        run.blocks.is_sorted_by(|one, next| one.start_ns <= next.start_ns),
        "blocks",
        || "do not follow one another; their `start_ns` rise".into(),
    )?;
    let held: u64 = run.blocks.iter().map(|block| u64::from(block.requests)).sum();
    let all = run.requests.len();
    let whole = run.blocks.is_empty() || run.cut_short.is_some() || usize::try_from(held) == Ok(all);
    ensure(whole, "blocks", || {
        format!("hold {held} requests, but the run has {all}; each request stands in one block")
    })
}

pub(super) fn host(host: &HostUse) -> Checked {
    if let Some(steal) = host.cpu_steal {
        ensure((0.0..=1.0).contains(&steal), "host.cpu_steal", || {
            format!("is `{steal}`; give a share from 0 to 1")
        })?;
    }
    match host.resting_arm_cpu_s {
        Some(seconds) => each(
            &[("host.resting_arm_cpu_s", seconds)],
            is_zero_or_more,
            "seconds, zero or more",
        ),
        None => Ok(()),
    }
}

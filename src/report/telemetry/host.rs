//! The machine that perfgate ran on.

use super::{Moment, Sampled, bytes};
use crate::session::HostPoint;

pub(super) fn moments(of: Sampled, points: &[HostPoint]) -> Vec<Moment> {
    let moments = points.iter().filter_map(|point| {
        let value = match of {
            Sampled::HostSteal => Some(point.steal_pct),
            Sampled::HostLoad => point.load,
            Sampled::HostMemory => point.memory_used_bytes.map(|used| bytes(used) / 1e9),
            Sampled::HostReceived => point.received_bytes_per_s.map(|rate| rate / 1e6),
            Sampled::HostSent => point.sent_bytes_per_s.map(|rate| rate / 1e6),
            _ => Some(point.cpu_pct),
        };
        Some((point.at_ns, point.samples, value?))
    });
    moments.collect()
}

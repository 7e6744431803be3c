//! When the shards of a run began.

/// What a shard says that stopped since another one `comes no more`: the cause is with that one.
pub const COMES_NO_MORE: &str = "comes no more";

/// When the shards of a run were to begin, and when this one did. All times are nanoseconds since 1970 UTC by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardStart {
    /// The time that all of them were told.
    pub agreed_unix_ns: u64,
    /// The zero of the run's stamps.
    pub began_unix_ns: u64,
    /// By how much its clock is ahead of that of the shared folder; `None` where there was none.
    pub clock_ahead_ns: Option<i64>,
}

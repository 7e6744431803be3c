//! Exit codes of trouble; those of verdicts come with the report (see `verdict`).
//!
//! | code | meaning |
//! |---|---|
//! | 0 | pass (improvements and plain warnings included) |
//! | 1 | regression: merge is blocked |
//! | 2 | usage or configuration error |
//! | 3 | not settled: inconclusive, incomparable, no baseline, or a profiling report owed |
//! | 4 | measurement failed or is invalid |
//! | 5 | the verdict stands but could not be posted |

use crate::commands::CommandError;

/// A usage or configuration error.
pub(crate) const USAGE: u8 = 2;
/// The forge could not be read or written.
pub(crate) const FORGE: u8 = 5;
/// The measurement failed.
pub(crate) const MEASUREMENT: u8 = 4;

/// The exit code of a verb that could not do its work.
pub(crate) fn code(error: &CommandError) -> u8 {
    match error {
        CommandError::Sim(_)
        | CommandError::Target(_)
        | CommandError::Unreachable { .. }
        | CommandError::Runner { .. }
        | CommandError::Changed { .. }
        | CommandError::Launch(_)
        | CommandError::Unsearchable(_) => MEASUREMENT,
        CommandError::Forge(_) => FORGE,
        CommandError::Config(_)
        | CommandError::Git(_)
        | CommandError::Import(_)
        | CommandError::Profile(_)
        | CommandError::Store(_)
        | CommandError::Load(_)
        | CommandError::Render(_)
        | CommandError::Compared { .. }
        | CommandError::Report { .. }
        | CommandError::ModelUnclear { .. }
        | CommandError::File { .. }
        | CommandError::Unfit { .. }
        | CommandError::Worse { .. }
        | CommandError::Secret { .. }
        | CommandError::Step(_)
        | CommandError::Unjudged { .. }
        | CommandError::Usage(_) => USAGE,
    }
}

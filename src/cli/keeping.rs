//! The flags of `baseline copy` and `baseline gc`.

use clap::Args;

use super::{flags::StoreArgs, stored::resolve, variable};
use crate::{
    commands::{CommandError, Done, trust, upkeep},
    store::MAX_HISTORY,
};

pub(super) const COPY_EXAMPLES: &str = "\
Examples:
  perfgate baseline copy baselines git:refs/perfgate/baselines@origin
  perfgate baseline copy git:refs/perfgate/baselines@origin s3://my-bucket/perfgate
What is there already stays, and the sessions of both become one history; two names or two pinned sessions are refused.";

pub(super) const GC_EXAMPLES: &str = "\
Examples:
  perfgate baseline gc --keep 15 --dry-run
  perfgate baseline gc --store git:refs/perfgate/baselines@origin
What a gate goes by stays: the window of each judged metric, the level before a step that nobody answers for, the pinned level,
the accepted steps.";

#[derive(Debug, Args)]
pub(super) struct CopyArgs {
    /// Folder or address to copy from.
    from: String,
    /// Folder or address to copy to.
    to: String,
}

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// The newest sessions of each baseline that stay in any case.
    #[arg(long, value_name = "N", default_value_t = MAX_HISTORY)]
    keep: usize,
    /// Only tell what would go.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn copy(flags: &CopyArgs) -> Result<Done, CommandError> {
    trust::refuse_baseline_write(&variable, &trust::here()?, None)?;
    upkeep::copy(&flags.from, &flags.to)
}

pub(super) fn gc(flags: &GcArgs) -> Result<Done, CommandError> {
    trust::refuse_baseline_write(&variable, &trust::here()?, None)?;
    let resolved = resolve(&flags.store)?;
    upkeep::gc(&resolved.settings.store, &resolved.policy, flags.keep, flags.dry_run)
}

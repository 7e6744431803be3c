//! The verbs of profiles: their flags as typed, and what they run.

use std::path::PathBuf;

use clap::Subcommand;

use super::{
    args::JudgeArgs,
    console,
    forms::FormatArg,
    profiling::{self, DiffArgs, ShowArgs},
    rules, screen,
};
use crate::commands::{
    CommandError, Done,
    profile::{self, Attaching},
};

#[derive(Debug, Subcommand)]
pub(super) enum ProfileVerb {
    /// Show what a profiler saw: operators, kernels, idle time and memory, phase by phase.
    Show(ShowArgs),
    /// Show what differs between captures of a good and a bad state: what is done, exactly, and how long it takes.
    Diff(DiffArgs),
    /// Add a profile of the commit that was measured to its result, and judge it again.
    Attach {
        /// Chrome trace of torch.profiler (`.json`, `.json.gz`), report or `.sqlite` export of Nsight Systems, or report of
        /// Nsight Compute.
        file: PathBuf,
        /// The result that it belongs to.
        #[arg(long, value_name = "RESULT", default_value = "perfgate-report/result.json")]
        result: PathBuf,
        /// Commit that was profiled, 40 hex digits [default: what the trace says, else the one that is checked out]
        #[arg(long, value_name = "SHA")]
        commit: Option<String>,
        #[command(flatten)]
        judge: JudgeArgs,
        /// Form of the answer on standard output.
        #[arg(long, value_enum, default_value_t)]
        format: FormatArg,
    },
}

/// Runs one of the verbs of `profile`.
pub(super) fn run(verb: ProfileVerb) -> Result<Done, CommandError> {
    match verb {
        ProfileVerb::Show(args) => profiling::show(&args),
        ProfileVerb::Diff(args) => profiling::diff(&args),
        ProfileVerb::Attach {
            file,
            result,
            commit,
            judge,
            format,
        } => {
            let rules = rules(judge.config.as_deref(), &judge.overrides)?;
            let attaching = Attaching {
                file: &file,
                result: &result,
                commit: commit.as_deref(),
            };
            let form = (format.into(), screen());
            profile::attach(&attaching, &rules, form, &console(&rules.resolved))
        }
    }
}

//! The verbs of `mlperf`: their flags as typed, and what they run.

use std::path::PathBuf;

use clap::{Subcommand, value_parser};

use super::screen;
use crate::commands::{
    CommandError, Done,
    mlperf::{self, Showing},
};

#[derive(Debug, Subcommand)]
pub(super) enum MlperfVerb {
    /// Show the results of a submission: accelerators, stack, weights, tokens per second and accelerator.
    Show {
        /// Folder of a submission, of a part of it, or of one run with its `mlperf_log_detail.txt`.
        folder: PathBuf,
        /// Session to put beside it: its highest throughput within the limits of each result.
        #[arg(long, value_name = "FILE")]
        session: Option<PathBuf>,
        /// GPUs of the session's server [default: what the session says]
        #[arg(long, value_name = "N", requires = "session", value_parser = value_parser!(u32).range(1..))]
        gpus: Option<u32>,
    },
}

/// Runs one of the verbs of `mlperf`.
pub(super) fn run(verb: &MlperfVerb) -> Result<Done, CommandError> {
    let MlperfVerb::Show { folder, session, gpus } = verb;
    let showing = Showing {
        folder,
        session: session.as_deref(),
        gpus: *gpus,
    };
    mlperf::show(&showing, screen())
}

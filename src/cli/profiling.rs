//! `perfgate profile show` and `diff` as typed.

use std::{path::PathBuf, slice::from_ref};

use clap::Args;

use super::{forms::FormatArg, screen::WideArgs};
use crate::commands::{CommandError, Done, profiles};

const EXAMPLES: &str = "\
Structure (operators, counts, shapes, bytes) is exact: one capture a side tells it. Times are judged from two captures a side on.
Exits with 0 whatever differs, with 3 where the two sides cannot be compared.

Examples:
  perfgate profile diff main.json.gz change.json.gz
  perfgate profile diff --good main-1.json.gz main-2.json.gz --bad change-1.json.gz change-2.json.gz
  perfgate profile diff main.json.gz change.json.gz --format markdown
  perfgate profile diff main.json.gz change.json.gz --format html > profile.html
  perfgate profile diff main.json.gz change.json.gz --format json > profile-diff.json
  perfgate report perfgate-report/report.json --profile-diff profile-diff.json --format html > report.html";

/// `perfgate profile show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Chrome trace of torch.profiler (`.json`, `.json.gz`), or what Nsight exports.
    file: PathBuf,
    /// Form of the answer on standard output.
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    #[command(flatten)]
    tables: WideArgs,
}

/// `perfgate profile diff`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArgs {
    /// One capture before the change and one after it.
    #[arg(value_names = ["GOOD", "BAD"], num_args = 2, required_unless_present = "good", conflicts_with_all = ["good", "bad"])]
    files: Vec<PathBuf>,
    /// Captures before the change; from two a side on, times are judged.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "bad")]
    good: Vec<PathBuf>,
    /// Captures after it.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "good")]
    bad: Vec<PathBuf>,
    /// Form of the answer on standard output.
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    #[command(flatten)]
    tables: WideArgs,
}

/// Shows one profile.
pub(super) fn show(args: &ShowArgs) -> Result<Done, CommandError> {
    let format = args.format.into();
    profiles::show(&args.file, format, args.tables.screen(format)?)
}

/// Shows what differs between two sides.
pub(super) fn diff(args: &DiffArgs) -> Result<Done, CommandError> {
    let format = args.format.into();
    let screen = args.tables.screen(format)?;
    match args.files.as_slice() {
        [good, bad] => profiles::show_diff(from_ref(good), from_ref(bad), format, screen),
        _ => profiles::show_diff(&args.good, &args.bad, format, screen),
    }
}

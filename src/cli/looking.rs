//! Flags of the verbs that look at what is stored: `history` and `noise`.

use clap::Args;

use super::{flags::StoreArgs, forms::FormatArg, screen::WideArgs};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Metric, by its key (`tpot_p95`), with each session [default: every gated one, a line each]
    pub(super) metric: Option<String>,
    /// Only this cell, by its name.
    #[arg(long)]
    pub(super) cell: Option<String>,
    /// Only this baseline, by name, hash or file name [default: every one of the store]
    #[arg(long, value_name = "NAME")]
    pub(super) baseline: Option<String>,
    /// Exit with 1 where a step for the worse stands that nobody answers for.
    #[arg(long)]
    pub(super) check: bool,
    /// `terminal` for people, `json` for programs.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: FormatArg,
    #[command(flatten)]
    pub(super) tables: WideArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct NoiseArgs {
    /// Measure so many pairs of the server against itself now; what they show is kept for later gates.
    #[arg(long, value_name = "N", conflicts_with = "files", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(super) pairs: Option<u32>,
    /// Measurements that are put together from what is there, to see how often the gate blocks.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) resamples: u32,
    /// Print limits and looks that this machine can hold, as a part of `perfgate.yaml`.
    #[arg(long)]
    pub(super) suggest: bool,
    /// `terminal` for people, `json` for programs.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: FormatArg,
}

//! The forms of an answer, and the files that have a schema.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::screen::TableArgs;
use crate::commands::{
    CommandError,
    present::{Format, Screen},
};

/// How the answer of a verdict is given on standard output.
#[derive(Clone, Debug, Args)]
pub(super) struct FormArgs {
    /// Form of the answer on standard output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: FormatArg,
    /// A template of your own that gives it instead, Markdown (`.md`) or HTML (`.html`); docs/templates.md.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "wide", "only"])]
    pub(super) template: Option<PathBuf>,
    #[command(flatten)]
    tables: TableArgs,
}

impl FormArgs {
    /// The screen as it is asked for.
    ///
    /// # Errors
    /// What is asked for is no table on a terminal.
    pub(super) fn screen(&self) -> Result<Screen, CommandError> {
        self.tables.screen(self.format.into())
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum SchemaOf {
    /// `perfgate.yaml`.
    #[default]
    Config,
    /// Session files.
    Session,
    /// `result.json`.
    Result,
    /// `report.json`.
    Report,
    /// `perfgate history --format json`.
    History,
    /// `perfgate noise --format json`.
    Noise,
    /// `perfgate report --context`: what a template of your own is given.
    Context,
    /// `perfgate profile show --format json`.
    Profile,
    /// `perfgate profile diff --format json`, which `perfgate report --profile-diff` reads.
    ProfileDiff,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum FormatArg {
    /// Tables for a terminal.
    #[default]
    #[value(alias = "text")]
    Terminal,
    /// The comment on a pull request.
    #[value(alias = "md")]
    Markdown,
    /// One self-contained page below 5 MB.
    Html,
    /// The same with every chart, however large.
    HtmlWhole,
    /// For programs.
    Json,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Terminal => Self::Terminal,
            FormatArg::Markdown => Self::Markdown,
            FormatArg::Html => Self::Html,
            FormatArg::HtmlWhole => Self::HtmlWhole,
            FormatArg::Json => Self::Json,
        }
    }
}

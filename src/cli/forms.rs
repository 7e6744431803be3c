//! The forms of an answer, and the files that have a schema.

use clap::ValueEnum;

use crate::commands::present::Format;

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

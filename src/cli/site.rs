//! The flags of `perfgate site`.

use std::path::PathBuf;

use clap::Args;

use super::{flags::StoreArgs, stored, variable};
use crate::commands::{
    CommandError, Done,
    site::{self, Asked},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  perfgate site -o _site
  perfgate site -o _site --reports reports --repository https://github.com/OWNER/NAME
  perfgate site -o _site --check || echo 'something got worse that nobody answers for'
The folder can be served as it is; docs/site.md has a workflow for GitHub Pages.";

#[derive(Debug, Args)]
pub(super) struct SiteArgs {
    /// Folder to write the pages into; those of an earlier run that are no longer true are removed.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Folder with reports of gates (`report.json` and `report.html` beside one another, at any depth): they are copied and
    /// linked.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Address of the repository, where commits are looked at [default: that of the CI job, else git's `origin`]
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// Exit with 1 where a step for the worse stands that nobody answers for, or a file could not be read; the pages are
    /// written all the same.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs `site`.
pub(super) fn site(flags: &SiteArgs, warn: &dyn Fn(&str)) -> Result<Done, CommandError> {
    let resolved = stored::resolve(&flags.store)?;
    let asked = Asked {
        output: &flags.output,
        store: &resolved.settings.store,
        reports: flags.reports.as_deref(),
        repository: flags.repository.as_deref(),
        check: flags.check,
        variable: &variable,
    };
    site::site(&asked, &resolved.policy, warn)
}

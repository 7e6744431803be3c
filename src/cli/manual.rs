//! What the command line tells of itself to others: completions for shells, and man pages.

use std::{fs, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;

use super::flags::Cli;
use crate::commands::{CommandError, Done};

/// The completion script of a shell.
pub(super) fn completions(shell: Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "perfgate", &mut script);
    Done::ok(String::from_utf8_lossy(&script))
}

/// Writes `perfgate.1`, and a page for each verb, into a folder.
pub(super) fn man(folder: &Path) -> Result<Done, CommandError> {
    let failed = |source| CommandError::File {
        what: "write",
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    Ok(Done::ok(format!("wrote man pages into `{}`\n", folder.display())))
}

//! `perfgate init`: a commented configuration to start from.

use std::{fs, path::Path};

use super::{CommandError, Done};
use crate::config;

/// Writes the starter file; a file that is there stays unless `force` is given.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn init(path: &Path, force: bool) -> Result<Done, CommandError> {
    if path.exists() && !force {
        return Err(CommandError::Usage(format!(
            "`{}` is there already; `--force` overwrites it",
            path.display()
        )));
    }
    let failed = |source| CommandError::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    fs::write(path, config::starter()).map_err(failed)?;
    Ok(Done::ok(format!(
        "wrote `{0}`; look at it with `perfgate config show --config {0}`\n",
        path.display()
    )))
}

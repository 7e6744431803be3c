//! Files that the rules name and that are used from the work tree: prompts, traces, tokenizers.
//!
//! They are too large to be read as objects each time. Where the base has such a file, the work tree must have the same.

use std::path::PathBuf;

use super::{layout::Layout, read::short, source::Source};
use crate::{
    commands::CommandError,
    config::Resolved,
    git::{self, GitError},
    plan::{Prompts, Tokenizer},
    store,
};

/// Refuses a pull request's own version of a file that decides what is measured.
pub(super) fn refuse_changed(base: &mut dyn Source, layout: &Layout, resolved: &Resolved) -> Result<(), CommandError> {
    for path in named(resolved) {
        let Some(inside) = layout.inside(&path) else { continue };
        let wanted = match base.file(&inside) {
            Ok(None) => continue,
            Ok(Some(bytes)) => store::sha256_of(&bytes),
            // Its content is elsewhere, and the pointer tells its hash; which one the work tree has is seen below.
            Err(CommandError::Git(GitError::NoRegularFile { what, .. })) if what == git::LFS => continue,
            Err(error) => return Err(error),
        };
        let found = store::sha256_of_file(&layout.here.join(&path)).ok();
        if found.as_deref() != Some(wanted.as_str()) {
            let commit = short(base.commit());
            return Err(CommandError::Usage(format!(
                "`{inside}` is not the file of commit `{commit}`, whose rules hold here, and it decides what is measured; \
                 measure with that one (`git checkout {commit} -- {inside}`), and change it in a pull request of its own"
            )));
        }
    }
    Ok(())
}

fn named(resolved: &Resolved) -> Vec<PathBuf> {
    let folder = &resolved.settings.dataset_dir;
    let plan = &resolved.plan;
    let prompts = match &plan.workload.prompts {
        Prompts::Dataset { path, .. } | Prompts::Trace { path, .. } => Some(path),
        Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } | Prompts::Foreign { .. } => None,
    };
    let tokenizer = match &plan.workload.tokenizer {
        Tokenizer::File { path, .. } => Some(path),
        _ => None,
    };
    let counted = prompts.into_iter().chain(tokenizer).map(|path| folder.join(path));
    counted.chain(plan.target.ca_file.iter().map(PathBuf::from)).collect()
}

//! A repository made from nothing, for what has to be shown on one.

use std::path::Path;

use git2::{Oid, RepositoryInitOptions, Signature, build::CheckoutBuilder};

use super::{GitError, failed};

/// A commit to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its message.
    pub message: String,
    /// All its files, in the root: name and text.
    pub files: Vec<(String, String)>,
}

/// Makes a repository with these commits on `main`, one after another; their hashes.
///
/// # Errors
/// git fails.
pub fn scratch(path: &Path, drafts: &[Draft]) -> Result<Vec<String>, GitError> {
    let failed = failed("make a repository");
    let mut options = RepositoryInitOptions::new();
    options.initial_head("main").no_reinit(true).external_template(false);
    let repository = git2::Repository::init_opts(path, &options).map_err(&failed)?;
    let who = Signature::now("perfgate demo", "demo@perfgate.invalid").map_err(&failed)?;
    let mut made: Vec<Oid> = Vec::new();
    for draft in drafts {
        let mut tree = repository.treebuilder(None).map_err(&failed)?;
        for (name, text) in &draft.files {
            let blob = repository.blob(text.as_bytes()).map_err(&failed)?;
            tree.insert(name, blob, 0o100_644).map_err(&failed)?;
        }
        let tree = tree
            .write()
            .and_then(|tree| repository.find_tree(tree))
            .map_err(&failed)?;
        let parent = made
            .last()
            .map(|parent| repository.find_commit(*parent))
            .transpose()
            .map_err(&failed)?;
        let parents: Vec<_> = parent.iter().collect();
        let commit = repository.commit(Some("HEAD"), &who, &who, &draft.message, &tree, &parents);
        made.push(commit.map_err(&failed)?);
    }
    repository
        .checkout_head(Some(CheckoutBuilder::new().force()))
        .map_err(&failed)?;
    Ok(made.iter().map(Oid::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Repository;

    #[test]
    fn commits_stand_one_after_another_and_the_last_is_checked_out() {
        let folder = tempfile::tempdir().unwrap();
        let draft = |number: u32| Draft {
            message: format!("change {number}"),
            files: vec![("n".into(), number.to_string())],
        };
        let made = scratch(folder.path(), &[draft(1), draft(2)]).unwrap();
        let repository = Repository::open(folder.path()).unwrap();
        assert_eq!(repository.head().unwrap().as_ref(), made.last());
        assert!(repository.is_ancestor(&made[0], &made[1]).unwrap());
        assert_eq!(std::fs::read_to_string(folder.path().join("n")).unwrap(), "2");
        assert!(scratch(folder.path(), &[draft(3)]).is_err(), "one is there already");
    }
}

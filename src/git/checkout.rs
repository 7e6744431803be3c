//! A work tree of our own for builds of many commits: what stands in the user's work tree, and his branches, stay as they are.
//!
//! It is a linked work tree of the repository in a folder of ours, `perfgate-bisect-ID-NAME`, with a marker beside it that
//! tells whose it is; only folders with that marker are ever deleted.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    Call, GitError, Repository,
    place::{Place, Site},
    program::Git,
    removal::{Held, Identity},
};

/// Longer names of checkouts are refused.
const MOST_NAME_BYTES: usize = 64;

/// A work tree of our own; it is deleted when this is dropped.
pub struct Checkout {
    place: Place,
    identity: Option<Identity>,
    /// Locked as long as this lives, so that nobody else cleans it up.
    _marker: File,
    is_there: bool,
}

impl Checkout {
    /// Checks a commit out, in a new folder below `parent`.
    ///
    /// # Errors
    /// The folder lies in the repository's own work tree, or git fails; nothing is left behind then.
    pub fn create(repository: &Repository, parent: &Path, name: &str, commit: &str) -> Result<Self, GitError> {
        let commit = repository.resolve(commit)?;
        let bad = |why: String| GitError::BadPlace {
            path: parent.to_owned(),
            why,
        };
        let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if name.is_empty() || name.len() > MOST_NAME_BYTES || !name.chars().all(is_plain) {
            return Err(bad(format!("`{name}` is no name for it; give letters and digits")));
        }
        fs::create_dir_all(parent).map_err(|error| bad(error.to_string()))?;
        let site = Site::of(repository, parent).map_err(|error| bad(error.to_string()))?;
        if site.is_in_its_work_tree() {
            return Err(bad(
                "it lies in the work tree of the repository itself; give one outside".into(),
            ));
        }
        let root = site.root.clone();
        let place = site.new_place(name);
        let marker = place.make().map_err(|error| bad(error.to_string()))?;
        let checkout = Self {
            identity: place.open().ok().and_then(|held| held.identity().ok()),
            place,
            _marker: marker,
            is_there: true,
        };
        let tree = checkout.path();
        let tree = tree.to_str().ok_or_else(|| bad("its name is no text".into()))?;
        let add = [
            "worktree",
            "add",
            "--quiet",
            "--detach",
            "--no-checkout",
            "--",
            tree,
            &commit,
        ];
        Git::at(&root).call(&Call::of(&add))?;
        checkout.switch(&commit)?;
        Ok(checkout)
    }

    /// The folder with the files of the commit.
    pub fn path(&self) -> PathBuf {
        self.place.tree()
    }

    /// The commit that is checked out, 40 hex digits.
    ///
    /// # Errors
    /// When git fails.
    pub fn head(&self) -> Result<String, GitError> {
        self.git(&["rev-parse", "--verify", "HEAD^{commit}"])
    }

    /// Checks another commit out, over whatever was changed; files that are not git's stay, so that builds go on from them.
    ///
    /// # Errors
    /// When git fails.
    pub fn switch(&self, commit: &str) -> Result<(), GitError> {
        self.place.git()?;
        let commit = Repository::open(&self.path())?.resolve(commit)?;
        self.git(&["checkout", "--quiet", "--detach", "--force", &commit, "--"])?;
        Ok(())
    }

    /// Checks another commit out, and deletes all files that are not git's, ignored ones too.
    ///
    /// # Errors
    /// When git fails.
    pub fn switch_clean(&self, commit: &str) -> Result<(), GitError> {
        self.switch(commit)?;
        self.git(&["clean", "-ffdx", "--quiet"])?;
        Ok(())
    }

    /// Checks out the submodules of the commit, with theirs, as long as it is `wanted`; from addresses that are no commands.
    ///
    /// # Errors
    /// When git fails.
    pub fn update_submodules(&self, wanted: &dyn Fn() -> bool) -> Result<(), GitError> {
        // Without `init` and `sync`, which write into the settings that the user's work tree has as well.
        let settings = ["-c", "submodule.active=."];
        let update = ["submodule", "update", "--quiet", "--recursive", "--force", "--checkout"];
        self.call(&Call {
            wanted,
            ..Call::of(&[&settings[..], &update[..]].concat())
        })?;
        Ok(())
    }

    /// Names of the filters and hooks of the settings that do not run here (`filter.crypt`): files that need them are as git
    /// keeps them.
    ///
    /// # Errors
    /// When git fails.
    pub fn switched_off(&self) -> Result<Vec<String>, GitError> {
        self.place.git()?.switched_off()
    }

    /// What the `git` program says in this work tree.
    ///
    /// # Errors
    /// It fails, or is not done within half an hour.
    pub fn git(&self, args: &[&str]) -> Result<String, GitError> {
        self.call(&Call::of(args))
    }

    /// The same, with a time limit, a wish to stop and variables of one's own.
    ///
    /// # Errors
    /// It fails, takes too long, or is not wanted any more; or it would run a hook.
    pub fn call(&self, call: &Call<'_>) -> Result<String, GitError> {
        if call.args.contains(&"bisect") {
            self.place.refuse_hook_of_bisect()?;
        }
        self.place.git()?.call(call)
    }

    /// Deletes it, and what the repository knows of it.
    ///
    /// # Errors
    /// Something else stands in its place, or a file in it cannot be deleted.
    pub fn remove(mut self) -> Result<(), GitError> {
        self.take_away()
    }

    fn take_away(&mut self) -> Result<(), GitError> {
        if !std::mem::take(&mut self.is_there) {
            return Ok(());
        }
        let deleted = self.place.open().and_then(|held| self.delete(held));
        self.place.forget()?;
        deleted.map_err(|why| GitError::NotOurs {
            path: self.place.path(),
            why,
        })
    }

    fn delete(&self, held: Held) -> Result<(), String> {
        let identity = held.identity().ok();
        if identity.is_none() || identity != self.identity || self.place.marker_in(&held)?.is_none() {
            return Err("another folder stands in its place".into());
        }
        self.place.delete(held)
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // What could not be deleted is there for `--cleanup`.
        let _ = self.take_away();
    }
}

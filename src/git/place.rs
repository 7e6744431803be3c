//! The folder of a checkout: its name, its marker, and what the repository knows of it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    GitError, Repository,
    program::Git,
    removal::{Held, Protected},
};

/// What stands in our folder beside the work tree.
const MARKER: &str = "perfgate-checkout";

/// How every marker begins.
const OPENING: &str = "perfgate checkout 1\n";

const OUTER: &str = "perfgate-bisect-";
const INNER: &str = "perfgate-";
const ID_SIGNS: usize = 16;

/// A repository and the folder that its checkouts lie in, as they really are.
#[derive(Clone)]
pub(super) struct Site {
    /// Folder of the repository's work tree.
    pub(super) root: PathBuf,
    /// Folder of what git keeps.
    common: PathBuf,
    /// Folder of the checkouts.
    pub(super) parent: PathBuf,
    protected: Arc<Protected>,
}

/// Where a checkout is, and whose.
pub(super) struct Place {
    site: Site,
    name: String,
    id: String,
}

impl Site {
    pub(super) fn of(repository: &Repository, parent: &Path) -> io::Result<Self> {
        let root = repository.root().canonicalize()?;
        let common = repository.inner.commondir().canonicalize()?;
        let parent = parent.canonicalize()?;
        let protected = Protected::of([root.as_path(), common.as_path(), parent.as_path()]);
        Ok(Self {
            root,
            common,
            parent,
            protected: Arc::new(protected),
        })
    }

    /// Whether what lies there would be seen in the repository's own work tree.
    pub(super) fn is_in_its_work_tree(&self) -> bool {
        self.parent.starts_with(&self.root) && !self.parent.starts_with(&self.common)
    }

    /// A place that no other checkout has, by the randomness that the system gives its hash tables.
    pub(super) fn new_place(self, name: &str) -> Place {
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        Place {
            name: format!("{OUTER}{id}-{name}"),
            site: self,
            id,
        }
    }

    /// The folders that have the form of ours, by name.
    pub(super) fn places(&self) -> io::Result<Vec<Place>> {
        let mut names: Vec<String> = fs::read_dir(&self.parent)?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        let place = |name: String| {
            let (id, _) = name.strip_prefix(OUTER)?.split_once('-')?;
            is_id(id).then(|| Place {
                site: self.clone(),
                id: id.to_owned(),
                name: name.clone(),
            })
        };
        Ok(names.into_iter().filter_map(place).collect())
    }

    /// Takes those work trees out of what the repository knows that were ours, in this folder, and are gone.
    pub(super) fn forget_gone(&self) -> Result<Vec<PathBuf>, GitError> {
        self.forget_where(|parent| parent == self.parent)
    }

    /// The same of those whose folder of checkouts is gone too.
    pub(super) fn forget_lost(&self) -> Result<Vec<PathBuf>, GitError> {
        self.forget_where(|parent| {
            fs::symlink_metadata(parent).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
    }

    fn forget_where(&self, is_meant: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, GitError> {
        let mut gone = Vec::new();
        for (id, parent, tree) in trees(&self.common) {
            if is_meant(&parent) && fs::symlink_metadata(&tree).is_err() {
                gone.push(tree);
                self.forget(&id)?;
            }
        }
        Ok(gone)
    }

    fn entry(&self, id: &str) -> PathBuf {
        self.common.join("worktrees").join(format!("{INNER}{id}"))
    }

    /// Takes one work tree out of what the repository knows; no file of it is touched.
    fn forget(&self, id: &str) -> Result<(), GitError> {
        let entry = self.entry(id);
        let (Some(worktrees), Some(name)) = (entry.parent(), entry.file_name().and_then(|name| name.to_str())) else {
            return Ok(());
        };
        if !entry.is_dir() {
            return Ok(());
        }
        let deleted = Held::open(worktrees, name).and_then(|held| held.delete(None, &self.protected));
        // As git does after the last one.
        let _ = fs::remove_dir(worktrees);
        deleted.map_err(|why| GitError::NotOurs { path: entry, why })
    }
}

/// The work trees that a repository knows and that have the form of ours: id, folder of checkouts, work tree.
fn trees(common: &Path) -> Vec<(String, PathBuf, PathBuf)> {
    let entries = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    let tree = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let id = name.strip_prefix(INNER).filter(|id| is_id(id))?;
        let link = fs::read_to_string(entry.path().join("gitdir")).ok()?;
        let tree = Path::new(link.trim_end())
            .parent()
            .filter(|tree| tree.ends_with(&name))?;
        let outer = tree.parent()?;
        let is_ours = outer.file_name()?.to_str()?.starts_with(&format!("{OUTER}{id}-"));
        is_ours.then(|| Some((id.to_owned(), outer.parent()?.to_owned(), tree.to_owned())))?
    };
    entries.filter_map(tree).collect()
}

/// The folders in which a repository has checkouts of ours, by what git knows of them: no environment says where an earlier
/// perfgate put its own.
pub(super) fn parents(repository: &Repository) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = trees(repository.inner.commondir())
        .into_iter()
        .map(|(_, parent, _)| parent)
        .collect();
    parents.sort();
    parents.dedup();
    parents
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        self.site.parent.join(&self.name)
    }

    /// The work tree.
    pub(super) fn tree(&self) -> PathBuf {
        self.path().join(format!("{INNER}{}", self.id))
    }

    pub(super) fn open(&self) -> Result<Held, String> {
        Held::open(&self.site.parent, &self.name)
    }

    /// Makes the folder and its marker, which stays locked as long as the file is open.
    pub(super) fn make(&self) -> io::Result<File> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(self.path())?;
        let path = self.path().join(MARKER);
        let made = || {
            let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            file.lock()?;
            file.write_all(&self.marker())?;
            Ok(file)
        };
        made().inspect_err(|_| {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir(self.path());
        })
    }

    fn own_words(&self) -> String {
        format!("{OPENING}{}\n", self.id)
    }

    fn marker(&self) -> Vec<u8> {
        let repository = self.site.common.as_os_str().as_encoded_bytes();
        [self.own_words().as_bytes(), repository, b"\n"].concat()
    }

    /// The marker, if it is the one of this folder and repository; `None`: it is that of another repository.
    ///
    /// # Errors
    /// In words: there is none of ours.
    pub(super) fn marker_in(&self, held: &Held) -> Result<Option<File>, String> {
        let none = || format!("it holds no `{MARKER}` of perfgate");
        let (file, bytes) = held.read(MARKER).map_err(|_| none())?;
        if bytes == self.marker() {
            return Ok(Some(file));
        }
        if bytes.starts_with(self.own_words().as_bytes()) {
            return Ok(None);
        }
        Err(none())
    }

    /// Deletes the folder.
    ///
    /// # Errors
    /// In words: a part of it cannot be deleted.
    pub(super) fn delete(&self, held: Held) -> Result<(), String> {
        held.delete(Some(MARKER), &self.site.protected)
    }

    /// Takes the work tree, and no other, out of what the repository knows.
    pub(super) fn forget(&self) -> Result<(), GitError> {
        self.site.forget(&self.id)
    }

    /// Refuses to bisect where that would run a hook: `git bisect` deletes and writes its refs before it has read
    /// `core.hooksPath` (seen with 2.47).
    pub(super) fn refuse_hook_of_bisect(&self) -> Result<(), GitError> {
        let path = self.site.common.join("hooks/reference-transaction");
        if path.exists() {
            return Err(GitError::Hook { path });
        }
        Ok(())
    }

    /// The `git` program in the work tree.
    ///
    /// # Errors
    /// What git has put there is gone or another: it would look for a repository elsewhere.
    pub(super) fn git(&self) -> Result<Git, GitError> {
        let link = self.tree().join(".git");
        let own = format!("gitdir: {}", self.site.entry(&self.id).display());
        if fs::read_to_string(&link).unwrap_or_default().trim_end() != own {
            return Err(GitError::Failed {
                what: "work in the checkout",
                message: format!("`{}` is not what git has put there", link.display()),
            });
        }
        Ok(Git::below(self.tree(), self.path()))
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_SIGNS && text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'))
}

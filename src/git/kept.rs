//! Files at a ref that has a history of its own, beside that of the code: written as objects and swapped by compare and swap, here
//! or at a remote. No work tree and no index of git is touched.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use git2::{Commit, ObjectType, Oid, Repository as Inner, Signature};

use super::{
    GitError, Repository, failed,
    program::{Call, Git},
};

/// What a remote said is believed for so long, unless a swap was refused since.
const BELIEVED: Duration = Duration::from_secs(10);

/// How often, and how far apart, it is looked at what became of a swap that failed: who was faster may still hold the lock.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);

/// How the keys of a remote are found, which calls of `git` do not inherit otherwise.
const OF_REMOTES: [&str; 3] = ["GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS"];

const FILE: i32 = 0o100_644;
const FOLDER: i32 = 0o040_000;

/// A ref and where it is.
pub struct KeptRef {
    root: PathBuf,
    name: String,
    remote: Option<String>,
    seen: Mutex<Option<(Instant, Option<String>)>>,
}

/// What takes the place of a state that was read.
#[derive(Clone, Copy)]
pub struct Swap<'a> {
    /// The title of its commit.
    pub title: &'a str,
    /// Files by their path, at most one folder deep; they replace those of the same path.
    pub files: &'a [(&'a str, &'a [u8])],
    /// Which of the other files stay.
    pub stays: &'a dyn Fn(&str) -> bool,
    /// Whether the past is left behind.
    pub is_alone: bool,
}

impl fmt::Debug for KeptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRef")
            .field("name", &self.name)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

impl KeptRef {
    /// The ref of the repository that a path lies in, which may not be there yet; of one of its remotes, where one is named.
    ///
    /// # Errors
    /// There is no repository, or it knows no such remote.
    pub fn of(here: &Path, name: &str, remote: Option<&str>) -> Result<Self, GitError> {
        let root = Repository::open(here)?.root().to_owned();
        if let Some(remote) = remote {
            refuse_unknown(&root, remote)?;
        }
        Ok(Self {
            root,
            name: name.to_owned(),
            remote: remote.map(str::to_owned),
            seen: Mutex::new(None),
        })
    }

    /// The commit that it points at, fetched where it is a remote's; `None` where there is none.
    ///
    /// # Errors
    /// git fails, or the remote is not reached.
    pub fn tip(&self) -> Result<Option<String>, GitError> {
        let Some(remote) = &self.remote else {
            return self.local(&self.name);
        };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, tip)) = seen.filter(|(when, _)| when.elapsed() < BELIEVED) {
            return Ok(tip);
        }
        let tip = self.fetched(remote)?;
        self.believe(tip.as_deref());
        Ok(tip)
    }

    /// How many commits lie behind a commit.
    ///
    /// # Errors
    /// git fails.
    pub fn past(&self, tip: &str) -> Result<usize, GitError> {
        let repository = Repository::open(&self.root)?;
        let failed = failed("walk the history");
        let mut walk = repository.inner.revwalk().map_err(&failed)?;
        walk.push(repository.oid(tip)?).map_err(&failed)?;
        Ok(walk.count().saturating_sub(1))
    }

    /// Files of a commit of it, in this order.
    ///
    /// # Errors
    /// git fails, or something else than a file stands there.
    pub fn read(&self, tip: &str, paths: &[&str]) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let repository = Repository::open(&self.root)?;
        paths.iter().map(|path| repository.file(tip, path)).collect()
    }

    /// Lets it point at a new commit if it still points at `was`; `false` where it does not.
    ///
    /// # Errors
    /// git fails, or the remote refuses for another reason.
    pub fn swap(&self, was: Option<&str>, swap: Swap<'_>) -> Result<bool, GitError> {
        let repository = Repository::open(&self.root)?;
        let new = commit(&repository.inner, was, swap)?.to_string();
        let moved = if let Some(remote) = &self.remote {
            self.push(remote, was, &new)
        } else {
            let old = was.map_or_else(|| "0".repeat(40), str::to_owned);
            self.git(&["update-ref", &self.name, &new, &old])
        };
        let Err(error) = moved else {
            self.believe(Some(&new));
            return self.track(&repository.inner, &new).map(|()| true);
        };
        for look in 0..LOOKS {
            if look > 0 {
                thread::sleep(BETWEEN_LOOKS);
            }
            self.forget();
            let now = self.tip()?;
            if now.as_deref() == Some(&new) {
                return Ok(true);
            }
            if now.as_deref() != was {
                return Ok(false);
            }
        }
        Err(error)
    }

    fn believe(&self, tip: Option<&str>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some((Instant::now(), tip.map(str::to_owned)));
    }

    fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn local(&self, name: &str) -> Result<Option<String>, GitError> {
        let repository = Repository::open(&self.root)?;
        match repository.inner.find_reference(name) {
            Ok(found) => {
                let commit = found.peel_to_commit().map_err(failed("read a ref"))?;
                Ok(Some(commit.id().to_string()))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed("read a ref")(error)),
        }
    }

    /// Where a remote's ref is remembered: no branch of anybody's.
    fn tracking(&self) -> Option<String> {
        let remote = self.remote.as_ref()?;
        Some(format!(
            "refs/perfgate-of/{remote}/{}",
            self.name.strip_prefix("refs/")?
        ))
    }

    fn track(&self, repository: &Inner, tip: &str) -> Result<(), GitError> {
        let Some(tracking) = self.tracking() else { return Ok(()) };
        let failed = failed("remember a remote's ref");
        let oid = Oid::from_str(tip).map_err(&failed)?;
        repository
            .reference(&tracking, oid, true, "perfgate")
            .map(drop)
            .map_err(&failed)
    }

    fn fetched(&self, remote: &str) -> Result<Option<String>, GitError> {
        let listed = self.git_says(&["ls-remote", "--refs", remote, &self.name])?;
        let mut own = listed.lines().filter_map(|line| line.split_once('\t'));
        let Some((there, _)) = own.find(|(_, name)| *name == self.name) else {
            return Ok(None);
        };
        let Some(tracking) = self.tracking() else {
            return Ok(None);
        };
        if self.local(&tracking)?.as_deref() == Some(there) {
            return Ok(Some(there.to_owned()));
        }
        let both = format!("+{}:{tracking}", self.name);
        self.git(&["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, &both])?;
        self.local(&tracking)
    }

    /// A lease says what the remote's ref must still be; an empty one, that there must be none.
    fn push(&self, remote: &str, was: Option<&str>, new: &str) -> Result<(), GitError> {
        let lease = format!("--force-with-lease={}:{}", self.name, was.unwrap_or_default());
        let both = format!("{new}:{}", self.name);
        self.git(&["push", "--quiet", "--no-verify", &lease, remote, &both])
    }

    fn git(&self, args: &[&str]) -> Result<(), GitError> {
        self.git_says(args).map(drop)
    }

    fn git_says(&self, args: &[&str]) -> Result<String, GitError> {
        let inherited: Vec<(&str, OsString)> = OF_REMOTES
            .into_iter()
            .filter_map(|name| Some((name, env::var_os(name)?)))
            .collect();
        let env: Vec<_> = inherited
            .iter()
            .map(|(name, value)| (*name, value.as_os_str()))
            .collect();
        Git::at(&self.root).call(&Call {
            env: &env,
            ..Call::of(args)
        })
    }
}

/// git takes a name that its settings give no address for a folder of the work tree, which may be anybody's.
fn refuse_unknown(root: &Path, remote: &str) -> Result<(), GitError> {
    let key = format!("remote.{remote}.url");
    match Git::at(root).call(&Call::of(&["config", "--get", &key])) {
        Ok(address) if !address.is_empty() => Ok(()),
        Ok(_) | Err(GitError::Program { code: Some(1), .. }) => Err(GitError::NoRemote {
            name: remote.to_owned(),
        }),
        Err(error) => Err(error),
    }
}

fn commit(repository: &Inner, was: Option<&str>, swap: Swap<'_>) -> Result<Oid, GitError> {
    let failed = failed("write a commit");
    let old = match was {
        Some(was) => Some(
            Oid::from_str(was)
                .and_then(|oid| repository.find_commit(oid))
                .map_err(&failed)?,
        ),
        None => None,
    };
    let tree = tree(repository, old.as_ref(), swap).map_err(&failed)?;
    let tree = repository.find_tree(tree).map_err(&failed)?;
    let who = repository
        .signature()
        .or_else(|_| Signature::now("perfgate", "perfgate@localhost"))
        .map_err(&failed)?;
    let parents: Vec<&Commit<'_>> = old.iter().filter(|_| !swap.is_alone).collect();
    repository
        .commit(None, &who, &who, swap.title, &tree, &parents)
        .map_err(&failed)
}

/// By folder (none: the top) and name.
type Blobs = BTreeMap<String, BTreeMap<String, Oid>>;

fn tree(repository: &Inner, old: Option<&Commit<'_>>, swap: Swap<'_>) -> Result<Oid, git2::Error> {
    let mut blobs = match old {
        Some(old) => old_blobs(repository, old, swap.stays)?,
        None => Blobs::new(),
    };
    for (path, bytes) in swap.files {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let blob = repository.blob(bytes)?;
        blobs
            .entry(folder.to_owned())
            .or_default()
            .insert(name.to_owned(), blob);
    }
    let mut top = repository.treebuilder(None)?;
    for (folder, files) in blobs {
        let mut own = repository.treebuilder(None)?;
        let into = if folder.is_empty() { &mut top } else { &mut own };
        for (name, blob) in files {
            into.insert(name, blob, FILE)?;
        }
        if !folder.is_empty() && !own.is_empty() {
            let tree = own.write()?;
            top.insert(folder, tree, FOLDER)?;
        }
    }
    top.write()
}

fn old_blobs(repository: &Inner, old: &Commit<'_>, stays: &dyn Fn(&str) -> bool) -> Result<Blobs, git2::Error> {
    let mut blobs = Blobs::new();
    for entry in &old.tree()? {
        let Ok(folder) = entry.name() else { continue };
        match entry.kind() {
            Some(ObjectType::Blob) if stays(folder) => {
                blobs
                    .entry(String::new())
                    .or_default()
                    .insert(folder.to_owned(), entry.id());
            }
            Some(ObjectType::Tree) => {
                for inner in &repository.find_tree(entry.id())? {
                    let Ok(name) = inner.name() else { continue };
                    if inner.kind() == Some(ObjectType::Blob) && stays(&format!("{folder}/{name}")) {
                        blobs
                            .entry(folder.to_owned())
                            .or_default()
                            .insert(name.to_owned(), inner.id());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(blobs)
}

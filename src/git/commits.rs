//! The commits between a good and a bad one, as a search over them needs them.

use std::{collections::HashMap, fs, path::Path};

use git2::{Oid, Sort, Tree};

use super::{GitError, Repository, checked_path, failed};

/// Which commits of a range are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// Only the first parents of merges: one commit for each merged branch.
    pub first_parent: bool,
    /// Files and folders that a commit must touch to count, as they are, without patterns; empty: all of them count.
    pub paths: Vec<String>,
}

/// A commit of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// 40 hex digits.
    pub id: String,
    /// Places of its parents in the range, rising; those before the range are not among them.
    pub parents: Vec<usize>,
    /// Its parents as they stand in it, 40 hex digits each; the first alone where only first parents are wanted.
    pub parent_ids: Vec<String>,
    /// First line of its message.
    pub subject: String,
    /// Its author's name.
    pub author: String,
    /// When it was committed, seconds since 1970 UTC.
    pub time_unix_s: i64,
    /// Whether it changes one of the wanted paths; a merge does where it differs from each of its parents in one, or from the
    /// first where only first parents are wanted. Always true without wanted paths.
    pub touches: bool,
}

impl Repository {
    /// The commits that `bad` comes from and `good` does not, oldest first, parents before children; `bad` is the last.
    ///
    /// # Errors
    /// `good` does not come before `bad`, or a part of the history between them is not in this clone.
    pub fn commits_between(&self, good: &str, bad: &str, only: &Between) -> Result<Vec<Commit>, GitError> {
        let cuts = self.cuts()?;
        let (old, new) = (self.end_of_range(good, &cuts)?, self.end_of_range(bad, &cuts)?);
        self.check_range((good, old), (bad, new), &cuts)?;
        let mut ids = self.range(old, new)?;
        // Behind a cut there may be more of the range.
        if ids.iter().any(|id| cuts.contains(id)) {
            return Err(GitError::Shallow {
                what: format!("commits between `{good}` and `{bad}`"),
            });
        }
        if only.first_parent {
            ids = self.first_parents(new, &ids)?;
        }
        let paths: Vec<Vec<&str>> = only
            .paths
            .iter()
            .map(|path| checked_path(path))
            .collect::<Result<_, _>>()?;
        let places: HashMap<Oid, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let of = |id: &Oid| self.commit_of_range(*id, &places, &paths, only.first_parent);
        ids.iter().map(of).collect()
    }

    /// Commits whose parents this clone does not have, although they have some.
    fn cuts(&self) -> Result<Vec<Oid>, GitError> {
        if !self.is_shallow() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(self.inner.commondir().join("shallow")).map_err(|error| GitError::Failed {
            what: "read where the history ends",
            message: error.to_string(),
        })?;
        Ok(text
            .lines()
            .filter_map(|line| Oid::from_str(line.trim()).ok())
            .collect())
    }

    /// Whether the parents of a commit are missing in this clone.
    pub(super) fn is_cut(&self, commit: &git2::Commit<'_>) -> Result<bool, GitError> {
        Ok(self.cuts()?.contains(&commit.id()))
    }

    fn end_of_range(&self, name: &str, cuts: &[Oid]) -> Result<Oid, GitError> {
        self.oid(name).map_err(|error| match error {
            GitError::Unknown { name } if !cuts.is_empty() => GitError::Shallow {
                what: format!("`{name}`"),
            },
            error => error,
        })
    }

    fn check_range(&self, (good, old): (&str, Oid), (bad, new): (&str, Oid), cuts: &[Oid]) -> Result<(), GitError> {
        let comes_after = |new, old| {
            self.inner
                .graph_descendant_of(new, old)
                .map_err(failed("compare commits"))
        };
        let (good, bad) = (good.to_owned(), bad.to_owned());
        if old == new {
            return Err(GitError::SameCommit { good, bad });
        }
        if comes_after(new, old)? {
            return Ok(());
        }
        if comes_after(old, new)? {
            return Err(GitError::Swapped { good, bad });
        }
        if !cuts.is_empty() {
            return Err(GitError::Shallow {
                what: format!("what leads from `{good}` to `{bad}`"),
            });
        }
        let base = self.merge_base(&old.to_string(), &new.to_string())?;
        Err(GitError::NotAncestor { good, bad, base })
    }

    fn range(&self, old: Oid, new: Oid) -> Result<Vec<Oid>, GitError> {
        let walked = failed("walk the commits");
        let mut walk = self.inner.revwalk().map_err(&walked)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME | Sort::REVERSE)
            .map_err(&walked)?;
        walk.push(new).map_err(&walked)?;
        walk.hide(old).map_err(&walked)?;
        walk.collect::<Result<_, _>>().map_err(&walked)
    }

    /// The line of first parents that ends in a commit, as far as it lies in the range.
    fn first_parents(&self, last: Oid, range: &[Oid]) -> Result<Vec<Oid>, GitError> {
        let range: std::collections::HashSet<&Oid> = range.iter().collect();
        let mut line = Vec::new();
        let mut next = Some(last);
        while let Some(id) = next.filter(|id| range.contains(id)) {
            line.push(id);
            let commit = self.inner.find_commit(id).map_err(failed("read a commit"))?;
            next = commit.parent_ids().next();
        }
        line.reverse();
        Ok(line)
    }

    fn commit_of_range(
        &self,
        id: Oid,
        places: &HashMap<Oid, usize>,
        paths: &[Vec<&str>],
        first_parent: bool,
    ) -> Result<Commit, GitError> {
        let commit = self.inner.find_commit(id).map_err(failed("read a commit"))?;
        let most_parents = if first_parent { 1 } else { usize::MAX };
        let ids: Vec<Oid> = commit.parent_ids().take(most_parents).collect();
        let mut parents: Vec<usize> = ids.iter().filter_map(|parent| places.get(parent).copied()).collect();
        parents.sort_unstable();
        let touches = paths.is_empty() || touches(&commit, paths, most_parents).map_err(failed("read a commit"))?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        Ok(Commit {
            id: id.to_string(),
            parents,
            parent_ids: ids.iter().map(Oid::to_string).collect(),
            subject: message
                .trim_start()
                .lines()
                .next()
                .unwrap_or_default()
                .trim_end()
                .to_owned(),
            author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
            time_unix_s: commit.committer().when().seconds(),
            touches,
        })
    }
}

fn touches(commit: &git2::Commit<'_>, paths: &[Vec<&str>], most_parents: usize) -> Result<bool, git2::Error> {
    let new = commit.tree()?;
    if commit.parent_count() == 0 {
        return Ok(paths.iter().any(|path| entry(&new, path).is_some()));
    }
    for parent in commit.parents().take(most_parents) {
        let old = parent.tree()?;
        if paths.iter().all(|path| entry(&old, path) == entry(&new, path)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What stands at a path, by its name and mode.
fn entry(tree: &Tree<'_>, path: &[&str]) -> Option<(Oid, i32)> {
    if path.is_empty() {
        return Some((tree.id(), 0));
    }
    let entry = tree.get_path(Path::new(&path.join("/"))).ok()?;
    Some((entry.id(), entry.filemode()))
}

//! What a commit says and changes, for a report that names it.

use git2::{DiffFindOptions, DiffOptions, Patch};

use super::{GitError, Repository, failed};

/// Longer messages are cut.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Further files are only counted.
const MAX_FILES: usize = 200;

/// Larger files are told as binary ones are: their lines are not counted.
const MAX_FILE_BYTES: i64 = 4 << 20;

/// Renames are looked for among so many files.
const RENAME_LIMIT: usize = 200;

/// How a commit changes one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path; after the change, where it was renamed.
    pub path: String,
    /// Lines that are new; `None` of a binary or very large file.
    pub added: Option<usize>,
    /// Lines that are gone; `None` of a binary or very large file.
    pub removed: Option<usize>,
}

/// Which files a commit changes, against its first parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffStat {
    /// By path, 200 at most.
    pub files: Vec<FileChange>,
    /// How many more there are.
    pub more_files: usize,
}

impl Repository {
    /// The whole message of a commit, of its first 64 KiB.
    ///
    /// # Errors
    /// The commit is not in this clone.
    pub fn message(&self, commit: &str) -> Result<String, GitError> {
        let found = self.commit(commit)?;
        let bytes = found.message_bytes();
        let head = bytes.get(..MAX_MESSAGE_BYTES.min(bytes.len())).unwrap_or_default();
        Ok(String::from_utf8_lossy(head).trim().to_owned())
    }

    /// The files that a commit changes, against its first parent.
    ///
    /// # Errors
    /// The commit is not in this clone, or its parent is not.
    pub fn diffstat(&self, commit: &str) -> Result<DiffStat, GitError> {
        let found = self.commit(commit)?;
        if self.is_cut(&found)? {
            return Err(GitError::Shallow {
                what: format!("the parent of `{commit}`"),
            });
        }
        self.stat(&found).map_err(failed("compare a commit with its parent"))
    }

    fn stat(&self, commit: &git2::Commit<'_>) -> Result<DiffStat, git2::Error> {
        let old = match commit.parent_count() {
            0 => None,
            _ => Some(commit.parent(0)?.tree()?),
        };
        let mut options = DiffOptions::new();
        options.context_lines(0).max_size(MAX_FILE_BYTES);
        let mut diff = self
            .inner
            .diff_tree_to_tree(old.as_ref(), Some(&commit.tree()?), Some(&mut options))?;
        diff.find_similar(Some(DiffFindOptions::new().renames(true).rename_limit(RENAME_LIMIT)))?;
        let count = diff.deltas().len();
        let mut stat = DiffStat {
            files: Vec::new(),
            more_files: count.saturating_sub(MAX_FILES),
        };
        for place in 0..count.min(MAX_FILES) {
            let patch = Patch::from_diff(&diff, place)?;
            let lines = match &patch {
                Some(patch) if !patch.delta().flags().is_binary() => Some(patch.line_stats()?),
                _ => None,
            };
            let name = diff.get_delta(place).and_then(|delta| {
                let file = delta.new_file().path_bytes().or(delta.old_file().path_bytes());
                file.map(|path| String::from_utf8_lossy(path).into_owned())
            });
            stat.files.push(FileChange {
                path: name.unwrap_or_default(),
                added: lines.map(|(_, added, _)| added),
                removed: lines.map(|(_, _, removed)| removed),
            });
        }
        Ok(stat)
    }
}

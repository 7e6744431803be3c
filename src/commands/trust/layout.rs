//! Which path of the working directory is which path of the repository.

use std::path::{Component, Path, PathBuf};

/// Where the repository lies, and where commands are run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Folder of the work tree, absolute; empty where there is no clone.
    pub(super) root: PathBuf,
    /// Working directory, absolute; empty where there is no clone.
    pub(super) here: PathBuf,
}

impl Layout {
    /// No clone: paths are those of the repository.
    pub(super) fn without_clone() -> Self {
        Self {
            root: PathBuf::new(),
            here: PathBuf::new(),
        }
    }

    /// A path relative to the repository, with `/`; `None` where it lies outside.
    ///
    /// A path counts as inside by its letters or by where its links lead: neither way may a pull request's own file pass
    /// for one from elsewhere.
    pub(super) fn inside(&self, path: &Path) -> Option<String> {
        let whole = self.here.join(path);
        let by_letters = plain(&whole).and_then(|whole| self.below(&whole));
        by_letters.or_else(|| {
            let real = whole.canonicalize().ok()?;
            let root = self
                .root
                .canonicalize()
                .ok()
                .filter(|_| !self.root.as_os_str().is_empty())?;
            slashed(real.strip_prefix(root).ok()?)
        })
    }

    fn below(&self, whole: &Path) -> Option<String> {
        if whole.is_absolute() && self.root.as_os_str().is_empty() {
            return None;
        }
        slashed(whole.strip_prefix(plain(&self.root)?).ok()?)
    }
}

/// A path without `.` and `..`, by its letters alone; `None` where it leads above its beginning.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !matches!(parts.components().next_back(), Some(Component::Normal(_))) {
                    return None;
                }
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    Some(parts)
}

fn slashed(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_root_of_the_repository() {
        let layout = Layout {
            root: "/repo/".into(),
            here: "/repo/sub".into(),
        };
        for (path, expected) in [
            ("perfgate.yaml", Some("sub/perfgate.yaml")),
            ("../perfgate.yaml", Some("perfgate.yaml")),
            ("./a/../b", Some("sub/b")),
            ("/repo/x/y", Some("x/y")),
            ("/repo", Some("")),
            ("../../other", None),
            ("/srv/baselines", None),
            ("/repository", None),
        ] {
            assert_eq!(layout.inside(Path::new(path)).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn without_a_clone_only_relative_paths_are_inside() {
        let layout = Layout::without_clone();
        assert_eq!(layout.inside(Path::new("perf/a.yaml")).as_deref(), Some("perf/a.yaml"));
        assert_eq!(layout.inside(Path::new("perf/../a.yaml")).as_deref(), Some("a.yaml"));
        assert_eq!(layout.inside(Path::new("../a.yaml")), None);
        assert_eq!(layout.inside(Path::new("/etc/a.yaml")), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_from_outside_into_the_repository_is_inside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        std::fs::create_dir_all(root.join("own")).unwrap();
        std::os::unix::fs::symlink(root.join("own"), folder.path().join("outside")).unwrap();
        let layout = Layout {
            here: root.clone(),
            root,
        };
        let path = folder.path().join("outside");
        assert_eq!(layout.inside(&path).as_deref(), Some("own"));
    }
}

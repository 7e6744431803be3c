//! Deletes a folder of ours: opened by descriptor, so that no name can lead elsewhere meanwhile, without following symbolic
//! links, and never one that holds what is not ours.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A marker holds a few lines.
const MOST_BYTES: u64 = 64 << 10;

/// Folders that are never deleted, nor anything in them: `/`, the home, the repository, and all that they lie in.
pub(super) struct Protected(HashSet<Identity>);

/// Which folder it is, whatever it is called.
pub(super) use system::Identity;

impl Protected {
    /// The home and what the repository consists of.
    pub(super) fn of<'a>(repository: impl IntoIterator<Item = &'a Path>) -> Self {
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let folders = repository.into_iter().map(Path::to_owned).chain(home);
        let all = folders.flat_map(|folder| {
            let real = folder.canonicalize().unwrap_or(folder);
            real.ancestors().map(Path::to_owned).collect::<Vec<_>>()
        });
        Self(all.filter_map(|folder| system::identity(&folder).ok()).collect())
    }
}

/// A folder that is open, whatever becomes of its name.
pub(super) struct Held {
    path: PathBuf,
    inner: system::Folder,
}

impl Held {
    /// Opens a folder in another one.
    ///
    /// # Errors
    /// In words: it is a symbolic link, no folder, or cannot be opened.
    pub(super) fn open(parent: &Path, name: &str) -> Result<Self, String> {
        let path = parent.join(name);
        let inner = system::Folder::open(parent, name).map_err(|error| match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => "a symbolic link stands in its place".into(),
            Ok(found) if !found.is_dir() => "it is no folder".into(),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => "it is not there any more".into(),
            _ => error.to_string(),
        })?;
        Ok(Self { path, inner })
    }

    pub(super) fn identity(&self) -> io::Result<Identity> {
        self.inner.identity()
    }

    /// Opens a file in it and reads it.
    ///
    /// # Errors
    /// There is none, or it is no regular file.
    pub(super) fn read(&self, name: &str) -> io::Result<(File, Vec<u8>)> {
        let file = self.inner.file(name)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Vec::new();
        (&file).take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok((file, bytes))
    }

    /// Deletes it with all that it holds, a file of this name last.
    ///
    /// # Errors
    /// In words: something in it cannot be deleted, or must not be.
    pub(super) fn delete(self, last: Option<&str>, protected: &Protected) -> Result<(), String> {
        self.inner.delete(&self.path, last, protected)
    }
}

#[cfg(unix)]
mod system {
    use std::{
        ffi::{CStr, CString},
        fs::{self, File},
        io,
        os::unix::fs::{MetadataExt, PermissionsExt},
        path::Path,
    };

    use nix::{
        NixPath,
        dir::Dir,
        errno::Errno,
        fcntl::{OFlag, openat},
        sys::stat::{FchmodatFlags, Mode, fchmodat},
        unistd::{UnlinkatFlags, unlinkat},
    };

    use super::Protected;

    /// File system, and number in it.
    pub(in crate::git) type Identity = (u64, u64);

    /// Programs that still run may put files into a folder while it is emptied.
    const ATTEMPTS: usize = 3;

    /// What its owner needs of a folder to empty it.
    const OWNER: u32 = 0o700;

    pub(super) fn identity(folder: &Path) -> io::Result<Identity> {
        let found = fs::metadata(folder)?;
        Ok((found.dev(), found.ino()))
    }

    pub(super) struct Folder {
        parent: File,
        name: String,
        own: File,
    }

    impl Folder {
        pub(super) fn open(parent: &Path, name: &str) -> io::Result<Self> {
            let parent = File::open(parent)?;
            let own = folder_in(&parent, name)?;
            Ok(Self {
                parent,
                name: name.to_owned(),
                own,
            })
        }

        pub(super) fn identity(&self) -> io::Result<Identity> {
            let found = self.own.metadata()?;
            Ok((found.dev(), found.ino()))
        }

        pub(super) fn file(&self, name: &str) -> io::Result<File> {
            // Nothing that waits, such as a pipe.
            let how = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
            Ok(openat(&self.own, name, how, Mode::empty())?.into())
        }

        pub(super) fn delete(self, path: &Path, last: Option<&str>, protected: &Protected) -> Result<(), String> {
            let last = last.map(CString::new).transpose().map_err(|error| error.to_string())?;
            let emptying = Emptying {
                file_system: self.identity().map_err(|error| error.to_string())?.0,
                protected,
            };
            let mut attempts = 1..=ATTEMPTS;
            loop {
                emptying.empty(&self.own, path, last.as_deref())?;
                if let Some(last) = &last {
                    removed(path, unlinkat(&self.own, last.as_c_str(), UnlinkatFlags::NoRemoveDir))?;
                }
                attempts.next();
                match unlinkat(&self.parent, self.name.as_str(), UnlinkatFlags::RemoveDir) {
                    Err(Errno::ENOTEMPTY) if !attempts.is_empty() => {}
                    Err(Errno::ENOTDIR) => return Err("a symbolic link stands in its place by now".into()),
                    done => return removed(path, done),
                }
            }
        }
    }

    fn folder_in<P: ?Sized + NixPath>(parent: &File, name: &P) -> nix::Result<File> {
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(parent, name, how, Mode::empty()).map(File::from)
    }

    /// What was gone already is gone.
    fn removed(path: &Path, done: nix::Result<()>) -> Result<(), String> {
        match done {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(format!("`{}` cannot be deleted: {}", path.display(), error.desc())),
        }
    }

    /// What holds for the whole tree.
    struct Emptying<'a> {
        file_system: u64,
        protected: &'a Protected,
    }

    impl Emptying<'_> {
        fn empty(&self, folder: &File, path: &Path, keep: Option<&CStr>) -> Result<(), String> {
            let told = |error: io::Error| format!("`{}` cannot be read: {error}", path.display());
            let found = folder.metadata().map_err(told)?;
            if self.protected.0.contains(&(found.dev(), found.ino())) {
                return Err(format!("`{}` is never deleted", path.display()));
            }
            if found.dev() != self.file_system {
                return Err(format!("`{}` lies on another file system", path.display()));
            }
            if found.mode() & OWNER != OWNER {
                let writable = fs::Permissions::from_mode(found.mode() | OWNER);
                folder.set_permissions(writable).map_err(told)?;
            }
            let names = names(folder).map_err(|error| told(error.into()))?;
            let mut names = names.iter().filter(|name| keep != Some(name.as_c_str()));
            names.try_for_each(|name| self.remove(folder, name, &path.join(name.to_string_lossy().as_ref())))
        }

        fn remove(&self, folder: &File, name: &CStr, path: &Path) -> Result<(), String> {
            let opened = match folder_in(folder, name) {
                // A folder of ours that even we may not read.
                Err(Errno::EACCES) => {
                    let _ = fchmodat(folder, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink);
                    folder_in(folder, name)
                }
                opened => opened,
            };
            match opened {
                Ok(inner) => {
                    self.empty(&inner, path, None)?;
                    removed(path, unlinkat(folder, name, UnlinkatFlags::RemoveDir))
                }
                // A file, or a link, whose aim is not looked at.
                Err(_) => removed(path, unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)),
            }
        }
    }

    fn names(folder: &File) -> nix::Result<Vec<CString>> {
        // A place of its own to read from, whatever was read before.
        let mut dir = Dir::from_fd(folder_in(folder, c".")?.into())?;
        let names = dir.iter().map(|entry| entry.map(|entry| entry.file_name().to_owned()));
        let is_inner = |name: &CString| !matches!(name.as_bytes(), b"." | b"..");
        names.filter(|name| name.as_ref().map_or(true, is_inner)).collect()
    }
}

#[cfg(not(unix))]
mod system {
    use std::{
        fs::{self, File, OpenOptions},
        io,
        path::{Path, PathBuf},
    };

    use super::Protected;

    pub(in crate::git) type Identity = PathBuf;

    pub(super) fn identity(folder: &Path) -> io::Result<Identity> {
        folder.canonicalize()
    }

    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn open(parent: &Path, name: &str) -> io::Result<Self> {
            let path = parent.join(name);
            if path.symlink_metadata()?.is_dir() {
                return Ok(Self(path));
            }
            Err(io::Error::other("it is no folder"))
        }

        pub(super) fn identity(&self) -> io::Result<Identity> {
            identity(&self.0)
        }

        pub(super) fn file(&self, name: &str) -> io::Result<File> {
            OpenOptions::new().read(true).write(true).open(self.0.join(name))
        }

        /// The standard library follows no links either, but opens by name.
        pub(super) fn delete(self, path: &Path, _last: Option<&str>, protected: &Protected) -> Result<(), String> {
            match self.identity() {
                Ok(own) if !protected.0.contains(&own) => {}
                _ => return Err(format!("`{}` is what is never deleted", path.display())),
            }
            fs::remove_dir_all(&self.0).map_err(|error| error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn t17_what_a_repository_and_the_home_lie_in_is_never_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("work/repository");
        fs::create_dir_all(repository.join(".git")).unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        let protected = Protected::of([repository.as_path()]);
        let delete = |parent: &Path, name: &str| Held::open(parent, name).unwrap().delete(None, &protected);
        for (parent, name) in [(folder.path(), "work"), (&folder.path().join("work"), "repository")] {
            let error = delete(parent, name).unwrap_err();
            assert!(error.contains("is never deleted"), "{error}");
        }
        // Only asked: a test that tried would be the worst of its kind if it failed.
        for folder in [std::env::home_dir().unwrap().as_path(), Path::new("/")] {
            assert!(
                protected.0.contains(&system::identity(folder).unwrap()),
                "{}",
                folder.display()
            );
        }
        assert!(repository.join(".git").exists());
        delete(folder.path(), "other").unwrap();
        assert!(!folder.path().join("other").exists());
    }
}

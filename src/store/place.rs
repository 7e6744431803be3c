//! The one trait behind every store of baselines: a file for each plan and environment, read whole and changed whole.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use super::{
    StoreError,
    baseline::{self, Whole},
    baseline_file::BaselineHeader,
    info::BaselineInfo,
    noise_file::{self, NoiseFile},
};

/// From what is stored to what is to be stored; `None` given: there is no such file, `None` returned: it stays as it is.
///
/// It may be called again, where somebody else was faster.
pub(super) type Change<'a> = &'a mut dyn FnMut(Option<Whole>) -> Result<Option<Whole>, StoreError>;

/// The same of the noise of pairs.
pub(super) type NoiseChange<'a> = &'a mut dyn FnMut(Option<NoiseFile>) -> Result<NoiseFile, StoreError>;

/// A last look before something is taken away, while nobody else can change it.
pub(super) type Look<'a> = &'a dyn Fn() -> Result<(), StoreError>;

/// Every baseline by its path, with what was read of it.
pub(super) type Each<T> = Vec<(PathBuf, Result<T, StoreError>)>;

/// What tidying up took away, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that nothing refers to.
    pub objects: usize,
    /// Their size, where it is known; 0 where not.
    pub bytes: u64,
}

/// Where baselines are kept.
///
/// A change is a compare and swap: of two writers at the same time the second sees what the first one wrote.
pub(super) trait Place: fmt::Debug + Send + Sync {
    /// Paths of the files that may be baselines or noise, unsorted; none where there is no store yet.
    fn files(&self) -> Result<Vec<PathBuf>, StoreError>;

    /// A whole file, as a baseline stands in a folder.
    fn read(&self, path: &Path) -> Result<Cow<'_, [u8]>, StoreError>;

    /// Whether a path names a file that can be read here.
    fn has_file(&self, path: &Path) -> bool;

    /// Whether this file is kept here.
    fn holds(&self, path: &Path) -> Result<bool, StoreError> {
        Ok(self.files()?.iter().any(|own| own == path))
    }

    /// Whether nothing can be written.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Changes a baseline; what is written gets its seal here.
    fn change(&self, path: &Path, change: Change<'_>) -> Result<(), StoreError>;

    /// Changes the noise of pairs.
    fn change_noise(&self, path: &Path, change: NoiseChange<'_>) -> Result<(), StoreError>;

    /// Takes a baseline away.
    fn remove(&self, path: &Path, look: Look<'_>) -> Result<(), StoreError>;

    /// What all baselines say of themselves, by path.
    fn headers(&self) -> Result<Each<BaselineHeader>, StoreError> {
        let files = baselines_of(self.files()?).into_iter();
        Ok(files
            .map(|file| {
                let header = self.read(&file).and_then(|bytes| baseline::read_header(&file, &bytes));
                (file, header)
            })
            .collect())
    }

    /// What a list shows of all baselines, by path.
    fn infos(&self) -> Result<Each<BaselineInfo>, StoreError> {
        let files = baselines_of(self.files()?).into_iter();
        Ok(files
            .map(|file| {
                let info = self.read(&file).and_then(|bytes| BaselineInfo::read(&file, &bytes));
                (file, info)
            })
            .collect())
    }

    /// Takes away what nothing refers to any more, or counts it.
    fn sweep(&self, _is_dry: bool) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }
}

/// The `*.json` files, by name, without those of noise; hidden ones are files in the making.
pub(super) fn baselines_of(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|path| is_stored(path) && !is_noise(path));
    files.sort();
    files
}

/// The files of noise, by name.
pub(super) fn noise_of(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|path| is_stored(path) && is_noise(path));
    files.sort();
    files
}

pub(super) fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_stored(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && !name_of(path).starts_with('.')
}

fn is_noise(path: &Path) -> bool {
    name_of(path).starts_with(noise_file::PREFIX)
}

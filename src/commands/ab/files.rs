//! The two session files of an A/B measurement: the candidate's, and the baseline's beside it.

use std::path::{Path, PathBuf};

use crate::{
    commands::{CommandError, Console, guard::Guard, run},
    session::Session,
    store,
};

/// Both files, baseline first.
pub(super) struct Files {
    paths: [PathBuf; 2],
    keepers: [run::Keeper; 2],
}

impl Files {
    /// The file of the candidate as named, and `NAME.baseline.json` beside it; both can be written.
    ///
    /// # Errors
    /// When one of them cannot.
    pub(super) fn claim(candidate: &Path, guard: &Guard) -> Result<Self, CommandError> {
        let paths = [beside(candidate), candidate.to_owned()];
        for path in &paths {
            store::claim_output(path)?;
        }
        let keepers = paths.each_ref().map(|path| run::Keeper::new(path, guard));
        Ok(Self { paths, keepers })
    }

    /// As people read them.
    pub(super) fn names(&self) -> [String; 2] {
        self.paths.each_ref().map(|path| path.display().to_string())
    }

    /// Rewrites both, unless that costs too much of the time.
    pub(super) fn keep(&mut self, sessions: &[Session; 2], console: &dyn Console) {
        for (keeper, session) in self.keepers.iter_mut().zip(sessions) {
            keeper.keep(session, console);
        }
    }

    /// Writes both for good; why one of them is elsewhere, if so.
    ///
    /// # Errors
    /// When one can be written nowhere.
    pub(super) fn write(&mut self, sessions: &[Session; 2]) -> Result<Vec<String>, CommandError> {
        let mut misplaced = Vec::new();
        for (path, session) in self.paths.iter_mut().zip(sessions) {
            // Files of an earlier measurement are worth more than empty ones of this.
            if sessions
                .iter()
                .all(|session| session.cells.iter().all(|cell| cell.runs.is_empty()))
            {
                continue;
            }
            let (written, reason) = run::write_or_rescue(path.clone(), session)?;
            *path = written;
            misplaced.extend(reason);
        }
        Ok(misplaced)
    }
}

/// `session.json` → `session.baseline.json`.
fn beside(candidate: &Path) -> PathBuf {
    let stem = candidate.file_stem().unwrap_or_default().to_string_lossy();
    let extension = candidate
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()));
    let extension = extension.unwrap_or_default();
    candidate.with_file_name(format!("{stem}.baseline{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_stands_beside_the_candidate() {
        for (candidate, baseline) in [
            ("session.json", "session.baseline.json"),
            ("out/a.b.json", "out/a.b.baseline.json"),
            ("plain", "plain.baseline"),
        ] {
            assert_eq!(beside(Path::new(candidate)), Path::new(baseline));
        }
    }
}

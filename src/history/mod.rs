//! The stored sessions of one baseline as a course over time: what a session must be to enter, its steps, the window
//! that a candidate is compared with, and slow creep away from a pinned session. Sessions in, findings out.

mod accepted;
mod answer;
mod course;
mod creep;
mod ground;
mod hygiene;
mod overview;
mod window;

pub use accepted::Accepted;
pub use answer::{Place, is_called, place_meant};
pub(crate) use course::values;
pub use course::{Course, Point, Step, courses};
pub use creep::Pin;
pub use ground::Ground;
pub use hygiene::{doubts, objections, spread_limit};
pub use overview::{Alert, History};
pub use window::window;

use crate::{
    measure::{Measurements, measure},
    session::Session,
};

/// One stored session, measured, without its records.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its hash in the history: what it is called.
    pub sha256: String,
    /// When it was measured, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Commit under test, where it is known.
    pub commit: Option<String>,
    /// What spoke against saving it and was overridden.
    pub forced: Vec<String>,
    /// Its figures.
    pub measured: Measurements,
}

impl Entry {
    /// A session with what its history says of it.
    pub fn of(session: &Session, sha256: &str, forced: &[String]) -> Self {
        let mut measured = measure(session);
        // The length of every answer is as large as the records that are let go.
        measured.cells.iter_mut().for_each(|cell| cell.work.clear());
        Self {
            sha256: sha256.to_owned(),
            started_unix_s: session.started_unix_s,
            commit: session.commit.clone(),
            forced: forced.to_vec(),
            measured,
        }
    }

    /// What people call it: the beginning of its commit, or else of its hash.
    pub fn label(&self) -> String {
        self.commit.as_ref().unwrap_or(&self.sha256).chars().take(12).collect()
    }
}

#[cfg(test)]
mod tests;

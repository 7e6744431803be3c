//! The commits between both ends.

use super::{Asked, short};
use crate::{
    bisect::Range,
    commands::CommandError,
    git::{Between, Commit, Repository},
};

/// How much less likely a commit is that touches none of the paths (stats.md §9: the weights are mixed with 10 % even ones).
const ELSEWHERE: f64 = 0.1;

/// What lies between a good and a bad commit.
pub(super) struct History {
    pub(super) good: String,
    pub(super) bad: String,
    /// Oldest first, the bad end last.
    pub(super) commits: Vec<Commit>,
    pub(super) range: Range,
}

impl History {
    /// # Errors
    /// The ends are no commits of this clone, or the good one does not come before the bad one.
    pub(super) fn between(repository: &Repository, asked: &Asked) -> Result<Self, CommandError> {
        let (good, bad) = (repository.resolve(&asked.good)?, repository.resolve(&asked.bad)?);
        let only = Between {
            first_parent: asked.first_parent,
            paths: asked.paths.clone(),
        };
        let commits = repository.commits_between(&good, &bad, &only)?;
        let parents: Vec<Vec<usize>> = commits.iter().map(|commit| commit.parents.clone()).collect();
        let range = Range::new(&parents).ok_or_else(|| {
            CommandError::Usage(format!(
                "git gives the commits between {} and {} in no order",
                asked.good, asked.bad
            ))
        })?;
        Ok(Self {
            good,
            bad,
            commits,
            range,
        })
    }

    /// How likely each commit is before anything is measured.
    pub(super) fn weights(&self) -> Vec<f64> {
        let weight = |commit: &Commit| if commit.touches { 1.0 } else { ELSEWHERE };
        self.commits.iter().map(weight).collect()
    }

    pub(super) fn commit(&self, place: usize) -> Option<&Commit> {
        self.commits.get(place)
    }

    pub(super) fn place_of(&self, id: &str) -> Option<usize> {
        self.commits.iter().position(|commit| commit.id == id)
    }

    /// The parents of a commit, in or before the range.
    pub(super) fn parents_of(&self, place: usize) -> &[String] {
        self.commit(place).map_or(&[], |commit| &commit.parent_ids)
    }

    pub(super) fn counted(&self) -> String {
        match self.commits.len() {
            1 => "1 commit".to_owned(),
            many => format!("{many} commits"),
        }
    }

    pub(super) fn told(&self) -> String {
        format!(
            "{} after {} up to {}",
            self.counted(),
            short(&self.good),
            short(&self.bad)
        )
    }
}

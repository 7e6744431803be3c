//! The pull request that a commit belongs to: found by facts that nobody who opens one can forge.

use super::{Client, Forge, ForgeError, Head, Pull, State, answers::PullAnswer, client::FIND_PULL, contents::commit};

/// The pull request of a measured commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one.
    One(Box<Pull>),
    /// None is open.
    None,
    /// The same commit is offered to several branches, and nothing tells them apart.
    Several(Vec<Pull>),
}

/// Where a pull request stands when a verdict is about to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It still brings the measured commit.
    Current(Pull),
    /// It brings another commit by now: the verdict is about an older one.
    Moved(Pull),
    /// It was closed or merged.
    Closed(Pull),
}

/// The open pull request of a head; `claimed` is what the measuring job says, and chooses only among those that fit.
///
/// # Errors
/// The forge refused, or was not reached.
pub fn find_pull(forge: &mut dyn Forge, head: &Head, claimed: Option<u64>) -> Result<Found, ForgeError> {
    let mut all = forge.pulls_of(head)?;
    all.retain(|pull| fits(pull, head));
    if all.len() > 1 && all.iter().any(|pull| Some(pull.number) == claimed) {
        all.retain(|pull| Some(pull.number) == claimed);
    }
    if all.len() > 1 {
        return Ok(Found::Several(all));
    }
    Ok(all.pop().map_or(Found::None, |pull| Found::One(Box::new(pull))))
}

/// Asks again, right before a verdict about `sha` is posted.
///
/// # Errors
/// The forge refused, or was not reached.
pub fn standing(forge: &mut dyn Forge, number: u64, sha: &str) -> Result<Standing, ForgeError> {
    let pull = forge.pull(number)?;
    Ok(match pull.state {
        State::Closed => Standing::Closed(pull),
        State::Open if pull.head.sha == sha => Standing::Current(pull),
        State::Open => Standing::Moved(pull),
    })
}

/// Whether an open pull request brings this commit from this repository; a fork that is gone brings nothing.
fn fits(pull: &Pull, head: &Head) -> bool {
    let is_same_repository = match (&pull.head.repository, &head.repository) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    pull.state == State::Open && pull.head.sha == head.sha && is_same_repository
}

impl Client {
    /// First the pull requests that GitHub knows of the commit; of a fork's it often knows none, so that all open ones are read.
    pub(super) fn open_pulls_of(&mut self, head: &Head) -> Result<Vec<Pull>, ForgeError> {
        let sha = commit(&head.sha)?;
        let known = self.path(&format!("commits/{sha}/pulls"));
        let known = match self.pages(&FIND_PULL, &known, |_| false) {
            // A commit that the repository has not seen.
            Err(ForgeError::Missing { .. } | ForgeError::Refused { status: 422, .. }) => Vec::new(),
            other => other?,
        };
        let known = fitting(known, head);
        if !known.is_empty() {
            return Ok(known);
        }
        let open = self.path("pulls?state=open&sort=updated&direction=desc");
        let brings = |pulls: &[PullAnswer]| pulls.iter().any(|pull| pull.head_sha() == head.sha);
        Ok(fitting(self.pages(&FIND_PULL, &open, brings)?, head))
    }
}

fn fitting(answers: Vec<PullAnswer>, head: &Head) -> Vec<Pull> {
    let pulls = answers.into_iter().map(Pull::from);
    pulls.filter(|pull| fits(pull, head)).collect()
}

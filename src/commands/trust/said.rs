//! Explanations of a pull request: lines of its description, and trailers of its commits.

use crate::{
    commands::CommandError,
    git::{Repository, explanations_in, trailers_of},
    github::{Brought, Pull},
    obligation::{EXPLAIN_KEY, Explanation, Place},
};

/// What was said, and what could not be understood, in sentences.
pub type Found = (Vec<Explanation>, Vec<String>);

/// The lines of a pull request's description; its author answers for them.
pub fn explanations_of_body(pull: &Pull) -> Found {
    let lines = explanations_in(&pull.body, EXPLAIN_KEY);
    sorted(
        lines
            .iter()
            .map(|line| Explanation::parse(line, &pull.author.name, Place::PullRequest)),
    )
}

/// The trailers of the commits after `base` up to `head`; each commit's author answers for them.
///
/// # Errors
/// One of the two is not in this clone.
pub fn explanations_of_commits(repository: &Repository, base: &str, head: &str) -> Result<Found, CommandError> {
    let said = repository.trailers(base, head, EXPLAIN_KEY)?;
    Ok(sorted(said.into_iter().map(|said| {
        let place = Place::Trailer { commit: said.commit };
        Explanation::parse(&said.value, &said.author, place)
    })))
}

/// The same of commits that the forge tells of, newest first.
pub(super) fn explanations_of_brought(commits: &[Brought]) -> Found {
    let said = commits.iter().flat_map(|commit| {
        trailers_of(&commit.message, EXPLAIN_KEY)
            .into_iter()
            .map(move |value| (commit, value))
    });
    sorted(said.map(|(commit, value)| {
        let place = Place::Trailer {
            commit: commit.sha.clone(),
        };
        Explanation::parse(&value, &commit.author, place)
    }))
}

fn sorted(parsed: impl Iterator<Item = Result<Explanation, String>>) -> Found {
    let mut found = Found::default();
    for one in parsed {
        match one {
            Ok(explanation) => found.0.push(explanation),
            Err(problem) => found.1.push(problem),
        }
    }
    found
}

//! Explanations of a pull request: lines of its description, and trailers of its commits.

use crate::{
    commands::CommandError,
    git::{Repository, explanations_in},
    github::Pull,
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

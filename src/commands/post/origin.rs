//! Which pull request was measured, and which commit its rules come from: by facts that the measuring job cannot forge.

use super::{Asked, Facts, Sent, When};
use crate::{
    commands::CommandError,
    github::{Forge, ForgeError, Found, Head, Pull, find_pull},
    render::NoResult,
};

/// What is known of where a result comes from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The pull request's number, from the event, whoever runs this, or the forge.
    pub(super) number: Option<u64>,
    /// The same in full, where the forge was asked.
    pub(super) pull: Option<Pull>,
    /// Where the rules come from.
    pub(super) base: Base,
}

/// The commit whose rules hold.
#[derive(Debug)]
pub(super) enum Base {
    /// This one.
    Commit(String),
    /// What this job itself goes by: it measured, or nobody else did.
    OfThisJob,
    /// Another run measured what somebody proposes, and nobody can tell where it should go: why, and what to do.
    Unknown(NoResult),
}

/// The pull request and its base: from the event, whoever runs this, or the forge's answer to the head.
///
/// # Errors
/// Whoever runs this names another pull request than the event, or one that cannot be read.
pub(super) fn origin(
    asked: &Asked<'_>,
    facts: &Facts,
    forge: &mut Option<&mut dyn Forge>,
    sent: &mut Sent,
) -> Result<Origin, CommandError> {
    if let (Some(said), Some(known)) = (asked.pull, facts.pull)
        && said != known
    {
        return Err(CommandError::Usage(format!(
            "`--pr-number {said}` is not the pull request of this event, which is {known}"
        )));
    }
    let of = |number, pull: Option<Pull>| {
        let tip = pull.as_ref().map(|pull| pull.base_sha.clone());
        Origin {
            number,
            pull,
            base: base(facts, tip, unasked),
        }
    };
    match (facts.pull.or(asked.pull), forge) {
        (Some(number), Some(forge)) if facts.pull.is_none() => {
            let pull = named(number, facts, *forge)?;
            Ok(of(Some(number), Some(pull)))
        }
        (Some(number), _) => Ok(of(Some(number), None)),
        (None, Some(forge)) => Ok(found(asked, facts, *forge, sent)),
        (None, None) => Ok(of(None, None)),
    }
}

/// The event's own answer comes first, then that of the pull request.
fn base(facts: &Facts, tip: Option<String>, why: impl FnOnce() -> NoResult) -> Base {
    match facts.base_sha.clone().or(tip) {
        Some(commit) => Base::Commit(commit),
        None if facts.is_of_other_run => Base::Unknown(why()),
        None => Base::OfThisJob,
    }
}

/// A number that came with the result could be anybody's.
fn named(number: u64, facts: &Facts, forge: &mut dyn Forge) -> Result<Pull, CommandError> {
    let pull = forge.pull(number)?;
    let is_of_another = |head: &Head| head.repository != pull.head.repository;
    if facts.is_of_other_run && facts.head.as_ref().is_some_and(is_of_another) {
        return Err(CommandError::Usage(format!(
            "`--pr-number {number}` is a pull request of another repository than the one that was measured"
        )));
    }
    Ok(pull)
}

/// As the forge finds it by the measured commit.
fn found(asked: &Asked<'_>, facts: &Facts, forge: &mut dyn Forge, sent: &mut Sent) -> Origin {
    let nobody = |tip, why: NoResult| Origin {
        number: None,
        pull: None,
        base: base(facts, tip, || why),
    };
    let Some(head) = facts.head.as_ref().filter(|_| facts.is_of_a_pull) else {
        return nobody(None, of_a_queue());
    };
    match find_pull(forge, head, None) {
        Ok(Found::One(pull)) => Origin {
            number: Some(pull.number),
            base: base(facts, Some(pull.base_sha.clone()), unasked),
            pull: Some(*pull),
        },
        Ok(Found::None) => {
            sent.done
                .push("no open pull request has the measured commit: no comment".into());
            nobody(None, nowhere())
        }
        Ok(Found::Several(pulls)) => {
            let numbers: Vec<String> = pulls.iter().map(|pull| pull.number.to_string()).collect();
            let numbers = numbers.join(", ");
            if asked.wish.comment != When::Off {
                sent.trouble.push(format!(
                    "the measured commit is that of the pull requests {numbers}; name one with `--pr-number`"
                ));
            }
            nobody(common_base(&pulls), several(&numbers))
        }
        Err(error) => {
            sent.trouble.push(format!("could not find the pull request: {error}"));
            nobody(None, unfound(&error))
        }
    }
}

/// Where all go into the same branch, its tip as the newest of them has it.
fn common_base(pulls: &[Pull]) -> Option<String> {
    let newest = pulls.iter().max_by_key(|pull| pull.number)?;
    let is_same = |pull: &Pull| pull.base_branch == newest.base_branch;
    pulls.iter().all(is_same).then(|| newest.base_sha.clone())
}

fn unknown(why: &str, steps: &[&str]) -> NoResult {
    NoResult {
        what: format!("whose rules hold is not known: {why}"),
        next_steps: steps.iter().map(|&step| step.to_owned()).collect(),
        ..NoResult::default()
    }
}

fn unasked() -> NoResult {
    unknown(
        "the event does not tell the pull request, and there is no token to ask GitHub with",
        &["give this job `github.token`, with `pull-requests: read`, and run it again"],
    )
}

fn nowhere() -> NoResult {
    unknown(
        "no open pull request has the measured commit; it was closed, or has a newer commit by now",
        &[
            "where it has a newer commit, that one is measured and judged by itself",
            "where it was closed, open it again and start the measurement anew",
        ],
    )
}

fn several(numbers: &str) -> NoResult {
    unknown(
        &format!("the measured commit is offered to several branches, by the pull requests {numbers}"),
        &["close all of them but one, or name it with `pr-number`, and run this job again"],
    )
}

fn unfound(error: &ForgeError) -> NoResult {
    unknown(
        &error.to_string(),
        &[
            "give this job `pull-requests: read` where that is missing: it finds the base by the pull request, also where no comment \
             is wished; and run it again",
        ],
    )
}

fn of_a_queue() -> NoResult {
    unknown(
        "the event of the measuring run does not tell its base",
        &[
            "judge what a merge queue measures in the run that measured it: `gate`, or `post` in a later job of the same workflow",
        ],
    )
}

//! Whether a stored baseline is of the branch that it stands for: of a commit that the base has in its history.

use super::Rules;
use crate::{
    commands::{CommandError, reference::Found},
    git::{GitError, Repository},
    report::Report,
    verdict::Verdict,
};

/// What is known of a commit and the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kin {
    /// The base has it in its history.
    Own,
    /// It does not.
    Foreign,
    /// This clone cannot tell.
    Unknown,
}

/// Judges by no baseline that is not of the base's own history, and tells what could not be looked at; asks nothing where the
/// rules are the work tree's, or where there is no clone.
///
/// # Errors
/// When git fails.
pub(in crate::commands) fn hold(report: &mut Report, found: Option<&Found>, rules: &Rules) -> Result<(), CommandError> {
    let (Some(found), Some(trusted)) = (found, &rules.trusted) else {
        return Ok(());
    };
    let base = trusted.commit.as_str();
    let repository = Repository::open(&super::here()?).ok();
    let Some(repository) = repository.filter(|clone| clone.resolve(base).is_ok()) else {
        return Ok(());
    };
    let short = |commit: &str| commit.chars().take(12).collect::<String>();
    match &found.session.commit {
        None if rules.provenance.event.is_some() => report.warnings.push(format!(
            "the baseline does not say of which commit it is: whether `{}` has it in its history cannot be told; measure with \
             `--commit SHA`",
            short(base)
        )),
        None => {}
        Some(commit) => match kin(&repository, commit, base)? {
            Kin::Foreign if report.verdict != Verdict::Invalid => refuse(report, &short(commit), &short(base)),
            Kin::Own | Kin::Foreign => {}
            Kin::Unknown => report.warnings.push(format!(
                "whether the baseline's commit `{}` is in the history of `{}` could not be told: this clone does not have it; check \
                 out with `fetch-depth: 0`",
                short(commit),
                short(base)
            )),
        },
    }
    let mut strangers = Vec::new();
    for commit in found
        .commits
        .iter()
        .filter(|own| found.session.commit.as_ref() != Some(own))
    {
        if kin(&repository, commit, base)? == Kin::Foreign {
            strangers.push(format!("`{}`", short(commit)));
        }
    }
    if !strangers.is_empty() {
        report.warnings.push(format!(
            "the baseline's history has sessions of commits that are not in the history of `{}`: {}; they count among its noise",
            short(base),
            strangers.join(", ")
        ));
    }
    Ok(())
}

fn kin(repository: &Repository, commit: &str, base: &str) -> Result<Kin, CommandError> {
    let is_whole = commit.len() >= 40 && commit.bytes().all(|sign| sign.is_ascii_hexdigit());
    match repository.is_ancestor(commit, base) {
        Ok(true) => Ok(Kin::Own),
        // Behind where a shallow clone ends anything may lie.
        Ok(false) | Err(GitError::Unknown { .. }) if repository.is_shallow() => Ok(Kin::Unknown),
        Ok(false) => Ok(Kin::Foreign),
        // What is no hash may be the name of a build, or of another repository's commit.
        Err(GitError::Unknown { .. }) => Ok(if is_whole { Kin::Foreign } else { Kin::Unknown }),
        Err(error) => Err(error.into()),
    }
}

fn refuse(report: &mut Report, commit: &str, base: &str) {
    report.verdict = Verdict::Incomparable;
    report.exit_code = Verdict::Incomparable.exit_code();
    report.headline = format!(
        "incomparable: the baseline is of commit `{commit}`, which is not in the history of `{base}`, whose rules hold here"
    );
    report.next_steps = vec![
        "let a job of the default branch measure and save a baseline: `perfgate run`, then `perfgate baseline save session.json`"
            .into(),
        "where the branch was rewritten, or the session was saved from elsewhere, take it away with `perfgate baseline rm`".into(),
    ];
}

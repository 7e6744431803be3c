//! `perfgate profile attach`: a profiler's file as the evidence that a warning asked for.

use std::path::Path;

use super::{
    CommandError, Console, Done,
    gate::write_all,
    present::{self, Format, Screen},
    trust::{self, Rules},
};
use crate::{
    git::Repository,
    profile::{self, Recognised},
    render,
    session::{Measured, Profile, ProfileKind},
    store,
};

/// A profile made longer before its commit than this was not made of it; clocks differ by less.
const CLOCKS_DIFFER_S: i64 = 24 * 3600;

/// What is attached, and to what.
pub struct Attaching<'a> {
    /// The profiler's file.
    pub file: &'a Path,
    /// The result that it belongs to; the reports beside it are written anew.
    pub result: &'a Path,
    /// The commit that was profiled, as its caller says.
    pub commit: Option<&'a str>,
}

/// Adds a profile to a result and judges it again: the exit code is that of the new verdict.
///
/// # Errors
/// The file is no profile, is not of the commit that was measured, or a file cannot be read or written.
pub fn attach(
    attaching: &Attaching<'_>,
    rules: &Rules,
    (format, screen): (Format, Screen),
    console: &dyn Console,
) -> Result<Done, CommandError> {
    let recognised = profile::recognise(attaching.file)?;
    if recognised.kind == ProfileKind::Torch {
        // Its marks alone are soon written: evidence is a trace in which something ran.
        profile::read(attaching.file)?;
    }
    let mut measured = store::read_measured(attaching.result)?;
    let own = Profile {
        kind: recognised.kind,
        name: name_of(attaching.file),
        sha256: store::sha256_of_file(attaching.file)?,
        bytes: recognised.bytes,
        commit: commit_of(attaching, &recognised, &measured, rules)?,
        commit_is_assumed: recognised.commit.is_none(),
    };
    refuse_older(attaching.file, &recognised, &own.commit)?;
    let assumed = if own.commit_is_assumed {
        ", which is assumed: the file names none"
    } else {
        ""
    };
    console.say(&format!(
        "`{}` is a {} profile of commit `{}`{assumed}",
        own.name,
        own.kind.name(),
        own.commit
    ));
    measured.profiles.retain(|other| other.sha256 != own.sha256);
    measured.profiles.push(own);
    let folder = attaching.result.parent().unwrap_or_else(|| Path::new(""));
    let [baseline, candidate] = names(folder);
    let report = trust::judge(&measured, [&baseline, &candidate], rules, &[])?;
    write_all(&measured, &report, (folder, attaching.result), (&rules.guard, console))?;
    Ok(Done {
        text: rules.guard.clean(&present::text(&report, format, screen)?).into_owned(),
        exit_code: report.exit_code,
    })
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the arms were called when they were judged first.
fn names(folder: &Path) -> [String; 2] {
    let text = std::fs::read_to_string(folder.join("report.json")).ok();
    let report = text.and_then(|text| render::read_report(&text).ok());
    let name = |found: Option<String>, word: &str| found.unwrap_or_else(|| word.to_owned());
    let (baseline, candidate) = report.map_or((None, None), |report| {
        (report.baseline.map(|arm| arm.name), Some(report.candidate.name))
    });
    [name(baseline, "baseline"), name(candidate, "candidate")]
}

/// The commit that was profiled, which must be the one that was measured.
fn commit_of(
    attaching: &Attaching<'_>,
    recognised: &Recognised,
    measured: &Measured,
    rules: &Rules,
) -> Result<String, CommandError> {
    let usage = |text: String| Err(CommandError::Usage(text));
    let file = attaching.file.display();
    let said = attaching.commit.map(str::to_lowercase);
    if let (Some(said), Some(inside)) = (&said, &recognised.commit)
        && said != inside
    {
        return usage(format!(
            "`{file}` says that it is of commit `{inside}`, not of `{said}`"
        ));
    }
    let here = || rules.provenance.measured_sha.clone();
    let Some(commit) = said.or_else(|| recognised.commit.clone()).or_else(here) else {
        return usage(format!(
            "of which commit `{file}` is, is not known; say it with `--commit`"
        ));
    };
    let known = [&measured.provenance.head_sha, &measured.provenance.measured_sha];
    let known: Vec<&String> = known.into_iter().flatten().collect();
    if known.contains(&&commit) {
        return Ok(commit);
    }
    let result = attaching.result.display();
    match known.first() {
        Some(known) => usage(format!(
            "`{file}` is of commit `{commit}`, and `{result}` was measured at `{known}`; profile that one"
        )),
        None => usage(format!(
            "`{result}` was measured outside of a git repository: no profile can be shown to belong to it"
        )),
    }
}

/// A profile from before the commit was made is of something else.
fn refuse_older(file: &Path, recognised: &Recognised, commit: &str) -> Result<(), CommandError> {
    let made = Repository::open(&trust::here()?).and_then(|repository| repository.committed_unix_s(commit));
    let recorded = recognised
        .recorded_unix_s
        .and_then(|recorded| i64::try_from(recorded).ok());
    if let (Ok(made), Some(recorded)) = (made, recorded)
        && recorded + CLOCKS_DIFFER_S < made
    {
        return Err(CommandError::Usage(format!(
            "`{}` was recorded before commit `{commit}` was made: it is of something else",
            file.display()
        )));
    }
    Ok(())
}

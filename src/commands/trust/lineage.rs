//! Whether a stored baseline is of the branch that it stands for: of a commit that the base has in its history.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use crate::{
    commands::{
        CommandError,
        reference::{Found, Kin},
    },
    git::{GitError, Repository},
    github::Forge,
    report::Report,
    store::Baselines,
    verdict::Verdict,
};

/// The forge is asked of so many baselines at most.
const MOST_ASKED: usize = 8;

/// The base and who can tell of its history.
pub(in crate::commands) struct Lineage<'a> {
    rules: &'a Rules,
    base: Option<&'a str>,
    /// The clone, where it has the base.
    clone: Option<Repository>,
}

/// Asks the forge which of the newest commits of the baselines the base has in its history; those that it does not know are
/// left out.
///
/// # Errors
/// The baselines cannot be listed.
pub(super) fn told(
    forge: &mut dyn Forge,
    base: &str,
    baselines: &Baselines,
) -> Result<BTreeMap<String, bool>, CommandError> {
    let infos = baselines.list()?.into_iter().filter_map(|listed| listed.baseline.ok());
    let commits: BTreeSet<String> = infos
        .filter_map(|info| info.commit)
        .filter(|commit| is_whole(commit))
        .collect();
    let mut told = BTreeMap::new();
    for commit in commits.into_iter().take(MOST_ASKED) {
        if commit == base {
            told.insert(commit, true);
        } else if let Ok(compared) = forge.compared(&commit, base) {
            let is_own = compared.fork == commit;
            told.insert(commit, is_own);
        }
    }
    Ok(told)
}

impl<'a> Lineage<'a> {
    /// The history of the base; nothing is asked where the rules are the work tree's.
    ///
    /// # Errors
    /// There is no working directory.
    pub(in crate::commands) fn of(rules: &'a Rules) -> Result<Self, CommandError> {
        let base = rules.trusted.as_ref().map(|trusted| trusted.commit.as_str());
        let clone = match base {
            Some(base) => Repository::open(&super::here()?)
                .ok()
                .filter(|clone| clone.resolve(base).is_ok()),
            None => None,
        };
        Ok(Self { rules, base, clone })
    }

    /// What is known of a stored session's commit.
    pub(in crate::commands) fn kin(&self, commit: Option<&str>) -> Kin {
        let (Some(base), Some(commit)) = (self.base, commit) else {
            return Kin::Untold;
        };
        let unknown = if is_whole(commit) { Kin::Unknown } else { Kin::Untold };
        let told = |commit: &str| match self.rules.told.get(commit) {
            Some(true) => Kin::Own,
            Some(false) => Kin::Foreign,
            None => unknown,
        };
        let Some(clone) = &self.clone else {
            return told(commit);
        };
        match clone.is_ancestor(commit, base) {
            Ok(true) => Kin::Own,
            // Behind where a shallow clone ends anything may lie.
            Ok(false) if clone.is_shallow() => told(commit),
            Ok(false) => Kin::Foreign,
            // Of another repository, newer than this clone, or the name of a build.
            Err(GitError::Unknown { .. }) => told(commit),
            Err(_) => unknown,
        }
    }

    /// Judges by no baseline that is not of the base's own history, unless it is named, and tells what could not be looked at and
    /// what was left out.
    pub(in crate::commands) fn hold(&self, report: &mut Report, found: &Found) {
        let Some(base) = self.base.map(short) else { return };
        if !found.left_out.is_empty() {
            report.warnings.push(format!(
                "newer sessions of the baseline are left out, as `{base}` is not known to have their commits in its history: {}; it \
                 is compared with the newest one that it has",
                quoted(&found.left_out)
            ));
        }
        let commit = found.session.commit.as_deref();
        let name = commit.map(short).unwrap_or_default();
        match (self.kin(commit), commit) {
            (Kin::Own, _) => {}
            (_, None) => {
                if self.rules.provenance.event.is_some() {
                    report.warnings.push(format!(
                        "the baseline does not say of which commit it is: whether `{base}` has it in its history cannot be told; \
                         measure with `--commit SHA`"
                    ));
                }
            }
            (Kin::Foreign, _) if self.rules.resolved.settings.baseline.is_some() => report.warnings.push(format!(
                "the baseline is of commit `{name}`, which is not in the history of `{base}`; it is compared with all the same, as \
                 it is named"
            )),
            (Kin::Foreign, _) if report.verdict != Verdict::Invalid => refuse(report, &name, &base),
            (Kin::Foreign, _) => {}
            (Kin::Unknown | Kin::Untold, _) => report.warnings.push(self.untold(&name, &base)),
        }
        self.tell_strangers(report, found, &base);
    }

    /// Why nobody can tell.
    fn untold(&self, commit: &str, base: &str) -> String {
        let why = match &self.clone {
            None => "there is no clone of the repository here, and the forge did not say",
            Some(clone) if clone.is_shallow() => "this clone does not have it; check out with `fetch-depth: 0`",
            Some(_) => "this clone has no such commit: it may be newer, or of another repository",
        };
        format!("whether the baseline's commit `{commit}` is in the history of `{base}` could not be told: {why}")
    }

    fn tell_strangers(&self, report: &mut Report, found: &Found, base: &str) {
        let older = found
            .commits
            .iter()
            .filter(|own| found.session.commit.as_ref() != Some(own));
        let strangers: Vec<String> = older
            .filter(|commit| self.kin(Some(commit)) == Kin::Foreign)
            .map(|commit| short(commit))
            .collect();
        if !strangers.is_empty() {
            report.warnings.push(format!(
                "the baseline's history has sessions of commits that are not in the history of `{base}`: {}; they count among its \
                 noise",
                quoted(&strangers)
            ));
        }
    }
}

fn is_whole(commit: &str) -> bool {
    commit.len() >= 40 && commit.bytes().all(|sign| sign.is_ascii_hexdigit())
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
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

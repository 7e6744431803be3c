//! From the result and the rules to what is posted.

use std::path::Path;

use super::{Asked, Facts, Source, annotate::annotations, nothing, origin::Base, pair, plan};
use crate::{
    commands::{
        CommandError,
        present::PROFILE_FILE,
        profiles, run,
        trust::{self, Rules},
    },
    git::Repository,
    github::{Annotation, Forge, ForgeError, Pull},
    render::NoResult,
    report::Report,
    session::Measured,
    store,
    verdict::Verdict,
};

/// Exit code where the rules cannot be read.
const WRONG_RULES: u8 = 2;

/// What there is to say.
#[derive(Debug)]
pub(super) enum Judged {
    /// A verdict, and what it says of the configuration's lines.
    Report(Box<Report>, Vec<Annotation>),
    /// None, with its exit code.
    Nothing(NoResult, u8),
}

/// Why there are no rules.
#[derive(Debug)]
pub(super) enum NoRules {
    /// Nobody knows which commit they come from.
    Whose(NoResult),
    /// They cannot be read there.
    Unread(CommandError),
}

impl From<CommandError> for NoRules {
    fn from(error: CommandError) -> Self {
        Self::Unread(error)
    }
}

/// The rules of the base: from this clone in the job that measured, from the forge where another one posts.
///
/// What lies in the work tree of a job that did not measure is nobody's.
pub(super) fn rules(
    asked: &Asked<'_>,
    facts: &Facts,
    base: &Base,
    forge: Option<&mut dyn Forge>,
) -> Result<Rules, NoRules> {
    let here = trust::here()?;
    let said = trust::named_ref(&asked.rules);
    let base = match (said.as_deref(), base) {
        (Some(said), _) => said,
        (None, Base::Commit(commit)) => commit,
        (None, Base::OfThisJob) => return Ok(trust::rules(&asked.rules)?),
        (None, Base::Unknown(nothing)) => return Err(NoRules::Whose(nothing.clone())),
    };
    let clone = Repository::open(&here).ok();
    let clone = clone.filter(|clone| clone.resolve(base).is_ok());
    Ok(match (clone, forge) {
        // The work tree shows what the pull request would change of the rules.
        (Some(_), _) if !facts.is_of_other_run => trust::rules(&asked.rules)?,
        (clone, Some(forge)) => {
            let head = facts.head.as_ref().map(|head| head.sha.as_str());
            match trust::on_forge(forge, base, head, &asked.rules) {
                // The commit of a fork that is gone; what it would change is not known then.
                Err(CommandError::Forge(ForgeError::Missing { .. })) => {
                    trust::on_forge(forge, base, None, &asked.rules)?
                }
                Err(CommandError::Forge(error)) => match clone {
                    Some(clone) => trust::at_ref(&clone, base, &here, &asked.rules)?,
                    None => return Err(NoRules::Unread(CommandError::Forge(error))),
                },
                rules => rules?,
            }
        }
        (Some(clone), None) => trust::at_ref(&clone, base, &here, &asked.rules)?,
        (None, None) if facts.is_of_other_run => {
            return Err(NoRules::Unread(CommandError::Usage(format!(
                "`{base}` is no commit of a clone here, and there is no token to ask GitHub with"
            ))));
        }
        (None, None) => trust::rules(&asked.rules)?,
    })
}

/// The verdict, recomputed from the samples; or why there is none.
pub(super) fn judged(asked: &Asked<'_>, facts: &Facts, rules: Result<Rules, NoRules>, pull: Option<&Pull>) -> Judged {
    let path = match asked.result {
        Source::Nothing(nothing) => return Judged::Nothing(nothing.clone(), run::UNUSABLE),
        Source::File(path) => path,
    };
    let measured = match store::read_measured(path) {
        Ok(measured) => measured,
        Err(error) => {
            let nothing = nothing::unreadable(&error, facts.conclusion.as_deref(), path);
            return Judged::Nothing(nothing, run::UNUSABLE);
        }
    };
    let contradictions = measured.provenance.contradictions(&facts.known);
    if !contradictions.is_empty() {
        return Judged::Nothing(nothing::foreign(&contradictions), run::UNUSABLE);
    }
    let beside = path.with_file_name(PROFILE_FILE);
    let beside = Some(beside.as_path()).filter(|path| path.is_file());
    let judged = rules.and_then(|rules| Ok((report((&measured, beside), facts, &rules, pull)?, rules)));
    match judged {
        Err(NoRules::Whose(nothing)) => Judged::Nothing(nothing, run::UNUSABLE),
        Err(NoRules::Unread(error)) => Judged::Nothing(nothing::without_rules(&error), WRONG_RULES),
        Ok((report, rules)) => {
            let config = rules.trusted.as_ref().and_then(|trusted| trusted.config.clone());
            let own = || rules.resolved.settings.file.as_deref().and_then(in_repository);
            let annotations = annotations(&report, &rules.resolved, config.or_else(own).as_deref());
            Judged::Report(Box::new(report), annotations)
        }
    }
}

/// A path that stands in the repository as it is written.
fn in_repository(path: &Path) -> Option<String> {
    path.is_relative().then(|| path.to_str().map(str::to_owned)).flatten()
}

/// What the measuring job's profiles tell, where they are of this result: shown, and no part of the verdict.
fn explain(report: &mut Report, path: &Path) {
    let compared = profiles::read_diff(path).map_err(|error| run::in_full(&error));
    let added = compared.and_then(|compared| report.explain_by(compared).map_err(|error| error.to_string()));
    if let Err(why) = added {
        report.warnings.push(format!("what profiles tell is left out: {why}"));
    }
}

fn report(
    (measured, beside): (&Measured, Option<&Path>),
    facts: &Facts,
    rules: &Rules,
    pull: Option<&Pull>,
) -> Result<Report, CommandError> {
    let (mut said, mut problems) = pull.map(trust::explanations_of_body).unwrap_or_default();
    if let Some((more, wrong)) = of_commits(rules, facts) {
        said.extend(more);
        problems.extend(wrong);
    }
    // As the gate that measured calls its files.
    let candidate = &rules.resolved.settings.output;
    let names = [candidate.with_extension("baseline.json"), candidate.clone()].map(|path| path.display().to_string());
    let [baseline, candidate] = &names;
    let mut report = trust::judge(measured, [baseline, candidate], rules, &said)?;
    // The forge may have told of the same commits.
    problems.retain(|problem| !rules.problems.contains(problem));
    report.warnings.extend(problems);
    report.warnings.extend(other_rules(measured, rules));
    report.warnings.extend(other_commit(measured, facts, pull));
    let config = rules.trusted.as_ref().and_then(|trusted| trusted.config.as_deref());
    if let Some(config) = config {
        let differences = plan::refused(&rules.resolved.plan, &measured.candidate, &rules.resolved.policy);
        plan::hold(&mut report, differences, config);
    }
    pair::hold(&mut report, measured, (facts, rules));
    hold_evasion(&mut report, rules)?;
    if let Some(path) = beside {
        explain(&mut report, path);
    }
    Ok(report)
}

/// The measuring job read another version of the configuration: its base was an older one.
fn other_rules(measured: &Measured, rules: &Rules) -> Option<String> {
    let trusted = rules.trusted.as_ref()?;
    (measured.provenance.trusted_sha.is_some() && measured.provenance.config_sha256 != rules.config_sha256).then(|| {
        format!(
            "it was measured under another version of the configuration than that of commit `{}`, by which it is judged",
            trusted.commit.get(..12).unwrap_or(&trusted.commit)
        )
    })
}

/// Where no event tells the commit, whoever named the pull request answers for it; what the result says is compared.
fn other_commit(measured: &Measured, facts: &Facts, pull: Option<&Pull>) -> Option<String> {
    let head = &pull.filter(|_| facts.head.is_none())?.head.sha;
    let provenance = &measured.provenance;
    let claimed = provenance.head_sha.as_ref().or(provenance.measured_sha.as_ref());
    let is_of_it = [&provenance.head_sha, &provenance.measured_sha].contains(&&Some(head.clone()));
    (!is_of_it).then(|| match claimed {
        Some(claimed) => {
            format!("the result says that it is of commit `{claimed}`, and the pull request is at `{head}`")
        }
        None => format!("the result does not say of which commit it is; the pull request is at `{head}`"),
    })
}

/// Trailers of the commits of the pull request, where this clone has them.
fn of_commits(rules: &Rules, facts: &Facts) -> Option<trust::Found> {
    let (trusted, head) = (rules.trusted.as_ref()?, facts.head.as_ref()?);
    let repository = Repository::open(&trust::here().ok()?).ok()?;
    trust::explanations_of_commits(&repository, &trusted.commit, &head.sha).ok()
}

/// Where there are baselines and none is of this model or plan, what was measured is not what they are of.
fn hold_evasion(report: &mut Report, rules: &Rules) -> Result<(), CommandError> {
    if report.verdict != Verdict::NoBaseline || rules.trusted.is_none() {
        return Ok(());
    }
    let stored = rules.baselines.list()?.len();
    if stored > 0 {
        report.verdict = Verdict::Incomparable;
        report.exit_code = Verdict::Incomparable.exit_code();
        report.headline = "incomparable: none of the stored baselines is of the model that was measured".into();
        report.next_steps = vec![
            "measure the model that the baselines are of".into(),
            "or save one of the new model in a job of the default branch: `perfgate baseline save session.json`".into(),
        ];
    } else {
        report.next_steps = vec![
            "let a job of the default branch measure and save one: `perfgate run`, then `perfgate baseline save session.json`; \
             this pull request is compared with it from then on"
                .into(),
        ];
    }
    Ok(())
}

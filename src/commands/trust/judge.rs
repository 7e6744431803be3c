//! What was measured, judged by the rules: the same whoever asks, the job that measured or the one that posts.

use super::{Lineage, Rules};
use crate::{
    commands::{CommandError, reference},
    compare::PairNoise,
    obligation::{Explanation, Given},
    report::{Reference, Report, build_knowing},
    session::{Measured, Provenance},
    verdict::Verdict,
};

/// Judges a measurement; `names` are what baseline and candidate are called, where no stored baseline has a name, and
/// `said` is what people explained besides `perfgate-accept.yaml`.
///
/// # Errors
/// When the baselines that come into question cannot be read.
pub fn judge(
    measured: &Measured,
    names: [&str; 2],
    rules: &Rules,
    said: &[Explanation],
) -> Result<Report, CommandError> {
    judge_pairs(measured, names, rules, said, None)
}

/// The same where it is known already how far apart the pairs of earlier A/B measurements lay.
///
/// # Errors
/// As [`judge`].
pub fn judge_pairs(
    measured: &Measured,
    [baseline_name, candidate_name]: [&str; 2],
    rules: &Rules,
    said: &[Explanation],
    noise: Option<&PairNoise>,
) -> Result<Report, CommandError> {
    let policy = &rules.resolved.policy;
    let explanations: Vec<Explanation> = rules.explanations.iter().chain(said).cloned().collect();
    let commits = commits_of(&measured.provenance);
    let given = Given {
        explanations: &explanations,
        profiles: &measured.profiles,
        commits: &commits,
    };
    let candidate = (candidate_name, &measured.candidate);
    let mut copied = measured
        .baseline
        .as_ref()
        .map_or(0, |baseline| measured.copied_runs(baseline));
    let mut report = if let Some(baseline) = &measured.baseline {
        let noise = match noise {
            Some(noise) => noise.clone(),
            None => reference::pair_noise(&rules.baselines, &measured.candidate)?,
        };
        let reference = Reference {
            pair_noise: Some(&noise),
            ..Reference::alone(baseline_name, baseline)
        };
        let mut report = build_knowing(Some(&reference), candidate, policy, &given);
        report.draw(Some(baseline), &measured.candidate);
        report
    } else {
        let named = rules.resolved.settings.baseline.as_deref();
        let lineage = Lineage::of(rules)?;
        let kin = |commit: Option<&str>| lineage.kin(commit);
        let found = reference::meant(&rules.baselines, named, &measured.candidate, policy, &kin)?;
        copied = copied.max(found.as_ref().map_or(0, |found| measured.copied_runs(&found.session)));
        let mut report = reference::judge_knowing(found.as_ref(), candidate, policy, &given);
        report.draw(found.as_ref().map(|found| &found.session), &measured.candidate);
        match &found {
            Some(found) => lineage.hold(&mut report, found),
            None => report.warnings.extend(reference::unreadable(&rules.baselines)?),
        }
        report
    };
    report.stored = rules.stored(measured.baseline.is_none() && report.baseline.is_some());
    if copied > 0 {
        refuse_copies(&mut report, copied);
    }
    report.trusted.clone_from(&rules.trusted);
    report.warnings.extend(rules.problems.iter().cloned());
    Ok(report)
}

/// No server answers twice to the nanosecond: such a candidate was not measured.
fn refuse_copies(report: &mut Report, copied: usize) {
    let reason = format!("{copied} runs of the candidate are copies of the baseline's, to the nanosecond");
    report.verdict = Verdict::Invalid;
    report.exit_code = Verdict::Invalid.exit_code();
    report.headline = format!("{}: {reason}", Verdict::Invalid.name());
    report.next_steps = vec!["measure the candidate".to_owned()];
    report.warnings.insert(0, reason);
}

/// The commits that a profile may be of.
fn commits_of(provenance: &Provenance) -> Vec<&str> {
    let commits = [&provenance.head_sha, &provenance.measured_sha];
    commits.into_iter().flatten().map(String::as_str).collect()
}

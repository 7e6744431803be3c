//! Whether a result may bring its own baseline: only where the base asks for both arms, and then of the commit that it stands for.

use super::Facts;
use crate::{
    commands::trust::{self, Rules},
    config::Measure,
    git::Repository,
    report::{Report, Trusted},
    session::Measured,
    verdict::Verdict,
};

/// Lets no result pass by a baseline that the rules do not give it; says whose word the baseline of a pair is.
pub(super) fn hold(report: &mut Report, measured: &Measured, (facts, rules): (&Facts, &Rules)) {
    let Some(trusted) = &rules.trusted else { return };
    match (rules.resolved.measure, &measured.baseline) {
        (Measure::Alone, None) => {}
        (Measure::Alone, Some(_)) => refuse(
            report,
            "it brings a baseline of its own, and the rules of the base compare with a stored one".into(),
            [
                "measure the candidate alone, as the rules ask for",
                "or write `measure: ab` into the configuration on the base branch; where the workflow asks for it by a flag, give \
                 the job that posts `--measure=ab`, too",
            ],
        ),
        (Measure::Ab, None) => refuse(
            report,
            "it was measured alone, and the rules of the base ask for both arms (`measure: ab`)".into(),
            [
                "measure both arms, as the rules ask for",
                "or change `measure` on the base branch, in a pull request of its own",
            ],
        ),
        (Measure::Ab, Some(baseline)) => {
            let stranger = baseline.commit.as_ref();
            let stranger = stranger.filter(|commit| !may_stand_for_the_base(commit, trusted, (facts, rules)));
            if let Some(commit) = stranger {
                refuse(
                    report,
                    format!(
                        "its baseline is of commit `{}`, which is neither the base `{}` nor where the pull request forked from it",
                        short(commit),
                        short(&trusted.commit)
                    ),
                    [
                        "measure again, with the base as the baseline",
                        "or bring the pull request up to date first",
                    ],
                );
            } else if facts.is_of_other_run && facts.is_of_a_pull {
                report.warnings.push(format!(
                    "both arms were measured by the pull request's own job: that the baseline is `{}` is its word",
                    short(&trusted.commit)
                ));
            }
        }
    }
}

/// The base itself, or the commit that the head forked from.
fn may_stand_for_the_base(commit: &str, trusted: &Trusted, (facts, rules): (&Facts, &Rules)) -> bool {
    commit == trusted.commit || fork(trusted, (facts, rules)).as_deref() == Some(commit)
}

fn fork(trusted: &Trusted, (facts, rules): (&Facts, &Rules)) -> Option<String> {
    if rules.fork.is_some() {
        return rules.fork.clone();
    }
    let head = facts.head.as_ref()?;
    let clone = Repository::open(&trust::here().ok()?).ok()?;
    clone.merge_base(&trusted.commit, &head.sha).ok().flatten()
}

/// A regression stays one, and what is invalid stays so for its own reason.
fn refuse(report: &mut Report, reason: String, steps: [&str; 2]) {
    if report.exit_code == Verdict::Regression.exit_code() || report.verdict == Verdict::Invalid {
        report.warnings.push(reason);
        return;
    }
    report.verdict = Verdict::Incomparable;
    report.exit_code = Verdict::Incomparable.exit_code();
    report.headline = format!("incomparable: {reason}");
    report.next_steps = steps.map(str::to_owned).to_vec();
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

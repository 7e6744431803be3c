//! The commit against its parent, as any gate measures a change.

use super::{
    Asked, History,
    ends::{Ends, Judge, wanted},
    short,
    stand::{Bench, Outcome, Stands},
};
use crate::{
    commands::{
        CommandError,
        ab::{self, Follow},
        trust::Rules,
    },
    report::Check,
    session::{Ended, Session},
    store::{Confirmed, Found},
    verdict::Verdict,
};

/// Measures the commit that was found and its parent in pairs; a run that something else made slow may have misled the search.
///
/// # Errors
/// What is no commit's fault.
pub(super) fn confirmed(
    (bench, mut stands): (&Bench<'_>, Stands),
    (history, ends): (&History, &Ends),
    (asked, rules): (&Asked, &Rules),
    found: Found,
) -> Result<Found, CommandError> {
    let culprit = found.commits.first().filter(|_| found.is_sharp && !asked.unconfirmed);
    let Some(culprit) = culprit.cloned().filter(|_| !bench.interrupt.is_set()) else {
        return Ok(found);
    };
    let place = history.place_of(&culprit.commit).unwrap_or_default();
    let parent = history.parent_of(place).to_owned();
    let unmeasured = |why: String| Confirmed {
        parent: parent.clone(),
        verdict: Verdict::Inconclusive.name().to_owned(),
        headline: why,
    };
    bench.console.say(&format!(
        "measuring {} against its parent {} in pairs",
        short(&culprit.commit),
        short(&parent)
    ));
    let confirmed = match (
        stands.anchor.build(bench, &parent)?,
        stands.probe.build(bench, &culprit.commit)?,
    ) {
        (Err(Outcome::Broken(why)), _) | (_, Err(Outcome::Broken(why))) => {
            unmeasured(format!("it could not be built: {why}"))
        }
        (Err(_), _) | (_, Err(_)) => return Ok(found),
        (Ok(_), Ok(_)) => match in_pairs((bench, &stands), ends, (asked, rules))? {
            None => return Ok(found),
            Some((Some(check), _)) => Confirmed {
                parent: parent.clone(),
                verdict: check.verdict.name().to_owned(),
                headline: check.explanation.unwrap_or(check.reason),
            },
            Some((None, headline)) => unmeasured(headline),
        },
    };
    Ok(Found {
        confirmed: Some(confirmed),
        ..found
    })
}

/// The one check of what stands in both work trees, and the headline of all; `None` where somebody asked to stop.
fn in_pairs(
    (bench, stands): (&Bench<'_>, &Stands),
    ends: &Ends,
    (asked, rules): (&Asked, &Rules),
) -> Result<Option<(Option<Check>, String)>, CommandError> {
    let asked = Asked {
        metric: Some(ends.metric),
        cell: Some(ends.cell.clone()),
        ..asked.clone()
    };
    let mut judge = OneCheck(Judge {
        asked: &asked,
        policy: &rules.resolved.policy,
    });
    let wanted = wanted(bench, stands, &asked);
    let sessions = ab::measure(&wanted, &mut judge, bench.console, bench.interrupt)?;
    if sessions.iter().any(|session| session.ended == Ended::Interrupted) {
        return Ok(None);
    }
    Ok(Some((judge.check(&sessions), judge.0.report(&sessions).headline)))
}

/// Stops once the one check is settled.
struct OneCheck<'a>(Judge<'a>);

impl OneCheck<'_> {
    fn check(&self, sessions: &[Session; 2]) -> Option<Check> {
        let asked = self.0.asked;
        let is_asked = |check: &Check| Some(check.metric) == asked.metric && Some(&check.cell) == asked.cell.as_ref();
        self.0.report(sessions).checks.into_iter().find(is_asked)
    }
}

impl Follow for OneCheck<'_> {
    fn on_pair(&mut self, _: &[Session; 2]) {}

    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String> {
        let check = self.check(sessions)?;
        (check.verdict != Verdict::Inconclusive).then(|| "it is settled".to_owned())
    }
}

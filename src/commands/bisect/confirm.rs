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
        run::in_full,
        trust::Rules,
    },
    report::Check,
    session::{Ended, Session},
    store::Confirmed,
    verdict::Verdict,
};

/// Measures the commit that was found against each of its parents in pairs: a run that something else made slow may have misled
/// the search. `None` where somebody asked to stop.
pub(super) fn confirmed(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    (asked, rules): (&Asked, &Rules),
    culprit: usize,
) -> Option<Confirmed> {
    let commit = history.commit(culprit)?.id.clone();
    let mut confirmed = None;
    for parent in history.parents_of(culprit) {
        bench.console.say(&format!(
            "measuring {} against its parent {} in pairs",
            short(&commit),
            short(parent)
        ));
        let against = match against((bench, &mut *stands), ends, (asked, rules), [parent, &commit]) {
            Ok(Some((verdict, headline))) => Confirmed {
                parent: parent.clone(),
                verdict: verdict.name().to_owned(),
                headline,
            },
            Ok(None) => return None,
            Err(_) if bench.interrupt.is_set() => return None,
            Err(error) => Confirmed {
                parent: parent.clone(),
                verdict: Verdict::Inconclusive.name().to_owned(),
                headline: format!("it could not be measured: {}", in_full(&error)),
            },
        };
        let is_worse = against.verdict == Verdict::Regression.name();
        confirmed = Some(against);
        // A merge that is as bad as one of its parents did not do it.
        if !is_worse {
            break;
        }
    }
    confirmed
}

/// The verdict on one check of a commit against its parent, with its reason.
fn against(
    (bench, stands): (&Bench<'_>, &mut Stands),
    ends: &Ends,
    rules: (&Asked, &Rules),
    [parent, commit]: [&String; 2],
) -> Result<Option<(Verdict, String)>, CommandError> {
    for built in [stands.anchor.build(bench, parent)?, stands.probe.build(bench, commit)?] {
        match built {
            Ok(_) => {}
            Err(Outcome::Broken(why)) => {
                return Ok(Some((Verdict::Inconclusive, format!("it could not be built: {why}"))));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(
        in_pairs((bench, stands), ends, rules)?.map(|(check, headline)| match check {
            Some(check) => (check.verdict, check.explanation.unwrap_or(check.reason)),
            None => (Verdict::Inconclusive, headline),
        }),
    )
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

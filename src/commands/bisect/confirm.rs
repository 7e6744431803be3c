//! The commit against its parent, as any gate measures a change.

use super::{
    Asked, History,
    ends::{Ends, Judge, values_of, wanted},
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

/// What the pairs of a commit and its parents said.
pub(super) enum Answer {
    /// The verdict on them; against the first parent that the commit is not worse than, where there is one.
    Said {
        confirmed: Confirmed,
        /// The runs of its pairs, by commit.
        runs: Vec<(String, Vec<f64>)>,
    },
    /// The commit has no parent.
    NoParent,
    /// Somebody asked to stop.
    Interrupted,
}

/// Measures the commit that was found against each of its parents in pairs: a run that something else made slow may have misled
/// the search.
pub(super) fn confirmed(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    (asked, rules): (&Asked, &Rules),
    culprit: usize,
) -> Answer {
    let Some(commit) = history.commit(culprit).map(|commit| commit.id.clone()) else {
        return Answer::NoParent;
    };
    let mut answer = Answer::NoParent;
    for parent in history.parents_of(culprit) {
        bench.console.say(&format!(
            "measuring {} against its parent {} in pairs",
            short(&commit),
            short(parent)
        ));
        let said = match against((bench, &mut *stands), ends, (asked, rules), [parent, &commit]) {
            Ok(Some(said)) => said,
            Ok(None) => return Answer::Interrupted,
            Err(_) if bench.interrupt.is_set() => return Answer::Interrupted,
            Err(error) => Said::open(format!("it could not be measured: {}", in_full(&error))),
        };
        let [of_parent, of_commit] = said.runs;
        answer = Answer::Said {
            confirmed: Confirmed {
                parent: parent.clone(),
                verdict: said.verdict.name().to_owned(),
                headline: said.headline,
            },
            runs: vec![(parent.clone(), of_parent), (commit.clone(), of_commit)],
        };
        // A merge that is as bad as one of its parents did not do it.
        if said.verdict != Verdict::Regression {
            break;
        }
    }
    answer
}

/// The verdict on one check of a commit against its parent, with its reason and the values of both, the parent's first.
struct Said {
    verdict: Verdict,
    headline: String,
    runs: [Vec<f64>; 2],
}

impl Said {
    fn open(headline: String) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            headline,
            runs: [Vec::new(), Vec::new()],
        }
    }
}

fn against(
    (bench, stands): (&Bench<'_>, &mut Stands),
    ends: &Ends,
    rules: (&Asked, &Rules),
    [parent, commit]: [&String; 2],
) -> Result<Option<Said>, CommandError> {
    for built in [stands.anchor.build(bench, parent)?, stands.probe.build(bench, commit)?] {
        match built {
            Ok(_) => {}
            Err(Outcome::Broken(why)) => {
                return Ok(Some(Said::open(format!("it could not be built: {why}"))));
            }
            Err(_) => return Ok(None),
        }
    }
    in_pairs((bench, stands), ends, rules)
}

/// The one check of what stands in both work trees; `None` where somebody asked to stop.
fn in_pairs(
    (bench, stands): (&Bench<'_>, &Stands),
    ends: &Ends,
    (asked, rules): (&Asked, &Rules),
) -> Result<Option<Said>, CommandError> {
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
    let said = match judge.check(&sessions) {
        Some(check) => Said {
            verdict: check.verdict,
            headline: check.explanation.unwrap_or(check.reason),
            runs: values_of(&sessions, (ends.metric, &ends.cell)),
        },
        None => Said::open(judge.0.report(&sessions).headline),
    };
    Ok(Some(said))
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

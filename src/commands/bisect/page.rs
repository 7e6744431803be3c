//! What the page of a search shows.

use super::{History, short};
use crate::{
    git::Commit,
    metric::Metric,
    render::{BisectedCommit, BisectionPage},
    store::Bisection,
};

/// `None` where the ends were not measured.
pub(super) fn of(bisection: &Bisection, history: &History, is_settled: bool) -> Option<BisectionPage> {
    let (ends, found) = (bisection.ends.as_ref()?, bisection.found.as_ref()?);
    let best = found.commits.first()?;
    let headline = if found.is_sharp {
        let what = if is_settled {
            "first bad commit"
        } else {
            "suspected, not confirmed"
        };
        format!("{what}: `{}`, {}", short(&best.commit), best.subject)
    } else {
        format!("not settled: the first bad commit is one of {}", found.commits.len())
    };
    let confirmed = found.confirmed.as_ref();
    let against = confirmed.map(|confirmed| {
        format!(
            "against its parent `{}`: {}. {}",
            short(&confirmed.parent),
            confirmed.verdict,
            confirmed.headline
        )
    });
    let good = BisectedCommit {
        commit: short(&history.good).to_owned(),
        subject: "the good end".to_owned(),
        author: String::new(),
        values: ends.good.clone(),
        chance: None,
        skipped: None,
    };
    let commits = history
        .commits
        .iter()
        .map(|commit| measured(bisection, commit, &ends.bad, &history.bad));
    Some(BisectionPage {
        headline,
        is_settled,
        notes: against
            .into_iter()
            .chain(found.stopped.clone())
            .chain([format!("between the ends: {}", ends.headline)])
            .collect(),
        metric: Metric::from_key(&ends.metric)?,
        cell: ends.cell.clone(),
        commits: std::iter::once(good).chain(commits).collect(),
        git_log: found.git_log.clone(),
    })
}

fn measured(bisection: &Bisection, commit: &Commit, bad: &[f64], bad_end: &str) -> BisectedCommit {
    let runs = bisection
        .runs
        .iter()
        .filter(|run| run.commit == commit.id && !run.is_anchor);
    let at_end = bad.iter().copied().filter(|_| commit.id == bad_end);
    let mut chances = bisection.found.iter().flat_map(|found| &found.chances);
    let chance = chances
        .find(|chance| chance.commit == commit.id)
        .map_or(0.0, |chance| chance.chance);
    let skipped = bisection.skipped.iter().find(|skipped| skipped.commit == commit.id);
    BisectedCommit {
        commit: short(&commit.id).to_owned(),
        subject: commit.subject.clone(),
        author: commit.author.clone(),
        values: runs.map(|run| run.value).chain(at_end).collect(),
        chance: Some(chance),
        skipped: skipped.map(|skipped| skipped.why.lines().next().unwrap_or_default().to_owned()),
    }
}

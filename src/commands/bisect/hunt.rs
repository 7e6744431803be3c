//! Run after run until the commit is found.

use super::{
    Asked, History, Kept, by_git,
    ends::{Ends, scaled},
    seen::Seen,
    short,
    stand::{Bench, Outcome, Place, Stands},
};
use crate::{
    bisect::{Effect, Forecast, Search, Step, Strategy, forecast},
    commands::{CommandError, Console, measure::now_unix_s},
    render,
    store::{CommitChance, Found, Suspect},
};

/// After so many runs the good end is measured again, which shows how the machine drifts (stats.md §9).
const RUNS_BETWEEN_ANCHORS: usize = 4;

/// So often it is measured at once where the machine seems to have moved: one run may be a slow one, and the runs of a short
/// search would be over before three anchors came by in their turn.
const ANCHORS_AT_ONCE: u32 = 3;

/// How commits are chosen, and what that is expected to cost.
pub(super) fn chosen(asked: &Asked, history: &History, ends: &Ends, console: &dyn Console) -> Strategy {
    let of = |strategy| forecast(strategy, history.commits.len(), ends.known.ratio);
    let (Some(bayes), Some(git)) = (of(Strategy::Bayes), of(Strategy::Git)) else {
        return asked.strategy.unwrap_or(Strategy::Bayes);
    };
    let minutes = |forecast: &Forecast| forecast.seconds(ends.build_s, ends.run_s) / 60.0;
    let told = |name: &str, forecast: &Forecast| {
        format!(
            "{name} about {:.0} runs of {:.0} builds, {:.1} minutes, right in {:.0} of 100",
            forecast.runs,
            forecast.builds,
            minutes(forecast),
            forecast.found * 100.0
        )
    };
    let cheaper = if minutes(&bayes) <= minutes(&git) {
        Strategy::Bayes
    } else {
        Strategy::Git
    };
    let strategy = asked.strategy.unwrap_or(cheaper);
    console.say(&format!(
        "the effect is {:.1} times the noise of a run; expected of the search alone, without the confirmation: {}; {}; taking `{}`",
        ends.known.ratio,
        told("`bayes`", &bayes),
        told("`git`", &git),
        strategy.name()
    ));
    strategy
}

/// Finds the commit by what is most likely after each run.
///
/// # Errors
/// What is no commit's fault.
pub(super) fn by_posterior(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    asked: &Asked,
    kept: &mut Kept,
) -> Result<Found, CommandError> {
    let mut hunt = Hunt::of((history, ends), kept)?;
    let stopped = loop {
        let Step::Measure(place) = hunt.search.next() else {
            break hunt.why_not_sharp();
        };
        let Some(commit) = history.commit(place) else {
            break Some("git forgot a commit".to_owned());
        };
        if let Some(why) = why_stop(asked, hunt.runs, bench) {
            break Some(why);
        }
        hunt.anchor_if_due((bench, stands), (history, ends), kept)?;
        let outcome = stands.probe.run(bench, &commit.id, ends.place())?;
        let heard = hunt.heard((place, &commit.id), outcome, (history, ends), (kept, bench.console))?;
        if heard == Heard::Interrupted {
            break Some(INTERRUPTED.to_owned());
        }
    };
    let log = by_git::log(&stands.probe.checkout(), (history, kept), &hunt, asked);
    let log = log.inspect_err(|error| bench.console.warn(&format!("there is no `git bisect log`: {error}")));
    Ok(Found {
        git_log: log.ok(),
        ..found(&hunt.search, history, Strategy::Bayes, stopped)
    })
}

/// What a search says of a stop that somebody asked for.
pub(super) const INTERRUPTED: &str = "interrupted; the same command goes on from here";

/// What a search found, with what git knows of the commits.
pub(super) fn found(search: &Search, history: &History, strategy: Strategy, stopped: Option<String>) -> Found {
    let finding = search.finding();
    let suspects = finding.credible.iter().filter_map(|(place, chance)| {
        let commit = history.commit(*place)?;
        Some(Suspect {
            commit: commit.id.clone(),
            chance: *chance,
            subject: commit.subject.clone(),
            author: commit.author.clone(),
            time_unix_s: commit.time_unix_s,
        })
    });
    let chances = search.chances().into_iter().zip(&history.commits);
    Found {
        strategy: strategy.name().to_owned(),
        commits: suspects.collect(),
        chances: chances
            .map(|(chance, commit)| CommitChance {
                commit: commit.id.clone(),
                chance,
            })
            .collect(),
        is_sharp: finding.is_sharp,
        stopped,
        confirmed: None,
        git_log: None,
    }
}

/// Why no further run begins, in words.
pub(super) fn why_stop(asked: &Asked, runs: usize, bench: &Bench<'_>) -> Option<String> {
    if bench.interrupt.is_set() {
        return Some(INTERRUPTED.to_owned());
    }
    if u32::try_from(runs).is_ok_and(|runs| runs >= asked.max_runs) {
        return Some(format!(
            "{runs} runs were made; the same command with a larger `--max-runs` goes on"
        ));
    }
    let max = asked.max.filter(|_| bench.left().is_some_and(|left| left.is_zero()))?;
    Some(format!(
        "{:.0} minutes are over; the same command goes on",
        max.as_secs_f64() / 60.0
    ))
}

/// What a commit told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Its value.
    Value,
    /// It cannot be measured, and is left out.
    Nothing,
    /// Somebody asked to stop.
    Interrupted,
}

/// A search with its place in the file: after each run it is thought through anew, with all that is known by then of
/// noise and drift.
pub(super) struct Hunt {
    pub(super) search: Search,
    seen: Seen,
    pub(super) runs: usize,
    /// How many runs there were when the good end was last measured.
    anchored_at: usize,
    /// Whether earlier runs are gone on from, and the machine may have moved since.
    is_resumed: bool,
}

impl Hunt {
    /// As far as an earlier one came.
    pub(super) fn of((history, ends): (&History, &Ends), kept: &Kept) -> Result<Self, CommandError> {
        let search = Search::new(history.range.clone(), &history.weights(), ends.known.effect);
        let search = search.ok_or_else(|| CommandError::Usage("there is no commit to search".to_owned()))?;
        let mut hunt = Self {
            search,
            seen: Seen::of(ends),
            runs: 0,
            anchored_at: 0,
            is_resumed: !kept.bisection.runs.is_empty(),
        };
        for run in &kept.bisection.runs {
            let value = scaled(ends.metric, run.value);
            match history.place_of(&run.commit) {
                _ if run.is_anchor => hunt.anchored(value, run.at_unix_s),
                Some(place) => hunt.measured(place, value, run.at_unix_s),
                None => {}
            }
        }
        for skipped in &kept.bisection.skipped {
            if let Some(place) = history.place_of(&skipped.commit) {
                hunt.search.skipped(place);
            }
        }
        Ok(hunt)
    }

    fn measured(&mut self, place: usize, value: f64, at_unix_s: u64) {
        self.runs += 1;
        self.seen.runs.push((Some(place), value, at_unix_s));
        self.think();
    }

    fn anchored(&mut self, value: f64, at_unix_s: u64) {
        self.anchored_at = self.runs;
        self.seen.runs.push((None, value, at_unix_s));
        self.think();
    }

    fn think(&mut self) {
        self.search.begin_again(self.seen.effect());
        for (place, value) in self.seen.corrected() {
            self.search.measured(place, value);
        }
    }

    /// The runs of one commit with the drift taken off, and what tells good from bad by now.
    pub(super) fn of_commit(&self, place: usize) -> (Vec<f64>, Effect) {
        let runs = self.seen.corrected().into_iter().filter(|(of, _)| *of == place);
        (runs.map(|(_, value)| value).collect(), self.seen.effect())
    }

    /// Measures the good end again where it is time: after some runs, and first of all where an earlier search is gone on from;
    /// again at once, where it is not where it was.
    ///
    /// # Errors
    /// What is no commit's fault.
    pub(super) fn anchor_if_due(
        &mut self,
        (bench, stands): (&Bench<'_>, &mut Stands),
        ends: (&History, &Ends),
        kept: &mut Kept,
    ) -> Result<(), CommandError> {
        if !std::mem::take(&mut self.is_resumed) && self.runs - self.anchored_at < RUNS_BETWEEN_ANCHORS {
            return Ok(());
        }
        for _ in 0..ANCHORS_AT_ONCE {
            let is_measured = self.anchor((bench, stands), ends, kept)?;
            if !is_measured || bench.interrupt.is_set() || !self.seen.is_off() {
                break;
            }
        }
        if let Some(told) = self.seen.told() {
            bench.console.say(&told);
        }
        Ok(())
    }

    /// Whether it gave a value.
    fn anchor(
        &mut self,
        (bench, stands): (&Bench<'_>, &mut Stands),
        (history, ends): (&History, &Ends),
        kept: &mut Kept,
    ) -> Result<bool, CommandError> {
        match stands.anchor.run(bench, &history.good, ends.place())? {
            Outcome::Value(value) if value > 0.0 && value.is_finite() => {
                kept.run(&history.good, value, true)?;
                self.anchored(scaled(ends.metric, value), now_unix_s());
                return Ok(true);
            }
            Outcome::Value(_) | Outcome::Interrupted => {}
            Outcome::Broken(why) | Outcome::Spoilt(why) => {
                self.anchored_at = self.runs;
                bench
                    .console
                    .warn(&format!("the good end could not be measured again: {why}"));
            }
        }
        Ok(false)
    }

    /// A commit was measured, or could not be.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn heard(
        &mut self,
        (place, commit): (usize, &str),
        outcome: Outcome,
        (history, ends): (&History, &Ends),
        (kept, console): (&mut Kept, &dyn Console),
    ) -> Result<Heard, CommandError> {
        let why = match outcome {
            Outcome::Value(value) if value > 0.0 && value.is_finite() => {
                kept.run(commit, value, false)?;
                self.measured(place, scaled(ends.metric, value), now_unix_s());
                console.say(&self.told(place, value, (history, ends)));
                return Ok(Heard::Value);
            }
            Outcome::Value(value) => format!("its value is {value}"),
            Outcome::Broken(why) | Outcome::Spoilt(why) => why,
            Outcome::Interrupted => return Ok(Heard::Interrupted),
        };
        self.skip((place, commit), &why, kept, console)?;
        Ok(Heard::Nothing)
    }

    /// # Errors
    /// The file cannot be written.
    pub(super) fn skip(
        &mut self,
        (place, commit): (usize, &str),
        why: &str,
        kept: &mut Kept,
        console: &dyn Console,
    ) -> Result<(), CommandError> {
        let why = in_a_line(why);
        console.say(&format!("{} is left out: {why}", short(commit)));
        self.search.skipped(place);
        kept.skipped(commit, &why)
    }

    pub(super) fn told(&self, place: usize, value: f64, (history, ends): (&History, &Ends)) -> String {
        let commit = history.commit(place).map_or("", |commit| short(&commit.id));
        let finding = self.search.finding();
        let best = finding
            .credible
            .first()
            .and_then(|(place, chance)| Some((history.commit(*place)?, chance)));
        let best = best.map_or_else(String::new, |(commit, chance)| {
            format!(
                "; the first bad one is {} with {:.0} %",
                short(&commit.id),
                chance * 100.0
            )
        });
        format!(
            "run {}: {commit} ({} of {}): {} {}{best}",
            self.runs,
            place + 1,
            history.commits.len(),
            ends.metric.label(),
            render::figure(ends.metric, value),
        )
    }

    pub(super) fn why_not_sharp(&self) -> Option<String> {
        (!self.search.finding().is_sharp)
            .then(|| "no commit that can be measured would tell more: those between do not build or start".to_owned())
    }
}

/// Its first line, and what it leads up to: the last line of a log.
fn in_a_line(why: &str) -> String {
    let mut lines = why.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default().trim_end();
    match lines.next_back().filter(|_| first.ends_with(':')) {
        Some(last) => format!("{first} {}", last.trim()),
        None => first.to_owned(),
    }
}

impl Ends {
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            metric: self.metric,
            cell: &self.cell,
        }
    }
}

//! `perfgate gate --ab`: baseline and candidate measured in alternation, judged at planned looks.
//!
//! | file | what lives there |
//! |---|---|
//! | `sides.rs` | the two arms: session, load generator, server |
//! | `building.rs` | what is built before the first server is started |
//! | `pairs.rs` | pair after pair until a look settles it, time is up, or somebody stops it |
//! | `attempt.rs` | one pair of every cell, measured again where it was disturbed |
//! | `neighbours.rs` | who else is on the GPU |
//! | `resting.rs` | whether the arm that is not measured rests |
//! | `cell.rs`, `blocks.rs` | whole runs, or blocks of both arms in alternation |
//! | `budget.rs` | what it costs |
//! | `files.rs` | the two session files |

mod attempt;
mod blocks;
pub(super) mod budget;
pub(super) mod building;
mod cell;
pub(super) mod few;
mod files;
mod neighbours;
mod pairs;
mod resting;
mod sides;

use std::borrow::Cow;

use self::files::Files;
pub(super) use self::{blocks::BOTH_UP, resting::held_requests};
pub use self::{
    pairs::{Follow, measure},
    sides::Wanted,
};
use super::{
    CommandError, Console, Done, gate,
    present::{self, Format, Screen},
    reference, run, runner,
    trust::{self, Rules},
};
use crate::{
    compare::{Background, PairNoise, compare, fingerprint::Fingerprint},
    config::Resolved,
    load::Interrupt,
    measure as metrics,
    plan::{Load, Secrets},
    report::{self, Reference, Report},
    session::{CellRuns, Ended, Measured, Run, Session},
    stats::moments::mean,
    verdict::{Action, Check, Difference, Verdict, can_settle, differences, is_settled},
};

/// Measures both arms pair by pair, judges them, and writes both sessions, `result.json` and `report.{json,md,html}`.
///
/// # Errors
/// When an arm is missing, the measurement cannot begin, or a file cannot be written.
pub fn gate(
    rules: &Rules,
    secrets: Secrets,
    form: (Format, Screen),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    let resolved = &rules.resolved;
    let wanted = wanted(resolved, secrets)?;
    // An older verdict must not be taken for this one's, should this one not come to an end.
    present::remove_files(&gate::report_dir(resolved))?;
    let mut gate = Gate {
        files: Files::claim(&resolved.settings.output, &rules.guard)?,
        rules,
        pair_noise: PairNoise::default(),
        console,
    };
    let [baseline, candidate] = runner::measure_arms(resolved, &wanted, &mut gate, (console, interrupt))?;
    let clean = |session: &Session| rules.guard.session(session, console).map(Cow::into_owned);
    let sessions = [clean(&baseline)?, clean(&candidate)?];
    for reason in gate.files.write(&sessions)? {
        console.warn(&reason);
    }
    if let Some(stopped) = interrupted(&sessions, &gate.files.names()) {
        return Ok(stopped);
    }
    let [old, new] = gate.files.names();
    let [baseline, candidate] = sessions;
    let measured = Measured {
        candidate,
        baseline: Some(baseline),
        provenance: rules.provenance.clone(),
        profiles: Vec::new(),
    };
    let mut report = trust::judge_pairs(&measured, [&old, &new], rules, &[], Some(&gate.pair_noise))?;
    if let Some(baseline) = &measured.baseline {
        gate.remember_noise(baseline, &measured.candidate, &report);
        report.warnings.extend(gate.creep(baseline, &report));
    }
    gate::finish(&measured, &report, (rules, form), console)
}

fn wanted(resolved: &Resolved, secrets: Secrets) -> Result<Wanted<'_>, CommandError> {
    let no_arms = "an A/B measurement needs two arms; give `arms.baseline` and `arms.candidate` a `url` or a `command`, \
                   or `--baseline-url` and `--candidate-url`";
    let no_arms = || CommandError::Usage(no_arms.to_owned());
    Ok(Wanted {
        plan: resolved.plan.clone(),
        alternation: resolved.alternation.clone(),
        arms: resolved.arms.clone().ok_or_else(no_arms)?,
        secrets,
        dataset_dir: &resolved.settings.dataset_dir,
        idle_answers: resolved.settings.idle_answers.clone(),
        log_dir: resolved.settings.output.with_extension("logs"),
        commit: resolved.settings.commit.clone(),
        built: resolved.settings.built.clone(),
        withholds_secrets: false,
    })
}

/// Keeps both sessions in their files, and judges them.
struct Gate<'a> {
    files: Files,
    rules: &'a Rules,
    /// What earlier A/B measurements showed of it.
    pair_noise: PairNoise,
    console: &'a dyn Console,
}

impl Gate<'_> {
    fn report(&self, [baseline, candidate]: &[Session; 2]) -> Report {
        let [baseline_name, candidate_name] = &self.files.names();
        let reference = Reference {
            pair_noise: Some(&self.pair_noise),
            ..Reference::alone(baseline_name, baseline)
        };
        report::build(
            Some(&reference),
            (candidate_name, candidate),
            &self.rules.resolved.policy,
        )
    }
}

impl Gate<'_> {
    /// What the baseline's arm shows against the pinned session of the same fingerprint: pairs tell what one change did,
    /// and not how far many small ones have come.
    fn creep(&self, baseline: &Session, report: &Report) -> Vec<String> {
        if report.verdict == Verdict::Invalid {
            return Vec::new();
        }
        match reference::creep(&self.rules.baselines, baseline, &self.rules.resolved.policy) {
            Ok(told) => told.into_iter().map(|told| format!("baseline: {told}")).collect(),
            Err(error) => vec![format!("slow creep was not checked: {}", run::in_full(&error))],
        }
    }

    /// Later measurements know how far apart these pairs lay, whatever the verdict: it does not depend on a change.
    ///
    /// No pull request adds to what the baselines stand on: pairs that it made noisy would hide what it does.
    fn remember_noise(&self, baseline: &Session, candidate: &Session, report: &Report) {
        let died = metrics::deaths(baseline) + metrics::deaths(candidate) > 0;
        let is_sound = !died && !matches!(report.verdict, Verdict::Invalid | Verdict::Incomparable);
        if !is_sound || self.rules.trusted.is_some() {
            return;
        }
        let comparison = compare(
            &metrics::measure(baseline),
            &metrics::measure(candidate),
            &Background::default(),
        );
        let id = candidate.pairing.as_ref().map_or("", |pairing| &pairing.id);
        let PairNoise(variances) = PairNoise::of(&comparison, id, candidate.started_unix_s);
        if variances.is_empty() {
            return;
        }
        let print = Fingerprint::of(candidate);
        let store = &self.rules.baselines;
        let kept = store.add_pair_noise(&print.plan_hash(), &print.machine_hash(), &variances);
        if let Err(error) = kept {
            self.console.warn(&format!(
                "{}; the noise of these pairs is not kept",
                run::in_full(&error)
            ));
        }
    }
}

impl Follow for Gate<'_> {
    fn begin(&mut self, sessions: &[Session; 2]) -> Result<bool, CommandError> {
        let [baseline, candidate] = sessions;
        self.pair_noise = reference::pair_noise(&self.rules.baselines, candidate)?;
        let policy = &self.rules.resolved.policy;
        if let Some(told) = few::none_can_be_judged(candidate, policy) {
            self.console.warn(&told);
        }
        let differences = differences(baseline, candidate, policy);
        Ok(differences.iter().all(Difference::is_allowed))
    }

    fn run_s(&self, [_, candidate]: &[Session; 2]) -> Vec<Option<f64>> {
        // A store that cannot be read tells no time, and is not needed for more.
        let found = reference::find(
            &self.rules.baselines,
            candidate,
            &self.rules.resolved.policy,
            &reference::any,
        )
        .ok()
        .flatten();
        let cells = found.as_ref().map_or(&[][..], |found| &found.session.cells);
        let cell = |load: &Load| cells.iter().find(|cell| cell.load == *load);
        let loads = candidate.cells.iter().map(|wanted| &wanted.load);
        loads
            .map(|load| mean(&cell(load)?.runs.iter().filter_map(lasted_s).collect::<Vec<_>>()))
            .collect()
    }

    fn on_pair(&mut self, sessions: &[Session; 2]) {
        self.files.keep(sessions, self.console);
    }

    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String> {
        why_stop(&self.report(sessions)).map(str::to_owned)
    }
}

/// How long a run lasted in seconds.
fn lasted_s(run: &Run) -> Option<f64> {
    run.client.map(|client| client.wall_s)
}

/// Why more pairs could tell no more, if so.
pub(super) fn why_stop(report: &Report) -> Option<&'static str> {
    let blocking = report.checks.iter().filter(|check| check.action == Action::Block);
    let blocking: Vec<Check> = blocking.cloned().collect();
    if report.checks.is_empty() {
        return Some("no further pair can change the verdict");
    }
    if is_settled(&report.checks) {
        return Some("every blocking check is settled");
    }
    (!blocking.is_empty() && !can_settle(&blocking)).then_some("no further pair can settle what is open")
}

/// What is said of a measurement that Ctrl-C ended; no file is named that it did not write.
fn interrupted([old, new]: &[Session; 2], [baseline, candidate]: &[String; 2]) -> Option<Done> {
    let cells = || old.cells.iter().zip(&new.cells);
    let is_whole = |(old, new): (&CellRuns, &CellRuns)| {
        let mut runs = old.runs.iter();
        runs.any(|run| new.runs.iter().any(|other| other.repeat == run.repeat))
    };
    let text = if cells().any(is_whole) {
        format!("not judged; `perfgate compare {baseline} {candidate}` judges the pairs that are whole\n")
    } else if cells().any(|(old, new)| !(old.runs.is_empty() && new.runs.is_empty())) {
        format!("not judged, as no pair is whole; what was measured is in `{baseline}` and `{candidate}`\n")
    } else {
        "not judged, as no run is whole; no session was written\n".to_owned()
    };
    let cut = [old, new].iter().any(|session| session.ended == Ended::Interrupted);
    cut.then_some(Done {
        text,
        exit_code: run::UNUSABLE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, in_pairs, session},
        metric::Metric,
        verdict::{Gate as Rule, Limit, Policy},
    };

    #[test]
    fn an_interrupted_measurement_names_only_files_that_it_wrote() {
        let runs = [Figures::default(); 2];
        let (mut old, mut new) = in_pairs(&session(&[16], &runs), &session(&[16], &runs));
        let names = ["a.json".to_owned(), "b.json".to_owned()];
        let said = |old: &Session, new: &Session| {
            let told = interrupted(&[old.clone(), new.clone()], &names);
            told.map(|done| (done.text, done.exit_code))
        };
        assert_eq!(said(&old, &new), None);
        new.ended = Ended::Interrupted;
        let whole = "not judged; `perfgate compare a.json b.json` judges the pairs that are whole\n";
        assert_eq!(said(&old, &new), Some((whole.to_owned(), 4)));
        new.cells[0].runs.clear();
        let half = "not judged, as no pair is whole; what was measured is in `a.json` and `b.json`\n";
        assert_eq!(said(&old, &new), Some((half.to_owned(), 4)));
        old.cells[0].runs.clear();
        let nothing = "not judged, as no run is whole; no session was written\n";
        assert_eq!(said(&old, &new), Some((nothing.to_owned(), 4)));
    }

    #[test]
    fn a_share_that_lacks_requests_is_measured_on_as_long_as_pairs_bring_enough() {
        let stop = |requests: u32| {
            let runs = [Figures {
                requests,
                ..Figures::default()
            }; 3];
            let mut met = session(&[16], &runs);
            met.plan.slo.ttft_ms = Some(1000.0);
            let (old, new) = in_pairs(&met, &met);
            let gate = Rule {
                limit: Limit::Relative(0.05),
                action: Action::Block,
                requires: None,
            };
            let policy = Policy {
                gates: [(Metric::SloAttainment, gate)].into_iter().collect(),
                ..Policy::default()
            };
            let report = report::build(Some(&Reference::alone("a", &old)), ("b", &new), &policy);
            why_stop(&report)
        };
        assert_eq!(stop(25), None, "75 of 78 requests");
        assert_eq!(stop(26), Some("every blocking check is settled"));
        assert_eq!(
            stop(4),
            Some("no further pair can settle what is open"),
            "48 at the last look"
        );
    }

    #[test]
    fn a_run_that_lacks_a_blocking_figure_ends_the_measurement_and_is_told() {
        let runs: Vec<Figures> = [0.999, 1.0, 1.001]
            .map(|factor| Figures {
                tpot_ms: 10.0 * factor,
                ..Figures::default()
            })
            .into();
        let (old, mut new) = in_pairs(&session(&[16], &runs), &session(&[16], &runs));
        let judged = |new: &Session| report::build(Some(&Reference::alone("a", &old)), ("b", new), &Policy::default());
        assert_eq!(why_stop(&judged(&new)), Some("every blocking check is settled"));
        for record in &mut new.cells[0].runs[1].requests {
            record.first_token_ns = record.last_token_ns;
        }
        let report = judged(&new);
        assert_eq!((report.verdict, report.exit_code), (Verdict::Inconclusive, 3));
        assert_eq!(why_stop(&report), Some("no further pair can settle what is open"));
        assert!(
            report.headline.contains(
                "no value in 1 of 3 runs of the candidate (run 2: in 200 of 200 answers all tokens arrived at once"
            ),
            "{}",
            report.headline
        );
    }
}

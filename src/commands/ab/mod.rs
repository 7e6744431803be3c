//! `perfgate gate --ab`: baseline and candidate measured in alternation, judged at planned looks.
//!
//! | file | what lives there |
//! |---|---|
//! | `sides.rs` | the two arms: session, load generator, server |
//! | `pairs.rs` | pair after pair until a look settles it, time is up, or somebody stops it |
//! | `cell.rs` | one pair of one cell |
//! | `files.rs` | the two session files |

mod cell;
mod files;
mod pairs;
mod sides;

use std::path::Path;

use self::files::Files;
pub use self::{
    pairs::{Follow, measure},
    sides::Wanted,
};
use super::{
    CommandError, Console, Done, gate,
    present::{self, Format, Screen},
    run,
};
use crate::{
    config::Resolved,
    load::Interrupt,
    plan::Secrets,
    report::{self, Reference, Report},
    session::{Ended, Session},
    verdict::{Policy, Verdict},
};

/// Measures both arms pair by pair, judges them, and writes both sessions and `report.{json,md,html}`.
///
/// # Errors
/// When an arm is missing, the measurement cannot begin, or a file cannot be written.
pub fn gate(
    resolved: &Resolved,
    secrets: Secrets,
    (format, screen): (Format, Screen),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    let folder = gate::report_dir(resolved);
    let log_dir = resolved.settings.output.with_extension("logs");
    let wanted = wanted(resolved, secrets, &log_dir)?;
    // An older verdict must not be taken for this one's, should this one not come to an end.
    present::remove_files(&folder)?;
    let mut gate = Gate {
        files: Files::claim(&resolved.settings.output)?,
        policy: &resolved.policy,
        console,
    };
    let sessions = measure(&wanted, &mut gate, console, interrupt)?;
    for reason in gate.files.write(&sessions)? {
        console.warn(&reason);
    }
    if let Some(stopped) = interrupted(&sessions, &gate.files.names()) {
        return Ok(stopped);
    }
    let report = gate.report(&sessions);
    for path in present::write_files(&report, &folder)? {
        console.say(&format!("wrote `{}`", path.display()));
    }
    Ok(Done {
        text: present::text(&report, format, screen)?,
        exit_code: report.exit_code,
    })
}

fn wanted<'a>(resolved: &'a Resolved, secrets: Secrets, log_dir: &'a Path) -> Result<Wanted<'a>, CommandError> {
    let no_arms = || {
        CommandError::Usage(
            "an A/B measurement needs two arms; give `arms.baseline` and `arms.candidate` a `url` or a `command`, \
             or `--baseline-url` and `--candidate-url`"
                .to_owned(),
        )
    };
    Ok(Wanted {
        plan: resolved.plan.clone(),
        alternation: resolved.alternation.clone(),
        arms: resolved.arms.clone().ok_or_else(no_arms)?,
        secrets,
        dataset_dir: &resolved.settings.dataset_dir,
        log_dir,
        commit: resolved.settings.commit.clone(),
    })
}

/// Keeps both sessions in their files, and judges them.
struct Gate<'a> {
    files: Files,
    policy: &'a Policy,
    console: &'a dyn Console,
}

impl Gate<'_> {
    fn report(&self, [baseline, candidate]: &[Session; 2]) -> Report {
        let [baseline_name, candidate_name] = &self.files.names();
        let reference = Reference::alone(baseline_name, baseline);
        report::build(Some(&reference), (candidate_name, candidate), self.policy)
    }
}

impl Follow for Gate<'_> {
    fn on_pair(&mut self, sessions: &[Session; 2]) {
        self.files.keep(sessions, self.console);
    }

    fn is_settled(&mut self, sessions: &[Session; 2]) -> bool {
        self.report(sessions).verdict != Verdict::Inconclusive
    }
}

/// What is said of a measurement that Ctrl-C ended.
fn interrupted(sessions: &[Session; 2], [baseline, candidate]: &[String; 2]) -> Option<Done> {
    let cut = sessions.iter().any(|session| session.ended == Ended::Interrupted);
    cut.then(|| Done {
        text: format!("not judged; `perfgate compare {baseline} {candidate}` judges the pairs that are whole\n"),
        exit_code: run::UNUSABLE,
    })
}

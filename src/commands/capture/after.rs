//! Which cell of a gate is profiled, and on which arms.

use std::{fs, path::Path, time::Duration};

use super::{Subject, Wanted, capture, files, joined, ways::Engine};
use crate::{
    commands::{
        Console, Done, gate,
        present::{Format, REPORT_FILE, RESULT_FILE, Screen},
        served,
        trust::Rules,
    },
    config::Measure,
    load::Interrupt,
    plan::{ArmPlace, Secrets},
    render,
    report::{Check, Report},
    session::{Measured, Session},
    store,
    verdict::{Action, Evidence, Verdict},
};

/// The arms of a gate.
const ARMS: [&str; 2] = ["baseline", "candidate"];

/// After a gate that blocks, or asks for a profile: profiles the worst cell on both arms. The answer is the gate's own in any
/// case; what was stored is added where it is for people, and said where it is not.
pub fn after_gate(
    done: Done,
    (rules, secrets, (format, screen)): (&Rules, Secrets, (Format, Screen)),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Done {
    if interrupt.is_set() {
        return done;
    }
    let folder = gate::report_dir(&rules.resolved);
    files::forget(&folder, &ARMS);
    let told = match read(&folder) {
        Ok(Some(worst)) => {
            // What is said line by line has no colours.
            let screen = if format == Format::Terminal {
                screen
            } else {
                Screen::default()
            };
            let told = profiled(&worst, (rules, secrets, screen), console, interrupt);
            joined::add((&worst.measured, &worst.cell), &folder, (&rules.guard, console));
            told
        }
        Ok(None) => return done,
        Err(why) => {
            console.warn(&format!("nothing is profiled: {why}"));
            return done;
        }
    };
    if format != Format::Terminal {
        told.lines().for_each(|line| console.say(line));
        return done;
    }
    Done {
        text: format!("{}\n\n{told}", done.text.trim_end()),
        exit_code: done.exit_code,
    }
}

/// The cell that got worse.
struct Worst {
    cell: String,
    measured: Measured,
    /// Whether a warning still asks for a profile.
    is_owed: bool,
}

/// What is to be profiled; `None` where nothing got worse.
fn read(folder: &Path) -> Result<Option<Worst>, String> {
    let text = fs::read_to_string(folder.join(REPORT_FILE)).map_err(|error| error.to_string())?;
    let report = render::read_report(&text).map_err(|error| error.to_string())?;
    let Some(check) = worst(&report) else {
        return Ok(None);
    };
    let measured = store::read_measured(&folder.join(RESULT_FILE)).map_err(|error| error.to_string())?;
    let mut owed = report
        .obligations
        .iter()
        .filter(|owed| owed.requires == Evidence::Profile);
    Ok(Some(Worst {
        cell: check.cell.clone(),
        measured,
        is_owed: owed.any(|owed| owed.settled.is_none()),
    }))
}

/// Checks come worst first.
fn worst(report: &Report) -> Option<&Check> {
    let asks = |check: &&Check| check.action == Action::Block || check.requires == Some(Evidence::Profile);
    let mut checks = report
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Regression);
    checks.find(asks)
}

/// The place of an arm, started as it was for the commit that was measured.
fn built(name: &str, place: &ArmPlace, session: Option<&Session>, commit: Option<&str>) -> ArmPlace {
    let ArmPlace::Command(launch) = place else {
        return place.clone();
    };
    let commit = commit.or_else(|| session.and_then(|session| session.commit.as_deref()));
    served::at_commit((name, launch), commit).map_or_else(|_| place.clone(), ArmPlace::Command)
}

fn profiled(
    Worst {
        cell,
        measured,
        is_owed,
    }: &Worst,
    (rules, secrets, screen): (&Rules, Secrets, Screen),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> String {
    let resolved = &rules.resolved;
    let arms = resolved.arms.as_ref().filter(|_| resolved.measure == Measure::Ab);
    let built_commit = resolved.settings.built.as_deref();
    let subject = |name: &'static str, place: &ArmPlace, session: Option<&Session>| Subject {
        name,
        place: built(name, place, session, built_commit.filter(|_| name == "candidate")),
        engine: session.map(engine_of).unwrap_or_default(),
    };
    let candidate = Some(&measured.candidate);
    let mut subjects = Vec::new();
    if let Some(arms) = arms {
        subjects.push(subject("baseline", &arms.baseline, measured.baseline.as_ref()));
        subjects.push(subject("candidate", &arms.candidate, candidate));
    } else {
        let url = || ArmPlace::Url(resolved.plan.target.url.clone());
        let place = served::own(resolved).map_or_else(url, |(_, launch)| ArmPlace::Command(launch.clone()));
        subjects.push(subject("candidate", &place, candidate));
    }
    let is_alone = subjects.len() == 1;
    let wanted = Wanted {
        plan: &resolved.plan,
        cell,
        profiling: &resolved.profiling,
        subjects,
        secrets,
        dataset_dir: &resolved.settings.dataset_dir,
        idle_answers: resolved.settings.idle_answers.clone(),
        start_timeout: arms
            .or_else(|| served::own(resolved).map(|(arms, _)| arms))
            .map_or(Duration::ZERO, |arms| arms.start_timeout),
        withholds_secrets: false,
        folder: gate::report_dir(resolved),
        log_dir: &resolved.settings.output.with_extension("logs"),
        guard: &rules.guard,
        screen,
    };
    let mut told = capture(&wanted, console, interrupt);
    if *is_owed {
        told.push_str(
            "a warning asks for a profile: `perfgate profile attach FILE` gives the candidate's to the result\n",
        );
    }
    if is_alone {
        told.push_str("the baseline is a stored session, and no server to profile; `gate --ab` profiles both\n");
    }
    told
}

pub(in crate::commands) fn engine_of(session: &Session) -> Engine {
    Engine {
        name: session.environment.engine_name.clone(),
        version: session.environment.engine_version.clone(),
    }
}

//! `perfgate check`: whether what runs now is slower than what is stored, in the exit codes of `git bisect run`.

use std::path::Path;

use super::{
    CommandError, Console, Done, reference,
    run::{self, Measured},
    trust::{self, Lineage, Rules},
};
use crate::{
    load::Interrupt,
    measure::client_was_bottleneck,
    metric::Metric,
    plan::Secrets,
    report::{Check, Report},
    session::{Ended, Session},
    target::TargetError,
    verdict::Verdict,
};

/// Not slower: `git bisect run` calls the commit good.
pub const NOT_SLOWER: u8 = 0;
/// Slower: it calls it bad.
pub const SLOWER: u8 = 1;
/// It cannot be told of this commit: it leaves it out.
pub const UNTOLD: u8 = 125;
/// It is no commit's fault: it stops.
pub const OURS: u8 = 128;

/// What is asked.
pub struct Asked<'a> {
    /// Session or baseline file; `None`: the stored baseline that is named or fits.
    pub against: Option<&'a Path>,
    /// The metric that decides; `None`: all gated ones.
    pub metric: Option<Metric>,
    /// The cell that decides; `None`: all.
    pub cell: Option<&'a str>,
}

/// Measures and judges.
///
/// # Errors
/// What [`code`] says of it.
pub fn check(
    asked: &Asked<'_>,
    (rules, secrets): (&Rules, Secrets),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    trust::tell(rules.trusted.as_ref(), console);
    let policy = &rules.resolved.policy;
    refuse_ungated(asked, rules)?;
    // Read before anything is built or measured, so that a bad one costs nothing.
    let named = rules.resolved.settings.baseline.as_deref();
    match (asked.against, named) {
        (Some(path), _) => drop(reference::file(path, None, policy)?),
        (None, Some(name)) => drop(reference::named(&rules.baselines, name, None, policy, &reference::any)?),
        (None, None) => {}
    }
    let measured = run::measure_to_file(&rules.resolved, (secrets, &rules.guard), console, interrupt)?;
    if let Some(told) = unusable(&measured) {
        return Ok(told);
    }
    let candidate = &measured.session;
    let lineage = Lineage::of(rules)?;
    let found = match asked.against {
        Some(path) => Some(reference::file(path, Some(candidate), policy)?),
        None => reference::meant(&rules.baselines, named, candidate, policy, &|commit| {
            lineage.kin(commit)
        })?,
    };
    let name = measured.path.display().to_string();
    let report = reference::judge(found.as_ref(), (&name, candidate), policy);
    report.warnings.iter().for_each(|warning| console.warn(warning));
    Ok(told(asked, &report))
}

/// The exit code of trouble: a commit that does not build, start or answer is left out, and everything else stops the search.
pub const fn code(error: &CommandError) -> u8 {
    match error {
        CommandError::Target(
            TargetError::NotStarted { .. }
            | TargetError::Ended { .. }
            | TargetError::NotReady { .. }
            | TargetError::NoAnswer { .. }
            | TargetError::NotReset { .. }
            | TargetError::BuildNotStarted { .. }
            | TargetError::BuildFailed { .. },
        ) => UNTOLD,
        _ => OURS,
    }
}

/// A metric without a limit is slower for nobody.
fn refuse_ungated(asked: &Asked<'_>, rules: &Rules) -> Result<(), CommandError> {
    let gates = &rules.resolved.policy.gates;
    match asked.metric.filter(|metric| !gates.contains_key(metric)) {
        None => Ok(()),
        Some(metric) => Err(CommandError::Usage(format!(
            "{} has no limit, so that nothing is slower by it; give it one with `--gate {}=5%`",
            metric.label(),
            metric.key()
        ))),
    }
}

/// What a measurement says that carries no verdict.
fn unusable(measured: &Measured) -> Option<Done> {
    let session = &measured.session;
    let is_ours = session.ended == Ended::Interrupted || client_was_too_slow(session);
    let trouble = run::trouble(measured)?;
    let invalid = session.ended != Ended::Complete || measured.invalid.is_some();
    invalid.then(|| {
        if is_ours {
            done("stopped", &trouble, OURS)
        } else {
            done("not told", &trouble, UNTOLD)
        }
    })
}

fn client_was_too_slow(session: &Session) -> bool {
    let mut cells = session.cells.iter();
    cells.any(|cell| {
        let mut runs = cell.runs.iter();
        runs.any(|run| client_was_bottleneck(session, &cell.load, run).is_some())
    })
}

fn told(asked: &Asked<'_>, report: &Report) -> Done {
    let is_asked = |check: &&Check| {
        asked.metric.is_none_or(|metric| check.metric == metric) && asked.cell.is_none_or(|cell| check.cell == cell)
    };
    let of_report = match report.verdict {
        Verdict::Incomparable | Verdict::NoBaseline => return done("stopped", &report.headline, OURS),
        Verdict::Invalid => return done("not told", &report.headline, UNTOLD),
        verdict => verdict,
    };
    if asked.metric.is_none() && asked.cell.is_none() {
        return by(of_report, &report.headline);
    }
    let mut checks: Vec<&Check> = report.checks.iter().filter(is_asked).collect();
    let Some(worst) = checks.iter().map(|check| rank(check.verdict)).max() else {
        return done("stopped", "no check of the plan is the one that was asked for", OURS);
    };
    checks.retain(|check| rank(check.verdict) == worst);
    let first = checks.first().map(|check| {
        let figure = check.explanation.as_deref().unwrap_or(&check.reason);
        (
            check.verdict,
            format!("{} at {}: {figure}", check.metric.label(), check.cell),
        )
    });
    first.map_or_else(|| done("not told", "", UNTOLD), |(verdict, words)| by(verdict, &words))
}

/// What decides where several checks are asked for: one that is slower, then one that is open.
const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Regression => 2,
        Verdict::Improvement | Verdict::Pass => 0,
        _ => 1,
    }
}

fn by(verdict: Verdict, words: &str) -> Done {
    match rank(verdict) {
        2 => done("slower", words, SLOWER),
        0 => done("not slower", words, NOT_SLOWER),
        _ => done("not told", words, UNTOLD),
    }
}

fn done(what: &str, words: &str, exit_code: u8) -> Done {
    Done {
        text: format!("{what}: {words}\n"),
        exit_code,
    }
}

//! The two verdicts of a comparison, a sentence each, and what a reader must know beside them.

use super::words::{by_ms, megabytes, ms, phase_name, share};
use crate::{
    op_table::{
        Clock,
        diff::{Diff, PhaseDiff, TimeDiff, Told},
    },
    render::format,
};

/// More phases than this have no time of their own in the sentence.
const MOST_PHASES: usize = 3;

/// What is done: exact.
pub(super) fn structure(diff: &Diff) -> String {
    let rows: usize = diff.phases.iter().map(|phase| phase.structure.changes.len()).sum();
    let differing = |phase: &&PhaseDiff| !phase.structure.is_same() || !phase.has_same_passes();
    let phases: Vec<String> = diff.phases.iter().filter(differing).map(name).collect();
    if diff.is_same_structure() {
        return match diff.unsteady_rows() {
            0 => "the same operators and kernels, as often (exact)".to_owned(),
            unsteady => format!(
                "the same operators and kernels, as often, but for {} in which one side does not agree with itself",
                plural(unsteady, "row")
            ),
        };
    }
    let how = if diff.has_exact_change() { "exact" } else { "not steady" };
    let mut told = Vec::new();
    if rows > 0 {
        told.push(format!("{} differ", plural(rows as u64, "row")));
    } else if !phases.is_empty() {
        told.push("the order or the number of passes differs".to_owned());
    }
    if !diff.alone.is_empty() {
        let count = plural(diff.alone.len() as u64, "phase");
        told.push(format!("{count} on one side only"));
    }
    let place = if phases.is_empty() {
        String::new()
    } else {
        format!(" in {}", listed(&phases))
    };
    let moved = moved(diff).map_or_else(String::new, |moved| format!("; allocated in a step: {moved} MB"));
    format!("changed{place}: {}{moved} ({how})", told.join(", "))
}

/// Bytes allocated in a step of all phases together.
fn moved(diff: &Diff) -> Option<String> {
    let bytes = diff.phases.iter().map(|phase| phase.allocated_bytes);
    let all: Option<Vec<[f64; 2]>> = bytes.collect();
    let all = all?
        .into_iter()
        .fold([0.0; 2], |all, own| [all[0] + own[0], all[1] + own[1]]);
    // Steps of passes are not one another's: their bytes do not add up.
    let text = megabytes(Some(all));
    (diff.phases.len() == 1 || diff.cut == crate::op_table::Cut::ProfilerSteps)
        .then_some(text)
        .filter(|text| !text.is_empty())
}

/// How long it takes, as far as the captures tell.
pub(super) fn time(diff: &Diff) -> String {
    let (first, rest) = super::diff::timed(diff);
    if first.is_empty() {
        return "not compared".to_owned();
    }
    let phases: Vec<String> = first
        .iter()
        .take(MOST_PHASES)
        .map(|(phase, time)| of_phase(phase, time))
        .collect();
    let more = first.len() + rest.len() - phases.len();
    let more = match more {
        0 => String::new(),
        more => format!("; {} with a smaller change", plural(more as u64, "more phase")),
    };
    let judged = if diff.captures() > 1 {
        "judged at 95 % by the spread between captures"
    } else {
        "a side has one capture, so not significant"
    };
    format!("{}{more} ({judged})", phases.join("; "))
}

fn of_phase(phase: &PhaseDiff, time: &TimeDiff) -> String {
    let [good, bad] = time.wall.as_ref().map_or_else(
        || {
            let rows = time.rows.iter().map(|row| row.values.means());
            rows.fold([0.0; 2], |all, own| [all[0] + own[0], all[1] + own[1]])
        },
        crate::op_table::diff::Values::means,
    );
    let told = match time.wall_told {
        Told::OneCapture => "",
        Told::Nothing => ", within what captures of one side differ",
        Told::Waiting => ", not judged, as gaps of over 50 ms between steps differ",
        Told::Slower(..) => ", slower",
        Told::Faster(..) => ", faster",
    };
    let change = bad / good - 1.0;
    let percent = if change.is_finite() {
        format!(", {}", format::percent(change))
    } else {
        String::new()
    };
    let name = name(phase);
    let by = by_ms(time.change_ms());
    format!("{name} {} → {} ms a step ({by} ms{percent}){told}", ms(good), ms(bad))
}

/// What a reader must know, in sentences: what the rows are, cautions, what was left out, how much can be told.
pub(in super::super) fn notes(diff: &Diff) -> Vec<String> {
    let first = format!("{}; {}", diff.source.name(), level(diff));
    [first].into_iter().chain(cautions(diff)).collect()
}

/// The same without what the rows are.
pub(super) fn cautions(diff: &Diff) -> Vec<String> {
    let mut lines = diff.cautions.clone();
    for alone in &diff.alone {
        let side = if alone.is_bad { "bad" } else { "good" };
        lines.push(format!(
            "{} is not in all captures of the other side, {} in {side}: it is left out",
            phase_name(alone.phase, alone.batch.as_deref()),
            plural(alone.steps, "step")
        ));
    }
    if diff.captures() == 1 && diff.phases.iter().any(|phase| phase.time.is_some()) {
        lines.push(
            "a side has one capture: times are shown, and nothing is said of them; two a side tell what is noise"
                .to_owned(),
        );
    }
    lines
}

/// What the rows of time are, and why.
pub(super) fn level(diff: &Diff) -> String {
    let rows = diff.level.name();
    match (diff.clock, diff.attributed_ratio) {
        (Clock::Host, _) => format!("times are of {rows} on the host, without those that they called"),
        (_, Some(ratio)) => format!(
            "times are of {rows} on the device; of {} of the device time the operator is known",
            share(ratio)
        ),
        _ => format!("times are of {rows} on the device"),
    }
}

/// `12 steps`, or `12 and 14 steps`.
pub(super) fn steps(phase: &PhaseDiff) -> String {
    match phase.steps {
        [good, bad] if good == bad => plural(good, "step"),
        [good, bad] => format!("{good} and {bad} steps"),
    }
}

fn name(phase: &PhaseDiff) -> String {
    phase_name(phase.phase, phase.batch.as_deref())
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        _ => plural(names.len() as u64, "phase"),
    }
}

/// `1 step`, `2 steps`.
pub(super) fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

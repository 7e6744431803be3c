//! The sentences and numbers of profiles.

use super::verdicts::plural;
use crate::{
    op_table::{
        Clock, Inputs, Phase,
        diff::{Change, Changed, Counted, Diff, Idle, PhaseDiff, TimeDiff, TimeRow, Told},
    },
    render::escape::cut,
    verdict::wording::signed,
};

/// Milliseconds (`19.50`), as many decimals as tell something.
pub(super) fn ms(value: f64) -> String {
    signed(value, decimals(value), false)
}

/// A change of milliseconds (`+19.50`).
pub(super) fn by_ms(value: f64) -> String {
    signed(value, decimals(value), true)
}

fn decimals(value: f64) -> usize {
    match value.abs() {
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        size if size < 5e-5 => 0,
        _ => 4,
    }
}

/// Calls in a step: whole, or with one decimal.
pub(super) fn count(value: f64) -> String {
    let is_whole = (value - value.round()).abs() < 1e-9;
    signed(value, usize::from(!is_whole), false)
}

/// `32 → 128`, or `32` where both are the same.
pub(super) fn counts([good, bad]: [f64; 2]) -> String {
    let (good, bad) = (count(good), count(bad));
    if good == bad { good } else { format!("{good} → {bad}") }
}

/// Bytes of both sides in megabytes (`76.8 → 330.5`); empty where neither has any.
pub(super) fn megabytes(bytes: Option<[f64; 2]>) -> String {
    let Some([good, bad]) = bytes.filter(|bytes| bytes.iter().any(|bytes| *bytes > 0.0)) else {
        return String::new();
    };
    let text = |bytes: f64| {
        let size = bytes / 1e6;
        signed(size, if size >= 10.0 { 1 } else { 3 }, false)
    };
    let (good, bad) = (text(good), text(bad));
    if good == bad { good } else { format!("{good} → {bad}") }
}

/// A share without decimals (`92 %`).
pub(super) fn share(ratio: f64) -> String {
    format!("{} %", signed(ratio * 100.0, 0, false))
}

/// `decode (2 requests)`.
pub(in super::super) fn phase_name(phase: Phase, batch: Option<&str>) -> String {
    match batch {
        Some(batch) => format!("{} ({batch})", phase.name()),
        None => phase.name().to_owned(),
    }
}

/// So many rows of a phase have a sentence of their own.
const MOST_ROWS: usize = 3;

/// What differs most, or that nothing does; the largest change of all steps first.
pub(in super::super) fn headlines(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    if diff.is_same_structure() {
        let but = match diff.unsteady_rows() {
            0 => String::new(),
            unsteady => format!(
                ", but for {} in which one side does not agree with itself",
                plural(unsteady, "row")
            ),
        };
        lines.push(format!(
            "no structural change: the same {} in every phase{but}",
            what_is_alike(diff)
        ));
    }
    let mut sized: Vec<(f64, String)> = diff.phases.iter().flat_map(|phase| of_phase(diff, phase)).collect();
    sized.sort_by(|a, b| b.0.total_cmp(&a.0));
    lines.extend(sized.into_iter().map(|(_, line)| line));
    lines
}

/// Whether inputs were recorded; where they were not, nothing is said of them.
fn has_shapes(diff: &Diff) -> bool {
    diff.cautions.iter().all(|caution| !caution.starts_with("shapes"))
}

/// That a phase does the same in another order.
pub(super) fn reordered(diff: &Diff, name: &str) -> String {
    let inputs = if has_shapes(diff) {
        " and with the same inputs"
    } else {
        ""
    };
    format!("{name}: the same, as often{inputs}, in another order")
}

fn what_is_alike(diff: &Diff) -> &'static str {
    match (diff.clock, has_shapes(diff)) {
        (Clock::Host, true) => "operators, as often, with the same inputs, in the same order",
        (Clock::Host, false) => "operators, as often, in the same order",
        (_, true) => "operators and kernels, as often, with the same inputs and launch shapes",
        (_, false) => "operators and kernels, as often, with the same launch shapes",
    }
}

/// Lines, each with the milliseconds that it tells of over all steps of the phase.
fn of_phase(diff: &Diff, phase: &PhaseDiff) -> Vec<(f64, String)> {
    let name = phase_name(phase.phase, phase.batch.as_deref());
    let steps = phase.steps.into_iter().min().unwrap_or(0);
    let steps = u32::try_from(steps).map_or(f64::MAX, f64::from);
    let mut lines = Vec::new();
    if let Some(time) = &phase.time {
        let rows = time.foremost().into_iter().take(MOST_ROWS);
        let rows = rows.map(|row| (row.values.change(), of_row(&name, phase, time, row)));
        let idle = time
            .foremost_idle()
            .into_iter()
            .map(|idle| (idle.values.change(), of_idle(&name, time, idle)));
        lines.extend(rows.chain(idle));
        if lines.is_empty() && time.wall_told.is_something() {
            let line = format!(
                "{name}: {} ms a step, {}",
                by_ms(time.change_ms()),
                told(time.wall_told)
            );
            lines.push((time.change_ms(), line));
        }
    }
    match phase.structure.changes.first() {
        Some(change) if lines.is_empty() && change.is_steady => {
            let place = place(&name, &change.row.region);
            lines.push((0.0, format!("{place}: {} {}", code(&change.row.name), said(change))));
        }
        None if phase.structure.is_reordered => {
            lines.push((0.0, reordered(diff, &name)));
        }
        _ => {}
    }
    lines.into_iter().map(|(ms, line)| (ms.abs() * steps, line)).collect()
}

/// `decode, layer/attn: aten::copy_ 32 → 128 calls, +19.50 ms a step, explains 91 % of the change`.
fn of_row(name: &str, phase: &PhaseDiff, time: &TimeDiff, row: &TimeRow) -> String {
    let change = phase.structure.changes.iter().find(|change| change.row == row.row);
    let what = change.map_or_else(|| format!("{} as before", calls(row.calls[0], "call")), said);
    let by = row.values.change();
    format!(
        "{}: {} {what}, {} ms a step{}{}",
        place(name, &row.row.region),
        code(&row.row.name),
        by_ms(by),
        explains(time, by),
        doubt(row.told)
    )
}

fn of_idle(name: &str, time: &TimeDiff, idle: &Idle) -> String {
    let by = idle.values.change();
    format!(
        "{name}: {}, {} gaps, {} ms a step{}{}",
        idle.cause.name(),
        counts(idle.gaps),
        by_ms(by),
        explains(time, by),
        doubt(idle.told)
    )
}

fn explains(time: &TimeDiff, by_ms: f64) -> String {
    let share_of = time.share_of_change(by_ms).filter(|share| *share <= 1.5);
    share_of.map_or_else(String::new, |share_of| {
        format!(", explains {} of the change", share(share_of))
    })
}

const fn doubt(told: Told) -> &'static str {
    match told {
        Told::OneCapture => " (one capture a side: seen, not judged)",
        Told::Nothing => " (within what captures of one side differ)",
        Told::Waiting => " (not judged: gaps of over 50 ms between steps differ)",
        _ => "",
    }
}

/// `1 call`, `32 calls`, `32 launches`.
fn calls(number: f64, word: &str) -> String {
    let is_one = (number - 1.0).abs() < 1e-9;
    let end = match (is_one, word.ends_with("ch")) {
        (true, _) => "",
        (false, true) => "es",
        (false, false) => "s",
    };
    format!("{} {word}{end}", count(number))
}

fn place(phase: &str, region: &str) -> String {
    if region.is_empty() {
        phase.to_owned()
    } else {
        format!("{phase}, {region}")
    }
}

fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

/// How a row differs, in words.
pub(in super::super) fn said(change: &Change) -> String {
    let word = match change.counted {
        Counted::Operator => "call",
        Counted::Kernel | Counted::Family => "launch",
    };
    let [good, bad] = change.calls;
    let how = match &change.changed {
        Changed::New => format!("is new, {}", calls(bad, word)),
        Changed::Gone => format!("is gone, {} before", calls(good, word)),
        Changed::Calls => format!("{} → {}", count(good), calls(bad, word)),
        Changed::LaunchShape => format!("{} of another shape", calls(bad, word)),
        Changed::Inputs(inputs) => {
            let one = |inputs: &Option<Inputs>| {
                let text = inputs
                    .as_ref()
                    .map(|inputs| format!("{} {}", inputs.dims, inputs.types));
                text.map_or_else(|| "–".to_owned(), |text| cut(&text, MOST_SIGNS))
            };
            let [good, new] = &**inputs;
            format!("{} with other inputs: {} → {}", calls(bad, word), one(good), one(new))
        }
        Changed::Bytes => of_bytes(change, word),
    };
    let doubt = if change.is_steady { "" } else { NOT_STEADY };
    format!("{how}{doubt}")
}

/// Behind a change that is not exact.
pub(super) const NOT_STEADY: &str = " (not steady)";

/// `4 launches of other sizes, moved: 1.000 → 64.0 MB`.
fn of_bytes(change: &Change, word: &str) -> String {
    let both = [("moved", change.moved_bytes), ("allocated", change.allocated_bytes)];
    let told = both.into_iter().filter_map(|(what, bytes)| {
        let [good, bad] = bytes.filter(|[good, bad]| (good - bad).abs() > 1e-9)?;
        let text = megabytes(bytes);
        Some(if text.contains('→') {
            format!("{what}: {text} MB")
        } else {
            format!("{what}: {} bytes", counts([good, bad]))
        })
    });
    let told: Vec<String> = told.collect();
    let [_, number] = change.calls;
    let calls = if number > 0.0 {
        format!("{} of other sizes, ", calls(number, word))
    } else {
        String::new()
    };
    format!("{calls}{}", told.join(", "))
}

/// Names and inputs are shown so far.
pub(super) const MOST_SIGNS: usize = 80;

/// What the captures tell of a time, short.
pub(in super::super) fn told(told: Told) -> String {
    match told {
        Told::OneCapture => String::new(),
        Told::Nothing => "~".to_owned(),
        Told::Waiting => "not judged: long gaps".to_owned(),
        Told::Slower(low, high) => format!("slower ({} … {})", by_ms(low), by_ms(high)),
        Told::Faster(low, high) => format!("faster ({} … {})", by_ms(low), by_ms(high)),
    }
}

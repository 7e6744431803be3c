//! The page of a comparison: what differs, exact; how long it takes, as far as the captures tell; what comes next.

use super::{
    routine, rows,
    sections::{Head, Section, Table},
    verdicts::{self, plural},
    words::{MOST_SIGNS, NOT_STEADY, by_ms, counts, headlines, megabytes, ms, phase_name, reordered, said},
};
use crate::{
    op_table::diff::{Change, Counted, Diff, PhaseDiff, TimeDiff},
    render::escape::cut,
};

/// So many phases have their times row by row; of more, the wall times are listed.
const MOST_PHASES: usize = 4;

pub(super) fn sections(diff: &Diff, most: usize) -> Vec<Section> {
    let mut all = vec![head(diff), structure(diff, most)];
    all.extend(times(diff, most));
    all.push(memory(diff));
    all.push(routine::of_diff(diff));
    all.retain(|section| section.table.is_some() || !section.lines.is_empty());
    all
}

fn head(diff: &Diff) -> Section {
    let [good, bad] = diff.names.each_ref().map(|names| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    });
    let mut lines = vec![format!("good: {good}"), format!("bad:  {bad}")];
    lines.push(format!("{}; {}", diff.source.name(), verdicts::level(diff)));
    lines.extend(verdicts::cautions(diff).iter().map(|note| format!("note: {note}")));
    lines.push(String::new());
    lines.extend(headlines(diff));
    Section {
        lines,
        ..Section::default()
    }
}

fn structure(diff: &Diff, most: usize) -> Section {
    let all: usize = diff.phases.iter().map(|phase| phase.structure.changes.len()).sum();
    let differing = || diff.phases.iter().filter(|phase| !phase.structure.changes.is_empty());
    let each = (most / differing().count().max(1)).max(3);
    let rows = differing().flat_map(|phase| {
        let changes = phase.structure.changes.iter().take(each);
        changes.map(move |change| change_row(phase, change))
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let title = match (diff.is_same_structure(), diff.has_exact_change()) {
        (true, _) if diff.unsteady_rows() == 0 => "Structure: the same (exact)",
        (true, _) => "Structure: no change that is steady",
        (_, true) => "Structure: changed (exact)",
        (_, false) => "Structure: changed (not steady)",
    };
    let mut notes = Vec::new();
    if all > rows.len() {
        notes.push(format!("and {} more (`--wide`, `--format json`)", all - rows.len()));
    }
    let lines = structure_lines(diff, &rows);
    Section {
        title: title.to_owned(),
        lines,
        table: (!rows.is_empty()).then_some(Table {
            heads: vec![
                Head::Name("Phase"),
                Head::Name("Where"),
                Head::Name("What"),
                Head::Name("Change, in a step"),
                Head::Number("Moved MB"),
                Head::Number("Allocated MB"),
            ],
            rows,
        }),
        notes,
    }
}

/// What is told of the structure beside its rows.
fn structure_lines(diff: &Diff, rows: &[Vec<String>]) -> Vec<String> {
    let mut lines = Vec::new();
    for phase in &diff.phases {
        let name = phase_name(phase.phase, phase.batch.as_deref());
        if !phase.has_same_passes() {
            let passes = counts(phase.passes);
            lines.push(format!(
                "{name}: {passes} passes in a step: the two sides did not do the same work"
            ));
        }
        if phase.structure.is_reordered {
            lines.push(reordered(diff, &name));
        }
        if phase.structure.unsteady > 0 {
            lines.push(format!(
                "{name}: {} differ between captures of one side already, or from step to step, and tell nothing of the other",
                plural(phase.structure.unsteady, "row")
            ));
        }
    }
    if rows.is_empty() && lines.is_empty() {
        lines.push("as often, with the same inputs and bytes: one capture of each side tells".to_owned());
    }
    if rows.iter().flatten().any(|cell| cell.ends_with(NOT_STEADY)) {
        lines.push(
            "what is not steady differs between captures of one side already, or from step to step, and yet from all of the other \
             side's"
                .to_owned(),
        );
    }
    lines
}

pub(super) fn change_row(phase: &PhaseDiff, change: &Change) -> Vec<String> {
    let kind = match change.counted {
        Counted::Operator => "",
        Counted::Kernel => "kernel ",
        Counted::Family => "kernels: ",
    };
    vec![
        phase_name(phase.phase, phase.batch.as_deref()),
        change.row.region.clone(),
        format!("{kind}{}", cut(&change.row.name, MOST_SIGNS)),
        said(change),
        megabytes(change.moved_bytes),
        megabytes(change.allocated_bytes),
    ]
}

fn times(diff: &Diff, most: usize) -> Vec<Section> {
    let (first, rest) = timed(diff);
    let mut sections: Vec<Section> = first
        .iter()
        .map(|(phase, time)| phase_times(diff, phase, time, most))
        .collect();
    if let (Some(section), false) = (sections.last_mut(), rest.is_empty()) {
        for (phase, time) in rest {
            section.notes.push(format!(
                "{}: {} ms a step",
                phase_name(phase.phase, phase.batch.as_deref()),
                by_ms(time.change_ms())
            ));
        }
    }
    sections
}

type Timed<'a> = (&'a PhaseDiff, &'a TimeDiff);

/// Phases with times, the largest change of all steps first: those that are shown row by row, and the rest.
pub(super) fn timed(diff: &Diff) -> (Vec<Timed<'_>>, Vec<Timed<'_>>) {
    let mut timed: Vec<Timed<'_>> = diff
        .phases
        .iter()
        .filter_map(|phase| phase.time.as_ref().map(|time| (phase, time)))
        .collect();
    let weight = |(phase, time): &Timed<'_>| {
        let steps = phase.steps.into_iter().min().unwrap_or(0);
        time.change_ms().abs() * u32::try_from(steps).map_or(f64::MAX, f64::from)
    };
    timed.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let least = timed.first().map_or(0.0, |one| 0.01 * weight(one));
    let is_worth = |one: &&Timed<'_>| weight(one) >= least;
    let shown = timed.iter().take(MOST_PHASES).filter(is_worth).count();
    let rest = timed.split_off(shown);
    (timed, rest)
}

fn phase_times(diff: &Diff, phase: &PhaseDiff, time: &TimeDiff, most: usize) -> Section {
    let name = phase_name(phase.phase, phase.batch.as_deref());
    let judged = if diff.captures() > 1 {
        "judged by the spread between captures"
    } else {
        "one capture a side: not judged"
    };
    let steps = verdicts::steps(phase);
    Section {
        title: format!("Time: {name}, {steps}; {judged}"),
        table: Some(Table {
            heads: vec![
                Head::Name("Where"),
                Head::Name("What"),
                Head::Number("Good ms"),
                Head::Number("Bad ms"),
                Head::Number("Change"),
                Head::Number("Share"),
                Head::Number("Calls"),
                Head::Name("Told (95 %)"),
            ],
            rows: rows::of(time, most).iter().map(rows::Line::cells).collect(),
        }),
        notes: accounts(phase, time),
        ..Section::default()
    }
}

/// The change by its kinds, which add up to it.
pub(super) fn accounts(phase: &PhaseDiff, time: &TimeDiff) -> Vec<String> {
    let unsteady_ms = time.unsteady_rows_ms();
    let unsteady = if unsteady_ms.abs() < 1e-9 {
        String::new()
    } else {
        format!(
            "{} in rows whose calls differ between captures of one side already, ",
            by_ms(unsteady_ms)
        )
    };
    let mut notes = vec![format!(
        "{} ms a step = {} in rows whose structure differs, {} in rows that do the same as before, {unsteady}{} without work, {} by \
         what runs at the same time",
        by_ms(time.change_ms()),
        by_ms(time.changed_rows_ms()),
        by_ms(time.same_rows_ms()),
        by_ms(time.idle_ms()),
        by_ms(time.overlap_ms())
    )];
    if let (Some(wall), [good, bad]) = (&time.wall, phase.passes)
        && (good - 1.0).abs() + (bad - 1.0).abs() > 1e-9
    {
        let [good_ms, bad_ms] = wall.means();
        notes.push(format!(
            "a pass: {} → {} ms ({} passes in a step)",
            ms(good_ms / good),
            ms(bad_ms / bad),
            counts(phase.passes)
        ));
    }
    let exposed = [
        ("copies", time.exposed_copy_ms),
        ("communication", time.exposed_communication_ms),
    ];
    for (what, [good, bad]) in exposed {
        if good > 0.0 || bad > 0.0 {
            notes.push(format!("{what} that nothing hid: {} → {} ms a step", ms(good), ms(bad)));
        }
    }
    if let Some(band) = time.band_ms {
        notes.push(format!(
            "between two captures of one side, no row differs by more than {} ms",
            ms(band)
        ));
    }
    notes
}

fn memory(diff: &Diff) -> Section {
    let mut lines = Vec::new();
    for phase in &diff.phases {
        let bytes = megabytes(phase.allocated_bytes);
        if !bytes.is_empty() {
            lines.push(format!(
                "{}: {bytes} MB allocated in a step",
                phase_name(phase.phase, phase.batch.as_deref())
            ));
        }
    }
    if let Some(peaks) = diff.peak_bytes {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 bytes")]
        let peaks = peaks.map(|bytes| bytes as f64);
        lines.push(format!("peak: {} MB", megabytes(Some(peaks))));
    }
    Section {
        title: "Memory".to_owned(),
        lines,
        ..Section::default()
    }
}

//! The page of one capture.

use std::collections::BTreeMap;

use super::{
    routine,
    sections::{Head, Section, Table},
    words::{count, ms, phase_name, share},
};
use crate::{
    op_table::{
        Clock, Cut, Family, Graphs, IdleCause, OpTable, PhaseTable, Timeline,
        diff::{Level, Row, level_of, times_of},
        ratio,
    },
    render::escape::cut,
};

pub(super) fn sections(table: &OpTable, most: usize) -> Vec<Section> {
    let mut all = vec![head(table)];
    all.extend(table.phases.iter().map(|phase| phase_section(table, phase, most)));
    all.push(routine::of_capture(table));
    all
}

fn head(table: &OpTable) -> Section {
    let mut lines = vec![format!("`{}`: {}", table.name, what(table))];
    let mut facts = Vec::new();
    let known = |word: &str, is_on: Option<bool>| {
        is_on.map(|is_on| format!("{word} {}", if is_on { "recorded" } else { "not recorded" }))
    };
    facts.extend(known("shapes", table.mode.shapes));
    facts.extend(known("allocations", table.mode.memory));
    facts.extend(known("stacks", table.mode.stacks));
    match table.mode.graphs {
        Graphs::None => {}
        Graphs::Nodes => facts.push("CUDA graphs kernel by kernel".to_owned()),
        Graphs::Whole => facts.push("CUDA graphs as a whole: the kernels in them are not seen".to_owned()),
    }
    if !facts.is_empty() {
        lines.push(facts.join(", "));
    }
    if let Some(ratio) = table.attributed_ratio() {
        lines.push(format!("of {} of the device time the operator is known", share(ratio)));
    }
    if table.left_out.events > 0 {
        lines.push(format!(
            "{} events ({} ms) were launched outside of its steps, and are left out",
            table.left_out.events,
            ms(in_ms(table.left_out.time_ns, 1))
        ));
    }
    if let Some(peak) = table.peak_bytes {
        lines.push(format!("peak of allocated memory: {} MB", megabytes(peak, 1)));
    }
    lines.extend(table.notes.iter().map(|note| format!("note: {note}")));
    Section {
        lines,
        ..Section::default()
    }
}

fn what(table: &OpTable) -> String {
    let clock = match table.clock {
        Clock::Device => "times of the device",
        Clock::Host => "times of the host",
        Clock::Replayed => "times of kernels that were run again and again, which hold against one another alone",
    };
    let steps = match table.cut {
        Cut::ProfilerSteps => "cut by the profiler's steps",
        Cut::Passes => "cut by passes of the model",
        Cut::WholeFile => "no steps are marked: all of it is one",
    };
    let mut parts = vec![table.source.name().to_owned()];
    parts.extend(table.engine.clone());
    parts.extend((!table.devices.is_empty()).then(|| table.devices.join(" + ")));
    parts.extend([clock.to_owned(), steps.to_owned()]);
    parts.join(", ")
}

fn phase_section(table: &OpTable, phase: &PhaseTable, most: usize) -> Section {
    let level = level_of(table);
    let times = times_of(phase, (level, table.clock));
    let total: u64 = times.values().map(|(time_ns, _)| *time_ns).sum();
    let mut rows: Vec<(Row, (u64, u64))> = times.into_iter().collect();
    rows.sort_by_key(|(row, (time_ns, calls))| (u64::MAX - time_ns, u64::MAX - calls, row.clone()));
    let hidden = rows.len().saturating_sub(most);
    let limits = limits(phase, level);
    let cells = rows.into_iter().take(most).map(|(row, (time_ns, calls))| {
        let limit = limits.get(&row.name).cloned().unwrap_or_default();
        vec![
            row.region,
            cut(&row.name, 90),
            ms(in_ms(time_ns, phase.steps)),
            if total > 0 {
                share(ratio(time_ns, total))
            } else {
                String::new()
            },
            count(ratio(calls, phase.steps)),
            limit,
        ]
    });
    let rows: Vec<Vec<String>> = cells.collect();
    let mut notes = Vec::new();
    if hidden > 0 {
        notes.push(format!("and {hidden} more (`--wide`, `--format json`)"));
    }
    notes.extend(families(phase, total));
    let count_of = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    Section {
        title: format!(
            "{}: {}, {}",
            phase_name(phase.phase, phase.batch.as_deref()),
            count_of(phase.steps, "step", "steps"),
            count_of(phase.passes, "pass", "passes")
        ),
        lines: phase
            .time
            .as_ref()
            .map(|time| time_lines(time, phase))
            .unwrap_or_default(),
        table: Some(Table {
            heads: vec![
                Head::Name("Where"),
                Head::Name(if level == Level::Operator { "Operator" } else { "Kernel" }),
                Head::Number("ms a step"),
                Head::Number("Share"),
                Head::Number("Calls"),
                Head::Name("Held back by"),
            ],
            rows,
        }),
        notes,
    }
}

/// The time of a step and its parts, which add up to it.
fn time_lines(time: &Timeline, phase: &PhaseTable) -> Vec<String> {
    let of = |ns: u64| ms(in_ms(ns, phase.steps));
    let mut parts = vec![format!("{} busy", of(time.compute_ns))];
    if time.exposed_communication_ns > 0 {
        parts.push(format!(
            "{} communication that nothing hid",
            of(time.exposed_communication_ns)
        ));
    }
    if time.exposed_copy_ns > 0 {
        parts.push(format!("{} copies that nothing hid", of(time.exposed_copy_ns)));
    }
    for (cause, gaps) in &time.idle {
        parts.push(format!(
            "{} {} ({} gaps)",
            of(gaps.time_ns),
            cause.name(),
            count(ratio(gaps.count, phase.steps))
        ));
    }
    let mut lines = vec![format!("{} ms a step = {}", of(time.wall_ns), parts.join(" + "))];
    if time.between_steps_ns > 0 {
        lines.push(format!(
            "of the idle time, {} ms lie between two steps",
            of(time.between_steps_ns)
        ));
    }
    if let Some(waiting) = time.idle.get(&IdleCause::Waiting) {
        lines.push(format!(
            "over 50 ms between two steps ({} times, {} ms in all), the server waited for requests or its host stalled: a profile \
             does not tell which",
            waiting.count,
            ms(in_ms(waiting.time_ns, 1))
        ));
    }
    if let Some(memory) = phase.memory {
        lines.push(format!(
            "{} MB in {} allocations a step",
            megabytes(memory.allocated_bytes, phase.steps),
            count(ratio(memory.allocations, phase.steps))
        ));
    }
    lines
}

/// What holds each kernel back, where that was measured.
fn limits(phase: &PhaseTable, level: Level) -> BTreeMap<String, String> {
    let measured = phase
        .kernels
        .iter()
        .filter_map(|kernel| kernel.speed_of_light.map(|light| (kernel, light)));
    let named = measured.map(|(kernel, light)| {
        let name = match (level, &kernel.op) {
            (Level::Operator, Some(op)) => op.clone(),
            _ => crate::op_table::short_name(&kernel.name),
        };
        let limit = light.limit();
        (name, format!("{}: {}", limit.name(), limit.advice()))
    });
    named.collect()
}

/// The shares of the sorts of kernels.
fn families(phase: &PhaseTable, total: u64) -> Option<String> {
    let mut times: BTreeMap<Family, u64> = BTreeMap::new();
    for kernel in &phase.kernels {
        *times.entry(kernel.family).or_default() += kernel.time_ns;
    }
    let mut times: Vec<(Family, u64)> = times.into_iter().filter(|(_, time_ns)| *time_ns > 0).collect();
    times.sort_by_key(|(family, time_ns)| (u64::MAX - time_ns, *family));
    let parts: Vec<String> = times
        .iter()
        .map(|(family, time_ns)| format!("{} {}", family.name(), share(ratio(*time_ns, total.max(1)))))
        .collect();
    (!parts.is_empty()).then(|| format!("sorts of kernels: {}", parts.join(", ")))
}

fn in_ms(ns: u64, steps: u64) -> f64 {
    ratio(ns, steps.max(1)) / 1e6
}

fn megabytes(bytes: u64, steps: u64) -> String {
    super::words::megabytes(Some([ratio(bytes, steps.max(1)); 2]))
}

//! Whether captures may be held against one another, and what to say where not.

use super::super::{Clock, Cut, Graphs, IdleCause, OpTable, Source};

/// Captures that cannot be compared, with the reasons in sentences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reasons.join("; "))]
pub struct Incomparable {
    /// Why not, each with what to do.
    pub reasons: Vec<String>,
}

/// What all captures have in common.
pub(super) struct Common {
    pub(super) source: Source,
    pub(super) clock: Clock,
    pub(super) cut: Cut,
    /// Whether their times may be compared.
    pub(super) are_times: bool,
    pub(super) cautions: Vec<String>,
}

/// Holds the captures' modes against one another.
pub(super) fn check(sides: [&[OpTable]; 2]) -> Result<Common, Incomparable> {
    let all: Vec<&OpTable> = sides.into_iter().flatten().collect();
    let (Some(first), false) = (all.first(), sides.iter().any(|side| side.is_empty())) else {
        return Err(Incomparable {
            reasons: vec!["each side needs a capture".to_owned()],
        });
    };
    let mut reasons = Vec::new();
    for other in all.iter().skip(1) {
        reasons.extend(against(first, other));
    }
    reasons.extend(sides.iter().flat_map(|side| twice(side)));
    reasons.dedup();
    if !reasons.is_empty() {
        return Err(Incomparable { reasons });
    }
    let are_times = all.iter().all(|table| table.mode.stacks == first.mode.stacks) || first.clock == Clock::Replayed;
    Ok(Common {
        source: first.source,
        clock: first.clock,
        cut: first.cut,
        are_times,
        cautions: cautions(&all, are_times),
    })
}

/// Why two captures cannot be compared.
fn against(one: &OpTable, other: &OpTable) -> Vec<String> {
    let [left, right] = [one, other].map(|table| format!("`{}`", table.name));
    if one.source != other.source {
        return vec![format!(
            "{left} is of {}, {right} of {}: capture both with one profiler, in one form",
            one.source.name(),
            other.source.name()
        )];
    }
    let mut reasons = Vec::new();
    if one.clock != other.clock {
        let with = |is_device: bool| if is_device { "has work on a device" } else { "has none" };
        let is_device = |table: &OpTable| table.clock == Clock::Device;
        reasons.push(format!(
            "{left} {}, {right} {}: record CPU and GPU on both sides",
            with(is_device(one)),
            with(is_device(other))
        ));
    }
    if let (Some(here), Some(there)) = (one.mode.shapes, other.mode.shapes)
        && here != there
    {
        let state = |is_on| if is_on { "with" } else { "without" };
        reasons.push(format!(
            "{left} was recorded {} shapes of inputs, {right} {}: recording them costs time, and what is not recorded cannot be \
             compared; set `record_shapes` alike on both sides",
            state(here),
            state(there)
        ));
    }
    let graphs = [one.mode.graphs, other.mode.graphs];
    if graphs.contains(&Graphs::Whole) && graphs[0] != graphs[1] {
        let word = |graphs: Graphs| match graphs {
            Graphs::Whole => "as a whole",
            Graphs::Nodes => "kernel by kernel",
            Graphs::None => "not at all",
        };
        reasons.push(format!(
            "{left} shows CUDA graphs {}, {right} {}: kernels that one side does not see would read as gone; record both with \
             `--cuda-graph-trace=node`",
            word(graphs[0]),
            word(graphs[1])
        ));
    }
    if one.cut != other.cut {
        let word = |cut| match cut {
            Cut::ProfilerSteps => "steps of the profiler",
            Cut::Passes => "passes of the model",
            Cut::WholeFile => "no steps at all",
        };
        reasons.push(format!(
            "{left} marks {}, {right} {}: record both in the same way",
            word(one.cut),
            word(other.cut)
        ));
    }
    reasons
}

/// The same capture twice would look like two that agree.
fn twice(side: &[OpTable]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, one) in side.iter().enumerate() {
        let again = side.iter().skip(place + 1).find(|other| other.phases == one.phases);
        if let Some(other) = again {
            found.push(format!(
                "`{}` and `{}` are the same capture: one measured twice tells no spread; capture again",
                one.name, other.name
            ));
        }
    }
    found
}

fn cautions(all: &[&OpTable], are_times: bool) -> Vec<String> {
    let own = |table: &&OpTable| {
        let name = table.name.clone();
        let told = table.notes.clone().into_iter();
        told.map(move |note| format!("`{name}`: {note}"))
    };
    let mut found: Vec<String> = all.iter().flat_map(own).collect();
    let differs = |of: fn(&OpTable) -> String| {
        let mut values: Vec<String> = all.iter().map(|table| of(table)).collect();
        for value in values.iter_mut().filter(|value| value.is_empty()) {
            value.push_str("one without a name");
        }
        values.sort();
        values.dedup();
        (values.len() > 1).then(|| values.join(", "))
    };
    if let Some(devices) = differs(|table| table.devices.join(" + ")) {
        found.push(format!(
            "captured on different devices ({devices}): times compare the devices as much as the code"
        ));
    }
    if !are_times {
        found.push(
            "Python's stacks were recorded in some captures only, which slows the host: times are not compared"
                .to_owned(),
        );
    }
    if all
        .iter()
        .any(|table| table.mode.memory != all.first().and_then(|first| first.mode.memory))
    {
        found.push("allocations were recorded in some captures only: they are not compared".to_owned());
    }
    if all.iter().all(|table| table.mode.shapes == Some(false)) {
        found.push(
            "shapes of inputs were not recorded: a change of shape or type does not show; set `record_shapes`"
                .to_owned(),
        );
    }
    let graphs = |wanted| all.iter().any(|table| table.mode.graphs == wanted);
    if graphs(Graphs::None) && graphs(Graphs::Nodes) {
        found.push("only some captures launch CUDA graphs, whose kernels have no operator".to_owned());
    }
    if all.iter().any(|table| waits(table)) {
        found.push(
            "steps include gaps of over 50 ms between two of them, as a cause of idle time of its own: the server waited for \
             requests, or its host stalled, which a profile does not tell apart; under the same steady load on both sides it is the \
             host"
                .to_owned(),
        );
    }
    if graphs(Graphs::Whole) {
        found.push("CUDA graphs are recorded as a whole: what changed inside of one does not show".to_owned());
    }
    found
}

/// Whether long gaps between two steps are in it.
fn waits(table: &OpTable) -> bool {
    let mut times = table.phases.iter().filter_map(|phase| phase.time.as_ref());
    times.any(|time| time.idle.contains_key(&IdleCause::Waiting))
}

/// Both sides have phases, and none in common.
pub(super) fn no_common_phase(sides: [&[OpTable]; 2]) -> Incomparable {
    let named = |side: &[OpTable]| {
        let mut names: Vec<String> = side
            .iter()
            .flat_map(|table| &table.phases)
            .map(|phase| match &phase.batch {
                Some(batch) => format!("{} ({batch})", phase.phase.name()),
                None => phase.phase.name().to_owned(),
            })
            .collect();
        names.sort();
        names.dedup();
        names.join(", ")
    };
    Incomparable {
        reasons: vec![format!(
            "no phase with the same batch is in all captures: good has {}, bad {}; send the same requests on both sides, with the \
             same seed",
            named(sides[0]),
            named(sides[1])
        )],
    }
}

//! Chrome traces of `torch.profiler` (Kineto): vLLM's and `SGLang`'s profilers write them, on NVIDIA, AMD and CPUs.
//!
//! `marks` says what names of ranges mean, `windows` which time belongs to which phase, `nesting` what lies inside of what, `work`
//! who launched what, `rows` counts. Host and user names, which a trace holds, are not kept.

mod args;
mod events;
pub(super) mod marks;
mod moved;
mod nesting;
mod rows;
mod windows;
mod work;

use std::{collections::BTreeSet, path::Path};

use serde::Deserialize;

use self::{
    events::{Bad, Events},
    nesting::Nesting,
    rows::Rows,
    windows::Windows,
    work::{Works, host_timelines},
};
use super::{
    ProfileError,
    json::{self, Broken, Cursor},
};
use crate::op_table::{CaptureMode, Clock, Cut, LeftOut, OpTable, Phase, Source, of_several};

/// A trace as it stands.
#[derive(Default)]
struct Trace<'a> {
    events: Events<'a>,
    devices: &'a [u8],
    /// Keys that torch.profiler alone writes.
    is_of_torch: bool,
    has_events: bool,
    /// What vLLM adds.
    vllm_version: Option<&'a [u8]>,
}

/// Reads a trace.
///
/// # Errors
/// It is cut off, is no trace of torch.profiler, or holds neither operators nor kernels.
pub(super) fn read(path: &Path, text: &[u8]) -> Result<OpTable, ProfileError> {
    let trace = parse(path, text)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let hint = stage_of(&name);
    table(path, name, &trace, hint)
}

fn parse<'a>(path: &Path, text: &'a [u8]) -> Result<Trace<'a>, ProfileError> {
    let unknown = || ProfileError::Unknown { path: path.to_owned() };
    let mut cursor = Cursor::new(text);
    if cursor.peek().ok() != Some(b'{') {
        return Err(unknown());
    }
    let mut trace = Trace::default();
    let read = cursor.object::<Bad>(|key, cursor| {
        match key {
            b"traceEvents" => {
                trace.has_events = true;
                cursor.list(|cursor| trace.events.read(cursor))?;
            }
            b"deviceProperties" => {
                trace.is_of_torch = true;
                trace.devices = cursor.value()?;
            }
            b"vllm_version" => trace.vllm_version = Some(cursor.value()?),
            b"schemaVersion" | b"trace_id" | b"baseTimeNanoseconds" => {
                trace.is_of_torch = true;
                cursor.value()?;
            }
            _ => {
                cursor.value()?;
            }
        }
        Ok(())
    });
    let is_of_torch = trace.is_of_torch || !trace.events.ops.is_empty();
    match read {
        Ok(()) if trace.has_events && is_of_torch && cursor.is_at_end() => Ok(trace),
        Err(Bad::Json(Broken { at })) if at >= text.trim_ascii_end().len() => {
            Err(ProfileError::CutOff { path: path.to_owned() })
        }
        Err(Bad::Json(Broken { at })) if is_of_torch => Err(ProfileError::Malformed {
            path: path.to_owned(),
            what: format!("byte {at} is no JSON"),
        }),
        Err(Bad::Event { at, what }) if is_of_torch => Err(ProfileError::Malformed {
            path: path.to_owned(),
            what: format!("the event at byte {at}: {what}"),
        }),
        _ => Err(unknown()),
    }
}

fn table(path: &Path, name: String, trace: &Trace<'_>, hint: Option<Phase>) -> Result<OpTable, ProfileError> {
    let events = &trace.events;
    let empty = |remedy: &str| ProfileError::Empty {
        path: path.to_owned(),
        what: "operators or kernels",
        remedy: remedy.to_owned(),
    };
    if events.ops.is_empty() && events.works.is_empty() {
        return Err(empty(
            "the profiler was on while nothing ran, or its schedule ended before the export; send requests while it is on",
        ));
    }
    let mut windows = Windows::of(events, hint);
    let nesting = Nesting::of(events, &windows);
    let works = Works::of(events, &windows, &nesting);
    let clock = if events.works.is_empty() {
        Clock::Host
    } else {
        Clock::Device
    };
    let mut phases = std::mem::take(&mut windows.phases);
    windows.phases.clone_from(&phases);
    let mut rows = Rows::of(events, &windows, &nesting);
    let (of_devices, whose) = works.timelines(events, phases.len());
    let mut left_out = rows.add_work(&works, &whose);
    if clock == Clock::Host {
        left_out = rows.left_out();
    }
    rows.add_allocations(&mut phases);
    rows.prints(&works, &mut phases);
    rows.put(&mut phases);
    let times = match clock {
        Clock::Host => host_timelines(events, &windows, &nesting),
        _ => of_devices,
    };
    for (phase, time) in phases.iter_mut().zip(times) {
        phase.time = Some(time);
    }
    phases.retain(|phase| !phase.ops.is_empty() || !phase.kernels.is_empty());
    if phases.is_empty() {
        return Err(empty(
            "all that ran, ran outside of its steps; let the schedule last longer",
        ));
    }
    let mut table = OpTable::new(name, Source::TorchTrace, clock);
    table.engine = engine(trace, &table.name);
    table.mode = mode(events, &works);
    table.devices = devices(trace);
    table.cut = windows.cut;
    table.left_out = if windows.cut == Cut::WholeFile {
        LeftOut::default()
    } else {
        left_out
    };
    table.peak_bytes = peak(events);
    table.phases = phases;
    table.notes = [windows.notes, of_several(used(events).len()).into_iter().collect()].concat();
    Ok(table)
}

/// vLLM adds its version, and names its passes; `SGLang` names its files by rank.
fn engine(trace: &Trace<'_>, name: &str) -> Option<String> {
    if let Some(version) = trace.vllm_version {
        return Some(format!("vLLM {}", json::text(version)));
    }
    let names = &trace.events.names;
    let ranges = trace.events.annotations.iter();
    let is_vllm = ranges
        .map(|range| names.text(range.name))
        .any(|name| name.starts_with(b"execute_"));
    if is_vllm {
        return Some("vLLM".to_owned());
    }
    (name.contains("-TP-") && name.ends_with(".trace.json.gz")).then(|| "SGLang".to_owned())
}

/// Told by what is there: not every version writes its flags.
fn mode(events: &Events<'_>, works: &Works) -> CaptureMode {
    let has_ops = !events.ops.is_empty();
    CaptureMode {
        shapes: has_ops.then(|| events.ops.iter().any(|op| op.inputs.is_some())),
        memory: Some(!events.allocations.is_empty()),
        stacks: Some(events.python > 0),
        graphs: works.graphs,
    }
}

/// The most bytes in use at one time: on the device where any were allocated there.
fn peak(events: &Events<'_>) -> Option<u64> {
    let on_device = events.allocations.iter().any(|one| one.is_on_device);
    let own = events.allocations.iter().filter(|one| one.is_on_device == on_device);
    own.filter_map(|one| one.in_use_bytes).max()
}

/// Devices that worked.
fn used(events: &Events<'_>) -> BTreeSet<u32> {
    events.works.iter().map(|work| work.device).collect()
}

#[derive(Deserialize)]
struct Device {
    id: u32,
    #[serde(default)]
    name: String,
}

/// Names of the devices that worked.
fn devices(trace: &Trace<'_>) -> Vec<String> {
    let known: Vec<Device> = serde_json::from_slice(trace.devices).unwrap_or_default();
    let used = used(&trace.events);
    let named = known
        .into_iter()
        .filter(|device| used.contains(&device.id) && !device.name.is_empty());
    named.map(|device| device.name).collect()
}

/// `SGLang` writes one trace for each stage where it is asked to (`profile_by_stage`), and tells it in the file's name.
fn stage_of(name: &str) -> Option<Phase> {
    [("-EXTEND.", Phase::Prefill), ("-DECODE.", Phase::Decode)]
        .into_iter()
        .find(|(word, _)| name.contains(word))
        .map(|(_, phase)| phase)
}

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

//! Nsight Systems' export as a table: kernels and copies by phase and place, and the timeline of each device.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    rc::Rc,
};

use super::{
    ProfileError,
    export::{Event, Export, What},
    name_of,
    ranges::{Pass, Places, pass_at, passes},
};
use crate::op_table::{
    Clock, Cut, DeviceSpan, Family, Graphs, KernelRow, OpTable, Phase, PhaseTable, Source, SpanKind, Timeline,
    family_of, of_several, timelines,
};

/// Reads an export.
///
/// # Errors
/// It is cut off, is none, holds no work of a GPU, or lacks a column that is needed.
pub(super) fn read(path: &Path) -> Result<OpTable, ProfileError> {
    let export = Export::open(path)?;
    let mut events = export.events()?;
    if events.is_empty() {
        return Err(ProfileError::Empty {
            path: path.to_owned(),
            what: "kernels",
            remedy: "capture with `nsys profile -t cuda,nvtx …`, and the processes of the engine among them \
                     (`--trace-fork-before-exec=true`)"
                .to_owned(),
        });
    }
    if let Some(wrong) = events.iter().find(|event| event.end_ns < event.start_ns) {
        return Err(ProfileError::Malformed {
            path: path.to_owned(),
            what: format!("an event ends at {} ns, before it begins", wrong.end_ns),
        });
    }
    export.refuse_unknown_schema()?;
    events.sort_by_key(|event| (event.launched_ns(), event.start_ns));
    let ranges = export.ranges()?;
    let passes = passes(&ranges);
    let mut table = OpTable::new(name_of(path), Source::NsysSqlite, Clock::Device);
    table.mode.graphs = graphs(&events);
    table.notes = export.troubles()?;
    let used: BTreeSet<i64> = events.iter().map(|event| event.device).collect();
    table.devices = export.devices(&used)?;
    table.notes.extend(of_several(used.len()));
    let ranks: BTreeSet<i64> = passes.iter().map(|pass| pass.process).collect();
    if ranks.len() > 1 {
        table.notes.push(format!(
            "{} processes mark passes of their own: a step is the mean of theirs",
            ranks.len()
        ));
    }
    let mut sorted = Sorted::of(&passes);
    sorted.place(&events, &mut table);
    let timed = sorted.timelines(&events, &export.overheads()?);
    sorted.take(&events, &Places::of(&ranges), &timed);
    sorted.finish(&mut table);
    Ok(table)
}

impl Event {
    /// When it was launched; work without a known launch counts from its start.
    fn launched_ns(&self) -> u64 {
        self.launch.map_or(self.start_ns, |call| call.start_ns)
    }

    fn name(&self) -> Rc<str> {
        match &self.what {
            What::Kernel { name, .. } => name.clone(),
            What::Graph => "CUDA graph".into(),
            What::Copy { kind, .. } => format!("Memcpy {kind}").into(),
            What::Set { .. } => "Memset".into(),
        }
    }

    /// Grid and block.
    const fn shape(&self) -> [Option<[u32; 3]>; 2] {
        match self.what {
            What::Kernel { grid, block, .. } => [Some(grid), Some(block)],
            What::Graph | What::Copy { .. } | What::Set { .. } => [None, None],
        }
    }

    const fn bytes(&self) -> Option<u64> {
        match self.what {
            What::Copy { bytes, .. } | What::Set { bytes } => Some(bytes),
            What::Kernel { .. } | What::Graph => None,
        }
    }

    const fn span_kind(&self, family: Family) -> SpanKind {
        match (&self.what, family) {
            (What::Copy { .. }, _) => SpanKind::Copy,
            (_, Family::Communication) => SpanKind::Communication,
            _ => SpanKind::Compute,
        }
    }
}

fn graphs(events: &[Event]) -> Graphs {
    let any = |is: &dyn Fn(&What) -> bool| events.iter().any(|event| is(&event.what));
    if any(&|what| *what == What::Graph) {
        Graphs::Whole
    } else if any(&|what| matches!(what, What::Kernel { is_node: true, .. })) {
        Graphs::Nodes
    } else {
        Graphs::None
    }
}

/// Work by phase and batch.
struct Sorted<'a> {
    passes: &'a [Pass],
    phases: Vec<PhaseTable>,
    /// The phase of each pass.
    phase_of: Vec<usize>,
    /// Where a row stands in its phase, by what makes it one.
    rows: Vec<HashMap<Key, usize>>,
    /// The work of each pass in order.
    prints: Vec<DefaultHasher>,
    /// The pass of each event; `None`: outside of all.
    pass_of: Vec<Option<usize>>,
    families: HashMap<Rc<str>, Family>,
}

/// Place, name, grid and block.
type Key = (String, Rc<str>, Option<[u32; 3]>, Option<[u32; 3]>);

impl<'a> Sorted<'a> {
    fn of(passes: &'a [Pass]) -> Self {
        let mut keys: Vec<(Phase, Option<String>)> =
            passes.iter().map(|pass| (pass.phase, pass.batch.clone())).collect();
        let of_pass = keys.clone();
        if keys.is_empty() {
            keys.push((Phase::Whole, None));
        }
        keys.sort();
        keys.dedup();
        let phase_of = of_pass
            .iter()
            .map(|key| keys.binary_search(key).unwrap_or(0))
            .collect::<Vec<_>>();
        let phases = keys.into_iter().enumerate().map(|(at, (phase, batch))| {
            let count = phase_of.iter().filter(|phase| **phase == at).count().max(1) as u64;
            PhaseTable {
                batch,
                steps: count,
                passes: count,
                ..PhaseTable::new(phase)
            }
        });
        let phases: Vec<PhaseTable> = phases.collect();
        Self {
            rows: vec![HashMap::new(); phases.len()],
            prints: vec![DefaultHasher::new(); passes.len().max(1)],
            passes,
            phases,
            phase_of,
            pass_of: Vec::new(),
            families: HashMap::new(),
        }
    }

    /// Finds the pass of each event, which come in the order of their launches.
    fn place(&mut self, events: &[Event], table: &mut OpTable) {
        for event in events {
            let pass = match self.passes {
                [] => Some(0),
                passes => pass_at(passes, event.process, event.launched_ns()),
            };
            if pass.is_none() {
                table.left_out.events += 1;
                table.left_out.time_ns += event.end_ns - event.start_ns;
            }
            self.pass_of.push(pass);
        }
    }

    fn phase(&self, pass: usize) -> usize {
        self.phase_of.get(pass).copied().unwrap_or(0)
    }

    /// Gives each phase its timeline: of each process that marks passes, that of the device which worked longest. Tells which
    /// device's these are, in which phase.
    fn timelines(&mut self, events: &[Event], overheads: &[(u64, u64)]) -> BTreeSet<(i64, usize)> {
        let mut spans: BTreeMap<(i64, i64), Vec<DeviceSpan>> = BTreeMap::new();
        for (event, pass) in events.iter().zip(self.pass_of.clone()) {
            let Some(pass) = pass else { continue };
            let family = self.family(event, &event.name());
            let rank = self.passes.get(pass).map_or(0, |pass| pass.process);
            spans.entry((rank, event.device)).or_default().push(DeviceSpan {
                start_ns: event.start_ns,
                end_ns: event.end_ns,
                launched_ns: event.launch.map(|call| call.start_ns),
                kind: event.span_kind(family),
                family,
                phase: self.phase(pass),
                step: pass,
            });
        }
        let mut longest: BTreeMap<(i64, usize), (i64, Timeline)> = BTreeMap::new();
        for ((rank, device), mut spans) in spans {
            let own = timelines(&mut spans, overheads, self.phases.len());
            for (phase, own) in own.into_iter().enumerate().filter(|(_, own)| own.busy_ns() > 0) {
                let known = longest.get(&(rank, phase)).map_or(0, |(_, time)| time.busy_ns());
                if own.busy_ns() > known {
                    longest.insert((rank, phase), (device, own));
                }
            }
        }
        let mut timed = BTreeSet::new();
        for phase in &mut self.phases {
            phase.time = Some(Timeline::default());
        }
        for ((_, phase), (device, own)) in longest {
            timed.insert((device, phase));
            if let Some(time) = self.phases.get_mut(phase).and_then(|phase| phase.time.as_mut()) {
                time.add(&own);
            }
        }
        timed
    }

    fn take(&mut self, events: &[Event], places: &Places<'_>, timed: &BTreeSet<(i64, usize)>) {
        for (event, pass) in events.iter().zip(self.pass_of.clone()) {
            let Some(pass) = pass else { continue };
            let phase = self.phase(pass);
            let region = event.launch.map(|call| places.region(call)).unwrap_or_default();
            let name = event.name();
            let family = self.family(event, &name);
            if let Some(print) = self.prints.get_mut(pass) {
                (&name, event.shape()).hash(print);
            }
            let is_timed = timed.contains(&(event.device, phase));
            self.add(phase, (region, name), family, (event, is_timed));
        }
    }

    /// Told once for each name: there are few of them, and many launches.
    fn family(&mut self, event: &Event, name: &Rc<str>) -> Family {
        if event.what == What::Graph {
            return Family::Graph;
        }
        *self.families.entry(name.clone()).or_insert_with(|| family_of(name))
    }

    fn add(
        &mut self,
        phase: usize,
        (region, name): (String, Rc<str>),
        family: Family,
        (event, is_timed): (&Event, bool),
    ) {
        let Some((table, places)) = self.phases.get_mut(phase).zip(self.rows.get_mut(phase)) else {
            return;
        };
        let [grid, block] = event.shape();
        let place = *places
            .entry((region, name, grid, block))
            .or_insert_with_key(|(region, name, ..)| {
                table.kernels.push(KernelRow {
                    region: region.clone(),
                    family,
                    grid,
                    block,
                    bytes: event.bytes().map(|_| 0),
                    ..KernelRow::new(&**name)
                });
                table.kernels.len() - 1
            });
        if let Some(kernel) = table.kernels.get_mut(place) {
            kernel.launches += 1;
            kernel.time_ns += if is_timed { event.end_ns - event.start_ns } else { 0 };
            kernel.bytes = kernel.bytes.zip(event.bytes()).map(|(all, bytes)| all + bytes);
        }
    }

    fn finish(mut self, table: &mut OpTable) {
        for (pass, print) in self.prints.iter().enumerate() {
            let phase = self.phase_of.get(pass).copied().unwrap_or(0);
            if let Some(phase) = self.phases.get_mut(phase) {
                phase.prints.push(print.finish());
            }
        }
        table.cut = if self.passes.is_empty() {
            Cut::WholeFile
        } else {
            Cut::Passes
        };
        table.phases = self.phases;
    }
}

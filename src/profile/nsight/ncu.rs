//! Nsight Compute's CSV: a row for each metric of each kernel (`details`), or a row for each kernel (`raw`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    csv::{self, number, unit_ns, whole},
    name_of, troubles,
};
use crate::{
    op_table::{Clock, KernelRow, OpTable, Phase, PhaseTable, Source, SpeedOfLight},
    profile::ProfileError,
};

const TIME: &str = "gpu__time_duration.sum";
const COMPUTE: &str = "sm__throughput.avg.pct_of_peak_sustained_elapsed";
const MEMORY: &str = "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed";
const WAVES: &str = "launch__waves_per_multiprocessor";
const READ: &str = "dram__bytes_read.sum";
const WRITTEN: &str = "dram__bytes_write.sum";
const DEVICE: &str = "device__attribute_display_name";

/// What is read of each kernel.
const METRICS: [&str; 6] = [TIME, COMPUTE, MEMORY, WAVES, READ, WRITTEN];

/// What the page `details` calls them: two of its sections have a `Memory Throughput`, one of them in bytes.
const DETAILS: [(&str, &str, &str); 4] = [
    ("GPU Speed Of Light Throughput", "Duration", TIME),
    ("GPU Speed Of Light Throughput", "Compute (SM) Throughput", COMPUTE),
    ("GPU Speed Of Light Throughput", "Memory Throughput", MEMORY),
    ("Launch Statistics", "Waves Per SM", WAVES),
];

/// One profiled run of one kernel.
#[derive(Clone, Debug, Default)]
struct Launch {
    name: String,
    grid: Option<[u32; 3]>,
    block: Option<[u32; 3]>,
    device: Option<String>,
    /// Times in nanoseconds, shares in percent, bytes.
    metrics: BTreeMap<&'static str, f64>,
}

/// Where the header of such a file begins.
pub(super) fn header(text: &str) -> Option<usize> {
    csv::line_that(text, |line| {
        let line = line.replace('"', "");
        line.starts_with("ID,Process ID,") && line.contains(",Kernel Name,")
    })
}

/// The machines that its column `Host Name` names.
pub(in crate::profile) fn hosts(text: &str) -> BTreeSet<String> {
    let mut rows = header(text)
        .and_then(|at| csv::rows(text.get(at..)?))
        .unwrap_or_default()
        .into_iter();
    let place = rows
        .next()
        .and_then(|heads| heads.iter().position(|head| head == "Host Name"));
    let cells = rows.filter_map(|row| row.get(place?).map(|name| name.trim().to_owned()));
    cells.filter(|name| !name.is_empty()).collect()
}

/// Whether Nsight Compute speaks, and gives no table.
pub(super) fn is_silent(text: &str) -> bool {
    text.trim_start().starts_with("==PROF==") || text.contains("==WARNING== No kernels were profiled")
}

/// The kernels of a file, those of one name and launch shape together.
///
/// # Errors
/// It is cut off, holds no kernel, or was profiled without what the speed-of-light rule needs.
pub(super) fn read(path: &Path, text: &str) -> Result<OpTable, ProfileError> {
    let file = File { path };
    let Some(at) = header(text) else {
        return Err(file.empty());
    };
    let (preamble, table) = text.split_at(at);
    let mut rows = csv::rows(table).ok_or_else(|| ProfileError::CutOff { path: path.to_owned() })?;
    // What the profiled program prints comes in between and behind.
    rows.retain(|row| row.len() > 2);
    if rows.is_empty() {
        return Err(file.empty());
    }
    let columns = Columns::of(&rows.remove(0));
    let (source, launches) = if columns.has("Metric Name") {
        (Source::NcuDetails, file.details(&rows, &columns)?)
    } else {
        (Source::NcuRaw, file.raw(&rows, &columns)?)
    };
    if launches.is_empty() {
        return Err(file.empty());
    }
    let mut table = OpTable::new(name_of(path), source, Clock::Replayed);
    table.notes = troubles(preamble);
    file.fill(&mut table, launches)?;
    Ok(table)
}

/// The columns of a table by their names.
struct Columns(BTreeMap<String, usize>, usize);

impl Columns {
    fn of(header: &[String]) -> Self {
        let names = header.iter().enumerate();
        Self(
            names.map(|(at, name)| (name.trim().to_owned(), at)).collect(),
            header.len(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn get<'a>(&self, row: &'a [String], name: &str) -> Option<&'a str> {
        let text = row.get(*self.0.get(name)?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn launch(&self, row: &[String]) -> Launch {
        Launch {
            name: self.get(row, "Kernel Name").unwrap_or_default().to_owned(),
            grid: self.get(row, "Grid Size").and_then(triple),
            block: self.get(row, "Block Size").and_then(triple),
            device: self.get(row, DEVICE).map(str::to_owned),
            metrics: BTreeMap::new(),
        }
    }
}

struct File<'a> {
    path: &'a Path,
}

impl File<'_> {
    fn empty(&self) -> ProfileError {
        ProfileError::Empty {
            path: self.path.to_owned(),
            what: "kernels",
            remedy: "profile with a `-k regex:…` that some kernel's name meets, and the processes of the engine \
                     (`--target-processes all`)"
                .to_owned(),
        }
    }

    fn malformed(&self, what: String) -> ProfileError {
        ProfileError::Malformed {
            path: self.path.to_owned(),
            what,
        }
    }

    fn cut_off(&self) -> ProfileError {
        ProfileError::CutOff {
            path: self.path.to_owned(),
        }
    }

    /// The value of a metric in its own unit; `None` where the tool could not measure it.
    fn value(&self, metric: &'static str, text: &str, unit: &str) -> Result<Option<f64>, ProfileError> {
        if matches!(text, "n/a" | "N/A" | "nan" | "(nan)") {
            return Ok(None);
        }
        let wrong = || {
            self.malformed(format!(
                "`{metric}` is `{text}` in `{unit}`, which is no number in a known unit"
            ))
        };
        let number = number(text).ok_or_else(wrong)?;
        let factor = match metric {
            TIME => unit_ns(unit),
            COMPUTE | MEMORY => (unit == "%").then_some(1.0),
            READ | WRITTEN => unit_bytes(unit),
            _ => Some(1.0),
        };
        Ok(Some(number * factor.ok_or_else(wrong)?))
    }

    /// A row for each kernel, under a row of units.
    fn raw(&self, rows: &[Vec<String>], columns: &Columns) -> Result<Vec<Launch>, ProfileError> {
        let Some((units, rows)) = rows.split_first() else {
            return Ok(Vec::new());
        };
        if columns.get(units, "Kernel Name").is_some() {
            return Err(self.malformed("the row of units under the header is missing".to_owned()));
        }
        let mut launches = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            if row.len() != columns.1 {
                let is_last = at + 1 == rows.len();
                let what = format!("row {} has {} fields, the header {}", at + 1, row.len(), columns.1);
                return Err(if is_last { self.cut_off() } else { self.malformed(what) });
            }
            let mut launch = columns.launch(row);
            for metric in METRICS {
                let unit = columns.get(units, metric).unwrap_or_default();
                if let Some(text) = columns.get(row, metric)
                    && let Some(value) = self.value(metric, text, unit)?
                {
                    launch.metrics.insert(metric, value);
                }
            }
            launches.push(launch);
        }
        Ok(launches)
    }

    /// A row for each metric; those of one kernel share their process and number.
    fn details(&self, rows: &[Vec<String>], columns: &Columns) -> Result<Vec<Launch>, ProfileError> {
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut launches: Vec<Launch> = Vec::new();
        let needed = columns.0.get("Metric Value").copied().unwrap_or(0);
        for row in rows {
            if row.len() <= needed {
                return Err(self.cut_off());
            }
            let key = (
                columns.get(row, "Process ID").unwrap_or_default(),
                columns.get(row, "ID").unwrap_or_default(),
            );
            let place = *places.entry(key).or_insert_with(|| {
                launches.push(columns.launch(row));
                launches.len() - 1
            });
            let names = columns.get(row, "Section Name").zip(columns.get(row, "Metric Name"));
            let Some(metric) = names.and_then(|(section, name)| metric(section, name)) else {
                continue;
            };
            let unit = columns.get(row, "Metric Unit").unwrap_or_default();
            let value = match columns.get(row, "Metric Value") {
                Some(text) => self.value(metric, text, unit)?,
                None => None,
            };
            if let (Some(launch), Some(value)) = (launches.get_mut(place), value) {
                launch.metrics.insert(metric, value);
            }
        }
        Ok(launches)
    }

    fn fill(&self, table: &mut OpTable, launches: Vec<Launch>) -> Result<(), ProfileError> {
        self.refuse_lacking(&launches)?;
        let mut devices: Vec<String> = launches.iter().filter_map(|launch| launch.device.clone()).collect();
        devices.sort();
        devices.dedup();
        table.devices = devices;
        let unlit = launches.iter().filter(|launch| launch.light().is_none()).count();
        if unlit > 0 {
            table.notes.push(format!(
                "{unlit} of {} kernels have no speed of light, and no class",
                launches.len()
            ));
        }
        let mut phase = PhaseTable::new(Phase::Whole);
        phase.kernels = merged(launches);
        table.phases.push(phase);
        Ok(())
    }

    /// What no kernel has was not profiled.
    fn refuse_lacking(&self, launches: &[Launch]) -> Result<(), ProfileError> {
        let has = |metric: &str| launches.iter().any(|launch| launch.metrics.contains_key(metric));
        let lacking: Vec<String> = [TIME, COMPUTE, MEMORY]
            .into_iter()
            .filter(|metric| !has(metric))
            .map(|metric| format!("`{metric}`"))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(ProfileError::Lacks {
            path: self.path.to_owned(),
            what: format!("{}, which the speed-of-light rule needs", lacking.join(", ")),
            remedy: "profile with `--section SpeedOfLight --section LaunchStats`, or with `--set base`".to_owned(),
        })
    }
}

impl Launch {
    fn time_ns(&self) -> u64 {
        self.metrics.get(TIME).copied().and_then(whole).unwrap_or(0)
    }

    fn light(&self) -> Option<SpeedOfLight> {
        Some(SpeedOfLight {
            compute_pct: *self.metrics.get(COMPUTE)?,
            memory_pct: *self.metrics.get(MEMORY)?,
            waves: self.metrics.get(WAVES).copied(),
        })
    }

    fn bytes(&self) -> Option<u64> {
        whole(self.metrics.get(READ)? + self.metrics.get(WRITTEN)?)
    }
}

/// One row for each name and launch shape, in the order in which they were first profiled.
fn merged(launches: Vec<Launch>) -> Vec<KernelRow> {
    let mut groups: Vec<Vec<Launch>> = Vec::new();
    for launch in launches {
        let same = |group: &&mut Vec<Launch>| {
            let key = |launch: &Launch| (launch.name.clone(), launch.grid, launch.block);
            group.first().map(key) == Some(key(&launch))
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(launch),
            None => groups.push(vec![launch]),
        }
    }
    groups.iter().filter_map(|group| row(group)).collect()
}

fn row(group: &[Launch]) -> Option<KernelRow> {
    let first = group.first()?;
    let bytes: Option<Vec<u64>> = group.iter().map(Launch::bytes).collect();
    Some(KernelRow {
        grid: first.grid,
        block: first.block,
        launches: group.len() as u64,
        time_ns: group.iter().map(Launch::time_ns).sum(),
        bytes: bytes.map(|bytes| bytes.iter().sum()),
        speed_of_light: mean(group),
        ..KernelRow::new(first.name.as_str())
    })
}

/// The mean over all launches that have it, each weighing as much as the time it took.
#[expect(clippy::cast_precision_loss, reason = "times of kernels, far below 2^53 ns")]
fn mean(group: &[Launch]) -> Option<SpeedOfLight> {
    let lit: Vec<(f64, SpeedOfLight)> = group
        .iter()
        .filter_map(|launch| Some((launch.time_ns().max(1) as f64, launch.light()?)))
        .collect();
    let all: f64 = lit.iter().map(|(weight, _)| weight).sum();
    let mean = |of: &dyn Fn(&SpeedOfLight) -> Option<f64>| {
        let weighed: Option<Vec<f64>> = lit.iter().map(|(weight, light)| Some(weight * of(light)?)).collect();
        weighed.map(|weighed| weighed.iter().sum::<f64>() / all)
    };
    if lit.len() == 1 {
        return lit.first().map(|(_, light)| *light);
    }
    (!lit.is_empty()).then_some(())?;
    Some(SpeedOfLight {
        compute_pct: mean(&|light| Some(light.compute_pct))?,
        memory_pct: mean(&|light| Some(light.memory_pct))?,
        waves: mean(&|light| light.waves),
    })
}

/// The metric that a row of the long form is about, by the page's words or by its id.
fn metric(section: &str, name: &str) -> Option<&'static str> {
    let by_words = DETAILS
        .into_iter()
        .find(|(of, words, _)| *of == section && *words == name)
        .map(|(_, _, metric)| metric);
    by_words.or_else(|| METRICS.into_iter().find(|metric| *metric == name))
}

/// `(132, 1, 1)`
fn triple(text: &str) -> Option<[u32; 3]> {
    let inside = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let numbers: Vec<u32> = inside
        .split(',')
        .map(|part| part.trim().parse().ok())
        .collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Bytes of a unit; the tool scales by thousands.
fn unit_bytes(unit: &str) -> Option<f64> {
    match unit {
        "byte" => Some(1.0),
        "Kbyte" => Some(1e3),
        "Mbyte" => Some(1e6),
        "Gbyte" => Some(1e9),
        "Tbyte" => Some(1e12),
        _ => None,
    }
}

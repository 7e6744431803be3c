//! What the page of an exporter says of each GPU, under which names.
//!
//! Sources of names and units: dcgm-exporter's `etc/default-counters.csv` (memory in MiB, energy in mJ) and the metrics list of
//! AMD's exporter (memory in MB that are MiB, as `amd-smi` counts them; energy in µJ).

use std::collections::BTreeMap;

use crate::telemetry::{
    NoGpu,
    prometheus::{self, Sample},
};

/// What one series tells of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    UsedMib,
    FreeMib,
    TotalMib,
    UtilizationPct,
    /// Share of the time in which anything ran, 0 to 1: what a MIG instance tells in place of a utilisation.
    ActiveRatio,
    PowerW,
    PowerLimitW,
    SmClockMhz,
    MemoryClockMhz,
    TemperatureC,
    EnergyMj,
    EnergyUj,
    MemoryErrors,
    ThrottleBits,
}

/// A thing, its name, and the label that a series of that name must have to mean it; of one exporter the better name first.
type Name = (Thing, &'static str, Option<(&'static str, &'static str)>);

const NAMES: [Name; 30] = [
    (Thing::UsedMib, "DCGM_FI_DEV_FB_USED", None),
    (Thing::UsedMib, "gpu_used_vram", None),
    (Thing::FreeMib, "DCGM_FI_DEV_FB_FREE", None),
    (Thing::FreeMib, "gpu_free_vram", None),
    (Thing::TotalMib, "gpu_total_vram", None),
    (Thing::UtilizationPct, "DCGM_FI_DEV_GPU_UTIL", None),
    (Thing::UtilizationPct, "gpu_gfx_activity", None),
    (Thing::ActiveRatio, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", None),
    (Thing::PowerW, "DCGM_FI_DEV_POWER_USAGE", None),
    (Thing::PowerW, "gpu_package_power", None),
    (Thing::PowerW, "gpu_average_package_power", None),
    (Thing::PowerW, "gpu_power_usage", None),
    (Thing::PowerLimitW, "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", None),
    (Thing::PowerLimitW, "DCGM_FI_DEV_POWER_MGMT_LIMIT", None),
    (Thing::SmClockMhz, "DCGM_FI_DEV_SM_CLOCK", None),
    (Thing::SmClockMhz, "gpu_clock", Some(("clock_type", "system"))),
    (
        Thing::SmClockMhz,
        "gpu_clock",
        Some(("clock_type", "GPU_CLOCK_TYPE_SYSTEM")),
    ),
    (Thing::MemoryClockMhz, "DCGM_FI_DEV_MEM_CLOCK", None),
    (Thing::MemoryClockMhz, "gpu_clock", Some(("clock_type", "memory"))),
    (
        Thing::MemoryClockMhz,
        "gpu_clock",
        Some(("clock_type", "GPU_CLOCK_TYPE_MEMORY")),
    ),
    (Thing::TemperatureC, "DCGM_FI_DEV_GPU_TEMP", None),
    (Thing::TemperatureC, "gpu_junction_temperature", None),
    (Thing::TemperatureC, "gpu_edge_temperature", None),
    (Thing::EnergyMj, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", None),
    (Thing::EnergyUj, "gpu_energy_consumed", None),
    (Thing::MemoryErrors, "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", None),
    (Thing::MemoryErrors, "gpu_ecc_uncorrect_total", None),
    (Thing::ThrottleBits, "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", None),
    (Thing::ThrottleBits, "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", None),
    (Thing::ThrottleBits, "DCGM_FI_DEV_CLOCKS_EVENT_REASON", None),
];

/// DCGM writes what a GPU does not tell as a number from here on, by the type of the field: 32 bits, a float, or 64 bits.
const BLANK_32: f64 = 2_147_483_632.0;
const BLANK_FLOAT: f64 = 140_737_488_355_328.0;

/// More memory has no GPU, in MiB (16 TiB): such a page counts in other units.
const MOST_MIB: f64 = 16_777_216.0;

/// Which GPU, or which instance of one: machine, number and UUID as the labels have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) host: String,
    pub(super) index: Option<u32>,
    pub(super) uuid: String,
    pub(super) instance: String,
}

/// What the page says of one, by thing, with the place of the name that it was found under.
pub(super) type Told = BTreeMap<Thing, (usize, f64)>;

/// A page at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) gpus: BTreeMap<Key, Told>,
    pub(super) models: BTreeMap<Key, String>,
    pub(super) driver: Option<String>,
}

pub(super) fn page(pages: &[Vec<u8>]) -> Result<Page, NoGpu> {
    let mut found = Page::default();
    for page in pages {
        prometheus::read(page, |sample| found.take(&sample)).map_err(|error| NoGpu::Exporter(error.to_string()))?;
    }
    // Of a GPU that is divided, its parts tell what it has.
    let divided: Vec<(String, Option<u32>)> = found
        .gpus
        .keys()
        .filter(|key| !key.instance.is_empty())
        .map(|key| (key.host.clone(), key.index))
        .collect();
    let is_whole = |key: &Key| key.instance.is_empty() && divided.contains(&(key.host.clone(), key.index));
    found.gpus.retain(|key, told| !is_whole(key) && !is_empty_part(told));
    if found.gpus.is_empty() {
        return Err(NoGpu::Exporter(
            "its page has none of the series that perfgate knows of GPUs".into(),
        ));
    }
    Ok(found)
}

/// A partition of an AMD GPU that is not its first one tells 0 for all memory.
fn is_empty_part(told: &Told) -> bool {
    let is_zero = |thing| told.get(&thing).is_some_and(|(_, value)| *value <= 0.0);
    is_zero(Thing::TotalMib) && is_zero(Thing::UsedMib)
}

impl Page {
    fn take(&mut self, sample: &Sample<'_>) {
        let name = sample.name.strip_prefix("amd_").unwrap_or(sample.name);
        let fits = |(_, known, label): &Name| {
            *known == name && label.is_none_or(|(key, value)| sample.label(key).as_deref() == Some(value))
        };
        let Some((place, (thing, ..))) = NAMES.iter().enumerate().find(|(_, known)| fits(known)) else {
            return;
        };
        let key = key_of(sample);
        if let Some(model) = first_label(sample, &["modelName", "card_model"]) {
            self.models.entry(key.clone()).or_insert(model);
        }
        if self.driver.is_none() {
            self.driver = first_label(sample, &["DCGM_FI_DRIVER_VERSION", "driver_version"]);
        }
        let told = self.gpus.entry(key).or_default();
        if !is_told(*thing, sample.value) {
            return;
        }
        // The same GPU stands there once for each container that shares it, and a clock once for each part of the chip.
        told.entry(*thing)
            .and_modify(|(before, value)| {
                if place < *before {
                    (*before, *value) = (place, sample.value);
                } else if place == *before {
                    *value = value.max(sample.value);
                }
            })
            .or_insert((place, sample.value));
    }
}

fn key_of(sample: &Sample<'_>) -> Key {
    Key {
        host: first_label(sample, &["Hostname", "hostname"]).unwrap_or_default(),
        index: first_label(sample, &["gpu", "gpu_id"]).and_then(|index| index.parse().ok()),
        uuid: first_label(sample, &["UUID", "uuid", "gpu_uuid", "serial_number"]).unwrap_or_default(),
        instance: first_label(sample, &["GPU_I_ID"]).unwrap_or_default(),
    }
}

fn first_label(sample: &Sample<'_>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| sample.label(name).filter(|value| !value.is_empty()))
}

fn is_told(thing: Thing, value: f64) -> bool {
    let most = match thing {
        Thing::UsedMib | Thing::FreeMib | Thing::TotalMib => MOST_MIB,
        Thing::UtilizationPct => 100.0,
        Thing::ActiveRatio => 1.0,
        Thing::EnergyMj | Thing::ThrottleBits => BLANK_FLOAT,
        // Energy in µJ leaves 47 bits after some years of work.
        Thing::EnergyUj => f64::MAX,
        _ => BLANK_32,
    };
    let is_blank = matches!(thing, Thing::EnergyMj | Thing::ThrottleBits) && value >= most;
    value.is_finite()
        && (0.0..=most).contains(&value)
        && !is_blank
        && !(most >= BLANK_32 && (BLANK_32 - value).abs() < 8.0)
}

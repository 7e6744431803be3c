//! The GPUs of a server elsewhere, by the page of an exporter on its machine: NVIDIA's dcgm-exporter, AMD's
//! device-metrics-exporter.

mod page;
#[cfg(test)]
mod tests;

use self::page::{Key, Page, Thing, Told, page};
use super::{
    Fetch, NoGpu,
    choice::choice,
    nvml::{Reading, State, throttled_by},
    visible::{Listed, Pick, Said, visible},
};

/// As both exporters count memory.
const MIB: f64 = 1_048_576.0;

/// The exporter of one machine, look after look.
pub(super) struct Exporter {
    fetch: Fetch,
    last: Option<Vec<Reading>>,
    keys: Option<Vec<Key>>,
}

/// What one look saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    /// The numbers of the GPUs, in the order of the readings.
    pub(super) indices: Vec<u32>,
    pub(super) readings: Vec<Reading>,
    /// Whether the exporter has collected anew since the last look, as far as its counters of energy tell.
    pub(super) is_new: bool,
}

impl Exporter {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self {
            fetch,
            last: None,
            keys: None,
        }
    }

    /// Reads the page once.
    pub(super) fn look(&mut self) -> Result<Look, NoGpu> {
        let pages = (self.fetch)().map_err(NoGpu::Exporter)?;
        let page = page(&pages)?;
        let gpus = chosen(&page, &choice().gpus)?;
        let keys: Vec<Key> = gpus.iter().map(|(key, _)| (*key).clone()).collect();
        if *self.keys.get_or_insert_with(|| keys.clone()) != keys {
            return Err(NoGpu::Exporter("its page lists other GPUs than before".into()));
        }
        let readings = gpus.iter().map(|(key, told)| reading(key, told));
        let readings: Vec<Reading> = readings.collect::<Result<_, _>>()?;
        let tells_energy = readings.iter().any(|reading| reading.state.energy_j.is_some());
        // Nobody knows how old the first one is.
        let is_new = !tells_energy || self.last.as_ref().is_some_and(|last| *last != readings);
        self.last = Some(readings.clone());
        Ok(Look {
            indices: indices(&keys),
            readings,
            is_new,
        })
    }
}

/// What machine an exporter is on: the models of its GPUs, and the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedGpus {
    /// Of each GPU that counts, in the order of their numbers.
    pub names: Vec<String>,
    /// Version of the driver, where the page has it.
    pub driver: Option<String>,
}

/// Reads the page of an exporter for what machine it is on.
///
/// # Errors
/// In words: the page is none of metrics, has no GPU, or none of those that were chosen.
pub fn exported_gpus(pages: &[Vec<u8>]) -> Result<ExportedGpus, String> {
    let described = |error: NoGpu| error.to_string();
    let page = page(pages).map_err(described)?;
    let gpus = chosen(&page, &choice().gpus).map_err(described)?;
    let name = |(key, _): &(&Key, &Told)| {
        let model = page.models.get(*key).cloned();
        let model = model.unwrap_or_else(|| "unknown GPU".into());
        if key.instance.is_empty() {
            model
        } else {
            format!("{model} MIG {}", key.instance)
        }
    };
    Ok(ExportedGpus {
        names: gpus.iter().map(name).collect(),
        driver: page.driver.clone(),
    })
}

/// Those that count, in the order of their labels; `target.gpus` picks among them by number or UUID.
fn chosen<'a>(page: &'a Page, wanted: &[String]) -> Result<Vec<(&'a Key, &'a Told)>, NoGpu> {
    let all: Vec<(&Key, &Told)> = page.gpus.iter().collect();
    if wanted.is_empty() {
        return Ok(all);
    }
    // One entry a GPU; MIG instances share that of theirs.
    let gpu = |key: &'a Key| (&key.host, key.index, &key.uuid);
    let mut gpus: Vec<_> = all.iter().map(|(key, _)| gpu(key)).collect();
    gpus.dedup();
    let of = |index: u32| gpus.iter().filter(|(_, own, _)| *own == Some(index)).count();
    for index in wanted.iter().filter_map(|entry| entry.trim().parse::<u32>().ok()) {
        match of(index) {
            1 => {}
            0 => {
                return Err(NoGpu::Exporter(format!(
                    "its page has no GPU {index}, which `target.gpus` names"
                )));
            }
            _ => {
                return Err(NoGpu::Exporter(format!(
                    "its page has a GPU {index} on more than one machine; name those that count by UUID in `target.gpus`"
                )));
            }
        }
    }
    // By their numbers; those whose number is another's too lie behind all numbers.
    let behind = gpus.iter().filter_map(|(_, index, _)| *index).max();
    let behind = behind.map_or(0, |most| most as usize + 1);
    let place = |(at, (_, index, _)): (usize, &(&String, Option<u32>, &String))| match index {
        Some(index) if of(*index) == 1 => *index as usize,
        _ => behind + at,
    };
    let places: Vec<usize> = gpus.iter().enumerate().map(place).collect();
    let mut uuids = vec![None; behind + gpus.len()];
    for (place, (_, _, uuid)) in places.iter().zip(&gpus) {
        if let Some(entry) = uuids.get_mut(*place).filter(|_| !uuid.is_empty()) {
            *entry = Some((*uuid).clone());
        }
    }
    let text = wanted.join(",");
    let said = Said {
        by: "target.gpus",
        text: &text,
    };
    let listed = Listed {
        gpus: &uuids,
        instances: &[],
    };
    let on_its_page = |error: NoGpu| NoGpu::Exporter(error.to_string().replace("that NVML lists", "on its page"));
    let mut kept = Vec::new();
    for pick in visible(Some(said), listed).map_err(on_its_page)? {
        let Pick::Gpu(picked) = pick else { continue };
        let at = places.iter().position(|place| *place == picked);
        let one = at.and_then(|at| gpus.get(at));
        kept.extend(all.iter().filter(|(key, _)| Some(&gpu(key)) == one).copied());
    }
    kept.sort_by_key(|(key, _)| *key);
    Ok(kept)
}

/// Their own numbers, where these tell them apart.
fn indices(keys: &[Key]) -> Vec<u32> {
    let own: Option<Vec<u32>> = keys.iter().map(|key| key.index).collect();
    let is_told = |own: &Vec<u32>| {
        own.iter()
            .enumerate()
            .all(|(at, index)| !own.iter().take(at).any(|other| other == index))
    };
    own.filter(is_told)
        .unwrap_or_else(|| (0..).zip(keys).map(|(at, _)| at).collect())
}

fn reading(key: &Key, told: &Told) -> Result<Reading, NoGpu> {
    let value = |thing: Thing| told.get(&thing).map(|(_, value)| *value);
    let name = || {
        key.index
            .map_or_else(|| "a GPU".to_owned(), |index| format!("GPU {index}"))
    };
    let total = value(Thing::TotalMib);
    let used = value(Thing::UsedMib).or_else(|| Some(total? - value(Thing::FreeMib)?));
    let used = used.filter(|used| *used >= 0.0);
    let used =
        used.ok_or_else(|| NoGpu::Exporter(format!("its page does not tell the memory in use of {}", name())))?;
    let total = total.or_else(|| Some(used + value(Thing::FreeMib)?));
    let utilization = value(Thing::UtilizationPct).or_else(|| value(Thing::ActiveRatio).map(|ratio| ratio * 100.0));
    let energy_j = value(Thing::EnergyMj).map(|energy| energy / 1e3);
    Ok(Reading {
        memory_used_bytes: whole(used * MIB),
        memory_total_bytes: total.map_or(0, |total| whole(total * MIB)),
        utilization_untold: utilization
            .is_none()
            .then(|| format!("the exporter's page has no utilisation of {}", name())),
        utilization_pct: utilization,
        throttled: value(Thing::ThrottleBits).map_or_else(Vec::new, |bits| throttled_by(whole(bits))),
        throttled_untold: value(Thing::ThrottleBits)
            .is_none()
            .then(|| format!("the exporter's page has no throttle reasons of {}", name())),
        processes: Vec::new(),
        // No exporter tells them, which its page of the documentation says once for all.
        processes_untold: None,
        state: State {
            power_w: value(Thing::PowerW),
            power_limit_w: value(Thing::PowerLimitW),
            sm_clock_mhz: value(Thing::SmClockMhz).map(small),
            memory_clock_mhz: value(Thing::MemoryClockMhz).map(small),
            temperature_c: value(Thing::TemperatureC).map(small),
            energy_j: energy_j.or_else(|| value(Thing::EnergyUj).map(|energy| energy / 1e6)),
            memory_errors: value(Thing::MemoryErrors).map(whole),
        },
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and what a page says is zero or more"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn small(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(u32::MAX)
}

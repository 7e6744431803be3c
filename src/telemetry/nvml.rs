//! NVML, loaded once a process, and what a sample needs of each GPU.

use std::{env, ffi::OsStr, sync::OnceLock, time::Duration};

use nvml_wrapper::{
    Device, Nvml,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{Clock, EccCounter, MemoryError, TemperatureSensor},
    error::NvmlError,
};

use super::{
    NoGpu,
    choice::choice,
    patience::{NoAnswer, Pending, Stuck},
    visible::{Listed, Pick, Said, VARIABLE, visible},
};

/// The name that the driver installs, then the one that developer packages add.
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// Who does not answer, in words.
pub(super) const NAME: &str = "NVML";

/// How long a query is waited for, once NVML is loaded.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Queries that nobody waits for any more: a driver that hangs may do so for good.
pub(super) static STUCK: Stuck = Stuck::none();

/// One GPU that counts, or one MIG instance.
pub(super) struct Gpu {
    index: u32,
    device: Device<'static>,
    /// The GPU that a MIG instance is part of: its clocks and its memory's errors are that one's.
    parent: Option<Device<'static>>,
    is_divided: bool,
}

/// Current mode of a GPU that is divided into MIG instances.
const MIG_ENABLED: u32 = 1;

/// What holds clocks down and is not the server's doing, as `nvidia-smi` calls it. A GPU at its power limit is just busy.
const THROTTLES: [(ThrottleReasons, &str); 4] = [
    (ThrottleReasons::HW_SLOWDOWN, "hw_slowdown"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hw_thermal_slowdown"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "hw_power_brake_slowdown"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "sw_thermal_slowdown"),
];

/// What one GPU says at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) memory_used_bytes: u64,
    /// What processes may use, in use or free.
    pub(super) memory_total_bytes: u64,
    /// `None` where it does not tell.
    pub(super) utilization_pct: Option<f64>,
    /// Why not.
    pub(super) utilization_untold: Option<String>,
    /// What holds its clocks down; empty where it does not tell.
    pub(super) throttled: Vec<&'static str>,
    /// Why it does not tell that.
    pub(super) throttled_untold: Option<String>,
    /// Processes that compute on it, by id; empty where it does not tell.
    pub(super) processes: Vec<u32>,
    /// Why it does not tell those.
    pub(super) processes_untold: Option<String>,
    /// Read now and then only.
    pub(super) state: State,
}

/// What a GPU says of its power, clocks and temperature; absent: it does not tell, or was not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) power_w: Option<f64>,
    /// What it may draw at most, as it is enforced.
    pub(super) power_limit_w: Option<f64>,
    pub(super) sm_clock_mhz: Option<u32>,
    pub(super) memory_clock_mhz: Option<u32>,
    pub(super) temperature_c: Option<u32>,
    /// Since the driver was loaded.
    pub(super) energy_j: Option<f64>,
    /// Memory errors that could not be corrected, since the driver was loaded.
    pub(super) memory_errors: Option<u64>,
}

impl Gpu {
    /// As NVML numbers it; the n-th MIG instance of GPU i is 100 · (i + 1) + n.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// As the driver names it (`NVIDIA H100 80GB HBM3`).
    pub(super) fn name(&self) -> Result<String, NoGpu> {
        self.device.name().map_err(|error| self.unanswered("name", &error))
    }

    /// Memory in use, without what the driver reserves for itself, and utilisation over the driver's last period, where it
    /// tells that; its state only where that is asked for.
    pub(super) fn read(&self, with_state: bool) -> Result<Reading, NoGpu> {
        let memory = self.device.memory_info();
        let memory = memory.map_err(|error| self.unanswered("memory in use", &error))?;
        let utilization = self.utilization_pct();
        let (throttled, throttled_untold) = told_or_why(self.throttled());
        let (processes, processes_untold) = told_or_why(self.processes());
        Ok(Reading {
            memory_used_bytes: memory.used,
            memory_total_bytes: memory.used.saturating_add(memory.free),
            utilization_pct: utilization.as_ref().ok().copied(),
            utilization_untold: utilization.err(),
            throttled,
            throttled_untold,
            processes,
            processes_untold,
            state: if with_state { self.state() } else { State::default() },
        })
    }

    /// In percent; or why it is not told.
    fn utilization_pct(&self) -> Result<f64, String> {
        let rates = self
            .device
            .utilization_rates()
            .map_err(|error| self.why_untold(&error))?;
        if rates.gpu > 100 {
            return Err(format!(
                "NVML tells a utilisation of {} % of GPU {}",
                rates.gpu, self.index
            ));
        }
        Ok(f64::from(rates.gpu))
    }

    fn state(&self) -> State {
        let milli = |thousandths: f64| thousandths / 1000.0;
        State {
            power_w: self.device.power_usage().ok().map(f64::from).map(milli),
            power_limit_w: self.device.enforced_power_limit().ok().map(f64::from).map(milli),
            sm_clock_mhz: self.device.clock_info(Clock::SM).ok(),
            memory_clock_mhz: self.device.clock_info(Clock::Memory).ok(),
            temperature_c: self.device.temperature(TemperatureSensor::Gpu).ok(),
            energy_j: self.device.total_energy_consumption().ok().map(real).map(milli),
            memory_errors: self
                .whole()
                .total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile)
                .ok(),
        }
    }

    /// The GPU itself, or the one that it is part of.
    fn whole(&self) -> &Device<'static> {
        self.parent.as_ref().unwrap_or(&self.device)
    }

    fn why_untold(&self, error: &NvmlError) -> String {
        let untold = self.unanswered("utilisation", error);
        if self.parent.is_some() {
            return "NVML tells no utilisation of a MIG instance".into();
        }
        if self.is_divided && matches!(error, NvmlError::NotSupported) {
            return format!(
                "GPU {} is divided into MIG instances, of which NVML tells no utilisation",
                self.index
            );
        }
        untold.to_string()
    }

    fn throttled(&self) -> Result<Vec<&'static str>, NoGpu> {
        let reasons = self.whole().current_throttle_reasons();
        let reasons = reasons.map_err(|error| self.unanswered("throttle reasons", &error))?;
        Ok(holding(reasons))
    }

    /// Processes that compute on it, by id.
    pub(super) fn processes(&self) -> Result<Vec<u32>, NoGpu> {
        let processes = self.device.running_compute_processes();
        let processes = processes.map_err(|error| self.unanswered("processes", &error))?;
        Ok(processes.iter().map(|process| process.pid).collect())
    }

    fn unanswered(&self, what: &'static str, error: &NvmlError) -> NoGpu {
        query(what, self.index, error)
    }
}

/// What is told, or nothing and why.
fn told_or_why<T>(told: Result<Vec<T>, NoGpu>) -> (Vec<T>, Option<String>) {
    match told {
        Ok(told) => (told, None),
        Err(why) => (Vec::new(), Some(why.to_string())),
    }
}

/// Asks NVML on a thread of its own.
///
/// # Errors
/// It does not answer in time, or did not answer before and still does not.
pub(super) fn ask<T: Send + 'static>(
    at_most: Duration,
    query: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoGpu> {
    refuse_stuck()?;
    let pending = Pending::begin("gpu-query", &STUCK, query).map_err(|error| NoGpu::NoThread(error.to_string()))?;
    pending.wait(at_most).map_err(|none| match none {
        NoAnswer::Late => NoGpu::silent(NAME, at_most),
        NoAnswer::Lost => NoGpu::ThreadLost,
    })
}

/// # Errors
/// An earlier query has not come back.
pub(super) fn refuse_stuck() -> Result<(), NoGpu> {
    if STUCK.is_any() { Err(NoGpu::Stuck) } else { Ok(()) }
}

/// What holds clocks down, by the bits that NVML and DCGM have for it.
pub(super) fn throttled_by(bits: u64) -> Vec<&'static str> {
    holding(ThrottleReasons::from_bits_truncate(bits))
}

fn holding(reasons: ThrottleReasons) -> Vec<&'static str> {
    let holding = THROTTLES.iter().filter(|(reason, _)| reasons.contains(*reason));
    holding.map(|(_, name)| *name).collect()
}

/// The GPUs and MIG instances that count, at least one, in NVML order.
///
/// # Errors
/// Where NVML does not load or start, lists no GPU, or what is said picks none.
pub(super) fn gpus() -> Result<Vec<Gpu>, NoGpu> {
    let chosen = choice().gpus.join(",");
    let variable = env::var_os(VARIABLE);
    let variable = variable.as_deref().map(OsStr::to_string_lossy);
    let said = if chosen.is_empty() {
        variable.as_deref().map(|text| Said { by: VARIABLE, text })
    } else {
        Some(Said {
            by: "target.gpus",
            text: &chosen,
        })
    };
    let all = all_gpus()?;
    let wants_instances = said.is_some_and(|said| said.text.contains("MIG-"));
    let instances: Vec<Gpu> = all
        .iter()
        .filter(|_| wants_instances)
        .flat_map(Gpu::instances)
        .collect();
    let uuids = |gpus: &[Gpu]| gpus.iter().map(|gpu| gpu.device.uuid().ok()).collect::<Vec<_>>();
    let listed = Listed {
        gpus: &uuids(&all),
        instances: &uuids(&instances),
    };
    let picks = visible(said, listed)?;
    let whole = all
        .into_iter()
        .enumerate()
        .map(|(position, gpu)| (Pick::Gpu(position), gpu));
    let parts = instances
        .into_iter()
        .enumerate()
        .map(|(position, gpu)| (Pick::Mig(position), gpu));
    let keep = |(pick, gpu)| picks.contains(&pick).then_some(gpu);
    Ok(whole.chain(parts).filter_map(keep).collect())
}

impl Gpu {
    /// The MIG instances that it is divided into.
    fn instances(&self) -> Vec<Self> {
        let most = if self.is_divided {
            self.device.mig_device_count().unwrap_or(0)
        } else {
            0
        };
        // Places without an instance are not listed.
        let places = (0..most).filter_map(|place| Some((place, self.device.mig_device_by_index(place).ok()?)));
        let instance = |(place, device): (u32, Device<'static>)| Self {
            index: 100 * (self.index + 1) + place,
            parent: device.mig_parent_device().ok(),
            device,
            is_divided: true,
        };
        places.map(instance).collect()
    }
}

/// The GPUs to describe the machine with: the visible ones, or all where the variable names what cannot be sampled.
///
/// Two machines with other GPUs must not look alike.
pub(super) fn described() -> Result<Vec<Gpu>, NoGpu> {
    match gpus() {
        Err(NoGpu::Unknown { .. } | NoGpu::Ambiguous { .. }) => all_gpus(),
        result => result,
    }
}

fn all_gpus() -> Result<Vec<Gpu>, NoGpu> {
    let nvml = nvml()?;
    let count = nvml.device_count().map_err(not_started)?;
    (0..count).map(|index| gpu(nvml, index)).collect()
}

/// The driver's version (`570.148.08`), where there is a driver that tells it.
pub(super) fn driver_version() -> Option<String> {
    nvml().ok()?.sys_driver_version().ok()
}

/// The version of CUDA that the driver brings (`12.8`), where it tells.
pub(super) fn cuda_version() -> Option<String> {
    let version = nvml().ok()?.sys_cuda_driver_version().ok()?;
    (version > 0).then(|| format!("{}.{}", version / 1000, version % 1000 / 10))
}

fn gpu(nvml: &'static Nvml, index: u32) -> Result<Gpu, NoGpu> {
    let device = nvml
        .device_by_index(index)
        .map_err(|error| query("handle", index, &error))?;
    let mode = device.mig_mode();
    Ok(Gpu {
        index,
        is_divided: mode.is_ok_and(|mode| mode.current == MIG_ENABLED),
        parent: None,
        device,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^52 mJ are a kilowatt over 52 days, and a difference is taken of two of them"
)]
fn real(count: u64) -> f64 {
    count as f64
}

fn query(what: &'static str, gpu: u32, error: &NvmlError) -> NoGpu {
    NoGpu::Query {
        what,
        gpu,
        error: error.to_string(),
    }
}

/// Loaded once: NVML counts its users and resolves every symbol anew each time.
fn nvml() -> Result<&'static Nvml, NoGpu> {
    static NVML: OnceLock<Result<Nvml, NoGpu>> = OnceLock::new();
    NVML.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// The reason is the first library's: where both are missing, that is the one to install. One that is named is the only one.
fn load() -> Result<Nvml, NoGpu> {
    if let Some(path) = &choice().library {
        let named = Nvml::builder().lib_path(path.as_os_str()).init();
        return named.map_err(|error| match error {
            NvmlError::LibloadingError(error) => NoGpu::Library {
                path: path.display().to_string(),
                error: error.to_string(),
            },
            error => not_started(error),
        });
    }
    let [first, second] = LIBRARIES.map(|name| Nvml::builder().lib_path(OsStr::new(name)).init());
    first.or_else(|error| second.map_err(|_| not_started(error)))
}

/// The usual reason in few words; it stands in every report of a machine without a GPU.
fn why_not_loaded(loader: &str) -> String {
    let [library, _] = LIBRARIES;
    if loader.contains("No such file") {
        format!("{library} not found")
    } else {
        loader.to_owned()
    }
}

fn not_started(error: NvmlError) -> NoGpu {
    match error {
        NvmlError::LibloadingError(error) => NoGpu::NotLoaded(why_not_loaded(&error.to_string())),
        error => NoGpu::NotStarted(error.to_string()),
    }
}

//! NVML, loaded once a process, and what a sample needs of each GPU.

use std::{env, ffi::OsStr, sync::OnceLock};

use nvml_wrapper::{
    Device, Nvml,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{Clock, TemperatureSensor},
    error::NvmlError,
};

use super::{NoGpu, visible::visible};

/// The name that the driver installs, then the one that developer packages add.
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// One GPU that `CUDA_VISIBLE_DEVICES` leaves visible.
pub(super) struct Gpu {
    index: u32,
    device: Device<'static>,
}

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
    pub(super) utilization_pct: u32,
    /// What holds its clocks down; empty where it does not tell.
    pub(super) throttled: Vec<&'static str>,
    /// Processes that compute on it, by id; empty where it does not tell.
    pub(super) processes: Vec<u32>,
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
}

impl Gpu {
    /// As NVML numbers it.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// As the driver names it (`NVIDIA H100 80GB HBM3`).
    pub(super) fn name(&self) -> Result<String, NoGpu> {
        self.device.name().map_err(|error| self.unanswered("name", &error))
    }

    /// Memory in use, without what the driver reserves for itself, and utilisation over the driver's last period; its state
    /// only where that is asked for.
    pub(super) fn read(&self, with_state: bool) -> Result<Reading, NoGpu> {
        let memory = self.device.memory_info();
        let memory = memory.map_err(|error| self.unanswered("memory in use", &error))?;
        let utilization = self.device.utilization_rates();
        let utilization = utilization.map_err(|error| self.unanswered("utilisation", &error))?;
        Ok(Reading {
            memory_used_bytes: memory.used,
            memory_total_bytes: memory.used.saturating_add(memory.free),
            utilization_pct: utilization.gpu,
            throttled: self.throttled(),
            processes: self.processes(),
            state: if with_state { self.state() } else { State::default() },
        })
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
        }
    }

    fn throttled(&self) -> Vec<&'static str> {
        let Ok(reasons) = self.device.current_throttle_reasons() else {
            return Vec::new();
        };
        let holding = THROTTLES.iter().filter(|(reason, _)| reasons.contains(*reason));
        holding.map(|(_, name)| *name).collect()
    }

    /// Processes that compute on it, by id; empty where it does not tell.
    pub(super) fn processes(&self) -> Vec<u32> {
        let processes = self.device.running_compute_processes().unwrap_or_default();
        processes.iter().map(|process| process.pid).collect()
    }

    fn unanswered(&self, what: &'static str, error: &NvmlError) -> NoGpu {
        query(what, self.index, error)
    }
}

/// The visible GPUs, at least one.
///
/// # Errors
/// Where NVML does not load or start, lists no GPU, or `CUDA_VISIBLE_DEVICES` picks none.
pub(super) fn gpus() -> Result<Vec<Gpu>, NoGpu> {
    let all = all_gpus()?;
    let uuids: Vec<_> = all.iter().map(|gpu| gpu.device.uuid().ok()).collect();
    let variable = env::var_os("CUDA_VISIBLE_DEVICES");
    let variable = variable.as_deref().map(OsStr::to_string_lossy);
    let chosen = visible(variable.as_deref(), &uuids)?;
    let keep = |(position, gpu)| chosen.contains(&position).then_some(gpu);
    Ok(all.into_iter().enumerate().filter_map(keep).collect())
}

/// The GPUs to describe the machine with: the visible ones, or all where the variable names what cannot be sampled.
///
/// A MIG instance has no figures, but it is still on that GPU: two machines with other GPUs must not look alike.
pub(super) fn described() -> Result<Vec<Gpu>, NoGpu> {
    match gpus() {
        Err(NoGpu::Mig(_) | NoGpu::Unknown { .. } | NoGpu::Ambiguous { .. }) => all_gpus(),
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

fn gpu(nvml: &'static Nvml, index: u32) -> Result<Gpu, NoGpu> {
    let device = nvml
        .device_by_index(index)
        .map_err(|error| query("handle", index, &error))?;
    Ok(Gpu { index, device })
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

/// The reason is the first library's: where both are missing, that is the one to install.
fn load() -> Result<Nvml, NoGpu> {
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

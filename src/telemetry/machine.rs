//! What machine this is: GPUs and driver from NVML, the processor from `/proc/cpuinfo`.

use std::{env::consts, fs, thread, time::Duration};

use super::nvml::{self, Gpu};

/// How long a driver is waited for that may have to start first.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine that perfgate runs on, as far as it tells; what is unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// GPUs that `CUDA_VISIBLE_DEVICES` leaves visible, in NVML order (`NVIDIA H100 80GB HBM3`); empty where there is none.
    pub gpus: Vec<String>,
    /// GPU driver version (`570.148.08`).
    pub gpu_driver: Option<String>,
    /// Version of CUDA that the driver brings (`12.8`).
    pub gpu_cuda: Option<String>,
    /// Processor model (`AMD EPYC 9V74 80-Core Processor`).
    pub cpu: Option<String>,
    /// Logical cores that this process may use: a container's limit counts.
    pub cpu_cores: Option<u32>,
    /// Operating system and architecture (`linux x86_64`).
    pub os: Option<String>,
}

/// Looks at the machine; the first call loads NVML.
pub fn machine() -> Machine {
    let cores = thread::available_parallelism().ok();
    // A driver that no program keeps loaded takes a second or two a GPU to start.
    let asked = nvml::ask(PATIENCE, || (gpu_names(), nvml::driver_version(), nvml::cuda_version()));
    let (gpus, gpu_driver, gpu_cuda) = asked.unwrap_or_default();
    Machine {
        gpus,
        gpu_driver,
        gpu_cuda,
        cpu: fs::read_to_string("/proc/cpuinfo").ok().as_deref().and_then(cpu_model),
        cpu_cores: cores.and_then(|cores| u32::try_from(cores.get()).ok()),
        os: Some(format!("{} {}", consts::OS, consts::ARCH)),
    }
}

/// A GPU that does not tell its name still counts: two machines with other numbers of GPUs must not look alike.
fn gpu_names() -> Vec<String> {
    let gpus = nvml::described().unwrap_or_default();
    let name = |gpu: &Gpu| gpu.name().unwrap_or_else(|_| "unknown GPU".into());
    gpus.iter().map(name).collect()
}

/// The first processor's model; Arm kernels write none.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    let (_, model) = line.split_once(':')?;
    let model = model.trim();
    (!model.is_empty()).then(|| model.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_model_is_the_first_one_listed() {
        for (cpuinfo, expected) in [
            (
                "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9V74\nmodel name\t: other\n",
                Some("AMD EPYC 9V74"),
            ),
            ("processor\t: 0\nCPU implementer\t: 0x41\n", None),
            ("model name\t:\n", None),
            ("model name", None),
            ("", None),
        ] {
            assert_eq!(cpu_model(cpuinfo).as_deref(), expected, "{cpuinfo:?}");
        }
    }
}

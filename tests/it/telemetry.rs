//! GPU sampling against a stand-in for NVML, compiled here; each case is a child process, since NVML loads once in each.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
    time::Instant,
};

use perfgate::{
    session::{GpuSeries, GpuUse},
    telemetry::{Machine, RunClock, SAMPLE_INTERVAL, Sampler, machine},
};

/// Where the child writes what it saw.
const ANSWER: &str = "PERFGATE_TEST_GPU_ANSWER";
/// How long the child's run is, in sample intervals.
const INTERVALS: &str = "PERFGATE_TEST_GPU_INTERVALS";
/// What the child that samples a run is to see.
const CASE: &str = "PERFGATE_TEST_GPU_CASE";
const MIB: u64 = 1 << 20;

/// The folder with the stand-in, compiled once; `None` where there is no C compiler.
pub(crate) fn fake_nvml() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| compile_fake_nvml("nvml", &[])).as_deref()
}

/// The same without what older libraries lack.
pub(crate) fn old_fake_nvml() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER
        .get_or_init(|| compile_fake_nvml("nvml-old", &["-DOLD_DRIVER"]))
        .as_deref()
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn compile_fake_nvml(name: &str, flags: &[&str]) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nvml/fake_nvml.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let compiled = Command::new("cc")
        .args(flags)
        .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
        .arg(folder.join("libnvidia-ml.so.1"))
        .arg(source)
        .status();
    let Ok(status) = compiled else {
        eprintln!("skipped: there is no C compiler `cc` to build the stand-in for NVML with");
        return None;
    };
    assert!(status.success(), "cc: {status}");
    Some(folder)
}

/// What a child process saw as Debug text: `GpuUse`, then `Machine` and what became of a dropped sampler.
fn child(library: &Path, intervals: u32, variables: &[(&str, &str)]) -> (String, String) {
    let answer = tempfile::NamedTempFile::new().unwrap();
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", "telemetry::child_that_samples", "--ignored"])
        .env_remove("CUDA_VISIBLE_DEVICES")
        .env("LD_LIBRARY_PATH", library)
        .env(ANSWER, answer.path())
        .env(INTERVALS, intervals.to_string())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let text = fs::read_to_string(answer.path()).unwrap();
    let (gpu, machine) = text.split_once('\n').unwrap();
    (gpu.to_owned(), machine.to_owned())
}

/// How many threads still sample; waits up to 10 s for them to end.
fn sampling_threads_left() -> usize {
    let count = || {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "gpu-sampler").count()
    };
    for _ in 0..100 {
        if count() == 0 {
            return 0;
        }
        thread::sleep(SAMPLE_INTERVAL);
    }
    count()
}

/// The number after `key: ` in Debug text.
fn number(text: &str, key: &str) -> f64 {
    let (_, rest) = text.split_once(&format!("{key}: ")).unwrap();
    let end = rest.find([',', ' ']).unwrap();
    rest[..end].parse().unwrap()
}

#[test]
#[ignore = "the child of the tests below; does nothing useful alone"]
fn child_that_samples() {
    let Ok(answer) = env::var(ANSWER) else { return };
    let intervals: u32 = env::var(INTERVALS).unwrap().parse().unwrap();
    let clock = RunClock::default();
    let sampler = Sampler::start(&clock);
    thread::sleep(SAMPLE_INTERVAL * intervals);
    let seen = sampler.stop();
    let gpu = &seen.gpu;
    drop(Sampler::start(&clock));
    let left = sampling_threads_left();
    fs::write(
        answer,
        format!(
            "{gpu:?}\n{:?}\nthrottled: {:?}, new processes: {}\nsampling threads left: {left}",
            machine(),
            seen.throttled,
            seen.new_processes
        ),
    )
    .unwrap();
}

#[test]
fn one_gpu_is_sampled_from_start_to_stop() {
    let Some(library) = fake_nvml() else { return };
    let (gpu, machine) = child(library, 3, &[]);
    let samples = number(&gpu, "samples");
    assert!(samples >= 2.0, "{gpu}");
    let expected = GpuUse::Measured {
        memory_peak_bytes: 1500 * MIB,
        utilization_mean_pct: Some(90.0),
        utilization_untold: None,
        samples: 0,
    };
    assert_eq!(
        gpu.replace(&format!("samples: {samples}"), "samples: 0"),
        format!("{expected:?}")
    );
    assert!(
        machine.contains(r#"gpus: ["NVIDIA H100 80GB HBM3"], gpu_driver: Some("570.148.08")"#),
        "{machine}"
    );
}

#[test]
fn a_run_shorter_than_the_interval_still_has_two_samples() {
    let Some(library) = fake_nvml() else { return };
    let (gpu, _) = child(library, 0, &[]);
    assert!(number(&gpu, "samples") >= 2.0, "{gpu}");
}

#[test]
fn a_gpu_without_utilisation_still_has_its_memory() {
    let Some(library) = fake_nvml() else { return };
    let (gpu, _) = child(library, 0, &[("FAKE_NVML_FAIL", "utilization")]);
    assert!(gpu.contains(&format!("memory_peak_bytes: {},", 1500 * MIB)), "{gpu}");
    assert!(
        gpu.contains(
            "utilization_untold: Some(\"NVML could not tell the utilisation of GPU 0: the requested operation"
        ),
        "{gpu}"
    );
}

#[test]
fn memory_adds_up_over_the_visible_gpus_and_utilisation_is_their_mean() {
    let Some(library) = fake_nvml() else { return };
    for (visible, peak_mib, mean_pct, names) in [
        (None, 1500 + 2500, 60.0, 2),
        (Some("1"), 2500, 30.0, 1),
        (Some("GPU-00000000"), 1500, 90.0, 1),
    ] {
        let mut variables = vec![("FAKE_NVML_GPUS", "2")];
        variables.extend(visible.map(|gpus| ("CUDA_VISIBLE_DEVICES", gpus)));
        let (gpu, machine) = child(library, 1, &variables);
        let peak = format!("memory_peak_bytes: {},", peak_mib * MIB);
        assert!(gpu.contains(&peak), "{visible:?}: {gpu}");
        assert!(
            gpu.contains(&format!("utilization_mean_pct: Some({mean_pct:?}),")),
            "{visible:?}: {gpu}"
        );
        assert_eq!(machine.matches("NVIDIA H100").count(), names, "{visible:?}: {machine}");
    }
}

#[test]
fn a_figure_that_cannot_be_had_is_a_reason_and_never_a_zero() {
    let Some(library) = fake_nvml() else { return };
    for (variable, value, reason) in [
        (
            "FAKE_NVML_FAIL",
            "init",
            "NVML did not start: NVIDIA driver is not loaded",
        ),
        (
            "FAKE_NVML_FAIL",
            "memory",
            "NVML could not tell the memory in use of GPU 0: the requested operation",
        ),
        ("FAKE_NVML_GPUS", "0", "NVML lists no GPU on this machine"),
        (
            "CUDA_VISIBLE_DEVICES",
            "",
            "`CUDA_VISIBLE_DEVICES` is ``, which hides every GPU",
        ),
        (
            "CUDA_VISIBLE_DEVICES",
            "5",
            "`CUDA_VISIBLE_DEVICES` names `5`, which is none of the 1 GPUs",
        ),
    ] {
        let (gpu, _) = child(library, 0, &[(variable, value)]);
        assert!(
            gpu.starts_with(&format!("NotMeasured(\"{reason}")),
            "{variable}={value}: {gpu}"
        );
    }
}

#[test]
fn a_mig_instance_that_is_not_there_has_no_figures_but_its_gpu_is_told() {
    let Some(library) = fake_nvml() else { return };
    let (gpu, machine) = child(library, 0, &[("CUDA_VISIBLE_DEVICES", "MIG-1234")]);
    assert!(
        gpu.contains("names `MIG-1234`, which is none of the 0 MIG instances"),
        "{gpu}"
    );
    assert!(machine.contains("gpus: [\"NVIDIA H100 80GB HBM3\"]"), "{machine}");
}

/// Samples around a run that begins later than the sampler; the caller says in which case.
fn of_a_run(intervals: u32) -> (GpuUse, Vec<GpuSeries>) {
    let clock = RunClock::default();
    let sampler = Sampler::start(&clock);
    thread::sleep(SAMPLE_INTERVAL * 2);
    clock.start(Instant::now());
    thread::sleep(SAMPLE_INTERVAL * intervals);
    let seen = sampler.stop();
    (seen.gpu, seen.series)
}

#[test]
#[ignore = "the child of the test below; does nothing useful alone"]
fn child_that_samples_a_run() {
    match env::var(CASE).unwrap_or_default().as_str() {
        "two GPUs" => {
            let (_, series) = of_a_run(25);
            assert_eq!(series.iter().map(|series| series.index).collect::<Vec<_>>(), [0, 1]);
            let [_, second] = &series[..] else {
                unreachable!("{series:?}")
            };
            let samples: u32 = second.points.iter().map(|point| point.samples).sum();
            assert!((2..30).contains(&samples), "of the run alone: {second:?}");
            assert!(
                second.points.iter().all(|point| point.memory_used_bytes == 2000 * MIB),
                "{second:?}"
            );
            let stated = second.points.iter().find(|point| point.power_w.is_some()).unwrap();
            assert_eq!((stated.power_w, stated.temperature_c), (Some(400.0), Some(61)));
            assert_eq!(
                (stated.sm_clock_mhz, stated.memory_clock_mhz),
                (Some(1980.0), Some(2619.0))
            );
            let energy_j = second.energy_j.unwrap();
            assert!(
                (200.0..4000.0).contains(&energy_j),
                "400 W for up to 2.5 s and a slow machine: {energy_j}"
            );
            assert_eq!(second.throttled.len(), 1, "from begin to end: {second:?}");
            assert_eq!(second.throttled[0].reason, "sw_thermal_slowdown");
        }
        "no state" => {
            let (gpu, series) = of_a_run(3);
            assert!(matches!(gpu, GpuUse::Measured { .. }), "{gpu:?}");
            let told = |point: &perfgate::session::GpuPoint| point.power_w.or(point.sm_clock_mhz).is_some();
            assert!(
                !series[0].points.iter().any(told) && series[0].energy_j.is_none(),
                "{series:?}"
            );
        }
        "lost" => {
            let (gpu, series) = of_a_run(10);
            let GpuUse::NotMeasured(reason) = gpu else {
                unreachable!("{gpu:?}")
            };
            assert!(reason.contains("memory in use of GPU 0"), "{reason}");
            let [series] = &series[..] else {
                unreachable!("{series:?}")
            };
            assert_eq!(series.gaps.len(), 1, "{series:?}");
            assert!(
                series.gaps[0].from_ns >= series.points.last().unwrap().at_ns,
                "{series:?}"
            );
            assert!(series.gaps[0].to_ns >= 900_000_000, "to the end of the run: {series:?}");
        }
        _ => {}
    }
}

#[test]
fn each_gpu_is_followed_on_the_clock_of_the_run() {
    let Some(library) = fake_nvml() else { return };
    for (case, variable, value) in [
        ("two GPUs", "FAKE_NVML_THROTTLE", "0x20"),
        ("no state", "FAKE_NVML_FAIL", "state"),
        ("lost", "FAKE_NVML_LOST_AFTER", "6"),
    ] {
        let run = Command::new(env::current_exe().unwrap())
            .args(["--exact", "telemetry::child_that_samples_a_run", "--ignored"])
            .env_remove("CUDA_VISIBLE_DEVICES")
            .env("LD_LIBRARY_PATH", library)
            .env(CASE, case)
            .env("FAKE_NVML_GPUS", if case == "two GPUs" { "2" } else { "1" })
            .env(variable, value)
            .output()
            .unwrap();
        assert!(run.status.success(), "{case}: {}", String::from_utf8_lossy(&run.stdout));
    }
}

#[test]
fn a_hidden_gpu_is_neither_sampled_nor_told() {
    let Some(library) = fake_nvml() else { return };
    let (gpu, machine) = child(library, 0, &[("CUDA_VISIBLE_DEVICES", "-1")]);
    assert!(gpu.contains("which hides every GPU"), "{gpu}");
    assert!(machine.contains("gpus: []"), "{machine}");
}

#[test]
fn without_a_driver_there_is_no_gpu_and_the_machine_is_still_told() {
    // A library that is none stops the search, so that this holds on a machine with a driver too.
    let folder = tempfile::tempdir().unwrap();
    for name in ["libnvidia-ml.so.1", "libnvidia-ml.so"] {
        fs::write(folder.path().join(name), "not a library").unwrap();
    }
    let (gpu, machine) = child(folder.path(), 0, &[]);
    assert!(
        gpu.starts_with("NotMeasured(\"no NVIDIA driver on this machine ("),
        "{gpu}"
    );
    assert!(machine.contains("gpus: [], gpu_driver: None"), "{machine}");
    assert!(machine.contains(std::env::consts::ARCH), "{machine}");
}

#[test]
fn clocks_that_are_held_down_and_new_processes_are_seen_and_a_busy_gpu_is_not_throttled() {
    let Some(library) = fake_nvml() else { return };
    for (throttle, processes, expected) in [
        // 0x4: at its power limit. 0x20 and 0x40: too hot.
        ("0x4", "0", "throttled: [], new processes: 0"),
        (
            "0x60",
            "2",
            "throttled: [\"hw_thermal_slowdown\", \"sw_thermal_slowdown\"], new processes: 2",
        ),
    ] {
        let variables = [("FAKE_NVML_THROTTLE", throttle), ("FAKE_NVML_NEW_PROCESSES", processes)];
        let (_, rest) = child(library, 2, &variables);
        assert!(rest.contains(expected), "{rest}");
    }
}

#[test]
fn a_sampler_that_is_dropped_ends_by_itself() {
    let Some(library) = fake_nvml() else { return };
    let (_, machine) = child(library, 0, &[]);
    assert!(machine.ends_with("sampling threads left: 0"), "{machine}");
}

#[test]
fn this_machine_tells_its_cores_and_system() {
    let seen: Machine = machine();
    assert!(seen.cpu_cores.is_some_and(|cores| cores > 0));
    assert_eq!(seen.os.unwrap(), format!("{} {}", env::consts::OS, env::consts::ARCH));
}

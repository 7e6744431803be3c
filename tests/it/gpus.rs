//! The GPUs of a server: which ones count, through which library, MIG instances, broken memory, exporters on another machine.
//! Against a stand-in for NVML, and pages of real sockets.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use perfgate::session::{GpuUse, Run, Session};

use crate::{
    command::{Sim, expect, perfgate},
    engine_page::{page, say},
    telemetry::{fake_nvml, old_fake_nvml},
    trust::repository::Repo,
};

/// A run of a second: 8 requests of 50 tokens, four at a time, ten milliseconds a token.
fn measure(sim: &Sim, flags: &[&str], variables: &[(&str, &str)]) -> (Session, String) {
    let folder = tempfile::tempdir().unwrap();
    let small =
        "run --input-tokens 16 --output-tokens 50 --concurrency 4 --requests 8 --warmup 1 --repeat 1 --quiet -o s.json";
    let small: Vec<&str> = small
        .split(' ')
        .chain(["--url", &sim.url, "--metrics-interval", "100ms"])
        .collect();
    let mut command = perfgate(folder.path(), &[&small, flags].concat());
    command
        .env_remove("CUDA_VISIBLE_DEVICES")
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    (
        perfgate::store::read_session(&folder.path().join("s.json")).unwrap(),
        said,
    )
}

fn sim() -> Sim {
    Sim::start(&["--decode-step-us", "10000", "--decode-us-per-seq", "0"])
}

fn only_run(session: &Session) -> &Run {
    session.cells.first().unwrap().runs.first().unwrap()
}

fn indices(session: &Session) -> Vec<u32> {
    only_run(session)
        .telemetry
        .gpus
        .iter()
        .map(|series| series.index)
        .collect()
}

fn measured(session: &Session) -> (u64, Option<f64>, &str) {
    match &only_run(session).gpu {
        GpuUse::Measured {
            memory_peak_bytes,
            utilization_mean_pct,
            utilization_untold,
            ..
        } => (
            memory_peak_bytes >> 20,
            *utilization_mean_pct,
            utilization_untold.as_deref().unwrap_or(""),
        ),
        GpuUse::NotMeasured(reason) => unreachable!("{reason}"),
    }
}

fn not_measured(session: &Session) -> &str {
    match &only_run(session).gpu {
        GpuUse::NotMeasured(reason) => reason,
        GpuUse::Measured { .. } => unreachable!("{:?}", only_run(session).gpu),
    }
}

/// The flag that names the stand-in; no search path leads to it.
fn library(folder: &Path) -> String {
    folder.join("libnvidia-ml.so.1").display().to_string()
}

#[test]
fn the_library_and_the_gpus_are_those_that_are_named() {
    let Some(folder) = fake_nvml() else { return };
    let (sim, library) = (sim(), library(folder));
    let of = |gpus: &str, variables: &[(&str, &str)]| {
        let variables = [&[("FAKE_NVML_GPUS", "3")][..], variables].concat();
        measure(&sim, &["--nvml-lib", &library, "--gpus", gpus], &variables).0
    };
    // What is named comes before what CUDA itself reads.
    let session = of("0,GPU-00000002", &[("CUDA_VISIBLE_DEVICES", "1")]);
    assert_eq!(indices(&session), [0, 2]);
    assert_eq!(session.environment.gpus.len(), 2);
    let session = of("7", &[]);
    assert_eq!(
        not_measured(&session),
        "`target.gpus` names `7`, which is none of the 3 GPUs that NVML lists"
    );
    let (session, _) = measure(&sim, &["--nvml-lib", "/nowhere/libnvidia-ml.so.1"], &[]);
    let reason = not_measured(&session);
    assert!(
        reason.starts_with("`target.nvml_lib` names `/nowhere/libnvidia-ml.so.1`, which cannot be loaded: "),
        "{reason}"
    );
}

#[test]
fn a_mig_instance_has_its_memory_and_no_utilisation() {
    let Some(folder) = fake_nvml() else { return };
    let (sim, library) = (sim(), library(folder));
    let divided = [("FAKE_NVML_MIG", "2")];
    let (session, _) = measure(&sim, &["--nvml-lib", &library, "--gpus", "MIG-00000001"], &divided);
    let (peak_mib, utilization_pct, untold) = measured(&session);
    assert_eq!((peak_mib, utilization_pct), (200, None));
    assert!(
        untold.contains("NVML tells no utilisation of a MIG instance"),
        "{untold}"
    );
    assert_eq!(indices(&session), [102], "at the third place of GPU 0");
    assert_eq!(session.environment.gpus, ["NVIDIA H100 80GB HBM3 MIG 1g.10gb"]);
    let (session, _) = measure(&sim, &["--nvml-lib", &library], &divided);
    let (peak_mib, utilization_pct, _) = measured(&session);
    assert_eq!(
        (peak_mib >= 1000, utilization_pct),
        (true, None),
        "the whole GPU, and every instance on it"
    );
}

#[test]
fn memory_errors_that_come_in_a_run_are_told_and_old_ones_are_not() {
    let Some(folder) = fake_nvml() else { return };
    let (sim, library) = (sim(), library(folder));
    for (after, errors) in [("2", 2), ("0", 0)] {
        let (session, said) = measure(&sim, &["--nvml-lib", &library], &[("FAKE_NVML_ERRORS_AFTER", after)]);
        assert_eq!(only_run(&session).host.gpu_memory_errors, errors);
        let told = said.contains("its GPUs counted 2 memory errors that they could not correct (ECC) in 1 of 1 runs");
        assert_eq!(told, errors > 0, "{said}");
    }
}

#[test]
fn what_a_driver_does_not_have_or_does_not_allow_costs_that_figure_alone() {
    let (Some(folder), Some(old)) = (fake_nvml(), old_fake_nvml()) else {
        return;
    };
    let sim = sim();
    let (session, _) = measure(
        &sim,
        &["--nvml-lib", &library(folder)],
        &[("FAKE_NVML_FAIL", "permission")],
    );
    assert_eq!(measured(&session).1, Some(90.0));
    let [series] = &only_run(&session).telemetry.gpus[..] else {
        unreachable!("one GPU")
    };
    assert!(series.points.iter().all(|point| point.power_w.is_none()), "{series:?}");
    assert!(
        series.points.iter().any(|point| point.sm_clock_mhz.is_some()),
        "{series:?}"
    );
    let (session, _) = measure(&sim, &["--nvml-lib", &library(old)], &[]);
    let (peak_mib, utilization_pct, untold) = measured(&session);
    assert_eq!((peak_mib, utilization_pct), (1500, None));
    assert!(
        untold.starts_with("NVML could not tell the utilisation of GPU 0: "),
        "{untold}"
    );
}

/// A page of dcgm-exporter, collected anew with each look.
fn dcgm(look: u32) -> String {
    let labels = |gpu: u32| format!("{{gpu=\"{gpu}\",UUID=\"GPU-{gpu}a\",modelName=\"NVIDIA H200\",Hostname=\"far\"}}");
    let mut text = String::new();
    for gpu in 0..2 {
        for (name, value) in [
            ("FB_USED", 70_000 + 1000 * gpu),
            ("FB_FREE", 10_000),
            ("GPU_UTIL", 80 + gpu),
            ("POWER_USAGE", 500),
            ("SM_CLOCK", 1980),
            ("TOTAL_ENERGY_CONSUMPTION", 1_000_000 + 50_000 * look),
        ] {
            writeln!(text, "DCGM_FI_DEV_{name}{} {value}", labels(gpu)).unwrap();
        }
    }
    text
}

#[test]
fn the_gpus_of_a_server_elsewhere_are_those_of_its_exporter() {
    let sim = sim();
    let looks = AtomicU32::new(0);
    let url = page(move |_, stream| {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        say(&stream, "200 OK", dcgm(look).as_bytes());
    });
    let (session, _) = measure(&sim, &["--gpu-exporter", &url], &[]);
    assert_eq!(session.environment.gpus, ["NVIDIA H200", "NVIDIA H200"]);
    let (peak_mib, utilization_pct, _) = measured(&session);
    assert_eq!((peak_mib, utilization_pct), (141_000, Some(80.5)));
    let [first, second] = &only_run(&session).telemetry.gpus[..] else {
        unreachable!("two GPUs")
    };
    assert_eq!((first.index, second.index), (0, 1));
    assert_eq!(
        (first.memory_total_bytes, second.points[0].power_w),
        (Some(80_000 << 20), Some(500.0))
    );
    assert!(first.energy_j.is_some_and(|energy| energy > 0.0), "{first:?}");
    assert!(
        session.notes.iter().any(|note| note.contains("`target.gpu_exporter`")),
        "{:?}",
        session.notes
    );
    let (session, _) = measure(&sim, &["--gpu-exporter", &url, "--gpus", "1"], &[]);
    assert_eq!((indices(&session), measured(&session).0), (vec![1], 71_000));
}

#[test]
fn an_exporter_that_fails_or_says_the_same_again_leaves_no_figure_and_the_measurement_goes_on() {
    let sim = sim();
    let html = page(|_, stream| say(&stream, "200 OK", b"<html>"));
    let (session, _) = measure(&sim, &["--gpu-exporter", &html], &[]);
    assert_eq!(not_measured(&session), "the GPU exporter: the page is HTML, no metrics");
    assert!(session.environment.gpus.is_empty());
    // One look at the start, and one before the run.
    let dying = page(|number, stream| {
        if number < 5 {
            say(&stream, "200 OK", dcgm(number).as_bytes());
        }
    });
    let (session, _) = measure(&sim, &["--gpu-exporter", &dying], &[]);
    assert!(
        not_measured(&session).contains("looks at the GPUs failed"),
        "{}",
        not_measured(&session)
    );
    assert!(
        only_run(&session)
            .telemetry
            .gpus
            .iter()
            .all(|series| !series.gaps.is_empty())
    );
    let stale = page(|_, stream| say(&stream, "200 OK", dcgm(1).as_bytes()));
    let (session, _) = measure(&sim, &["--gpu-exporter", &stale], &[]);
    assert!(
        not_measured(&session).contains("told nothing new during the run"),
        "{}",
        not_measured(&session)
    );
    assert!(
        only_run(&session)
            .requests
            .iter()
            .all(perfgate::session::RequestRecord::completed)
    );
}

#[test]
fn a_library_of_the_work_tree_is_none_that_a_pull_request_may_have_loaded() {
    let repository = Repo::new();
    let folder = repository.path();
    let inside = folder.join("evil.so");
    repository.write("perfgate.yaml", format!("target: {{nvml_lib: {}}}\n", inside.display()));
    repository.commit("rules");
    let (_, trouble) = expect(
        &folder,
        2,
        &["run", "--trusted-ref", "HEAD", "--url", "http://127.0.0.1:9"],
    );
    assert!(
        trouble.contains("`target.nvml_lib` names `evil.so` of this repository, which a pull request can change"),
        "{trouble}"
    );
    repository.write("perfgate.yaml", "target: {nvml_lib: evil.so}\n");
    let (_, trouble) = expect(&folder, 2, &["config", "show"]);
    assert!(trouble.contains("`evil.so` is no absolute path"), "{trouble}");
}

/// The CPU time of the threads that sample, as shares of one core, from `/proc`.
#[test]
#[ignore = "takes 20 s and tells what this machine needs; run it alone with --nocapture"]
fn what_the_samplers_cost() {
    let Some(folder) = fake_nvml() else { return };
    let sim = Sim::start(&["--decode-step-us", "10000", "--decode-us-per-seq", "0"]);
    let scratch = tempfile::tempdir().unwrap();
    let args = "run --input-tokens 16 --output-tokens 500 --concurrency 4 --requests 16 --warmup 1 --repeat 1 --quiet -o s.json";
    let library = library(folder);
    let args: Vec<&str> = args
        .split(' ')
        .chain(["--url", &sim.url, "--nvml-lib", &library])
        .collect();
    let mut run = perfgate(scratch.path(), &args)
        .env("FAKE_NVML_GPUS", "8")
        .spawn()
        .unwrap();
    let tasks = format!("/proc/{}/task", run.id());
    let mut ticks = std::collections::BTreeMap::new();
    let mut seen = std::collections::BTreeMap::new();
    while run.try_wait().unwrap().is_none() {
        for task in fs::read_dir(&tasks).into_iter().flatten().flatten() {
            let Ok(stat) = fs::read_to_string(task.path().join("stat")) else {
                continue;
            };
            let Some((head, rest)) = stat.rsplit_once(')') else {
                continue;
            };
            let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
            if !name.ends_with("sampler") && !name.ends_with("watch") {
                continue;
            }
            let fields: Vec<i64> = rest.split(' ').filter_map(|field| field.parse().ok()).collect();
            // Fields 14 and 15 of the line; the state is no number, so that the first one here is field 4.
            ticks.insert(name.clone(), fields[10] + fields[11]);
            *seen.entry(name).or_insert(0_u32) += 1;
        }
        thread::sleep(Duration::from_millis(100));
    }
    for (name, ticks) in ticks {
        let seconds = f64::from(seen[&name]) * 0.1;
        let busy_s = f64::from(u32::try_from(ticks).unwrap()) / 100.0;
        eprintln!(
            "{name}: {busy_s:.2} s of CPU time in {seconds:.1} s, {:.2} % of a core",
            busy_s / seconds * 100.0
        );
    }
}

/// Each figure of the machine and the engine, as the JSON of a comparison has it.
#[test]
#[ignore = "takes 20 s; run it where a figure changes"]
fn every_figure_of_the_machine_can_be_gated() {
    let Some(folder) = fake_nvml() else { return };
    let sim = Sim::start(&[
        "--decode-step-us",
        "10000",
        "--decode-us-per-seq",
        "0",
        "--kv-blocks",
        "100",
    ]);
    let scratch = tempfile::tempdir().unwrap();
    let library = library(folder);
    for file in ["a.json", "b.json"] {
        let args =
            "run --input-tokens 64 --output-tokens 200 --concurrency 8 --requests 24 --warmup 1 --repeat 1 --quiet -o";
        let more = [
            file,
            "--url",
            &sim.url,
            "--nvml-lib",
            &library,
            "--metrics-interval",
            "100ms",
        ];
        let args: Vec<&str> = args.split(' ').chain(more).collect();
        expect(scratch.path(), 0, &args);
    }
    let keys = [
        "gpu_power_w",
        "energy_per_output_token_j",
        "kv_cache_peak_pct",
        "queue_waiting_p95",
        "preemptions",
        "prefix_cache_hit_rate",
        "gpu_memory_headroom_pct",
        "kv_cache_capacity_tokens",
    ];
    let gates: Vec<String> = keys.iter().map(|key| format!("{key}=10%:report")).collect();
    let mut args = vec!["compare", "a.json", "b.json", "--report-dir", "report"];
    args.extend(gates.iter().flat_map(|gate| ["--gate", gate]));
    perfgate(scratch.path(), &args).output().unwrap();
    let text = fs::read_to_string(scratch.path().join("report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let checks = report["checks"].as_array().unwrap();
    for key in keys {
        let check = checks.iter().find(|check| check["metric"] == key);
        let check = check.unwrap_or_else(|| unreachable!("{key} is not in {report}"));
        // Of a zero there is a figure, and no ratio.
        assert!(check["n_baseline"] == 1 && check["n_candidate"] == 1, "{key}: {check}");
        assert!(
            check["unit"].as_str().is_some_and(|unit| !unit.is_empty()),
            "{key}: {check}"
        );
    }
}

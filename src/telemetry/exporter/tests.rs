use std::sync::{Arc, Mutex};

use super::*;

const DCGM: &str = "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).\n# TYPE DCGM_FI_DEV_SM_CLOCK gauge\n\
    DCGM_FI_DEV_SM_CLOCK{gpu=\"0\",UUID=\"GPU-aa\",device=\"nvidia0\",modelName=\"NVIDIA H100\",Hostname=\"n\",DCGM_FI_DRIVER_VERSION=\"550.54\"} 1980\n\
    DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-aa\",modelName=\"NVIDIA H100\",Hostname=\"n\"} 72000\n\
    DCGM_FI_DEV_FB_USED{gpu=\"1\",UUID=\"GPU-bb\",modelName=\"NVIDIA H100\",Hostname=\"n\"} 1000\n\
    DCGM_FI_DEV_FB_FREE{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 9000\n\
    DCGM_FI_DEV_FB_FREE{gpu=\"1\",UUID=\"GPU-bb\",Hostname=\"n\"} 80000\n\
    DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 97\n\
    DCGM_FI_DEV_GPU_UTIL{gpu=\"1\",UUID=\"GPU-bb\",Hostname=\"n\"} 9223372036854775794\n\
    DCGM_FI_DEV_POWER_USAGE{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 612.375\n\
    DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 5000000000\n\
    DCGM_FI_DEV_GPU_TEMP{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 2147483632\n\
    DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 3\n\
    DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n\"} 36\n";

const AMD: &str = "gpu_used_vram{gpu_id=\"0\",card_model=\"MI300X\",hostname=\"n\",serial_number=\"s0\"} 150000\n\
    gpu_total_vram{gpu_id=\"0\",card_model=\"MI300X\",hostname=\"n\",serial_number=\"s0\"} 196592\n\
    gpu_gfx_activity{gpu_id=\"0\",hostname=\"n\",serial_number=\"s0\"} 88\n\
    gpu_package_power{gpu_id=\"0\",hostname=\"n\",serial_number=\"s0\"} 700\n\
    gpu_clock{gpu_id=\"0\",clock_index=\"1\",clock_type=\"system\",hostname=\"n\",serial_number=\"s0\"} 2000\n\
    gpu_clock{gpu_id=\"0\",clock_index=\"2\",clock_type=\"system\",hostname=\"n\",serial_number=\"s0\"} 2100\n\
    gpu_clock{gpu_id=\"0\",clock_index=\"8\",clock_type=\"memory\",hostname=\"n\",serial_number=\"s0\"} 1300\n\
    gpu_clock{gpu_id=\"0\",clock_index=\"9\",clock_type=\"video\",hostname=\"n\",serial_number=\"s0\"} 29\n\
    gpu_junction_temperature{gpu_id=\"0\",hostname=\"n\",serial_number=\"s0\"} 64\n\
    gpu_energy_consumed{gpu_id=\"0\",hostname=\"n\",serial_number=\"s0\"} 9000000000\n\
    gpu_used_vram{gpu_id=\"1\",card_model=\"MI300X\",hostname=\"n\",serial_number=\"s1\"} 0\n\
    gpu_total_vram{gpu_id=\"1\",card_model=\"MI300X\",hostname=\"n\",serial_number=\"s1\"} 0\n";

fn of(text: &str) -> Page {
    page(&[text.as_bytes().to_vec()]).unwrap()
}

fn readings(text: &str, wanted: &[&str]) -> Result<Vec<Reading>, String> {
    let page = page(&[text.as_bytes().to_vec()]).map_err(|error| error.to_string())?;
    let wanted: Vec<String> = wanted.iter().map(|entry| (*entry).to_owned()).collect();
    let gpus = chosen(&page, &wanted).map_err(|error| error.to_string())?;
    let read = gpus.iter().map(|(key, told)| reading(key, told));
    read.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

#[test]
fn dcgm_counts_memory_in_mib_and_energy_in_mj_and_its_blanks_are_no_figures() {
    let [first, second] = &readings(DCGM, &[]).unwrap()[..] else {
        unreachable!("two GPUs")
    };
    assert_eq!(first.memory_used_bytes, 72_000 << 20);
    assert_eq!(first.memory_total_bytes, 81_000 << 20);
    assert_eq!(
        (first.utilization_pct, first.state.power_w),
        (Some(97.0), Some(612.375))
    );
    assert_eq!(
        (first.state.sm_clock_mhz, first.state.temperature_c),
        (Some(1980), None)
    );
    assert_eq!((first.state.energy_j, first.state.memory_errors), (Some(5e6), Some(3)));
    assert_eq!(
        first.throttled,
        ["sw_thermal_slowdown"],
        "36: at its power limit, and too hot"
    );
    assert_eq!(second.utilization_pct, None);
    assert!(
        second
            .utilization_untold
            .as_deref()
            .is_some_and(|why| why.ends_with("no utilisation of GPU 1"))
    );
    assert_eq!(second.state, State::default());
}

#[test]
fn amd_counts_memory_in_mib_and_energy_in_uj_and_an_empty_partition_is_none() {
    for text in [
        AMD.to_owned(),
        AMD.replace("gpu_used", "amd_gpu_used")
            .replace("gpu_clock{", "amd_gpu_clock{"),
    ] {
        let [only] = &readings(&text, &[]).unwrap()[..] else {
            unreachable!("one GPU")
        };
        assert_eq!(
            (only.memory_used_bytes, only.memory_total_bytes),
            (150_000 << 20, 196_592 << 20)
        );
        assert_eq!((only.utilization_pct, only.state.power_w), (Some(88.0), Some(700.0)));
        assert_eq!(
            (only.state.sm_clock_mhz, only.state.memory_clock_mhz),
            (Some(2100), Some(1300))
        );
        assert_eq!(
            (only.state.energy_j, only.state.temperature_c),
            (Some(9000.0), Some(64))
        );
    }
}

#[test]
fn gpus_are_picked_by_their_labels_and_one_that_is_not_there_is_an_error() {
    let used = |wanted: &[&str]| {
        readings(DCGM, wanted).map(|all| all.iter().map(|one| one.memory_used_bytes >> 20).collect::<Vec<_>>())
    };
    assert_eq!(used(&["1"]), Ok(vec![1000]));
    assert_eq!(used(&["GPU-aa"]), Ok(vec![72_000]));
    assert!(
        used(&["7"])
            .unwrap_err()
            .contains("no GPU 7, which `target.gpus` names")
    );
    assert!(used(&["MIG-1"]).is_err());
}

#[test]
fn instances_stand_for_the_gpu_that_they_are_part_of() {
    let page = "DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-aa\"} 70000\n\
                DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-aa\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"7\",modelName=\"NVIDIA H100\"} 4000\n\
                DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu=\"0\",UUID=\"GPU-aa\",GPU_I_ID=\"7\"} 0.5\n\
                DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-aa\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"8\",modelName=\"NVIDIA H100\"} 5000\n";
    let found = readings(page, &[]).unwrap();
    assert_eq!(
        found.iter().map(|one| one.memory_used_bytes >> 20).collect::<Vec<_>>(),
        [4000, 5000]
    );
    assert_eq!(found[0].utilization_pct, Some(50.0));
    let keys: Vec<Key> = of(page).gpus.into_keys().collect();
    assert_eq!(indices(&keys), [0, 1]);
    assert_eq!(
        exported_gpus(&[page.as_bytes().to_vec()]).unwrap().names,
        ["NVIDIA H100 MIG 7", "NVIDIA H100 MIG 8"]
    );
}

#[test]
fn what_an_exporter_says_again_is_not_new() {
    let text = Arc::new(Mutex::new(DCGM.to_owned()));
    let shown = Arc::clone(&text);
    let mut exporter = Exporter::new(Arc::new(move || Ok(vec![shown.lock().unwrap().clone().into_bytes()])));
    let first = exporter.look().unwrap();
    assert_eq!((first.indices, first.is_new), (vec![0, 1], false));
    assert!(!exporter.look().unwrap().is_new, "it may be as old as it likes");
    let next = text.lock().unwrap().replace(" 5000000000", " 5000600000");
    *text.lock().unwrap() = next;
    assert!(exporter.look().unwrap().is_new);
    let lost = text
        .lock()
        .unwrap()
        .lines()
        .filter(|line| !line.contains("GPU-bb"))
        .collect::<Vec<_>>()
        .join("\n");
    *text.lock().unwrap() = lost;
    let told = exporter.look().unwrap_err().to_string();
    assert_eq!(told, "the GPU exporter: its page lists other GPUs than before");
}

#[test]
fn a_page_of_something_else_and_one_without_memory_are_told() {
    for (text, told) in [
        ("<html>", "the page is HTML"),
        (
            "vllm:num_requests_running 1\n",
            "none of the series that perfgate knows of GPUs",
        ),
        (
            "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\"} 5\n",
            "does not tell the memory in use of GPU 0",
        ),
        (
            "gpu_used_vram{gpu_id=\"0\"} 157286400000\n",
            "does not tell the memory in use of GPU 0",
        ),
    ] {
        let error = readings(text, &[]).unwrap_err();
        assert!(
            error.starts_with("the GPU exporter: ") && error.contains(told),
            "{error}"
        );
    }
}

#[test]
fn models_and_driver_are_those_of_the_page() {
    let gpus = exported_gpus(&[DCGM.as_bytes().to_vec()]).unwrap();
    assert_eq!(gpus.names, ["NVIDIA H100", "NVIDIA H100"]);
    assert_eq!(gpus.driver.as_deref(), Some("550.54"));
}

#[test]
fn gpus_of_two_machines_with_one_number_are_told_apart_by_uuid_alone() {
    let page = "DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-aa\",Hostname=\"n1\"} 70000\n\
        DCGM_FI_DEV_FB_USED{gpu=\"1\",UUID=\"GPU-bb\",Hostname=\"n1\"} 6000\n\
        DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-cc\",Hostname=\"n2\"} 5000\n";
    let used = |wanted: &[&str]| {
        let found = readings(page, wanted);
        found.map(|all| all.iter().map(|one| one.memory_used_bytes >> 20).collect::<Vec<_>>())
    };
    assert_eq!(used(&["GPU-aa"]), Ok(vec![70_000]));
    assert_eq!(used(&["GPU-cc"]), Ok(vec![5_000]));
    assert_eq!(used(&["1", "GPU-cc"]), Ok(vec![6_000, 5_000]));
    assert!(used(&["0"]).unwrap_err().contains("on more than one machine"));
    assert!(used(&["7"]).is_err() && used(&["GPU-dd"]).unwrap_err().contains("on its page"));
}

//! Both pages of Nsight Compute.

use std::fs;

use super::{refused, shared, table};
use crate::op_table::{Clock, Limit, Source};

#[test]
fn both_pages_of_nsight_compute_give_each_kernel_its_class() {
    let Some(truth) = shared("synth/truth.json") else {
        return;
    };
    let truth: serde_json::Value = serde_json::from_str(&fs::read_to_string(truth).unwrap()).unwrap();
    for side in ["good", "bad"] {
        for (page, source) in [("raw", Source::NcuRaw), ("details", Source::NcuDetails)] {
            let table = table(&shared(&format!("synth/ncu_{side}_{page}.csv")).unwrap());
            assert_eq!((table.source, table.clock), (source, Clock::Replayed));
            for row in &table.phases[0].kernels {
                let class = &truth["injected"]["sol"][&row.name];
                let class = class.as_str().unwrap_or_else(|| class[side].as_str().unwrap());
                let expected = match class {
                    "compute" => Limit::Compute,
                    "memory" => Limit::Memory,
                    "saturated-memory" => Limit::SaturatedMemory,
                    "small-grid" => Limit::SmallGrid,
                    other => unreachable!("{other}"),
                };
                assert_eq!(
                    row.speed_of_light.unwrap().limit(),
                    expected,
                    "{side} {page} {}",
                    row.name
                );
                assert_eq!((row.grid, row.block), (Some([132, 1, 1]), Some([256, 1, 1])));
            }
            let flash = table.phases[0]
                .kernels
                .iter()
                .find(|row| row.name == "flash_fwd_splitkv")
                .unwrap();
            assert_eq!(flash.time_ns, if side == "good" { 40_000 } else { 54_000 });
            assert_eq!(flash.bytes.is_some(), page == "raw", "the page `details` has no bytes");
        }
    }
    let bad = table(&shared("synth/ncu_bad_raw.csv").unwrap());
    assert_eq!(bad.phases[0].kernels[0].bytes, Some(50_331_648 + 8_388_608));
}

#[test]
fn a_real_page_of_details_is_memory_bound_as_nvidias_own_rule_says() {
    let Some(path) = shared("public/nsightful_copy_blocked.csv") else {
        return;
    };
    let table = table(&path);
    let [row] = &table.phases[0].kernels[..] else {
        unreachable!("one kernel")
    };
    let light = row.speed_of_light.unwrap();
    assert_eq!(
        (light.compute_pct, light.memory_pct, light.waves),
        (1.30, 61.84, Some(6.40))
    );
    assert_eq!(
        (light.limit(), row.time_ns, row.launches),
        (Limit::Memory, 21_058_944, 1)
    );
    assert_eq!(row.grid, Some([1024, 1, 1]));
}

const RAW: &str = "==PROF== Connected to process 1 (python)\n\
    ==WARNING== Launching the workload is taking more time than expected.\n\
    \"ID\",\"Process ID\",\"Kernel Name\",\"Block Size\",\"Grid Size\",\"gpu__time_duration.sum\",\
    \"sm__throughput.avg.pct_of_peak_sustained_elapsed\",\
    \"gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed\",\"launch__waves_per_multiprocessor\"\n\
    \"\",\"\",\"\",\"\",\"\",\"us\",\"%\",\"%\",\"\"\n\
    \"0\",\"1\",\"a\",\"(256, 1, 1)\",\"(132, 1, 1)\",\"30.00\",\"70\",\"20\",\"2\"\n\
    \"1\",\"1\",\"a\",\"(256, 1, 1)\",\"(132, 1, 1)\",\"10.00\",\"50\",\"60\",\"2\"\n\
    \"2\",\"1\",\"a\",\"(256, 1, 1)\",\"(1, 1, 1)\",\"1,000.50\",\"n/a\",\"n/a\",\"0.1\"\n";

#[test]
fn runs_of_one_kernel_weigh_by_their_time_and_what_was_not_measured_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raw.csv");
    fs::write(&path, RAW).unwrap();
    let table = table(&path);
    let [both, small] = &table.phases[0].kernels[..] else {
        unreachable!("two launch shapes")
    };
    assert_eq!((both.launches, both.time_ns), (2, 40_000));
    let light = both.speed_of_light.unwrap();
    assert!((light.compute_pct - 65.0).abs() < 1e-9 && (light.memory_pct - 30.0).abs() < 1e-9);
    assert_eq!((small.speed_of_light, small.time_ns), (None, 1_000_500));
    assert_eq!(table.notes.len(), 2, "{:?}", table.notes);
}

#[test]
fn pages_of_nsight_compute_that_tell_too_little_are_refused() {
    let (header, _) = RAW.split_at(RAW.find("\"0\",").unwrap());
    let no_metric = RAW.replace("sm__throughput.avg", "sm__cycles.avg");
    let text = |part: &str| part.to_owned();
    for (name, text, expected) in [
        ("empty.csv", text(header), "holds no kernels"),
        (
            "none.csv",
            text("==PROF== Connected\n==WARNING== No kernels were profiled.\n"),
            "holds no kernels",
        ),
        (
            "metric.csv",
            no_metric,
            "lacks `sm__throughput.avg.pct_of_peak_sustained_elapsed`, which",
        ),
        ("cut.csv", text(&RAW[..RAW.len() - 12]), "ends in the middle"),
        (
            "row.csv",
            text(&RAW[..RAW.rfind(",\"n/a\"").unwrap()]),
            "ends in the middle",
        ),
        ("comma.csv", RAW.replace("\"30.00\"", "\"30,0\""), "which is no number"),
        ("unit.csv", RAW.replace("\"us\"", "\"lightyear\""), "`lightyear`"),
        (
            "units.csv",
            RAW.replace("\"\",\"\",\"\",\"\",\"\",\"us\",\"%\",\"%\",\"\"\n", ""),
            "row of units",
        ),
    ] {
        let told = refused(name, text.as_bytes());
        assert!(told.contains(expected), "{name}: {told}");
    }
}

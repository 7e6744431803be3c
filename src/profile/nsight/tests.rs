mod ncu;

use std::{fs, path::PathBuf, time::Duration};

use rusqlite::Connection;

use super::*;
use crate::op_table::{Clock, Cut, IdleCause, OpTable, Phase, Source, Timeline};

/// A file that was made for this project; `None` outside of its workplace.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/profiles")
        .join(name);
    if !path.is_file() {
        eprintln!("skipped: `{}` is not here", path.display());
        return None;
    }
    Some(path)
}

fn table(path: &Path) -> OpTable {
    let head = fs::read(path).unwrap();
    read(path, form(path, &head).unwrap()).unwrap()
}

fn refused(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = match form(&path, bytes) {
        Some(form) => read(&path, form).unwrap_err(),
        None => ProfileError::Unknown { path: path.clone() },
    };
    error.to_string().replace(&folder.path().display().to_string(), "DIR")
}

/// Kernels by name: launches and time.
fn kernels(table: &OpTable) -> Vec<(String, u64, u64)> {
    let rows = table.phases.iter().flat_map(|phase| &phase.kernels);
    let mut sums: Vec<(String, u64, u64)> = Vec::new();
    for row in rows {
        match sums.iter_mut().find(|(name, _, _)| *name == row.name) {
            Some((_, launches, time_ns)) => {
                *launches += row.launches;
                *time_ns += row.time_ns;
            }
            None => sums.push((row.name.clone(), row.launches, row.time_ns)),
        }
    }
    sums.sort();
    sums
}

/// Milliseconds.
fn ms(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

fn whole_time(table: &OpTable) -> Timeline {
    assert_eq!(table.phases.len(), 1);
    table.phases[0].time.clone().unwrap()
}

fn idle(time: &Timeline, cause: IdleCause) -> u64 {
    time.idle.get(&cause).map_or(0, |gaps| gaps.time_ns)
}

#[test]
fn synthetic_exports_give_the_busy_and_idle_times_of_their_truth() {
    let Some(truth) = shared("synth/truth.json") else {
        return;
    };
    let truth: serde_json::Value = serde_json::from_str(&fs::read_to_string(truth).unwrap()).unwrap();
    for name in ["good", "good2", "bad"] {
        let table = table(&shared(&format!("synth/nsys_{name}.sqlite")).unwrap());
        let expected = |key: &str| truth[name][key].as_u64().unwrap();
        assert_eq!(
            (table.source, table.clock, table.cut),
            (Source::NsysSqlite, Clock::Device, Cut::Passes)
        );
        assert_eq!(table.devices, ["SYNTHETIC H100"]);
        assert_eq!(table.phases[0].phase, Phase::Decode);
        assert_eq!(
            (table.phases[0].steps, table.phases[0].passes),
            (expected("steps"), expected("steps"))
        );
        let launches: u64 = kernels(&table).iter().map(|(_, launches, _)| launches).sum();
        assert_eq!(launches, expected("kernels"), "{name}");
        let time = whole_time(&table);
        assert_eq!(time.busy_ns(), expected("busy_ns"), "{name}");
        assert_eq!(time.wall_ns, expected("span_ns"), "{name}");
        assert_eq!(time.idle_ns(), expected("idle_ns"), "{name}");
        assert_eq!(table.left_out.events, 0);
        let prints = &table.phases[0].prints;
        assert!(
            prints.len() == 12 && prints.iter().all(|print| *print == prints[0]),
            "every step does the same"
        );
    }
}

#[test]
fn the_planted_differences_are_there() {
    let Some(good) = shared("synth/nsys_good.sqlite") else {
        return;
    };
    let (good, bad) = (table(&good), table(&shared("synth/nsys_bad.sqlite").unwrap()));
    let of = |table: &OpTable, name: &str| {
        let kernels = kernels(table);
        kernels
            .into_iter()
            .find(|(kernel, _, _)| kernel == name)
            .map(|(_, launches, time_ns)| (launches, time_ns))
    };
    assert_eq!(of(&good, "softmax_warp_forward"), None);
    assert_eq!(
        of(&bad, "softmax_warp_forward").unwrap().0,
        48,
        "once a layer of four, in twelve steps"
    );
    assert_eq!(of(&bad, "elementwise_copy_kernel").unwrap().0, 96);
    let flash = |table: &OpTable| ms(of(table, "flash_fwd_splitkv").unwrap().1);
    assert!((flash(&bad) / flash(&good) - 1.35).abs() < 0.02);
    let late = |table: &OpTable| idle(&whole_time(table), IdleCause::HostWait);
    assert!(late(&bad).abs_diff(4_464_000) < 500, "ref/profiling.md rounds to µs");
    assert!(late(&bad) - late(&good) > 11 * 390_000, "0.4 ms before each step");
    assert_ne!(good.phases[0].prints[0], bad.phases[0].prints[0]);
}

#[test]
fn a_real_export_gives_the_idle_time_of_its_sql() {
    let Some(path) = shared("public/nsightful_power_iteration__baseline.sqlite") else {
        return;
    };
    let table = table(&path);
    assert_eq!((table.cut, table.phases[0].phase), (Cut::WholeFile, Phase::Whole));
    assert_eq!(table.devices, ["Tesla T4"]);
    let time = whole_time(&table);
    let expected = |what: &str, ms: f64, got: u64| assert!((self::ms(got) - ms).abs() < 0.05, "{what}: {got}");
    expected("span", 1790.6, time.wall_ns);
    let without_profiler = time.idle_ns();
    assert!(
        (ms(without_profiler) / ms(time.wall_ns) - 0.368).abs() < 0.001,
        "{without_profiler}"
    );
    let rows = kernels(&table);
    let gemv = rows
        .iter()
        .find(|(name, _, _)| name.starts_with("void gemv2T_kernel_val<"))
        .unwrap();
    assert_eq!((gemv.1, gemv.2), (432, 1_074_732_935));
    let copies = rows
        .iter()
        .find(|(name, _, _)| name == "Memcpy Device-to-Host")
        .unwrap();
    assert_eq!((copies.1, copies.2), (89, 322_040));
    let reduce = table.phases[0]
        .kernels
        .iter()
        .find(|row| row.name.contains("DeviceReduceKernel"))
        .unwrap();
    assert!(
        reduce.region.ends_with("Compute & Residual/cub::DeviceReduce::Sum"),
        "{}",
        reduce.region
    );
    assert!(
        table.notes.iter().any(|note| note.contains("Not all CUDA events")),
        "{:?}",
        table.notes
    );
    let bytes: u64 = table.phases[0].kernels.iter().filter_map(|row| row.bytes).sum();
    assert_eq!(bytes, 2_883_944);
}

#[test]
fn kernel_sums_agree_with_the_export_that_they_are_of() {
    for name in ["good", "good2", "bad"] {
        let Some(sums) = shared(&format!("synth/kern_sum_{name}.csv")) else {
            return;
        };
        let (sums, export) = (
            table(&sums),
            table(&shared(&format!("synth/nsys_{name}.sqlite")).unwrap()),
        );
        assert_eq!(
            (sums.source, sums.phases[0].time.as_ref()),
            (Source::NsysKernelSums, None)
        );
        assert_eq!(kernels(&sums), kernels(&export), "{name}");
    }
}

const SUMS: &str = "Generating SQLite file r.sqlite from r.nsys-rep\nProcessing [r.sqlite] with [cuda_gpu_kern_sum.py]...\n\n\
    Time (%),Total Time (us),Instances,Avg (us),GridXYZ,BlockXYZ,Name\n\
    75.0,1.500,3,0.5,  132    1    1, 256    1    1,\"void a<int, 2>(x, y)\"\n25.0,0.500,1,0.5,1 1 1,32 1 1,b\n";

#[test]
fn kernel_sums_have_the_unit_of_their_header_and_words_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sums.csv");
    fs::write(&path, SUMS).unwrap();
    let read = table(&path);
    let expected = [("b".to_owned(), 1, 500), ("void a<int, 2>(x, y)".to_owned(), 3, 1500)];
    assert_eq!(kernels(&read), expected);
    assert_eq!(read.phases[0].kernels[0].grid, Some([132, 1, 1]));
    let json = r#"[{"Time (%)": 75.0, "Total Time (ns)": 1500, "Instances": 3, "Name": "void a<int, 2>(x, y)"},
                   {"Time (%)": 25.0, "Total Time (ns)": 500, "Instances": 1, "Name": "b"}]"#;
    let path = folder.path().join("sums.json");
    fs::write(&path, json).unwrap();
    assert_eq!(kernels(&table(&path)), expected);
}

#[test]
fn kernel_sums_that_are_cut_off_or_foreign_are_refused() {
    let without_last = SUMS.trim_end().rsplit_once('\n').unwrap().0;
    for (name, text, expected) in [
        ("rows.csv", without_last, "rows are missing"),
        ("field.csv", &SUMS[..SUMS.len() - 20], "ends in the middle"),
        ("unit.csv", &SUMS.replace("(us)", "(days)"), "`days` is no unit of time"),
        (
            "number.csv",
            &SUMS.replace("1.500", "soon"),
            "not as `cuda_gpu_kern_sum` writes it",
        ),
        (
            "none.csv",
            "SKIPPED: r.sqlite does not contain CUDA kernel data.\n",
            "holds no kernels",
        ),
        ("other.csv", "a,b\n1,2\n", "no profile that is known"),
        (
            "cut.json",
            r#"[{"Time (%)": 75.0, "Total Time (ns)": 1500, "Instances": 3, "Name": "#,
            "ends in the middle",
        ),
    ] {
        let told = refused(name, text.as_bytes());
        assert!(told.contains(expected), "{name}: {told}");
    }
}

#[test]
fn binary_reports_say_which_command_exports_them() {
    assert_eq!(
        refused("r.ncu-rep", b"NVR\0\x10\0\0\0"),
        "`DIR/r.ncu-rep` lacks anything to read in its binary form; export it with \
         `ncu --import DIR/r.ncu-rep --page raw --csv > DIR/r.csv`"
    );
    assert_eq!(
        refused("r.nsys-rep", b"\x01\0\0QuadDCommon"),
        "`DIR/r.nsys-rep` lacks anything to read in its binary form; export it with \
         `nsys export --type sqlite -o DIR/r.sqlite DIR/r.nsys-rep`"
    );
}

/// An export with these statements.
fn made(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.sqlite");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    fs::read(path).unwrap()
}

const KERNELS: &str = "CREATE TABLE StringIds (id INTEGER, value TEXT); INSERT INTO StringIds VALUES (1, 'k');
    CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER, correlationId INTEGER, globalPid INTEGER,
      shortName INTEGER, gridX INTEGER, gridY INTEGER, gridZ INTEGER, blockX INTEGER, blockY INTEGER, blockZ INTEGER);";

#[test]
fn exports_without_what_is_needed_are_refused() {
    let event = "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (10, 20, 0, 1, 0, 1, 1, 1, 1, 32, 1, 1);";
    let whole = made(&format!("{KERNELS}{event}"));
    let other = KERNELS.replace("deviceId", "gpu");
    let newer = "CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);
                 INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_SCHEMA_VERSION', '9.1.0');";
    let mut broken = whole.clone();
    for byte in broken.iter_mut().skip(4096) {
        *byte = 0xff;
    }
    for (name, bytes, expected) in [
        (
            "foreign.sqlite",
            made("CREATE TABLE users (id INTEGER)"),
            "no profile that is known",
        ),
        ("none.sqlite", made(KERNELS), "holds no kernels"),
        (
            "schema.sqlite",
            made(&format!("{other}{newer}{event}")),
            "lacks the column `deviceId` of its table `CUPTI_ACTIVITY_KIND_KERNEL` (its schema is 9.1.0)",
        ),
        ("cut.sqlite", whole[..whole.len() - 4096].to_vec(), "ends in the middle"),
        ("broken.sqlite", broken, "`DIR/broken.sqlite`: "),
        (
            "view.sqlite",
            made(&format!(
                "{KERNELS}DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL; CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS SELECT 1 start;"
            )),
            "no profile that is known",
        ),
        (
            "backwards.sqlite",
            made(&format!("{KERNELS}{}", event.replace("10, 20", "20, 10"))),
            "before it begins",
        ),
    ] {
        let told = refused(name, &bytes);
        assert!(told.contains(expected), "{name}: {told}");
    }
}

#[test]
fn a_schema_with_another_first_number_is_refused_whatever_its_columns_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let of = |schema: &str| {
        let sql = format!(
            "{KERNELS} INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (10, 20, 0, 1, 0, 1, 1, 1, 1, 32, 1, 1);
             CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);
             INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_SCHEMA_VERSION', '{schema}');"
        );
        let path = folder.path().join("odd name?#%.sqlite");
        fs::write(&path, made(&sql)).unwrap();
        read(&path, Form::SystemsSqlite)
    };
    for schema in ["2.7.1", "3.99.0"] {
        assert_eq!(kernels(&of(schema).unwrap()), [("k".to_owned(), 1, 10)]);
    }
    for schema in ["9.1.0", "1.0.0", "30.1"] {
        let told = of(schema).unwrap_err().to_string();
        assert!(
            told.contains(&format!("it has {schema}, and 2 and 3 are read")),
            "{told}"
        );
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is written beside it");
}

#[test]
fn of_several_devices_a_step_is_that_of_the_one_that_worked_longest() {
    let events = "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (10, 20, 0, 1, 0, 1, 1, 1, 1, 32, 1, 1),
        (12, 42, 1, 2, 0, 1, 1, 1, 1, 32, 1, 1);";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.sqlite");
    fs::write(&path, made(&format!("{KERNELS}{events}"))).unwrap();
    let table = table(&path);
    assert_eq!(
        kernels(&table),
        [("k".to_owned(), 2, 30)],
        "launches of both, time of one"
    );
    let time = whole_time(&table);
    assert_eq!((time.wall_ns, time.busy_ns()), (30, 30));
    assert!(
        table.notes[0].starts_with("2 devices: times are of the one"),
        "{:?}",
        table.notes
    );
}

#[test]
fn the_same_correlation_in_two_processes_is_two_launches() {
    let pid = |process: i64| process << 24;
    let sql = format!(
        "{KERNELS}
         CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER, end INTEGER, globalTid INTEGER, correlationId INTEGER);
         CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, text TEXT, globalTid INTEGER);
         INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (5, 6, {one}, 1), (105, 106, {two}, 1);
         INSERT INTO NVTX_EVENTS VALUES (0, 50, 59, 'decode_step_0', {one}), (100, 150, 59, 'prefill', {two});
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (110, 120, 0, 1, {}, 1, 1, 1, 1, 32, 1, 1),
           (120, 150, 0, 1, {}, 1, 1, 1, 1, 32, 1, 1), (10, 11, 0, 9, {}, 1, 1, 1, 1, 32, 1, 1),
           (60, 61, 0, 8, {}, 1, 1, 1, 1, 32, 1, 1);",
        pid(1),
        pid(2),
        pid(1),
        pid(1),
        one = pid(1) + 11,
        two = pid(2) + 22,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.sqlite");
    fs::write(&path, made(&sql)).unwrap();
    let table = table(&path);
    let of = |phase: Phase| {
        let found = table.phases.iter().find(|table| table.phase == phase).unwrap();
        found.kernels.iter().map(|row| row.time_ns).sum::<u64>()
    };
    assert_eq!(
        of(Phase::Decode),
        11,
        "by the time of its launch, and one without a known launch by its start"
    );
    assert_eq!(of(Phase::Prefill), 30);
    assert_eq!((table.left_out.events, table.left_out.time_ns), (1, 1));
}

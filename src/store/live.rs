//! The state of a measurement under way, in a small file beside its session, for `perfgate watch` in another terminal.
//!
//! It is written once a second, replaced whole, never synced (what a crash leaves of it is of no use), and removed at the
//! end. It holds counts, figures and names of cells: no prompt, no answer, no message, no address, no key.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};

use super::{StoreError, read, write};
use crate::{
    measure::live::{Live, LiveGpu, LiveSide},
    session::FailureClass,
};

/// What `schema` says up to the version.
const KIND: &str = "perfgate-llm/live/";
const VERSION: u32 = 1;
const EXTENSION: &str = "live.json";
const LINE_DEPTH: usize = 3;

/// A measurement as its file tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The process that measures.
    pub pid: u32,
    /// When it wrote this, in milliseconds since 1970 UTC.
    pub at_unix_ms: u64,
    /// What it had come to.
    pub live: Live,
}

/// Where a measurement into a session file tells what it has come to; `None` where that is no file, but a pipe or device.
pub fn live_path(session: &Path) -> Option<PathBuf> {
    let is_place = fs::metadata(session).map_or(true, |metadata| metadata.is_file());
    is_place.then(|| session.with_extension(EXTENSION))
}

/// The same, of the path of a session file or of the live file itself.
pub fn live_path_of(path: &Path) -> PathBuf {
    let is_live = path.to_string_lossy().ends_with(&format!(".{EXTENSION}"));
    if is_live {
        path.to_owned()
    } else {
        path.with_extension(EXTENSION)
    }
}

/// Writes what a measurement of this process has come to.
///
/// # Errors
/// When the file system refuses.
pub fn write_live(path: &Path, live: &Live, at_unix_ms: u64) -> Result<(), StoreError> {
    let file = LiveFile {
        schema: format!("{KIND}{VERSION}"),
        pid: process::id(),
        at_unix_ms,
        measurement: MeasurementFile::from(live),
    };
    write::json_unsynced(path, &file, LINE_DEPTH)
}

/// Removes what was written, where it is there.
pub fn remove_live(path: &Path) {
    // Whoever watches sees by its age that nobody writes it any more.
    let _ = fs::remove_file(path);
}

/// Reads what a measurement has come to.
///
/// # Errors
/// When there is no such file, or it is no such file of this version.
pub fn read_live(path: &Path) -> Result<Seen, StoreError> {
    let bytes = read::bytes_of(path)?;
    let header: Header = read::parse(path, &bytes)?;
    match header
        .schema
        .strip_prefix(KIND)
        .and_then(|version| version.parse::<u32>().ok())
    {
        Some(VERSION) => {}
        Some(version) if version > VERSION => {
            return Err(StoreError::Newer {
                path: path.to_owned(),
                schema: header.schema,
                supported: VERSION,
            });
        }
        _ => {
            return Err(StoreError::Foreign {
                path: path.to_owned(),
                detail: format!("its `schema` is `{}`", header.schema),
            });
        }
    }
    let file: LiveFile = read::parse(path, &bytes)?;
    Ok(Seen {
        pid: file.pid,
        at_unix_ms: file.at_unix_ms,
        live: file.measurement.live(path)?,
    })
}

#[derive(Deserialize)]
struct Header {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveFile {
    schema: String,
    pid: u32,
    at_unix_ms: u64,
    measurement: MeasurementFile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasurementFile {
    elapsed_s: f64,
    left_s: Option<f64>,
    cell: String,
    arm: Option<String>,
    warm_up: bool,
    run: u32,
    runs: u32,
    done: u64,
    planned: u64,
    all_done: u64,
    all_planned: Option<u64>,
    in_flight: u32,
    sides: Vec<SideFile>,
    tokens_by_second: Vec<f64>,
    gpu: Option<GpuFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideFile {
    arm: String,
    completed: u64,
    failures: Vec<(String, u64)>,
    requests_per_s: Option<f64>,
    output_tokens_per_s: Option<f64>,
    ttft_p50_p95_ms: [Option<f64>; 2],
    tpot_p50_p95_ms: [Option<f64>; 2],
    e2e_p50_p95_ms: [Option<f64>; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GpuFile {
    memory_used_bytes: u64,
    utilization_pct: Option<f64>,
}

impl From<&Live> for MeasurementFile {
    fn from(live: &Live) -> Self {
        Self {
            elapsed_s: live.elapsed_s,
            left_s: live.left_s,
            cell: live.cell.clone(),
            arm: live.arm.clone(),
            warm_up: live.is_warm_up,
            run: live.run,
            runs: live.runs,
            done: live.done,
            planned: live.planned,
            all_done: live.all_done,
            all_planned: live.all_planned,
            in_flight: live.in_flight,
            sides: live.sides.iter().map(SideFile::from).collect(),
            tokens_by_second: live.tokens_by_second.clone(),
            gpu: live.gpu.map(|gpu| GpuFile {
                memory_used_bytes: gpu.memory_used_bytes,
                utilization_pct: gpu.utilization_pct,
            }),
        }
    }
}

impl From<&LiveSide> for SideFile {
    fn from(side: &LiveSide) -> Self {
        Self {
            arm: side.arm.clone(),
            completed: side.completed,
            failures: side
                .failures
                .iter()
                .map(|(class, count)| (class.key(), *count))
                .collect(),
            requests_per_s: side.requests_per_s,
            output_tokens_per_s: side.output_tokens_per_s,
            ttft_p50_p95_ms: side.ttft_ms,
            tpot_p50_p95_ms: side.tpot_ms,
            e2e_p50_p95_ms: side.e2e_ms,
        }
    }
}

impl MeasurementFile {
    fn live(self, path: &Path) -> Result<Live, StoreError> {
        let sides: Result<Vec<LiveSide>, StoreError> = self.sides.into_iter().map(|side| side.side(path)).collect();
        Ok(Live {
            elapsed_s: self.elapsed_s,
            left_s: self.left_s,
            cell: self.cell,
            arm: self.arm,
            is_warm_up: self.warm_up,
            run: self.run,
            runs: self.runs,
            done: self.done,
            planned: self.planned,
            all_done: self.all_done,
            all_planned: self.all_planned,
            in_flight: self.in_flight,
            sides: sides?,
            tokens_by_second: self.tokens_by_second,
            gpu: self.gpu.map(|gpu| LiveGpu {
                memory_used_bytes: gpu.memory_used_bytes,
                utilization_pct: gpu.utilization_pct,
            }),
        })
    }
}

impl SideFile {
    fn side(self, path: &Path) -> Result<LiveSide, StoreError> {
        let class = |(key, count): (String, u64)| {
            let class = FailureClass::from_key(&key).ok_or_else(|| StoreError::Field {
                path: path.to_owned(),
                key: "measurement.sides.failures".to_owned(),
                problem: format!("`{key}` is no class of failures"),
            })?;
            Ok((class, count))
        };
        let failures: Result<Vec<_>, StoreError> = self.failures.into_iter().map(class).collect();
        Ok(LiveSide {
            arm: self.arm,
            completed: self.completed,
            failures: failures?,
            requests_per_s: self.requests_per_s,
            output_tokens_per_s: self.output_tokens_per_s,
            ttft_ms: self.ttft_p50_p95_ms,
            tpot_ms: self.tpot_p50_p95_ms,
            e2e_ms: self.e2e_p50_p95_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        Live {
            elapsed_s: 12.5,
            left_s: Some(60.0),
            cell: "synthetic-64/16 @ c=4".into(),
            arm: Some("candidate".into()),
            run: 2,
            runs: 5,
            done: 7,
            planned: 100,
            all_done: 107,
            all_planned: Some(500),
            in_flight: 4,
            sides: vec![LiveSide {
                arm: "candidate".into(),
                completed: 6,
                failures: vec![(FailureClass::Http(500), 1)],
                requests_per_s: Some(0.1),
                ttft_ms: [Some(20.0), None],
                ..LiveSide::default()
            }],
            tokens_by_second: vec![0.0, 16.0],
            gpu: Some(LiveGpu {
                memory_used_bytes: 1 << 30,
                utilization_pct: Some(93.0),
            }),
            ..Live::default()
        }
    }

    #[test]
    fn what_was_written_is_read_and_gone_when_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = live_path(&folder.path().join("session.json")).unwrap();
        assert!(path.ends_with("session.live.json"));
        write_live(&path, &live(), 5).unwrap();
        write_live(&path, &live(), 6).unwrap();
        let seen = read_live(&path).unwrap();
        assert_eq!((seen.live, seen.at_unix_ms, seen.pid), (live(), 6, process::id()));
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
        remove_live(&path);
        assert!(matches!(read_live(&path), Err(StoreError::Missing { .. })));
        remove_live(&path);
    }

    #[test]
    fn a_link_in_its_place_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("s.live.json"), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&other, &path).unwrap();
        write_live(&path, &live(), 1).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(read_live(&path).unwrap().live, live());
    }

    #[test]
    fn other_files_and_newer_ones_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.live.json");
        for (text, expected) in [
            (r#"{"schema":"perfgate-llm/live/2","x":1}"#, "newer perfgate"),
            (
                r#"{"schema":"perfgate-llm/session/1"}"#,
                "its `schema` is `perfgate-llm/session/1`",
            ),
            (r#"{"schema":"perfgate-llm/live/1"}"#, "missing field"),
            ("", "ends in the middle"),
        ] {
            fs::write(&path, text).unwrap();
            let error = read_live(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_path_of_either_file_leads_to_the_live_one() {
        for path in ["out/session.json", "out/session.live.json", "out/session"] {
            assert_eq!(live_path_of(Path::new(path)), Path::new("out/session.live.json"));
        }
        #[cfg(unix)]
        assert_eq!(live_path(Path::new("/dev/null")), None);
    }
}

//! The engine's own profiler, switched as vLLM's is: a Chrome trace of the steps between start and stop.
//!
//! Its ops are the parts of the model of time, laid one behind the other into the time that a step really took.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{engine::EngineConfig, scheduler::Step};

/// Steps that are kept of one recording; a trace with more would be of no use.
const MOST_STEPS: usize = 200_000;

/// Recordings of this process, so that no two have one name.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Who keeps the steps while the profiler is on.
#[derive(Debug)]
pub(super) struct Recorder {
    folder: Option<PathBuf>,
    version: String,
    /// Microseconds of a step as such, of a sequence, of a prompt token.
    weights: [f64; 3],
    steps: Mutex<Option<Vec<Stepped>>>,
}

/// One step as it was played, in nanoseconds since the engine started.
#[derive(Clone, Copy, Debug)]
struct Stepped {
    step: Step,
    start_ns: u64,
    end_ns: u64,
}

/// What came of a switch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Switched {
    Done,
    /// There is no profiler: nobody gave it a folder.
    NoProfiler,
    /// In words.
    Refused(String),
}

impl Recorder {
    pub(super) fn new(config: &EngineConfig) -> Self {
        Self {
            folder: config.profile_dir.clone(),
            version: config.reported_version().to_owned(),
            weights: [
                config.decode_step_us,
                config.decode_us_per_seq,
                config.prefill_us_per_token,
            ],
            steps: Mutex::default(),
        }
    }

    /// Begins to keep steps.
    pub(super) fn start(&self) -> Switched {
        if self.folder.is_none() {
            return Switched::NoProfiler;
        }
        let mut steps = self.steps();
        if steps.is_some() {
            return Switched::Refused("the profiler is on already".to_owned());
        }
        *steps = Some(Vec::new());
        Switched::Done
    }

    /// Writes what was kept; `running` is how long the engine has been.
    pub(super) fn stop(&self, running: Duration) -> Switched {
        let Some(folder) = &self.folder else {
            return Switched::NoProfiler;
        };
        let Some(steps) = self.steps().take() else {
            return Switched::Refused("the profiler is not on".to_owned());
        };
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("sim-{}-{number}.pt.trace.json", process::id()));
        match write(folder, &path, &self.trace(&steps, began_unix_ns(running))) {
            Ok(()) => Switched::Done,
            Err(error) => Switched::Refused(format!("cannot write `{}`: {error}", path.display())),
        }
    }

    /// A step that was played.
    pub(super) fn note(&self, step: Step, start_ns: u64, end_ns: u64) {
        if let Some(steps) = self.steps().as_mut().filter(|steps| steps.len() < MOST_STEPS) {
            steps.push(Stepped { step, start_ns, end_ns });
        }
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Option<Vec<Stepped>>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trace(&self, steps: &[Stepped], base_unix_ns: u128) -> String {
        let mut text = format!(
            "{{\"schemaVersion\": 1, \"deviceProperties\": [], \"record_shapes\": 1, \"displayTimeUnit\": \"ms\", \
             \"baseTimeNanoseconds\": {base_unix_ns}, \"perfgate_sim_version\": {}, \"traceEvents\": [",
            serde_json::Value::from(self.version.as_str())
        );
        let pid = process::id();
        for (number, stepped) in steps.iter().enumerate() {
            text.push_str(if number == 0 { "\n" } else { ",\n" });
            self.events(&mut text, pid, stepped);
        }
        text.push_str("\n]}\n");
        text
    }

    /// A step with its ops; names and shapes are those of vLLM's own annotations.
    fn events(&self, text: &mut String, pid: u32, stepped: &Stepped) {
        let Stepped { step, start_ns, end_ns } = *stepped;
        let prefilling = step.sequences - step.decoding;
        let name = format!(
            "execute_context_{prefilling}({})_generation_{}({})",
            step.prefill_tokens, step.decoding, step.decoding
        );
        event(text, pid, ("user_annotation", &name), [start_ns, end_ns], "");
        let mut from_ns = start_ns;
        for (op, rows, until_ns) in self.ops(stepped) {
            text.push_str(",\n");
            let args = format!("\"Input Dims\": [[{rows}]], \"Input type\": [\"int\"]");
            event(text, pid, ("cpu_op", op), [from_ns, until_ns], &args);
            from_ns = until_ns;
        }
    }

    /// The ops of a step: name, number of rows, and when each ends; the last ends with the step.
    fn ops(&self, stepped: &Stepped) -> Vec<(&'static str, u32, u64)> {
        let step = stepped.step;
        let [of_step, of_sequence, of_token] = self.weights;
        let parts = [
            ("sim::step", 1, of_step),
            (
                "sim::sequences",
                step.sequences,
                of_sequence * f64::from(step.sequences),
            ),
            (
                "sim::prefill",
                step.prefill_tokens,
                of_token * f64::from(step.prefill_tokens),
            ),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(_, rows, _)| *rows > 0).collect();
        let whole: f64 = parts.iter().map(|(_, _, weight)| weight).sum();
        let took_ns = stepped.end_ns - stepped.start_ns;
        let mut so_far = 0.0;
        let mut ops: Vec<(&'static str, u32, u64)> = parts
            .into_iter()
            .map(|(name, rows, weight)| {
                so_far += weight;
                (name, rows, stepped.start_ns + share_ns(took_ns, so_far / whole))
            })
            .collect();
        if let Some((_, _, until_ns)) = ops.last_mut() {
            *until_ns = stepped.end_ns;
        }
        ops
    }
}

fn event(text: &mut String, pid: u32, (category, name): (&str, &str), [from_ns, to_ns]: [u64; 2], args: &str) {
    let _ = write!(
        text,
        "{{\"ph\": \"X\", \"cat\": \"{category}\", \"name\": \"{name}\", \"pid\": {pid}, \"tid\": {pid}, \
         \"ts\": {}, \"dur\": {}, \"args\": {{{args}}}}}",
        us(from_ns),
        us(to_ns - from_ns)
    );
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a step lasts seconds at most, and a share is at most one"
)]
fn share_ns(took_ns: u64, share: f64) -> u64 {
    ((took_ns as f64 * share).round() as u64).min(took_ns)
}

/// Microseconds with their nanoseconds.
fn us(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

fn began_unix_ns(running: Duration) -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.saturating_sub(running).as_nanos())
}

/// Whole or not at all: whoever looks for new files must not find half a trace.
fn write(folder: &Path, path: &Path, trace: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, trace)?;
    fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(folder: Option<&Path>) -> Recorder {
        Recorder::new(&EngineConfig {
            profile_dir: folder.map(Path::to_owned),
            decode_step_us: 900.0,
            decode_us_per_seq: 25.0,
            prefill_us_per_token: 1.0,
            ..EngineConfig::default()
        })
    }

    const MIXED: Step = Step {
        sequences: 4,
        decoding: 3,
        prefill_tokens: 1000,
    };

    #[test]
    fn the_ops_of_a_step_fill_it_by_their_share_of_the_model() {
        let ops = recorder(None).ops(&Stepped {
            step: MIXED,
            start_ns: 1_000,
            end_ns: 4_001_000,
        });
        let expected = [
            ("sim::step", 1, 1_801_000),
            ("sim::sequences", 4, 2_001_000),
            ("sim::prefill", 1000, 4_001_000),
        ];
        assert_eq!(ops, expected);
    }

    #[test]
    fn what_lies_between_start_and_stop_is_written_as_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = recorder(Some(folder.path()));
        recorder.note(MIXED, 0, 1_000_000);
        assert_eq!(recorder.start(), Switched::Done);
        recorder.note(MIXED, 1_000_000, 3_000_500);
        assert!(matches!(recorder.start(), Switched::Refused(_)));
        assert_eq!(recorder.stop(Duration::from_secs(1)), Switched::Done);
        assert!(matches!(recorder.stop(Duration::from_secs(1)), Switched::Refused(_)));
        let files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        let trace: serde_json::Value = serde_json::from_str(&fs::read_to_string(&files[0]).unwrap()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let names: Vec<&str> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
        let expected = [
            "execute_context_1(1000)_generation_3(3)",
            "sim::step",
            "sim::sequences",
            "sim::prefill",
        ];
        assert_eq!(names, expected, "the step before the start is not there");
        assert!((events[0]["dur"].as_f64().unwrap() - 2000.5).abs() < 1e-9);
        let sum: f64 = events[1..].iter().map(|event| event["dur"].as_f64().unwrap()).sum();
        assert!((sum - 2000.5).abs() < 1e-6, "{sum}");
        assert_eq!(events[3]["args"]["Input Dims"], serde_json::json!([[1000]]));
    }

    #[test]
    fn without_a_folder_there_is_no_profiler() {
        let recorder = recorder(None);
        assert_eq!(recorder.start(), Switched::NoProfiler);
        assert_eq!(recorder.stop(Duration::ZERO), Switched::NoProfiler);
    }
}

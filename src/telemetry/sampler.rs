//! Samples of all visible GPUs while a run goes on, on a thread of their own: by NVML, or by the page of an exporter.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    time::{Duration, Instant},
};

use super::{
    Fetch, NoGpu, RunClock,
    exporter::Exporter,
    gpu_tally::Tally,
    now::GpuNow,
    nvml::{self, Gpu, Reading},
    patience::{NoAnswer, Pending, Stuck},
};
use crate::session::{GpuSeries, GpuUse};

/// Time between two samples; NVML renews its utilisation every 167 ms to 1 s, depending on the GPU.
pub const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// How long the last sample is waited for: a driver that hangs must not hold up the measurement. An exporter's page may take two
/// seconds twice.
const PATIENCE: Duration = Duration::from_secs(5);

/// Exporters that nobody waits for any more.
static EXPORTERS: Stuck = Stuck::none();

/// Why there is nothing of a run, where every look was answered.
const NOTHING_NEW: &str =
    "the GPU exporter told nothing new during the run; let it collect every second (`dcgm-exporter -c 1000`)";

/// What was seen of the GPUs while a sampler was at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Memory and utilisation, or why there is no figure.
    pub gpu: GpuUse,
    /// What held clocks down in more than one sample, as `nvidia-smi` names it.
    pub throttled: Vec<String>,
    /// Why throttling and processes were not told, where they were not, in sentences.
    pub untold: Vec<String>,
    /// Memory errors that came meanwhile and could not be corrected.
    pub memory_errors: u32,
    /// Processes that were not there in the first sample.
    pub new_processes: u32,
    /// Each GPU over the run, from when its clock started; empty where it never did.
    pub series: Vec<GpuSeries>,
}

/// A sampler at work: memory in use and utilisation of all visible GPUs, every [`SAMPLE_INTERVAL`].
///
/// Dropped without [`Sampler::stop`], its thread ends by itself.
#[derive(Debug)]
pub struct Sampler {
    stop: Sender<()>,
    now: GpuNow,
    work: Result<Pending<Result<Tally, NoGpu>>, NoGpu>,
    /// Who is asked, in words.
    who: &'static str,
}

impl Sampler {
    /// Starts sampling by NVML; the first sample is taken at once. Never blocks on the driver.
    pub fn start(clock: &RunClock) -> Self {
        Self::spawn(clock, (nvml::NAME, &nvml::STUCK), |clock, shown, stopped| {
            nvml::refuse_stuck()?;
            Ok(sample(&nvml::gpus()?, (clock, shown), stopped))
        })
    }

    /// Starts sampling by the page of an exporter (DCGM's, AMD's) on the server's machine, at this interval.
    pub fn of_exporter(clock: &RunClock, fetch: Fetch, every: Duration) -> Self {
        Self::spawn(clock, ("the GPU exporter", &EXPORTERS), move |clock, shown, stopped| {
            let mut exporter = Exporter::new(fetch);
            Ok(follow(&mut exporter, every, (clock, shown), stopped))
        })
    }

    fn spawn(
        clock: &RunClock,
        (who, stuck): (&'static str, &'static Stuck),
        work: impl FnOnce(&RunClock, &GpuNow, &Receiver<()>) -> Result<Tally, NoGpu> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let clock = clock.clone();
        let now = GpuNow::default();
        let shown = now.clone();
        let work = Pending::begin("gpu-sampler", stuck, move || work(&clock, &shown, &stopped));
        let work = work.map_err(|error| NoGpu::NoThread(error.to_string()));
        Self { stop, now, work, who }
    }

    /// Where its latest sample can be seen.
    pub fn now(&self) -> GpuNow {
        self.now.clone()
    }

    /// Takes the last sample and tells what was seen; waits for one round of queries, and a few seconds at most.
    pub fn stop(self) -> Seen {
        self.stop_within(PATIENCE)
    }

    fn stop_within(self, at_most: Duration) -> Seen {
        // A thread that found no GPU is gone already and hears nothing.
        let _ = self.stop.send(());
        let why = |none: NoAnswer| match none {
            NoAnswer::Late => NoGpu::silent(self.who, at_most),
            NoAnswer::Lost => NoGpu::ThreadLost,
        };
        let tally = self
            .work
            .and_then(|work| work.wait(at_most).unwrap_or_else(|none| Err(why(none))));
        match tally {
            Ok(tally) => tally.finish(),
            Err(reason) => Seen {
                gpu: GpuUse::NotMeasured(reason.to_string()),
                throttled: Vec::new(),
                untold: Vec::new(),
                memory_errors: 0,
                new_processes: 0,
                series: Vec::new(),
            },
        }
    }
}

/// Samples at once, at each interval, and once more when it is told to stop; a GPU that cannot be read ends it.
fn sample(gpus: &[Gpu], (clock, shown): (&RunClock, &GpuNow), stopped: &Receiver<()>) -> Tally {
    let indices: Vec<u32> = gpus.iter().map(Gpu::index).collect();
    let mut tally = Tally::of(&indices);
    let mut due = Instant::now();
    let mut is_over = false;
    loop {
        let with_state = is_over || tally.wants_state(clock.at_ns(Instant::now()).is_some());
        let readings = read(gpus, with_state);
        let at_ns = clock.at_ns(Instant::now());
        match readings {
            Ok(readings) => {
                shown.set(&readings);
                tally.add(at_ns, &readings);
            }
            Err(reason) => tally.lose(at_ns, reason),
        }
        if is_over || tally.is_lost() {
            // Whoever reads the series must see how long it had no samples.
            if !is_over {
                let _ = stopped.recv();
            }
            tally.ended(clock.at_ns(Instant::now()));
            return tally;
        }
        due = next_due(due, SAMPLE_INTERVAL, Instant::now());
        let wait = due.saturating_duration_since(Instant::now());
        is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
    }
}

/// Looks at the page at once, at each interval, and once more when it is told to stop. What it said before the run is none of
/// the run, and neither is what it says again: an exporter collects at an interval of its own. A look that fails is a gap.
fn follow(
    exporter: &mut Exporter,
    every: Duration,
    (clock, shown): (&RunClock, &GpuNow),
    stopped: &Receiver<()>,
) -> Tally {
    let mut tally: Option<Tally> = None;
    let mut missed_before: Option<String> = None;
    let mut due = Instant::now();
    let mut is_over = false;
    loop {
        let begun = Instant::now();
        let told = exporter.look();
        let at_ns = clock.at_ns(begun + begun.elapsed() / 2);
        match (told, &mut tally) {
            (Ok(look), tally) => {
                let tally = tally.get_or_insert_with(|| Tally::of_exporter(&look.indices));
                shown.set(&look.readings);
                if look.is_new && at_ns.is_some() {
                    tally.add(at_ns, &look.readings);
                }
                tally.ended(at_ns);
            }
            (Err(reason), Some(tally)) => tally.miss(at_ns, &reason.to_string()),
            (Err(reason), None) => missed_before = Some(reason.to_string()),
        }
        if is_over {
            let mut tally = tally.unwrap_or_else(|| Tally::silent(missed_before.as_deref()));
            tally.explain(NOTHING_NEW);
            return tally;
        }
        due = next_due(due, every, Instant::now());
        let wait = due.saturating_duration_since(Instant::now());
        is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
    }
}

fn read(gpus: &[Gpu], with_state: bool) -> Result<Vec<Reading>, NoGpu> {
    gpus.iter().map(|gpu| gpu.read(with_state)).collect()
}

/// The next multiple of the interval after `now`: samples that a slow driver missed are skipped, not caught up.
fn next_due(due: Instant, every: Duration, now: Instant) -> Instant {
    let due = due + every;
    if due > now { due } else { now + every }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sample_does_not_make_the_next_ones_hurry() {
        let start = Instant::now();
        assert_eq!(next_due(start, SAMPLE_INTERVAL, start), start + SAMPLE_INTERVAL);
        let late = start + SAMPLE_INTERVAL * 5;
        assert_eq!(next_due(start, SAMPLE_INTERVAL, late), late + SAMPLE_INTERVAL);
    }

    #[test]
    fn a_query_that_never_returns_costs_the_figures_and_not_the_measurement() {
        static STUCK: Stuck = Stuck::none();
        let (_release, held) = mpsc::channel::<()>();
        let sampler = Sampler::spawn(&RunClock::default(), ("NVML", &STUCK), move |_, _, _| {
            let _ = held.recv();
            Err(NoGpu::NoDevice)
        });
        let seen = sampler.stop_within(Duration::from_millis(20));
        assert_eq!(
            seen.gpu,
            GpuUse::NotMeasured("NVML did not answer within 0.02 s".into())
        );
        assert!(STUCK.is_any());
    }
}

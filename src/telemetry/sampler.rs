//! Samples of all visible GPUs while a run goes on, on a thread of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    NoGpu, RunClock,
    now::GpuNow,
    nvml::{self, Gpu, Reading},
    series::Course,
};
use crate::session::{GpuSeries, GpuUse};

/// Time between two samples; NVML renews its utilisation every 167 ms to 1 s, depending on the GPU.
pub const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Power, clocks and temperature are read with every so many samples: they are means of up to a second already.
const STATE_EVERY: u32 = 5;

/// What was seen of the GPUs while a sampler was at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Memory and utilisation, or why there is no figure.
    pub gpu: GpuUse,
    /// What held clocks down in more than one sample, as `nvidia-smi` names it.
    pub throttled: Vec<String>,
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
    thread: Result<JoinHandle<Result<Tally, NoGpu>>, NoGpu>,
}

impl Sampler {
    /// Starts sampling; the first sample is taken at once. Never blocks on the driver.
    pub fn start(clock: &RunClock) -> Self {
        let (stop, stopped) = mpsc::channel();
        let clock = clock.clone();
        let now = GpuNow::default();
        let shown = now.clone();
        let thread = thread::Builder::new()
            .name("gpu-sampler".into())
            .spawn(move || Ok(sample(&nvml::gpus()?, (&clock, &shown), &stopped)))
            .map_err(|error| NoGpu::NoThread(error.to_string()));
        Self { stop, now, thread }
    }

    /// Where its latest sample can be seen.
    pub fn now(&self) -> GpuNow {
        self.now.clone()
    }

    /// Takes the last sample and tells what was seen; waits for at most one round of NVML queries.
    pub fn stop(self) -> Seen {
        // A thread that found no GPU is gone already and hears nothing.
        let _ = self.stop.send(());
        let tally = self
            .thread
            .and_then(|thread| thread.join().unwrap_or(Err(NoGpu::ThreadLost)));
        match tally {
            Ok(tally) => tally.finish(),
            Err(reason) => Seen {
                gpu: GpuUse::NotMeasured(reason.to_string()),
                throttled: Vec::new(),
                new_processes: 0,
                series: Vec::new(),
            },
        }
    }
}

/// Samples at once, at each interval, and once more when it is told to stop; a GPU that cannot be read ends it.
fn sample(gpus: &[Gpu], (clock, shown): (&RunClock, &GpuNow), stopped: &Receiver<()>) -> Tally {
    let mut tally = Tally::of(gpus);
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
        if is_over || tally.lost.is_some() {
            // Whoever reads the series must see how long it had no samples.
            if !is_over {
                let _ = stopped.recv();
            }
            tally.ended(clock.at_ns(Instant::now()));
            return tally;
        }
        due = next_due(due, Instant::now());
        let wait = due.saturating_duration_since(Instant::now());
        is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
    }
}

fn read(gpus: &[Gpu], with_state: bool) -> Result<Vec<Reading>, NoGpu> {
    gpus.iter().map(|gpu| gpu.read(with_state)).collect()
}

/// The next multiple of the interval after `now`: samples that a slow driver missed are skipped, not caught up.
fn next_due(due: Instant, now: Instant) -> Instant {
    let due = due + SAMPLE_INTERVAL;
    if due > now { due } else { now + SAMPLE_INTERVAL }
}

/// What the samples of one run come to.
#[derive(Debug, Default)]
struct Tally {
    memory_peak_bytes: u64,
    utilization_sum_pct: f64,
    readings: u32,
    samples: u32,
    /// In how many samples each reason held clocks down.
    throttled: BTreeMap<&'static str, u32>,
    /// Processes of the first sample, and all that were seen.
    first_processes: BTreeSet<u32>,
    processes: BTreeSet<u32>,
    /// Each GPU on the clock of the run.
    courses: Vec<Course>,
    /// Whether their state was asked for since the run began.
    has_first_state: bool,
    /// Why a GPU could not be read any more.
    lost: Option<NoGpu>,
    ended_ns: u64,
}

impl Tally {
    fn of(gpus: &[Gpu]) -> Self {
        Self {
            courses: gpus.iter().map(|gpu| Course::of(gpu.index(), gpus.len())).collect(),
            ..Self::default()
        }
    }

    /// Whether the next sample is one with power, clocks, temperature and energy: every so many, and the first of the run,
    /// where its energy begins.
    fn wants_state(&mut self, has_begun: bool) -> bool {
        let is_first = has_begun && !self.has_first_state;
        let wants = is_first || self.samples.is_multiple_of(STATE_EVERY);
        self.has_first_state |= has_begun;
        wants
    }

    /// Adds one moment: one reading of each GPU, and when that was on the clock of the run.
    fn add(&mut self, at_ns: Option<u64>, readings: &[Reading]) {
        let used = readings.iter().map(|reading| reading.memory_used_bytes);
        self.memory_peak_bytes = self.memory_peak_bytes.max(used.fold(0, u64::saturating_add));
        for reading in readings {
            self.utilization_sum_pct += f64::from(reading.utilization_pct);
            self.readings += 1;
        }
        let reasons: BTreeSet<&'static str> = readings.iter().flat_map(|reading| reading.throttled.clone()).collect();
        for reason in reasons {
            *self.throttled.entry(reason).or_default() += 1;
        }
        self.processes
            .extend(readings.iter().flat_map(|reading| &reading.processes));
        if self.samples == 0 {
            self.first_processes.clone_from(&self.processes);
        }
        self.samples += 1;
        if let Some(at_ns) = at_ns {
            self.ended(Some(at_ns));
            for (course, reading) in self.courses.iter_mut().zip(readings) {
                course.add(at_ns, reading);
            }
        }
    }

    /// A GPU could not be read: a mean of the others, or of half the run, would be none of the run.
    fn lose(&mut self, at_ns: Option<u64>, reason: NoGpu) {
        for course in &mut self.courses {
            course.lose(at_ns.unwrap_or(0), &reason.to_string());
        }
        self.lost = Some(reason);
    }

    fn ended(&mut self, at_ns: Option<u64>) {
        self.ended_ns = self.ended_ns.max(at_ns.unwrap_or(0));
    }

    fn finish(self) -> Seen {
        // A single sample may have met a mere change of clocks.
        let throttled = self.throttled.iter().filter(|(_, samples)| **samples > 1);
        let courses = self.courses.iter().cloned();
        Seen {
            gpu: self.usage(),
            throttled: throttled.map(|(reason, _)| (*reason).to_owned()).collect(),
            new_processes: u32::try_from(self.processes.difference(&self.first_processes).count()).unwrap_or(u32::MAX),
            series: courses.filter_map(|course| course.finish(self.ended_ns)).collect(),
        }
    }

    fn usage(&self) -> GpuUse {
        if let Some(reason) = &self.lost {
            return GpuUse::NotMeasured(reason.to_string());
        }
        if self.readings == 0 {
            return GpuUse::NotMeasured("no GPU sample was taken".into());
        }
        GpuUse::Measured {
            memory_peak_bytes: self.memory_peak_bytes,
            utilization_mean_pct: self.utilization_sum_pct / f64::from(self.readings),
            samples: self.samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(readings: [(u64, u32); 2]) -> [Reading; 2] {
        readings.map(|(memory_used_bytes, utilization_pct)| Reading {
            memory_used_bytes,
            utilization_pct,
            ..Reading::default()
        })
    }

    #[test]
    fn the_peak_is_of_the_sum_not_the_sum_of_the_peaks() {
        let mut tally = Tally::default();
        tally.add(None, &moment([(70, 100), (10, 0)]));
        tally.add(None, &moment([(20, 50), (50, 50)]));
        assert_eq!(
            tally.finish().gpu,
            GpuUse::Measured {
                memory_peak_bytes: 80,
                utilization_mean_pct: 50.0,
                samples: 2
            }
        );
    }

    #[test]
    fn a_reason_counts_from_its_second_sample_and_a_process_if_it_was_not_there_first() {
        let reading = |throttled: &[&'static str], processes: &[u32]| Reading {
            throttled: throttled.to_vec(),
            processes: processes.to_vec(),
            ..Reading::default()
        };
        let mut tally = Tally::default();
        tally.add(
            None,
            &[reading(&["hw_slowdown"], &[10]), reading(&["hw_slowdown"], &[11])],
        );
        tally.add(None, &[reading(&["sw_thermal_slowdown"], &[10, 12]), reading(&[], &[])]);
        tally.add(None, &[reading(&["sw_thermal_slowdown"], &[12]), reading(&[], &[10])]);
        let seen = tally.finish();
        assert_eq!(
            (seen.throttled, seen.new_processes),
            (vec!["sw_thermal_slowdown".to_owned()], 1)
        );
    }

    #[test]
    fn the_first_sample_of_a_run_has_its_energy_wherever_it_falls() {
        let mut tally = Tally::default();
        let mut told = Vec::new();
        for has_begun in [false, false, true, true, true, true] {
            told.push(tally.wants_state(has_begun));
            tally.add(None, &[Reading::default()]);
        }
        assert_eq!(told, [true, false, true, false, false, true]);
    }

    #[test]
    fn no_sample_is_no_figure() {
        assert_eq!(
            Tally::default().finish().gpu,
            GpuUse::NotMeasured("no GPU sample was taken".into())
        );
    }

    #[test]
    fn a_late_sample_does_not_make_the_next_ones_hurry() {
        let start = Instant::now();
        assert_eq!(next_due(start, start), start + SAMPLE_INTERVAL);
        let late = start + SAMPLE_INTERVAL * 5;
        assert_eq!(next_due(start, late), late + SAMPLE_INTERVAL);
    }
}

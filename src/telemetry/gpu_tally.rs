//! What the samples of the GPUs of one run come to.

use std::collections::{BTreeMap, BTreeSet};

use super::{NoGpu, nvml::Reading, sampler::Seen, series::Course};
use crate::session::GpuUse;

/// Power, clocks and temperature are read with every so many samples: they are means of up to a second already.
const STATE_EVERY: u32 = 5;

/// Share of the looks at a page that may fail.
const MAY_FAIL: f64 = 0.1;

/// Samples of an exporter that a figure takes at least, as any gauge does: it collects now and then, and a peak of one look is
/// none of the run. NVML is asked ten times a second, and twice at least.
const FEWEST_OF_AN_EXPORTER: u32 = 5;

/// What the samples of one run come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    memory_peak_bytes: u64,
    utilization_sum_pct: f64,
    /// Why a GPU did not tell its utilisation, the first time.
    utilization_untold: Option<String>,
    readings: u32,
    samples: u32,
    /// Looks that failed and were followed by others, and why the last one did.
    missed: u32,
    reason: Option<String>,
    /// In how many samples each reason held clocks down.
    throttled: BTreeMap<&'static str, u32>,
    /// Why a GPU did not tell them, and its processes, the first time.
    throttled_untold: Option<String>,
    processes_untold: Option<String>,
    /// Processes of the first sample, and all that were seen.
    first_processes: BTreeSet<u32>,
    processes: BTreeSet<u32>,
    /// Memory errors of each GPU: how many it had counted first, and last.
    memory_errors: Vec<Option<(u64, u64)>>,
    /// Each GPU on the clock of the run.
    courses: Vec<Course>,
    /// Whether their state was asked for since the run began.
    has_first_state: bool,
    /// Samples that a figure takes at least.
    fewest: u32,
    /// Why a GPU could not be read any more.
    lost: Option<NoGpu>,
    ended_ns: u64,
}

impl Tally {
    /// Nothing yet, of GPUs with these numbers.
    pub(super) fn of(indices: &[u32]) -> Self {
        Self {
            courses: indices.iter().map(|index| Course::of(*index, indices.len())).collect(),
            ..Self::default()
        }
    }

    /// The same of an exporter's page.
    pub(super) fn of_exporter(indices: &[u32]) -> Self {
        Self {
            fewest: FEWEST_OF_AN_EXPORTER,
            ..Self::of(indices)
        }
    }

    /// Nothing, as a page never came, and why.
    pub(super) fn silent(reason: Option<&str>) -> Self {
        Self {
            reason: reason.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Why there would be nothing, where no other reason is known.
    pub(super) fn explain(&mut self, reason: &str) {
        self.reason.get_or_insert_with(|| reason.to_owned());
    }

    /// Whether a GPU could not be read any more.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether the next sample is one with power, clocks, temperature and energy: every so many, and the first of the run,
    /// where its energy begins.
    pub(super) fn wants_state(&mut self, has_begun: bool) -> bool {
        let is_first = has_begun && !self.has_first_state;
        let wants = is_first || self.samples.is_multiple_of(STATE_EVERY);
        self.has_first_state |= has_begun;
        wants
    }

    /// Adds one moment: one reading of each GPU, and when that was on the clock of the run.
    pub(super) fn add(&mut self, at_ns: Option<u64>, readings: &[Reading]) {
        let used = readings.iter().map(|reading| reading.memory_used_bytes);
        self.memory_peak_bytes = self.memory_peak_bytes.max(used.fold(0, u64::saturating_add));
        for reading in readings {
            match reading.utilization_pct {
                Some(pct) => self.utilization_sum_pct += pct,
                // A mean of the others, or of half the run, would be none of the run.
                None => self.utilization_is_untold(reading.utilization_untold.as_deref()),
            }
            self.readings += 1;
        }
        self.count_errors(readings);
        let first = |known: &Option<String>, of: fn(&Reading) -> &Option<String>| {
            known
                .clone()
                .or_else(|| readings.iter().find_map(|reading| of(reading).clone()))
        };
        self.throttled_untold = first(&self.throttled_untold, |reading| &reading.throttled_untold);
        self.processes_untold = first(&self.processes_untold, |reading| &reading.processes_untold);
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

    fn utilization_is_untold(&mut self, why: Option<&str>) {
        let why = || why.unwrap_or("no reason is known").to_owned();
        self.utilization_untold.get_or_insert_with(why);
    }

    fn count_errors(&mut self, readings: &[Reading]) {
        self.memory_errors.resize(readings.len(), None);
        for (counted, reading) in self.memory_errors.iter_mut().zip(readings) {
            if let Some(now) = reading.state.memory_errors {
                *counted = Some((counted.map_or(now, |(first, _)| first), now));
            }
        }
    }

    /// A look that failed: the next one may not.
    pub(super) fn miss(&mut self, at_ns: Option<u64>, reason: &str) {
        self.missed += u32::from(at_ns.is_some());
        self.reason = Some(reason.to_owned());
        if let Some(at_ns) = at_ns {
            self.ended(Some(at_ns));
            for course in &mut self.courses {
                course.lose(at_ns, reason);
            }
        }
    }

    /// A GPU could not be read: a mean of the others, or of half the run, would be none of the run.
    pub(super) fn lose(&mut self, at_ns: Option<u64>, reason: NoGpu) {
        for course in &mut self.courses {
            course.lose(at_ns.unwrap_or(0), &reason.to_string());
        }
        self.lost = Some(reason);
    }

    pub(super) fn ended(&mut self, at_ns: Option<u64>) {
        self.ended_ns = self.ended_ns.max(at_ns.unwrap_or(0));
    }

    pub(super) fn finish(self) -> Seen {
        // A single sample may have met a mere change of clocks.
        let throttled = self.throttled.iter().filter(|(_, samples)| **samples > 1);
        let courses = self.courses.iter().cloned();
        Seen {
            gpu: self.usage(),
            throttled: throttled.map(|(reason, _)| (*reason).to_owned()).collect(),
            untold: [&self.throttled_untold, &self.processes_untold]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            memory_errors: self.new_errors(),
            new_processes: u32::try_from(self.processes.difference(&self.first_processes).count()).unwrap_or(u32::MAX),
            series: courses.filter_map(|course| course.finish(self.ended_ns)).collect(),
        }
    }

    /// Errors since the first look; a counter that went back was started anew.
    fn new_errors(&self) -> u32 {
        let counted = self.memory_errors.iter().flatten();
        let all: u64 = counted.map(|(first, last)| last.saturating_sub(*first)).sum();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    fn usage(&self) -> GpuUse {
        if let Some(reason) = &self.lost {
            return GpuUse::NotMeasured(reason.to_string());
        }
        let reason = self.reason.as_deref();
        if self.readings == 0 {
            return GpuUse::NotMeasured(reason.unwrap_or("no GPU sample was taken").to_owned());
        }
        let looks = f64::from(self.samples) + f64::from(self.missed);
        if f64::from(self.missed) > looks * MAY_FAIL {
            let why = reason.unwrap_or("no reason is known");
            return GpuUse::NotMeasured(format!("{} of {looks:.0} looks at the GPUs failed: {why}", self.missed));
        }
        if self.samples < self.fewest {
            return GpuUse::NotMeasured(format!(
                "the GPU exporter told something new {} times during the run, and a figure takes {}: let it collect every \
                 second (`dcgm-exporter -c 1000`), or make runs longer",
                self.samples, self.fewest
            ));
        }
        let mean_pct = self.utilization_sum_pct / f64::from(self.readings);
        GpuUse::Measured {
            memory_peak_bytes: self.memory_peak_bytes,
            utilization_mean_pct: Some(mean_pct).filter(|_| self.utilization_untold.is_none()),
            utilization_untold: self.utilization_untold.clone(),
            samples: self.samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::nvml::State, *};

    fn moment(readings: [(u64, u8); 2]) -> [Reading; 2] {
        readings.map(|(memory_used_bytes, utilization_pct)| Reading {
            memory_used_bytes,
            utilization_pct: Some(f64::from(utilization_pct)),
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
                utilization_mean_pct: Some(50.0),
                utilization_untold: None,
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
    fn why_throttling_and_processes_are_not_told_is_kept_once() {
        let reading = |gpu: u32| Reading {
            throttled_untold: Some(format!("no throttle reasons of GPU {gpu}")),
            processes_untold: (gpu == 1).then(|| "no processes of GPU 1".to_owned()),
            ..Reading::default()
        };
        let mut tally = Tally::default();
        tally.add(None, &[reading(0), reading(1)]);
        tally.add(None, &[reading(0), reading(1)]);
        assert_eq!(
            tally.finish().untold,
            ["no throttle reasons of GPU 0", "no processes of GPU 1"]
        );
        let mut told = Tally::default();
        told.add(None, &[Reading::default()]);
        assert_eq!(told.finish().untold, [""; 0]);
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
    fn of_an_exporter_a_figure_takes_five_samples() {
        for (samples, is_measured) in [(4, false), (5, true)] {
            let mut tally = Tally::of_exporter(&[0]);
            (0..samples).for_each(|at_ns| tally.add(Some(at_ns), &[Reading::default()]));
            let found = tally.finish().gpu;
            assert_eq!(matches!(found, GpuUse::Measured { .. }), is_measured, "{found:?}");
        }
    }

    #[test]
    fn no_sample_is_no_figure() {
        assert_eq!(
            Tally::default().finish().gpu,
            GpuUse::NotMeasured("no GPU sample was taken".into())
        );
    }

    #[test]
    fn a_gpu_that_does_not_tell_its_utilisation_costs_that_figure_alone() {
        let mut tally = Tally::default();
        tally.add(None, &moment([(70, 100), (10, 0)]));
        let untold = Reading {
            memory_used_bytes: 30,
            utilization_untold: Some("MIG".into()),
            ..Reading::default()
        };
        tally.add(None, &[untold.clone(), untold]);
        assert_eq!(
            tally.finish().gpu,
            GpuUse::Measured {
                memory_peak_bytes: 80,
                utilization_mean_pct: None,
                utilization_untold: Some("MIG".into()),
                samples: 2
            }
        );
    }

    #[test]
    fn new_memory_errors_count_from_the_first_look_and_over_all_gpus() {
        let errors = |counts: [Option<u64>; 2]| {
            counts.map(|memory_errors| Reading {
                state: State {
                    memory_errors,
                    ..State::default()
                },
                ..Reading::default()
            })
        };
        let mut tally = Tally::default();
        for counts in [[Some(7), None], [None, None], [Some(9), Some(3)], [Some(9), Some(4)]] {
            tally.add(None, &errors(counts));
        }
        assert_eq!(tally.finish().memory_errors, 3);
        let mut anew = Tally::default();
        anew.add(None, &errors([Some(7), None]));
        anew.add(None, &errors([Some(0), None]));
        assert_eq!(anew.finish().memory_errors, 0);
    }

    #[test]
    fn looks_that_fail_now_and_then_leave_gaps_and_too_many_of_them_no_figure() {
        for (missed, is_measured) in [(1, true), (2, false)] {
            let mut tally = Tally::of(&[0]);
            for at_ns in 0..10 {
                tally.add(Some(at_ns), &[Reading::default()]);
            }
            (0..missed).for_each(|more| tally.miss(Some(20 + more), "the page did not come"));
            let seen = tally.finish();
            assert_eq!(
                matches!(seen.gpu, GpuUse::Measured { .. }),
                is_measured,
                "{:?}",
                seen.gpu
            );
            assert_eq!(seen.series[0].gaps.len(), 1);
        }
    }
}

//! CPU time that the hypervisor gave to others, from `/proc/stat`.

use std::fs;

/// CPU time of the whole machine since it started, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTimes {
    pub(super) steal: u64,
    /// Nothing to do, or nothing but a disk to wait for.
    pub(super) idle: u64,
    pub(super) all: u64,
}

/// Shares of a stretch of CPU time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CpuShares {
    pub(super) worked_pct: f64,
    pub(super) steal_pct: f64,
}

impl CpuTimes {
    /// What happened since an earlier moment; `None` where no tick has passed.
    pub(super) fn since(&self, before: &Self) -> Option<CpuShares> {
        let (all, idle) = (
            self.all.saturating_sub(before.all),
            self.idle.saturating_sub(before.idle),
        );
        let steal = self.steal.saturating_sub(before.steal);
        let worked = all.saturating_sub(idle).saturating_sub(steal);
        let pct = |ticks: u64| (share(ticks, all) * 1000.0).round() / 10.0;
        (all > 0).then(|| CpuShares {
            worked_pct: pct(worked),
            steal_pct: pct(steal),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "clock ticks of a run are far below 2^52")]
fn share(ticks: u64, all: u64) -> f64 {
    ticks as f64 / all as f64
}

/// Counts stolen CPU time over one or several stretches.
#[derive(Debug, Default)]
pub struct StealWatch {
    working: Option<CpuTimes>,
    steal: u64,
    all: u64,
}

impl StealWatch {
    /// Counts from now on.
    pub fn start() -> Self {
        let mut watch = Self::default();
        watch.resume();
        watch
    }

    /// Counts again, after a rest.
    pub fn resume(&mut self) {
        self.working = now();
    }

    /// What follows does not count.
    pub fn rest(&mut self) {
        if let Some((before, after)) = self.working.take().zip(now()) {
            self.steal += after.steal.saturating_sub(before.steal);
            self.all += after.all.saturating_sub(before.all);
        }
    }

    /// The share of all CPU time that was stolen, 0 to 1; `None` where the system does not tell.
    pub fn stop(mut self) -> Option<f64> {
        self.rest();
        (self.all > 0).then(|| share(self.steal, self.all))
    }
}

fn now() -> Option<CpuTimes> {
    cpu_times(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: `cpu  user nice system idle iowait irq softirq steal …`; what guests used is in `user` already.
pub(super) fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|tick| tick.parse().ok())
        .collect();
    Some(CpuTimes {
        steal: *ticks.get(7)?,
        idle: ticks.get(3)? + ticks.get(4)?,
        all: ticks.iter().take(8).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighth_figure_of_the_first_line_is_stolen() {
        let stat = "cpu  10 20 30 40 5 6 7 8 100 200\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(
            cpu_times(stat),
            Some(CpuTimes {
                steal: 8,
                idle: 45,
                all: 126
            })
        );
        for broken in ["", "cpu  1 2 3 4 5 6 7\n", "intr 5\n", "cpu  a b c\n"] {
            assert_eq!(cpu_times(broken), None, "{broken}");
        }
    }

    #[test]
    fn stretches_add_up_and_rests_do_not_count() {
        let mut watch = StealWatch {
            working: None,
            steal: 3,
            all: 60,
        };
        watch.rest();
        assert_eq!(watch.stop(), Some(0.05));
        assert_eq!(StealWatch::default().stop(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells_a_share() {
        let mut watch = StealWatch::start();
        // Until the counters have moved.
        while watch.all == 0 {
            watch.rest();
            watch.resume();
        }
        assert!(watch.stop().is_some_and(|share| (0.0..=1.0).contains(&share)));
    }
}

//! What one run costs the machine that sends it.

use std::time::{Duration, Instant};

use super::{
    stamp::{Lags, Stamper},
    threads::{Threads, readers},
};
use crate::session::{ClientUse, Lag};

/// The load generator at the start of a run.
pub(super) struct Effort<'a> {
    threads: &'a Threads,
    stamper: &'a Stamper,
    /// When it last began to work, and the CPU time then; `None` while it rests.
    working: Option<(Instant, Option<Duration>)>,
    /// Of the stretches that are over.
    wall: Duration,
    cpu: Option<Duration>,
}

impl<'a> Effort<'a> {
    /// Counts from now on, and so does the calling thread.
    pub(super) fn begin(threads: &'a Threads, stamper: &'a Stamper) -> Self {
        stamper.take_lags();
        let mut effort = Self {
            threads,
            stamper,
            working: None,
            wall: Duration::ZERO,
            cpu: Some(Duration::ZERO),
        };
        effort.resume();
        effort
    }

    /// Counts again, after a rest.
    pub(super) fn resume(&mut self) {
        self.working = Some((Instant::now(), self.threads.cpu_time()));
    }

    /// What follows does not count.
    pub(super) fn rest(&mut self) {
        if let Some((began, before)) = self.working.take() {
            self.wall += began.elapsed();
            let used = self
                .threads
                .cpu_time()
                .zip(before)
                .map(|(now, then)| now.saturating_sub(then));
            self.cpu = self.cpu.zip(used).map(|(cpu, used)| cpu + used);
        }
    }

    /// The cost since the beginning; `None` on a system that does not tell CPU time.
    ///
    /// To be called by the thread that began.
    pub(super) fn end(mut self) -> Option<ClientUse> {
        self.rest();
        let cpu = self.cpu?;
        let lags = self.stamper.take_lags();
        Some(ClientUse {
            cpu_s: cpu.as_secs_f64(),
            wall_s: self.wall.as_secs_f64(),
            threads: u32::try_from(readers()).unwrap_or(u32::MAX),
            kernel_stamps: lags.by_kernel(),
            read_lag: read_lag(&lags),
        })
    }
}

fn read_lag(lags: &Lags) -> Option<Lag> {
    Some(Lag {
        p50_ms: lags.quantile_ms(0.5)?,
        p95_ms: lags.quantile_ms(0.95)?,
        p99_ms: lags.quantile_ms(0.99)?,
        max_ms: lags.quantile_ms(1.0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::clock::Clock;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_busy_client_has_used_cpu_time_and_a_run_without_reads_has_no_lag() {
        let stamper = Stamper::new(Clock::start()).unwrap();
        let threads = Threads::default();
        let effort = Effort::begin(&threads, &stamper);
        let busy_until = threads.cpu_time().unwrap() + Duration::from_millis(20);
        while threads.cpu_time().unwrap() < busy_until {}
        let used = effort.end().unwrap();
        assert!(used.cpu_s >= 0.02 && used.wall_s > 0.0, "{used:?}");
        assert!(used.threads >= 1, "{used:?}");
        assert_eq!((used.kernel_stamps, used.read_lag), (false, None));
    }
}

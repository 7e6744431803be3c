//! What one run costs the machine that sends it.

use std::time::{Duration, Instant};

use super::stamp::{Lags, Stamper};
use crate::session::{ClientUse, Lag};

/// The load generator at the start of a run.
pub(super) struct Effort {
    began: Instant,
    cpu: Option<Duration>,
}

impl Effort {
    /// Counts from now on.
    pub(super) fn begin(stamper: &Stamper) -> Self {
        stamper.take_lags();
        Self {
            began: Instant::now(),
            cpu: cpu_time(),
        }
    }

    /// The cost since the beginning; `None` on a system that does not tell CPU time.
    pub(super) fn end(self, stamper: &Stamper, threads: u32) -> Option<ClientUse> {
        let cpu = cpu_time()?.saturating_sub(self.cpu?);
        let lags = stamper.take_lags();
        Some(ClientUse {
            cpu_s: cpu.as_secs_f64(),
            wall_s: self.began.elapsed().as_secs_f64(),
            threads,
            kernel_stamps: lags.by_kernel(),
            read_lag: read_lag(&lags),
        })
    }
}

fn read_lag(lags: &Lags) -> Option<Lag> {
    Some(Lag {
        p50_ms: lags.quantile_ms(0.5)?,
        p99_ms: lags.quantile_ms(0.99)?,
        max_ms: lags.quantile_ms(1.0)?,
    })
}

/// CPU time of this whole process so far, user and system: the pacer and the collector count as well as the readers.
#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    };
    let used = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = |part: nix::sys::time::TimeVal| {
        let micros = part.num_microseconds();
        u64::try_from(micros).ok().map(Duration::from_micros)
    };
    Some(time(used.user_time())? + time(used.system_time())?)
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::clock::Clock;

    #[test]
    #[cfg(unix)]
    fn a_busy_client_has_used_cpu_time_and_a_run_without_reads_has_no_lag() {
        let stamper = Stamper::new(Clock::start()).unwrap();
        let effort = Effort::begin(&stamper);
        let busy_until = cpu_time().unwrap() + Duration::from_millis(20);
        while cpu_time().unwrap() < busy_until {}
        let used = effort.end(&stamper, 3).unwrap();
        assert!(used.cpu_s >= 0.02 && used.wall_s > 0.0, "{used:?}");
        assert_eq!((used.threads, used.kernel_stamps, used.read_lag), (3, false, None));
    }
}

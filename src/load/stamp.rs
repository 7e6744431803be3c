//! When bytes arrived: by the kernel's own stamp where it gives one, else by the end of the read.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use hdrhistogram::Histogram;

use super::{
    LoadError,
    clock::{Clock, WallClock},
};

/// Lags are told apart from 1 µs on, at two significant digits, up to a minute.
const FINEST_NS: u64 = 1_000;
const LONGEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 2;

/// Stamps what all connections of a client read, and counts how late they read it.
#[derive(Debug)]
pub(super) struct Stamper {
    clock: Clock,
    wall: WallClock,
    lags: Mutex<Lags>,
}

/// How late bytes were read after the kernel had them.
#[derive(Clone, Debug)]
pub(super) struct Lags {
    lags: Histogram<u64>,
    without_stamp: u64,
}

impl Stamper {
    /// One that has stamped nothing.
    ///
    /// # Errors
    /// Never with the bounds above; they are checked by the crate.
    pub(super) fn new(clock: Clock) -> Result<Arc<Self>, LoadError> {
        let lags = Histogram::new_with_bounds(FINEST_NS, LONGEST_NS, DIGITS).map_err(|source| LoadError::Setup {
            what: "the histogram of read lags",
            source: source.into(),
        })?;
        Ok(Arc::new(Self {
            clock,
            wall: WallClock::new(clock),
            lags: Mutex::new(Lags { lags, without_stamp: 0 }),
        }))
    }

    /// The lags since they were taken last, or since the start.
    pub(super) fn take_lags(&self) -> Lags {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lags.clone();
        lags.lags.reset();
        lags.without_stamp = 0;
        taken
    }

    /// The stamp of a read that has just ended.
    ///
    /// `kernel_ns`: when the kernel had its last bytes, by the wall clock. It is believed only between `floor_ns`, when
    /// they cannot have been there, and now; `false` beside the stamp where it is not.
    fn stamp(&self, kernel_ns: Option<u64>, floor_ns: u64) -> (u64, bool) {
        let now_ns = self.clock.now_ns();
        let arrived_ns = kernel_ns.and_then(|wall_ns| self.wall.on_clock(wall_ns, now_ns));
        let believed_ns = arrived_ns.filter(|at_ns| (floor_ns..=now_ns).contains(at_ns));
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        match believed_ns {
            Some(at_ns) => lags.lags.saturating_record(now_ns - at_ns),
            None => lags.without_stamp += 1,
        }
        (believed_ns.unwrap_or(now_ns), believed_ns.is_some())
    }
}

impl Lags {
    /// The lag that this share of the reads stayed within (0.5 = the median), in milliseconds; `None` without stamps.
    pub(super) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let lag_ns = || std::time::Duration::from_nanos(self.lags.value_at_quantile(share));
        (!self.lags.is_empty()).then(|| lag_ns().as_secs_f64() * 1e3)
    }

    /// Whether the kernel stamped the reads, all but one in a hundred.
    pub(super) fn by_kernel(&self) -> bool {
        !self.lags.is_empty() && self.without_stamp <= self.lags.len() / 99
    }
}

/// When bytes arrived on one connection.
#[derive(Debug)]
pub(super) struct Reads {
    stamper: Arc<Stamper>,
    last_ns: AtomicU64,
    any: AtomicBool,
}

impl Reads {
    /// Of a new connection.
    pub(super) fn new(stamper: Arc<Stamper>) -> Self {
        Self {
            last_ns: AtomicU64::new(stamper.clock.now_ns()),
            any: AtomicBool::new(false),
            stamper,
        }
    }

    /// Arrival of the latest bytes.
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns.load(Ordering::Relaxed)
    }

    /// Whether bytes arrived since the latest request.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A request is sent: nothing of its answer can be there yet.
    pub(super) fn request_sent(&self, sent_ns: u64) {
        self.last_ns.fetch_max(sent_ns, Ordering::Relaxed);
        self.any.store(false, Ordering::Relaxed);
    }

    /// A read has just brought bytes; `kernel_ns` as in [`Stamper::stamp`]. Tells whether it is believed.
    pub(super) fn stamp(&self, kernel_ns: Option<u64>) -> bool {
        let (at_ns, is_believed) = self.stamper.stamp(kernel_ns, self.last_ns());
        self.last_ns.store(at_ns, Ordering::Relaxed);
        self.any.store(true, Ordering::Relaxed);
        is_believed
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn wall_ns() -> u64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(wall.as_nanos()).unwrap()
    }

    fn reads() -> (Clock, Reads) {
        let clock = Clock::start();
        (clock, Reads::new(Stamper::new(clock).unwrap()))
    }

    #[test]
    fn a_read_has_the_kernel_s_stamp_and_its_lag_is_counted() {
        let (clock, reads) = reads();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let kernel_ns = wall_ns() - 5_000_000;
        reads.stamp(Some(kernel_ns));
        assert!(reads.any() && reads.last_ns() + 4_000_000 < clock.now_ns());
        let lags = reads.stamper.take_lags();
        assert!(lags.by_kernel() && lags.quantile_ms(0.5).unwrap() > 4.0);
        assert_eq!(reads.stamper.take_lags().quantile_ms(0.5), None, "taken already");
    }

    #[test]
    fn a_stamp_from_before_the_request_or_from_the_future_is_not_believed() {
        for shift_ns in [-3_600_000_000_000_i64, 3_600_000_000_000] {
            let (clock, reads) = reads();
            let sent_ns = clock.now_ns();
            reads.request_sent(sent_ns);
            reads.stamp(wall_ns().checked_add_signed(shift_ns));
            assert!((sent_ns..=clock.now_ns()).contains(&reads.last_ns()), "{shift_ns}");
            assert!(!reads.stamper.take_lags().by_kernel());
        }
    }

    #[test]
    fn without_a_kernel_s_stamp_the_read_s_end_counts() {
        let (clock, reads) = reads();
        let before_ns = clock.now_ns();
        reads.stamp(None);
        assert!((before_ns..=clock.now_ns()).contains(&reads.last_ns()));
        let lags = reads.stamper.take_lags();
        assert_eq!((lags.by_kernel(), lags.quantile_ms(0.99)), (false, None));
    }
}

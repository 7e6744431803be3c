//! The machine that perfgate runs on while a run goes on: processors, steal, load, memory and network, from `/proc`.
//!
//! It is the client's machine, and the server's where that is local; of one elsewhere nothing is known here.

use std::{
    fs,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    RunClock,
    steal::{CpuTimes, cpu_times},
    thin::{Point, Thinned, mean_of},
};
use crate::session::HostPoint;

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(1);
/// Counters that tick a hundred times a second tell nothing of a shorter time.
const SHORTEST: Duration = Duration::from_millis(200);
/// Points of one run.
const POINTS: usize = 60;

/// A watch over one run, in one stretch or in several.
#[derive(Debug, Default)]
pub struct HostWatch {
    seen: Option<Course>,
    at_work: Option<(Sender<()>, JoinHandle<Course>)>,
}

/// What was seen so far.
#[derive(Debug)]
struct Course {
    points: Thinned<HostPoint>,
    /// When the last of them was.
    last_ns: Option<u64>,
}

impl HostWatch {
    /// A stretch of the run is about to begin, on a clock that knows when.
    pub fn begin(&mut self, clock: &RunClock) {
        self.end();
        let seen = self.seen.take().unwrap_or_else(|| Course {
            points: Thinned::of(POINTS),
            last_ns: None,
        });
        let (stop, stopped) = mpsc::channel();
        let clock = clock.clone();
        let thread = thread::Builder::new()
            .name("host-sampler".into())
            .spawn(move || sample(seen, &clock, &stopped));
        // Without a thread nothing is known of this machine, and the run goes on.
        self.at_work = thread.ok().map(|thread| (stop, thread));
    }

    /// The stretch is over.
    pub fn end(&mut self) {
        if let Some((stop, thread)) = self.at_work.take() {
            let _ = stop.send(());
            self.seen = thread.join().ok();
        }
    }

    /// What was seen.
    pub fn finish(mut self) -> Vec<HostPoint> {
        self.end();
        self.seen.map_or_else(Vec::new, |seen| seen.points.into_points())
    }
}

fn sample(mut seen: Course, clock: &RunClock, stopped: &Receiver<()>) -> Course {
    let mut before = Look::now();
    let mut due = Instant::now() + EVERY;
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        let is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        let now = Look::now();
        let both = clock.at_ns(Instant::now()).zip(before.as_ref().zip(now.as_ref()));
        if let Some(point) = both.and_then(|(at_ns, (before, now))| now.since(before, at_ns)) {
            seen.add(point);
        }
        if is_over {
            return seen;
        }
        before = now;
        due = (due + EVERY).max(Instant::now() + EVERY / 2);
    }
}

impl Course {
    fn add(&mut self, mut point: HostPoint) {
        // The last look at a block comes after its end, where the clock of the next one begins.
        point.at_ns = self.last_ns.map_or(point.at_ns, |last_ns| point.at_ns.max(last_ns + 1));
        self.last_ns = Some(point.at_ns);
        self.points.add(point);
    }
}

/// What the machine tells at one moment.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    at: Instant,
    cpu: CpuTimes,
    load: Option<f64>,
    memory_used_bytes: Option<u64>,
    network: Option<Traffic>,
}

/// Bytes over all networks since the machine started, loopback left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traffic {
    received: u64,
    sent: u64,
}

impl Look {
    fn now() -> Option<Self> {
        let read = |path: &str| fs::read_to_string(path).ok();
        Some(Self {
            at: Instant::now(),
            cpu: cpu_times(&read("/proc/stat")?)?,
            load: read("/proc/loadavg").as_deref().and_then(load),
            memory_used_bytes: read("/proc/meminfo").as_deref().and_then(memory_used_bytes),
            network: read("/proc/net/dev").as_deref().map(traffic),
        })
    }

    fn since(&self, before: &Self, at_ns: u64) -> Option<HostPoint> {
        let cpu = self.cpu.since(&before.cpu)?;
        let elapsed = Some(self.at.saturating_duration_since(before.at)).filter(|elapsed| *elapsed >= SHORTEST)?;
        let seconds = elapsed.as_secs_f64();
        let traffic = self.network.zip(before.network);
        let rate = |of: fn(Traffic) -> u64| {
            let (now, before) = traffic?;
            // An interface that went away takes its counters with it.
            let by = of(now).checked_sub(of(before))?;
            Some((real(by) / seconds).round())
        };
        Some(HostPoint {
            at_ns,
            samples: 1,
            cpu_pct: cpu.worked_pct,
            steal_pct: cpu.steal_pct,
            load: self.load,
            memory_used_bytes: self.memory_used_bytes,
            received_bytes_per_s: rate(|traffic| traffic.received),
            sent_bytes_per_s: rate(|traffic| traffic.sent),
        })
    }
}

impl Point for HostPoint {
    fn take_in(&mut self, next: &Self) {
        let (own, more) = (self.samples, next.samples);
        let mean = |one: f64, two: f64| rounded(mean_of((one, own), (two, more)));
        let both = |one: Option<f64>, two: Option<f64>| match (one, two) {
            (Some(one), Some(two)) => Some(mean_of((one, own), (two, more)).round()),
            (one, two) => one.or(two),
        };
        self.cpu_pct = mean(self.cpu_pct, next.cpu_pct);
        self.steal_pct = mean(self.steal_pct, next.steal_pct);
        self.load = self.load.into_iter().chain(next.load).reduce(f64::max);
        self.memory_used_bytes = self.memory_used_bytes.max(next.memory_used_bytes);
        self.received_bytes_per_s = both(self.received_bytes_per_s, next.received_bytes_per_s);
        self.sent_bytes_per_s = both(self.sent_bytes_per_s, next.sent_bytes_per_s);
        self.samples = self.samples.saturating_add(next.samples);
    }
}

/// As many digits as the page of a report can show.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The first figure of `/proc/loadavg`: the mean over a minute of the threads that run or wait for it.
fn load(text: &str) -> Option<f64> {
    let load: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}

/// All memory but what could be had without swapping; caches of files can.
fn memory_used_bytes(meminfo: &str) -> Option<u64> {
    let kib = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    kib("MemTotal:")?.checked_sub(kib("MemAvailable:")?)?.checked_mul(1024)
}

/// Each line after the two of its head: the interface, a colon, eight figures of what came in, eight of what went out.
fn traffic(dev: &str) -> Traffic {
    let mut all = Traffic { received: 0, sent: 0 };
    for line in dev.lines() {
        let Some((name, figures)) = line.split_once(':') else {
            continue;
        };
        let figures: Vec<u64> = figures
            .split_ascii_whitespace()
            .map_while(|figure| figure.parse().ok())
            .collect();
        if let (Some(received), Some(sent), false) = (figures.first(), figures.get(8), name.trim() == "lo") {
            all.received = all.received.saturating_add(*received);
            all.sent = all.sent.saturating_add(*sent);
        }
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a second are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_load_and_traffic_are_read_as_the_kernel_writes_them() {
        let meminfo = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n";
        assert_eq!(memory_used_bytes(meminfo), Some(400 * 1024));
        assert_eq!(memory_used_bytes("MemTotal: 1000 kB\n"), None);
        assert_eq!((load("0.52 0.58 0.59 1/977 12345\n"), load("")), (Some(0.52), None));
        let dev = "Inter-|   Receive                |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n\
                   \x20   lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n\
                   \x20 ib0:11 1 0 0 0 0 0 0 22 1 0 0 0 0 0 0\n broken: 7\n";
        assert_eq!(
            traffic(dev),
            Traffic {
                received: 111,
                sent: 222
            }
        );
    }

    #[test]
    fn a_point_is_what_happened_between_two_looks() {
        let look = |at, steal, idle, received| Look {
            at,
            cpu: CpuTimes {
                steal,
                idle,
                all: 100 + steal + idle,
            },
            load: Some(1.5),
            memory_used_bytes: Some(7),
            network: Some(Traffic { received, sent: 0 }),
        };
        let begun = Instant::now();
        let before = look(begun, 0, 0, 1000);
        let mut after = look(begun + Duration::from_secs(2), 20, 130, 3000);
        after.cpu.all += 50;
        let point = after.since(&before, 9).unwrap();
        // 200 ticks in all: 130 idle, 20 stolen, 50 worked.
        assert_eq!((point.cpu_pct, point.steal_pct), (25.0, 10.0));
        assert_eq!(
            (point.received_bytes_per_s, point.sent_bytes_per_s),
            (Some(1000.0), Some(0.0))
        );
        let gone = look(begun + Duration::from_secs(3), 21, 230, 10);
        assert_eq!(
            gone.since(&after, 9).map(|point| point.received_bytes_per_s),
            Some(None)
        );
        assert_eq!(after.since(&after, 9), None, "no tick has passed");
    }

    #[test]
    fn points_taken_together_keep_peaks_and_means() {
        let point = |cpu_pct, load, memory| HostPoint {
            samples: 1,
            cpu_pct,
            load: Some(load),
            memory_used_bytes: Some(memory),
            received_bytes_per_s: Some(cpu_pct),
            ..HostPoint::default()
        };
        let mut one = point(10.0, 3.0, 5);
        one.take_in(&point(30.0, 1.0, 9));
        assert_eq!(
            (one.samples, one.cpu_pct, one.load, one.memory_used_bytes),
            (2, 20.0, Some(3.0), Some(9))
        );
        assert_eq!(one.received_bytes_per_s, Some(20.0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_is_seen_once_a_second_on_the_clock_of_the_run() {
        let (mut watch, clock) = (HostWatch::default(), RunClock::default());
        watch.begin(&clock);
        clock.start(Instant::now());
        thread::sleep(EVERY + EVERY / 2);
        watch.end();
        let points = watch.finish();
        assert!(!points.is_empty(), "{points:?}");
        assert!(
            points.iter().all(|point| (0.0..=100.0).contains(&point.cpu_pct)),
            "{points:?}"
        );
    }
}

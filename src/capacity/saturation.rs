//! A ladder of levels, and when it has seen enough: more load brings no more throughput, only longer waits.

use crate::session::Run;

use super::level;

/// How the levels of a ladder lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// By the same factor.
    #[default]
    Geometric,
    /// By the same difference.
    Linear,
}

/// `steps` levels from one level to another, both included, rising; whole numbers where `is_whole`, each once.
///
/// Levels are above zero.
pub fn ladder((from, to): (f64, f64), steps: u32, spacing: Spacing, is_whole: bool) -> Vec<f64> {
    let gaps = f64::from(steps.max(2) - 1);
    let level = |step: u32| {
        let share = f64::from(step) / gaps;
        let level = match spacing {
            Spacing::Geometric => from * (to / from).powf(share),
            Spacing::Linear => from + (to - from) * share,
        };
        if is_whole {
            level.round()
        } else {
            (level * 1000.0).round() / 1000.0
        }
    };
    let mut levels: Vec<f64> = (0..steps.max(1)).map(level).collect();
    levels.dedup();
    levels
}

/// One level of a ladder, as it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// Requests per second, or requests in flight.
    pub level: f64,
    /// Requests per second that came back whole.
    pub completed_rps: f64,
    /// Median latency of an answer, from the schedule where there is one, in milliseconds.
    pub latency_ms: f64,
    /// Whether the queue grew for as long as requests were sent.
    pub unstable: bool,
}

/// A rung is compared with the highest one that is lower by at least this factor.
const LOAD_RATIO: f64 = 1.2;

/// Less than this share of the added load comes back as added throughput: the server is saturated.
const LEAST_GAIN: f64 = 0.25;

/// … if latency grows by at least this factor as well.
const LATENCY_RATIO: f64 = 1.1;

impl Rung {
    /// From one run at a level; `None` where nothing completed.
    pub fn of(level: f64, run: &Run, is_open: bool) -> Option<Self> {
        let batch = level::judge_batch(level, run, &crate::plan::Slo::default(), is_open);
        Some(Self {
            level,
            completed_rps: level::completed_rps(run)?,
            latency_ms: level::latency_ms(run, is_open, 0.5)?,
            unstable: batch.unstable,
        })
    }
}

/// Why the last rung of a rising ladder shows that the server is saturated, if it does.
pub fn saturated(ladder: &[Rung]) -> Option<String> {
    let (last, lower) = ladder.split_last()?;
    if last.unstable {
        return Some("the queue grew for as long as requests were sent".to_owned());
    }
    let before = lower.iter().rev().find(|rung| rung.level * LOAD_RATIO <= last.level)?;
    let load = last.level / before.level - 1.0;
    let gain = last.completed_rps / before.completed_rps - 1.0;
    let latency = last.latency_ms / before.latency_ms;
    (gain < load * LEAST_GAIN && latency >= LATENCY_RATIO).then(|| {
        format!(
            "{:.0} % more load than at {} brought {:+.0} % throughput and {:+.0} % latency",
            load * 100.0,
            before.level,
            gain * 100.0,
            (latency - 1.0) * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climb(rungs: &[(f64, f64, f64)]) -> Vec<Rung> {
        let rung = |(level, completed_rps, latency_ms): &(f64, f64, f64)| Rung {
            level: *level,
            completed_rps: *completed_rps,
            latency_ms: *latency_ms,
            unstable: false,
        };
        rungs.iter().map(rung).collect()
    }

    #[test]
    fn a_ladder_goes_from_one_end_to_the_other() {
        use Spacing::{Geometric, Linear};
        for (ends, steps, spacing, is_whole, levels) in [
            (
                (1.0, 64.0),
                7,
                Geometric,
                true,
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0][..],
            ),
            ((1.0, 4.0), 7, Geometric, true, &[1.0, 2.0, 3.0, 4.0]),
            ((2.0, 5.0), 4, Linear, false, &[2.0, 3.0, 4.0, 5.0]),
            ((1.0, 2.0), 3, Geometric, false, &[1.0, 1.414, 2.0]),
            ((3.0, 3.0), 5, Linear, true, &[3.0]),
            ((3.0, 9.0), 1, Linear, true, &[3.0]),
        ] {
            assert_eq!(ladder(ends, steps, spacing, is_whole), levels);
        }
    }

    #[test]
    fn a_ladder_ends_where_load_brings_only_latency() {
        let growing = [(1.0, 10.0, 100.0), (2.0, 19.0, 105.0), (4.0, 36.0, 111.0)];
        assert_eq!(saturated(&climb(&growing)), None);
        // 100 % more load, 25 % more throughput is just enough, and 24 % is not.
        let with = |rps, ms| saturated(&climb(&[growing[2], (8.0, rps, ms)]));
        assert_eq!(with(45.0, 200.0), None);
        let why = with(44.6, 200.0).unwrap();
        assert_eq!(
            why,
            "100 % more load than at 4 brought +24 % throughput and +80 % latency"
        );
        // Less throughput without more latency is no queue: the client or a limit upstream.
        assert_eq!(with(40.0, 122.0), None);
        assert!(with(40.0, 122.2).is_some());
    }

    #[test]
    fn small_steps_are_measured_against_one_far_enough_below() {
        let steps: Vec<(f64, f64, f64)> = (0..10)
            .map(|step| 10.0 * 1.05_f64.powi(step))
            .map(|level| (level, level.min(11.0), 100.0 * (level / 11.0).max(1.0)))
            .collect();
        let ends = (1..=steps.len()).find(|count| saturated(&climb(&steps[..*count])).is_some());
        // 12.8 is the first that is a fifth above one of the server's linear range, 10.5, and brings too little.
        assert_eq!(ends, Some(6), "{steps:?}");
    }

    #[test]
    fn a_growing_queue_ends_a_ladder_at_once() {
        let mut rungs = climb(&[(1.0, 1.0, 100.0)]);
        rungs[0].unstable = true;
        assert!(saturated(&rungs).unwrap().contains("queue grew"));
        assert_eq!(saturated(&[]), None);
    }
}

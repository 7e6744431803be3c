//! How a run went: how many requests waited for their first token, and how many streamed, moment by moment.

use crate::{
    session::{RequestRecord, Run},
    stats::real,
};

/// Moments of a run.
const MOMENTS: usize = 120;

/// A run in equal moments from its first send to its last end.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Which run, counted from 1.
    pub run: usize,
    /// Of how many.
    pub runs: usize,
    /// From the first send to the last end.
    pub seconds: f64,
    /// The most requests that were in the system at one time.
    pub most_at_once: usize,
    /// Rising in time, each as long as the others.
    pub moments: Vec<Moment>,
}

/// Means over one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Requests that were due and not sent yet (open loop).
    pub due: f64,
    /// Requests that had no token yet.
    pub waiting: f64,
    /// Requests whose tokens came.
    pub streaming: f64,
}

impl Moment {
    /// All that were in the system.
    pub fn all(self) -> f64 {
        self.due + self.waiting + self.streaming
    }
}

impl Flow {
    /// Of the run whose length is the median of all; `None` where none has a duration.
    pub fn of(runs: &[Run]) -> Option<Self> {
        let mut spans: Vec<(usize, (u64, u64))> = runs
            .iter()
            .enumerate()
            .filter_map(|(place, run)| Some((place, span(run)?)))
            .collect();
        spans.sort_by_key(|(_, (start, end))| end - start);
        let (place, (start_ns, end_ns)) = *spans.get(spans.len().checked_sub(1)? / 2)?;
        let run = runs.get(place)?;
        let scale = Moments {
            start_ns,
            width_ns: seconds(end_ns - start_ns) * 1e9 / real(MOMENTS),
            found: vec![Moment::default(); MOMENTS],
        };
        Some(Self {
            run: place + 1,
            runs: runs.len(),
            seconds: seconds(end_ns - start_ns),
            most_at_once: most_at_once(&run.requests),
            moments: scale.with(&run.requests),
        })
    }

    /// The highest mean of a moment.
    pub fn most(&self) -> f64 {
        self.moments.iter().map(|moment| moment.all()).fold(0.0, f64::max)
    }
}

/// First send, or due time, to last end.
fn span(run: &Run) -> Option<(u64, u64)> {
    let starts = run.requests.iter().map(begin);
    let start = starts.min()?;
    let end = run.requests.iter().map(|record| record.end_ns).max()?;
    (end > start).then_some((start, end))
}

fn most_at_once(records: &[RequestRecord]) -> usize {
    let mut starts: Vec<u64> = records.iter().map(begin).collect();
    let mut ends: Vec<u64> = records.iter().map(|record| record.end_ns).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let (mut ended, mut most) = (0, 0);
    for (place, start_ns) in starts.iter().enumerate() {
        while ends.get(ended).is_some_and(|end_ns| end_ns <= start_ns) {
            ended += 1;
        }
        most = most.max((place + 1).saturating_sub(ended));
    }
    most
}

fn begin(record: &RequestRecord) -> u64 {
    record
        .scheduled_ns
        .map_or(record.sent_ns, |due| due.min(record.sent_ns))
}

struct Moments {
    start_ns: u64,
    width_ns: f64,
    found: Vec<Moment>,
}

impl Moments {
    fn with(mut self, records: &[RequestRecord]) -> Vec<Moment> {
        for record in records {
            let first = record.first_token_ns.unwrap_or(record.end_ns);
            self.add((begin(record), record.sent_ns), |moment| &mut moment.due);
            self.add((record.sent_ns, first), |moment| &mut moment.waiting);
            self.add((first, record.end_ns), |moment| &mut moment.streaming);
        }
        self.found
    }

    /// A request was in one state from one stamp to another.
    fn add(&mut self, (from_ns, to_ns): (u64, u64), of: fn(&mut Moment) -> &mut f64) {
        let place = |ns: u64| seconds(ns.saturating_sub(self.start_ns)) * 1e9 / self.width_ns;
        let (from, to) = (place(from_ns), place(to_ns));
        for (at, moment) in self.found.iter_mut().enumerate().skip(whole(from)) {
            let (begin, end) = (real(at), real(at + 1));
            if begin >= to {
                break;
            }
            *of(moment) += (to.min(end) - from.max(begin)).max(0.0);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among some hundred moments"
)]
fn whole(place: f64) -> usize {
    place as usize
}

#[expect(clippy::cast_precision_loss, reason = "2^52 ns are 52 days")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(due: Option<u64>, sent: u64, first: Option<u64>, end: u64) -> RequestRecord {
        RequestRecord {
            scheduled_ns: due,
            sent_ns: sent,
            first_token_ns: first,
            end_ns: end,
            ..RequestRecord::default()
        }
    }

    fn run(requests: Vec<RequestRecord>) -> Run {
        Run {
            requests,
            ..Run::default()
        }
    }

    #[test]
    fn each_state_counts_for_the_time_it_took() {
        let requests = vec![record(Some(0), 30, Some(60), 120), record(None, 0, None, 60)];
        let flow = Flow::of(&[run(requests)]).unwrap();
        assert_eq!((flow.run, flow.runs, flow.moments.len()), (1, 1, MOMENTS));
        let at = |place: usize| flow.moments[place];
        assert_eq!(
            at(10),
            Moment {
                due: 1.0,
                waiting: 1.0,
                streaming: 0.0
            }
        );
        assert_eq!(
            at(40),
            Moment {
                due: 0.0,
                waiting: 2.0,
                streaming: 0.0
            }
        );
        assert_eq!(
            at(100),
            Moment {
                due: 0.0,
                waiting: 0.0,
                streaming: 1.0
            }
        );
        let sum: f64 = flow.moments.iter().map(|moment| moment.all()).sum();
        assert!((sum - 180.0).abs() < 1e-6, "{sum}");
        assert!((flow.most() - 2.0).abs() < 1e-9);
        assert_eq!(flow.most_at_once, 2);
    }

    #[test]
    fn short_requests_are_seen_however_rare_they_are() {
        let requests = vec![
            record(None, 0, Some(1), 2),
            record(None, 1, Some(2), 3),
            record(None, 3, Some(4), 100_000),
        ];
        let flow = Flow::of(&[run(requests)]).unwrap();
        assert_eq!(flow.most_at_once, 2, "the third came as the second ended");
        assert!(flow.most() < 1.01);
    }

    #[test]
    fn the_run_of_middle_length_is_told() {
        let of_length = |end| run(vec![record(None, 0, Some(1), end)]);
        let flow = Flow::of(&[of_length(900), of_length(100), of_length(500), Run::default()]).unwrap();
        assert_eq!((flow.run, flow.runs), (3, 4));
        assert_eq!(Flow::of(&[Run::default()]), None);
        assert_eq!(Flow::of(&[run(vec![record(None, 5, None, 5)])]), None);
    }
}

//! Latencies as servers count them: the histograms of their pages of metrics, and their growth over a run.
//!
//! Buckets are coarse (vLLM's TTFT has one from 100 to 250 ms): they tell of a P95 between which bounds it lies, and no more.
//! Sum and count are exact.

use std::{collections::BTreeMap, mem};

use super::{
    Sample,
    count::{is_too_full, key_of},
};
use crate::session::{ServerClock, ServerLatency};

/// A latency and a name of its histogram, in seconds; of one engine the newest name first.
///
/// vLLM's and `SGLang`'s `time_per_output_token_seconds` was the gap between two tokens; TensorRT-LLM's is one value a
/// request.
const NAMES: [(ServerClock, &str); 13] = [
    (ServerClock::Ttft, "vllm:time_to_first_token_seconds"),
    (ServerClock::Ttft, "sglang:time_to_first_token_seconds"),
    (ServerClock::Ttft, "trtllm_time_to_first_token_seconds"),
    (ServerClock::Tpot, "vllm:request_time_per_output_token_seconds"),
    (ServerClock::Tpot, "trtllm_time_per_output_token_seconds"),
    (ServerClock::Itl, "vllm:inter_token_latency_seconds"),
    (ServerClock::Itl, "vllm:time_per_output_token_seconds"),
    (ServerClock::Itl, "sglang:inter_token_latency_seconds"),
    (ServerClock::Itl, "sglang:time_per_output_token_seconds"),
    (ServerClock::E2e, "vllm:e2e_request_latency_seconds"),
    (ServerClock::E2e, "sglang:e2e_request_latency_seconds"),
    (ServerClock::E2e, "tgi_request_duration"),
    (ServerClock::E2e, "trtllm_e2e_request_latency_seconds"),
];

const CLOCKS: [ServerClock; 4] = [ServerClock::Ttft, ServerClock::Tpot, ServerClock::Itl, ServerClock::E2e];

/// All histograms of one moment, by their place in [`NAMES`] and by their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::telemetry) struct Latencies(BTreeMap<usize, BTreeMap<String, Histogram>>);

/// What histograms grew by, by their place in [`NAMES`], summed over their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::telemetry) struct Grown(BTreeMap<usize, Histogram>);

/// One histogram. What is no number in it makes its growth none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::telemetry) struct Histogram {
    count: f64,
    sum_s: f64,
    /// Bounds in seconds as the bits of a number above zero, which rise with it, and how many are at or below.
    buckets: BTreeMap<u64, f64>,
}

impl Latencies {
    /// Takes in a sample, where it is of a histogram that is known.
    pub(super) fn take(&mut self, sample: &Sample<'_>) {
        let Some((name, part)) = sample.name.rsplit_once('_') else {
            return;
        };
        let Some(place) = NAMES.iter().position(|(_, known)| *known == name) else {
            return;
        };
        let sets = self.0.entry(place).or_default();
        let histogram = sets.entry(sample.labels_without("le")).or_default();
        match part {
            "sum" => histogram.sum_s += sample.value,
            "count" => histogram.count += sample.value,
            "bucket" => {
                let bound = sample.label("le").and_then(|bound| bound.parse::<f64>().ok());
                if let Some(bound) = bound.filter(|bound| bound.is_finite() && *bound > 0.0) {
                    *histogram.buckets.entry(bound.to_bits()).or_default() += sample.value;
                }
            }
            _ => {}
        }
    }

    /// The same of one of several replicas, whose labels may be those of another.
    pub(super) fn of_replica(self, place: usize) -> Self {
        let of = |sets: BTreeMap<String, Histogram>| {
            let sets = sets.into_iter();
            sets.map(|(labels, histogram)| (key_of(place, labels), histogram))
                .collect()
        };
        Self(self.0.into_iter().map(|(name, sets)| (name, of(sets))).collect())
    }

    /// Of several replicas; what one of them lacks is left out.
    pub(super) fn and(self, other: Self) -> Self {
        let mut others = other.0;
        let both = self.0.into_iter().filter_map(|(place, mut sets)| {
            sets.extend(others.remove(&place)?);
            Some((place, sets))
        });
        Self(both.collect())
    }

    /// What was counted since an earlier moment; a histogram that went back, or was not there, is left out, and so is one whose
    /// labels went away or came with more than they can have counted since.
    pub(in crate::telemetry) fn since(&self, before: &Self) -> Grown {
        let grown = self
            .0
            .iter()
            .filter_map(|(place, now)| Some((*place, grown(now, before.0.get(place)?)?)));
        Grown(grown.collect())
    }
}

/// What the series of one histogram grew by together.
fn grown(now: &BTreeMap<String, Histogram>, before: &BTreeMap<String, Histogram>) -> Option<Histogram> {
    if before.keys().any(|labels| !now.contains_key(labels)) {
        return None;
    }
    let (mut all, mut new) = (Histogram::default(), 0.0);
    for (labels, now) in now {
        let zero = Histogram::default();
        let before = before.get(labels);
        new += if before.is_none() { now.count } else { 0.0 };
        all.add(&now.since(before.unwrap_or(&zero))?);
    }
    (!is_too_full(new, all.count - new)).then_some(all)
}

impl Grown {
    /// Adds what was counted in another stretch; what one of them lacks is left out.
    pub(in crate::telemetry) fn follow_with(&mut self, next: Self) {
        let mut others = next.0;
        let both = mem::take(&mut self.0).into_iter().filter_map(|(place, mut histogram)| {
            histogram.add(&others.remove(&place)?);
            Some((place, histogram))
        });
        self.0 = both.collect();
    }

    /// Each latency under its newest name, where anything was counted.
    pub(in crate::telemetry) fn told(&self) -> Vec<ServerLatency> {
        let told = |clock: ServerClock| {
            let mut known = self
                .0
                .iter()
                .filter(|(place, _)| NAMES.get(**place).is_some_and(|(of, _)| *of == clock));
            known.find_map(|(_, histogram)| histogram.told(clock))
        };
        CLOCKS.into_iter().filter_map(told).collect()
    }
}

impl Histogram {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_s += other.sum_s;
        for (bound, count) in &other.buckets {
            *self.buckets.entry(*bound).or_default() += count;
        }
    }

    fn since(&self, before: &Self) -> Option<Self> {
        let grown = |now: f64, before: f64| Some(now - before).filter(|by| *by >= 0.0 && by.is_finite());
        let buckets = self.buckets.iter().map(|(bound, now)| {
            let before = before.buckets.get(bound).copied().unwrap_or(0.0);
            Some((*bound, grown(*now, before)?))
        });
        Some(Self {
            count: grown(self.count, before.count)?,
            sum_s: grown(self.sum_s, before.sum_s)?,
            buckets: buckets.collect::<Option<_>>()?,
        })
    }

    fn told(&self, of: ServerClock) -> Option<ServerLatency> {
        let mean_ms = self.sum_s / self.count * 1e3;
        mean_ms.is_finite().then(|| ServerLatency {
            of,
            count: whole(self.count),
            mean_ms: (mean_ms * 1e3).round() / 1e3,
            p95_within_ms: self.p95_within_ms(),
        })
    }

    /// The bounds of the bucket that the P95 (nearest rank) is in.
    fn p95_within_ms(&self) -> Option<(f64, f64)> {
        let rank = (self.count * 0.95).ceil();
        let mut low = 0.0;
        for (bound, below) in &self.buckets {
            let high = f64::from_bits(*bound) * 1e3;
            if *below >= rank {
                return Some((low, high));
            }
            low = high;
        }
        None
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus;

    fn of(page: &str) -> Latencies {
        let mut found = Latencies::default();
        prometheus::read(page.as_bytes(), |sample| found.take(&sample)).unwrap();
        found
    }

    /// A TTFT histogram of one engine: so many within 100 ms, 250 ms and in all.
    fn page(engine: u32, within: [u32; 3], sum_s: f64) -> String {
        let name = "vllm:time_to_first_token_seconds";
        let [a, b, all] = within;
        format!(
            "{name}_bucket{{engine=\"{engine}\",le=\"0.1\"}} {a}\n{name}_bucket{{engine=\"{engine}\",le=\"0.25\"}} {b}\n\
             {name}_bucket{{engine=\"{engine}\",le=\"+Inf\"}} {all}\n{name}_count{{engine=\"{engine}\"}} {all}\n\
             {name}_sum{{engine=\"{engine}\"}} {sum_s}\n{name}_created{{engine=\"{engine}\"}} 1.7e9\n"
        )
    }

    #[test]
    fn a_run_is_what_the_histograms_grew_by_over_all_engines() {
        let before = of(&(page(0, [10, 10, 10], 0.5) + &page(1, [0, 0, 0], 0.0)));
        let after = of(&(page(0, [15, 30, 30], 3.5) + &page(1, [0, 10, 10], 1.5)));
        let found = after.since(&before).told();
        let [ttft] = &found[..] else { unreachable!("{found:?}") };
        assert_eq!((ttft.of, ttft.count), (ServerClock::Ttft, 30));
        assert!((ttft.mean_ms - 150.0).abs() < 1e-9, "{ttft:?}");
        assert_eq!(ttft.p95_within_ms, Some((100.0, 250.0)));
    }

    #[test]
    fn what_went_back_or_was_not_there_before_is_left_out_and_nothing_counted_has_no_mean() {
        let page = of(&page(0, [10, 10, 10], 0.5));
        assert_eq!(page.since(&Latencies::default()).told(), []);
        assert_eq!(page.since(&page).told(), []);
        let later = of(&super::tests::page(0, [4, 4, 4], 0.1));
        assert_eq!(later.since(&page).told(), []);
    }

    #[test]
    fn labels_that_went_away_came_full_or_are_no_number_have_no_growth() {
        let before = of(&(page(0, [10, 10, 10], 0.5) + &page(1, [9, 9, 9], 0.5)));
        let count = |text: &str| of(text).since(&before).told().first().map(|told| told.count);
        let one = page(0, [40, 40, 40], 2.0);
        assert_eq!(count(&(one.clone() + &page(1, [9, 9, 9], 0.5))), Some(30));
        assert_eq!(count(&one), None, "one engine is gone");
        let two = one + &page(1, [9, 9, 9], 0.5);
        assert_eq!(
            count(&(two.clone() + &page(2, [30, 30, 30], 1.0))),
            Some(60),
            "a new one"
        );
        assert_eq!(count(&(two.clone() + &page(2, [31, 31, 31], 1.0))), None, "an old one");
        assert_eq!(
            count(&(two + "vllm:time_to_first_token_seconds_sum{engine=\"0\"} NaN\n")),
            None
        );
    }

    #[test]
    fn a_p95_above_all_bounds_has_none_and_one_in_the_first_bucket_begins_at_zero() {
        let zero = of(&page(0, [0, 0, 0], 0.0));
        let within = |counts| of(&page(0, counts, 1.0)).since(&zero).told()[0].p95_within_ms;
        assert_eq!(within([20, 20, 20]), Some((0.0, 100.0)));
        assert_eq!(within([19, 19, 20]), Some((0.0, 100.0)));
        assert_eq!(within([18, 18, 20]), None);
    }

    #[test]
    fn stretches_add_up() {
        let zero = of(&page(0, [0, 0, 0], 0.0));
        let mut all = of(&page(0, [20, 20, 20], 1.0)).since(&zero);
        all.follow_with(of(&page(0, [0, 20, 20], 3.0)).since(&zero));
        let [ttft] = all.told()[..] else {
            unreachable!("{all:?}")
        };
        assert_eq!((ttft.count, ttft.p95_within_ms), (40, Some((100.0, 250.0))));
        all.follow_with(Grown::default());
        assert_eq!(all.told(), []);
    }
}

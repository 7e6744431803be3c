//! Metrics that a configuration asks for by name: a series of the server's page of metrics, and how its samples over a run
//! become one number.
//!
//! The key says all of it (`prometheus.max.lower.vllm:num_requests_waiting`), so that a file in which it stands needs nothing
//! beside it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Better, facts::Facts};

/// How the samples of a run become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    /// The largest sample of a gauge.
    Max,
    /// The mean of a gauge's samples.
    Mean,
    /// Growth of a counter per second of the run.
    Rate,
    /// Growth of a counter over the run.
    Delta,
}

impl Aggregate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Max, Self::Mean, Self::Rate, Self::Delta];

    /// As written in configuration and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Rate => "rate",
            Self::Delta => "delta",
        }
    }

    /// Whether it is of a counter, which only its growth tells anything of.
    pub const fn is_of_counter(self) -> bool {
        matches!(self, Self::Rate | Self::Delta)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Max => "largest sample",
            Self::Mean => "mean over samples",
            Self::Rate => "growth per second",
            Self::Delta => "growth over the run",
        }
    }
}

/// A series that a configuration asks for; two with one key are the same.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    key: String,
    /// As the page has it (`vllm:num_requests_waiting`).
    pub series: String,
    /// How its samples become one number.
    pub aggregate: Aggregate,
    /// Which way is better.
    pub better: Better,
    label: String,
    unit: String,
    definition: String,
}

/// Where all keys begin.
const FROM: &str = "prometheus";
/// Longest name and unit, and most keys of one process: a file that names more is none of ours.
const LONGEST_NAME: usize = 128;
const LONGEST_UNIT: usize = 16;
const MOST: usize = 1000;

impl Told {
    /// The one of these facts; `None` where the name or the unit is none.
    pub fn of(series: &str, aggregate: Aggregate, better: Better, unit: Option<&str>) -> Option<&'static Self> {
        let better = match better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        let unit = unit.map_or_else(String::new, |unit| format!(".{unit}"));
        Self::from_key(&format!("{FROM}.{}.{better}.{series}{unit}", aggregate.name()))
    }

    /// The one of a key; `None` where it is none.
    pub fn from_key(key: &str) -> Option<&'static Self> {
        static KNOWN: Mutex<BTreeMap<String, &'static Told>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = known.get(key) {
            return Some(told);
        }
        let told = Self::read(key).filter(|_| known.len() < MOST)?;
        // Metrics are copied everywhere; a process asks for a few of these.
        let told: &'static Self = Box::leak(Box::new(told));
        known.insert(key.to_owned(), told);
        Some(told)
    }

    fn read(key: &str) -> Option<Self> {
        let mut parts = key.splitn(5, '.');
        let (from, aggregate, better) = (parts.next()?, parts.next()?, parts.next()?);
        let (series, unit) = (parts.next()?, parts.next());
        let aggregate = Aggregate::ALL.into_iter().find(|own| own.name() == aggregate)?;
        let better = match better {
            "lower" => Better::Lower,
            "higher" => Better::Higher,
            _ => return None,
        };
        let is_right = from == FROM && is_name(series) && unit.is_none_or(is_unit);
        is_right.then(|| Self {
            key: key.to_owned(),
            series: series.to_owned(),
            aggregate,
            better,
            label: format!("{series} ({})", aggregate.name()),
            unit: unit.unwrap_or_default().to_owned(),
            definition: format!(
                "{} of `{series}`, as the server's page of metrics tells it, summed over its series and all replicas",
                aggregate.words()
            ),
        })
    }

    pub(super) fn facts(&'static self) -> Facts {
        Facts {
            key: &self.key,
            label: &self.label,
            unit: &self.unit,
            better: self.better,
            definition: &self.definition,
        }
    }
}

/// Whether a text is a name of the Prometheus text format.
fn is_name(text: &str) -> bool {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | ':');
    let starts_well = text.starts_with(|sign: char| is_part(sign) && !sign.is_ascii_digit());
    starts_well && text.len() <= LONGEST_NAME && text.chars().all(is_part)
}

fn is_unit(text: &str) -> bool {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '/' | '%' | '_' | '-');
    !text.is_empty() && text.len() <= LONGEST_UNIT && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    #[test]
    fn a_key_says_all_of_a_series_and_finds_it_again() {
        let told = Told::of("vllm:num_requests_waiting", Aggregate::Max, Better::Lower, None).unwrap();
        let metric = Metric::Told(told);
        assert_eq!(metric.key(), "prometheus.max.lower.vllm:num_requests_waiting");
        assert_eq!(Metric::from_key(metric.key()), Some(metric));
        assert_eq!((metric.label(), metric.unit()), ("vllm:num_requests_waiting (max)", ""));
        let with_unit = Told::of("x_total", Aggregate::Rate, Better::Higher, Some("tokens/s")).unwrap();
        let metric = Metric::Told(with_unit);
        assert_eq!(
            (metric.key(), metric.unit()),
            ("prometheus.rate.higher.x_total.tokens/s", "tokens/s")
        );
        assert_eq!((metric.better(), metric.is_special()), (Better::Higher, true));
    }

    #[test]
    fn what_is_no_key_is_no_metric() {
        for key in [
            "",
            "prometheus",
            "prometheus.max.lower",
            "prometheus.max.lower.",
            "prometheus.max.lower.9x",
            "prometheus.max.lower.a b",
            "prometheus.max.lower.a|b",
            "prometheus.max.lower.x.<b>",
            "prometheus.max.lower.x.",
            "prometheus.p95.lower.x",
            "prometheus.max.better.x",
            "dcgm.max.lower.x",
        ] {
            assert_eq!(Metric::from_key(key), None, "{key}");
        }
        assert_eq!(Told::of(&"x".repeat(129), Aggregate::Max, Better::Lower, None), None);
    }
}

//! The series that a configuration asks for by name, over a run.

use std::collections::BTreeMap;

use super::counter::Counter;
use crate::{
    metric::{Aggregate, Metric, Told},
    session::ToldValue,
    telemetry::thin::mean_of,
};

/// One of them so far.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    told: &'static Told,
    counter: Counter,
    most: Option<f64>,
    mean: f64,
    samples: u32,
}

impl Asked {
    pub(super) fn of(told: &'static Told) -> Self {
        Self {
            told,
            counter: Counter::default(),
            most: None,
            mean: 0.0,
            samples: 0,
        }
    }

    fn value(&self, all: &BTreeMap<&'static str, f64>) -> Option<f64> {
        all.get(self.told.series.as_str()).copied()
    }

    pub(super) fn stands_at(&mut self, all: Option<&BTreeMap<&'static str, f64>>) {
        let value = all.and_then(|all| self.value(all));
        self.counter.stands_at(value);
    }

    /// What a look says; `false` where a counter stands at less than before.
    pub(super) fn goes_to(&mut self, all: &BTreeMap<&'static str, f64>) -> bool {
        self.counter.goes_to(self.value(all)) || !self.told.aggregate.is_of_counter()
    }

    /// What a sample of the run says.
    pub(super) fn take(&mut self, all: &BTreeMap<&'static str, f64>) {
        let Some(value) = self.value(all) else { return };
        self.most = Some(self.most.map_or(value, |most| most.max(value)));
        self.mean = mean_of((self.mean, self.samples), (value, 1));
        self.samples += 1;
    }

    pub(super) fn lose(&mut self) {
        self.counter.lose();
    }

    /// Over a run that took so long.
    pub(super) fn finish(&self, seconds: f64) -> ToldValue {
        let value = match self.told.aggregate {
            Aggregate::Max => self.most,
            Aggregate::Mean => (self.samples > 0).then_some(self.mean),
            Aggregate::Delta => self.counter.grown(),
            Aggregate::Rate => self.counter.grown().map(|grown| grown / seconds),
        };
        ToldValue {
            metric: Metric::Told(self.told),
            value: value.filter(|value| value.is_finite()),
            samples: self.samples,
        }
    }
}

//! The series that a configuration asks for by name, over a run.

use std::collections::BTreeMap;

use super::counter::Counter;
use crate::{
    metric::{Aggregate, Metric, Told},
    session::ToldValue,
    telemetry::{engine::Count, thin::mean_of},
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

    fn count<'a>(&self, all: &'a BTreeMap<&'static str, Count>) -> Option<&'a Count> {
        all.get(self.told.series.as_str())
    }

    pub(super) fn stands_at(&mut self, all: Option<&BTreeMap<&'static str, Count>>) {
        let count = all.and_then(|all| self.count(all));
        self.counter.stands_at(count);
    }

    /// What a look says; why nobody knows by how much a counter grew.
    pub(super) fn goes_to(&mut self, all: &BTreeMap<&'static str, Count>) -> Option<&'static str> {
        let lost = self.counter.goes_to(self.count(all));
        lost.filter(|_| self.told.aggregate.is_of_counter())
    }

    /// What a sample of the run says.
    pub(super) fn take(&mut self, all: &BTreeMap<&'static str, Count>) {
        let Some(value) = self.count(all).map(Count::sum) else {
            return;
        };
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

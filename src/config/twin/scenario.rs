//! What may stand under the keys of an `MLPerf` scenario.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::{
    config::{
        nearest::nearest,
        node::ticked,
        spans::Span,
        values::{Count, Scalar, ScalarVisitor, scalar},
    },
    plan::{BENCHMARKS, Benchmark, ScenarioKind},
};

/// The name of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct ScenarioTwin(pub(in crate::config) ScenarioKind);

impl Scalar for ScenarioTwin {
    const EXPECTS: &'static str = "the name of a scenario";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let found = ScenarioKind::ALL.into_iter().find(|kind| kind.name() == text);
        let names = ScenarioKind::ALL.map(ScenarioKind::name);
        found.map(Self).ok_or_else(|| unknown("scenario", text, &names))
    }
}

scalar!([] ScenarioTwin, json_schema!({"enum": ScenarioKind::ALL.map(ScenarioKind::name)}));

/// The name of a benchmark, as submissions write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) struct BenchmarkTwin(pub(in crate::config) &'static Benchmark);

impl Scalar for BenchmarkTwin {
    const EXPECTS: &'static str = "the name of a benchmark";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let names = BENCHMARKS.map(|benchmark| benchmark.name);
        let found = Benchmark::find(text).map(Self);
        found.ok_or_else(|| unknown("benchmark", text, &names))
    }
}

scalar!([] BenchmarkTwin, json_schema!({"type": "string", "examples": BENCHMARKS.map(|benchmark| benchmark.name)}));

fn unknown(what: &str, text: &str, names: &[&str]) -> String {
    match nearest(text, names) {
        Some(near) => format!("there is no {what} `{text}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{text}`; they are {}", ticked(names)),
    }
}

/// Smaller minima than the rules have, to try things out: no run is valid.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct TestMinimumTwin {
    /// Requests of a run at least.
    pub(in crate::config) requests: Count,
    /// How long a run lasts at least; 1 ms where absent.
    pub(in crate::config) duration: Option<Span>,
}

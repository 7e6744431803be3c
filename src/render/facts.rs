//! What an arm was measured with and where it comes from, side by side.

use serde::Serialize;

use super::{figures::NamedArm, format};
use crate::report::Arm;

/// A fact of plan or environment, one value for each arm.
#[derive(Debug, Serialize)]
pub(super) struct FactView {
    pub(super) what: String,
    pub(super) values: Vec<String>,
    pub(super) differs: bool,
}

/// Facts of all arms in the candidate's order, those that only the baseline has after them.
pub(super) fn facts(arms: &[NamedArm<'_>]) -> Vec<FactView> {
    let mut order: Vec<&str> = Vec::new();
    for (what, _) in arms.iter().rev().flat_map(|(_, arm)| &arm.facts) {
        if !order.contains(&what.as_str()) {
            order.push(what);
        }
    }
    let rows = order.into_iter().map(|what| {
        let values: Vec<String> = arms.iter().map(|(_, arm)| fact(arm, what)).collect();
        let mut others = values.iter().skip(1);
        FactView {
            what: what.to_owned(),
            differs: others.any(|value| Some(value) != values.first()),
            values,
        }
    });
    rows.collect()
}

/// Which session each arm is, of which commit and when, and the hash of what must be equal.
pub(super) fn origins(arms: &[NamedArm<'_>]) -> Vec<FactView> {
    let row = |what: &str, of: fn(&Arm) -> String, may_differ: bool| {
        let values: Vec<String> = arms.iter().map(|(_, arm)| of(arm)).collect();
        FactView {
            what: what.to_owned(),
            differs: !may_differ && values.windows(2).any(|two| two.first() != two.last()),
            values,
        }
    };
    let commit = |arm: &Arm| arm.commit.clone().unwrap_or_else(|| "not known".into());
    vec![
        row("Session", |arm| arm.name.clone(), true),
        row("Measured", |arm| format::utc_time(arm.started_unix_s), true),
        row("Commit", commit, true),
        row("Fingerprint", |arm| arm.fingerprint.clone(), false),
    ]
}

fn fact(arm: &Arm, what: &str) -> String {
    let found = arm.facts.iter().find(|(name, _)| name == what);
    found.map_or_else(|| "not known".into(), |(_, value)| value.clone())
}

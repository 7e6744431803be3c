//! All that moves the numbers and must be equal on both sides: the plan, the engine, the machine.
//!
//! The address of the server, repeats, timeouts, header names and the error limit are not part of it.

mod plan;

use std::{collections::BTreeMap, fmt::Write as _};

use sha2::{Digest, Sha256};

use crate::{
    plan::Plan,
    session::{Environment, Session},
};

/// What stands for a value that nobody gave.
pub const NOT_STATED: &str = "not stated";

/// The field that says by which definitions the figures were made.
pub const DEFINITIONS: &str = "definitions";

/// Fields that a fingerprint can have beside those in [`OPEN_FIELDS`].
pub const FIELDS: [&str; 36] = [
    DEFINITIONS,
    "plan.model",
    "plan.models",
    "plan.api",
    "plan.streaming",
    "plan.urls",
    "plan.spread",
    "plan.http",
    "plan.reuse_connections",
    "plan.retries",
    "plan.cache_reset",
    "plan.prompts",
    "plan.prefixes",
    "plan.dataset_sha256",
    "plan.dataset_format",
    "plan.dataset_columns",
    "plan.trace_sha256",
    "plan.trace_format",
    "plan.output_tokens",
    "plan.tokenizer",
    "plan.conversation",
    "plan.images",
    "plan.batch",
    "plan.reuse_prompts",
    "plan.cells",
    "plan.capacity",
    "plan.schedule",
    "plan.blocks",
    "plan.requests",
    "plan.warmup_requests",
    "plan.warmup_limit",
    "plan.seed",
    "plan.slo",
    "plan.scenario",
    "engine.name",
    "engine.version",
];

/// Beginnings of fields that the owner names (`hardware.rack`, `framework.config.tensor_parallel_size`).
pub const OPEN_FIELDS: [&str; 4] = ["plan.extra_body.", "plan.asked.", "hardware.", "framework."];

/// Fields of these that perfgate fills in by itself.
pub const SEEN_FIELDS: [&str; 6] = [
    "hardware.gpus",
    "hardware.gpu_driver",
    CUDA,
    "hardware.cpu",
    "hardware.cpu_cores",
    "hardware.os",
];

/// What follows the name of a field that its owner declares and perfgate sees by itself as well.
pub const DECLARED: &str = " (declared)";

/// It came later than the others: sessions that were stored before do not state it and stay comparable, so that it is in no hash
/// and differs only where both sides state it.
const CUDA: &str = "hardware.gpu_cuda";

/// Whether a fingerprint can have this field.
pub fn is_field(name: &str) -> bool {
    is_open(name) || FIELDS.contains(&name)
}

/// Whether a field is named by its owner, or could be.
pub fn is_open(name: &str) -> bool {
    OPEN_FIELDS
        .iter()
        .any(|start| name.len() > start.len() && name.starts_with(start))
}

/// The fields in which two comparable sessions agree, named as `--allow` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// What was asked: `(field, value)`, in reading order.
    pub plan: Vec<(String, String)>,
    /// What it ran on: `(field, value)`, in reading order.
    pub environment: Vec<(String, String)>,
}

impl Fingerprint {
    /// Of a session. A field without a value is left out.
    pub fn of(session: &Session) -> Self {
        Self {
            plan: plan::fields(session),
            environment: environment_fields(&session.environment, &session.plan),
        }
    }

    /// First 12 hex digits of the SHA-256 of the plan's fields.
    pub fn plan_hash(&self) -> String {
        hash([&self.plan], 12)
    }

    /// First 12 hex digits of the SHA-256 of the environment's fields.
    pub fn environment_hash(&self) -> String {
        hash([&self.environment], 12)
    }

    /// First 12 hex digits of the SHA-256 of the environment without the server's own fields: the noise of pairs is the
    /// machine's and the plan's, and stays known when the engine gets a new version.
    pub fn machine_hash(&self) -> String {
        let fields = self.environment.iter().filter(|(field, _)| !is_of_the_arm(field));
        hash([&fields.cloned().collect()], 12)
    }

    /// First 16 hex digits of the SHA-256 of both.
    pub fn hash(&self) -> String {
        hash([&self.plan, &self.environment], 16)
    }

    fn fields(&self) -> impl Iterator<Item = &(String, String)> {
        self.plan.iter().chain(&self.environment)
    }

    /// The fields that its owner named.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        let names = self.fields().map(|(field, _)| field.as_str());
        names.filter(|field| is_open(field) && !SEEN_FIELDS.contains(field))
    }

    /// The names of the fields that differ, or that only one of both has.
    pub fn unlike(&self, other: &Self) -> Vec<String> {
        let only_other = other.fields().filter(|(field, _)| self.value(field).is_none());
        let names = self.fields().chain(only_other).map(|(field, _)| field);
        names
            .filter(|field| self.value(field) != other.value(field))
            .cloned()
            .collect()
    }

    fn value(&self, field: &str) -> Option<&str> {
        let found = self.fields().find(|(name, _)| name == field);
        found.map(|(_, value)| value.as_str())
    }
}

/// Whether a field says which server it is: in an A/B measurement the arms differ in it on purpose.
///
/// The engine as it reports itself, and the framework as its owner describes it. What was asked (`plan.*`) and the
/// machine (`hardware.*`) are one measurement's and the same for both arms.
pub fn is_of_the_arm(field: &str) -> bool {
    ["engine.", "framework."].iter().any(|start| field.starts_with(start))
}

/// The fields that differ, as `(field, baseline's value, candidate's value)`; an absent one reads `not stated`.
pub fn differences(baseline: &Session, candidate: &Session) -> Vec<(String, String, String)> {
    let (old, new) = (Fingerprint::of(baseline), Fingerprint::of(candidate));
    let stated = |side: &Fingerprint, field: &str| side.value(field).unwrap_or(NOT_STATED).to_owned();
    let unlike = old.unlike(&new).into_iter();
    unlike
        .filter(|field| *field != plan::SCHEDULE || schedules_differ(baseline, candidate))
        .map(|field| (field.clone(), stated(&old, &field), stated(&new, &field)))
        .chain(cuda(&baseline.environment, &candidate.environment))
        .collect()
}

fn cuda(old: &Environment, new: &Environment) -> Option<(String, String, String)> {
    let (old, new) = (old.gpu_cuda.clone()?, new.gpu_cuda.clone()?);
    (old != new).then(|| (CUDA.to_owned(), old, new))
}

/// Whether a cell that both have follows other times; a cell of one side alone is no other schedule.
fn schedules_differ(baseline: &Session, candidate: &Session) -> bool {
    let mut both = candidate.cells.iter().filter_map(|new| {
        let old = baseline.cells.iter().find(|old| old.load == new.load)?;
        Some((&old.schedule_sha256, &new.schedule_sha256))
    });
    both.any(|(old, new)| old != new)
}

fn environment_fields(environment: &Environment, plan: &Plan) -> Vec<(String, String)> {
    let mut fields = Fields::default();
    fields.maybe("engine.name", environment.engine_name.as_ref());
    fields.maybe("engine.version", environment.engine_version.as_ref());
    if !environment.gpus.is_empty() {
        fields.put("hardware.gpus", environment.gpus.join(", "));
    }
    fields.maybe("hardware.gpu_driver", environment.gpu_driver.as_ref());
    fields.maybe("hardware.cpu", environment.cpu.as_ref());
    fields.maybe("hardware.cpu_cores", environment.cpu_cores.as_ref());
    fields.maybe("hardware.os", environment.os.as_ref());
    fields.all("hardware.", &plan.hardware);
    fields.all("framework.", &plan.framework);
    fields.0
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn put(&mut self, field: &str, value: impl Into<String>) {
        self.0.push((field.to_owned(), value.into()));
    }

    fn maybe(&mut self, field: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.put(field, value.to_string());
        }
    }

    /// A value that is worth a field only where it is not the usual one.
    fn unless(&mut self, is_usual: bool, field: &str, value: impl FnOnce() -> String) {
        if !is_usual {
            self.put(field, value());
        }
    }

    /// A file by its content, or by its path before it was read.
    fn file(&mut self, kind: &str, path: &str, sha256: Option<&String>) {
        match sha256 {
            Some(sha256) => {
                self.put("plan.prompts", kind);
                self.put(&format!("plan.{kind}_sha256"), sha256);
            }
            None => self.put("plan.prompts", format!("{kind} {path}")),
        }
    }

    /// What the owner declares; where a seen field has the same name, the declared one steps aside.
    fn all(&mut self, prefix: &str, declared: &BTreeMap<String, String>) {
        for (key, value) in declared {
            let field = format!("{prefix}{key}");
            let taken = self.0.iter().any(|(name, _)| *name == field);
            self.put(&if taken { format!("{field}{DECLARED}") } else { field }, value);
        }
    }
}

fn hash<const N: usize>(parts: [&Vec<(String, String)>; N], digits: usize) -> String {
    let mut hasher = Sha256::new();
    for (field, value) in parts.into_iter().flatten() {
        // Lengths make the text unambiguous, whatever signs a value holds.
        hasher.update(format!("{}:{field}={}:{value}\n", field.len(), value.len()));
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests;

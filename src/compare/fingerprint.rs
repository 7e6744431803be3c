//! All that moves the numbers and must be equal on both sides: the plan, the engine, the machine.
//!
//! The address of the server, repeats, timeouts, header names and the error limit are not part of it.

use std::{collections::BTreeMap, fmt::Write as _};

use sha2::{Digest, Sha256};

use crate::{
    plan::{Load, Plan, Prompts},
    session::{Environment, Session},
};

/// What stands for a value that nobody gave.
pub const NOT_STATED: &str = "not stated";

/// Fields that a fingerprint can have beside those in [`OPEN_FIELDS`].
pub const FIELDS: [&str; 12] = [
    "definitions",
    "plan.model",
    "plan.api",
    "plan.prompts",
    "plan.dataset_sha256",
    "plan.output_tokens",
    "plan.cells",
    "plan.requests",
    "plan.warmup_requests",
    "plan.seed",
    "engine.name",
    "engine.version",
];

/// Beginnings of fields that the owner names (`hardware.rack`, `framework.config.tensor_parallel_size`).
pub const OPEN_FIELDS: [&str; 3] = ["plan.extra_body.", "hardware.", "framework."];

/// Whether a fingerprint can have this field.
pub fn is_field(name: &str) -> bool {
    let own = OPEN_FIELDS
        .iter()
        .any(|start| name.len() > start.len() && name.starts_with(start));
    own || FIELDS.contains(&name)
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
            plan: plan_fields(session),
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

    /// First 16 hex digits of the SHA-256 of both.
    pub fn hash(&self) -> String {
        hash([&self.plan, &self.environment], 16)
    }

    fn fields(&self) -> impl Iterator<Item = &(String, String)> {
        self.plan.iter().chain(&self.environment)
    }

    fn value(&self, field: &str) -> Option<&str> {
        let found = self.fields().find(|(name, _)| name == field);
        found.map(|(_, value)| value.as_str())
    }
}

/// The fields that differ, as `(field, baseline's value, candidate's value)`; an absent one reads `not stated`.
pub fn differences(baseline: &Session, candidate: &Session) -> Vec<(String, String, String)> {
    let (old, new) = (Fingerprint::of(baseline), Fingerprint::of(candidate));
    let only_new = new.fields().filter(|(field, _)| old.value(field).is_none());
    let names = old.fields().chain(only_new).map(|(field, _)| field);
    let stated = |side: &Fingerprint, field: &str| side.value(field).unwrap_or(NOT_STATED).to_owned();
    names
        .filter(|field| old.value(field) != new.value(field))
        .map(|field| (field.clone(), stated(&old, field), stated(&new, field)))
        .collect()
}

fn plan_fields(session: &Session) -> Vec<(String, String)> {
    let plan = &session.plan;
    let mut fields = Fields::default();
    fields.put("definitions", &session.definitions);
    // The resolved name first: asking for the server's only model by name or without one is the same request.
    fields.maybe(
        "plan.model",
        session.environment.model.as_ref().or(plan.target.model.as_ref()),
    );
    fields.put("plan.api", plan.target.api.name());
    match &plan.workload.prompts {
        Prompts::SharedPrefix { .. } | Prompts::Trace { .. } => fields.put("plan.prompts", plan.workload.name()),
        Prompts::Synthetic { input_tokens } => fields.put("plan.prompts", format!("synthetic {input_tokens}")),
        Prompts::Dataset {
            sha256: Some(sha256), ..
        } => {
            fields.put("plan.prompts", "dataset");
            fields.put("plan.dataset_sha256", sha256);
        }
        Prompts::Dataset { path, sha256: None, .. } => fields.put("plan.prompts", format!("dataset {path}")),
    }
    fields.put("plan.output_tokens", plan.workload.output_tokens.to_string());
    let cells: Vec<String> = plan.loads.iter().map(Load::to_string).collect();
    fields.put("plan.cells", cells.join(", "));
    fields.put("plan.requests", plan.requests_per_run.to_string());
    fields.put("plan.warmup_requests", plan.warmup_requests.to_string());
    fields.put("plan.seed", plan.seed.to_string());
    fields.all("plan.extra_body.", &plan.target.extra_body);
    fields.0
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

    /// What the owner declares; where a seen field has the same name, the declared one steps aside.
    fn all(&mut self, prefix: &str, declared: &BTreeMap<String, String>) {
        for (key, value) in declared {
            let field = format!("{prefix}{key}");
            let taken = self.0.iter().any(|(name, _)| *name == field);
            self.put(&if taken { format!("{field} (declared)") } else { field }, value);
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
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    fn plain() -> Session {
        session(&[1, 4], &[Figures::default(); 2])
    }

    #[test]
    fn the_hash_of_known_text_is_known() {
        let fields = vec![("a".to_owned(), "b".to_owned())];
        // printf '1:a=1:b\n' | sha256sum
        assert_eq!(hash([&fields], 12), "8a347c459804");
    }

    #[test]
    fn each_field_is_named_where_it_differs() {
        type Edit = fn(&mut Session);
        let edits: [(&str, Edit); 14] = [
            ("definitions", |s| s.definitions = "perfgate/0".into()),
            ("plan.model", |s| s.environment.model = Some("mistral".into())),
            ("plan.api", |s| s.plan.target.api = crate::plan::Api::Completions),
            ("plan.output_tokens", |s| {
                s.plan.workload.output_tokens = crate::plan::Lengths::Fixed(8);
            }),
            ("plan.cells", |s| s.plan.loads.push(Load::Concurrency(64))),
            ("plan.requests", |s| s.plan.requests_per_run = 7),
            ("plan.warmup_requests", |s| s.plan.warmup_requests = 7),
            ("plan.seed", |s| s.plan.seed = 7),
            ("plan.extra_body.ignore_eos", |s| s.plan.target.extra_body.clear()),
            ("engine.version", |s| s.environment.engine_version = None),
            ("hardware.gpus", |s| s.environment.gpus.clear()),
            ("hardware.gpu", |s| s.plan.hardware.clear()),
            ("hardware.cpu_cores", |s| s.environment.cpu_cores = Some(1)),
            ("framework.config.tp", |s| {
                s.plan.framework.insert("config.tp".into(), "8".into());
            }),
        ];
        for (field, edit) in edits {
            let mut other = plain();
            edit(&mut other);
            let found: Vec<String> = differences(&plain(), &other).into_iter().map(|d| d.0).collect();
            assert_eq!(found, [field]);
            assert_ne!(
                Fingerprint::of(&plain()).hash(),
                Fingerprint::of(&other).hash(),
                "{field}"
            );
        }
    }

    #[test]
    fn what_nobody_stated_reads_so() {
        let mut other = plain();
        other.environment.engine_version = None;
        let expected = ("engine.version".to_owned(), "0.6.4".to_owned(), NOT_STATED.to_owned());
        assert_eq!(differences(&plain(), &other), [expected]);
    }

    #[test]
    fn the_address_repeats_and_limits_are_not_part_of_it() {
        let mut other = plain();
        other.plan.target.url = "http://elsewhere".into();
        other.plan.target.header_names = vec!["x-team".into()];
        other.plan.repeats = 9;
        other.plan.max_error_rate = 0.5;
        other.plan.target.model = None;
        other.commit = None;
        assert!(differences(&plain(), &other).is_empty());
        let print = Fingerprint::of(&other);
        assert_eq!(print.hash(), Fingerprint::of(&plain()).hash());
        assert_eq!(
            (
                print.plan_hash().len(),
                print.environment_hash().len(),
                print.hash().len()
            ),
            (12, 12, 16)
        );
        assert_ne!(print.plan_hash(), print.environment_hash());
    }
}

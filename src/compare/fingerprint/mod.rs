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

/// Fields that a fingerprint can have beside those in [`OPEN_FIELDS`].
pub const FIELDS: [&str; 34] = [
    "definitions",
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
    "plan.requests",
    "plan.warmup_requests",
    "plan.warmup_limit",
    "plan.seed",
    "plan.slo",
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
    use crate::{
        measure::synthetic::{Figures, session},
        plan::{CacheReset, DatasetFormat, Load, ModelShare, Prompts, ThinkTime, Tokenizer, TraceFormat},
    };

    fn plain() -> Session {
        session(&[1, 4], &[Figures::default(); 2])
    }

    #[test]
    fn the_hash_of_known_text_is_known() {
        let fields = vec![("a".to_owned(), "b".to_owned())];
        // printf '1:a=1:b\n' | sha256sum
        assert_eq!(hash([&fields], 12), "8a347c459804");
    }

    type Edit = fn(&mut Session);

    fn assert_named(edits: &[(&str, Edit)]) {
        for (field, edit) in edits {
            let mut other = plain();
            edit(&mut other);
            let found: Vec<String> = differences(&plain(), &other).into_iter().map(|d| d.0).collect();
            assert_eq!(found, [*field]);
            assert_ne!(
                Fingerprint::of(&plain()).hash(),
                Fingerprint::of(&other).hash(),
                "{field}"
            );
        }
    }

    #[test]
    fn each_field_is_named_where_it_differs() {
        assert_named(&[
            ("definitions", |s| s.definitions = "perfgate/0".into()),
            ("plan.model", |s| s.environment.model = Some("mistral".into())),
            ("plan.api", |s| s.plan.target.api = crate::plan::Api::Completions),
            ("plan.output_tokens", |s| {
                s.plan.workload.output_tokens = crate::plan::Lengths::Fixed(8);
            }),
            ("plan.cells", |s| s.plan.loads.push(Load::Concurrency(64))),
            ("plan.cells", |s| {
                s.plan.loads.push(Load::Trace { speed_ratio: 2.0 });
            }),
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
        ]);
    }

    #[test]
    fn how_the_server_is_spoken_to_is_named_where_it_differs() {
        assert_named(&[
            ("plan.streaming", |s| s.plan.target.streaming = false),
            ("plan.http", |s| s.plan.target.http = crate::plan::Http::Two),
            ("plan.reuse_connections", |s| s.plan.target.reuse_connections = false),
            ("plan.retries", |s| s.plan.target.retries = 1),
            ("plan.cache_reset", |s| s.plan.target.cache_reset = CacheReset::Off),
            ("plan.tokenizer", |s| s.plan.workload.tokenizer = Tokenizer::Words),
            ("plan.conversation", |s| {
                s.plan.workload.conversation = Some(crate::plan::Conversation {
                    turns: crate::plan::Lengths::Fixed(2),
                    think_time: ThinkTime::Fixed(std::time::Duration::ZERO),
                });
            }),
            ("plan.images", |s| {
                s.plan.workload.images = Some(crate::plan::Images {
                    width_px: 1,
                    height_px: 1,
                    per_request: 1,
                });
            }),
        ]);
    }

    #[test]
    fn what_is_sent_is_named_where_it_differs() {
        assert_named(&[
            ("plan.models", |s| {
                s.plan.workload.models.push(ModelShare {
                    name: "a".into(),
                    weight: 1.0,
                });
            }),
            ("plan.batch", |s| s.plan.workload.batch = 2),
            ("plan.reuse_prompts", |s| s.plan.workload.reuse_prompts = true),
            ("plan.schedule", |s| {
                for cell in &mut s.cells {
                    cell.schedule_sha256 = Some("00ff".into());
                }
            }),
            ("plan.warmup_limit", |s| s.plan.warmup_limit = Some(9)),
            ("plan.slo", |s| s.plan.slo.ttft_ms = Some(5.0)),
            ("plan.prompts", |s| {
                s.plan.workload.prompts = Prompts::dataset("a.jsonl");
            }),
            ("plan.prompts", |s| {
                s.plan.workload.prompts = Prompts::Trace {
                    path: "a.jsonl".into(),
                    format: TraceFormat::Auto,
                    sha256: None,
                };
            }),
            ("plan.prefixes", |s| {
                let Prompts::Synthetic { input_tokens } = s.plan.workload.prompts else {
                    return;
                };
                s.plan.workload.prompts = Prompts::SharedPrefix {
                    groups: 2,
                    prefix_tokens: input_tokens,
                    input_tokens,
                    prompts_per_group: None,
                };
            }),
        ]);
    }

    #[test]
    fn replicas_are_counted_and_files_are_known_by_their_bytes() {
        let mut other = plain();
        other.plan.target.more_urls = vec!["http://b".into()];
        let found: Vec<String> = differences(&plain(), &other).into_iter().map(|d| d.0).collect();
        assert_eq!(found, ["plan.urls", "plan.spread"]);
        let dataset = |path: &str, prompt_column: Option<&str>| {
            let mut session = plain();
            session.plan.workload.prompts = Prompts::Dataset {
                path: path.into(),
                format: DatasetFormat::Csv,
                prompt_column: prompt_column.map(str::to_owned),
                output_column: None,
                sha256: Some("00ff".into()),
            };
            session
        };
        assert!(differences(&dataset("a.csv", None), &dataset("b/c.csv", None)).is_empty());
        let found = differences(&dataset("a.csv", None), &dataset("a.csv", Some("text")));
        let expected = (
            "plan.dataset_columns".to_owned(),
            NOT_STATED.to_owned(),
            "text, -".to_owned(),
        );
        assert_eq!(found, [expected]);
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

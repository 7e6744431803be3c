//! Which fields are named where two sessions differ, and which never are.

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
fn model_revision_and_cuda_are_compared_where_they_are_declared() {
    assert_named(&[
        ("framework.model_revision", |s| {
            s.plan.framework.insert("model_revision".into(), "0f1e2d".into());
        }),
        ("hardware.cuda", |s| {
            s.plan.hardware.insert("cuda".into(), "13.0".into());
        }),
        ("hardware.gpus", |s| {
            s.environment.gpus.push("NVIDIA H100 80GB HBM3".into());
        }),
    ]);
}

#[test]
fn a_cell_more_is_no_other_schedule() {
    let with_schedules = |streams: &[u32], schedules: &[&str]| {
        let mut session = session(streams, &[Figures::default(); 2]);
        for (cell, hash) in session.cells.iter_mut().zip(schedules) {
            cell.schedule_sha256 = Some((*hash).to_owned());
        }
        session
    };
    let named = |other: &Session| -> Vec<String> {
        let found = differences(&with_schedules(&[1, 4], &["aa", "bb"]), other);
        found.into_iter().map(|(field, _, _)| field).collect()
    };
    assert_eq!(named(&with_schedules(&[4], &["bb"])), ["plan.cells"]);
    assert_eq!(named(&with_schedules(&[4], &["cc"])), ["plan.cells", "plan.schedule"]);
}

#[test]
fn only_what_says_which_server_it_is_belongs_to_an_arm() {
    let own: Vec<&str> = FIELDS.into_iter().filter(|field| is_of_the_arm(field)).collect();
    assert_eq!(own, ["engine.name", "engine.version"]);
    assert!(is_of_the_arm("framework.config.tp") && !is_of_the_arm("hardware.gpus"));
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

#[test]
fn cuda_differs_where_both_state_it_and_older_sessions_stay_comparable() {
    let with = |cuda: Option<&str>| {
        let mut session = crate::measure::synthetic::scaled(&[1.0], |_, _| {});
        session.environment.gpu_cuda = cuda.map(str::to_owned);
        session
    };
    let (old, new, newer) = (with(None), with(Some("12.4")), with(Some("12.8")));
    assert_eq!(Fingerprint::of(&old).hash(), Fingerprint::of(&new).hash());
    assert_eq!(differences(&old, &new), []);
    assert_eq!(differences(&new, &new), []);
    let [(field, was, is)] = &differences(&new, &newer)[..] else {
        unreachable!("one field")
    };
    assert_eq!(
        (field.as_str(), was.as_str(), is.as_str()),
        ("hardware.gpu_cuda", "12.4", "12.8")
    );
    assert!(is_field(field), "`--allow` takes it");
}

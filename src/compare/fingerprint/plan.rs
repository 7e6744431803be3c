//! The fields of a plan.

use super::Fields;
use crate::{
    plan::{
        CacheReset, DatasetFormat, Load, ModelShare, Prompts, Scenario, Slo, Target, ThinkTime, Tokenizer, TraceFormat,
        Workload,
    },
    session::Session,
};

/// The times at which requests were due, cell by cell.
pub(super) const SCHEDULE: &str = "plan.schedule";

/// Fields that are new since the first version stand only where they differ from what was then the only way: a session
/// of then keeps its fingerprint.
pub(super) fn fields(session: &Session) -> Vec<(String, String)> {
    let plan = &session.plan;
    let mut fields = Fields::default();
    fields.put("definitions", &session.definitions);
    // The resolved name first: asking for the server's only model by name or without one is the same request.
    fields.maybe(
        "plan.model",
        session.environment.model.as_ref().or(plan.target.model.as_ref()),
    );
    fields.put("plan.api", plan.target.api.name());
    target_fields(&mut fields, &plan.target);
    prompt_fields(&mut fields, &plan.workload.prompts);
    let is_foreign = plan.workload.prompts.is_foreign();
    if !is_foreign {
        fields.put("plan.output_tokens", plan.workload.output_tokens.to_string());
    }
    workload_fields(&mut fields, &plan.workload);
    load_fields(&mut fields, session);
    // Each block fills and drains its streams: figures in blocks are not those of whole runs.
    let blocks = session.pairing.as_ref().map_or(1, |pairing| pairing.blocks);
    fields.unless(blocks == 1, "plan.blocks", || blocks.to_string());
    if !is_foreign {
        fields.put("plan.requests", plan.requests_per_run.to_string());
        fields.put("plan.warmup_requests", plan.warmup_requests.to_string());
        fields.maybe("plan.warmup_limit", plan.warmup_limit.as_ref());
        fields.put("plan.seed", plan.seed.to_string());
    }
    fields.unless(plan.slo.is_empty(), "plan.slo", || slo(&plan.slo));
    fields.maybe("plan.shard", plan.shard.as_ref());
    fields.maybe("plan.scenario", plan.scenario.as_ref().map(scenario).as_ref());
    fields.all("plan.extra_body.", &plan.target.extra_body);
    fields.0
}

fn target_fields(fields: &mut Fields, target: &Target) {
    let usual = Target::at(&target.url);
    fields.unless(target.streaming, "plan.streaming", || "false".into());
    // The addresses differ from machine to machine; how many there are moves the numbers.
    let urls = target.more_urls.len() + 1;
    fields.unless(urls == 1, "plan.urls", || urls.to_string());
    fields.unless(urls == 1, "plan.spread", || target.spread.name().into());
    fields.unless(target.http == usual.http, "plan.http", || target.http.name().into());
    fields.unless(target.reuse_connections, "plan.reuse_connections", || "false".into());
    fields.unless(target.retries == 0, "plan.retries", || target.retries.to_string());
    fields.unless(
        target.cache_reset == usual.cache_reset,
        "plan.cache_reset",
        || match &target.cache_reset {
            CacheReset::Auto => "auto".into(),
            CacheReset::Off => "off".into(),
            CacheReset::Path(path) => path.clone(),
        },
    );
}

fn prompt_fields(fields: &mut Fields, prompts: &Prompts) {
    match prompts {
        Prompts::Synthetic { input_tokens } => fields.put("plan.prompts", format!("synthetic {input_tokens}")),
        Prompts::SharedPrefix {
            groups,
            prefix_tokens,
            input_tokens,
            prompts_per_group,
        } => {
            let run = prompts_per_group.map_or_else(|| "in any order".into(), |run| format!("{run} in a row"));
            fields.put("plan.prompts", format!("synthetic {input_tokens}"));
            fields.put("plan.prefixes", format!("{groups} of {prefix_tokens}, {run}"));
        }
        Prompts::Dataset {
            path,
            format,
            prompt_column,
            output_column,
            sha256,
        } => {
            fields.file("dataset", path, sha256.as_ref());
            fields.unless(*format == DatasetFormat::Auto, "plan.dataset_format", || {
                format!("{format:?}")
            });
            let columns = [prompt_column, output_column].map(|column| column.as_deref().unwrap_or("-"));
            fields.unless(columns == ["-", "-"], "plan.dataset_columns", || columns.join(", "));
        }
        Prompts::Foreign { name, asked } => {
            fields.put("plan.prompts", name);
            fields.all("plan.asked.", asked);
        }
        Prompts::Trace { path, format, sha256 } => {
            fields.file("trace", path, sha256.as_ref());
            fields.unless(*format == TraceFormat::Auto, "plan.trace_format", || {
                format!("{format:?}")
            });
        }
    }
}

fn workload_fields(fields: &mut Fields, workload: &Workload) {
    let tokenizer = match &workload.tokenizer {
        Tokenizer::Auto => None,
        Tokenizer::File { path, sha256 } => Some(sha256.clone().unwrap_or_else(|| path.clone())),
        Tokenizer::Server => Some("server".into()),
        Tokenizer::Calibrated => Some("calibrated".into()),
        Tokenizer::Words => Some("words".into()),
    };
    fields.maybe("plan.tokenizer", tokenizer.as_ref());
    let conversation = workload.conversation.as_ref().map(|talk| {
        let pause = match talk.think_time {
            ThinkTime::Fixed(time) => format!("{time:?}"),
            ThinkTime::Exponential(mean) => format!("{mean:?} exponential"),
        };
        format!("{} turns, {pause}", talk.turns)
    });
    fields.maybe("plan.conversation", conversation.as_ref());
    let images = workload.images.map(|images| {
        let (width, height) = (images.width_px, images.height_px);
        format!("{} of {width}×{height}", images.per_request)
    });
    fields.maybe("plan.images", images.as_ref());
    let share = |share: &ModelShare| format!("{} × {}", share.name, share.weight);
    let models: Vec<String> = workload.models.iter().map(share).collect();
    fields.unless(models.is_empty(), "plan.models", || models.join(", "));
    fields.unless(workload.batch == 1, "plan.batch", || workload.batch.to_string());
    fields.unless(!workload.reuse_prompts, "plan.reuse_prompts", || "true".into());
}

fn load_fields(fields: &mut Fields, session: &Session) {
    let loads = &session.plan.loads;
    let cells: Vec<String> = loads.iter().map(Load::to_string).collect();
    fields.put("plan.cells", cells.join(", "));
    let searches = loads.iter().filter_map(|load| match load {
        Load::Capacity(search) => Some(format!(
            "{} to {} within {}, attainment {}{}",
            search.min,
            search.max,
            search.precision_ratio,
            search.attainment,
            search
                .batch_s
                .map_or_else(String::new, |seconds| format!(", batches of {seconds} s"))
        )),
        _ => None,
    });
    let searches: Vec<String> = searches.collect();
    fields.unless(searches.is_empty(), "plan.capacity", || searches.join(", "));
    // The times of a schedule follow from the plan; where the way to draw them changed, their hash tells.
    let schedules: Vec<&str> = session
        .cells
        .iter()
        .map(|cell| cell.schedule_sha256.as_deref().unwrap_or("-"))
        .collect();
    let unknown = schedules.iter().all(|hash| *hash == "-");
    fields.unless(unknown, SCHEDULE, || schedules.join(", "));
}

fn scenario(scenario: &Scenario) -> String {
    let shortened = if scenario.is_shortened { ", shortened" } else { "" };
    format!(
        "{} of {}, {} requests and {:?} at least{shortened}",
        scenario.kind.name(),
        scenario.benchmark,
        scenario.min_requests,
        scenario.min_duration
    )
}

fn slo(slo: &Slo) -> String {
    let limits = [("ttft", slo.ttft_ms), ("tpot", slo.tpot_ms), ("e2e", slo.e2e_ms)];
    let limits = limits
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("{name} {} ms", limit?)));
    limits.collect::<Vec<_>>().join(", ")
}

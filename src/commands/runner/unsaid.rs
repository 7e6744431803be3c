//! What a plan may say and a tool is not told: such a plan is refused, as its user believes that it is followed.

use super::preset::Place;
use crate::{
    commands::CommandError,
    config::{Call, Resolved, Source, Tool},
    plan::{Arrivals, Http, Plan, Timeouts, Tokenizer},
};

/// What the user said himself of what has a value anyway.
#[derive(Clone, Copy)]
pub(super) struct Given {
    warmup: bool,
    body: bool,
}

impl Given {
    pub(super) fn of(resolved: &Resolved) -> Self {
        let is_given = |key: &str| {
            let mut origins = resolved.origins.iter();
            origins.any(|origin| origin.key == key && origin.source != Source::Default)
        };
        Self {
            warmup: is_given("warmup_requests"),
            body: is_given("extra_body"),
        }
    }
}

/// Refuses what the plan says and the call has no words for.
///
/// # Errors
/// The key that is not said.
pub(super) fn refuse(call: &Call, place: &Place<'_>, given: Given) -> Result<(), CommandError> {
    let plan = place.plan;
    let (name, unsaid) = match call {
        Call::Command(_) => ("`runner.command`".to_owned(), of_requests(plan, given)),
        Call::Tool(tool, _) => {
            refuse_arrivals(*tool, place)?;
            refuse_warmup(*tool, plan, given.warmup)?;
            let unsaid = of_requests(plan, given).filter(|key| *key != "extra_body" || !is_said_anyway(*tool, plan));
            let unsaid = unsaid.or_else(|| of_connections(plan));
            (format!("`runner: {}`", tool.name()), unsaid)
        }
    };
    let Some(key) = unsaid else { return Ok(()) };
    Err(CommandError::Usage(format!(
        "{name} has no words for `{key}`, so that the tool would not know of it; leave it out, and write what the tool is to be told as \
         {}",
        match call {
            Call::Command(_) => "part of the command",
            Call::Tool(..) => "`runner.args` or `runner.command`",
        }
    )))
}

/// How requests are made and sent: nothing of it reaches a tool.
fn of_requests(plan: &Plan, given: Given) -> Option<&'static str> {
    let (target, workload) = (&plan.target, &plan.workload);
    let keys = [
        ("target.urls", !target.more_urls.is_empty()),
        ("target.streaming", !target.streaming && target.api.has_tokens()),
        ("target.retries", target.retries > 0),
        ("tokenizer", workload.tokenizer != Tokenizer::Auto),
        ("conversation", workload.conversation.is_some()),
        ("images", workload.images.is_some()),
        ("models", !workload.models.is_empty()),
        ("batch", workload.batch != 1),
        ("reuse_prompts", workload.reuse_prompts),
        ("extra_body", given.body),
    ];
    first(&keys)
}

/// How the server is spoken to, which perfgate's own looks at it follow: a command of one's own says the same in its own words.
fn of_connections(plan: &Plan) -> Option<&'static str> {
    let target = &plan.target;
    let keys = [
        ("target.headers", !target.header_names.is_empty()),
        ("target.http", target.http != Http::One),
        ("target.timeouts", target.timeouts != Timeouts::default()),
        ("target.reuse_connections", !target.reuse_connections),
        ("target.ca_file", target.ca_file.is_some()),
    ];
    first(&keys)
}

fn first(keys: &[(&'static str, bool)]) -> Option<&'static str> {
    keys.iter().find(|(_, is_said)| *is_said).map(|(key, _)| *key)
}

/// Their command lines ask for answers of full length as it is.
fn is_said_anyway(tool: Tool, plan: &Plan) -> bool {
    let mut fields = plan.target.extra_body.iter();
    !matches!(tool, Tool::PerfAnalyzer) && fields.all(|(field, value)| field == "ignore_eos" && value == "true")
}

fn refuse_arrivals(tool: Tool, place: &Place<'_>) -> Result<(), CommandError> {
    let arrivals = place.rate().map(|(_, arrivals)| arrivals);
    let is_said = arrivals.is_none_or(|arrivals| match tool {
        Tool::Vllm | Tool::Sglang | Tool::Aiperf | Tool::InferencePerf => arrivals == Arrivals::Poisson,
        // Unless told otherwise they send at equal gaps.
        Tool::GenaiPerf | Tool::PerfAnalyzer => arrivals == Arrivals::Constant,
        Tool::Guidellm => !matches!(arrivals, Arrivals::Gamma { .. }),
    });
    if is_said {
        return Ok(());
    }
    Err(no_words(
        tool,
        &format!("`arrivals: {}`", arrivals.map_or("", Arrivals::name)),
    ))
}

fn refuse_warmup(tool: Tool, plan: &Plan, is_given: bool) -> Result<(), CommandError> {
    let is_unsaid = plan.warmup_limit.is_some() || (plan.warmup_requests > 0 && !says_warmup(tool));
    if is_given && is_unsaid {
        return Err(no_words(tool, "`warmup_requests`"));
    }
    Ok(())
}

fn no_words(tool: Tool, what: &str) -> CommandError {
    CommandError::Usage(format!(
        "`runner: {}` has no words for {what}; write its command line as `runner.command`",
        tool.name()
    ))
}

const fn says_warmup(tool: Tool) -> bool {
    matches!(tool, Tool::Vllm | Tool::Aiperf | Tool::GenaiPerf | Tool::PerfAnalyzer)
}

/// What the user should know of a warm-up that the tool's command line does not ask for.
pub(super) fn warmup(tool: Tool, plan: &Plan) -> Option<String> {
    (!says_warmup(tool)).then(|| {
        format!(
            "`{}` warms up in its own way or not at all: the plan's {} warm-up requests are not asked of it",
            tool.name(),
            plan.warmup_requests
        )
    })
}

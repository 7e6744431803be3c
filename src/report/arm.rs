//! One arm for people: its facts, its figures, its failures.

use super::{Arm, CellFigures, Figure, health, scenario};
use crate::{
    compare::Fingerprint,
    measure::selftest::{Limit, limits},
    measure::{CellMeasurements, Measurements, RunValue, measure},
    plan::{Api, Load, Plan, Prompts},
    session::{Ended, Origin, RequestRecord, Session, TokensFrom},
    stats::{moments, quantile::quantile},
};

const REPLACED: &str = "Dead connections replaced";

/// Fields of a fingerprint that stand only where a plan is not the usual one, with their labels.
const UNUSUAL: [(&str, &str); 14] = [
    ("plan.streaming", "Streamed answers"),
    ("plan.urls", "Addresses"),
    ("plan.spread", "Spread over addresses"),
    ("plan.http", "HTTP"),
    ("plan.reuse_connections", "Connections kept open"),
    ("plan.retries", "Retries"),
    ("plan.cache_reset", "Prefix cache reset"),
    ("plan.tokenizer", "Tokenizer"),
    ("plan.conversation", "Conversations"),
    ("plan.images", "Images a request"),
    ("plan.models", "Models by weight"),
    ("plan.batch", "Texts a request"),
    ("plan.reuse_prompts", "Prompts seen again"),
    ("plan.warmup_limit", "Warm-up at most"),
];

/// All that a report shows of one session.
pub fn describe(name: &str, session: &Session) -> Arm {
    describe_measured(name, session, &measure(session))
}

/// The same where the session was measured before.
pub(super) fn describe_measured(name: &str, session: &Session, measured: &Measurements) -> Arm {
    let runs = |cell: &CellMeasurements| cell.series.values().map(Vec::len).max().unwrap_or(0);
    let cells = measured.cells.iter().map(|cell| CellFigures {
        name: cell.name.clone(),
        load: cell.load.clone(),
        stage: cell.stage,
        runs: runs(cell),
        metrics: cell
            .series
            .iter()
            .map(|(metric, series)| (*metric, figure(series)))
            .collect(),
    });
    Arm {
        name: name.to_owned(),
        started_unix_s: session.started_unix_s,
        commit: session.commit.clone(),
        fingerprint: Fingerprint::of(session).hash(),
        pair_id: session.pairing.as_ref().map(|pairing| pairing.id.clone()),
        slo: session.plan.slo,
        facts: facts(session).into_iter().chain(scenario::facts(session)).collect(),
        cells: cells.collect(),
        failures: failures(session),
    }
}

fn figure(series: &[RunValue]) -> Figure {
    let measured: Vec<f64> = series.iter().flatten().map(|sample| sample.value).collect();
    let why = || series.iter().find_map(|value| value.as_ref().err().cloned());
    match quantile(&measured, 0.5) {
        Some(median) => Figure::Measured {
            median,
            values: series
                .iter()
                .map(|value| value.as_ref().ok().map(|s| s.value))
                .collect(),
        },
        None => Figure::NotMeasured(why().unwrap_or_else(|| "the cell has no run".into())),
    }
}

fn completed(session: &Session) -> impl Iterator<Item = &RequestRecord> {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    runs.flat_map(|run| &run.requests).filter(|record| record.completed())
}

/// What the server counted, beside what was asked for.
fn lengths(session: &Session) -> Option<String> {
    let mean = |count: fn(&RequestRecord) -> Option<u32>| {
        let counts: Vec<f64> = completed(session).filter_map(count).map(f64::from).collect();
        moments::mean(&counts).map(|mean| format!("{mean:.0}"))
    };
    let input = mean(|record| record.input_tokens).unwrap_or_else(|| "an unknown number".into());
    let output = mean(|record| record.output_tokens)?;
    let own = |record: &RequestRecord| record.tokens_from == TokensFrom::Tokenizer;
    let who = if completed(session).any(own) {
        "the tool that measured"
    } else {
        "the server"
    };
    Some(format!("{input} in, {output} out on average, as {who} counts them"))
}

/// What the client itself adds on this machine, where that is known.
fn selftest(session: &Session) -> Option<String> {
    let test = session.selftest.as_ref()?;
    let rate = match test.max_rate_rps {
        rps if rps > 0.0 => format!("{rps:.0} req/s"),
        _ => "none of the rates tried".to_owned(),
    };
    let is_kept = limits(test).iter().all(Limit::is_kept);
    let kept = if is_kept { "" } else { "; its limits were not kept" };
    Some(format!(
        "adds {:.3} ms to TTFT (P99 {:.3} ms) and {:.3} ms to TPOT at {} streams; carries {} streams and {rate}{kept}",
        test.added.ttft_p50_ms,
        test.added.ttft_p99_ms,
        unsigned_zero(test.added.tpot_p50_ms),
        test.streams,
        test.max_streams,
    ))
}

/// Rounded to three decimals, where a minus before nothing but zeros would puzzle.
fn unsigned_zero(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0 + 0.0
}

/// Said where the server's own count was missing.
fn counted(session: &Session) -> Option<String> {
    let from_chunks = completed(session)
        .filter(|record| record.tokens_from == TokensFrom::Chunks)
        .count();
    (from_chunks > 0)
        .then(|| format!("from chunks in {from_chunks} requests, where the server sent no `usage` to be believed"))
}

/// Said where a chunk holds clearly more than one token: then ITL is a gap between chunks, not tokens.
fn per_chunk(session: &Session) -> Option<String> {
    let sums = completed(session).fold((0_u64, 0_u64), |(tokens, chunks), record| {
        (
            tokens + u64::from(record.output_tokens.unwrap_or(0)),
            chunks + u64::from(record.chunks),
        )
    });
    let (tokens, chunks) = (sums.0, sums.1);
    // Ten percent leave room for tokens without text, which no chunk brings.
    let several = chunks > 0 && tokens * 10 > chunks * 11;
    several.then(|| format!("per chunk: {tokens} tokens came in {chunks} chunks"))
}

fn failures(session: &Session) -> Vec<(String, String, u32, String)> {
    let mut rows: Vec<(String, String, u32, String)> = Vec::new();
    for cell in &session.cells {
        for (class, count, message) in cell.runs.iter().flat_map(crate::session::Run::failures) {
            let known = rows.iter_mut().find(|row| row.0 == cell.name && row.1 == class);
            match known {
                Some(row) => row.2 += count,
                None => rows.push((cell.name.clone(), class, count, message)),
            }
        }
    }
    rows
}

fn facts(session: &Session) -> Vec<(String, String)> {
    let (plan, environment) = (&session.plan, &session.environment);
    let mut facts = Facts::default();
    facts.maybe("Model", environment.model.as_ref().or(plan.target.model.as_ref()));
    facts.of_engine(session);
    let server = Some(without_credentials(&plan.target.url)).filter(|server| !server.is_empty());
    facts.maybe("Server", server.as_ref());
    facts.put("API", plan.target.api.name());
    asked(&mut facts, plan);
    facts.maybe("SLO", health::slo(&plan.slo).as_ref());
    let fingerprint = Fingerprint::of(session);
    for (field, what) in UNUSUAL {
        let found = fingerprint.plan.iter().find(|(name, _)| name == field);
        facts.maybe(what, found.map(|(_, value)| value));
    }
    if !environment.gpus.is_empty() {
        facts.put("GPUs", environment.gpus.join(", "));
    }
    facts.maybe("GPU driver", environment.gpu_driver.as_ref());
    facts.maybe("CUDA of the driver", environment.gpu_cuda.as_ref());
    facts.maybe("CPU of the client", environment.cpu.as_ref());
    facts.maybe("Cores of the client", environment.cpu_cores.as_ref());
    facts.maybe("System of the client", environment.os.as_ref());
    facts.maybe("Self-test of the client", selftest(session).as_ref());
    for (prefix, declared) in [
        ("hardware", &plan.hardware),
        ("framework", &plan.framework),
        ("extra body", &plan.target.extra_body),
    ] {
        for (key, value) in declared {
            facts.put(&format!("{prefix}: {key}"), value);
        }
    }
    facts.maybe("Tokens of a request", lengths(session).as_ref());
    facts.maybe("Output tokens counted", counted(session).as_ref());
    facts.maybe("ITL", per_chunk(session).as_ref());
    facts.maybe("Client", health::client(session).as_ref());
    facts.maybe("Connections", health::connections(session).as_ref());
    facts.maybe("Searches", health::without_answer(session).as_ref());
    facts.maybe("Warm-up", health::warm_up(session).as_ref());
    facts.maybe("Prefix cache", health::cache(session).as_ref());
    if replaced_connections(session) > 0 {
        facts.put(REPLACED, replaced_connections(session).to_string());
    }
    facts.maybe("Branch", session.origin.as_ref().and_then(branch).as_ref());
    match &session.ended {
        Ended::Complete => {}
        Ended::Interrupted => facts.put("Ended", "interrupted before its last run"),
        Ended::Aborted(reason) => facts.put("Ended", format!("stopped: {reason}")),
    }
    let is_foreign = plan.workload.prompts.is_foreign();
    facts.put(
        if is_foreign { "Measured by" } else { "perfgate" },
        &session.tool_version,
    );
    facts.put("Metric definitions", &session.definitions);
    facts.0
}

/// What was asked for; of another tool's measurement, in that tool's own keys.
fn asked(facts: &mut Facts, plan: &Plan) {
    facts.put("Prompts", prompts(&plan.workload.prompts));
    facts.maybe("Output tokens", output_tokens(plan).as_ref());
    let loads: Vec<String> = plan.loads.iter().map(|load| plan.load_name(load)).collect();
    facts.put("Load levels", loads.join(", "));
    if let Prompts::Foreign { asked, .. } = &plan.workload.prompts {
        let asked = asked
            .iter()
            .map(|(key, value)| (format!("asked: {key}"), value.clone()));
        facts.0.extend(asked);
    } else {
        facts.put("Requests a run", requests(plan));
        facts.put("Warm-up requests", plan.warmup_requests.to_string());
    }
    facts.put("Runs a cell", plan.repeats.to_string());
    if !plan.workload.prompts.is_foreign() {
        facts.put("Seed", plan.seed.to_string());
    }
}

/// Of which branch it is, and what had CI measure it.
fn branch(origin: &Origin) -> Option<String> {
    let branch = origin.branch.as_ref().map(|branch| format!("`{branch}`"));
    let event = origin.event.as_ref().map(|event| format!("for `{event}`"));
    let told: Vec<String> = branch.into_iter().chain(event).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn prompts(prompts: &Prompts) -> String {
    match prompts {
        Prompts::Synthetic { input_tokens } => format!("synthetic, {input_tokens} tokens"),
        Prompts::SharedPrefix {
            groups,
            prefix_tokens,
            input_tokens,
            ..
        } => format!("synthetic, {input_tokens} tokens after one of {groups} prefixes of {prefix_tokens} tokens"),
        Prompts::Dataset { path, .. } => format!("dataset `{path}`"),
        Prompts::Trace { path, .. } => format!("trace `{path}`"),
        Prompts::Foreign { name, .. } => format!("`{name}`, of another tool"),
    }
}

/// What the plan asks for, and where it has no say; `None` where an answer has no tokens.
fn output_tokens(plan: &Plan) -> Option<String> {
    let asked = &plan.workload.output_tokens;
    match plan.workload.prompts {
        _ if plan.target.api == Api::Embeddings => None,
        Prompts::Dataset { .. } | Prompts::Trace { .. } => Some(format!("as the file says, else {asked}")),
        Prompts::Foreign { .. } => None,
        _ => Some(asked.to_string()),
    }
}

fn requests(plan: &Plan) -> String {
    let by_stages = plan.loads.iter().all(|load| matches!(load, Load::Stages { .. }));
    if by_stages {
        return format!("as its stages say, at most {} in a closed one", plan.requests_per_run);
    }
    plan.requests_per_run.to_string()
}

/// Over all runs.
fn replaced_connections(session: &Session) -> u64 {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    runs.map(|run| u64::from(run.replaced_connections)).sum()
}

/// An arm that replaced none says so beside one that did: in a table, an absent fact reads as one not known.
pub(super) fn say_none_replaced(arms: [&mut Arm; 2]) {
    let says = |arm: &Arm| arm.facts.iter().any(|(what, _)| what == REPLACED);
    if arms.iter().any(|arm| says(arm)) {
        for arm in arms {
            if !says(arm) {
                arm.facts.push((REPLACED.to_owned(), "0".to_owned()));
            }
        }
    }
}

fn engine(session: &Session) -> Option<String> {
    let name = session.environment.engine_name.as_deref();
    let version = session.environment.engine_version.as_deref();
    match (name, version) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

/// What else the engine states of itself; the words are its own, or those of whoever answers in its place.
fn states(session: &Session) -> Option<String> {
    const MOST: usize = 20;
    const MOST_SIGNS: usize = 64;
    let facts = session.environment.engine_facts.iter().take(MOST);
    let short = |text: &String| text.chars().take(MOST_SIGNS).collect::<String>();
    let facts: Vec<String> = facts
        .map(|(name, value)| format!("{} {}", short(name), short(value)))
        .collect();
    (!facts.is_empty()).then(|| facts.join(", "))
}

/// An address without user, password, query and fragment: reports are posted where others read them.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let scheme = if scheme.is_empty() {
        String::new()
    } else {
        format!("{scheme}://")
    };
    let path = path.map(|path| format!("/{path}")).unwrap_or_default();
    format!("{scheme}{host}{path}")
}

#[derive(Default)]
struct Facts(Vec<(String, String)>);

impl Facts {
    fn of_engine(&mut self, session: &Session) {
        self.maybe("Engine", engine(session).as_ref());
        self.maybe("Engine states", states(session).as_ref());
    }

    fn put(&mut self, what: &str, value: impl Into<String>) {
        self.0.push((what.to_owned(), value.into()));
    }

    fn maybe(&mut self, what: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.put(what, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("http://user:p@ss@host:8000/v1?key=1", "http://host:8000/v1"),
            ("https://host#x", "https://host"),
            ("host:8000", "host:8000"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    #[test]
    fn what_is_not_usual_in_a_plan_is_a_fact_and_what_is_usual_is_none() {
        use crate::measure::synthetic::{Figures, session};
        let plain = session(&[1], &[Figures::default(); 2]);
        let says = |session: &Session, what: &str| facts(session).into_iter().find(|fact| fact.0 == what);
        for (_, what) in UNUSUAL {
            assert_eq!(says(&plain, what), None);
        }
        let mut other = plain;
        other.plan.target.streaming = false;
        other.plan.target.retries = 2;
        let fact = |what: &str, value: &str| Some((what.to_owned(), value.to_owned()));
        assert_eq!(says(&other, "Streamed answers"), fact("Streamed answers", "false"));
        assert_eq!(says(&other, "Retries"), fact("Retries", "2"));
    }
}

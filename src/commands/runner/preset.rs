//! The command lines of tools that are known, made from the plan, and the places in a command of one's own.
//!
//! Sources: each tool's help, and the results with their command lines that the importers are tested on. A tool's own
//! defaults stay where the plan has no say; `runner.args` adds what it needs beside (a tokenizer).

use std::path::{Path, PathBuf};

use crate::{
    commands::CommandError,
    config::Tool,
    plan::{Api, Arrivals, Lengths, Load, Plan, Prompts},
};

/// One run that a tool is asked for.
pub(super) struct Place<'a> {
    pub(super) plan: &'a Plan,
    pub(super) load: &'a Load,
    pub(super) url: &'a str,
    pub(super) out: &'a Path,
    pub(super) repeat: u32,
}

impl Place<'_> {
    /// A word of a command with what the plan says in its places; a place of which it says nothing stays as it is.
    pub(super) fn filled(&self, word: &str) -> String {
        let number = |value: Option<String>, name: &str| value.unwrap_or_else(|| format!("{{{name}}}"));
        let values = [
            ("url", self.url.to_owned()),
            ("out", self.out.display().to_string()),
            ("model", number(self.plan.target.model.clone(), "model")),
            (
                "concurrency",
                number(self.streams().map(|streams| streams.to_string()), "concurrency"),
            ),
            ("rate", number(self.rate().map(|(rate, _)| rate.to_string()), "rate")),
            ("requests", self.plan.requests_per_run.to_string()),
            ("warmup", self.plan.warmup_requests.to_string()),
            (
                "input_tokens",
                number(self.input_tokens().map(|tokens| tokens.to_string()), "input_tokens"),
            ),
            (
                "output_tokens",
                number(self.output_tokens().map(|tokens| tokens.to_string()), "output_tokens"),
            ),
            ("seed", self.seed().to_string()),
            ("repeat", self.repeat.to_string()),
        ];
        values.iter().fold(word.to_owned(), |word, (name, value)| {
            word.replace(&format!("{{{name}}}"), value)
        })
    }

    /// No two runs of a measurement send the same prompts, which a prefix cache would answer faster; both arms of a pair do.
    fn seed(&self) -> u64 {
        let loads = &self.plan.loads;
        let level = loads.iter().position(|load| load == self.load).unwrap_or(0);
        let before = u64::from(self.repeat) * loads.len() as u64 + level as u64;
        self.plan.seed.wrapping_add(before)
    }

    const fn streams(&self) -> Option<u32> {
        match self.load {
            Load::Concurrency(streams) => Some(*streams),
            _ => None,
        }
    }

    pub(super) const fn rate(&self) -> Option<(f64, Arrivals)> {
        match self.load {
            Load::Rate { rate_rps, arrivals } => Some((*rate_rps, *arrivals)),
            _ => None,
        }
    }

    const fn input_tokens(&self) -> Option<u32> {
        match &self.plan.workload.prompts {
            Prompts::Synthetic { input_tokens } => fixed(input_tokens),
            _ => None,
        }
    }

    const fn output_tokens(&self) -> Option<u32> {
        fixed(&self.plan.workload.output_tokens)
    }
}

const fn fixed(lengths: &Lengths) -> Option<u32> {
    match lengths {
        Lengths::Fixed(tokens) => Some(*tokens),
        _ => None,
    }
}

/// A command line, with the file that it names where it needs one.
pub(super) struct Line {
    pub(super) words: Vec<String>,
    pub(super) file: Option<(PathBuf, String)>,
}

/// The whole command line of a tool.
///
/// # Errors
/// The plan holds what the tool's command line has no words for.
pub(super) fn command(tool: Tool, args: &[String], place: &Place<'_>) -> Result<Line, CommandError> {
    let unknown = |what: &str| {
        CommandError::Usage(format!(
            "`runner: {}` makes no command line for {what}; write it as `runner.command`",
            tool.name()
        ))
    };
    let (Some(input), Some(output)) = (place.input_tokens(), place.output_tokens()) else {
        return Err(unknown(
            "prompts and answers that are not synthetic of one fixed length each",
        ));
    };
    if place.streams().is_none() && place.rate().is_none() {
        return Err(unknown("this load level"));
    }
    let is_chat = match place.plan.target.api {
        Api::Chat => true,
        Api::Completions => false,
        other => return Err(unknown(&format!("the API `{}`", other.name()))),
    };
    let model = place.plan.target.model.as_deref();
    let model = model.ok_or_else(|| unknown("a model that is not named; give `model`"))?;
    let asked = Asked {
        model,
        lengths: (input, output),
        is_chat,
    };
    let mut file = None;
    let text = match tool {
        Tool::Vllm => vllm(place, &asked),
        Tool::Sglang => sglang(place, &asked),
        Tool::Aiperf => aiperf(place, &asked),
        Tool::GenaiPerf => genai_perf(place, &asked),
        Tool::PerfAnalyzer => perf_analyzer(place, &asked),
        Tool::Guidellm => guidellm(place, &asked),
        Tool::InferencePerf if is_chat => {
            return Err(unknown(
                "the API `chat`, for which it has no made-up prompts; give `target.api: completions`",
            ));
        }
        Tool::InferencePerf => {
            let (path, text) = inference_perf(place, &asked);
            let words = vec!["inference-perf".into(), "-c".into(), path.display().to_string()];
            file = Some((path, text));
            words
        }
    };
    let args = args.iter().map(|word| place.filled(word));
    Ok(Line {
        words: text.into_iter().chain(args).collect(),
        file,
    })
}

/// What every tool is told.
struct Asked<'a> {
    model: &'a str,
    lengths: (u32, u32),
    is_chat: bool,
}

fn words(text: &str, place: &Place<'_>) -> Vec<String> {
    text.split_whitespace().map(|word| place.filled(word)).collect()
}

/// `closed` or `open` with the places filled.
fn level(place: &Place<'_>, closed: &str, open: &str) -> Vec<String> {
    words(if place.streams().is_some() { closed } else { open }, place)
}

fn vllm(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let backend = if asked.is_chat {
        "openai-chat --endpoint /v1/chat/completions"
    } else {
        "openai --endpoint /v1/completions"
    };
    let text = format!(
        "vllm bench serve --backend {backend} --base-url {{url}} --model {{model}} --dataset-name random --random-input-len \
         {{input_tokens}} --random-output-len {{output_tokens}} --num-prompts {{requests}} --num-warmups {{warmup}} --seed {{seed}} \
         --ignore-eos --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,95,99 --save-result --save-detailed \
         --result-dir {{out}}"
    );
    let mut command = words(&text, place);
    command.extend(level(place, "--max-concurrency {concurrency}", "--request-rate {rate}"));
    command
}

fn sglang(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let backend = if asked.is_chat { "vllm-chat" } else { "vllm" };
    let text = format!(
        "python3 -m sglang.bench_serving --backend {backend} --base-url {{url}} --model {{model}} --dataset-name random-ids \
         --random-input-len {{input_tokens}} --random-output-len {{output_tokens}} --random-range-ratio 1.0 --num-prompts \
         {{requests}} --seed {{seed}} --output-details --output-file {{out}}/result.jsonl"
    );
    let mut command = words(&text, place);
    command.extend(level(place, "--max-concurrency {concurrency}", "--request-rate {rate}"));
    command
}

fn aiperf(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let kind = if asked.is_chat { "chat" } else { "completions" };
    let text = format!(
        "aiperf profile --model {{model}} --url {{url}} --endpoint-type {kind} --streaming --isl {{input_tokens}} --isl-stddev 0 --osl \
         {{output_tokens}} --osl-stddev 0 --extra-inputs ignore_eos:true --use-server-token-count --export-level records --ui none \
         --artifact-dir {{out}} --request-count {{requests}} --warmup-request-count {{warmup}} --random-seed {{seed}}"
    );
    let mut command = words(&text, place);
    command.extend(level(place, "--concurrency {concurrency}", "--request-rate {rate}"));
    command
}

fn genai_perf(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let kind = if asked.is_chat { "chat" } else { "completions" };
    let text = format!(
        "genai-perf profile -m {{model}} -u {{url}} --endpoint-type {kind} --streaming --synthetic-input-tokens-mean {{input_tokens}} \
         --synthetic-input-tokens-stddev 0 --output-tokens-mean {{output_tokens}} --output-tokens-stddev 0 --extra-inputs \
         ignore_eos:true --request-count {{requests}} --warmup-request-count {{warmup}} --random-seed {{seed}} --artifact-dir {{out}}"
    );
    let mut command = words(&text, place);
    command.extend(level(place, "--concurrency {concurrency}", "--request-rate {rate}"));
    command
}

fn perf_analyzer(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let endpoint = if asked.is_chat {
        "v1/chat/completions"
    } else {
        "v1/completions"
    };
    let text = format!(
        "perf_analyzer -m {{model}} -u {{url}} --service-kind openai --endpoint {endpoint} --async --streaming --request-count \
         {{requests}} --warmup-request-count {{warmup}} --profile-export-file {{out}}/profile_export.json"
    );
    let mut command = words(&text, place);
    command.extend(level(
        place,
        "--concurrency-range {concurrency}:{concurrency}:1",
        "--request-rate-range {rate}:{rate}:1",
    ));
    command
}

fn guidellm(place: &Place<'_>, asked: &Asked<'_>) -> Vec<String> {
    let format = if asked.is_chat {
        "/v1/chat/completions"
    } else {
        "/v1/completions"
    };
    let spacing = match place.rate() {
        Some((_, Arrivals::Constant)) => "constant",
        _ => "poisson",
    };
    let text = format!(
        "guidellm run --backend kind=openai_http,target={{url}},model={{model}},request_format={format} --constraint \
         kind=max_requests,count={{requests}} --data kind=synthetic_text,prompt_tokens={{input_tokens}},output_tokens={{output_tokens}} \
         --seed kind=static,value={{seed}} --output kind=json,path={{out}}/benchmarks.json --disable-console-interactive"
    );
    let mut command = words(&text, place);
    let open = format!("--profile kind={spacing},rate={{rate}}");
    command.extend(level(place, "--profile kind=concurrent,streams={concurrency}", &open));
    command
}

/// It takes a file, which stands beside what it writes.
fn inference_perf(place: &Place<'_>, asked: &Asked<'_>) -> (PathBuf, String) {
    let requests = f64::from(place.plan.requests_per_run);
    let (load, stage) = match (place.streams(), place.rate()) {
        (Some(streams), _) => (
            "concurrent",
            format!("num_requests: {requests}, concurrency_level: {streams}"),
        ),
        (None, rate) => {
            let (rate, arrivals) = rate.unwrap_or((1.0, Arrivals::Poisson));
            let spacing = if matches!(arrivals, Arrivals::Constant) {
                "constant"
            } else {
                "poisson"
            };
            (
                spacing,
                format!("rate: {rate}, duration: {}", (requests / rate).ceil().max(1.0)),
            )
        }
    };
    let (input, output) = asked.lengths;
    let fixed = |tokens: u32| {
        let most = place.plan.requests_per_run.max(1) * 2;
        format!("{{min: {tokens}, max: {tokens}, mean: {tokens}, std_dev: 0, total_count: {most}}}")
    };
    let text = format!(
        "api: {{type: completion, streaming: true}}\ndata:\n  type: random\n  input_distribution: {}\n  output_distribution: {}\nload:\n  \
         type: {load}\n  interval: 1.0\n  stages:\n  - {{{stage}}}\n  num_workers: 1\n  base_seed: {}\nserver: {{type: vllm, model_name: \
         {}, base_url: {}, ignore_eos: true}}\nreport:\n  request_lifecycle: {{summary: true, per_stage: true, per_request: true, \
         use_server_output_tokens: true}}\nstorage:\n  local_storage: {{path: {}}}\n",
        fixed(input),
        fixed(output),
        place.seed(),
        serde_json::Value::from(asked.model),
        serde_json::Value::from(place.url),
        serde_json::Value::from(place.out.display().to_string()),
    );
    (place.out.with_extension("yml"), text)
}

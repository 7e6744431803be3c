//! The one table of keys: each has one place in the file, one environment variable and one flag.

/// The environment variable that names the configuration file; its flag is `--config`.
pub const CONFIG_ENV: &str = "PERFGATE_CONFIG";

/// The file that is read where no other is named.
pub const DEFAULT_FILE: &str = "perfgate.yaml";

/// One setting, in file, environment and flags.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted place in the file (`target.timeouts.total`).
    pub path: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Flag, without dashes.
    pub flag: &'static str,
    /// What the flag's value looks like in the help.
    pub value_name: &'static str,
    /// What it does, in one line, from the user's view.
    pub help: &'static str,
    /// Heading in the help.
    pub group: Group,
    /// How a flag's or variable's text is read.
    pub form: Form,
}

/// Headings of the help, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The server under test.
    Target,
    /// How hard it is pressed.
    Load,
    /// What is sent.
    Workload,
    /// How often.
    Repeats,
    /// Two arms in alternation.
    Ab,
    /// What counts as a regression.
    Judging,
    /// What is written, and where.
    Output,
}

impl Group {
    /// As printed.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Target => "Target",
            Self::Load => "Load",
            Self::Workload => "Workload",
            Self::Repeats => "Repeats",
            Self::Ab => "A/B measurement",
            Self::Judging => "Judging",
            Self::Output => "Output",
        }
    }
}

/// How a flag's or variable's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One number or text.
    Scalar,
    /// Present or absent; `true` or `false` in the environment.
    Switch,
    /// `1,4,16`.
    List,
    /// `512`, `512,64` (mean and standard deviation), `100..200`, `lognormal:512,64` or `zipf:1..4096,1.2`.
    Lengths,
    /// `from=1,to=20`: the keys of a map.
    Fields,
    /// A file, or the keys of a map that begins with `file=`.
    File,
    /// `rate=4:30s,concurrency=8:100`: level, and time or number of requests.
    Stages,
    /// `base=3,adapter=1`: name and weight.
    Weights,
    /// A JSON object.
    Json,
    /// `Name: value` or `Name: env:VARIABLE`; may be repeated.
    Header,
    /// `key=value`; may be repeated.
    Pair,
    /// `5%` or `metric=5%`; may be repeated.
    Threshold,
    /// `metric=5%:warn:explanation` or `metric=off`; may be repeated.
    Gate,
    /// `metric<=2s`; may be repeated.
    Ceiling,
    /// A name; may be repeated.
    Names,
}

impl Form {
    /// Whether a flag of this form may be given more than once, each adding to the others.
    pub const fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::List
                | Self::Header
                | Self::Pair
                | Self::Threshold
                | Self::Gate
                | Self::Ceiling
                | Self::Names
                | Self::Stages
                | Self::Weights
        )
    }
}

/// The key of this flag (without dashes), if there is one.
pub fn by_flag(flag: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.flag == flag)
}

/// Builds one row of the table.
macro_rules! key {
    ($group:ident $form:ident, $path:literal, $env:literal, $flag:literal, $value:literal, $help:literal) => {
        Key {
            path: $path,
            env: concat!("PERFGATE_", $env),
            flag: $flag,
            value_name: $value,
            help: $help,
            group: Group::$group,
            form: Form::$form,
        }
    };
}

/// Every setting there is.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key!(Target Scalar, "target.url", "URL", "url", "URL", "Base address of the server under test [default: http://127.0.0.1:8000]"),
    key!(Target Names, "target.urls", "URLS", "urls", "URL,URL,…", "Several replicas of the same server, over which requests are spread (repeatable)"),
    key!(Target Scalar, "target.spread", "SPREAD", "spread", "HOW", "How requests are spread over several addresses: `round_robin` or `random` [default: round_robin]"),
    key!(Target Scalar, "model", "MODEL", "model", "NAME", "Model name sent with each request [default: the server's only model]"),
    key!(Target Scalar, "target.api", "API", "api", "API", "API to use: `chat`, `completions`, `responses`, `embeddings`, `messages`, `kserve_generate`, `kserve_infer` or `tgi` [default: chat]"),
    key!(Target Switch, "target.streaming", "STREAMING", "streaming", "BOOL", "Ask for answers as streams; without, there is no TTFT, TPOT and ITL [default: true]"),
    key!(Target Header, "target.headers", "HEADERS", "header", "NAME: VALUE", "Extra request header, `Name: value` or `Name: env:VARIABLE` (repeatable)"),
    key!(Target Scalar, "target.api_key_env", "API_KEY_ENV", "api-key-env", "VARIABLE", "Environment variable that holds the API key"),
    key!(Target Scalar, "target.timeouts.total", "TIMEOUT", "timeout", "TIME", "Longest time for a whole answer (`500ms`, `10s`, `2m`) [default: 10m]"),
    key!(Target Scalar, "target.timeouts.connect", "CONNECT_TIMEOUT", "connect-timeout", "TIME", "Longest time to open a connection [default: 10s]"),
    key!(Target Scalar, "target.timeouts.first_token", "FIRST_TOKEN_TIMEOUT", "first-token-timeout", "TIME", "Longest time from send to the first token [default: 2m]"),
    key!(Target Scalar, "target.timeouts.between_tokens", "STALL_TIMEOUT", "stall-timeout", "TIME", "Longest silence inside a stream that has begun [default: 60s]"),
    key!(Target Scalar, "target.http", "HTTP", "http", "VERSION", "HTTP version: `1`, `2`, or `auto` for the newer where TLS offers it [default: 1]"),
    key!(Target Switch, "target.reuse_connections", "REUSE_CONNECTIONS", "reuse-connections", "BOOL", "Send more than one request over a connection [default: true]"),
    key!(Target Scalar, "target.ca_file", "CA_FILE", "ca-file", "FILE", "PEM file of the certificate authorities to trust [default: the system's]"),
    key!(Target Scalar, "target.retries", "RETRIES", "retries", "N", "How often a refused request (no connection, 429, 503) is sent again [default: 0]"),
    key!(Target Scalar, "target.cache_reset", "CACHE_RESET", "cache-reset", "HOW", "Empty the server's prefix cache before each run: `auto` where it can, `off`, or the page to POST to [default: auto]"),
    key!(Target Scalar, "target.metrics", "METRICS", "metrics", "WHERE", "Where the server tells how it is doing (Prometheus text): `auto` for its `/metrics`, `off`, a path or an address [default: auto]"),
    key!(Target Scalar, "target.metrics_interval", "METRICS_INTERVAL", "metrics-interval", "TIME", "Time between two looks there, from 100ms [default: 1s]"),
    key!(Target Names, "target.gpus", "GPUS", "gpus", "GPU,GPU,…", "GPUs that the server uses, by number, UUID (`GPU-…`) or MIG instance (`MIG-…`) (repeatable) [default: those of CUDA_VISIBLE_DEVICES, else all]"),
    key!(Target Scalar, "target.nvml_lib", "NVML_LIB", "nvml-lib", "FILE", "Library that tells of NVIDIA's GPUs on this machine, by its absolute path [default: the driver's]"),
    key!(Target Scalar, "target.gpu_exporter", "GPU_EXPORTER", "gpu-exporter", "URL", "Page of dcgm-exporter or AMD's device-metrics-exporter on the server's machine, which tells of its GPUs in NVML's place"),
    key!(Target Json, "extra_body", "EXTRA_BODY", "extra-body", "JSON", "Extra fields of the request body, as a JSON object [default: ignore_eos on and temperature 0, as far as the API has them]"),
    key!(Load List, "concurrency", "CONCURRENCY", "concurrency", "N,N,…", "Requests in flight (closed loop); each level is one cell; `1:64:8` is a range [default: 1,4,16]"),
    key!(Load List, "rate", "RATE", "rate", "R,R,…", "Requests per second (open loop); each level is one cell; `1:8:*2` is a range"),
    key!(Load Scalar, "arrivals", "ARRIVALS", "arrivals", "SPACING", "Spacing of the sends in open loop: `poisson`, `constant` or `gamma` [default: poisson]"),
    key!(Load Scalar, "burstiness", "BURSTINESS", "burstiness", "SHAPE", "Shape of gamma arrivals: 1 is Poisson, less is burstier, more is evener"),
    key!(Load Fields, "ramp", "RAMP", "ramp", "FIELDS", "Rate that changes over the run: `from=1,to=20` requests per second, `shape=linear` or `exponential`"),
    key!(Load Stages, "stages", "STAGES", "stages", "STAGE,…", "Levels one after the other within each run: `rate=4:30s,concurrency=8:100` (time or requests)"),
    key!(Load File, "trace", "TRACE", "trace", "FILE", "Recorded trace: its prompts or lengths, and, where no other load is given, its times"),
    key!(Load Scalar, "trace_speed", "TRACE_SPEED", "trace-speed", "FACTOR", "How many times faster than recorded a trace is replayed [default: 1]"),
    key!(Load Scalar, "scenario", "SCENARIO", "scenario", "NAME", "Measure by the rules of an MLPerf scenario: `mlperf-server`, `mlperf-interactive`, `mlperf-offline` or `single-stream`, those of --benchmark"),
    key!(Load Scalar, "benchmark", "BENCHMARK", "benchmark", "NAME", "MLPerf benchmark whose limits the scenario has: `llama2-70b`, `llama3.1-8b`, `llama3.1-405b`, `deepseek-r1`, `gpt-oss-120b`, `mixtral-8x7b`, …"),
    key!(Load Fields, "test_minimum", "TEST_MINIMUM", "test-minimum", "FIELDS", "Smaller minima than the scenario's, to try it out (`requests=50,duration=5s`); no run is valid then"),
    key!(Workload Lengths, "input_tokens", "INPUT_TOKENS", "input-tokens", "MEAN[,STD]", "Prompt length in tokens: a number, `MEAN,STD`, `MIN..MAX`, `lognormal:MEAN,STD` or `zipf:MIN..MAX,EXPONENT` [default: 512]"),
    key!(Workload Lengths, "output_tokens", "OUTPUT_TOKENS", "output-tokens", "MEAN[,STD]", "Answer length in tokens: a number, `MEAN,STD`, `MIN..MAX`, `lognormal:MEAN,STD` or `zipf:MIN..MAX,EXPONENT` [default: 128]"),
    key!(Workload File, "dataset", "DATASET", "dataset", "FILE", "File of prompts instead of synthetic ones: JSONL, ShareGPT JSON or CSV; or `file=F,prompt_column=C`"),
    key!(Workload Fields, "shared_prefix", "SHARED_PREFIX", "shared-prefix", "FIELDS", "Synthetic prompts in groups that begin alike: `groups=8,prefix_tokens=1024,prompts_per_group=4`"),
    key!(Workload Fields, "conversation", "CONVERSATION", "conversation", "FIELDS", "Conversations with the model's own answers: `turns=4,think_time=2s,think_time_spread=exponential`"),
    key!(Workload Scalar, "tokenizer", "TOKENIZER", "tokenizer", "WHO", "Who counts synthetic prompts: `auto`, `server`, `calibrated`, `words` or a `tokenizer.json` [default: auto]"),
    key!(Workload Weights, "models", "MODELS", "models", "NAME=WEIGHT,…", "Models or LoRA adapters that share the requests by weight, instead of --model (repeatable)"),
    key!(Workload Fields, "images", "IMAGES", "images", "FIELDS", "Synthetic images in each chat message: `width=512,height=512,per_request=1`"),
    key!(Workload Scalar, "batch", "BATCH", "batch", "N", "Texts in one embeddings request [default: 1]"),
    key!(Workload Switch, "reuse_prompts", "REUSE_PROMPTS", "reuse-prompts", "BOOL", "Let warm-up and runs see a prompt again, which a prefix cache answers faster [default: false]"),
    key!(Workload Scalar, "seed", "SEED", "seed", "N", "Seed of prompts, lengths and schedules [default: 42]"),
    key!(Repeats Scalar, "num_requests", "REQUESTS", "requests", "N", "Measured requests of one run [default: 200]"),
    key!(Repeats Scalar, "warmup_requests", "WARMUP", "warmup", "N", "Warm-up requests before each run; `auto` goes on until the server is steady [default: 20]"),
    key!(Repeats Scalar, "warmup_limit", "WARMUP_LIMIT", "warmup-limit", "N", "The most requests of a warm-up that goes on until the server is steady [default for `auto`: 200]"),
    key!(Repeats Scalar, "repeat", "REPEAT", "repeat", "N", "Runs of each cell; the run is the unit of statistics [default: 5]"),
    key!(Repeats Scalar, "max_error_rate", "MAX_ERROR_RATE", "max-error-rate", "SHARE", "Largest share of failed requests of a valid run (`1%`) [default: 1%]"),
    key!(Ab Scalar, "measure", "MEASURE", "measure", "HOW", "How `gate` measures: the candidate `alone`, or both arms in alternation (`ab`, as `--ab`) [default: alone]"),
    key!(Ab List, "ab.looks", "LOOKS", "looks", "N,N,…", "After how many pairs an A/B measurement looks, fixed before the first run [default: 3,5,8,12]"),
    key!(Ab Scalar, "ab.blocks", "BLOCKS", "blocks", "N", "Alternating blocks of requests in a pair whose arms are both up, or `off` for whole runs [default: 20]"),
    key!(Ab Scalar, "ab.max_minutes", "MAX_MINUTES", "max-minutes", "N", "No pair begins that would end later than this after the first began [default: no limit]"),
    key!(Ab Switch, "arms.together", "ARMS_TOGETHER", "arms-together", "BOOL", "Servers that are started are up at once, each resting while the other is measured [default: false]"),
    key!(Ab Scalar, "arms.start_timeout", "ARMS_START_TIMEOUT", "arms-start-timeout", "TIME", "Longest time for a server that is started until it is ready [default: 10m]"),
    key!(Ab Scalar, "arms.build_timeout", "ARMS_BUILD_TIMEOUT", "arms-build-timeout", "TIME", "Longest time for a server to be built [default: 60m]"),
    key!(Ab Scalar, "arms.baseline.url", "BASELINE_URL", "baseline-url", "URL", "Base address of the baseline's server, which runs already"),
    key!(Ab Scalar, "arms.baseline.command", "BASELINE_COMMAND", "baseline-command", "COMMAND", "Starts the baseline's server; `{port}` in it stands for the port; there is no shell"),
    key!(Ab Scalar, "arms.baseline.build", "BASELINE_BUILD", "baseline-build", "COMMAND", "Builds the baseline's server, once before it is started; there is no shell"),
    key!(Ab Scalar, "arms.baseline.ready", "BASELINE_READY", "baseline-ready", "PATH", "Page that answers with success once the baseline's server is ready [default: /health]"),
    key!(Ab Scalar, "arms.baseline.port", "BASELINE_PORT", "baseline-port", "PORT", "Port of the baseline's server that is started [default: a free one]"),
    key!(Ab Pair, "arms.baseline.env", "BASELINE_ENV", "baseline-env", "NAME=VALUE", "Variable of the baseline's server that is started (repeatable)"),
    key!(Ab Scalar, "arms.baseline.workdir", "BASELINE_WORKDIR", "baseline-workdir", "DIR", "Folder in which the baseline's server is built and started"),
    key!(Ab Scalar, "arms.baseline.metrics", "BASELINE_METRICS", "baseline-metrics", "URL", "Page on which the baseline's server tells how many requests it holds, where it is not on its own address [default: /metrics there]"),
    key!(Ab Scalar, "arms.baseline.stop", "BASELINE_STOP", "baseline-stop", "COMMAND", "Ends the baseline's server, before it is asked to end by a signal; there is no shell"),
    key!(Ab Scalar, "arms.baseline.reset", "BASELINE_RESET", "baseline-reset", "PATH|COMMAND", "Makes the baseline's server as new before each run: a path to POST to, or a command"),
    key!(Ab Fields, "arms.baseline.version", "BASELINE_VERSION", "baseline-version", "FIELDS", "What the baseline's server must state as its version: `path=/version,contains={short_commit}`"),
    key!(Ab Scalar, "arms.candidate.url", "CANDIDATE_URL", "candidate-url", "URL", "Base address of the candidate's server, which runs already"),
    key!(Ab Scalar, "arms.candidate.command", "CANDIDATE_COMMAND", "candidate-command", "COMMAND", "Starts the candidate's server; `{port}` in it stands for the port; there is no shell"),
    key!(Ab Scalar, "arms.candidate.build", "CANDIDATE_BUILD", "candidate-build", "COMMAND", "Builds the candidate's server, once before it is started; there is no shell"),
    key!(Ab Scalar, "arms.candidate.ready", "CANDIDATE_READY", "candidate-ready", "PATH", "Page that answers with success once the candidate's server is ready [default: /health]"),
    key!(Ab Scalar, "arms.candidate.port", "CANDIDATE_PORT", "candidate-port", "PORT", "Port of the candidate's server that is started [default: a free one]"),
    key!(Ab Pair, "arms.candidate.env", "CANDIDATE_ENV", "candidate-env", "NAME=VALUE", "Variable of the candidate's server that is started (repeatable)"),
    key!(Ab Scalar, "arms.candidate.workdir", "CANDIDATE_WORKDIR", "candidate-workdir", "DIR", "Folder in which the candidate's server is built and started"),
    key!(Ab Scalar, "arms.candidate.metrics", "CANDIDATE_METRICS", "candidate-metrics", "URL", "Page on which the candidate's server tells how many requests it holds, where it is not on its own address [default: /metrics there]"),
    key!(Ab Scalar, "arms.candidate.stop", "CANDIDATE_STOP", "candidate-stop", "COMMAND", "Ends the candidate's server, before it is asked to end by a signal; there is no shell"),
    key!(Ab Scalar, "arms.candidate.reset", "CANDIDATE_RESET", "candidate-reset", "PATH|COMMAND", "Makes the candidate's server as new before each run: a path to POST to, or a command"),
    key!(Ab Fields, "arms.candidate.version", "CANDIDATE_VERSION", "candidate-version", "FIELDS", "What the candidate's server must state as its version: `path=/version,contains={short_commit}`"),
    key!(Ab Scalar, "runner.tool", "RUNNER", "runner", "TOOL", "Another tool that measures in perfgate's place: `vllm`, `sglang`, `aiperf`, `genai-perf`, `perf-analyzer`, `guidellm` or `inference-perf`"),
    key!(Ab Scalar, "runner.command", "RUNNER_COMMAND", "runner-command", "COMMAND", "Its command line in your words; `{url}` and `{out}` in it stand for the server and the folder that is imported; there is no shell"),
    key!(Ab Scalar, "runner.args", "RUNNER_ARGS", "runner-args", "WORDS", "What is added to the command line of a tool (`--tokenizer FOLDER`)"),
    key!(Ab Scalar, "runner.format", "RUNNER_FORMAT", "runner-format", "NAME", "Format of what it writes [default: by its content]"),
    key!(Ab Scalar, "runner.timeout", "RUNNER_TIMEOUT", "runner-timeout", "TIME", "Longest time for one run of it [default: 60m]"),
    key!(Ab Fields, "profile", "PROFILE", "profiling", "FIELDS", "How a cell that got worse is profiled: `steps=20,requests=32,timeout=30m,dir=DIR`; a `wrapper` as `nsys profile -o {out} {command}`"),
    key!(Judging Fields, "slo", "SLO", "slo", "FIELDS", "What users are promised: `ttft=2s,tpot=200ms,e2e=30s`; requests within are goodput"),
    key!(Judging Fields, "capacity", "CAPACITY", "capacity", "FIELDS", "What `capacity` searches: `axis=rate,min=1,max=100,precision=5%,attainment=99%,batch_duration=5s`"),
    key!(Judging Fields, "sweep", "SWEEP", "sweep", "FIELDS", "What `sweep` climbs: `axis=rate,from=1,to=100,steps=8,spacing=geometric`"),
    key!(Judging Threshold, "threshold", "THRESHOLD", "threshold", "LIMIT", "Limit for all gated metrics (`5%`) or for one (`tpot_p95=5%`) (repeatable)"),
    key!(Judging Gate, "gates", "GATES", "gate", "METRIC=RULE", "Rule of one metric: `tpot_p95=5%:block`, `ttft_p95=+50ms:warn:explanation`, `tpot_p95=off` (repeatable)"),
    key!(Judging Ceiling, "ceilings", "CEILINGS", "ceiling", "METRIC<=VALUE", "What the candidate itself must keep, whatever the baseline did: `ttft_p95<=2s`, `output_tokens_per_s>=500` (repeatable)"),
    key!(Judging Scalar, "confidence", "CONFIDENCE", "confidence", "SHARE", "How sure it must be that a change is beyond its limit before it blocks [default: 0.9]"),
    key!(Judging Scalar, "family_error", "FAMILY_ERROR", "family-error", "SHARE", "Chance that anything is called a real change without one, over all blocking checks [default: 0.01]"),
    key!(Judging Scalar, "on_inconclusive", "ON_INCONCLUSIVE", "on-inconclusive", "HOW", "What a gate does that could not be settled: `warn` (exit 3), `block` (exit 1) or `pass` (exit 0) [default: warn]"),
    key!(Judging Scalar, "memory_headroom", "MEMORY_HEADROOM", "memory-headroom", "HOW", "What less than 10 % of free GPU memory at the peak does: `off`, `warn` or `block` [default: warn]"),
    key!(Judging Fields, "price", "PRICE", "price", "FIELDS", "What the GPUs cost, for the cost of a million output tokens: `gpu_hour=2.5,gpus=8`"),
    key!(Judging Scalar, "on_unmet_explanation", "ON_UNMET_EXPLANATION", "on-unmet-explanation", "HOW", "What an explanation does that is still owed: `ask` (it is shown), `hold` (exit 3) or `block` (exit 1) [default: ask]"),
    key!(Judging Scalar, "on_unmet_profile", "ON_UNMET_PROFILE", "on-unmet-profile", "HOW", "What a profiling report does that is still owed: `ask` (it is shown), `hold` (exit 3) or `block` (exit 1) [default: hold]"),
    key!(Judging Scalar, "trusted_ref", "TRUSTED_REF", "trusted-ref", "REF", "Commit, branch or tag that the rules and baselines of a gate are read from, instead of the work tree [default: the base of a pull request on GitHub]"),
    key!(Judging Pair, "fields", "FIELDS", "field", "FIELD=HOW", "What a difference in a fingerprint field means: `refuse`, `warn` or `ignore` (repeatable)"),
    key!(Judging Names, "allow", "ALLOW", "allow", "FIELD", "Compare although this fingerprint field differs, with a warning (repeatable)"),
    key!(Judging Scalar, "baseline", "BASELINE", "baseline", "NAME|FILE", "Baseline to compare with"),
    key!(Output Scalar, "output", "OUTPUT", "output", "FILE", "Session file to write [default: session.json]"),
    key!(Output Scalar, "store", "STORE", "store", "DIR|ADDRESS", "Folder or address of the stored baselines [default: baselines]"),
    key!(Output Scalar, "report_dir", "REPORT_DIR", "report-dir", "DIR", "Folder of the reports [default for `gate`: perfgate-report]"),
    key!(Output Scalar, "commit", "COMMIT", "commit", "SHA", "Commit under test, kept in the session"),
    key!(Output Pair, "hardware", "HARDWARE", "hardware", "KEY=VALUE", "Describes the hardware, kept in the session (repeatable)"),
    key!(Output Pair, "framework", "FRAMEWORK", "framework", "KEY=VALUE", "Describes the serving framework, kept in the session (repeatable)"),
    key!(Output Switch, "quiet", "QUIET", "quiet", "BOOL", "No progress bar"),
];

//! `perfgate.yaml`, variables and flags to a resolved plan; and what is said of bad ones.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod patterns;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use perfgate::{
    config::{
        ConfigError, HeaderSource, Measure, Overrides, Resolved, Source, json_schema, keys::KEYS, resolve, show,
        starter,
    },
    metric::Metric,
    plan::{Api, ArmPlace, Arrivals, Lengths, Load, Prompts, Reset},
    verdict::{Action, Evidence, FieldRule, Gate, Limit},
};

use crate::schemas::assert_committed;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Resolves a file's text, variables and flags; the file is named `perfgate.yaml` in errors.
fn layers(text: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Resolved, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perfgate.yaml");
    fs::write(&file, text).unwrap();
    let mut overrides = Overrides::new();
    for (flag, text) in flags {
        overrides.push(flag, text);
    }
    let variable = |name: &str| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, text)| (*text).to_owned())
    };
    resolve(Some(&file), &variable, &overrides)
        .map_err(|error| words(&error).replace(&format!("{}/", folder.path().display()), ""))
}

fn file(text: &str) -> Result<Resolved, String> {
    layers(text, &[], &[])
}

fn flags(flags: &[(&str, &str)]) -> Result<Resolved, String> {
    layers("", &[], flags)
}

fn words(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn example(name: &str) -> Resolved {
    resolve(Some(&root().join("examples").join(name)), &|_| None, &Overrides::new()).unwrap()
}

fn origin(resolved: &Resolved, key: &str) -> (String, Source) {
    let found = resolved.origins.iter().find(|origin| origin.key == key);
    found.map(|origin| (origin.value.clone(), origin.source)).unwrap()
}

#[test]
fn the_textbook_file_loads_unchanged() {
    let resolved = example("textbook.yaml");
    let plan = &resolved.plan;
    assert_eq!(plan.target.model.as_deref(), Some("meta-llama/Llama-3-8B"));
    assert!(matches!(&plan.workload.prompts, Prompts::Dataset { path, sha256: None, .. } if path == "ShareGPT_v3"));
    assert_eq!(plan.workload.output_tokens, Lengths::Normal { mean: 200.0, std: 50.0 });
    assert_eq!(plan.loads, [1, 4, 16, 64, 256].map(Load::Concurrency));
    assert_eq!(
        (plan.requests_per_run, plan.warmup_requests, plan.repeats, plan.seed),
        (1000, 100, 3, 42)
    );
    assert_eq!(plan.hardware["cuda"], "12.3");
    assert_eq!(plan.hardware["num_gpus"], "8");
    assert_eq!(plan.framework["config.enable_prefix_caching"], "true");
    assert_eq!(plan.framework["config.max_num_batched_tokens"], "8192");
    assert_eq!(resolved.notes.len(), 2, "{:?}", resolved.notes);
    assert!(resolved.notes[0].contains("ShareGPT_v3"), "{:?}", resolved.notes);
}

#[test]
fn an_empty_file_gives_the_defaults() {
    for text in [
        "",
        "# nothing\n",
        "{}",
        "schema: perfgate-llm/1\n",
        "gates:\ntarget:\nconcurrency:\n",
    ] {
        let resolved = file(text).unwrap();
        let plan = &resolved.plan;
        assert_eq!(plan.target.url, "http://127.0.0.1:8000");
        assert_eq!(plan.target.api, Api::Chat);
        assert_eq!(plan.target.timeouts, perfgate::plan::Timeouts::default());
        assert_eq!(plan.loads, [1, 4, 16].map(Load::Concurrency));
        assert_eq!(
            (plan.requests_per_run, plan.warmup_requests, plan.repeats, plan.seed),
            (200, 20, 5, 42)
        );
        assert_eq!(
            plan.workload.prompts,
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(512)
            }
        );
        assert_eq!(plan.workload.output_tokens, Lengths::Fixed(128));
        assert_eq!(plan.target.extra_body["ignore_eos"], "true");
        assert!((plan.max_error_rate - 0.01).abs() < 1e-12);
        assert_eq!(resolved.policy.gates.len(), 6);
        assert_eq!(resolved.settings.store.folder(), Some(Path::new("baselines")));
        assert!(resolved.origins.iter().all(|o| o.source == Source::Default), "{text}");
    }
}

#[test]
fn the_starter_changes_nothing_but_origins() {
    let started = file(starter()).unwrap();
    let default = file("").unwrap();
    assert_eq!(started.plan, default.plan);
    assert_eq!(started.policy, default.policy);
}

#[test]
fn the_example_of_an_ab_measurement_names_both_arms() {
    let resolved = example("ab.yaml");
    assert_eq!(resolved.measure, Measure::Ab);
    assert_eq!(resolved.alternation.looks, [3, 5, 8, 12]);
    assert_eq!(resolved.alternation.max, Some(Duration::from_secs(45 * 60)));
    let arms = resolved.arms.unwrap();
    assert!(arms.together);
    let (ArmPlace::Command(old), ArmPlace::Command(new)) = (&arms.baseline, &arms.candidate) else {
        unreachable!("{arms:?}")
    };
    assert_eq!(old.command.len(), new.command.len());
    assert_eq!(
        (old.command[0].as_str(), new.command[0].as_str()),
        ("main/llama-server", "pr/llama-server")
    );
    assert_eq!(
        (old.ready.as_str(), new.env["LLAMA_LOG_PREFIX"].as_str()),
        ("/health", "1")
    );
}

#[test]
fn the_highest_layer_decides_whether_an_arm_runs_or_is_started() {
    let text = "arms: {baseline: {command: serve {port}, port: 7}, candidate: {url: \"http://a\"}}";
    let arms = |given: &[(&str, &str)]| {
        layers(&text.replace("serve {port}", "'serve {port}'"), &[], given)
            .unwrap()
            .arms
            .unwrap()
    };
    assert!(matches!(arms(&[]).baseline, ArmPlace::Command(_)));
    assert!(!arms(&[]).together);
    let both_run = arms(&[("baseline-url", "http://b")]);
    assert_eq!(both_run.baseline, ArmPlace::Url("http://b".into()));
    assert!(both_run.together, "servers that run are up at once");
    assert!(matches!(
        arms(&[("candidate-command", "serve --port {port}")]).candidate,
        ArmPlace::Command(_)
    ));
    assert_eq!(
        flags(&[("baseline-url", "http://b")]).unwrap().arms,
        None,
        "only one of them"
    );
    let only = flags(&[("candidate-url", "http://b")]).unwrap().only_arm.unwrap();
    assert_eq!(only.baseline, only.candidate, "it can still be measured against itself");
}

#[test]
fn an_arm_may_tell_what_it_holds_at_another_address() {
    let arms = |given: &[(&str, &str)]| {
        let text =
            "arms: {baseline: {url: \"http://a\", metrics: \"http://a:9090\"}, candidate: {command: 'serve {port}'}}";
        layers(text, &[], given).unwrap().arms.unwrap().metrics
    };
    let page = |text: &str| Some(text.to_owned());
    assert_eq!(arms(&[]), [page("http://a:9090/metrics"), None], "the usual page");
    let flag = [("candidate-metrics", "http://127.0.0.1:9091/own/page")];
    assert_eq!(
        arms(&flag),
        [page("http://a:9090/metrics"), page("http://127.0.0.1:9091/own/page")]
    );
    let only = flags(&[("candidate-url", "http://b"), ("candidate-metrics", "http://b:1/m")]).unwrap();
    assert_eq!(
        only.only_arm.unwrap().metrics,
        [page("http://b:1/m"), page("http://b:1/m")]
    );
    for bad in ["b:9090", "http://me:key@b", "http://b/m?x=1"] {
        assert!(
            flags(&[("candidate-url", "http://b"), ("candidate-metrics", bad)]).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn an_arm_is_built_as_its_file_or_a_flag_says() {
    let text = "arms:\n  build_timeout: 5m\n  candidate: {command: 'serve {port}', build: [make, -j, 4]}\n";
    let arms = |given: &[(&str, &str)]| layers(text, &[], given).unwrap().only_arm.unwrap();
    let build = |arms: &perfgate::plan::Arms| match &arms.candidate {
        ArmPlace::Command(launch) => launch.build.clone(),
        ArmPlace::Url(_) => unreachable!(),
    };
    let told = arms(&[]);
    assert_eq!(
        (build(&told).join(" "), told.build_timeout),
        ("make -j 4".into(), Duration::from_secs(300))
    );
    assert_eq!(build(&arms(&[("candidate-build", "sh 'a b.sh'")])), ["sh", "a b.sh"]);
    let usual = flags(&[("candidate-command", "serve {port}")])
        .unwrap()
        .only_arm
        .unwrap();
    assert_eq!(
        (build(&usual).len(), usual.build_timeout),
        (0, Duration::from_secs(3600))
    );
}

#[test]
fn how_an_arm_is_started_may_stand_in_one_place_and_each_key_once() {
    let text = "\
arms:
  candidate:
    launch:
      build: make
      command: [serve, '{port}', '{commit}']
      ready: {path: /up, timeout: 90s}
      env: {A: b}
      stop: serve stop
      reset: /reset
      version: {path: /version, contains: \"{short_commit}\"}
";
    let launch = |text: &str, given: &[(&str, &str)]| {
        let arms = layers(text, &[], given).unwrap().only_arm.unwrap();
        match arms.candidate {
            ArmPlace::Command(launch) => launch,
            ArmPlace::Url(_) => unreachable!(),
        }
    };
    let told = launch(text, &[]);
    let flat = text.replace("    launch:\n", "").replace("      ", "    ");
    assert_eq!(told, launch(&flat, &[]), "the same as without `launch`");
    assert_eq!(
        (told.ready.as_str(), told.start_timeout),
        ("/up", Some(Duration::from_secs(90)))
    );
    assert_eq!(told.reset, Some(Reset::Page("/reset".into())));
    let says = told.version.as_ref().unwrap();
    assert_eq!(
        (says.page.as_deref(), says.contains.as_str()),
        (Some("/version"), "{short_commit}")
    );
    // Flags put it aside key by key.
    let flags = [
        ("candidate-ready", "/other"),
        ("candidate-reset", "sh reset.sh"),
        ("candidate-version", "contains=v1"),
    ];
    let other = launch(text, &flags);
    assert_eq!((other.ready.as_str(), other.start_timeout), ("/other", None));
    assert_eq!(other.reset, Some(Reset::Command(vec!["sh".into(), "reset.sh".into()])));
    assert_eq!((other.version.unwrap().page, &other.stop), (None, &told.stop));
    let twice = format!("{text}    stop: other\n");
    let error = layers(&twice, &[], &[]).unwrap_err();
    assert!(
        error.contains("arms.candidate.stop: this stands under `launch` as well; give it once"),
        "{error}"
    );
}

#[test]
fn two_servers_that_are_up_at_once_want_two_ports() {
    let arms = |more: &str, port: u16| {
        let arm = |port| format!("{{command: [serve, \"{{port}}\"], port: {port}}}");
        let text = format!("arms:\n  baseline: {}\n  candidate: {}\n{more}", arm(7), arm(port));
        layers(&text, &[], &[]).map(|_| ())
    };
    assert!(arms("", 7).is_ok(), "one after the other");
    assert!(arms("  together: true", 8).is_ok());
    let error = arms("  together: true", 7).unwrap_err();
    assert!(
        error.starts_with("perfgate.yaml:3: arms.candidate.port: `7` is the baseline's port as well"),
        "{error}"
    );
}

#[test]
fn the_full_example_is_read_key_by_key() {
    let resolved = example("perfgate.yaml");
    let plan = &resolved.plan;
    assert_eq!(plan.target.api, Api::Completions);
    assert_eq!(plan.target.timeouts.first_token, Duration::from_secs(120));
    assert_eq!(plan.target.timeouts.between_tokens, Duration::from_secs(60));
    assert_eq!(plan.loads.len(), 5);
    assert_eq!(plan.workload.output_tokens, Lengths::Uniform { min: 64, max: 256 });
    assert_eq!(plan.target.extra_body["top_p"], "1.0");
    // One that every later session would carry.
    assert_eq!((&resolved.settings.commit, &resolved.settings.baseline), (&None, &None));
    assert_eq!(
        resolved.settings.store.folder(),
        Some(root().join("examples/baselines").as_path())
    );
    assert!(!resolved.policy.gates.contains_key(&Metric::GpuMemoryPeakGb));
    assert!(resolved.policy.allow.contains("hardware.gpu_driver"));
    assert_eq!(
        resolved.header_sources,
        [
            ("X-Gateway-Key".to_owned(), HeaderSource::Env("GATEWAY_KEY".into())),
            ("X-Route".to_owned(), HeaderSource::Text("staging".into())),
        ]
    );
}

#[test]
fn numbers_that_are_names_keep_their_digits() {
    let resolved = file(
        "commit: 0123456\nmodel: 7\nhardware: {cuda: 12.10, gpus: [A, B], bus: 0x1f, site: no}\nframework: {v: 1e3}",
    )
    .unwrap();
    assert_eq!(resolved.settings.commit.as_deref(), Some("0123456"));
    assert_eq!(resolved.plan.target.model.as_deref(), Some("7"));
    assert_eq!(resolved.plan.hardware["cuda"], "12.10");
    assert_eq!(resolved.plan.hardware["gpus.1"], "B");
    assert_eq!(resolved.plan.hardware["bus"], "0x1f");
    assert_eq!(resolved.plan.hardware["site"], "no");
    assert_eq!(resolved.plan.framework["v"], "1e3");
    assert_eq!(
        flags(&[("commit", "1234567")]).unwrap().settings.commit.as_deref(),
        Some("1234567")
    );
}

/// Each bad file with the exact error, separated by `=>`; cases are separated by `---`.
#[test]
fn each_bad_file_is_refused_with_file_line_and_key() {
    let cases = include_str!("config_bad_files.txt");
    let mut told = String::new();
    for case in cases.split("\n---\n") {
        let (text, _) = case.split_once("\n=> ").unwrap();
        let told_now = file(&text.replace("<TAB>", "\t")).map_or_else(|error| error, |_| "loads".to_owned());
        let separator = if told.is_empty() { "" } else { "\n---\n" };
        write!(told, "{separator}{text}\n=> {told_now}").unwrap();
    }
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(root().join("tests/it/config_bad_files.txt"), format!("{told}\n")).unwrap();
    }
    assert_eq!(told.trim_end(), cases.trim_end());
}

/// Flag, text, and the exact error.
const BAD_FLAGS: &[(&str, &str, &str)] = &[
    (
        "requests",
        "abc",
        "`--requests`: expected a whole number, found the text `abc`",
    ),
    (
        "requests",
        "0",
        "`--requests`: `0` is not a whole number from 1 to 10000000",
    ),
    (
        "concurrency",
        "1,x",
        "`--concurrency`: `x` is not a whole number from 1 to 100000",
    ),
    (
        "concurrency",
        "4,4",
        "`--concurrency`: `4` is given twice; each level is one cell",
    ),
    (
        "rate",
        "inf",
        "`--rate`: `inf` is not a rate; give requests per second from 0.000001 to 1000000",
    ),
    (
        "rate",
        "-1",
        "`--rate`: `-1` is not a rate; give requests per second from 0.000001 to 1000000",
    ),
    (
        "api",
        "grpc",
        "`--api`: `grpc` is not one of `chat`, `completions`, `responses`, `embeddings`, `messages`, `kserve_generate`, `kserve_infer`, `tgi`",
    ),
    (
        "concurrency",
        "8:1",
        "`--concurrency`: `8:1` goes down; give the lower level first",
    ),
    ("ramp", "from=1", "`--ramp`: key `to` is missing"),
    ("ramp", "1,20", "`--ramp`: `1` has no `=`; give `key=value,key=value`"),
    ("ramp", "from=1,too=2", "`--ramp`: unknown key; did you mean `to`?"),
    (
        "stages",
        "rate=4",
        "`--stages`: `rate=4` has no length after a colon; give `rate=4:30s` or `concurrency=8:100`",
    ),
    ("stages", "rats=4:5", "`--stages`: unknown key; did you mean `rate`?"),
    (
        "slo",
        "ttft=soon",
        "`--slo`: `soon` is not a latency from 1 us to 24 h; write `2s`, `200ms`, `500us` or seconds as a number",
    ),
    (
        "slo",
        "itl=2s",
        "`--slo`: unknown key; the keys here are `ttft`, `tpot`, `e2e`",
    ),
    (
        "http",
        "3",
        "`--http`: `3` is no version of HTTP; give `1`, `2` or `auto`",
    ),
    (
        "cache-reset",
        "flush",
        "`--cache-reset`: `flush` is no page; give `auto`, `off` or a path such as `/reset_prefix_cache`",
    ),
    (
        "metrics",
        "metrics",
        "`--metrics`: `metrics` is no page; give `auto`, `off`, a path such as `/metrics` or an address such as \
         `http://127.0.0.1:8002/metrics`",
    ),
    (
        "metrics",
        "http://u:p@h/metrics",
        "`--metrics`: the address holds a user name or password; remove it and use `target.api_key_env`",
    ),
    (
        "metrics-interval",
        "50ms",
        "`--metrics-interval`: a page read so often would be load of its own; give `100ms` or more",
    ),
    (
        "arrivals",
        "gamma",
        "`--arrivals`: `gamma` needs `burstiness`, such as `0.5`",
    ),
    (
        "trace-speed",
        "2",
        "`--trace-speed`: there is no trace to replay; give `trace` or remove this",
    ),
    (
        "models",
        "a=0",
        "`--models`: `0` is not a number from 0.000001 to 1000000",
    ),
    ("images", "width=5", "`--images`: key `height` is missing"),
    (
        "warmup",
        "some",
        "`--warmup`: `some` is not a whole number from 0 to 10000000, or `auto`",
    ),
    (
        "output-tokens",
        "1,2,3",
        "`--output-tokens`: `1,2,3` has too many numbers; give `512,64`, `100..200`, `lognormal:512,64` or `zipf:1..4096,1.2`",
    ),
    (
        "output-tokens",
        "bell:5",
        "`--output-tokens`: `bell` is not one of `fixed`, `normal`, `lognormal`, `uniform`, `zipf`",
    ),
    (
        "output-tokens",
        "zipf:1..9",
        "`--output-tokens`: distribution `zipf` needs `exponent`",
    ),
    ("capacity", "min=5,max=2", "`--capacity`: `min` 5 is above `max` 2"),
    (
        "sweep",
        "axis=concurrency,from=1.5,to=4",
        "`--sweep`: `1.5` requests cannot be in flight; give a whole number",
    ),
    (
        "input-tokens",
        "5,-1",
        "`--input-tokens`: `-1` is not a number of tokens from 0 to 10000000",
    ),
    ("input-tokens", "9..3", "`--input-tokens`: `min` 9 is above `max` 3"),
    (
        "header",
        "oops",
        "`--header`: give `Name: value` or `Name: env:VARIABLE`",
    ),
    (
        "extra-body",
        "{",
        "`--extra-body`: no valid JSON: EOF while parsing an object at line 1 column 1",
    ),
    ("extra-body", "[]", "`--extra-body`: expected a map, found a list"),
    ("hardware", "gpu", "`--hardware`: `gpu` has no `=`; give `key=value`"),
    (
        "gate",
        "tpot_95=5%",
        "`--gate`: there is no metric `tpot_95`; did you mean `tpot_p95`?",
    ),
    (
        "gate",
        "tpot_p95=5%:stop",
        "`--gate`: `stop` is not one of `block`, `warn`, `report`",
    ),
    (
        "threshold",
        "0",
        "`--threshold`: `0` is not a limit; write a fraction above 0 such as `0.05` or `5%`, at most `1000%`, or a \
         difference such as `+50 ms` or `-2 tokens/s`",
    ),
    (
        "threshold",
        "150%",
        "`--threshold`: limit 1.5 is too large for `output_tokens_per_s`, where more is better; give less than 1",
    ),
    (
        "threshold",
        "qps=5%",
        "`--threshold`: `qps` has no gate; give it one with `gates.qps` or `--gate qps=LIMIT`",
    ),
    (
        "timeout",
        "soon",
        "`--timeout`: `soon` is not a duration from 1 ms to 24 h; write `500ms`, `10s`, `2m` or seconds as a number",
    ),
    (
        "api-key-env",
        "sk-very-secret",
        "`--api-key-env`: this is no name of an environment variable; give the name, never the secret itself",
    ),
    (
        "url",
        "http://me:hunter2@h",
        "`--url`: the address holds a user name or password; remove it and use `target.api_key_env`",
    ),
    (
        "quiet",
        "maybe",
        "`--quiet`: expected `true` or `false`, found the text `maybe`",
    ),
    ("nonsense", "1", "`--nonsense`: there is no such flag"),
];

#[test]
fn each_bad_flag_or_variable_is_refused_by_its_name() {
    for &(flag, text, error) in BAD_FLAGS {
        assert_eq!(flags(&[(flag, text)]).unwrap_err(), error, "--{flag} {text}");
        let Some(key) = KEYS.iter().find(|key| key.flag == flag) else {
            continue;
        };
        let told = layers("", &[(key.env, text)], &[]).unwrap_err();
        assert_eq!(told, error.replacen(&format!("--{flag}"), key.env, 1), "{}", key.env);
    }
}

#[test]
fn what_is_no_text_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, last) in ('b'..='k').zip('a'..) {
        writeln!(bomb, "{name}: &{name} [{}]", vec![format!("*{last}"); 9].join(",")).unwrap();
    }
    let deep = format!("hardware: {}1{}", "[".repeat(5000), "]".repeat(5000));
    for (bytes, needle) in [
        (b"\x7fELF\x00\xff\xfe".to_vec(), "not UTF-8 text"),
        (b"repeat: 5\0".to_vec(), "not UTF-8 text"),
        (vec![b'#'; 10 << 20], "larger than 1 MiB"),
        (bomb.into_bytes(), "perfgate.yaml:"),
        (deep.into_bytes(), "perfgate.yaml:1"),
    ] {
        let path = folder.path().join("perfgate.yaml");
        fs::write(&path, bytes).unwrap();
        let error = resolve(Some(&path), &|_| None, &Overrides::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(needle), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let missing = resolve(Some(&folder.path().join("none.yaml")), &|_| None, &Overrides::new());
    assert!(matches!(missing, Err(ConfigError::Unreadable { .. })));
    let a_folder = resolve(Some(folder.path()), &|_| None, &Overrides::new());
    assert!(matches!(a_folder, Err(ConfigError::Unreadable { .. })));
}

/// A text for each key that differs from its default, as flag or variable.
fn sample(path: &str) -> &'static str {
    match path {
        "target.url" => "https://h/v1",
        "target.urls" => "https://h/v1,http://i",
        "target.spread" => "random",
        "target.streaming" | "target.reuse_connections" => "false",
        "target.http" => "2",
        "target.cache_reset" => "/flush_cache",
        "target.metrics" => "http://h:8002/metrics",
        "target.gpus" => "1,MIG-7a",
        "target.nvml_lib" => "/opt/nvidia/libnvidia-ml.so.1",
        "target.gpu_exporter" => "http://h:9400",
        "ramp" => "from=1,to=20,shape=exponential",
        "stages" => "rate=4:30s,concurrency=8:100",
        "shared_prefix" => "groups=8,prefix_tokens=512..1024",
        "conversation" => "turns=4,think_time=2s",
        "models" => "base=3,adapter",
        "images" => "width=64,height=32",
        "slo" => "ttft=2s,tpot=200ms",
        "capacity" => "axis=concurrency,min=2,max=64",
        "sweep" => "from=1,to=8,steps=4,spacing=linear",
        "target.api" => "completions",
        "target.headers" => "X-A: b",
        "target.api_key_env" => "KEY",
        "extra_body" => r#"{"top_k": 1}"#,
        "concurrency" | "rate" => "2,3",
        "arrivals" => "constant",
        "input_tokens" | "output_tokens" => "100,10",
        "max_error_rate" => "2%",
        "threshold" => "tpot_p95=7%",
        "gates" => "e2e_p95=7%:warn:profile",
        "hardware" | "framework" => "a=b",
        "quiet" | "reuse_prompts" | "arms.together" => "true",
        "allow" => "engine.version",
        "fields" => "engine.version=ignore",
        "ceilings" => "ttft_p95<=2s",
        "confidence" => "0.95",
        "family_error" => "5%",
        "price" => "gpu_hour=2.5,gpus=8",
        "on_inconclusive" | "on_unmet_explanation" | "on_unmet_profile" | "memory_headroom" => "block",
        "measure" => "ab",
        "scenario" => "mlperf-offline",
        "benchmark" => "llama2-70b",
        "test_minimum" => "requests=7,duration=7s",
        "profile" => "steps=7,timeout=90s,dir=traces",
        "ab.looks" => "3,6",
        "runner.tool" | "runner.format" => "aiperf",
        "runner.command" => "bench {out}",
        "runner.args" => "--verbose",
        "runner.timeout" => "7s",
        path if path.starts_with("arms.") => match path.rsplit('.').next() {
            Some("url" | "metrics") => "http://h:1",
            Some("command" | "build" | "stop") => "serve --port {port}",
            Some("ready" | "reset") => "/ready",
            Some("version") => "path=/version,contains={commit}",
            Some("env") => "A=b",
            Some("start_timeout" | "build_timeout") => "7s",
            _ => "7",
        },
        path if path.starts_with("target.timeouts") => "7s",
        _ => "7",
    }
}

/// What a key needs beside it to have a meaning.
fn beside(path: &str) -> &'static str {
    match path {
        "trace_speed" => "trace: a.jsonl",
        "batch" => "target: {api: embeddings}",
        "warmup_limit" => "warmup_requests: 5",
        "runner.args" | "runner.format" | "runner.timeout" => "runner: vllm",
        "scenario" => "benchmark: deepseek-r1",
        "benchmark" | "test_minimum" => "{scenario: mlperf-offline, benchmark: deepseek-r1}",
        _ => "",
    }
}

#[test]
fn every_key_has_one_variable_and_one_flag_and_each_really_counts() {
    let default = show(&file("").unwrap());
    let mut names = BTreeSet::new();
    for key in KEYS {
        for name in [("key", key.path), ("variable", key.env), ("flag", key.flag)] {
            assert!(names.insert(name), "{name:?} stands twice");
        }
        let text = sample(key.path);
        let beside = beside(key.path);
        let by_env = layers(beside, &[(key.env, text)], &[]).unwrap();
        let by_flag = layers(beside, &[(key.env, text)], &[(key.flag, text)]).unwrap();
        let from = |resolved: &Resolved, source| resolved.origins.iter().any(|origin| origin.source == source);
        assert!(from(&by_env, Source::Env(key.env)), "{}", key.env);
        assert!(from(&by_flag, Source::Flag(key.flag)), "--{}", key.flag);
        assert!(
            !from(&by_flag, Source::Env(key.env)),
            "--{} does not beat {}",
            key.flag,
            key.env
        );
        let values = |resolved: &Resolved| {
            resolved
                .origins
                .iter()
                .map(|o| (o.key.clone(), o.value.clone()))
                .collect::<Vec<_>>()
        };
        assert_ne!(
            values(&by_env),
            values(&file(beside).unwrap()),
            "{}: {default}",
            key.env
        );
        assert_eq!(values(&by_env), values(&by_flag), "{}", key.path);
    }
}

#[test]
fn every_key_of_the_file_is_in_the_table_and_the_other_way_round() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let keys_of = |value: &serde_json::Value| -> Vec<String> {
        value["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let mut paths: BTreeSet<String> = keys_of(&schema).into_iter().collect();
    paths.remove("schema");
    paths.remove("target");
    for key in keys_of(&schema["$defs"]["Target"]) {
        paths.insert(format!("target.{key}"));
    }
    for key in keys_of(&schema["$defs"]["Ab"]) {
        paths.insert(format!("ab.{key}"));
    }
    for key in keys_of(&schema["$defs"]["Arms"]) {
        paths.insert(format!("arms.{key}"));
    }
    for arm in ["arms.baseline", "arms.candidate"] {
        paths.remove(arm);
        for key in keys_of(&schema["$defs"]["Arm"]) {
            paths.insert(format!("{arm}.{key}"));
        }
        // The same keys once more, gathered for the file.
        paths.remove(&format!("{arm}.launch"));
    }
    for key in keys_of(&schema["$defs"]["Runner"]) {
        paths.insert(format!("runner.{key}"));
    }
    for group in ["ab", "arms", "runner"] {
        paths.remove(group);
    }
    paths.remove("target.model");
    paths.remove("warmup");
    paths.remove("target.timeouts");
    for key in keys_of(&schema["$defs"]["Timeouts"]) {
        paths.insert(format!("target.timeouts.{key}"));
    }
    let table: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(paths, table);
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let (text, env, flag) = ("\nrepeat: 2", [("PERFGATE_REPEAT", "3")], [("repeat", "4")]);
    for (resolved, value, source) in [
        (layers("", &[], &[]), 5, Source::Default),
        (layers(text, &[], &[]), 2, Source::File { line: 2 }),
        (layers(text, &env, &[]), 3, Source::Env("PERFGATE_REPEAT")),
        (layers(text, &env, &flag), 4, Source::Flag("repeat")),
        (
            layers(text, &[("PERFGATE_REPEAT", "")], &[]),
            2,
            Source::File { line: 2 },
        ),
    ] {
        let resolved = resolved.unwrap();
        assert_eq!(resolved.plan.repeats, value);
        assert_eq!(origin(&resolved, "repeat"), (value.to_string(), source));
    }
}

#[test]
fn a_windows_file_with_foreign_letters_is_read_the_same() {
    let text = "\u{feff}# größer 🦀\r\nhardware: {größe: 12.10}\r\ncommit: 0123456 # é\r\nrepeat: 0x10\r\n";
    let resolved = file(text).unwrap();
    assert_eq!(resolved.plan.hardware["größe"], "12.10");
    assert_eq!(resolved.settings.commit.as_deref(), Some("0123456"));
    assert_eq!(resolved.plan.repeats, 16);
    assert_eq!(origin(&resolved, "repeat").1, Source::File { line: 4 });
}

#[test]
fn the_file_may_be_named_by_a_variable_and_a_flag_beats_it() {
    let folder = tempfile::tempdir().unwrap();
    let (named, flagged) = (folder.path().join("named.yaml"), folder.path().join("flagged.yaml"));
    fs::write(&named, "repeat: 2\nstore: here").unwrap();
    fs::write(&flagged, "repeat: 3").unwrap();
    let env = |name: &str| (name == "PERFGATE_CONFIG").then(|| named.display().to_string());
    let resolved = resolve(None, &env, &Overrides::new()).unwrap();
    assert_eq!(resolved.plan.repeats, 2);
    assert_eq!(
        resolved.settings.store.folder(),
        Some(folder.path().join("here").as_path())
    );
    assert_eq!(
        resolve(Some(&flagged), &env, &Overrides::new()).unwrap().plan.repeats,
        3
    );
}

#[test]
fn a_bad_file_is_refused_even_where_a_flag_overrides_it() {
    let error = layers("repeat: none", &[], &[("repeat", "3")]).unwrap_err();
    assert!(error.starts_with("perfgate.yaml:1: repeat: "), "{error}");
}

#[test]
fn the_highest_layer_with_a_load_level_decides_all_levels() {
    let poisson = |rate_rps| Load::Rate {
        rate_rps,
        arrivals: Arrivals::Poisson,
    };
    for (text, given, loads) in [
        ("", vec![("rate", "8")], vec![poisson(8.0)]),
        ("concurrency: [1, 2]", vec![("rate", "8")], vec![poisson(8.0)]),
        ("rate: 4.5", vec![("concurrency", "3")], vec![Load::Concurrency(3)]),
        (
            "rate: 4.5\nconcurrency: 2",
            vec![],
            vec![Load::Concurrency(2), poisson(4.5)],
        ),
        (
            "concurrency: 9",
            vec![("concurrency", "1"), ("concurrency", "2")],
            vec![Load::Concurrency(1), Load::Concurrency(2)],
        ),
    ] {
        assert_eq!(layers(text, &[], &given).unwrap().plan.loads, loads, "{text} {given:?}");
    }
}

#[test]
fn descriptions_and_headers_add_up_over_the_layers() {
    let text = "hardware: {gpu: A, n: 1}\ntarget: {headers: {x-a: file, X-B: file}}";
    let resolved = layers(
        text,
        &[("PERFGATE_HARDWARE", "n=2\nrack=r")],
        &[("header", "X-A: env:SECRET")],
    )
    .unwrap();
    let hardware: BTreeMap<_, _> = [("gpu", "A"), ("n", "2"), ("rack", "r")]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
    assert_eq!(resolved.plan.hardware, hardware);
    assert_eq!(resolved.plan.target.header_names, ["X-A", "X-B"]);
    assert_eq!(
        origin(&resolved, "target.headers.X-A"),
        ("env:SECRET".into(), Source::Flag("header"))
    );
}

fn share(gate: Gate) -> f64 {
    match gate.limit {
        Limit::Relative(share) => share,
        Limit::Absolute(size) => unreachable!("{size} is no share"),
    }
}

fn gates_of(text: &str, given: &[(&str, &str)]) -> BTreeMap<&'static str, (f64, Action, Option<Evidence>)> {
    let policy = layers(text, &[], given).unwrap().policy;
    let row = |(metric, gate): (Metric, Gate)| (metric.key(), (share(gate), gate.action, gate.requires));
    policy.gates.into_iter().map(row).collect()
}

#[test]
fn a_rule_keeps_what_it_does_not_name_and_a_metric_without_one_blocks() {
    let gates = gates_of("gates: {ttft_p95: {threshold: 20%}, tpot_p95: off, qps: 0.5}", &[]);
    assert_eq!(gates["ttft_p95"], (0.2, Action::Warn, Some(Evidence::Explanation)));
    let strict = gates_of(
        "gates: {ttft_p95: {threshold: 20%, action: block, requires: none}}",
        &[],
    );
    assert_eq!(strict["ttft_p95"], (0.2, Action::Block, None));
    assert_eq!(gates["qps"], (0.5, Action::Block, None));
    assert_eq!(
        gates["gpu_memory_peak_gb"],
        (0.1, Action::Warn, Some(Evidence::Profile))
    );
    assert!(!gates.contains_key("tpot_p95"));
    let off = file("seed: 1\ngates: {tpot_p95: off}").unwrap();
    assert_eq!(origin(&off, "gates.tpot_p95"), ("off".into(), Source::File { line: 2 }));
}

#[test]
fn limits_may_be_differences_and_actions_stand_alone() {
    let policy = layers(
        "gates:\n  ttft_p95: +50 ms\n  output_tokens_per_s: {threshold: -2 tokens/s, action: report}\n  failed: 3 requests\n  \
         gpu_memory_peak_gb: 1 GiB\n  tpot_p95: warn\n  error_rate: report\nthreshold: {max_rate_under_slo: 0.5 req/s}",
        &[],
        &[("gate", "e2e_p95=+0.5s:warn"), ("gate", "itl_p99=+5")],
    );
    let policy = policy.unwrap().policy;
    let rule = |key: &str| {
        let gate = policy.gates[&Metric::from_key(key).unwrap()];
        (gate.limit, gate.action)
    };
    for (key, size, action) in [
        ("ttft_p95", 50.0, Action::Warn),
        ("output_tokens_per_s", 2.0, Action::Report),
        ("failed", 3.0, Action::Block),
        ("gpu_memory_peak_gb", 1.073_741_824, Action::Warn),
        ("e2e_p95", 500.0, Action::Warn),
        ("itl_p99", 5.0, Action::Block),
        ("max_rate_under_slo", 0.5, Action::Block),
    ] {
        assert_eq!(rule(key), (Limit::Absolute(size), action), "{key}");
    }
    assert_eq!(rule("tpot_p95"), (Limit::Relative(0.05), Action::Warn));
    assert_eq!(policy.errors, Some(Action::Report));
    assert_eq!(file("gates: {error_rate: off}").unwrap().policy.errors, None);
}

#[test]
fn ceilings_and_fields_add_up_over_the_layers_by_name() {
    let text = "ceilings: {ttft_p95: <= 2 s, output_tokens_per_s: '>= 500', e2e_p95: 9 s}\n\
                fields: {engine.version: ignore, hardware.rack: warn}\nallow: [engine.name, engine.version]";
    let resolved = layers(
        text,
        &[("PERFGATE_FIELDS", "hardware.rack=refuse\nplan.seed=warn")],
        &[("ceiling", "ttft_p95<=1s,e2e_p95=off")],
    );
    let resolved = resolved.unwrap();
    let policy = &resolved.policy;
    let ceilings: Vec<(&str, f64)> = policy
        .ceilings
        .iter()
        .map(|(metric, bound)| (metric.key(), *bound))
        .collect();
    assert_eq!(ceilings, [("ttft_p95", 1000.0), ("output_tokens_per_s", 500.0)]);
    for (field, rule) in [
        ("engine.version", FieldRule::Ignore),
        ("engine.name", FieldRule::Warn),
        ("hardware.rack", FieldRule::Refuse),
        ("plan.seed", FieldRule::Warn),
        ("plan.model", FieldRule::Refuse),
    ] {
        assert_eq!(policy.field_rule(field), rule, "{field}");
    }
    assert_eq!(
        origin(&resolved, "fields.engine.version"),
        ("ignore".into(), Source::File { line: 2 })
    );
    assert_eq!(
        origin(&resolved, "ceilings.ttft_p95"),
        ("<= 1000 ms".into(), Source::Flag("ceiling"))
    );
}

#[test]
fn a_field_that_no_fingerprint_has_is_refused_where_it_was_written() {
    let told = |file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]| layers(file, env, flags).map(|_| ());
    let meant = "there is no field `hardware.cpu_coers`; did you mean `hardware.cpu_cores`?";
    for (env, flags, place) in [
        (None, Some(("field", "hardware.cpu_coers=ignore")), "`--field`: "),
        (None, Some(("allow", "hardware.cpu_coers")), "`--allow`: "),
        (
            Some(("PERFGATE_FIELDS", "hardware.cpu_coers=ignore")),
            None,
            "`PERFGATE_FIELDS`: ",
        ),
    ] {
        let error = told("seed: 1", env.as_slice(), flags.as_slice()).unwrap_err();
        assert!(error.starts_with(place) && error.contains(meant), "{error}");
    }
    // What somebody states in any layer may be named in any other, and so may what only a session states.
    let stated = ("hardware", "cpu_coers=4");
    assert_eq!(told("fields: {hardware.cpu_coers: ignore}", &[], &[stated]), Ok(()));
    for own in ["rack", "tpu", "npu", "tpus"] {
        assert_eq!(
            told("seed: 1", &[], &[("allow", &format!("hardware.{own}"))]),
            Ok(()),
            "{own}"
        );
    }
}

#[test]
fn a_switch_may_be_a_one_or_a_zero() {
    for (text, on) in [("1", true), ("0", false), ("true", true), ("false", false)] {
        let resolved = layers("quiet: true", &[("PERFGATE_QUIET", text)], &[]).unwrap();
        assert_eq!(resolved.settings.quiet, on, "{text}");
    }
}

#[test]
fn a_limit_for_all_gives_way_to_a_limit_for_one() {
    let gates = gates_of(
        "gates: {e2e_p95: 8%}",
        &[
            ("threshold", "5%"),
            ("threshold", "e2e_p95=3%"),
            ("gate", "tpot_p95=9%"),
        ],
    );
    assert_eq!(gates["e2e_p95"], (0.03, Action::Block, None));
    assert_eq!(gates["tpot_p95"], (0.09, Action::Block, None));
    assert_eq!(gates["ttft_p95"], (0.05, Action::Warn, Some(Evidence::Explanation)));
    assert_eq!(gates_of("threshold: {ttft_p95: 1%}", &[])["ttft_p95"].1, Action::Warn);
}

#[test]
fn secrets_are_read_late_and_shown_never() {
    let text = "target:\n  api_key_env: KEY\n  headers: {X-A: plain-secret, X-B: {env: B}, X-C: '${HOME}'}";
    let resolved = file(text).unwrap();
    let printed = format!("{} {resolved:?}", show(&resolved));
    assert!(!printed.contains("plain-secret"), "{printed}");
    let env = |name: &str| Some(format!("value of {name}"));
    let secrets = resolved.secrets(&env).unwrap();
    assert_eq!(secrets.api_key.as_deref(), Some("value of KEY"));
    let headers = [("X-A", "plain-secret"), ("X-B", "value of B"), ("X-C", "${HOME}")];
    assert_eq!(
        secrets.headers,
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let missing = resolved
        .secrets(&|name| (name != "B").then(|| "x".into()))
        .unwrap_err()
        .to_string();
    assert_eq!(
        missing,
        "`target.headers.X-B` names the environment variable `B`, which is not set; set it or remove the key"
    );
    let broken = resolved.secrets(&|_| Some("se\ncret".into())).unwrap_err().to_string();
    assert!(
        broken.contains("target.api_key_env") && !broken.contains("cret\n"),
        "{broken}"
    );
}

#[test]
fn the_resolved_plan_is_shown_with_the_place_of_each_value() {
    let resolved = layers(
        "repeat: 3\ndataset: nowhere.jsonl\ngates:\n  tpot_p95: 3%\nhardware:\n  gpu: H100",
        &[("PERFGATE_SEED", "7")],
        &[("rate", "8,16.5"), ("header", "X-A: b"), ("framework", "config.tp=8")],
    )
    .unwrap();
    let shown = show(&resolved);
    let folder = resolved.settings.dataset_dir.display().to_string();
    insta::assert_snapshot!(shown.replace(&folder, ""));
}

#[test]
fn the_committed_schema_is_the_one_of_the_twin() {
    assert_committed("schemas/config.schema.json", &json_schema());
}

#[test]
fn the_schema_accepts_the_examples_and_refuses_a_wrong_key() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut texts = vec![starter().to_owned()];
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    assert!(texts.len() >= 8, "{} texts", texts.len());
    for text in &texts {
        let value: serde_json::Value =
            serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true }).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in {text}");
    }
    for wrong in [
        r#"{"num_request": 1}"#,
        r#"{"repeat": 0}"#,
        r#"{"gates": {"qps": {"action": "warn"}}}"#,
        r#"{"concurrency": []}"#,
    ] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn the_manual_names_every_key_variable_and_flag() {
    let manual = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    for key in KEYS {
        let row = format!("| `{}` | `{}` | `--{}` |", key.path, key.env, key.flag);
        assert!(
            manual.contains(&row),
            "docs/configuration.md lacks the row\n{row} {} |",
            key.help
        );
    }
}

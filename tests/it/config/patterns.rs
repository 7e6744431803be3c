//! Every pattern of load and prompts, from file and flags; and what is said where they contradict each other.

use std::time::Duration;

use perfgate::{
    capacity::Spacing,
    metric::Metric,
    plan::{
        Api, Arrivals, Axis, CacheReset, Conversation, DatasetFormat, Http, Images, Lengths, Load, MetricsPage,
        ModelShare, Prompts, RampShape, Shape, Slo, Spread, Stage, StageLength, StageLevel, ThinkTime, Tokenizer,
        TraceFormat,
    },
};

use super::{example, file, flags, layers};
use crate::command::expect;

/// The load levels of a file's text.
fn loads(text: &str) -> Vec<Load> {
    file(text).unwrap().plan.loads
}

fn streams<const N: usize>(levels: [u32; N]) -> Vec<Load> {
    levels.map(Load::Concurrency).to_vec()
}

fn rates(levels: &[f64], arrivals: Arrivals) -> Vec<Load> {
    let rate = |&rate_rps: &f64| Load::Rate { rate_rps, arrivals };
    levels.iter().map(rate).collect()
}

#[test]
fn levels_may_be_ranges_in_file_and_flag() {
    let one_to_57 = streams([1, 9, 17, 25, 33, 41, 49, 57]);
    assert_eq!(loads("concurrency: 1:64:8"), one_to_57);
    assert_eq!(loads("concurrency: [1:64:8]"), one_to_57);
    let given = flags(&[("concurrency", "1:64:8")]).unwrap();
    assert_eq!(given.plan.loads, one_to_57);
    assert_eq!(loads("concurrency: [1, 8:24:8, 100]"), streams([1, 8, 16, 24, 100]));
    assert_eq!(loads("concurrency: '1:8:*2'"), streams([1, 2, 4, 8]));
    assert_eq!(loads("rate: 0.5:1.5:0.5"), rates(&[0.5, 1.0, 1.5], Arrivals::Poisson));
    let given = flags(&[("rate", "1:4:*2,10")]).unwrap();
    assert_eq!(given.plan.loads, rates(&[1.0, 2.0, 4.0, 10.0], Arrivals::Poisson));
}

#[test]
fn a_burstiness_means_gamma_unless_a_higher_layer_says_otherwise() {
    let gamma = |burstiness| Arrivals::Gamma { burstiness };
    let table = [
        ("rate: 2\narrivals: gamma\nburstiness: 0.5", vec![], gamma(0.5)),
        ("rate: 2\nburstiness: 3", vec![], gamma(3.0)),
        ("rate: 2\narrivals: constant", vec![("burstiness", "2")], gamma(2.0)),
        (
            "rate: 2\nburstiness: 2",
            vec![("arrivals", "poisson")],
            Arrivals::Poisson,
        ),
        ("rate: 2\nburstiness: 2", vec![("arrivals", "gamma")], gamma(2.0)),
    ];
    for (text, given, arrivals) in table {
        let plan = layers(text, &[], &given).unwrap().plan;
        assert_eq!(plan.loads, rates(&[2.0], arrivals), "{text} {given:?}");
    }
}

#[test]
fn ramps_and_stages_are_cells_beside_the_levels_of_their_layer() {
    let ramp = Load::Ramp {
        from_rps: 1.0,
        to_rps: 20.0,
        shape: RampShape::Exponential,
        arrivals: Arrivals::Constant,
    };
    let stages = Load::Stages {
        stages: vec![
            Stage {
                level: StageLevel::Rate(4.0),
                length: StageLength::Duration(Duration::from_secs(30)),
            },
            Stage {
                level: StageLevel::Concurrency(8),
                length: StageLength::Requests(100),
            },
        ],
        arrivals: Arrivals::Constant,
    };
    let text = "arrivals: constant\nconcurrency: 2\nramp: {from: 1, to: 20, shape: exponential}\n\
                stages: [{rate: 4, duration: 30s}, {concurrency: 8, requests: 100}]";
    let all = vec![Load::Concurrency(2), ramp.clone(), stages.clone()];
    assert_eq!(loads(text), all);
    for (flag, text, load) in [
        ("ramp", "from=1,to=20,shape=exponential", ramp),
        ("stages", "rate=4:30s, concurrency=8:100", stages),
    ] {
        let plan = flags(&[("arrivals", "constant"), (flag, text)]).unwrap().plan;
        assert_eq!(plan.loads, [load], "{flag}");
        let over_a_file = layers("concurrency: 3\narrivals: constant", &[], &[(flag, text)]).unwrap();
        assert_eq!(over_a_file.plan.loads, plan.loads, "{flag}");
    }
}

#[test]
fn nothing_is_a_think_time_and_the_start_of_a_linear_ramp() {
    for text in [
        "conversation: {turns: 2, think_time: 0s}",
        "conversation: {turns: 2, think_time: 0}",
    ] {
        let talk = file(text).unwrap().plan.workload.conversation.unwrap();
        assert_eq!(talk.think_time, ThinkTime::Fixed(Duration::ZERO));
    }
    let plan = flags(&[("ramp", "from=0,to=20")]).unwrap().plan;
    assert!(matches!(plan.loads[..], [Load::Ramp { from_rps: 0.0, .. }]));
    let refusal = file("ramp: {from: 0, to: 20, shape: exponential}").unwrap_err();
    assert!(refusal.contains("give `from` above 0, or `shape: linear`"), "{refusal}");
    for text in [
        "ramp: {from: -1, to: 2}",
        "ramp: {from: 1, to: 0}",
        "conversation: {turns: 2, think_time: -1s}",
    ] {
        assert!(file(text).is_err(), "{text}");
    }
}

#[test]
fn a_trace_is_the_load_where_its_layer_gives_no_other() {
    let replay = |speed_ratio| vec![Load::Trace { speed_ratio }];
    for (text, given, expected) in [
        ("trace: t.jsonl", vec![], replay(1.0)),
        ("trace: {file: t.jsonl, speed: 2}", vec![], replay(2.0)),
        (
            "trace: {file: t.jsonl, speed: 2}",
            vec![("trace-speed", "3")],
            replay(3.0),
        ),
        ("trace: t.jsonl\nconcurrency: 4", vec![], streams([4])),
        ("concurrency: 4", vec![("trace", "t.jsonl")], replay(1.0)),
        ("trace: t.jsonl", vec![("concurrency", "4")], streams([4])),
        ("trace: t.jsonl", vec![("dataset", "d.jsonl")], streams([1, 4, 16])),
    ] {
        let plan = layers(text, &[], &given).unwrap().plan;
        assert_eq!(plan.loads, expected, "{text} {given:?}");
    }
    let prompts = file("trace: {file: t.csv, format: azure_llm}\nrate: 2")
        .unwrap()
        .plan
        .workload
        .prompts;
    let expected = Prompts::Trace {
        path: "t.csv".into(),
        format: TraceFormat::AzureLlm,
        sha256: None,
    };
    assert_eq!(prompts, expected);
}

#[test]
fn prompts_come_from_the_highest_layer_that_names_a_source() {
    let dataset = Prompts::Dataset {
        path: "qa.csv".into(),
        format: DatasetFormat::Csv,
        prompt_column: Some("question".into()),
        output_column: Some("response".into()),
        sha256: None,
    };
    let text = "dataset: {file: qa.csv, format: csv, prompt_column: question, output_column: response}";
    assert_eq!(file(text).unwrap().plan.workload.prompts, dataset);
    let flag = "file=qa.csv,format=csv,prompt_column=question,output_column=response";
    assert_eq!(flags(&[("dataset", flag)]).unwrap().plan.workload.prompts, dataset);
    let prefix = Prompts::SharedPrefix {
        groups: 8,
        prefix_tokens: Lengths::Uniform { min: 512, max: 1024 },
        input_tokens: Lengths::Fixed(64),
        prompts_per_group: Some(4),
    };
    let flag = "groups=8,prefix_tokens=512..1024,prompts_per_group=4";
    let given = [("shared-prefix", flag), ("input-tokens", "64")];
    let resolved = layers(text, &[], &given).unwrap();
    assert_eq!(resolved.plan.workload.prompts, prefix);
    let text =
        "shared_prefix: {groups: 8, prefix_tokens: {min: 512, max: 1024}, prompts_per_group: 4}\ninput_tokens: 64";
    assert_eq!(file(text).unwrap().plan.workload.prompts, prefix);
}

#[test]
fn lengths_are_written_alike_in_file_and_flag() {
    let normal = Shape::Normal { mean: 512.0, std: 64.0 };
    let cut = Shape::LogNormal { mean: 512.0, std: 64.0 };
    let table = [
        (
            "{mean: 512, std: 64, distribution: lognormal}",
            "lognormal:512,64",
            Lengths::LogNormal { mean: 512.0, std: 64.0 },
        ),
        (
            "{exponent: 1.2, max: 4096}",
            "zipf:1..4096,1.2",
            Lengths::Zipf {
                min: 1,
                max: 4096,
                exponent: 1.2,
            },
        ),
        (
            "{mean: 512, std: 64, min: 16, max: 900}",
            "512,64,16..900",
            Lengths::Within {
                shape: normal,
                min: 16,
                max: 900,
            },
        ),
        (
            "{mean: 512, std: 64, min: 16, max: 900, distribution: lognormal}",
            "lognormal:512,64,16..900",
            Lengths::Within {
                shape: cut,
                min: 16,
                max: 900,
            },
        ),
        ("{min: 3, max: 9}", "uniform:3..9", Lengths::Uniform { min: 3, max: 9 }),
        ("77", "77", Lengths::Fixed(77)),
    ];
    for (text, flag, lengths) in table {
        let by_file = file(&format!("output_tokens: {text}")).unwrap().plan;
        assert_eq!(by_file.workload.output_tokens, lengths, "{text}");
        let by_flag = flags(&[("output-tokens", flag)]).unwrap().plan;
        assert_eq!(by_flag.workload.output_tokens, lengths, "{flag}");
    }
    let open = file("output_tokens: {mean: 5, std: 1, min: 2}")
        .unwrap()
        .plan
        .workload
        .output_tokens;
    assert!(
        matches!(
            open,
            Lengths::Within {
                min: 2,
                max: 10_000_000,
                ..
            }
        ),
        "{open:?}"
    );
}

#[test]
fn the_rest_of_the_workload_is_read() {
    let text = "conversation: {turns: {min: 2, max: 5}, think_time: 2s, think_time_spread: exponential}\n\
                models: [{name: base, weight: 3}, {name: adapter}]\nimages: {width: 64, height: 32}\n\
                reuse_prompts: true\ntokenizer: words\nslo: {ttft: 2s, tpot: 200ms}";
    let given = [
        ("conversation", "turns=2..5,think_time=2s,think_time_spread=exponential"),
        ("models", "base=3,adapter"),
        ("images", "width=64,height=32"),
        ("reuse-prompts", "true"),
        ("tokenizer", "words"),
        ("slo", "ttft=2s,tpot=200ms"),
    ];
    let plan = file(text).unwrap().plan;
    assert_eq!(plan, flags(&given).unwrap().plan);
    let workload = plan.workload;
    let talk = Conversation {
        turns: Lengths::Uniform { min: 2, max: 5 },
        think_time: ThinkTime::Exponential(Duration::from_secs(2)),
    };
    assert_eq!(workload.conversation, Some(talk));
    let share = |name: &str, weight| ModelShare {
        name: name.into(),
        weight,
    };
    assert_eq!(workload.models, [share("base", 3.0), share("adapter", 1.0)]);
    let images = Images {
        width_px: 64,
        height_px: 32,
        per_request: 1,
    };
    assert_eq!(workload.images, Some(images));
    assert!(workload.reuse_prompts);
    assert_eq!(workload.tokenizer, Tokenizer::Words);
    let slo = Slo {
        ttft_ms: Some(2000.0),
        tpot_ms: Some(200.0),
        e2e_ms: None,
    };
    assert_eq!(plan.slo, slo);
}

#[test]
fn the_rest_of_the_target_is_read() {
    let text = "target: {urls: [http://a, http://b], spread: random, api: tgi, streaming: false, http: 2, \
                reuse_connections: false, retries: 3, cache_reset: /flush_cache, metrics: /prometheus/metrics, \
                metrics_interval: 250ms}";
    let target = file(text).unwrap().plan.target;
    assert_eq!(
        (target.url.as_str(), target.more_urls.as_slice()),
        ("http://a", &["http://b".to_owned()][..])
    );
    assert_eq!(
        (target.spread, target.api, target.http),
        (Spread::Random, Api::Tgi, Http::Two)
    );
    assert_eq!(
        (target.streaming, target.reuse_connections, target.retries),
        (false, false, 3)
    );
    assert_eq!(target.cache_reset, CacheReset::Path("/flush_cache".into()));
    assert_eq!(target.metrics, MetricsPage::Path("/prometheus/metrics".into()));
    assert_eq!(target.metrics_interval, Duration::from_millis(250));
    let given = [
        ("metrics", "/prometheus/metrics"),
        ("metrics-interval", "250ms"),
        ("urls", "http://a,http://b"),
        ("spread", "random"),
        ("api", "tgi"),
        ("streaming", "false"),
        ("http", "2"),
        ("reuse-connections", "false"),
        ("retries", "3"),
        ("cache-reset", "/flush_cache"),
    ];
    assert_eq!(flags(&given).unwrap().plan.target, target);
    for (text, http, reset) in [
        ("{http: auto, cache_reset: off}", Http::Auto, CacheReset::Off),
        ("{http: 1, cache_reset: auto}", Http::One, CacheReset::Auto),
    ] {
        let target = file(&format!("target: {text}")).unwrap().plan.target;
        assert_eq!((target.http, target.cache_reset), (http, reset));
    }
    for (text, page) in [
        ("auto", MetricsPage::Auto),
        ("off", MetricsPage::Off),
        (
            "http://h:8002/metrics",
            MetricsPage::Url("http://h:8002/metrics".into()),
        ),
    ] {
        assert_eq!(flags(&[("metrics", text)]).unwrap().plan.target.metrics, page);
    }
    for api in Api::ALL {
        assert_eq!(flags(&[("api", api.name())]).unwrap().plan.target.api, api);
    }
}

#[test]
fn the_highest_layer_with_an_address_decides_all_addresses() {
    let text = "target: {url: http://a, urls: [http://b, http://c]}";
    let target = file(text).unwrap().plan.target;
    assert_eq!((target.url.as_str(), target.more_urls.len()), ("http://a", 2));
    let target = layers(text, &[], &[("url", "http://x")]).unwrap().plan.target;
    assert_eq!((target.url.as_str(), target.more_urls.len()), ("http://x", 0));
    let target = layers(text, &[], &[("urls", "http://x,http://y")]).unwrap().plan.target;
    assert_eq!((target.url.as_str(), target.more_urls.len()), ("http://x", 1));
}

#[test]
fn files_count_from_where_they_are_named() {
    let resolved = file("tokenizer: tok.json\ntarget: {ca_file: ca.pem}").unwrap();
    let folder = resolved.settings.dataset_dir.clone();
    let tokenizer = |path: &str| Tokenizer::File {
        path: path.into(),
        sha256: None,
    };
    assert_eq!(resolved.plan.workload.tokenizer, tokenizer("tok.json"));
    assert_eq!(
        resolved.plan.target.ca_file,
        Some(folder.join("ca.pem").display().to_string())
    );
    let resolved = layers(
        "dataset: d.jsonl",
        &[],
        &[("tokenizer", "tok.json"), ("ca-file", "ca.pem")],
    )
    .unwrap();
    let here = std::env::current_dir().unwrap().join("tok.json");
    assert_eq!(resolved.plan.workload.tokenizer, tokenizer(&here.display().to_string()));
    assert_eq!(resolved.plan.target.ca_file.as_deref(), Some("ca.pem"));
}

#[test]
fn a_warm_up_may_go_on_until_the_server_is_steady() {
    for (text, expected) in [
        ("", (20, None)),
        ("warmup: 7", (7, None)),
        ("warmup_requests: auto", (20, Some(200))),
        ("warmup: auto\nwarmup_limit: 50", (20, Some(50))),
        ("warmup: auto\nwarmup_limit: 5", (5, Some(5))),
        ("warmup_requests: 10\nwarmup_limit: 90", (10, Some(90))),
    ] {
        let plan = file(text).unwrap().plan;
        assert_eq!((plan.warmup_requests, plan.warmup_limit), expected, "{text}");
    }
    let plan = layers("warmup: 7", &[], &[("warmup", "auto")]).unwrap().plan;
    assert_eq!(plan.warmup_limit, Some(200));
}

#[test]
fn values_of_different_layers_that_contradict_each_other_are_refused_with_both_places() {
    for (text, given, error) in [
        (
            "conversation: {turns: 2}",
            [("api", "embeddings")],
            "perfgate.yaml:1: conversation: a conversation needs answers of text, but `target.api` is `embeddings` (--api); change one of them",
        ),
        (
            "gates: {tpot_p50: 5%}",
            [("streaming", "false")],
            "perfgate.yaml:1: gates.tpot_p50: this metric needs streamed tokens, but `target.streaming` is `false` (--streaming); change one of them",
        ),
        (
            "target: {api: completions}",
            [("images", "width=5,height=5")],
            "`--images`: images stand in chat messages, but `target.api` is `completions` (perfgate.yaml:1); change one of them",
        ),
        (
            "models: [{name: a}]",
            [("model", "b")],
            "perfgate.yaml:1: models: models share all requests among themselves, but `model` is `b` (--model); change one of them",
        ),
    ] {
        assert_eq!(layers(text, &[], &given).unwrap_err(), error);
    }
}

#[test]
fn a_value_that_would_do_nothing_is_refused_with_both_places() {
    let refused = |text: &str, given: &[(&str, &str)], error: &str| {
        assert_eq!(layers(text, &[], given).unwrap_err(), error, "{text} {given:?}");
    };
    refused(
        "",
        &[("dataset", "d.jsonl"), ("input-tokens", "9")],
        "`--input-tokens`: the rows of a dataset have their own lengths, but `dataset` is `d.jsonl` (--dataset); change one \
         of them",
    );
    refused(
        "trace: t.jsonl",
        &[("input-tokens", "9")],
        "`--input-tokens`: the rows of a trace have their own lengths, but `trace` is `t.jsonl` \
         (perfgate.yaml:1); change one of them",
    );
    for trace in ["t.CSV", "file=t.jsonl,format=mooncake"] {
        let refusal = flags(&[("trace", trace), ("output-tokens", "9")]).unwrap_err();
        assert!(
            refusal.starts_with("`--output-tokens`: the rows of a trace have"),
            "{refusal}"
        );
    }
    refused(
        "",
        &[("concurrency", "4"), ("burstiness", "2")],
        "`--burstiness`: only requests at a rate are spaced, but `concurrency` is `[4]` (--concurrency); change \
         one of them",
    );
    let refusal = flags(&[("stages", "concurrency=4:30s"), ("arrivals", "constant")]).unwrap_err();
    assert!(
        refusal.starts_with("`--arrivals`: only requests at a rate"),
        "{refusal}"
    );
    refused(
        "",
        &[("models", "a=1"), ("models", "a=3")],
        "`--models`: `a` is given twice; give each model one weight",
    );
}

#[test]
fn a_value_that_does_something_elsewhere_stands() {
    for (text, given) in [
        ("dataset: d.jsonl\ninput_tokens: 9", vec![]),
        ("trace: {file: t.jsonl, speed: 2}\nrate: 4", vec![("concurrency", "4")]),
        (
            "concurrency: 4\narrivals: constant",
            vec![("stages", "concurrency=4:30s")],
        ),
        ("trace: {file: t.jsonl, speed: 2}", vec![("rate", "4")]),
        ("concurrency: 4", vec![("arrivals", "constant")]),
        ("target: {ca_file: a.pem, url: 'https://a'}", vec![("url", "http://b")]),
        (
            "target: {ca_file: a.pem, url: 'http://a'}\n\
             arms: {baseline: {url: 'https://a'}, candidate: {url: 'HTTPS://b'}}",
            vec![],
        ),
        (
            "target: {urls: ['http://a', 'http://b'], spread: random}",
            vec![("url", "http://b")],
        ),
        ("target: {spread: random}", vec![]),
        ("stages: [{concurrency: 4, duration: 5s}]\nnum_requests: 9", vec![]),
        (
            "stages: [{rate: 4, duration: 5s}]\nnum_requests: 9\nsweep: {to: 8}",
            vec![],
        ),
        ("num_requests: 9", vec![("stages", "rate=4:30s")]),
        ("input_tokens: 9", vec![("dataset", "d.jsonl")]),
        ("output_tokens: 9", vec![("trace", "t.csv")]),
        ("", vec![("trace", "t.jsonl"), ("output-tokens", "9")]),
        ("", vec![("dataset", "synthetic"), ("input-tokens", "9")]),
        ("concurrency: 4\narrivals: constant\ncapacity: {axis: rate}", vec![]),
        ("arrivals: constant", vec![("concurrency", "4")]),
        ("", vec![("concurrency", "4"), ("rate", "2"), ("arrivals", "constant")]),
        (
            "",
            vec![("stages", "rate=4:30s, concurrency=4:30s"), ("arrivals", "constant")],
        ),
        ("", vec![("arrivals", "constant")]),
        ("", vec![("models", "a=1"), ("models", "b=1")]),
    ] {
        layers(text, &[], &given).unwrap();
    }
}

#[test]
fn a_length_of_answers_that_no_row_leaves_open_is_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = |own: &str| {
        format!(
            "{{\"timestamp\": 0, \"prompt\": \"a\", \"max_tokens\": 3}}\n{{\"timestamp\": 1, \"prompt\": \"b\"{own}}}\n"
        )
    };
    std::fs::write(folder.join("all.jsonl"), rows(", \"max_tokens\": 4")).unwrap();
    std::fs::write(folder.join("some.jsonl"), rows("")).unwrap();
    // Nobody is there: what is refused is refused before anybody is asked.
    let run = [
        "run",
        "--url",
        "http://127.0.0.1:9",
        "--model",
        "a",
        "--quiet",
        "--repeat",
        "1",
        "--requests",
        "2",
    ];
    for kind in ["--trace", "--dataset"] {
        let typed = |file| [&run[..], &[kind, file, "--output-tokens", "9"]].concat();
        let (_, told) = expect(folder, 2, &typed("all.jsonl"));
        let wanted = format!(
            "`--output-tokens`: each row of the {} states how long",
            kind.trim_start_matches('-')
        );
        assert!(told.contains(&wanted), "{told}");
        expect(folder, 4, &typed("some.jsonl"));
    }
    for (kind, code) in [("trace", 2), ("dataset", 4)] {
        std::fs::write(
            folder.join("perfgate.yaml"),
            format!("{kind}: all.jsonl\noutput_tokens: 9\n"),
        )
        .unwrap();
        let (_, told) = expect(folder, code, &run);
        let wanted = format!("perfgate.yaml:2: output_tokens: each row of the {kind} states how long");
        assert!(told.contains(&wanted), "{told}");
    }
}

#[test]
fn an_api_is_asked_for_no_field_that_it_refuses_unless_the_file_does() {
    let fields = |text: &str| {
        let body = file(text).unwrap().plan.target.extra_body;
        body.into_keys().collect::<Vec<_>>().join(" ")
    };
    for (api, expected) in [
        ("chat", "ignore_eos temperature"),
        ("kserve_generate", "ignore_eos temperature"),
        ("messages", "temperature"),
        ("embeddings", ""),
        ("kserve_infer", ""),
        ("tgi", ""),
    ] {
        assert_eq!(fields(&format!("target: {{api: {api}}}")), expected, "{api}");
    }
    assert_eq!(fields("target: {api: messages}\nextra_body: {top_k: 1}"), "top_k");
}

#[test]
fn without_streamed_tokens_the_built_in_gates_watch_whole_answers() {
    const CAPACITY: &[&str] = &["max_rate_under_slo", "max_concurrency_under_slo"];
    let keys = |text: &str| -> Vec<&str> { file(text).unwrap().policy.gates.into_keys().map(Metric::key).collect() };
    assert_eq!(
        keys("target: {streaming: false}"),
        [&["e2e_p95", "output_tokens_per_s", "gpu_memory_peak_gb"], CAPACITY].concat()
    );
    let embeddings = [&["e2e_p95", "gpu_memory_peak_gb"], CAPACITY].concat();
    assert_eq!(keys("target: {api: embeddings}"), embeddings);
    let strict = file("target: {api: embeddings}\nthreshold: 3%\ngates: {tpot_p95: off}").unwrap();
    assert!(
        strict
            .policy
            .gates
            .values()
            .all(|gate| gate.limit == perfgate::verdict::Limit::Relative(0.03))
    );
}

#[test]
fn limits_of_an_slo_may_be_below_a_millisecond() {
    let slo = Slo {
        ttft_ms: Some(0.5),
        tpot_ms: Some(0.25),
        e2e_ms: None,
    };
    assert_eq!(file("slo: {ttft: 500us, tpot: 0.25ms}").unwrap().plan.slo, slo);
    let typed = layers("", &[], &[("slo", "ttft=0.5ms,tpot=250us")]).unwrap();
    assert_eq!(typed.plan.slo, slo);
}

#[test]
fn capacity_and_sweep_have_their_sections() {
    let usual = file("").unwrap();
    assert_eq!(usual.capacity.axis, Axis::Rate(Arrivals::Poisson));
    assert_eq!((usual.capacity.min, usual.capacity.max), (1.0, 1024.0));
    assert_eq!(usual.capacity.batch_s, Some(5.0));
    assert_eq!((usual.sweep.steps, usual.sweep.spacing), (9, Spacing::Geometric));
    let text = "arrivals: constant\ncapacity: {axis: concurrency, min: 2, max: 64, precision: 10%, attainment: 95%}\n\
                sweep: {axis: concurrency, from: 1, to: 8, steps: 4, spacing: linear}";
    let resolved = layers(text, &[], &[("capacity", "axis=rate,min=0.5,batch_duration=1500ms")]).unwrap();
    assert_eq!(resolved.capacity.axis, Axis::Rate(Arrivals::Constant));
    assert_eq!(resolved.capacity.batch_s, Some(1.5));
    let own = file(text).unwrap().capacity;
    assert_eq!((own.axis, own.min, own.max), (Axis::Concurrency, 2.0, 64.0));
    assert!((own.precision_ratio - 1.1).abs() < 1e-12 && (own.attainment - 0.95).abs() < 1e-12);
    assert!(resolved.sweep.axis == Axis::Concurrency && resolved.sweep.spacing == Spacing::Linear);
}

#[test]
fn files_for_those_who_come_from_another_tool_load() {
    let staged = example("inference-perf.yaml").plan;
    assert!(matches!(&staged.loads[..], [Load::Stages { stages, .. }] if stages.len() == 3));
    assert!(matches!(
        staged.workload.prompts,
        Prompts::SharedPrefix { groups: 8, .. }
    ));
    let closed = example("genai-perf.yaml").plan;
    assert_eq!(closed.loads, streams([64]));
    let input_tokens = Lengths::Normal { mean: 500.0, std: 50.0 };
    assert_eq!(closed.workload.prompts, Prompts::Synthetic { input_tokens });
    let ranged = example("perf-analyzer.yaml");
    assert_eq!(ranged.plan.loads, streams([1, 9, 17, 25, 33, 41, 49, 57]));
    assert_eq!(ranged.plan.target.api, Api::KserveInfer);
    let open = example("vllm-bench.yaml").plan;
    assert_eq!(open.loads, rates(&[10.0], Arrivals::Poisson));
    assert!(matches!(
        open.workload.prompts,
        Prompts::Dataset {
            format: DatasetFormat::ShareGpt,
            ..
        }
    ));
}

//! What is sent: exact lengths, shared prefixes, datasets in every form, mixes of models, images.

use std::{collections::BTreeSet, fs, path::Path};

use perfgate::{
    load::{Interrupt, LoadError, PromptSet, Runner},
    plan::{Api, Images, Lengths, Load, ModelShare, Plan, Prompts, Secrets, Slo, Tokenizer, Workload},
};
use serde_json::{Value, json};

use super::{
    Nobody,
    counting::{AROUND, Counting, Tells, count},
    plan,
    server::{Server, good_answers},
};

const CHAT: &str = "/v1/chat/completions";

fn runner(plan: &Plan, base: &Path) -> Runner {
    let prompts = PromptSet::prepare(plan, base).unwrap();
    Runner::new(plan, Secrets::default(), prompts).unwrap()
}

/// Bodies of warm-up and measured requests of one run, as a server of any manners gets them.
fn bodies(plan: &Plan, base: &Path, repeat: u32) -> (Vec<Value>, Vec<Value>) {
    let server = Counting::start(Tells::Nothing);
    let mut plan = plan.clone();
    plan.target.url.clone_from(&server.url);
    let runner = runner(&plan, base);
    let (load, never) = (Load::Concurrency(1), Interrupt::never());
    runner.warm_up(&load, repeat, &Nobody, &never).unwrap();
    runner.measure(&load, repeat, &Nobody, &never).unwrap();
    let mut all = server.asked(CHAT);
    let measured = all.split_off(plan.warmup_requests as usize);
    (all, measured)
}

fn content(body: &Value) -> &str {
    body.pointer("/messages/0/content").unwrap().as_str().unwrap()
}

fn of(prompts: Prompts, requests: u32, warmups: u32) -> Plan {
    let mut plan = plan("", requests);
    plan.workload = Workload::new(prompts, Lengths::Fixed(8));
    plan.warmup_requests = warmups;
    plan
}

fn synthetic(input_tokens: Lengths) -> Plan {
    of(Prompts::Synthetic { input_tokens }, 12, 3)
}

/// A plan for rows of this file, in a folder of its own.
fn dataset(name: &str, text: &str, requests: u32) -> (tempfile::TempDir, Plan) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    (folder, of(Prompts::dataset(name), requests, 0))
}

#[test]
fn prompts_have_their_length_by_whoever_counts() {
    for (tells, asked, settled) in [
        (Tells::Count, Tokenizer::Auto, Tokenizer::Server),
        (Tells::Tokens, Tokenizer::Server, Tokenizer::Server),
        (Tells::Usage, Tokenizer::Auto, Tokenizer::Calibrated),
        (Tells::Count, Tokenizer::Calibrated, Tokenizer::Calibrated),
    ] {
        let server = Counting::start(tells);
        let mut plan = synthetic(Lengths::Uniform { min: 1, max: 300 });
        plan.target.url.clone_from(&server.url);
        plan.workload.tokenizer = asked;
        let mut runner = runner(&plan, Path::new("."));
        assert_eq!(runner.fit_prompts(&Interrupt::never()).unwrap(), settled);
        let before = server.asked(CHAT).len();
        assert!(before < 30, "{before} requests to calibrate");
        let run = runner
            .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
            .unwrap();
        let texts: Vec<Value> = server.asked(CHAT).split_off(before);
        let lengths: BTreeSet<u32> = texts.iter().map(|body| count(content(body))).collect();
        assert!(
            lengths.len() > 6 && lengths.iter().all(|tokens| (1..=300).contains(tokens)),
            "{lengths:?}"
        );
        for (record, body) in run.requests.iter().zip(&texts) {
            assert!(
                !content(body).contains('w'),
                "only words of one token: {}",
                content(body)
            );
            if tells == Tells::Usage {
                assert_eq!(record.input_tokens, Some(AROUND + count(content(body))));
            }
        }
        assert_eq!(runner.prompts().notes(), [""; 0], "nothing to warn of");
        let notes = runner.prompts().fit_fact().unwrap_or_default();
        let said = notes.contains("exact in 2 checks; it counts 11 tokens around");
        assert_eq!(said, settled == Tokenizer::Calibrated, "{notes}");
    }
}

#[test]
fn a_fixed_length_is_the_same_count_in_every_run() {
    let server = Counting::start(Tells::Count);
    let mut plan = synthetic(Lengths::Fixed(77));
    plan.target.url.clone_from(&server.url);
    let mut runner = runner(&plan, Path::new("."));
    runner.fit_prompts(&Interrupt::never()).unwrap();
    for repeat in [0, 1] {
        runner
            .warm_up(&Load::Concurrency(2), repeat, &Nobody, &Interrupt::never())
            .unwrap();
        runner
            .measure(&Load::Concurrency(2), repeat, &Nobody, &Interrupt::never())
            .unwrap();
    }
    let bodies = server.asked(CHAT);
    assert!(bodies.iter().all(|body| count(content(body)) == 77));
    assert_eq!(bodies.iter().map(content).collect::<BTreeSet<_>>().len(), 2 * 15);
}

#[test]
fn a_server_that_does_not_count_is_told_apart_from_one_that_was_asked_to() {
    let server = Counting::start(Tells::Nothing);
    let mut plan = synthetic(Lengths::Fixed(20));
    plan.target.url.clone_from(&server.url);
    let fit = |tokenizer: Tokenizer| {
        let mut plan = plan.clone();
        plan.workload.tokenizer = tokenizer;
        let mut runner = runner(&plan, Path::new("."));
        let settled = runner.fit_prompts(&Interrupt::never());
        (settled, runner.prompts().notes().concat())
    };
    let (settled, notes) = fit(Tokenizer::Auto);
    assert_eq!(settled.unwrap(), Tokenizer::Words);
    assert!(
        notes.contains("one word counts as one token") && notes.contains("404"),
        "{notes}"
    );
    assert!(notes.contains("usage.prompt_tokens"), "{notes}");
    for asked in [Tokenizer::Server, Tokenizer::Calibrated] {
        let (settled, _) = fit(asked);
        assert!(matches!(settled, Err(LoadError::Tokens { .. })), "{settled:?}");
    }
    let before = server.asked("/tokenize").len();
    let (settled, notes) = fit(Tokenizer::Words);
    assert_eq!((settled.unwrap(), notes), (Tokenizer::Words, String::new()));
    assert_eq!(server.asked("/tokenize").len(), before, "nobody was asked");
}

#[test]
fn a_tokenizer_in_a_file_is_named_by_its_hash_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
    });
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let mut plan = synthetic(Lengths::Fixed(20));
    plan.workload.tokenizer = Tokenizer::File {
        path: "tokenizer.json".into(),
        sha256: None,
    };
    let prompts = PromptSet::prepare(&plan, folder.path()).unwrap();
    let Tokenizer::File { sha256, .. } = prompts.tokenizer() else {
        panic!("{:?}", prompts.tokenizer())
    };
    assert_eq!(sha256.as_ref().unwrap().len(), 64);
    let (_, measured) = bodies(&plan, folder.path(), 0);
    assert!(measured.iter().all(|body| content(body).split(' ').count() == 20));
}

#[test]
fn prompts_of_a_group_share_their_beginning_across_runs_and_warm_ups() {
    let prompts = Prompts::SharedPrefix {
        groups: 3,
        prefix_tokens: Lengths::Fixed(30),
        input_tokens: Lengths::Fixed(10),
        prompts_per_group: Some(2),
    };
    let plan = of(prompts, 12, 3);
    let beginning = |body: &Value| content(body).split(' ').take(30).collect::<Vec<_>>().join(" ");
    let (warmup, first) = bodies(&plan, Path::new("."), 0);
    let (_, second) = bodies(&plan, Path::new("."), 1);
    let order: Vec<String> = first.iter().map(beginning).collect();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 3);
    assert!(order.chunks(2).all(|pair| pair[0] == pair[1]), "two in a row");
    assert_eq!(order, second.iter().map(beginning).collect::<Vec<_>>());
    let warmed: BTreeSet<String> = warmup.iter().map(beginning).collect();
    assert_eq!(warmed, order.into_iter().collect(), "each prefix was warmed up");
    let all: BTreeSet<&str> = warmup.iter().chain(&first).chain(&second).map(content).collect();
    assert_eq!(all.len(), 27, "each goes on in its own way");
    assert!(all.iter().all(|text| text.split(' ').count() == 40));
}

#[test]
fn models_share_the_requests_by_weight_alike_in_every_run() {
    let share = |name: &str, weight| ModelShare {
        name: name.into(),
        weight,
    };
    let mut plan = of(
        Prompts::Synthetic {
            input_tokens: Lengths::Fixed(9),
        },
        60,
        3,
    );
    plan.workload.models = vec![share("base", 6.0), share("lora-a", 3.0), share("lora-b", 1.0)];
    let models = |bodies: &[Value]| {
        bodies
            .iter()
            .map(|body| body["model"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (warmup, measured) = bodies(&plan, Path::new("."), 0);
    assert_eq!(models(&warmup), ["base", "lora-a", "lora-b"]);
    let count = |name: &str| models(&measured).iter().filter(|model| *model == name).count();
    assert!(
        (26..=46).contains(&count("base")) && (8..=28).contains(&count("lora-a")),
        "{:?}",
        models(&measured)
    );
    assert!((1..=14).contains(&count("lora-b")));
    assert_eq!(models(&measured), models(&bodies(&plan, Path::new("."), 1).1));
    plan.warmup_requests = 2;
    let notes = PromptSet::prepare(&plan, Path::new(".")).unwrap().notes().concat();
    assert!(
        notes.contains("2 warm-up requests cannot reach all 3 models: give at least 3"),
        "{notes}"
    );
}

#[test]
fn where_prompts_may_be_reused_every_run_and_warm_up_sends_the_same() {
    let (folder, mut rows) = dataset(
        "set.jsonl",
        "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\"}\n",
        2,
    );
    rows.warmup_requests = 2;
    rows.repeats = 3;
    for mut plan in [synthetic(Lengths::Fixed(20)), rows] {
        let texts = |plan: &Plan, repeat| {
            let (warmup, measured) = bodies(plan, folder.path(), repeat);
            [warmup, measured].map(|bodies| bodies.iter().map(|body| content(body).to_owned()).collect::<Vec<_>>())
        };
        assert_ne!(texts(&plan, 0)[1], texts(&plan, 1)[1]);
        plan.workload.reuse_prompts = true;
        let [warmup, measured] = texts(&plan, 0);
        assert_eq!(texts(&plan, 1), [warmup.clone(), measured.clone()]);
        assert_eq!(warmup, measured[..warmup.len()]);
        assert_eq!(PromptSet::prepare(&plan, folder.path()).unwrap().notes(), [""; 0]);
    }
}

#[test]
fn rows_of_every_form_of_file_are_sent() {
    let sharegpt =
        r#"[{"id": "0", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a b c"}]}]"#;
    let csv = "id,article,highlights\n1,\"q\",\"a b c\"\n";
    for (name, text) in [
        ("sharegpt.json", sharegpt),
        ("cnn.csv", csv),
        ("orca.jsonl", r#"{"question": "q", "response": "a b c"}"#),
        (
            "openai.jsonl",
            r#"{"messages": [{"role": "user", "content": "q"}], "max_tokens": 4}"#,
        ),
    ] {
        let (folder, plan) = dataset(name, text, 1);
        let (_, measured) = bodies(&plan, folder.path(), 0);
        // Four tokens for three words.
        assert_eq!(
            (content(&measured[0]), &measured[0]["max_tokens"]),
            ("q", &json!(4)),
            "{name}"
        );
        let sha256 = PromptSet::prepare(&plan, folder.path())
            .unwrap()
            .dataset_sha256()
            .map(str::len);
        assert_eq!(sha256, Some(64));
    }
}

#[test]
fn a_row_s_headers_are_sent_and_its_limits_recorded() {
    let rows =
        r#"{"prompt": "a", "slo": {"ttft": "2s", "e2e": "9s"}, "headers": {"x-slo-ttft-ms": "500", "x-team": "blue"}}"#;
    let (folder, mut plan) = dataset("set.jsonl", rows, 1);
    let server = Server::of(good_answers(1));
    plan.target.url.clone_from(&server.url);
    let run = runner(&plan, folder.path())
        .measure(&Load::Concurrency(1), 0, &Nobody, &Interrupt::never())
        .unwrap();
    let expected = Slo {
        ttft_ms: Some(500.0),
        tpot_ms: None,
        e2e_ms: Some(9000.0),
    };
    assert_eq!(run.requests[0].slo.as_deref(), Some(&expected));
    let head = server.seen()[0].head.to_ascii_lowercase();
    assert!(
        head.contains("x-team: blue") && head.contains("x-slo-ttft-ms: 500"),
        "{head}"
    );
}

#[test]
fn images_come_with_the_text_and_no_two_are_alike() {
    let mut plan = synthetic(Lengths::Fixed(10));
    plan.workload.images = Some(Images {
        width_px: 40,
        height_px: 30,
        per_request: 2,
    });
    let (warmup, measured) = bodies(&plan, Path::new("."), 0);
    let mut urls = BTreeSet::new();
    for body in warmup.iter().chain(&measured) {
        let parts = body.pointer("/messages/0/content").unwrap().as_array().unwrap();
        assert_eq!(parts[0]["text"].as_str().unwrap().split(' ').count(), 10);
        urls.extend(parts[1..].iter().map(|part| part["image_url"]["url"].to_string()));
    }
    assert_eq!(urls.len(), 2 * 15);
    assert_eq!(
        bodies(&plan, Path::new("."), 0).1,
        measured,
        "the same in every session"
    );
    plan.target.api = Api::Completions;
    assert!(PromptSet::prepare(&plan, Path::new(".")).is_err());
}

#[test]
fn a_big_file_is_held_only_as_far_as_it_is_sent() {
    let row = |at: usize| format!("{{\"prompt\": \"row {at} {}\"}}\n", "x".repeat(2000));
    let text: String = (0..2000).map(row).collect();
    let (folder, plan) = dataset("big.jsonl", &text, 5);
    let (_, measured) = bodies(&plan, folder.path(), 0);
    let rows: BTreeSet<&str> = measured
        .iter()
        .map(|body| content(body).split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(rows.len(), 5);
    assert!(
        rows.iter().any(|row| row.parse::<u32>().unwrap() > 300),
        "from all over the file: {rows:?}"
    );
}

#[test]
fn an_embeddings_request_holds_a_batch_of_texts_no_two_alike() {
    let server = Counting::start(Tells::Nothing);
    let mut plan = of(
        Prompts::Synthetic {
            input_tokens: Lengths::Fixed(12),
        },
        4,
        2,
    );
    plan.target.url.clone_from(&server.url);
    plan.target.api = Api::Embeddings;
    plan.workload.batch = 3;
    let runner = runner(&plan, Path::new("."));
    let (load, never) = (Load::Concurrency(1), Interrupt::never());
    runner.warm_up(&load, 0, &Nobody, &never).unwrap();
    runner.measure(&load, 0, &Nobody, &never).unwrap();
    let bodies = server.asked("/v1/embeddings");
    let texts = bodies.iter().flat_map(|body| body["input"].as_array().unwrap());
    assert_eq!((bodies.len(), texts.clone().count()), (6, 18));
    assert_eq!(texts.map(Value::to_string).collect::<BTreeSet<_>>().len(), 18);
}

#[test]
fn a_mix_needs_an_api_whose_requests_name_their_model() {
    let mut plan = synthetic(Lengths::Fixed(9));
    plan.workload.models = vec![ModelShare {
        name: "a".into(),
        weight: 1.0,
    }];
    assert!(PromptSet::prepare(&plan, Path::new(".")).is_ok());
    plan.target.api = Api::KserveGenerate;
    let problem = PromptSet::prepare(&plan, Path::new(".")).err().unwrap().to_string();
    assert!(problem.contains("api: kserve_generate"), "{problem}");
}

#[test]
fn a_request_log_keeps_its_fields_and_loses_its_model() {
    let text = r#"{"messages": [{"role": "user", "content": "a"}], "temperature": 0.7, "top_p": 0.9, "n": 2, "stop": ["x"], "model": "gpt", "id": 1, "max_completion_tokens": 5, "max_tokens": 9}
"#;
    let (folder, mut plan) = dataset("log.jsonl", text, 1);
    plan.target.extra_body = [("temperature", "0"), ("top_k", "3")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let (_, measured) = bodies(&plan, folder.path(), 0);
    let expected = json!({
        "messages": [{"role": "user", "content": "a"}], "temperature": 0.7, "top_p": 0.9, "n": 2, "stop": ["x"],
        "top_k": 3, "max_tokens": 5, "model": "tiny", "stream": true, "stream_options": {"include_usage": true},
    });
    assert_eq!(measured, [expected]);
    let notes = PromptSet::prepare(&plan, folder.path()).unwrap().notes().join("\n");
    for words in [
        "bring `n`, `stop`, `temperature`, `top_p`: sent",
        "bring `model`: not sent",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
}

#[test]
fn what_the_system_says_is_sent_before_its_user() {
    let orca = "{\"system_prompt\": \"be kind\", \"question\": \"why\", \"response\": \"so\"}\n";
    let share = "[{\"conversations\": [{\"from\": \"system\", \"value\": \"be kind\"}, \
                 {\"from\": \"human\", \"value\": \"why\"}, {\"from\": \"gpt\", \"value\": \"so\"}]}]";
    let csv = "system_prompt,question,response\nbe kind,why,so\n";
    for (name, text) in [("orca.jsonl", orca), ("share.json", share), ("orca.csv", csv)] {
        let (folder, plan) = dataset(name, text, 1);
        let (_, measured) = bodies(&plan, folder.path(), 0);
        let expected = json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "why"}]);
        assert_eq!(measured[0]["messages"], expected, "{name}");
    }
}

/// Mean and standard deviation.
fn moments(lengths: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(lengths.len()).unwrap());
    let mean = lengths.iter().sum::<f64>() / count;
    let squares: f64 = lengths.iter().map(|length| (length - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Prompt lengths in words, and limits of answers, as they arrived.
fn sent(input: Lengths, output: Lengths) -> (Vec<f64>, Vec<f64>, String) {
    let mut plan = of(Prompts::Synthetic { input_tokens: input }, 2000, 0);
    plan.workload.output_tokens = output;
    let (_, measured) = bodies(&plan, Path::new("."), 0);
    let words = |body: &Value| f64::from(u32::try_from(content(body).split(' ').count()).unwrap());
    let notes = PromptSet::prepare(&plan, Path::new(".")).unwrap().notes().join("\n");
    let limits = measured.iter().map(|body| body["max_tokens"].as_f64().unwrap());
    (measured.iter().map(words).collect(), limits.collect(), notes)
}

#[test]
fn lognormal_and_zipf_lengths_arrive_as_they_were_asked_for() {
    let (mean, std) = (60.0, 40.0);
    let zipf = Lengths::Zipf {
        min: 5,
        max: 104,
        exponent: 1.2,
    };
    let (prompts, answers, notes) = sent(Lengths::LogNormal { mean, std }, zipf);
    let (sent_mean, sent_std) = moments(&prompts);
    assert!((sent_mean - mean).abs() < 4.0, "{sent_mean}");
    assert!((sent_std - std).abs() < 8.0, "{sent_std}");
    let mut sorted = prompts.clone();
    sorted.sort_by(f64::total_cmp);
    // exp(mu) with sigma² = ln(1 + (2/3)²): 60 / √1.444; a normal's would be its mean.
    assert!((sorted[1000] - 49.9).abs() < 4.0, "median {}", sorted[1000]);
    assert_eq!(notes, "");
    let total: f64 = (1..=100).map(|rank| f64::from(rank).powf(-1.2)).sum();
    for (length, share) in [(5.0, 1.0 / total), (6.0, 2_f64.powf(-1.2) / total)] {
        let hits = answers.iter().filter(|answer| (**answer - length).abs() < 0.5).count();
        let seen = f64::from(u32::try_from(hits).unwrap()) / 2000.0;
        assert!((seen - share).abs() < 0.045, "{length}: {seen} for {share}");
    }
    assert!(answers.iter().all(|answer| (5.0..=104.0).contains(answer)));
}

#[test]
fn a_bell_that_is_cut_at_one_token_is_told_with_what_arrives() {
    let cut = Lengths::Normal { mean: 10.0, std: 50.0 };
    let (prompts, _, notes) = sent(cut, Lengths::Normal { mean: 80.0, std: 9.0 });
    let (mean, std) = moments(&prompts);
    assert!((20.0..30.0).contains(&mean), "{mean}");
    let told = format!("prompts have {mean:.1}±{std:.1} tokens as drawn, where 10±50 was asked");
    assert!(notes.contains(&told), "{told}: {notes}");
    assert!(!notes.contains("answers have"), "{notes}");
}

//! `perfgate noise`, through the binary: from stored sessions, from files, and measured now against the engine.

use std::{fs, path::Path};

use perfgate::{
    plan::{Lengths, Prompts},
    session::PairArm,
};
use serde_json::Value;

use crate::{
    command::{Sim, expect},
    made,
    schemas::assert_committed,
    target::sim,
};

/// Six runs that lie some 6 % apart.
const RUNS: [f64; 6] = [0.95, 1.06, 1.0, 0.93, 1.07, 1.01];

/// A measurement of a second or two of a server.
const SMALL: &[&str] = &[
    "--concurrency",
    "2",
    "--requests",
    "40",
    "--warmup",
    "2",
    "--input-tokens",
    "8",
    "--output-tokens",
    "4",
    "--quiet",
    "--resamples",
    "50",
];

fn stored(folder: &Path, sessions: usize) {
    let wobble = [1.0, 1.03, 0.98, 1.02, 0.97, 1.01];
    for (number, level) in wobble.iter().cycle().take(sessions).enumerate() {
        let mut runs = RUNS.map(|run| run * level);
        runs.rotate_left(number % 6);
        let session = made::session(&format!("{number:08}"), 1_790_000_000 + number as u64, &runs);
        made::save(&folder.join("baselines"), "main", &session);
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn stored_sessions_tell_what_a_gate_can_tell_here() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stored(folder, 6);
    let (text, _) = expect(folder, 0, &["noise", "--resamples", "300"]);
    for expected in [
        "6 sessions, 0 A/A measurements",
        "TPOT P95",
        "Between runs",
        "neighbouring runs",
        "Finds at 12",
        "of 300",
    ] {
        assert!(text.contains(expected), "{text}\n  lacks {expected}");
    }
    let (text, _) = expect(folder, 0, &["noise", "--resamples", "300", "--format", "json"]);
    let value = json(&text);
    let schema = json(&expect(folder, 0, &["schema", "noise"]).0);
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let row = value["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["metric"] == "tpot_p95")
        .unwrap();
    assert!(
        (0.04..0.08).contains(&row["between_runs_sd"].as_f64().unwrap()),
        "{row}"
    );
    assert_eq!(row["found_at"].as_array().unwrap().len(), 4);
    assert_eq!(value["false_blocks"][0]["from"], "neighbours");
    assert_eq!(value["false_blocks"][1]["material"], 6);
    // The same sessions give the same answer.
    assert_eq!(
        expect(folder, 0, &["noise", "--resamples", "300", "--format", "json"]).0,
        text
    );
}

#[test]
fn what_is_suggested_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stored(folder, 6);
    let (yaml, _) = expect(folder, 0, &["noise", "--suggest"]);
    assert!(
        yaml.contains("tpot_p95: {threshold: ") && yaml.contains("looks: ["),
        "{yaml}"
    );
    fs::write(folder.join("perfgate.yaml"), &yaml).unwrap();
    let (shown, _) = expect(folder, 0, &["config", "show"]);
    let limit = yaml
        .split("tpot_p95: {threshold: ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    assert!(
        limit.ends_with('%') && limit != "5%",
        "6 % noise does not hold 5 %: {yaml}"
    );
    let shown_limit = limit.replace('%', " % block");
    assert!(shown.contains(&shown_limit), "{shown}\n  lacks {shown_limit}");
    // It holds for good: asked again, it says the same.
    let rules = |text: &str| text.split("gates:").nth(1).map(str::to_owned);
    assert_eq!(rules(&expect(folder, 0, &["noise", "--suggest"]).0), rules(&yaml));
}

#[test]
fn both_arms_of_a_measurement_make_pairs_and_nothing_to_look_at_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, trouble) = expect(folder, 2, &["noise"]);
    assert!(trouble.contains("`--pairs 12`"), "{trouble}");
    let mut turned = RUNS;
    turned.reverse();
    for (name, arm, runs) in [
        ("a.json", PairArm::Baseline, RUNS),
        ("b.json", PairArm::Candidate, turned),
    ] {
        let session = made::arm(made::session("c0ffee00", 1_790_000_000, &runs), "ab1", arm);
        made::write(folder, name, &session);
    }
    let (text, _) = expect(folder, 0, &["noise", "a.json", "b.json", "--resamples", "100"]);
    assert!(
        text.contains("1 session, 1 A/A measurement") && text.contains("(whole runs)"),
        "{text}"
    );
    assert!(text.contains("A/B gate, from 6 pairs a cell: blocks"), "{text}");
    assert!(
        text.contains("few pairs: the tails of the noise are not in them"),
        "{text}"
    );
    let (_, trouble) = expect(folder, 2, &["noise", "a.json", "--format", "html"]);
    assert!(trouble.contains("shown as `terminal` or `json`"), "{trouble}");
}

#[test]
fn sessions_of_two_machines_or_workloads_are_refused_and_one_given_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let one = made::session("c0ffee00", 1_790_000_000, &RUNS);
    let mut other = made::session("c0ffee01", 1_790_000_100, &RUNS);
    made::write(folder, "one.json", &one);
    other.environment.gpus = vec!["NVIDIA A100".into()];
    made::write(folder, "other.json", &other);
    let (_, trouble) = expect(folder, 2, &["noise", "one.json", "other.json"]);
    let told = "`one.json`, `other.json` are not sessions of one measurement on one machine, and the difference is no noise: give \
                those that agree in `hardware.gpus`";
    assert!(trouble.contains(told), "{trouble}");
    let mut longer = made::session("c0ffee03", 1_790_000_100, &RUNS);
    longer.plan.workload.prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(512),
    };
    made::write(folder, "longer.json", &longer);
    let (_, trouble) = expect(folder, 2, &["noise", "one.json", "longer.json"]);
    assert!(trouble.contains("that agree in `plan.prompts`"), "{trouble}");
    let (text, trouble) = expect(folder, 0, &["noise", "one.json", "one.json", "--resamples", "100"]);
    assert!(
        text.contains("1 session, ") && trouble.contains("counts once"),
        "{text}{trouble}"
    );
    let single = made::session("c0ffee02", 1_790_000_200, &RUNS[..1]);
    made::write(folder, "single.json", &single);
    let (_, trouble) = expect(folder, 2, &["noise", "single.json", "--suggest"]);
    assert!(trouble.contains("nothing is known of the noise here"), "{trouble}");
}

#[test]
fn a_server_is_measured_against_itself_and_what_its_pairs_show_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let engine = Sim::start(&[]);
    let of_this = ["noise", "--url", &engine.url, "--pairs", "3", "--blocks", "off"];
    let args = [&of_this, SMALL].concat();
    let (text, _) = expect(folder, 0, &args);
    assert!(text.contains("1 A/A measurement"), "{text}");
    let kept: Vec<String> = fs::read_dir(folder.join("baselines"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(kept.iter().any(|name| name.starts_with("noise-")), "{kept:?}");
}

#[test]
fn an_arm_stands_on_both_sides_on_two_ports_and_its_blocks_show_what_they_gain() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let port = perfgate::target::free_port().unwrap().to_string();
    let command = sim("--decode-step-us 2000");
    let arm = [
        "noise",
        "--pairs",
        "3",
        "--baseline-command",
        &command,
        "--baseline-port",
        &port,
        "--arms-together",
    ];
    let (text, said) = expect(folder, 0, &[&arm[..], SMALL].concat());
    assert!(text.contains("1 A/A measurement"), "{text}\n{said}");
    let gain = text
        .lines()
        .find(|line| line.contains("by half the requests of 3 pairs: "));
    let gain = gain.unwrap_or_else(|| unreachable!("{text}"));
    assert!(
        gain.starts_with("10 blocks a pair: ")
            && gain.contains(" whole, ")
            && gain.ends_with(" in 10; so few pairs tell it roughly"),
        "{gain}"
    );
    let log = |arm: &str| fs::read_to_string(folder.join(format!("session.logs/{arm}.log"))).unwrap();
    assert!(log("baseline").contains(&format!(":{port}")));
    assert!(!log("candidate").contains(&format!(":{port}")));
    let (text, _) = expect(folder, 0, &[&arm[..], SMALL, &["--format", "json"]].concat());
    let rows = json(&text);
    let halves = rows["rows"][0]["halves"].as_array().unwrap();
    let blocks: Vec<i64> = halves.iter().map(|half| half["blocks"].as_i64().unwrap()).collect();
    assert_eq!(blocks, [1, 5, 10]);
    assert_eq!(halves[0]["times_fewer_pairs"], Value::Null);
    let (whole, ten) = (halves[0]["sd"].as_f64().unwrap(), halves[2]["sd"].as_f64().unwrap());
    let times = halves[2]["times_fewer_pairs"].as_f64().unwrap();
    assert!(
        (times - (whole / ten).powi(2)).abs() < 1e-9 * times.max(1.0),
        "{halves:?}"
    );
}

#[test]
fn a_fixed_port_is_refused_before_a_server_is_started_and_an_address_that_was_typed_is_the_one_that_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let command = sim("").replace("{port}", "18099");
    let arms = format!("arms: {{together: true, baseline: {{command: \"{command}\", port: 18099}}}}");
    fs::write(folder.join("perfgate.yaml"), arms).unwrap();
    let (_, trouble) = expect(folder, 2, &[&["noise", "--pairs", "3"], SMALL].concat());
    assert!(
        trouble.contains("`arms.baseline.port` is `18099`, and `arms.together` has the server started twice at once"),
        "{trouble}"
    );
    assert!(!folder.join("session.logs").exists(), "nothing was started");
    let engine = Sim::start(&[]);
    let flags: Vec<&str> = SMALL.iter().copied().filter(|flag| *flag != "--quiet").collect();
    let args = [&["noise", "--pairs", "2", "--url", &engine.url], &flags[..]].concat();
    let (text, said) = expect(folder, 0, &args);
    assert!(text.contains("1 A/A measurement"), "{text}");
    assert!(
        said.contains(&format!("measuring the server at `{}` against itself", engine.url)),
        "{said}"
    );
}

#[test]
fn the_committed_noise_schema_is_the_one_of_the_twin() {
    assert_committed("schemas/noise.schema.json", &perfgate::render::noise_schema().unwrap());
}

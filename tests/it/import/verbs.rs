//! The verbs that take other tools' files as they are.

use std::{fmt::Write as _, fs, path::Path};

use tempfile::TempDir;

use super::data;
use crate::command::expect;

/// A detailed result of `vllm bench serve` of 220 requests, with times this many times as long, a hair apart in each run.
fn vllm(run: u32, slower: f64) -> String {
    const REQUESTS: u32 = 220;
    let jitter = |index: u32| 1.0 + f64::from((index * 7919 + run * 104_729) % 1000) / 10_000.0;
    let mut lists = [const { String::new() }; 5];
    let mut begins = [0.0_f64; 4];
    for index in 0..REQUESTS {
        let (ttft, gap) = (0.05 * slower * jitter(index), 0.01 * slower * jitter(index + 31));
        let stream = &mut begins[usize::try_from(index % 4).unwrap()];
        let gaps = vec![gap.to_string(); 31].join(", ");
        let latency = ttft + gap * 31.0;
        let entries = [
            ttft.to_string(),
            format!("[{gaps}]"),
            latency.to_string(),
            stream.to_string(),
            "32".to_owned(),
        ];
        for (list, entry) in lists.iter_mut().zip(entries) {
            let comma = if list.is_empty() { "" } else { ", " };
            write!(list, "{comma}{entry}").unwrap();
        }
        *stream += latency;
    }
    let [ttfts, itls, latencies, starts, lens] = lists;
    let duration = begins.iter().copied().fold(0.0, f64::max);
    let rate = f64::from(REQUESTS) / duration;
    format!(
        "{{\"date\": \"20261121-2243{run:02}\", \"backend\": \"openai\", \"model_id\": \"tiny\", \"num_prompts\": {REQUESTS}, \
         \"request_rate\": \"inf\", \"max_concurrency\": 4, \"duration\": {duration}, \"completed\": {REQUESTS}, \"failed\": 0, \
         \"total_output_tokens\": {}, \"request_throughput\": {rate}, \"output_throughput\": {}, \"ttfts\": [{ttfts}], \
         \"itls\": [{itls}], \"latencies\": [{latencies}], \"start_times\": [{starts}], \"output_lens\": [{lens}]}}",
        REQUESTS * 32,
        rate * 32.0
    )
}

fn write_runs(folder: &Path, runs: u32, slower: f64) {
    fs::create_dir_all(folder).unwrap();
    for run in 0..runs {
        fs::write(folder.join(format!("run{run}.json")), vllm(run, slower)).unwrap();
    }
}

#[test]
fn two_raw_files_of_vllm_are_compared_without_any_configuration_and_never_pass() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("base.json"), vllm(0, 1.0)).unwrap();
    for (slower, what) in [(1.0, "as fast"), (3.0, "three times as slow")] {
        fs::write(at("head.json"), vllm(1, slower)).unwrap();
        let (text, _) = expect(folder.path(), 3, &["compare", "base.json", "head.json"]);
        assert!(text.contains("inconclusive"), "{what}: {text}");
        let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in [
            "one run of vllm bench serve at vllm-bench @ c=4 shows how large its figures are, and not how far its runs lie apart",
            "nothing passes by it; import three runs or more",
            "measure both sides again, and import 3 results or more of each",
        ] {
            assert!(flat.contains(told), "{what}: {told}\n{text}");
        }
    }
}

#[test]
fn folders_of_runs_are_judged() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_runs(&at("base"), 5, 1.0);
    write_runs(&at("slow"), 5, 2.5);
    let (text, _) = expect(folder.path(), 1, &["compare", "base", "slow"]);
    assert!(text.contains("TPOT P95"), "{text}");
    // An import is the same session, and a baseline like any other.
    expect(folder.path(), 0, &["import", "base", "-o", "base.json"]);
    let (text, _) = expect(folder.path(), 1, &["compare", "base.json", "slow"]);
    assert!(text.contains("regression"), "{text}");
    expect(
        folder.path(),
        0,
        &["baseline", "save", "base", "--name", "main", "--store", "kept"],
    );
    let (text, _) = expect(folder.path(), 1, &["compare", "slow", "--store", "kept"]);
    assert!(text.contains("regression"), "{text}");
    // A file of a name is read as it is, raw or not.
    let (text, _) = expect(
        folder.path(),
        3,
        &["compare", "slow", "--baseline", "base/run0.json", "--store", "kept"],
    );
    assert!(text.contains("base/run0.json"), "{text}");
    let (text, _) = expect(folder.path(), 0, &["noise", "base"]);
    assert!(text.contains("vllm-bench @ c=4"), "{text}");
}

#[test]
fn a_gate_judges_files_in_the_place_of_a_measurement() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, slower) in [("base", 1.0), ("slow", 2.5)] {
        write_runs(&at(name), 5, slower);
    }
    fs::create_dir(at("same")).unwrap();
    for run in 5..10 {
        fs::write(at("same").join(format!("run{run}.json")), vllm(run, 1.0)).unwrap();
    }
    let no_store = ["--store", "kept"];
    let gate = |code: i32, more: &[&str]| {
        let args: Vec<&str> = ["gate"].iter().chain(more).chain(&no_store).copied().collect();
        expect(folder.path(), code, &args)
    };
    let (text, _) = gate(1, &["slow", "--baseline", "base/"]);
    assert!(text.contains("regression"), "{text}");
    // The verdict is that of `compare`, and stands in the files that are posted.
    let (compared, _) = expect(folder.path(), 1, &["compare", "base", "slow"]);
    assert!(compared.contains("regression"), "{compared}");
    for name in ["result.json", "report.json", "report.md", "report.html"] {
        assert!(at("perfgate-report").join(name).is_file(), "{name}");
    }
    let report = fs::read_to_string(at("perfgate-report/report.json")).unwrap();
    assert!(report.contains("\"regression\""), "{report}");
    // One run of each side settles nothing, and without a baseline there is nothing to hold it against.
    let (text, _) = gate(3, &["slow/run0.json", "--baseline", "base/run0.json"]);
    assert!(text.contains("inconclusive"), "{text}");
    let (text, _) = gate(3, &["slow"]);
    assert!(text.contains("no baseline"), "{text}");
    // The stored baselines are its baselines, as those of a measurement.
    expect(
        folder.path(),
        0,
        &["baseline", "save", "base", "--name", "main", "--store", "kept"],
    );
    let (text, _) = gate(1, &["slow", "--commit", "abc123"]);
    assert!(text.contains("regression") && text.contains("abc123"), "{text}");
    let (text, _) = gate(0, &["same", "--threshold", "60%"]);
    assert!(text.contains("pass"), "{text}");
    // What cannot be read leaves no older verdict to be posted, and no flag says how it was measured.
    let (_, told) = gate(2, &["nowhere.json"]);
    assert!(told.contains("nowhere.json"), "{told}");
    let (_, told) = gate(2, &["slow", "--concurrency", "8"]);
    assert!(
        told.contains("`--concurrency` is for a measurement, and `slow` was measured already"),
        "{told}"
    );
    let (_, told) = gate(2, &["slow", "--ab"]);
    assert!(told.contains("cannot be used with"), "{told}");
}

#[test]
fn figures_alone_are_no_requests_to_export() {
    let folder = TempDir::new().unwrap();
    let plain = data("vllm/plain.json").to_str().unwrap().to_owned();
    for form in ["ndjson", "llm-d"] {
        let (text, told) = expect(folder.path(), 2, &["export", &plain, "--to", form]);
        assert_eq!(text, "", "{form}");
        assert!(
            told.contains(
                "has the figures that vllm bench serve states, and no request records; export those (`--to csv`)"
            ),
            "{form}: {told}"
        );
    }
}

#[test]
fn exports_say_by_which_definitions_their_figures_were_made() {
    let folder = TempDir::new().unwrap();
    let detailed = data("vllm/detailed.json").to_str().unwrap().to_owned();
    let exported = |args: &[&str]| {
        let args: Vec<&str> = ["export", &detailed, "--to"].iter().chain(args).copied().collect();
        expect(folder.path(), 0, &args).0
    };
    let text = exported(&["openmetrics"]);
    assert!(text.contains("definitions=\"vllm-serve/1\""), "{text}");
    assert!(
        text.contains(
            "# HELP perfgate_ttft_seconds median over the runs: as vllm bench serve has it: until the first chunk with a choice, even \
             an empty one (lower is better)"
        ),
        "{text}"
    );
    let text = exported(&["csv"]);
    assert!(
        text.lines().next().is_some_and(|line| line.ends_with(",definitions")),
        "{text}"
    );
    assert!(
        text.lines().skip(1).all(|line| line.ends_with(",vllm-serve/1")),
        "{text}"
    );
    let text = exported(&["ndjson"]);
    assert!(
        text.lines()
            .all(|line| line.ends_with("\"definitions\":\"vllm-serve/1\"}")),
        "{text}"
    );
    let text = exported(&["github-action-benchmark", "--better", "lower"]);
    assert!(
        text.contains("as vllm bench serve has it") && text.contains("(vllm-serve/1)"),
        "{text}"
    );
    let text = exported(&["llm-d"]);
    assert!(text.contains("\"definitions vllm-serve/1\""), "{text}");
}

#[test]
fn other_tools_are_incomparable_and_the_report_says_why() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| data(name).to_str().unwrap().to_owned();
    let (text, _) = expect(
        folder.path(),
        3,
        &[
            "compare",
            &at("vllm/detailed.json"),
            &at("aiperf/profile_export_aiperf.json"),
        ],
    );
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("vllm bench serve and AIPerf do not mean the same: TTFT ends with the first chunk with a choice"),
        "{text}"
    );
}

#[test]
fn an_import_tells_what_it_read_and_what_it_could_not() {
    let folder = TempDir::new().unwrap();
    let aiperf = data("aiperf").to_str().unwrap().to_owned();
    let (text, told) = expect(
        folder.path(),
        0,
        &["import", &aiperf, "-o", "x.json", "--commit", "abc"],
    );
    assert!(
        text.starts_with("imported 1 run of AIPerf 0.13.0 (aiperf @ c=4) into `x.json`"),
        "{text}"
    );
    assert!(told.contains("1 other file of"), "{told}");
    let (text, _) = expect(folder.path(), 0, &["show", "x.json"]);
    assert!(text.contains("abc") && text.contains("aiperf/1"), "{text}");
    let benchmarker = data("inference-benchmarker/result.json").to_str().unwrap().to_owned();
    let (text, _) = expect(folder.path(), 0, &["import", &benchmarker, "-o", "y.json"]);
    assert!(text.contains("14 requests of the tool's warm-up left out"), "{text}");
    // It tells its date, and oha does not.
    assert!(!text.contains("the date is that of its file"), "{text}");
    let oha = data("oha/result.json").to_str().unwrap().to_owned();
    let (text, _) = expect(folder.path(), 0, &["import", &oha, "-o", "z.json"]);
    assert!(
        text.contains("note: the tool does not tell when it ran: the date is that of its file"),
        "{text}"
    );
    let (text, _) = expect(folder.path(), 0, &["import", "--formats"]);
    assert!(
        text.contains("vllm-serve ") && text.contains("a result of AIPerf"),
        "{text}"
    );
    fs::write(
        folder.path().join("cut.json"),
        "{\"model_id\": \"x\", \"num_prompts\": 1, \"request_rate\": 1, \"completed\": ",
    )
    .unwrap();
    let (_, trouble) = expect(folder.path(), 2, &["import", "cut.json"]);
    assert!(
        trouble.contains("`cut.json` ends in the middle, at line 1"),
        "{trouble}"
    );
}

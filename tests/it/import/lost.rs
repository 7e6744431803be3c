//! What must not be lost, or read as something else, without a word.

use std::{fmt::Write as _, fs, path::Path};

use perfgate::{
    import::{ImportError, Imported, Options},
    session::Ended,
};
use tempfile::TempDir;

use super::{data, import, imported};

fn table(content: &str, more: &[(&str, &str)]) -> Result<Imported, ImportError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, content).unwrap();
    let columns = [("ttft_s", "ttft"), ("e2e_s", "e2e"), ("concurrency", "4")];
    let columns = columns.iter().chain(more);
    let options = Options {
        columns: columns
            .map(|(to, from)| ((*to).to_owned(), (*from).to_owned()))
            .collect(),
        ..Options::default()
    };
    import(&[path], &options)
}

fn completed(found: &Imported) -> u32 {
    let stated = found.session.cells[0].runs[0].stated.as_ref();
    stated.unwrap().completed.unwrap()
}

#[test]
fn a_stray_quote_in_a_table_loses_no_line() {
    let text = "ttft,e2e,note\n0.1,1.0,ok\n0.2,1.0,5\" disk\n0.3,1.0,ok\n0.4,1.0,ok\n";
    assert_eq!(completed(&table(text, &[]).unwrap()), 4);
    let open = table(&text.replace("5\" disk", "\"5 disk"), &[])
        .unwrap_err()
        .to_string();
    assert!(
        open.contains("`line 3`") && open.contains("open at the end of the file"),
        "{open}"
    );
}

#[test]
fn columns_and_keys_that_stand_twice_and_a_cut_line_are_refused() {
    for (text, expected) in [
        (
            "ttft,e2e,ttft\n0.1,1.0,5\n",
            "names two columns `ttft`, the 1. and the 3.",
        ),
        (
            "{\"ttft\": 0.1, \"e2e\": 1, \"ttft\": 0.5}\n{\"ttft\": 0.1, \"e2e\": 1}\n",
            "`entry 1` has `ttft` twice",
        ),
        (
            "[{\"ttft\": 0.1, \"e2e\": 1, \"x\": {\"y\": 1, \"y\": 2}}]",
            "`entry 1` has `x.y` twice",
        ),
        ("ttft,e2e\n0.1,1.0\n0.2,1.", "may be cut"),
    ] {
        let error = table(text, &[]).unwrap_err().to_string();
        assert!(error.replace(": ", " ").contains(expected), "{error}");
    }
    let error = table("ttft,e2e\n0.1,1.0\n", &[("ttft_ms", "e2e")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("takes `ttft` twice, from `ttft` and from `e2e`"),
        "{error}"
    );
    let nested = "{\"ttft\": 0.1, \"e2e\": 1, \"x\": {\"n\": 3}}\n{\"ttft\": 0.1, \"e2e\": 1, \"x\": {\"n\": 5}}\n";
    let found = table(nested, &[("output_tokens", "x.n")]).unwrap();
    assert_eq!(completed(&found), 2);
    assert_eq!(
        found.session.cells[0].runs[0].stated.as_ref().unwrap().output_tokens,
        Some(8)
    );
}

#[test]
fn stamps_beyond_all_clocks_are_refused_by_their_line() {
    let text = fs::read_to_string(data("aiperf/profile_export.jsonl")).unwrap();
    let mut lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["metadata"]["benchmark_phase"] != "warmup" && line["error"].is_null())
        .take(2)
        .collect();
    for (line, start_ns) in lines.iter_mut().zip([0, u64::MAX]) {
        line["metadata"]["request_start_ns"] = start_ns.into();
        line["metadata"]["request_end_ns"] = start_ns.into();
    }
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{line}").unwrap();
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("profile_export.jsonl");
    fs::write(&path, text).unwrap();
    let error = imported(&[path]).unwrap_err().to_string();
    assert!(
        error.contains("line 2") && error.contains("beyond all clocks"),
        "{error}"
    );
}

fn copy(to: &Path, seconds: &str) {
    let text = fs::read_to_string(data("vllm/plain.json")).unwrap();
    let mut run: serde_json::Value = serde_json::from_str(&text).unwrap();
    for key in ["duration", "request_throughput"] {
        run[key] = seconds.parse::<f64>().unwrap().into();
    }
    fs::write(to, run.to_string()).unwrap();
}

#[cfg(unix)]
#[test]
fn links_to_results_are_followed_once_and_what_is_not_looked_into_is_told() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["own", "elsewhere", "own/1/2/3/4/5/6/7/8/9"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    copy(&at("own/a.json"), "11");
    copy(&at("elsewhere/b.json"), "12");
    copy(&at("own/1/2/3/4/5/6/7/8/9/c.json"), "13");
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(at(to), at(from)).unwrap();
    link("own/b.json", "elsewhere/b.json");
    link("own/latest.json", "own/a.json");
    link("own/folder", "elsewhere");
    let found = imported(&[at("own")]).unwrap();
    assert_eq!(found.session.cells[0].runs.len(), 2, "{:?}", found.told);
    let told = found.told.join("\n");
    for expected in [
        "1 other file of",
        "8/9` lies too deep",
        "own/folder` is a link to a folder",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn a_run_of_aiperf_that_failed_leaves_no_clean_session() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["aggregate", "profile_runs/run_0001"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    fs::copy(
        data("aiperf/profile_export_aiperf.json"),
        at("profile_runs/run_0001/profile_export_aiperf.json"),
    )
    .unwrap();
    let means = |failed: &str, well: u32| {
        let text = format!(
            "{{\"schema_version\": \"1.0\", \"metadata\": {{\"aggregation_type\": \"confidence\", \"num_profile_runs\": 1, \
             \"num_successful_runs\": {well}, \"failed_runs\": [{failed}]}}, \"metrics\": {{}}}}"
        );
        fs::write(at("aggregate/profile_export_aiperf_aggregate.json"), text).unwrap();
        imported(&[folder.path().to_owned()]).unwrap().session
    };
    assert_eq!(means("", 1).ended, Ended::Complete);
    let session = means("{\"label\": \"run_0002\", \"error\": \"crashed\"}", 1);
    let is_told = |why: &str| why.contains("1 failed runs") && why.contains("run_0002") && why.contains("crashed");
    assert!(
        matches!(&session.ended, Ended::Aborted(why) if is_told(why)),
        "{:?}",
        session.ended
    );
    assert!(session.notes.iter().any(|note| is_told(note)));
    assert!(matches!(means("", 0).ended, Ended::Aborted(_)));
}

#[test]
fn times_that_cannot_be_are_told_by_their_place_in_the_file() {
    let text = fs::read_to_string(data("vllm/detailed.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&text).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    for (is_old, value) in [(false, "NaN"), (false, "-0.5"), (true, "-0.5"), (true, "NaN")] {
        let mut run = run.clone();
        run["ttfts"][3] = "HERE".into();
        if is_old {
            run.as_object_mut().unwrap().remove("start_times");
        }
        fs::write(&path, run.to_string().replace("\"HERE\"", value)).unwrap();
        let error = imported(std::slice::from_ref(&path)).unwrap_err().to_string();
        assert!(
            error.contains("`ttfts[3]`") && error.contains(value),
            "{value}, {is_old}: {error}"
        );
    }
}

#[test]
fn a_long_prompt_hides_no_file() {
    let text = "{\"experiments\": [{\"experiment\": {\"mode\": \"concurrency\", \"value\": 1}, \"requests\": [{\"request_inputs\": \
                {\"payload\": \"PROMPT\"}, \"timestamp\": 1000, \"response_timestamps\": [2000]}]}], \"version\": \"2.60.0\"}";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.json");
    fs::write(&path, text.replace("PROMPT", &"x".repeat(400_000))).unwrap();
    for path in [path, folder.path().to_owned()] {
        assert_eq!(imported(&[path]).unwrap().session.definitions, "perf-analyzer/1");
    }
}

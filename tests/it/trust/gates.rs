//! Whole gates in the job of a pull request, against the embedded engine.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use perfgate::store;
use serde_json::Value;

use super::repository::{Repo, in_job};
use crate::{
    command::{Sim, assert_code, perfgate},
    target::sim,
};

const TINY: &str = "concurrency: 2\nnum_requests: 20\nwarmup: 2\nrepeat: 2\ninput_tokens: 8\noutput_tokens: 4\n";

fn gate(repo: &Repo, base: &str, body: &str, args: &[&str], code: i32) -> String {
    let mut command = perfgate(&repo.path(), args);
    in_job(
        &mut command,
        "pull_request",
        "refs/pull/7/merge",
        &repo.pull_event(base, body),
    );
    command
        .env("GITHUB_TOKEN", "CANARY-token")
        .env("ACTIONS_RUNTIME_TOKEN", "CANARY-runtime")
        .env("KEPT", "kept");
    let (text, trouble) = assert_code(&command.output().unwrap(), code, args);
    format!("{text}{trouble}")
}

#[test]
fn t1_the_gate_of_a_pull_request_measures_and_judges_as_its_base_says() {
    let engine = Sim::start(&[]);
    let repo = Repo::new();
    repo.write(
        "perfgate.yaml",
        format!("{TINY}target:\n  url: {}\nthreshold: 3%\n", engine.url),
    );
    let base = repo.commit("rules");
    repo.write(
        "perfgate.yaml",
        format!("{TINY}target:\n  url: http://127.0.0.1:1\nthreshold: 500%\n"),
    );
    let head = repo.commit("loosen\n\nperfgate-explain: ttft_p95: by a trailer");
    let text = gate(
        &repo,
        &base,
        "perfgate-explain: tpot_p95: by the text",
        &["gate", "--quiet"],
        3,
    );
    assert!(text.contains("`perfgate.yaml` is changed here"), "{text}");
    let folder = repo.path().join("perfgate-report");
    let measured = store::read_measured(&folder.join("result.json")).unwrap();
    assert_eq!(
        measured.candidate.plan.target.url, engine.url,
        "T11: the base's address"
    );
    assert_eq!(measured.candidate.commit.as_deref(), Some(head.as_str()));
    let provenance = &measured.provenance;
    assert_eq!(provenance.trusted_sha.as_deref(), Some(base.as_str()));
    assert_eq!(provenance.head_sha.as_deref(), Some(head.as_str()));
    assert_eq!(provenance.measured_sha.as_deref(), Some(head.as_str()));
    assert_eq!((provenance.run_id, provenance.run_attempt), (Some(4711), Some(2)));
    assert_eq!(provenance.repository.as_deref(), Some("owner/name"));
    let config = repo.git(&["show", &format!("{base}:perfgate.yaml")]) + "\n";
    assert_eq!(provenance.config_sha256, Some(store::sha256_of(config.as_bytes())));
    let report: Value = serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["trusted"]["commit"], base.as_str());
    assert_eq!(report["trusted"]["not_applied"][0]["path"], "perfgate.yaml");
    for (file, words) in [
        ("report.md", ["not applied", "threshold: 500%"]),
        ("report.html", ["not applied", "threshold: 500%"]),
    ] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{file}: {text}");
    }
}

#[test]
fn a_pull_request_whose_base_is_not_known_is_refused() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", TINY);
    repo.commit("rules");
    let mut command = perfgate(&repo.path(), &["gate"]);
    in_job(&mut command, "pull_request", "refs/pull/7/merge", &repo.push_event());
    let (_, trouble) = assert_code(&command.output().unwrap(), 2, &["gate"]);
    assert!(trouble.contains("--trusted-ref"), "{trouble}");
}

#[test]
fn a_trusted_ref_holds_outside_of_ci_too_from_flag_variable_and_file() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", "threshold: 3%\n");
    repo.commit("rules");
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    repo.write("perfgate.yaml", "threshold: 50%\ntrusted_ref: main\n");
    let compare = |args: &[&str], variable: Option<&str>| {
        crate::made::write(&repo.path(), "s.json", &crate::made::session("a", 1, &[1.0; 5]));
        let args = [&["compare", "s.json", "--format", "json"], args].concat();
        let mut command = perfgate(&repo.path(), &args);
        command.envs(variable.map(|name| ("PERFGATE_TRUSTED_REF", name)));
        let (text, _) = assert_code(&command.output().unwrap(), 3, &args);
        let report: Value = serde_json::from_str(&text).unwrap();
        report["trusted"]["commit"].as_str().map(str::to_owned)
    };
    let main = Some(repo.git(&["rev-parse", "main"]));
    assert_eq!(compare(&["--trusted-ref", "main"], None), main);
    assert_eq!(compare(&[], Some("main")), main);
    assert_eq!(compare(&[], None), main, "the file says so");
    repo.write("perfgate.yaml", "threshold: 50%\n");
    assert_eq!(compare(&[], None), None);
}

#[cfg(unix)]
#[test]
fn t10_the_server_under_test_sees_no_token_of_the_job() {
    let repo = Repo::new();
    let serve = sim("");
    repo.write(
        "serve.sh",
        format!(
            "env > \"env-$1\"; tr '\\0' ' ' < /proc/self/cmdline >> \"env-$1\"; exec {}\n",
            serve.replace("{port}", "$2")
        ),
    );
    let arm =
        |name: &str| format!("  {name}:\n    command: sh serve.sh {name} {{port}}\n    env: {{OWN: own-value}}\n");
    repo.write(
        "perfgate.yaml",
        format!(
            "{TINY}measure: ab\nab: {{looks: [3]}}\narms:\n{}{}",
            arm("baseline"),
            arm("candidate")
        ),
    );
    let base = repo.commit("rules");
    let mut command = perfgate(&repo.path(), &["gate", "--quiet"]);
    in_job(
        &mut command,
        "pull_request",
        "refs/pull/7/merge",
        &repo.pull_event(&base, ""),
    );
    command
        .env("GITHUB_TOKEN", "CANARY-token")
        .env("ACTIONS_RUNTIME_TOKEN", "CANARY-runtime")
        .env("INPUT_GITHUB-TOKEN", "CANARY-input")
        .env("GITHUB_OUTPUT", repo.beside("CANARY-output"))
        .env("KEPT", "kept");
    let output = command.output().unwrap();
    assert!(output.status.code().is_some_and(|code| code != 2), "{output:?}");
    for name in ["baseline", "candidate"] {
        let seen = fs::read_to_string(repo.path().join(format!("env-{name}"))).unwrap();
        assert!(seen.contains("KEPT=kept") && seen.contains("OWN=own-value"), "{seen}");
        assert!(!seen.contains("CANARY"), "{seen}");
    }
    for file in ["result.json", "report.json", "report.md", "report.html"] {
        let text = fs::read_to_string(repo.path().join("perfgate-report").join(file)).unwrap();
        assert!(!text.contains("CANARY"), "{file}");
    }
    assert!(
        !repo.path().join("baselines").exists(),
        "no noise is kept by a pull request (T14)"
    );
}

#[test]
fn t11_in_a_pull_request_no_key_goes_unencrypted_to_another_machine() {
    // Another machine's address that no packet is sent to.
    const AWAY: &str = "http://255.255.255.255:8000";
    let repo = Repo::new();
    let target = |text: &str| format!("{TINY}target:\n  url: {AWAY}\n{text}");
    for (text, named) in [
        ("  api_key_env: KEPT\n", "`target.api_key_env`"),
        ("  headers: {X-Key: {env: KEPT}}\n", "`target.headers.X-Key`"),
    ] {
        repo.write("perfgate.yaml", target(text));
        let base = repo.commit("rules");
        for verb in ["gate", "run"] {
            let said = gate(&repo, &base, "", &[verb, "--quiet"], 2);
            let words = [named, AWAY, "`https://`", "127.0.0.1"];
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
            let is_header = named.contains("headers");
            assert_eq!(said.contains("no secret is written as text"), is_header, "{said}");
        }
        // Outside of pull requests the network is the owner's to judge.
        let said = perfgate(&repo.path(), &["run", "--quiet"])
            .env("KEPT", "kept")
            .output()
            .unwrap();
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(!said.contains("unencrypted"), "{said}");
    }
    // Nor to an arm that is told alone, which `noise` measures against itself.
    for arm in ["baseline", "candidate"] {
        let alone = format!("{TINY}target: {{api_key_env: KEPT}}\narms: {{{arm}: {{url: \"{AWAY}\"}}}}\n");
        repo.write("perfgate.yaml", alone);
        let base = repo.commit(arm);
        let said = gate(&repo, &base, "", &["noise", "--pairs", "2", "--quiet"], 2);
        assert!(said.contains("unencrypted") && said.contains(AWAY), "{said}");
    }
    repo.write("perfgate.yaml", target(""));
    let base = repo.commit("no key");
    let said = gate(&repo, &base, "", &["run", "--quiet"], 4);
    assert!(!said.contains("unencrypted"), "{said}");
}

#[test]
fn t9_no_file_of_a_gate_holds_a_secret_of_its_job() {
    let engine = Sim::start(&[]);
    let repo = Repo::new();
    let target = format!("target:\n  url: {}\n  api_key_env: MODEL_KEY\n", engine.url);
    repo.write("perfgate.yaml", format!("{TINY}{target}"));
    let base = repo.commit("rules");
    // As a step does that passes on whatever it finds.
    let args = ["gate", "--quiet", "--commit", "CANARY-token-4711 by CANARY-model-0815"];
    let mut command = perfgate(&repo.path(), &args);
    in_job(
        &mut command,
        "pull_request",
        "refs/pull/7/merge",
        &repo.pull_event(&base, ""),
    );
    command
        .env("GITHUB_TOKEN", "CANARY-token-4711")
        .env("MODEL_KEY", "CANARY-model-0815");
    let (text, trouble) = assert_code(&command.output().unwrap(), 3, &args);
    assert!(trouble.contains("the session held a secret of this job"), "{trouble}");
    let folder = repo.path().join("perfgate-report");
    let measured = store::read_measured(&folder.join("result.json")).unwrap();
    assert_eq!(measured.candidate.commit.as_deref(), Some("[secret] by [secret]"));
    let mut told = vec![
        text,
        trouble,
        fs::read_to_string(repo.path().join("session.json")).unwrap(),
    ];
    for file in ["result.json", "report.json", "report.md", "report.html"] {
        told.push(fs::read_to_string(folder.join(file)).unwrap());
    }
    assert!(told.iter().all(|text| !text.contains("CANARY")), "{told:?}");
}

#[test]
fn t9_a_variable_that_is_no_secret_ends_a_run_before_it_is_measured() {
    let engine = Sim::start(&["--model", "org/shared-model-7b"]);
    let repo = Repo::new();
    let measured = |more: &str, route: &str, code: i32| {
        let target = format!(
            "target:\n  url: {}\n  headers: {{X-Route: {{env: ROUTE}}}}\n",
            engine.url
        );
        repo.write("perfgate.yaml", format!("{TINY}{target}{more}"));
        let args = ["run", "--quiet"];
        let output = perfgate(&repo.path(), &args).env("ROUTE", route).output().unwrap();
        let (text, trouble) = assert_code(&output, code, &args);
        format!("{text}{trouble}")
    };
    for (more, route) in [
        // The model that is asked for, and the one that the server says it has.
        ("  model: org/shared-model-7b\n", "org/shared-model-7b"),
        ("", "org/shared-model-7b"),
        ("", "shared-model"),
        ("  api: completions\n", "completions"),
        ("", "candidate"),
        ("", "synthetic"),
    ] {
        let said = measured(more, route, 2);
        let words = ["`ROUTE`", "`target.headers.X-Route`", "written as text"];
        assert!(words.iter().all(|word| said.contains(word)), "{route}: {said}");
    }
    measured("", "tenant-4711", 0);
    let session = store::read_session(&repo.path().join("session.json")).unwrap();
    assert_eq!(session.environment.model.as_deref(), Some("org/shared-model-7b"));
}

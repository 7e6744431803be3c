//! Every verb in the job of a pull request: what the head says of addresses, keys and baselines holds for none of them (T1, T11).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, net::TcpListener};

use perfgate::store;

use super::repository::{Repo, in_job};
use crate::{
    command::{Sim, assert_code, perfgate},
    made,
};

const TINY: &str =
    "concurrency: 2\nnum_requests: 20\nwarmup: 2\nrepeat: 2\ninput_tokens: 8\noutput_tokens: 4\nslo: {ttft: 2s}\n";
/// Another machine's address that no packet is sent to.
const AWAY: &str = "http://255.255.255.255:8000";

/// Exit code, and all that was said.
fn in_pull_request(repo: &Repo, base: &str, args: &[&str]) -> (i32, String) {
    let mut command = perfgate(&repo.path(), args);
    let event = repo.pull_event(base, "");
    in_job(&mut command, "pull_request", "refs/pull/7/merge", &event);
    command
        .env("GITHUB_TOKEN", "CANARY-token-4711")
        .env("MODEL_KEY", "CANARY-model-0815");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), text.concat())
}

#[test]
fn t11_no_verb_sends_a_key_to_an_address_of_the_head() {
    let engine = Sim::start(&[]);
    let thief = TcpListener::bind("127.0.0.1:0").unwrap();
    thief.set_nonblocking(true).unwrap();
    let thief_url = format!("http://{}", thief.local_addr().unwrap());
    let repo = Repo::new();
    let target = |url: &str, key: &str| format!("{TINY}target: {{url: \"{url}\", api_key_env: {key}}}\n");
    repo.write("perfgate.yaml", target(&engine.url, "MODEL_KEY"));
    let base = repo.commit("rules");
    let arms = format!("arms:\n  candidate: {{url: \"{thief_url}\"}}\n");
    repo.write("perfgate.yaml", target(&thief_url, "GITHUB_TOKEN") + &arms);
    repo.commit("to me");
    for args in [
        &["run", "--quiet"][..],
        &["gate", "--quiet"],
        &["sweep", "--to", "2", "--steps", "2"],
        &[
            "capacity",
            "--axis",
            "concurrency",
            "--max",
            "2",
            "--batch-duration",
            "100ms",
        ],
        &["noise", "--pairs", "2"],
    ] {
        let (code, said) = in_pull_request(&repo, &base, args);
        assert_ne!(code, 2, "{args:?}: {said}");
        assert!(said.contains("`perfgate.yaml` is changed here"), "{args:?}: {said}");
        assert!(thief.accept().is_err(), "{args:?} went to the head's address: {said}");
    }
    let session = store::read_session(&repo.path().join("session.json")).unwrap();
    assert_eq!(session.plan.target.url, engine.url);
    assert!(!repo.path().join("baselines").exists(), "no noise is kept (T14)");
    // Whoever writes the workflow may say that the head's own holds.
    drop(thief);
    let (code, said) = in_pull_request(&repo, &base, &["run", "--quiet", "--trusted-ref", "HEAD"]);
    assert!(code == 4 && said.contains(&thief_url), "{code}: {said}");
}

#[test]
fn t1_what_a_pull_request_is_told_of_rules_and_baselines_is_the_bases() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", "threshold: 3%\n");
    made::save(
        &repo.path().join("baselines"),
        "of-main",
        &made::session("a", 1_800_000_000, &[1.0; 5]),
    );
    let base = repo.commit("a baseline");
    fs::remove_dir_all(repo.path().join("baselines")).unwrap();
    repo.write("perfgate.yaml", "threshold: 77%\n");
    made::save(
        &repo.path().join("baselines"),
        "of-head",
        &made::session("b", 1_800_000_000, &[2.0; 5]),
    );
    repo.commit("mine");
    for args in [
        &["baseline", "list"][..],
        &["baseline", "show", "of-main"],
        &["history"],
        &["noise"],
        &["config", "show"],
    ] {
        let (code, said) = in_pull_request(&repo, &base, args);
        assert_eq!(code, 0, "{args:?}: {said}");
        assert!(!said.contains("of-head") && !said.contains("77 %"), "{args:?}: {said}");
    }
    let (_, said) = in_pull_request(&repo, &base, &["baseline", "list"]);
    assert!(said.contains("of-main"), "{said}");
    let (_, said) = in_pull_request(&repo, &base, &["config", "show"]);
    assert!(said.contains("3 %"), "{said}");
    // Outside of it, what lies in the folder is what is shown.
    let own = perfgate(&repo.path(), &["baseline", "list"]).output().unwrap();
    let (text, _) = assert_code(&own, 0, &["baseline", "list"]);
    assert!(text.contains("of-head"), "{text}");
}

#[test]
fn t14_no_verb_writes_a_baseline_in_a_pull_request() {
    let repo = Repo::new();
    made::save(
        &repo.path().join("baselines"),
        "main",
        &made::session("a", 1_800_000_000, &[1.0; 5]),
    );
    made::write(&repo.path(), "s.json", &made::session("b", 1_800_000_300, &[1.0; 5]));
    let base = repo.commit("a baseline");
    for args in [
        &["baseline", "save", "s.json"][..],
        &["baseline", "save", "s.json", "--force", "--store", "elsewhere"],
        &["baseline", "accept", "--reason", "so it is"],
        &["baseline", "pin"],
        &["baseline", "rm", "main"],
    ] {
        let (code, said) = in_pull_request(&repo, &base, args);
        assert!(code == 2 && said.contains("jobs of `main` only"), "{args:?}: {said}");
    }
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn t11_only_where_a_verb_sends_its_requests_is_looked_at() {
    let engine = Sim::start(&[]);
    let repo = Repo::new();
    // `run` never asks an arm, `noise` measures the one that is told alone, and `gate --ab` needs both.
    let own = format!("{TINY}target: {{url: \"{}\", api_key_env: MODEL_KEY}}\n", engine.url);
    repo.write(
        "perfgate.yaml",
        format!("{own}arms: {{candidate: {{url: \"{AWAY}\"}}}}\n"),
    );
    let base = repo.commit("an arm alone");
    let (code, said) = in_pull_request(&repo, &base, &["run", "--quiet"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = in_pull_request(&repo, &base, &["noise", "--pairs", "2"]);
    assert!(
        code == 2 && said.contains("unencrypted") && said.contains(AWAY),
        "{said}"
    );
    repo.write(
        "perfgate.yaml",
        format!(
            "{TINY}target: {{url: \"{AWAY}\", api_key_env: MODEL_KEY}}\nab: {{looks: [3]}}\n\
             arms: {{baseline: {{url: \"{0}\"}}, candidate: {{url: \"{0}\"}}}}\n",
            engine.url
        ),
    );
    let base = repo.commit("two arms here");
    let (code, said) = in_pull_request(&repo, &base, &["gate", "--ab", "--quiet"]);
    assert!(code != 2 && !said.contains("unencrypted"), "{code}: {said}");
    let (code, said) = in_pull_request(&repo, &base, &["gate", "--quiet"]);
    assert!(code == 2 && said.contains("unencrypted"), "{code}: {said}");
}

#[test]
fn the_trusted_ref_of_the_file_is_for_gates_and_hides_no_baseline_of_the_folder() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", "trusted_ref: main\nthreshold: 3%\n");
    repo.commit("rules");
    made::save(
        &repo.path().join("baselines"),
        "new",
        &made::session("a", 1_800_000_000, &[1.0; 5]),
    );
    let listed = |args: &[&str]| assert_code(&perfgate(&repo.path(), args).output().unwrap(), 0, args).0;
    assert!(listed(&["baseline", "list"]).contains("new"));
    let mut asked = perfgate(&repo.path(), &["baseline", "list"]);
    let output = asked.env("PERFGATE_TRUSTED_REF", "main").output().unwrap();
    let (text, _) = assert_code(&output, 0, &["baseline", "list"]);
    assert!(text.contains("no baseline"), "{text}");
}

//! What warnings ask for, and who gave it: explanations, acceptances, profiles.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use perfgate::{
    commands::trust::{self, Rules},
    config::Overrides,
    obligation::{Explanation, Place},
    render,
    report::Report,
    session::{Measured, Profile, ProfileKind, Provenance},
    store,
    verdict::Verdict,
};

use super::repository::{Repo, in_job};
use crate::{
    command::{assert_code, perfgate},
    made,
};

/// TPOT only warns, and asks for `what`.
fn config(what: &str, more: &str) -> String {
    format!(
        "gates:\n  tpot_p95: {{threshold: 5%, action: warn, requires: {what}}}\n  output_tokens_per_s: 90%\n  ttft_p95: 90%\n{more}"
    )
}

fn slower(repo: &Repo) -> Measured {
    let runs = |by: f64| [1.0, 1.004, 0.997, 1.002, 0.999].map(|own| own * by);
    let [old, new] = [runs(1.0), runs(1.2)].map(|runs| made::session("a", 1_800_000_000, &runs));
    Measured {
        candidate: made::arm(new, "pair", perfgate::session::PairArm::Candidate),
        baseline: Some(made::arm(old, "pair", perfgate::session::PairArm::Baseline)),
        provenance: Provenance {
            head_sha: Some(repo.git(&["rev-parse", "HEAD"])),
            ..Provenance::default()
        },
        profiles: Vec::new(),
    }
}

fn judged(repo: &Repo, base: &str, said: &[Explanation], profiles: Vec<Profile>) -> Report {
    let rules: Rules = repo.rules_with(base, &Overrides::new()).unwrap();
    let measured = Measured {
        profiles,
        ..slower(repo)
    };
    trust::judge(&measured, ["old", "new"], &rules, said).unwrap()
}

fn said(text: &str) -> Explanation {
    Explanation::parse(text, "bob", Place::PullRequest).unwrap()
}

fn profile(commit: &str) -> Profile {
    Profile {
        kind: ProfileKind::Torch,
        name: "trace.json".into(),
        sha256: "e".repeat(64),
        bytes: 10,
        commit: commit.to_owned(),
        commit_is_assumed: false,
    }
}

#[test]
fn an_explanation_that_is_owed_is_asked_for_and_one_that_is_given_is_shown_in_every_form() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", config("explanation", ""));
    let base = repo.commit("rules");
    let owed = judged(&repo, &base, &[], Vec::new());
    assert_eq!((owed.verdict, owed.exit_code), (Verdict::Pass, 0), "{}", owed.headline);
    assert!(owed.obligations[0].settled.is_none());
    let steps = owed.next_steps.join("\n");
    assert!(steps.contains("perfgate-explain: tpot_p95: REASON"), "{steps}");

    let given = judged(&repo, &base, &[said("tpot_p95: fp8 was wrong")], Vec::new());
    assert_eq!(given.exit_code, 0);
    let forms = [
        render::terminal_report(&given, false, 200),
        render::markdown(&given).unwrap(),
        render::html(&given).unwrap(),
        render::report_json(&given).unwrap(),
    ];
    for form in &forms {
        assert!(form.contains("fp8 was wrong") && form.contains("bob"), "{form}");
    }
    assert_eq!(render::read_report(&forms[3]).unwrap(), without_charts(given));
}

/// What its file holds.
fn without_charts(mut report: Report) -> Report {
    report.detail.clear();
    report.telemetry.clear();
    for arm in report.baseline.iter_mut().chain([&mut report.candidate]) {
        arm.pair_id = None;
    }
    report
}

#[test]
fn evidence_that_is_owed_does_what_the_configuration_says() {
    for (what, more, expected) in [
        ("explanation", "", 0),
        ("explanation", "on_unmet_explanation: hold\n", 3),
        ("explanation", "on_unmet_explanation: block\n", 1),
        ("profile", "", 3),
        ("profile", "on_unmet_profile: ask\n", 0),
        ("profile", "on_unmet_profile: block\n", 1),
    ] {
        let repo = Repo::new();
        repo.write("perfgate.yaml", config(what, more));
        let base = repo.commit("rules");
        let head = repo.git(&["rev-parse", "HEAD"]);
        let owed = judged(&repo, &base, &[], Vec::new());
        assert_eq!(owed.exit_code, expected, "{what} {more}: {}", owed.headline);
        let given = judged(&repo, &base, &[said("tpot_p95: why")], vec![profile(&head)]);
        assert_eq!(given.exit_code, 0, "{what} {more}: {}", given.headline);
        let read = render::read_report(&render::report_json(&owed).unwrap()).unwrap();
        assert_eq!(read, without_charts(owed), "{what} {more}");
    }
}

#[test]
fn a_profile_of_another_commit_leaves_the_gate_held() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", config("profile", ""));
    let base = repo.commit("rules");
    let held = judged(&repo, &base, &[said("tpot_p95: why")], vec![profile(&"1".repeat(40))]);
    assert_eq!((held.verdict, held.exit_code), (Verdict::Inconclusive, 3));
}

#[test]
fn trailers_tell_who_explained_what_and_what_is_malformed_is_told() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", config("explanation", ""));
    let base = repo.commit("rules");
    let commit = repo.commit(
        "kv: page size 32\n\nLonger pages.\n\nperfgate-explain: tpot_p95: longer pages\nperfgate-explain: tpot",
    );
    let repository = perfgate::git::Repository::open(&repo.path()).unwrap();
    let (found, problems) = trust::explanations_of_commits(&repository, &base, &commit).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].who.as_str(), found[0].text.as_str()),
        ("Alice", "longer pages")
    );
    assert_eq!(found[0].place, Place::Trailer { commit });
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (none, _) = trust::explanations_of_commits(&repository, &base, &base).unwrap();
    assert!(none.is_empty(), "the base's own commits explain nothing");
}

#[test]
fn a_profile_is_attached_to_the_result_of_its_commit_and_to_no_other() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", config("profile", ""));
    repo.write(".gitignore", "out\n");
    let base = repo.commit("rules");
    let trace = |events: &str, more: &str| format!(r#"{{"schemaVersion": 1, {more} "traceEvents": [{events}]}}"#);
    let ran = r#"{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 5, "dur": 1}"#;
    repo.write("trace.json", trace(&ran.replace("cpu_op", "user_annotation"), ""));
    let result = repo.path().join("out/result.json");
    let measured = slower(&repo);
    store::write_measured(&result, &measured).unwrap();
    let attach = |more: &[&str], code| {
        let args = [
            &["profile", "attach", "trace.json", "--result", "out/result.json"],
            more,
        ]
        .concat();
        let mut command = perfgate(&repo.path(), &args);
        in_job(
            &mut command,
            "pull_request",
            "refs/pull/7/merge",
            &repo.pull_event(&base, ""),
        );
        let (text, trouble) = assert_code(&command.output().unwrap(), code, &args);
        format!("{text}{trouble}")
    };
    let hollow = attach(&[], 2);
    assert!(hollow.contains("holds no operators or kernels"), "{hollow}");
    repo.write("trace.json", trace(ran, ""));
    let refused = attach(&["--commit", &"1".repeat(40)], 2);
    assert!(refused.contains("profile that one"), "{refused}");
    let text = attach(&[], 0);
    assert!(text.contains("trace.json"), "{text}");
    assert!(text.contains("commit assumed: the file names none"), "{text}");
    let attached = store::read_measured(&result).unwrap();
    assert_eq!(attached.profiles.len(), 1);
    assert_eq!(attached.profiles[0].commit, repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(attached.candidate, measured.candidate, "what was measured is as it was");
    let report = render::read_report(&fs::read_to_string(repo.path().join("out/report.json")).unwrap()).unwrap();
    assert_eq!(report.exit_code, 0);
    // Twice is once.
    attach(&[], 0);
    assert_eq!(store::read_measured(&result).unwrap().profiles.len(), 1);
    // One that names its commit assumes nothing.
    store::write_measured(&result, &measured).unwrap();
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.write("trace.json", trace(ran, &format!(r#""perfgate_commit": "{head}","#)));
    let text = attach(&[], 0);
    assert!(!text.contains("assumed"), "{text}");
    repo.write("trace.json", "{}");
    assert!(attach(&[], 2).contains("no profile that is known"));
}

#[test]
fn t15_a_candidate_that_copies_the_baseline_is_invalid() {
    let repo = Repo::new();
    repo.write("perfgate.yaml", config("explanation", ""));
    let base = repo.commit("rules");
    let mut measured = slower(&repo);
    let baseline = measured.baseline.clone().unwrap();
    measured.candidate.cells[0].runs[0]
        .requests
        .clone_from(&baseline.cells[0].runs[0].requests);
    let rules = repo.rules_at(&base).unwrap();
    let report = trust::judge(&measured, ["old", "new"], &rules, &[]).unwrap();
    assert_eq!((report.verdict, report.exit_code), (Verdict::Invalid, 4));
    assert!(
        report.headline.contains("1 runs of the candidate are copies"),
        "{}",
        report.headline
    );
}

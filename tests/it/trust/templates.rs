//! Templates on the command line: whose they are in a pull request, and that a broken one takes nothing away (T1, T5).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use perfgate::store;
use serde_json::Value;

use super::repository::{Repo, in_job};
use crate::{
    command::{Sim, assert_code, perfgate},
    made,
};

const TINY: &str = "concurrency: 2\nnum_requests: 20\nwarmup: 2\nrepeat: 2\ninput_tokens: 8\noutput_tokens: 4\n";
const OF_BASE: &str = "By the base: {{ word }}, exit {{ exit_code }}\n";

/// A repository with two sessions, of which the second is twice as slow.
fn with_sessions() -> Repo {
    let repo = Repo::new();
    let session = |slowness: f64| {
        let runs = [1.0, 1.004, 0.997, 1.002, 0.999].map(|own| own * slowness);
        made::session("a", 1_800_000_000, &runs)
    };
    made::write(&repo.path(), "old.json", &session(1.0));
    made::write(&repo.path(), "new.json", &session(2.0));
    repo.write("own.md", OF_BASE);
    repo
}

/// Exit code, standard output, standard error.
fn run(repo: &Repo, base: Option<&str>, args: &[&str]) -> (i32, String, String) {
    let mut command = perfgate(&repo.path(), args);
    if let Some(base) = base {
        in_job(
            &mut command,
            "pull_request",
            "refs/pull/7/merge",
            &repo.pull_event(base, ""),
        );
    }
    let output = command.output().unwrap();
    let [text, trouble] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), text, trouble)
}

#[test]
fn a_template_gives_the_answer_of_compare_and_report_and_the_context_is_what_it_sees() {
    let repo = with_sessions();
    let compare = ["compare", "old.json", "new.json", "--report-dir", "out"];
    let (code, text, trouble) = run(&repo, None, &[&compare[..], &["--template", "own.md"]].concat());
    assert_eq!(
        (code, text.as_str()),
        (1, "By the base: regression, exit 1\n"),
        "{trouble}"
    );
    let (code, again, _) = run(&repo, None, &["report", "out/report.json", "--template", "own.md"]);
    assert_eq!((code, &again), (0, &text));
    let (code, context, _) = run(&repo, None, &["report", "out/report.json", "--context"]);
    let context: Value = serde_json::from_str(&context).unwrap();
    assert_eq!(
        (code, &context["context"], &context["word"]),
        (0, &1.into(), &"regression".into())
    );
    let (_, schema, _) = run(&repo, None, &["schema", "context"]);
    assert!(schema.contains("perfgate template context"), "{schema}");
    let to_file = [
        "report",
        "out/report.json",
        "--template",
        "own.md",
        "--output",
        "out/own.md",
    ];
    assert_eq!(run(&repo, None, &to_file).0, 0);
    assert_eq!(fs::read_to_string(repo.path().join("out/own.md")).unwrap(), text);
}

#[test]
fn t5_a_template_that_fails_takes_neither_the_verdict_nor_its_exit_code() {
    let repo = with_sessions();
    repo.write("own.md", "# Ours\n{{ verdikt }}\n");
    let compare = [
        "compare",
        "old.json",
        "new.json",
        "--report-dir",
        "out",
        "--template",
        "own.md",
    ];
    let (code, text, trouble) = run(&repo, None, &compare);
    assert_eq!(code, 1, "{trouble}");
    assert!(
        trouble.contains("`own.md:2`: undefined value") && trouble.contains("the verdict stands"),
        "{trouble}"
    );
    assert!(text.contains("regression") && text.contains("TPOT P95"), "{text}");
    assert!(repo.path().join("out/report.html").is_file());
    let (code, text, trouble) = run(&repo, None, &["report", "out/report.json", "--template", "own.md"]);
    assert!(
        code == 2 && text.is_empty() && trouble.contains("`own.md:2`"),
        "{trouble}"
    );
    // One that is no template at all is known before anything is done.
    fs::remove_dir_all(repo.path().join("out")).unwrap();
    repo.write("own.md", "{% if %}");
    let (code, _, trouble) = run(&repo, None, &compare);
    assert!(code == 2 && trouble.contains("`own.md:1`: syntax error"), "{trouble}");
    assert!(!repo.path().join("out").exists());
}

#[test]
fn a_gate_answers_by_a_template_and_measures_nothing_for_one_that_is_none() {
    let engine = Sim::start(&[]);
    let repo = Repo::new();
    repo.write("perfgate.yaml", format!("{TINY}target: {{url: \"{}\"}}\n", engine.url));
    repo.write("own.md", "{{ word }}, {{ warnings | length }} warnings\n");
    let args = ["gate", "--quiet", "--template", "own.md"];
    let (text, _) = assert_code(&perfgate(&repo.path(), &args).output().unwrap(), 3, &args);
    assert!(text.starts_with("no baseline, "), "{text}");
    repo.write("own.md", "{{ verdikt }}");
    let (code, text, trouble) = run(&repo, None, &args);
    assert!(
        code == 3 && text.contains("no baseline") && trouble.contains("`own.md:1`"),
        "{text}{trouble}"
    );
    let folder = repo.path().join("perfgate-report");
    store::read_measured(&folder.join("result.json")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::remove_file(repo.path().join("session.json")).unwrap();
    repo.write("own.md", "{% for %}");
    let (code, _, trouble) = run(&repo, None, &args);
    assert!(code == 2 && trouble.contains("`own.md:1`: syntax error"), "{trouble}");
    assert!(!folder.exists() && !repo.path().join("session.json").exists());
}

#[test]
fn t1_a_template_of_a_pull_request_is_the_bases() {
    let repo = with_sessions();
    let base = repo.commit("a template");
    repo.write("own.md", "All is well: pass\n");
    repo.write("mine.md", "All is well: pass\n");
    repo.commit("mine");
    let compare = |template: &str| {
        let args = [
            "compare",
            "old.json",
            "new.json",
            "--report-dir",
            "out",
            "--template",
            template,
        ];
        run(&repo, Some(&base), &args)
    };
    let (code, text, trouble) = compare("own.md");
    assert_eq!(
        (code, text.as_str()),
        (1, "By the base: regression, exit 1\n"),
        "{trouble}"
    );
    let report = |template: &str| {
        run(
            &repo,
            Some(&base),
            &["report", "out/report.json", "--template", template],
        )
    };
    assert_eq!(report("own.md").1, text);
    for (code, text, trouble) in [compare("mine.md"), report("mine.md")] {
        assert!(code == 2 && text.is_empty(), "{code}: {text}");
        assert!(trouble.contains("the template `mine.md` is not in commit"), "{trouble}");
    }
    // What lies outside of the repository belongs to whoever runs the job; a link there into it does not.
    fs::write(repo.beside("outside.md"), "From outside: {{ word }}\n").unwrap();
    assert_eq!(
        report(repo.beside("outside.md").to_str().unwrap()).1,
        "From outside: regression\n"
    );
    #[cfg(unix)]
    {
        let link = repo.beside("link.md");
        std::os::unix::fs::symlink(repo.path().join("mine.md"), &link).unwrap();
        assert_eq!(report(link.to_str().unwrap()).0, 2);
    }
}

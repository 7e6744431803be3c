//! `perfgate post` against a forge in memory: whose rules hold, what is believed, and what stands on the pull request.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod door;
mod forge;
mod origin;
mod owed;
mod pair;
mod threats;

use std::{fs, path::Path};

use perfgate::{
    commands::{
        CommandError, Done,
        guard::Guard,
        post::{Asked, Desk, FailOn, Sent, Source, When, Wish, post},
        present::Screen,
        trust,
    },
    config::Overrides,
    github::{Conclusion, Forge, ForgeError, Key, Level, Mode, State, Step},
    session::{Measured, PairArm, Provenance, Session},
    store,
};

use self::forge::{BASE, HEAD, LATER, Memory};
use crate::made;

/// Five pairs that tell a slowdown from none.
const EVEN: [f64; 5] = [1.0, 1.002, 0.998, 1.001, 0.999];
/// Runs of the base: no two runs are alike to the nanosecond.
const OF_THE_BASE: [f64; 5] = [1.0003, 1.0021, 0.9983, 1.0011, 0.9993];
/// Every run a fifth slower.
const SLOWER: [f64; 5] = [1.2, 1.203, 1.197, 1.202, 1.199];

/// The rules of the base, on which the plan is that of [`made::session`] and both arms are measured.
const RULES: &str = "\
schema: perfgate-llm/1
target: {url: http://127.0.0.1:8000, model: tiny}
concurrency: 4
input_tokens: 64
output_tokens: 17
num_requests: 200
warmup_requests: 20
extra_body: {}
measure: ab
gates:
  tpot_p95: {threshold: 5%, action: block}
";

/// A fork's job that has ended, as the event of the posting workflow tells it.
fn event(conclusion: &str) -> String {
    serde_json::json!({
        "repository": {"full_name": "o/r", "default_branch": "main"},
        "workflow_run": {
            "id": 77, "run_attempt": 1, "event": "pull_request", "conclusion": conclusion, "head_sha": HEAD,
            "head_repository": {"full_name": "fork/r"}, "pull_requests": [],
            "html_url": "https://github.com/o/r/actions/runs/77"
        }
    })
    .to_string()
}

/// What that job says of itself.
fn claims() -> Provenance {
    Provenance {
        repository: Some("o/r".into()),
        run_id: Some(77),
        run_attempt: Some(1),
        event: Some("pull_request".into()),
        head_sha: Some(HEAD.into()),
        measured_sha: Some(LATER.into()),
        trusted_sha: Some(BASE.into()),
        config_sha256: None,
    }
}

fn pair(runs: &[f64]) -> Measured {
    let baseline = made::arm(
        made::session(BASE, 1_795_308_000, &OF_THE_BASE),
        "one",
        PairArm::Baseline,
    );
    let candidate = made::arm(made::session(HEAD, 1_795_308_001, runs), "one", PairArm::Candidate);
    Measured {
        candidate,
        baseline: Some(baseline),
        provenance: claims(),
        profiles: Vec::new(),
    }
}

fn alone(candidate: Session) -> Measured {
    Measured {
        candidate,
        baseline: None,
        ..pair(&EVEN)
    }
}

fn wish() -> Wish {
    Wish {
        comment: When::Always,
        mode: Mode::Update,
        key: Key::parse("default").unwrap(),
        key_text: "default".into(),
        check_run: true,
        summary: true,
        fail_on: FailOn::Regression,
        report_url: None,
        dry_run: false,
    }
}

/// One post: its folder, and what it is about.
struct Try {
    folder: tempfile::TempDir,
    wish: Wish,
    event_name: &'static str,
    event: String,
    pull: Option<u64>,
    guard: Guard,
}

impl Try {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            wish: wish(),
            event_name: "workflow_run",
            event: event("success"),
            pull: None,
            guard: Guard::default(),
        }
    }

    fn of(measured: &Measured) -> Self {
        let own = Self::new();
        store::write_measured(&own.result(), measured).unwrap();
        own
    }

    fn result(&self) -> std::path::PathBuf {
        self.folder.path().join("result.json")
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.folder.path().join("summary")).unwrap_or_default()
    }

    fn run(&self, forge: &mut Memory) -> Result<(Done, Sent), CommandError> {
        self.run_at(Some(forge))
    }

    fn run_at(&self, forge: Option<&mut Memory>) -> Result<(Done, Sent), CommandError> {
        let folder = self.folder.path();
        let event = folder.join("event.json");
        fs::write(&event, &self.event).unwrap();
        let variable = |name: &str| match name {
            "GITHUB_EVENT_NAME" => Some(self.event_name.to_owned()),
            "GITHUB_EVENT_PATH" => Some(event.display().to_string()),
            "GITHUB_REPOSITORY" => Some("o/r".into()),
            "GITHUB_RUN_ID" => Some("77".into()),
            _ => None,
        };
        let flags = Overrides::new();
        let asked = Asked {
            result: Source::File(&self.result()),
            pull: self.pull,
            rules: trust::Asked {
                config: Some(Path::new("perfgate.yaml")),
                variable: &variable,
                flags: &flags,
            },
            wish: &self.wish,
            report_dir: &folder.join("reports"),
            tells: true,
            screen: Screen::default(),
        };
        let step = Step {
            output: None,
            summary: Some(folder.join("summary")),
        };
        let desk = Desk {
            forge: forge
                .map(|forge| forge as &mut dyn Forge)
                .ok_or_else(|| "no token".to_owned()),
            step: &step,
            guard: &self.guard,
        };
        post(&asked, desk)
    }
}

fn repository() -> Memory {
    Memory::new().with_file(BASE, "perfgate.yaml", RULES)
}

/// The same rules where the candidate is measured alone.
fn rules_of_one_arm() -> String {
    RULES.replace("measure: ab\n", "")
}

/// A base whose folder of baselines holds one session, with which candidates that were measured alone are compared.
fn with_baseline(session: &Session) -> Memory {
    let folder = tempfile::tempdir().unwrap();
    made::save(folder.path(), "main", session);
    let path = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = path
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let forge = Memory::new().with_file(BASE, "perfgate.yaml", rules_of_one_arm());
    forge.with_file(BASE, &format!("baselines/{name}"), fs::read(&path).unwrap())
}

#[test]
fn a_regression_is_told_in_comment_check_and_summary() {
    let mut forge = repository();
    let own = Try::of(&pair(&SLOWER));
    let (done, sent) = own.run(&mut forge).unwrap();
    assert_eq!((done.exit_code, sent.trouble), (1, vec![]), "{}", done.text);
    let comment = forge.comment();
    assert!(
        comment.starts_with("<!-- perfgate-llm:v1 key=default -->\n"),
        "{comment}"
    );
    assert!(
        comment.contains("perfgate: regression: ") && comment.contains("| TPOT P95 |"),
        "{comment}"
    );
    assert!(
        comment.contains("[run](https://github.com/o/r/actions/runs/77)"),
        "{comment}"
    );
    assert_eq!(
        sent.comment,
        Some((1, "https://github.com/o/r/pull/12#issuecomment-1".into()))
    );
    let [check] = forge.checks.as_slice() else {
        unreachable!("{:?}", forge.checks)
    };
    assert_eq!((check.head_sha.as_str(), check.conclusion), (HEAD, Conclusion::Failure));
    assert!(check.title.starts_with("regression: "), "{}", check.title);
    let annotation = check
        .annotations
        .iter()
        .find(|annotation| annotation.title.starts_with("TPOT P95"))
        .unwrap();
    assert_eq!((annotation.path.as_str(), annotation.line), ("perfgate.yaml", 11));
    assert_eq!(annotation.level, Level::Failure);
    assert!(own.summary().contains("perfgate: regression"), "{}", own.summary());
    let report = fs::read_to_string(own.folder.path().join("reports/report.json")).unwrap();
    assert!(report.contains("\"verdict\": \"regression\""));
}

#[test]
fn a_second_result_takes_the_place_of_the_first_and_remembers_it() {
    let mut forge = repository();
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let (done, _) = Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 0, "{}", done.text);
    let comment = forge.comment();
    assert!(comment.contains("perfgate: pass"), "{comment}");
    assert!(
        comment.contains("Earlier results") && comment.contains("| regression |"),
        "{comment}"
    );
    assert_eq!(forge.checks.last().unwrap().conclusion, Conclusion::Success);
}

#[test]
fn the_same_result_twice_is_one_comment_that_is_left_alone() {
    let mut forge = repository();
    let own = Try::of(&pair(&EVEN));
    own.run(&mut forge).unwrap();
    forge.requests.clear();
    let (done, _) = own.run(&mut forge).unwrap();
    assert!(!forge.requests.contains(&"update_comment"), "{:?}", forge.requests);
    assert!(done.text.contains("says this already"), "{}", done.text);
}

#[test]
fn an_update_from_the_repository_itself_takes_four_requests() {
    let mut forge = repository();
    let mut own = Try::of(&pair(&SLOWER));
    own.event = own.event.replace("fork/r", "o/r").replace(
        "\"pull_requests\":[]",
        &format!(r#""pull_requests":[{{"number": 12, "head": {{"sha": "{HEAD}"}}, "base": {{"sha": "{BASE}"}}}}]"#),
    );
    own.run(&mut forge).unwrap();
    forge.requests.clear();
    store::write_measured(&own.result(), &pair(&EVEN)).unwrap();
    own.run(&mut forge).unwrap();
    let posting: Vec<&str> = forge
        .requests
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "file" | "folder" | "compared"))
        .collect();
    assert_eq!(posting, ["pull", "comments", "update_comment", "create_check"]);
    // And the rules: configuration, acceptances, baselines, and one comparison for all that the head would change of them.
    assert_eq!(forge.requests.len() - posting.len(), 4, "{:?}", forge.requests);
}

#[test]
fn a_comment_is_begun_only_when_it_is_wished_for_and_always_brought_up_to_date() {
    for (when, runs, expected) in [
        (When::Always, EVEN, true),
        (When::Changes, EVEN, false),
        (When::Changes, SLOWER, true),
        (When::Regression, EVEN, false),
        (When::Regression, SLOWER, true),
        (When::Off, SLOWER, false),
    ] {
        let mut forge = repository();
        let mut own = Try::of(&pair(&runs));
        own.wish.comment = when;
        own.run(&mut forge).unwrap();
        assert_eq!(!forge.comments.is_empty(), expected, "{when:?}");
        assert_eq!(forge.checks.len(), 1);
    }
    let mut forge = repository();
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let mut own = Try::of(&pair(&EVEN));
    own.wish.comment = When::Regression;
    own.run(&mut forge).unwrap();
    assert!(
        forge.comment().contains("perfgate: pass"),
        "the old one said regression"
    );
}

#[test]
fn a_new_comment_folds_the_old_one_away_where_that_is_wished() {
    let mut forge = repository();
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let mut own = Try::of(&pair(&EVEN));
    own.wish.mode = Mode::Recreate;
    own.run(&mut forge).unwrap();
    let folded: Vec<bool> = forge.comments.iter().map(|comment| comment.is_minimized).collect();
    assert_eq!(folded, [true, false]);
}

#[test]
fn what_cannot_be_posted_is_exit_5_and_never_hides_a_regression() {
    let refused = ForgeError::Permission {
        what: "write a comment",
        status: 403,
        message: "Resource not accessible by integration".into(),
        permission: "pull-requests: write",
    };
    for (runs, code) in [(EVEN, 5), (SLOWER, 1)] {
        let mut forge = repository();
        forge.refused.push(("create_comment", refused.clone()));
        let own = Try::of(&pair(&runs));
        let (done, sent) = own.run(&mut forge).unwrap();
        assert_eq!(done.exit_code, code, "{}", done.text);
        assert!(
            sent.trouble[0].contains("permissions: pull-requests: write"),
            "{:?}",
            sent.trouble
        );
        assert_eq!(forge.checks.len(), 1, "the check is written all the same");
        assert!(!own.summary().is_empty() && own.folder.path().join("reports/report.html").exists());
    }
}

#[test]
fn a_closed_or_locked_pull_request_gets_no_comment_and_nothing_fails() {
    let mut forge = repository();
    forge.refused.push(("create_comment", ForgeError::Locked));
    let (done, sent) = Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    assert_eq!((done.exit_code, sent.trouble.len()), (0, 0), "{}", done.text);
    let mut forge = repository();
    forge.pulls[0].state = State::Closed;
    let mut own = Try::of(&pair(&EVEN));
    own.pull = Some(12);
    let (done, _) = own.run(&mut forge).unwrap();
    assert!(
        done.text.contains("pull request 12 is closed: no comment"),
        "{}",
        done.text
    );
    assert_eq!((done.exit_code, forge.comments.len(), forge.checks.len()), (0, 0, 1));
}

#[test]
fn nothing_is_sent_in_a_dry_run_and_all_of_it_is_shown() {
    let mut forge = repository();
    let mut own = Try::of(&pair(&SLOWER));
    own.wish.dry_run = true;
    let (done, sent) = own.run(&mut forge).unwrap();
    assert!(forge.comments.is_empty() && forge.checks.is_empty() && own.summary().is_empty());
    assert_eq!(sent.comment, None);
    assert!(!done.text.contains("post: wrote"), "{}", done.text);
    assert!(
        !forge
            .requests
            .iter()
            .any(|name| name.starts_with("create") || name.starts_with("update"))
    );
    for shown in [
        "would write a comment on pull request 12:\n| <!-- perfgate-llm:v1 key=default -->",
        "would write check run `perfgate`",
        "would annotate `perfgate.yaml` line 11 (Failure)",
        "bytes to the job summary",
    ] {
        assert!(done.text.contains(shown), "{shown} in\n{}", done.text);
    }
    assert_eq!(done.exit_code, 1);
}

#[test]
fn no_baseline_yet_says_how_one_is_made_and_blocks_nothing() {
    let mut forge = Memory::new().with_file(BASE, "perfgate.yaml", rules_of_one_arm());
    let (done, _) = Try::of(&alone(made::session(HEAD, 1_795_308_001, &EVEN)))
        .run(&mut forge)
        .unwrap();
    assert_eq!(done.exit_code, 3);
    let comment = forge.comment();
    assert!(comment.contains("perfgate: no baseline"), "{comment}");
    assert!(comment.contains("perfgate baseline save session.json"), "{comment}");
    assert_eq!(forge.checks[0].conclusion, Conclusion::Neutral);
}

#[test]
fn a_stored_baseline_of_the_base_judges_a_candidate_alone() {
    let mut forge = with_baseline(&made::session(BASE, 1_795_000_000, &EVEN));
    let (done, _) = Try::of(&alone(made::session(HEAD, 1_795_308_001, &SLOWER)))
        .run(&mut forge)
        .unwrap();
    // Two sessions apart are too few to tell; that they were held against each other is what matters here.
    assert!(done.text.contains("baseline:  main at 9f8e7d6c5b"), "{}", done.text);
    assert!(!forge.comment().contains("no baseline"), "{}", forge.comment());
}

#[test]
fn another_gate_has_its_own_comment_and_check() {
    let mut forge = repository();
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let mut own = Try::of(&pair(&EVEN));
    own.wish.key = Key::parse("fp8").unwrap();
    own.wish.key_text = "fp8".into();
    own.run(&mut forge).unwrap();
    assert_eq!(forge.comments.len(), 2);
    assert!(forge.comments[1].body.starts_with("<!-- perfgate-llm:v1 key=fp8 -->"));
    assert_eq!(forge.checks[1].name, "perfgate (fp8)");
}

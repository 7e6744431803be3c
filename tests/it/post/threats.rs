//! One test for each threat that posting meets, by its number in the threat model.

use perfgate::{
    commands::guard::Guard,
    github::{Brought, Compared, Conclusion, ForgeError},
    plan::Load,
    store,
};

use super::{
    EVEN, OF_THE_BASE, RULES, SLOWER, Try, alone, claims, event,
    forge::{BASE, HEAD, LATER, Memory},
    pair, repository, rules_of_one_arm, with_baseline,
};
use crate::made;

#[test]
fn t1_the_head_of_a_pull_request_moves_no_limit() {
    let loose = RULES.replace("5%", "500%");
    let mut honest = repository().with_file(HEAD, "perfgate.yaml", RULES);
    let mut sly = repository().with_file(HEAD, "perfgate.yaml", loose);
    let verdicts = [&mut honest, &mut sly].map(|forge| {
        let (done, _) = Try::of(&pair(&SLOWER)).run(forge).unwrap();
        assert_eq!(done.exit_code, 1, "{}", done.text);
        forge.checks[0].title.clone()
    });
    assert_eq!(verdicts[0], verdicts[1]);
    assert!(
        sly.comment().contains("not applied") && sly.comment().contains("500%"),
        "{}",
        sly.comment()
    );
    assert!(!honest.comment().contains("not applied"), "{}", honest.comment());
}

#[test]
fn t2_an_absent_result_is_red() {
    for (conclusion, words) in [
        ("success", "left no result"),
        ("failure", "its run ended as <code>failure</code>"),
        ("cancelled", "the measurement was cancelled"),
        ("skipped", "the measurement was skipped"),
    ] {
        let mut forge = repository();
        let mut own = Try::new();
        own.event = event(conclusion);
        let (done, _) = own.run(&mut forge).unwrap();
        assert_eq!(done.exit_code, 4, "{}", done.text);
        assert!(forge.comment().contains(words), "{}", forge.comment());
        assert_eq!(forge.checks[0].conclusion, Conclusion::Failure);
        assert!(
            forge.checks[0].title.starts_with("no verdict: "),
            "{}",
            forge.checks[0].title
        );
    }
}

#[test]
fn t2_an_empty_or_broken_result_is_red() {
    for text in [
        "",
        "{",
        "[1]",
        "{\"schema\": \"perfgate-llm/result/9\"}",
        "{\"verdict\": \"pass\"}",
    ] {
        let mut forge = repository();
        let own = Try::new();
        std::fs::write(own.result(), text).unwrap();
        let (done, _) = own.run(&mut forge).unwrap();
        assert_eq!(
            (done.exit_code, forge.checks[0].conclusion),
            (4, Conclusion::Failure),
            "{text}"
        );
    }
}

#[test]
fn t3_what_a_fork_measured_is_text_in_the_comment() {
    let mut measured = pair(&SLOWER);
    for session in measured.baseline.iter_mut().chain([&mut measured.candidate]) {
        session.environment.engine_name = Some("<img src=x>@octocat [a](https://evil.test) |".into());
        session.notes.push("</details> #12 www.evil.test".into());
    }
    let mut forge = repository();
    Try::of(&measured).run(&mut forge).unwrap();
    let comment = forge.comment();
    for markup in ["<img", "@octocat", "](https://evil", "</details> #12", "www.evil"] {
        assert!(!comment.contains(markup), "{markup} in\n{comment}");
    }
}

#[test]
fn t9_a_token_is_never_posted() {
    const CANARY: &str = "ghs_CANARY0123456789abcdefABCDEF012345";
    let mut measured = pair(&EVEN);
    measured.candidate.notes.push(format!("the server said {CANARY}"));
    let mut forge = repository();
    let mut own = Try::of(&measured);
    own.guard = Guard::of([CANARY.to_owned()]);
    let ended = own.run(&mut forge);
    let words = match &ended {
        Ok((done, sent)) => format!("{} {:?}", done.text, sent.trouble),
        Err(error) => error.to_string(),
    };
    assert!(
        words.contains("would hold a secret") && !words.contains("CANARY"),
        "{words}"
    );
    assert!(
        forge.comments.is_empty() && forge.checks.is_empty(),
        "{:?}",
        forge.checks
    );
    assert!(!own.summary().contains("CANARY"));
    for file in walk(&own.folder.path().join("reports")) {
        assert!(
            !std::fs::read_to_string(&file).unwrap().contains("CANARY"),
            "{}",
            file.display()
        );
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn t15_a_result_of_another_run_is_not_judged() {
    for (what, claimed) in [
        (
            "workflow run",
            perfgate::session::Provenance {
                run_id: Some(76),
                ..claims()
            },
        ),
        (
            "head commit",
            perfgate::session::Provenance {
                head_sha: Some(LATER.into()),
                ..claims()
            },
        ),
        (
            "attempt",
            perfgate::session::Provenance {
                run_attempt: Some(2),
                ..claims()
            },
        ),
        (
            "repository",
            perfgate::session::Provenance {
                repository: Some("fork/r".into()),
                ..claims()
            },
        ),
        ("workflow run", perfgate::session::Provenance::default()),
    ] {
        let mut measured = pair(&EVEN);
        measured.provenance = claimed;
        let mut forge = repository();
        let (done, _) = Try::of(&measured).run(&mut forge).unwrap();
        assert_eq!((done.exit_code, forge.checks[0].conclusion), (4, Conclusion::Failure));
        assert!(forge.comment().contains(what), "{what}: {}", forge.comment());
        assert!(forge.comment().contains("does not belong to this run"));
    }
}

#[test]
fn t15_copied_samples_are_no_pass() {
    let mut forge = repository();
    let (done, _) = Try::of(&pair(&OF_THE_BASE)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (4, Conclusion::Failure),
        "{}",
        done.text
    );
    assert!(
        forge.comment().contains("copies of the baseline"),
        "{}",
        forge.comment()
    );
}

#[test]
fn t15_edited_samples_are_found_by_their_seal() {
    let own = Try::of(&pair(&SLOWER));
    let text = std::fs::read_to_string(own.result()).unwrap();
    let edited = text.replacen("\"started_unix_s\": 1795308001", "\"started_unix_s\": 1795308002", 1);
    let edited = if edited == text {
        text.replacen("1795308001", "1795308002", 1)
    } else {
        edited
    };
    assert_ne!(edited, text);
    std::fs::write(own.result(), edited).unwrap();
    let mut forge = repository();
    let (done, _) = own.run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 4, "{}", done.text);
    assert_eq!(forge.checks[0].conclusion, Conclusion::Failure);
}

#[test]
fn a_lighter_load_than_the_base_asks_for_passes_nothing() {
    let mut measured = pair(&EVEN);
    for session in measured.baseline.iter_mut().chain([&mut measured.candidate]) {
        let light = Load::Concurrency(1);
        session.plan.loads = vec![light.clone()];
        for cell in &mut session.cells {
            cell.name = session.plan.cell_name(&light);
            cell.load = light.clone();
        }
    }
    let mut forge = repository();
    let (done, _) = Try::of(&measured).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 3, "{}", done.text);
    assert_eq!(forge.checks[0].conclusion, Conclusion::ActionRequired);
    assert!(
        forge
            .comment()
            .contains("not what <code>perfgate.yaml</code> asks to measure"),
        "{}",
        forge.comment()
    );
}

#[test]
fn what_is_invalid_is_not_less_so_for_another_load() {
    let rules = RULES.replace("concurrency: 4", "concurrency: 8");
    let mut forge = Memory::new().with_file(BASE, "perfgate.yaml", rules);
    let (done, _) = Try::of(&pair(&OF_THE_BASE)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (4, Conclusion::Failure),
        "{}",
        done.text
    );
    assert!(
        forge.checks[0].title.contains("copies of the baseline"),
        "{}",
        forge.checks[0].title
    );
    assert!(done.text.contains("plan.cells"), "{}", done.text);
}

#[test]
fn another_model_than_the_baselines_is_no_way_out() {
    let mut forge = with_baseline(&made::session(BASE, 1_795_000_000, &EVEN));
    let rules = rules_of_one_arm().replace(", model: tiny", "");
    forge = forge.with_file(BASE, "perfgate.yaml", rules);
    let mut candidate = made::session(HEAD, 1_795_308_001, &SLOWER);
    candidate.environment.model = Some("tinier".into());
    candidate.plan.target.model = Some("tinier".into());
    let (done, _) = Try::of(&alone(candidate)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (3, Conclusion::ActionRequired),
        "{}",
        done.text
    );
}

#[test]
fn t18_a_head_that_moves_between_reading_and_posting_is_told_so() {
    let mut forge = repository();
    forge.moves_to = Some(LATER);
    let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 1);
    let comment = forge.comment();
    assert!(
        comment.contains("this is about <code>a1b2c3d4e5</code>, an older commit"),
        "{comment}"
    );
    assert_eq!(forge.checks[0].head_sha, HEAD, "the check is on what was measured");
}

#[test]
fn t18_an_older_commit_does_not_take_the_place_of_a_newer_one() {
    let mut forge = repository();
    forge.pulls[0].head.sha = LATER.into();
    let mut newer = Try::of(&{
        let mut measured = pair(&EVEN);
        measured.provenance.head_sha = Some(LATER.into());
        measured
    });
    newer.event = newer.event.replace(HEAD, LATER);
    newer.run(&mut forge).unwrap();
    let before = forge.comment().to_owned();
    let mut late = Try::of(&pair(&SLOWER));
    late.pull = Some(12);
    let (done, _) = late.run(&mut forge).unwrap();
    assert_eq!(forge.comment(), before);
    assert!(done.text.contains("left a newer comment"), "{}", done.text);
    assert_eq!(forge.checks[1].head_sha, HEAD);
}

#[test]
fn t19_a_strangers_comment_with_our_marker_is_left_alone() {
    let mut forge = repository();
    let fake = "<!-- perfgate-llm:v1 key=default -->\n## ✅ perfgate: pass";
    forge.say("alice", fake);
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(forge.comments[0].body, fake);
    assert!(forge.comment().contains("regression"));
}

#[test]
fn t22_a_giant_result_leaves_a_comment_that_fits() {
    let mut measured = pair(&SLOWER);
    measured.candidate.notes = (0..500)
        .map(|number| format!("{number} {}", "@|<".repeat(300)))
        .collect();
    let mut forge = repository();
    Try::of(&measured).run(&mut forge).unwrap();
    let comment = forge.comment();
    assert!(
        comment.len() < 60_000 && comment.contains("perfgate: regression: "),
        "{} bytes",
        comment.len()
    );
}

#[test]
fn a_pull_request_that_is_named_wrongly_is_refused() {
    let mut own = Try::of(&pair(&EVEN));
    own.event_name = "pull_request";
    own.event = serde_json::json!({
        "repository": {"full_name": "o/r"},
        "pull_request": {"number": 12, "head": {"sha": HEAD, "repo": {"full_name": "o/r"}}, "base": {"sha": BASE}}
    })
    .to_string();
    own.pull = Some(13);
    let error = own.run(&mut Memory::new()).unwrap_err();
    assert!(error.to_string().contains("which is 12"), "{error}");
}

#[test]
fn rules_that_cannot_be_read_are_red_and_say_where_to_mend_them() {
    let mut forge = Memory::new().with_file(BASE, "perfgate.yaml", "gates: {tpot_p95: {threshold: fast}}\n");
    let (done, _) = Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (2, Conclusion::Failure),
        "{}",
        done.text
    );
    assert!(forge.comment().contains("on the base branch"), "{}", forge.comment());
}

#[test]
fn without_a_checkout_the_commits_of_the_pull_request_explain_too() {
    const ASKS: &str = "    action: warn\n    requires: explanation\n";
    let rules = RULES.replace("{threshold: 5%, action: block}\n", "\n    threshold: 5%\n") + ASKS;
    let mut forge = Memory::new().with_file(BASE, "perfgate.yaml", rules);
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let owed = forge.comment().to_owned();
    assert!(owed.contains("perfgate-explain"), "{owed}");
    let commit = |sha: &str, message: &str| Brought {
        sha: sha.into(),
        author: "Eve".into(),
        message: message.into(),
    };
    forge.compared = Some(Compared {
        fork: BASE.into(),
        commits: vec![
            commit(
                HEAD,
                "tune\n\nperfgate-explain: tpot_p95: bigger batches, agreed in 12\n",
            ),
            commit(LATER, "typo\n\nperfgate-explain: tpot: why\n"),
        ],
        ..Compared::default()
    });
    Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    let comment = forge.comment();
    assert!(
        comment.contains("bigger batches") && comment.contains("Eve"),
        "{comment}"
    );
    assert_eq!(comment.matches("names no metric").count(), 1, "{comment}");
}

#[test]
fn t1_baselines_that_the_head_adds_are_shown_without_a_checkout_too() {
    let mut forge = repository()
        .with_file(HEAD, "perfgate.yaml", RULES)
        .with_file(HEAD, "baselines/easy.json", "{}")
        .with_file(HEAD, "baselines/deep/no.json", "{}")
        .with_file(HEAD, "src/lib.rs", "fn main() {}");
    Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    let comment = forge.comment();
    assert!(
        comment.contains("not applied") && comment.contains("baselines/easy.json"),
        "{comment}"
    );
    assert!(!comment.contains("no.json") && !comment.contains("lib.rs"), "{comment}");
}

#[test]
fn a_comparison_that_github_gives_up_on_keeps_nothing_from_being_judged() {
    let mut forge = repository();
    forge.refused.push((
        "compared",
        ForgeError::Unreachable {
            what: "compare two commits",
            tries: 2,
            message: "503 unicorn".into(),
        },
    ));
    let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 1);
    assert!(forge.comment().contains("is not known"), "{}", forge.comment());
}

#[test]
fn a_forge_that_gives_no_rules_is_trouble_and_no_pass() {
    let mut forge = repository();
    forge.refused.push((
        "file",
        ForgeError::Refused {
            what: "read a file",
            status: 500,
            message: "unicorn".into(),
        },
    ));
    let (done, _) = Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (2, Conclusion::Failure),
        "{}",
        done.text
    );
}

#[test]
fn a_result_file_is_what_the_post_reads_and_nothing_beside_it() {
    let own = Try::of(&pair(&SLOWER));
    let reports = own.folder.path().join("reports");
    std::fs::create_dir_all(&reports).unwrap();
    std::fs::write(reports.join("report.md"), "## all is well").unwrap();
    own.run(&mut repository()).unwrap();
    assert!(
        std::fs::read_to_string(reports.join("report.md"))
            .unwrap()
            .contains("regression")
    );
    assert!(store::read_measured(&own.result()).is_ok());
}

#[test]
fn t2_a_number_that_belongs_to_another_fork_is_refused() {
    let mut forge = repository();
    forge.pulls[0].head.repository = Some("victim/r".into());
    let mut own = Try::of(&pair(&EVEN));
    own.pull = Some(12);
    let error = own.run(&mut forge).unwrap_err();
    assert!(error.to_string().contains("of another repository"), "{error}");
    assert!(forge.comments.is_empty() && forge.checks.is_empty());
}

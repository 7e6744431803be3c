//! Whose rules hold where another run measured: those of a base that is known for sure, else there is no verdict.

use perfgate::{
    commands::post::{FailOn, When},
    github::{Conclusion, ForgeError, Pull},
};

use super::{
    EVEN, SLOWER, Try, alone, event,
    forge::{BASE, HEAD, LATER, Memory},
    pair, repository,
};
use crate::made;

/// What becomes of the pull request before it is looked for.
type Happening = fn(&mut Memory);

/// The pull request once more, into another branch.
fn offered_to(forge: &Memory, branch: &str, tip: &str) -> Pull {
    Pull {
        number: 13,
        base_branch: branch.into(),
        base_sha: tip.into(),
        ..forge.pulls[0].clone()
    }
}

fn unreadable() -> ForgeError {
    ForgeError::Permission {
        what: "find the pull request of a commit",
        status: 403,
        message: "Resource not accessible by integration".into(),
        permission: "pull-requests: read",
    }
}

#[test]
fn t2_a_base_that_nobody_can_tell_is_no_verdict_and_no_neutral_check() {
    let closed = |forge: &mut Memory| forge.pulls.clear();
    let moved = |forge: &mut Memory| forge.pulls[0].head.sha = LATER.into();
    let refused = |forge: &mut Memory| forge.refused.push(("pulls_of", unreadable()));
    let several = |forge: &mut Memory| forge.pulls.push(offered_to(forge, "loose", LATER));
    let ways: [(&str, Happening); 4] = [
        ("it was closed, or has a newer commit by now", closed),
        ("it was closed, or has a newer commit by now", moved),
        ("pull-requests: read", refused),
        ("the pull requests 12, 13", several),
    ];
    for (words, happen) in ways {
        for comment in [When::Always, When::Off] {
            let mut forge = repository();
            happen(&mut forge);
            let mut own = Try::of(&alone(made::session(HEAD, 1_795_308_001, &EVEN)));
            own.wish.comment = comment;
            let (done, _) = own.run(&mut forge).unwrap();
            let check = &forge.checks[0];
            assert_eq!(
                (done.exit_code, check.conclusion),
                (4, Conclusion::Failure),
                "{}",
                done.text
            );
            assert_eq!(FailOn::Never.exit_code(done.exit_code), 4);
            assert!(
                check.title.starts_with("no verdict: whose rules hold is not known"),
                "{}",
                check.title
            );
            assert!(check.summary.contains(words), "{words} in\n{}", check.summary);
            assert!(forge.comments.is_empty() && own.summary().contains(words));
        }
    }
}

#[test]
fn two_pull_requests_into_one_branch_are_judged_by_its_tip() {
    let mut forge = repository();
    forge.pulls.insert(0, offered_to(&forge, "main", BASE));
    forge.pulls[1].base_sha = LATER.into();
    let mut own = Try::of(&pair(&SLOWER));
    let (done, sent) = own.run(&mut forge).unwrap();
    assert_eq!((done.exit_code, forge.checks[0].conclusion), (1, Conclusion::Failure));
    assert!(
        sent.trouble[0].contains("name one with `--pr-number`"),
        "{:?}",
        sent.trouble
    );
    own.wish.comment = When::Off;
    let (_, sent) = own.run(&mut forge).unwrap();
    assert!(sent.trouble.is_empty(), "{:?}", sent.trouble);
}

#[test]
fn what_a_merge_queue_proposes_is_not_its_own_judge() {
    let mut forge = repository().with_file(HEAD, "perfgate.yaml", super::RULES.replace("5%", "500%"));
    let mut own = Try::of(&pair(&SLOWER));
    own.event = event("success").replace("\"event\":\"pull_request\"", "\"event\":\"merge_group\"");
    let mut measured = pair(&SLOWER);
    measured.provenance.event = Some("merge_group".into());
    perfgate::store::write_measured(&own.result(), &measured).unwrap();
    let (done, _) = own.run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (4, Conclusion::Failure),
        "{}",
        done.text
    );
    assert!(
        forge.checks[0].summary.contains("in the run that measured it"),
        "{}",
        forge.checks[0].summary
    );
}

#[test]
fn without_a_token_what_another_run_measured_is_not_judged_by_what_lies_here() {
    let own = Try::of(&alone(made::session(HEAD, 1_795_308_001, &EVEN)));
    let (done, _) = own.run_at(None).unwrap();
    assert_eq!(done.exit_code, 4, "{}", done.text);
    assert!(done.text.contains("no token to ask GitHub with"), "{}", done.text);
    // The base is known, and nobody gives its files.
    let mut own = Try::of(&alone(made::session(HEAD, 1_795_308_001, &EVEN)));
    own.event = own.event.replace("fork/r", "o/r").replace(
        "\"pull_requests\":[]",
        &format!(r#""pull_requests":[{{"number": 12, "head": {{"sha": "{HEAD}"}}, "base": {{"sha": "{BASE}"}}}}]"#),
    );
    let (done, _) = own.run_at(None).unwrap();
    assert_eq!(done.exit_code, 2, "{}", done.text);
}

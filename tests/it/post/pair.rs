//! A result that brings its own baseline passes by it only where the base asks for both arms.

use perfgate::{
    github::{Compared, Conclusion},
    session::Measured,
};

use super::{
    EVEN, SLOWER, Try, alone,
    forge::{BASE, HEAD, LATER, Memory},
    pair, repository, rules_of_one_arm,
};
use crate::made;

fn of_baseline(commit: Option<&str>, runs: &[f64]) -> Measured {
    let mut measured = pair(runs);
    if let Some(baseline) = &mut measured.baseline {
        baseline.commit = commit.map(str::to_owned);
    }
    measured
}

#[test]
fn t15_a_baseline_that_a_fork_brings_is_none_where_the_base_measures_the_candidate_alone() {
    let mut forge = Memory::new().with_file(BASE, "perfgate.yaml", rules_of_one_arm());
    let (done, _) = Try::of(&pair(&EVEN)).run(&mut forge).unwrap();
    let check = &forge.checks[0];
    assert_eq!(
        (done.exit_code, check.conclusion),
        (3, Conclusion::ActionRequired),
        "{}",
        done.text
    );
    assert!(
        check.title.starts_with("incomparable: it brings a baseline of its own"),
        "{}",
        check.title
    );
    assert!(
        forge.comment().contains("give the job that posts"),
        "{}",
        forge.comment()
    );
    // What is worse even so is not excused by it.
    let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 1, "{}", done.text);
}

#[test]
fn t15_a_candidate_alone_is_no_way_out_of_a_pair() {
    let mut forge = repository();
    let measured = alone(made::session(HEAD, 1_795_308_001, &SLOWER));
    let (done, _) = Try::of(&measured).run(&mut forge).unwrap();
    let check = &forge.checks[0];
    assert_eq!(
        (done.exit_code, check.conclusion),
        (3, Conclusion::ActionRequired),
        "{}",
        done.text
    );
    assert!(check.title.contains("it was measured alone"), "{}", check.title);
}

#[test]
fn t15_a_baseline_of_another_commit_than_the_base_is_none() {
    const FORK: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
    for (commit, code) in [(None, 0), (Some(BASE), 0), (Some(FORK), 0), (Some(LATER), 3)] {
        let mut forge = repository();
        forge.compared = Some(Compared {
            fork: FORK.into(),
            ..Compared::default()
        });
        let (done, _) = Try::of(&of_baseline(commit, &EVEN)).run(&mut forge).unwrap();
        assert_eq!(done.exit_code, code, "{commit:?}: {}", done.text);
        let comment = forge.comment();
        if code == 0 {
            assert!(comment.contains("is its word"), "{comment}");
        } else {
            assert!(comment.contains("neither the base"), "{comment}");
        }
    }
    let mut forge = repository();
    let (done, _) = Try::of(&of_baseline(Some(LATER), &SLOWER)).run(&mut forge).unwrap();
    assert_eq!(done.exit_code, 1, "{}", done.text);
}

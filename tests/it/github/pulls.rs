//! The pull request of a measured commit, from facts alone.

use perfgate::github::{Forge, Found, Head, find_pull};

use super::{
    OTHER, SHA, client,
    fake::{Fake, Fault, fail},
    listed,
};

fn head(repository: &str) -> Head {
    Head {
        sha: SHA.into(),
        repository: Some(repository.into()),
    }
}

fn found(fake: &Fake, repository: &str, claimed: Option<u64>) -> Found {
    let found = find_pull(&mut client(fake), &head(repository), claimed).unwrap();
    fake.check();
    found
}

fn number(found: &Found) -> Option<u64> {
    match found {
        Found::One(pull) => Some(pull.number),
        _ => None,
    }
}

#[test]
fn a_branch_of_the_repository_is_found_by_its_commit() {
    let fake = Fake::start();
    fake.state()
        .pulls
        .extend([listed(1, OTHER, "o/r"), listed(2, SHA, "o/r")]);
    assert_eq!(number(&found(&fake, "o/r", None)), Some(2));
    assert_eq!(fake.requests(), [format!("GET /repos/o/r/commits/{SHA}/pulls")]);
}

#[test]
fn a_forks_branch_is_found_among_the_open_ones() {
    let fake = Fake::start();
    for n in 0..120 {
        fake.state().pulls.push(listed(n, OTHER, "alice/r"));
    }
    fake.state().pulls.push(listed(500, SHA, "Alice/r"));
    assert_eq!(number(&found(&fake, "alice/r", None)), Some(500));
    assert_eq!(fake.requests().len(), 3);
}

#[test]
fn a_commit_that_the_repository_has_not_seen_is_looked_for_as_well() {
    let fake = Fake::start();
    fake.state().pulls.push(listed(5, SHA, "alice/r"));
    fake.plant(Fault {
        message: "No commit found for SHA",
        ..fail("GET", "/commits/", 422)
    });
    assert_eq!(number(&found(&fake, "alice/r", None)), Some(5));
}

#[test]
fn the_same_commit_in_another_repository_is_another_pull_request() {
    let fake = Fake::start();
    fake.state()
        .pulls
        .extend([listed(1, SHA, "mallory/r"), listed(2, SHA, "o/r")]);
    assert_eq!(number(&found(&fake, "mallory/r", Some(2))), Some(1));
    assert_eq!(number(&found(&fake, "o/r", Some(1))), Some(2));
    assert_eq!(found(&fake, "bob/r", Some(2)), Found::None);
}

#[test]
fn a_fork_that_is_gone_brings_nothing() {
    let fake = Fake::start();
    fake.state().pulls.push(listed(1, SHA, "alice/r"));
    fake.state().pulls[0]["head"]["repo"] = serde_json::Value::Null;
    assert_eq!(found(&fake, "alice/r", None), Found::None);
    let nowhere = Head {
        sha: SHA.into(),
        repository: None,
    };
    assert_eq!(find_pull(&mut client(&fake), &nowhere, Some(1)), Ok(Found::None));
}

#[test]
fn a_closed_pull_request_is_not_found() {
    let fake = Fake::start();
    fake.state().pulls.push(listed(1, SHA, "o/r"));
    fake.state().pulls[0]["state"] = "closed".into();
    assert_eq!(found(&fake, "o/r", Some(1)), Found::None);
}

#[test]
fn what_the_job_claims_chooses_only_among_those_that_fit() {
    let fake = Fake::start();
    fake.state()
        .pulls
        .extend([listed(1, SHA, "o/r"), listed(2, SHA, "o/r"), listed(3, OTHER, "o/r")]);
    assert_eq!(number(&found(&fake, "o/r", Some(2))), Some(2));
    for claimed in [Some(3), None] {
        let Found::Several(pulls) = found(&fake, "o/r", claimed) else {
            panic!("{claimed:?}")
        };
        assert_eq!(pulls.iter().map(|pull| pull.number).collect::<Vec<u64>>(), [1, 2]);
    }
}

#[test]
fn only_a_whole_commit_is_asked_for() {
    let fake = Fake::start();
    let short = Head {
        sha: "abc/../x".into(),
        repository: Some("o/r".into()),
    };
    assert!(client(&fake).pulls_of(&short).is_err());
    assert!(fake.requests().is_empty());
}

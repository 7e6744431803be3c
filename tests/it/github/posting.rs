//! The sticky comment: once, in place, and whatever happens to an answer.

use perfgate::github::{
    CheckRun, Conclusion, Forge, ForgeError, Head, How, Key, Mode, Standing, limits, standing, upsert,
};

use super::{
    PULL, SHA, body, client,
    fake::{Fake, Fault, fail},
    key, post, post_as, pull,
};

const LIST: &str = "GET /repos/o/r/issues/7/comments";
const CREATE: &str = "POST /repos/o/r/issues/7/comments";

#[test]
fn the_first_post_creates_a_comment_and_looks_whether_it_is_the_only_one() {
    let fake = Fake::start();
    let posted = post(&mut client(&fake), "pass");
    assert_eq!((posted.how, posted.left_over.len()), (How::Created, 0));
    assert!(posted.comment.url.starts_with("https://github.com/"));
    assert_eq!(fake.bodies(), [body("pass")]);
    assert_eq!(fake.requests(), [LIST, CREATE, LIST]);
    fake.check();
}

#[test]
fn the_second_post_updates_the_same_comment_by_patch() {
    let fake = Fake::start();
    let first = post(&mut client(&fake), "pass");
    fake.state().log.clear();
    let second = post(&mut client(&fake), "regression");
    assert_eq!((second.comment.id, second.how), (first.comment.id, How::Updated));
    assert_eq!(fake.bodies(), [body("regression")]);
    assert_eq!(
        fake.requests(),
        [
            LIST.to_owned(),
            format!("PATCH /repos/o/r/issues/comments/{}", first.comment.id)
        ]
    );
    fake.check();
}

#[test]
fn an_update_with_its_check_run_is_four_requests_in_all() {
    let fake = Fake::start();
    fake.state().pulls.push(pull(PULL, SHA, "o/r"));
    fake.seed("github-actions[bot]", "Bot", &body("old"));
    let mut forge = client(&fake);
    assert!(matches!(standing(&mut forge, PULL, SHA).unwrap(), Standing::Current(_)));
    post(&mut forge, "new");
    let check = CheckRun {
        name: "perfgate".into(),
        head_sha: SHA.into(),
        conclusion: Conclusion::Success,
        title: "pass".into(),
        summary: "pass".into(),
        annotations: Vec::new(),
        details_url: None,
    };
    forge.create_check(&check).unwrap();
    assert_eq!(fake.requests().len(), 4, "{:?}", fake.requests());
    fake.check();
}

#[test]
fn the_comment_is_found_on_page_three_of_258_comments() {
    let fake = Fake::start();
    for n in 0..230 {
        fake.seed("alice", "User", &format!("comment {n}"));
    }
    let ours = fake.seed("github-actions[bot]", "Bot", &body("old"));
    for n in 0..27 {
        fake.seed("alice", "User", &format!("later {n}"));
    }
    let posted = post(&mut client(&fake), "new");
    assert_eq!((posted.comment.id, posted.how), (ours, How::Updated));
    let pages: Vec<String> = fake.state().log.iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(pages[2], "/repos/o/r/issues/7/comments?per_page=100&page=3");
    assert_eq!((pages.len(), fake.bodies().len()), (4, 258));
    fake.check();
}

#[test]
fn a_comment_that_says_so_already_is_left_alone() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "Bot", &body("line\r\nend\n"));
    let posted = post(&mut client(&fake), "line\nend");
    assert_eq!(posted.how, How::Unchanged);
    assert_eq!(fake.requests(), [LIST]);
}

#[test]
fn a_folded_comment_of_ours_stays_folded_and_a_new_one_is_written() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "Bot", &body("old"));
    fake.state().comments[0]["minimized"] = serde_json::json!({"reason": "outdated"});
    assert_eq!(post(&mut client(&fake), "new").how, How::Created);
    assert_eq!(fake.bodies(), [body("old"), body("new")]);
}

#[test]
fn the_comment_of_another_key_is_another_comment() {
    let fake = Fake::start();
    let other = Key::parse("default-2").unwrap();
    let theirs = format!("{}\nold", other.marker());
    fake.seed("github-actions[bot]", "Bot", &theirs);
    assert_eq!(post(&mut client(&fake), "new").how, How::Created);
    assert_eq!(fake.bodies(), [theirs, body("new")]);
}

#[test]
fn a_marker_that_is_not_the_first_line_is_a_quotation() {
    let fake = Fake::start();
    let quoted = format!("look:\n{}\nold", key().marker());
    fake.seed("github-actions[bot]", "Bot", &quoted);
    assert_eq!(post(&mut client(&fake), "new").how, How::Created);
    assert_eq!(fake.bodies(), [quoted, body("new")]);
}

#[test]
fn recreate_folds_the_old_comment_away() {
    let fake = Fake::start();
    let first = post(&mut client(&fake), "one").comment.id;
    let second = post_as(&mut client(&fake), Mode::Recreate, "two").unwrap();
    assert_eq!(second.how, How::Created);
    assert!(second.comment.id > first && second.left_over.is_empty());
    let folded: Vec<bool> = fake
        .state()
        .comments
        .iter()
        .map(|comment| !comment["minimized"].is_null())
        .collect();
    assert_eq!(folded, [true, false]);
    // What it says already needs no new comment.
    assert_eq!(
        post_as(&mut client(&fake), Mode::Recreate, "two").unwrap().how,
        How::Unchanged
    );
    assert_eq!(fake.bodies().len(), 2);
    fake.check();
}

#[test]
fn a_comment_that_cannot_be_folded_is_told() {
    let fake = Fake::start();
    let first = post(&mut client(&fake), "one").comment.id;
    fake.plant(Fault {
        message: "no",
        ..fail("POST", "/graphql", 403)
    });
    let second = post_as(&mut client(&fake), Mode::Recreate, "two").unwrap();
    assert_eq!((second.how, second.left_over), (How::Created, vec![first]));
}

#[test]
fn the_text_is_made_from_what_stands_there_and_may_leave_it() {
    let fake = Fake::start();
    let mut forge = client(&fake);
    let nothing = upsert(&mut forge, PULL, &key(), Mode::Update, |old| {
        assert_eq!(old, None);
        None
    });
    assert_eq!(nothing, Ok(None));
    post(&mut forge, "one");
    let left = upsert(&mut forge, PULL, &key(), Mode::Update, |old| {
        assert_eq!(old, Some(body("one").as_str()));
        None
    });
    assert_eq!(left.unwrap().unwrap().how, How::Left);
    assert_eq!(fake.bodies(), [body("one")]);
}

#[test]
fn an_answer_that_is_lost_after_its_effect_leaves_one_comment() {
    for status in [502, 500, 0] {
        let fake = Fake::start();
        fake.plant(Fault {
            is_after: true,
            ..fail("POST", "/comments", status)
        });
        let posted = post(&mut client(&fake), "pass");
        assert_eq!((posted.how, posted.left_over.len()), (How::Created, 0));
        assert_eq!(fake.bodies(), [body("pass")], "{status}");
        assert_eq!(fake.requests(), [LIST, CREATE, LIST, LIST], "{status}");
    }
}

#[test]
fn a_failure_without_an_effect_is_tried_again() {
    for status in [503, 0] {
        let fake = Fake::start();
        fake.plant(Fault {
            times: 2,
            ..fail("POST", "/comments", status)
        });
        assert_eq!(post(&mut client(&fake), "pass").how, How::Created);
        assert_eq!(fake.bodies(), [body("pass")], "{status}");
    }
}

#[test]
fn a_strangers_copy_of_the_text_is_not_taken_for_a_lost_answer() {
    let fake = Fake::start();
    fake.seed("alice", "User", &body("pass"));
    fake.plant(fail("POST", "/comments", 502));
    post(&mut client(&fake), "pass");
    assert_eq!(fake.bodies().len(), 2);
}

#[test]
fn an_update_that_fails_is_tried_again() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "Bot", &body("old"));
    fake.plant(Fault {
        times: 3,
        ..fail("PATCH", "/comments/", 502)
    });
    assert_eq!(post(&mut client(&fake), "new").how, How::Updated);
    assert_eq!(fake.bodies(), [body("new")]);
}

#[test]
fn a_comment_that_cannot_be_updated_is_written_anew() {
    for (status, message) in [(404, "Not Found"), (403, "no")] {
        let fake = Fake::start();
        fake.seed("github-actions[bot]", "Bot", &body("old"));
        // Neither updated nor taken away.
        fake.plant(Fault {
            times: 9,
            message,
            ..fail("PATCH", "/comments/", status)
        });
        fake.plant(Fault {
            times: 9,
            message: "no",
            ..fail("DELETE", "/comments/", 403)
        });
        let posted = post(&mut client(&fake), "new");
        assert_eq!(posted.how, How::Created, "{status}");
        assert_eq!(fake.bodies(), [body("old"), body("new")]);
    }
}

#[test]
fn a_text_that_is_too_long_is_cut_at_a_line() {
    let fake = Fake::start();
    post(&mut client(&fake), &"a line of a table\n".repeat(4_000));
    let posted = fake.bodies().remove(0);
    assert!(
        posted.len() <= limits::COMMENT_BYTES && posted.len() > 59_000,
        "{}",
        posted.len()
    );
    assert!(
        posted.ends_with("a line of a table\n\n… cut here: the rest is in the full report.\n"),
        "{posted}"
    );
    fake.check();
}

#[test]
fn on_a_locked_conversation_nothing_is_written() {
    let fake = Fake::start();
    fake.plant(Fault {
        times: 9,
        message: "Unable to create comment because issue is locked.",
        ..fail("POST", "/comments", 403)
    });
    assert_eq!(
        post_as(&mut client(&fake), Mode::Update, "pass"),
        Err(ForgeError::Locked)
    );
    fake.seed("github-actions[bot]", "Bot", &body("old"));
    fake.plant(Fault {
        message: "issue is locked",
        ..fail("PATCH", "/comments/", 403)
    });
    assert_eq!(
        post_as(&mut client(&fake), Mode::Update, "pass"),
        Err(ForgeError::Locked)
    );
    assert_eq!(fake.bodies(), [body("old")]);
}

#[test]
fn a_closed_pull_request_and_one_that_moved_are_told() {
    let fake = Fake::start();
    fake.state()
        .pulls
        .extend([pull(1, SHA, "o/r"), pull(2, super::OTHER, "o/r")]);
    fake.state().pulls[0]["state"] = "closed".into();
    let mut forge = client(&fake);
    let Standing::Closed(closed) = standing(&mut forge, 1, SHA).unwrap() else {
        panic!()
    };
    let head = Head {
        sha: SHA.into(),
        repository: Some("o/r".into()),
    };
    assert_eq!(
        (closed.head, closed.base_sha.as_str(), closed.base_branch.as_str()),
        (head, super::BASE, "main")
    );
    assert_eq!(
        (closed.author.name.as_str(), closed.body.as_str()),
        ("alice", "what it brings")
    );
    let Standing::Moved(moved) = standing(&mut forge, 2, SHA).unwrap() else {
        panic!()
    };
    assert_eq!(moved.head.sha, super::OTHER);
    let missing = standing(&mut forge, 3, SHA).unwrap_err().to_string();
    assert!(missing.contains("`/repos/o/r/pulls/3`"), "{missing}");
}

#[test]
fn a_key_is_a_short_word_that_cannot_end_its_marker() {
    for good in ["default", "a", "gpu-h100.v1_2", "0"] {
        assert_eq!(
            Key::parse(good).unwrap().marker(),
            format!("<!-- perfgate-llm:v1 key={good} -->")
        );
    }
    for bad in ["", "-a", "a--b", "A", "a b", "a>", "é", "a\n", &"a".repeat(65)] {
        assert!(Key::parse(bad).is_err(), "{bad:?}");
    }
}

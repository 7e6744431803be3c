//! The threats of the model that the forge answers, by their numbers.

use std::{net::TcpListener, thread};

use perfgate::github::{CheckRun, Forge, How, Mode, Standing, standing};

use super::{OTHER, PULL, SHA, body, checks, client, fake::Fake, person, post, post_as, pull};

#[test]
fn t18_a_head_that_moves_between_reading_and_posting_is_told_and_the_check_stays_on_the_measured_commit() {
    let fake = Fake::start();
    fake.state().pulls.push(pull(PULL, SHA, "alice/r"));
    fake.state().moves = Some((1, OTHER.into()));
    let mut forge = client(&fake);
    assert!(matches!(standing(&mut forge, PULL, SHA).unwrap(), Standing::Current(_)));
    let Standing::Moved(moved) = standing(&mut forge, PULL, SHA).unwrap() else {
        panic!()
    };
    assert_eq!(moved.head.sha, OTHER);
    forge
        .create_check(&CheckRun {
            head_sha: SHA.into(),
            ..checks::check(0)
        })
        .unwrap();
    assert_eq!(fake.state().checks[0]["head_sha"], SHA);
}

#[test]
fn t19_a_strangers_comment_with_our_marker_is_not_touched() {
    let fake = Fake::start();
    fake.seed("alice", "User", &body("pass, I promise"));
    let posted = post(&mut client(&fake), "regression");
    assert_eq!(posted.how, How::Created);
    assert_eq!(fake.bodies(), [body("pass, I promise"), body("regression")]);
    // The next one finds its own.
    assert_eq!(post(&mut client(&fake), "pass").comment.id, posted.comment.id);
    assert_eq!(fake.bodies(), [body("pass, I promise"), body("pass")]);
    assert!(
        fake.requests()
            .iter()
            .all(|request| !request.starts_with("DELETE") && !request.ends_with("graphql"))
    );
}

#[test]
fn t19_a_person_with_our_login_is_not_the_app() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "User", &body("fake"));
    assert_eq!(post(&mut client(&fake), "regression").how, How::Created);
    assert_eq!(fake.bodies().len(), 2);
}

#[test]
fn t19_another_apps_comment_with_our_marker_is_not_touched() {
    for mode in [Mode::Update, Mode::Recreate] {
        let fake = Fake::start();
        fake.seed("echo[bot]", "Bot", &body("fake"));
        assert_eq!(
            post_as(&mut client(&fake), mode, "regression").unwrap().how,
            How::Created
        );
        assert_eq!(fake.bodies(), [body("fake"), body("regression")]);
        assert!(fake.state().comments[0]["minimized"].is_null());
    }
}

#[test]
fn t19_an_app_of_ones_own_finds_its_comment_and_not_the_jobs() {
    let fake = Fake::start();
    fake.state().me = ("perf-app[bot]", "Bot");
    let ours = fake.seed("perf-app[bot]", "Bot", &body("old"));
    fake.seed("github-actions[bot]", "Bot", &body("theirs"));
    let posted = post(&mut client(&fake), "new");
    assert_eq!((posted.comment.id, posted.how), (ours, How::Updated));
    assert_eq!(fake.bodies(), [body("new"), body("theirs")]);
    fake.check();
}

#[test]
fn t19_a_personal_token_finds_the_comment_of_its_person() {
    let fake = Fake::start();
    fake.seed("mallory", "User", &body("fake"));
    fake.seed("github-actions[bot]", "Bot", &body("theirs"));
    let ours = fake.seed("Perf-Bot", "User", &body("old"));
    let posted = post(&mut person(&fake, "perf-bot"), "new");
    assert_eq!((posted.comment.id, posted.how), (ours, How::Updated));
    assert_eq!(fake.bodies(), [body("fake"), body("theirs"), body("new")]);
    let asked = fake.requests().iter().filter(|request| *request == "GET /user").count();
    assert_eq!(asked, 1);
}

#[test]
fn t20_two_jobs_at_once_leave_one_comment() {
    let fake = Fake::start();
    thread::scope(|scope| {
        for n in 0..6 {
            let mut forge = client(&fake);
            scope.spawn(move || post(&mut forge, &format!("job {n}")));
        }
    });
    let bodies = fake.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].starts_with(&body("job ")), "{bodies:?}");
    fake.check();
}

#[test]
fn t20_a_list_that_lags_behind_does_not_hide_the_older_comment() {
    let fake = Fake::start();
    let older = fake.seed("github-actions[bot]", "Bot", &body("the other job"));
    // The first list does not show it yet: a new one is written, then both are seen.
    fake.state().lag = (1, older);
    let posted = post(&mut client(&fake), "this job");
    assert_eq!((posted.comment.id, posted.how), (older, How::Updated));
    assert_eq!(fake.bodies(), [body("this job")]);
}

#[test]
fn t20_two_comments_that_a_lagging_list_left_are_one_after_the_next_post() {
    let fake = Fake::start();
    let older = fake.seed("github-actions[bot]", "Bot", &body("the other job"));
    fake.state().lag = (2, older);
    assert_eq!(post(&mut client(&fake), "this job").how, How::Created);
    assert_eq!(fake.bodies().len(), 2);
    assert_eq!(post(&mut client(&fake), "later").comment.id, older);
    assert_eq!(fake.bodies(), [body("later")]);
}

#[test]
fn t20_two_jobs_that_recreate_leave_one_comment_that_is_seen() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "Bot", &body("old"));
    thread::scope(|scope| {
        for n in 0..4 {
            let mut forge = client(&fake);
            scope.spawn(move || post_as(&mut forge, Mode::Recreate, &format!("job {n}")).unwrap());
        }
    });
    let seen = fake
        .state()
        .comments
        .iter()
        .filter(|comment| comment["minimized"].is_null())
        .count();
    assert_eq!((seen, fake.bodies().len()), (1, 5));
}

#[test]
fn a_list_that_points_to_another_server_is_not_followed_there() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let fake = Fake::start();
    fake.state().public = format!("http://{}", stranger.local_addr().unwrap());
    for n in 0..150 {
        fake.seed("alice", "User", &format!("comment {n}"));
    }
    assert_eq!(client(&fake).comments(PULL).unwrap().len(), 150);
    assert!(stranger.accept().is_err());
}

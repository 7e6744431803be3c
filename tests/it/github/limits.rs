//! Limits, failures and refusals: how long they are borne, and what is told of them.

use std::time::{Duration, Instant, SystemTime};

use perfgate::github::{Client, Forge, ForgeError, Mode};

use super::{
    PULL, body, client,
    fake::{Fake, Fault, TOKEN, fail},
    post, post_as, settings, settings_at,
};

fn words(result: Result<impl std::fmt::Debug, ForgeError>) -> String {
    let error = result.unwrap_err();
    let all = format!("{error} {error:?}");
    assert!(!all.contains("canary") && !all.contains("backtrace"), "{all}");
    error.to_string()
}

#[test]
fn a_secondary_limit_is_waited_for_as_long_as_it_says() {
    let fake = Fake::start();
    let headers = "Retry-After: 1\r\n".into();
    let message = "You have exceeded a secondary rate limit.";
    fake.plant(Fault {
        headers,
        message,
        ..fail("POST", "/comments", 403)
    });
    let started = Instant::now();
    post(&mut client(&fake), "pass");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(fake.bodies(), [body("pass")]);
    // Nothing had happened: it was written again without looking first.
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn a_limit_without_a_date_is_waited_for_ever_longer() {
    let fake = Fake::start();
    fake.plant(Fault {
        times: 3,
        ..fail("GET", "/comments", 429)
    });
    let started = Instant::now();
    post(&mut client(&fake), "pass");
    assert!(started.elapsed() >= Duration::from_millis(10 + 20 + 40));
}

#[test]
fn a_limit_of_no_seconds_is_no_endless_loop() {
    for (method, path) in [("GET", "/comments"), ("POST", "/comments")] {
        let fake = Fake::start();
        fake.plant(Fault {
            times: usize::MAX,
            headers: "Retry-After: 0\r\n".into(),
            ..fail(method, path, 429)
        });
        let refusal = post_as(&mut client(&fake), Mode::Update, "pass").unwrap_err();
        assert!(matches!(refusal, ForgeError::RateLimited { .. }), "{refusal}");
        let tries = fake.requests().iter().filter(|line| line.starts_with(method)).count();
        assert!((5..=11).contains(&tries), "{method}: {tries}");
    }
}

#[test]
fn a_limit_of_an_hour_is_given_up_at_once() {
    let fake = Fake::start();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let headers = format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\n", now + 3_600);
    fake.plant(Fault {
        times: 9,
        headers,
        ..fail("GET", "/comments", 403)
    });
    let started = Instant::now();
    let refusal = post_as(&mut client(&fake), Mode::Update, "pass").unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(4));
    let ForgeError::RateLimited { wait_s, budget_s: 4 } = refusal else {
        panic!("{refusal}")
    };
    assert!((3_590..=3_601).contains(&wait_s), "{wait_s}");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_server_that_stays_down_is_given_up_when_the_budget_ends() {
    let fake = Fake::start();
    fake.plant(Fault {
        times: 99,
        message: "Bad Gateway",
        ..fail("GET", "/comments", 502)
    });
    let mut settings = settings(&fake);
    settings.pace.budget = Duration::from_millis(100);
    let mut forge = Client::new(&settings).unwrap();
    let said = words(post_as(&mut forge, Mode::Update, "pass"));
    assert!(
        said.starts_with("could not read the comments after ") && said.ends_with("502 Bad Gateway"),
        "{said}"
    );
    assert!((4..=6).contains(&fake.requests().len()), "{:?}", fake.requests());
    // What is used up stays used up.
    assert!(post_as(&mut forge, Mode::Update, "pass").is_err());
    assert!(fake.requests().len() <= 8);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let mut settings = settings_at("http://127.0.0.1:1", "http://127.0.0.1:1/graphql", TOKEN);
    settings.pace.budget = Duration::from_millis(50);
    let said = words(Client::new(&settings).unwrap().pull(PULL));
    assert!(
        said.contains("could not read the pull request") && said.contains("refused"),
        "{said}"
    );
}

#[test]
fn a_server_that_never_answers_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = settings_at(&url, &format!("{url}/graphql"), TOKEN);
    settings.pace.budget = Duration::from_millis(100);
    settings.pace.answer = Duration::from_millis(200);
    let said = words(Client::new(&settings).unwrap().pull(PULL));
    assert!(said.ends_with("after 1 tries: no answer within 0.2 s"), "{said}");
}

#[test]
fn a_missing_permission_is_named_and_asked_for_once() {
    let message = "Resource not accessible by integration";
    let fake = Fake::start();
    fake.plant(Fault {
        times: 9,
        message,
        ..fail("POST", "/comments", 403)
    });
    let said = words(post_as(&mut client(&fake), Mode::Update, "pass"));
    assert!(
        said.starts_with("GitHub refuses to write a comment (403: Resource not accessible"),
        "{said}"
    );
    assert!(
        said.contains("`permissions: pull-requests: write`") && said.contains("`workflow_run`"),
        "{said}"
    );
    assert_eq!(fake.requests().len(), 2);

    fake.plant(Fault {
        times: 9,
        message,
        ..fail("GET", "/contents", 403)
    });
    let said = words(client(&fake).file("perfgate.yaml", super::BASE));
    assert!(said.contains("`permissions: contents: read`"), "{said}");
}

#[test]
fn a_token_that_is_none_is_told_and_not_shown() {
    let fake = Fake::start();
    let wrong = settings_at(&fake.url, &format!("{}/graphql", fake.url), "ghs_canary0wrong");
    let said = words(post_as(&mut Client::new(&wrong).unwrap(), Mode::Update, "pass"));
    assert!(said.contains("does not accept the token (Bad credentials)"), "{said}");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn what_is_refused_is_refused_in_githubs_words() {
    let fake = Fake::start();
    fake.plant(Fault {
        message: "Validation\u{7}Failed",
        ..fail("POST", "/comments", 422)
    });
    let said = words(post_as(&mut client(&fake), Mode::Update, "pass"));
    assert_eq!(said, "GitHub refuses to write a comment (422: Validation Failed)");
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn an_answer_that_is_none_is_told() {
    let fake = Fake::start();
    fake.state()
        .pulls
        .push(serde_json::json!({"number": 7, "state": "open"}));
    let said = words(client(&fake).pull(7));
    assert!(
        said.contains("`read the pull request` cannot be read: missing field"),
        "{said}"
    );
}

#[test]
fn writes_keep_their_distance() {
    let fake = Fake::start();
    fake.seed("github-actions[bot]", "Bot", &body("one"));
    fake.seed("github-actions[bot]", "Bot", &body("two"));
    let mut settings = settings(&fake);
    settings.pace.between_writes = Duration::from_millis(300);
    let started = Instant::now();
    // One PATCH, one DELETE.
    post(&mut Client::new(&settings).unwrap(), "new");
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(fake.bodies(), [body("new")]);
}

#[test]
fn no_debug_of_the_client_shows_the_token() {
    let fake = Fake::start();
    let mut forge = client(&fake);
    post(&mut forge, "pass");
    let shown = format!("{forge:?} {:?}", settings(&fake));
    assert!(shown.contains("Client(o/r)") && !shown.contains("canary"), "{shown}");
}

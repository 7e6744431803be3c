//! The forge: our client against a GitHub on this machine that keeps what is written and fails as it is told to.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod checks;
mod contract;
mod fake;
mod files;
mod limits;
mod posting;
mod pulls;
mod routes;
mod threats;

use std::time::Duration;

use perfgate::github::{Client, Forge, ForgeError, Key, Mode, Pace, Posted, Settings, upsert};
use serde_json::{Value, json};

use fake::{Fake, TOKEN, example};

const SHA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BASE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const OTHER: &str = "cccccccccccccccccccccccccccccccccccccccc";
const PULL: u64 = 7;

/// Waits that a test does not notice.
fn pace() -> Pace {
    Pace {
        budget: Duration::from_secs(5),
        first: Duration::from_millis(5),
        unsaid_limit: Duration::from_millis(10),
        between_writes: Duration::ZERO,
        answer: Duration::from_secs(20),
    }
}

fn settings_at(api: &str, graphql: &str, token: &str) -> Settings {
    let mut settings = Settings::from_variables("MY_TOKEN", |name| {
        Some(match name {
            "GITHUB_REPOSITORY" => "o/r".into(),
            "GITHUB_API_URL" => api.into(),
            "GITHUB_GRAPHQL_URL" => graphql.into(),
            "GITHUB_ACTIONS" => "true".into(),
            "MY_TOKEN" => token.into(),
            _ => return None,
        })
    })
    .unwrap();
    settings.pace = pace();
    settings
}

fn settings(fake: &Fake) -> Settings {
    settings_at(&fake.url, &format!("{}/graphql", fake.url), &fake.state().token.clone())
}

fn client(fake: &Fake) -> Client {
    Client::new(&settings(fake)).unwrap()
}

/// A client of somebody with a personal token.
fn person(fake: &Fake, login: &'static str) -> Client {
    fake.state().me = (login, "User");
    fake.state().token = "ghp_canary0token2".into();
    client(fake)
}

fn key() -> Key {
    Key::parse("default").unwrap()
}

fn body(text: &str) -> String {
    format!("{}\n{text}", key().marker())
}

fn post_as(forge: &mut dyn Forge, mode: Mode, text: &str) -> Result<Posted, ForgeError> {
    let posted = upsert(forge, PULL, &key(), mode, |_| Some(text.into()));
    posted.map(|posted| posted.unwrap())
}

fn post(forge: &mut dyn Forge, text: &str) -> Posted {
    post_as(forge, Mode::Update, text).unwrap()
}

/// An open pull request as GitHub tells it.
fn pull(number: u64, sha: &str, repository: &str) -> Value {
    let mut pull = example("pull-request");
    pull["number"] = json!(number);
    pull["head"]["sha"] = json!(sha);
    pull["head"]["repo"]["full_name"] = json!(repository);
    pull["base"]["sha"] = json!(BASE);
    pull["base"]["ref"] = json!("main");
    pull["state"] = json!("open");
    pull["locked"] = json!(false);
    pull["body"] = json!("what it brings");
    pull["user"]["login"] = json!("alice");
    pull
}

/// A pull request as a list tells it.
fn listed(number: u64, sha: &str, repository: &str) -> Value {
    let mut listed = example("pull-request-simple-items")[0].clone();
    let whole = pull(number, sha, repository);
    for name in ["number", "head", "base", "state", "locked", "body", "user"] {
        listed[name] = whole[name].clone();
    }
    listed
}

#[test]
fn the_fake_refuses_what_breaks_githubs_description() {
    let fake = Fake::start();
    let mut forge = client(&fake);
    let refusal = forge.create_comment(PULL, &"x".repeat(65_537)).unwrap_err();
    assert!(matches!(refusal, ForgeError::Refused { status: 422, .. }), "{refusal}");
    assert_eq!(fake.state().violations.len(), 1);
    assert!(fake.bodies().is_empty());
}

#[test]
fn an_enterprise_server_is_asked_at_its_own_addresses() {
    let fake = Fake::with_prefix("/api/v3");
    let urls = (format!("{}/api/v3", fake.url), format!("{}/api/graphql", fake.url));
    let mut forge = Client::new(&settings_at(&urls.0, &urls.1, TOKEN)).unwrap();
    for n in 0..150 {
        fake.seed("alice", "User", &format!("comment {n}"));
    }
    post(&mut forge, "one");
    post_as(&mut forge, Mode::Recreate, "two").unwrap();
    let paths = fake.requests();
    assert!(paths.contains(&"POST /api/graphql".into()), "{paths:?}");
    assert!(
        paths
            .iter()
            .all(|path| path.contains(" /api/v3/repos/o/r/issues/") || path.ends_with(" /api/graphql"))
    );
    fake.check();
}

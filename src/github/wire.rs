//! One request and its answer, over octocrab: nothing is repeated, followed or shown here.
//!
//! Of octocrab only what holds was left: no repeats (a POST may have had its effect), no typed calls (a comment is updated by POST),
//! its base address without a path (it puts that before absolute addresses, too), and none of its errors (they hold backtraces
//! and headers).

use std::{error::Error, time::Duration};

use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use serde_json::Value;
use tokio::{
    runtime::{Builder, Runtime},
    time,
};

use super::{
    ForgeError, limits,
    settings::{Address, Settings},
};

/// What GitHub tells clients to ask for; octocrab asks for nothing.
pub(super) const JSON: &str = "application/vnd.github+json";
/// One object for a file and for a folder.
pub(super) const OBJECT: &str = "application/vnd.github.object+json";
/// A file's bytes.
pub(super) const RAW: &str = "application/vnd.github.raw+json";
const CONNECT: Duration = Duration::from_secs(10);

/// One request.
pub(super) struct Call {
    pub(super) method: &'static str,
    /// Below the address of the API, with its query.
    pub(super) path: String,
    pub(super) accept: &'static str,
    pub(super) body: Option<Value>,
    /// Whether it is for the GraphQL API, whose address is the whole path.
    pub(super) is_graphql: bool,
}

/// One answer, whatever its status.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<u64>,
    pub(super) limit_remaining: Option<u64>,
    /// Seconds since 1970.
    pub(super) limit_reset_s: Option<u64>,
    /// The header that names further pages.
    pub(super) link: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// The connections to one server.
pub(super) struct Wire {
    runtime: Runtime,
    rest: (Octocrab, String),
    graphql: (Octocrab, String),
    timeout: Duration,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: "GET",
            path,
            accept: JSON,
            body: None,
            is_graphql: false,
        }
    }

    pub(super) fn with(method: &'static str, path: String, body: Value) -> Self {
        Self {
            method,
            path,
            accept: JSON,
            body: Some(body),
            is_graphql: false,
        }
    }

    pub(super) fn graphql(query: &str, variables: &Value) -> Self {
        let body = serde_json::json!({"query": query, "variables": variables});
        Self {
            is_graphql: true,
            ..Self::with("POST", String::new(), body)
        }
    }
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Result<Self, ForgeError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ForgeError::Setup(format!("no runtime for requests to GitHub: {error}")))?;
        // Building the connections spawns a task.
        let inside = runtime.enter();
        let rest = connect(settings, &settings.rest)?;
        let graphql = if settings.graphql.origin == settings.rest.origin {
            rest.clone()
        } else {
            connect(settings, &settings.graphql)?
        };
        drop(inside);
        Ok(Self {
            runtime,
            rest: (rest, settings.rest.path.clone()),
            graphql: (graphql, settings.graphql.path.clone()),
            timeout: settings.pace.answer,
        })
    }

    /// Waits; connections are looked after meanwhile.
    pub(super) fn pause(&self, wait: Duration) {
        self.runtime.block_on(async { time::sleep(wait).await });
    }

    /// Sends one request; an error is one of the connection, and the request may have had its effect.
    pub(super) fn send(&self, call: &Call) -> Result<Answer, String> {
        let (crab, path) = if call.is_graphql { &self.graphql } else { &self.rest };
        let exchange = exchange(crab, format!("{path}{}", call.path), call);
        self.runtime
            .block_on(async { time::timeout(self.timeout, exchange).await })
            .unwrap_or_else(|_| Err(format!("no answer within {} s", self.timeout.as_secs_f64())))
    }
}

fn connect(settings: &Settings, address: &Address) -> Result<Octocrab, ForgeError> {
    let broken = |error: octocrab::Error| ForgeError::Setup(format!("no connection to GitHub: {}", words(&error)));
    Octocrab::builder()
        .base_uri(address.origin.as_str())
        .map_err(broken)?
        .personal_token(settings.token.0.clone())
        .set_connect_timeout(Some(CONNECT))
        .build()
        .map_err(broken)
}

#[expect(clippy::default_trait_access, reason = "the builder's crate is octocrab's own")]
async fn exchange(crab: &Octocrab, path: String, call: &Call) -> Result<Answer, String> {
    let mut request = crab
        .build_request(Default::default(), call.body.as_ref())
        .map_err(|error| words(&error))?;
    *request.method_mut() = call.method.parse().map_err(|_| "an unknown method".to_owned())?;
    *request.uri_mut() = path.parse().map_err(|_| format!("`{path}` is no path"))?;
    let accept = call.accept.parse().map_err(|_| "an unknown media type".to_owned())?;
    request.headers_mut().insert("accept", accept);
    let response = crab.execute(request).await.map_err(|error| words(&error))?;
    let (parts, body) = response.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| text(name).and_then(|text| text.trim().parse().ok());
    let mut answer = Answer {
        status: parts.status.as_u16(),
        retry_after_s: number("retry-after"),
        limit_remaining: number("x-ratelimit-remaining"),
        limit_reset_s: number("x-ratelimit-reset"),
        link: text("link").map(str::to_owned),
        bytes: Vec::new(),
    };
    let body = Limited::new(body, limits::ANSWER_BYTES).collect().await;
    answer.bytes = body.map_err(|error| chain(Some(&*error)))?.to_bytes().to_vec();
    Ok(answer)
}

/// An error's causes; its own words may hold a backtrace.
fn words(error: &octocrab::Error) -> String {
    match chain(error.source()) {
        causes if causes.is_empty() => "the request could not be made".into(),
        causes => causes,
    }
}

fn chain(first: Option<&(dyn Error + 'static)>) -> String {
    let mut causes = Vec::new();
    let mut next = first;
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    causes.join(": ")
}

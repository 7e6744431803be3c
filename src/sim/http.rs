//! Routes of the engine, over HTTP/1.1.

use std::{convert::Infallible, net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{mpsc::UnboundedReceiver, oneshot},
};

use super::{
    answer::Answer,
    ask::{read, read_tokenize},
    driver::Driver,
    engine::EngineConfig,
    recorder::Switched,
    refusal::Refusal,
    route::Route,
    scheduler::Emission,
    stream::{Routes, TokenStream, Tokens},
};
use crate::plan::Api;

/// The longest request body, in bytes.
const MOST_BODY_BYTES: usize = 32 << 20;

/// Every path there is besides those that answer prompts.
const PATHS: [&str; 8] = [
    "/health",
    "/version",
    "/metrics",
    "/v1/models",
    "/tokenize",
    "/reset_prefix_cache",
    "/start_profile",
    "/stop_profile",
];

type Reply = Response<Either<Full<Bytes>, TokenStream>>;

/// What the routes need.
#[derive(Debug)]
pub(super) struct App {
    config: EngineConfig,
    driver: Arc<Driver>,
    routes: Routes,
}

impl App {
    pub(super) fn new(config: EngineConfig, driver: Arc<Driver>) -> Self {
        Self {
            config,
            driver,
            routes: Routes::default(),
        }
    }
}

/// Serves until `stopped`; the end of the runtime then closes what is still open.
pub(super) async fn serve(
    listener: TcpListener,
    app: App,
    tokens: UnboundedReceiver<Vec<Emission>>,
    stopped: oneshot::Receiver<()>,
) {
    tokio::spawn(app.routes.clone().pass_on(tokens));
    tokio::select! {
        () = accept_all(listener, Arc::new(app)) => {}
        _ = stopped => {}
    }
}

async fn accept_all(listener: TcpListener, app: Arc<App>) {
    // Fails only outside a runtime; then there is nothing to serve with.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((connection, _)) => drop(tokio::spawn(serve_connection(connection, Arc::clone(&app)))),
            // Out of file descriptors, or the peer is gone already: the next one may do.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(connection: TcpStream, app: Arc<App>) {
    // A token is a small write; waiting to fill a packet would gather several into one.
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(answer(request, &app).await) }
    });
    // An error here is a client that left; its request has been taken out of the engine by then.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

async fn answer(request: Request<Incoming>, app: &App) -> Reply {
    let path = request.uri().path();
    let route = Route::of(path);
    if (path.starts_with("/v1/") || route.is_some()) && !is_let_in(&request, app) {
        return whole(StatusCode::UNAUTHORIZED, &json!({"error": "Unauthorized"}));
    }
    if let Some(route) = route {
        return match *request.method() {
            Method::POST => generate(request, &route, app).await,
            _ => not_allowed(route.api),
        };
    }
    match (request.method(), path) {
        (&Method::GET, "/health") => text("text/plain", String::new()),
        (&Method::GET, "/version") => whole(StatusCode::OK, &json!({"version": app.config.reported_version()})),
        (&Method::GET, "/metrics") => text("text/plain; version=0.0.4; charset=utf-8", app.driver.metrics_text()),
        (&Method::GET, "/v1/models") => whole(StatusCode::OK, &models(&app.config)),
        (&Method::POST, "/tokenize") => tokenize(request, app).await,
        (&Method::POST, "/reset_prefix_cache") => {
            app.driver.reset_prefix_cache();
            text("text/plain", String::new())
        }
        (&Method::POST, "/start_profile") => switched(&app.driver.start_profile(), path),
        (&Method::POST, "/stop_profile") => switched(&app.driver.stop_profile(), path),
        (_, path) if PATHS.contains(&path) => not_allowed(Api::Chat),
        (_, path) => no_such_path(path),
    }
}

fn no_such_path(path: &str) -> Reply {
    let refusal = Refusal::not_found(format!("The path `{path}` does not exist."), None);
    refuse(Api::Chat, &refusal)
}

/// What the profiler says; without one its paths are not there, as in vLLM.
fn switched(switched: &Switched, path: &str) -> Reply {
    match switched {
        Switched::Done => text("text/plain", String::new()),
        Switched::NoProfiler => no_such_path(path),
        Switched::Refused(why) => refuse(Api::Chat, &Refusal::bad_request(why.clone(), None)),
    }
}

fn is_let_in(request: &Request<Incoming>, app: &App) -> bool {
    let Some(key) = &app.config.api_key else { return true };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    [bearer, header("x-api-key")].contains(&Some(key.0.as_str()))
}

fn not_allowed(api: Api) -> Reply {
    refuse(
        api,
        &Refusal::status(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    )
}

async fn generate(request: Request<Incoming>, route: &Route, app: &App) -> Reply {
    // The client's clock runs since it sent the request, so ours starts before the body is read and understood.
    let arrived_ns = app.driver.now_ns();
    let body = match whole_body(request).await {
        Ok(body) => body,
        Err(refusal) => return refuse(route.api, &refusal),
    };
    let ask = match read(route, &body, &app.config) {
        Ok(ask) => ask,
        Err(refusal) => return refuse(route.api, &refusal),
    };
    let is_stream = ask.stream;
    let tokens = Tokens::of(&ask, arrived_ns, &app.driver, &app.routes);
    let answer = Answer::new(ask, tokens.id(), &app.config.model);
    if is_stream {
        let body = Either::Right(TokenStream::new(tokens, answer, app.config.tokens_per_chunk));
        return with_type("text/event-stream; charset=utf-8", Response::new(body));
    }
    if tokens.all().await {
        whole(StatusCode::OK, &answer.whole())
    } else {
        let stopping = Refusal::status(StatusCode::SERVICE_UNAVAILABLE, "The engine is stopping.");
        refuse(route.api, &stopping)
    }
}

async fn whole_body(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), MOST_BODY_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|_| {
        let message = format!("The request body is cut short or above {MOST_BODY_BYTES} bytes.");
        Refusal::bad_request(message, None)
    })
}

/// The tokens of a prompt, in vLLM's shape.
async fn tokenize(request: Request<Incoming>, app: &App) -> Reply {
    let ids = match whole_body(request).await {
        Ok(body) => read_tokenize(&body),
        Err(refusal) => Err(refusal),
    };
    match ids {
        Ok(ids) => {
            let longest = app.config.longest_tokens();
            let reply = json!({"count": ids.len(), "max_model_len": longest, "tokens": ids, "token_strs": null});
            whole(StatusCode::OK, &reply)
        }
        Err(refusal) => refuse(Api::Completions, &refusal),
    }
}

fn models(config: &EngineConfig) -> Value {
    let model = json!({
        "id": config.model, "object": "model", "owned_by": "perfgate-sim", "root": config.model, "parent": null,
        "max_model_len": config.longest_tokens(),
    });
    json!({"object": "list", "data": [model]})
}

fn refuse(api: Api, refusal: &Refusal) -> Reply {
    whole(refusal.status, &refusal.json(api))
}

fn whole(status: StatusCode, value: &Value) -> Reply {
    let mut reply = text("application/json", value.to_string());
    *reply.status_mut() = status;
    reply
}

fn text(content_type: &'static str, text: String) -> Reply {
    with_type(content_type, Response::new(Either::Left(Full::from(text))))
}

fn with_type(content_type: &'static str, mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

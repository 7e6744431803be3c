//! TLS with a certificate authority of one's own, and HTTP/2 with and without it.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Response, Version,
    body::{Body, Frame, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use perfgate::{
    load::{LoadError, PromptSet, Runner},
    plan::{Http, Load, Plan, Secrets},
    session::{RequestRecord, Run},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::{
    class, measure, plan, runner,
    server::{self as scripted, DONE, FINISH, token},
};

const GAP: Duration = Duration::from_millis(15);

/// How long a server lets a client wait before the TLS handshake.
const HANDSHAKE: Duration = Duration::from_millis(20);

/// A server of hyper that answers each request with three tokens, 15 ms before each.
struct Server {
    url: String,
    /// The connection and the HTTP of each request, in order of arrival.
    seen: Arc<Mutex<Vec<(usize, Version)>>>,
    /// The file of its certificate authority.
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    /// HTTP/2 without TLS.
    PlainTwo,
    /// TLS, with these protocols to choose from.
    Tls(&'static [&'static str]),
    /// As `PlainTwo`, but each connection ends politely after its first request.
    PlainTwoOnce,
}

impl Server {
    fn start(speaks: Speaks) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self::with(made, speaks)
    }

    fn with(made: rcgen::CertifiedKey<rcgen::KeyPair>, speaks: Speaks) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (address, log) = (std::sync::mpsc::channel(), Arc::clone(&seen));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.0.send(listener.local_addr().unwrap()).unwrap();
                let acceptor = acceptor(&made, speaks);
                for connection in 0.. {
                    let (tcp, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(tcp, speaks, acceptor.clone(), connection, Arc::clone(&log)));
                }
            });
        });
        let scheme = if matches!(speaks, Speaks::Tls(_)) {
            "https"
        } else {
            "http"
        };
        Self {
            url: format!("{scheme}://{}", address.1.recv().unwrap()),
            seen,
            ca_file,
            _folder: folder,
        }
    }

    fn plan(&self, http: Http, requests: u32) -> Plan {
        let mut plan = plan(&self.url, requests);
        plan.target.http = http;
        plan.target.ca_file = Some(self.ca_file.to_str().unwrap().to_owned());
        plan
    }

    /// Connections that carried requests, and the HTTP that all of them spoke.
    fn used(&self) -> (usize, Version) {
        let seen = self.seen.lock().unwrap();
        let mut connections: Vec<usize> = seen.iter().map(|(connection, _)| *connection).collect();
        connections.sort_unstable();
        connections.dedup();
        let version = seen.first().unwrap().1;
        assert!(seen.iter().all(|(_, spoken)| *spoken == version), "{seen:?}");
        (connections.len(), version)
    }
}

fn acceptor(made: &rcgen::CertifiedKey<rcgen::KeyPair>, speaks: Speaks) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    if let Speaks::Tls(protocols) = speaks {
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    }
    TlsAcceptor::from(Arc::new(config))
}

type Log = Arc<Mutex<Vec<(usize, Version)>>>;

async fn serve(tcp: TcpStream, speaks: Speaks, acceptor: TlsAcceptor, connection: usize, log: Log) {
    tcp.set_nodelay(true).unwrap();
    if !matches!(speaks, Speaks::Tls(_)) {
        return answer(tcp, true, speaks == Speaks::PlainTwoOnce, connection, log).await;
    }
    sleep(HANDSHAKE).await;
    // A client that does not trust us hangs up.
    if let Ok(tls) = acceptor.accept(tcp).await {
        let two = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        answer(tls, two, false, connection, log).await;
    }
}

async fn answer<S>(stream: S, two: bool, once: bool, connection: usize, log: Log)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&served);
    let service = service_fn(move |request: Request<Incoming>| {
        log.lock().unwrap().push((connection, request.version()));
        tell.notify_one();
        async { Ok::<_, Infallible>(tokens()) }
    });
    let io = TokioIo::new(stream);
    if !two {
        http1::Builder::new().serve_connection(io, service).await.ok();
        return;
    }
    let mut going = Box::pin(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service));
    tokio::select! {
        _ = &mut going => return,
        () = served.notified(), if once => {}
    }
    going.as_mut().graceful_shutdown();
    going.await.ok();
}

fn tokens() -> Response<Paced> {
    let events = [
        token("a"),
        token("b"),
        [token("c"), FINISH.into(), DONE.into()].concat(),
    ];
    let body = Paced {
        events: events.into_iter().collect(),
        pause: Box::pin(sleep(GAP)),
    };
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(body).unwrap()
}

/// A body of events with a pause before each.
struct Paced {
    events: std::collections::VecDeque<String>,
    pause: Pin<Box<Sleep>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.pause.as_mut().poll(cx));
        self.pause = Box::pin(sleep(GAP));
        let event = self.events.pop_front();
        Poll::Ready(event.map(|event| Ok(Frame::data(event.into()))))
    }
}

fn measure_by(plan: &mut Plan, streams: u32) -> Run {
    plan.loads = vec![Load::Concurrency(streams)];
    let run = measure(plan);
    assert!(run.requests.iter().all(RequestRecord::completed), "{run:?}");
    run
}

#[test]
fn many_http_2_requests_share_one_connection_and_keep_their_stamps() {
    let server = Server::start(Speaks::PlainTwo);
    let run = measure_by(&mut server.plan(Http::Two, 12), 4);
    assert_eq!((server.used(), run.replaced_connections), ((1, Version::HTTP_2), 0));
    let gap_ns = u64::try_from(GAP.as_nanos()).unwrap();
    for record in &run.requests {
        assert_eq!(record.chunks, 3);
        // The server waits before each token, and after it had the request.
        let (first_ns, last_ns) = (record.first_token_ns.unwrap(), record.last_token_ns.unwrap());
        assert!(first_ns - record.sent_ns >= gap_ns, "{record:?}");
        assert!(last_ns - record.sent_ns >= 3 * gap_ns, "{record:?}");
        assert!(first_ns <= last_ns && last_ns <= record.end_ns, "{record:?}");
    }
}

#[test]
fn without_reuse_each_http_2_request_has_a_connection_of_its_own() {
    let server = Server::start(Speaks::PlainTwo);
    let mut plan = server.plan(Http::Two, 3);
    plan.target.reuse_connections = false;
    measure_by(&mut plan, 1);
    assert_eq!(server.used(), (3, Version::HTTP_2));
}

#[test]
fn an_http_2_connection_that_ends_politely_is_followed_by_another() {
    let server = Server::start(Speaks::PlainTwoOnce);
    measure_by(&mut server.plan(Http::Two, 3), 1);
    assert_eq!(server.used(), (3, Version::HTTP_2));
}

#[test]
fn a_server_is_trusted_by_the_authority_in_the_file_and_chooses_the_http() {
    for (http, offers, expected) in [
        (Http::One, &["h2", "http/1.1"][..], Version::HTTP_11),
        (Http::Auto, &["h2", "http/1.1"], Version::HTTP_2),
        (Http::Auto, &["http/1.1"], Version::HTTP_11),
        (Http::Auto, &[], Version::HTTP_11),
        (Http::Two, &["h2", "http/1.1"], Version::HTTP_2),
    ] {
        let server = Server::start(Speaks::Tls(offers));
        let run = measure_by(&mut server.plan(http, 4), 2);
        let connections = if expected == Version::HTTP_2 { 1 } else { 2 };
        assert_eq!(server.used(), (connections, expected), "{http:?} {offers:?}");
        assert_eq!(run.replaced_connections, 0, "{http:?} {offers:?}");
    }
}

#[test]
fn the_time_to_connect_is_told_once_a_connection_and_is_in_no_latency() {
    let handshake_ns = u64::try_from(HANDSHAKE.as_nanos()).unwrap();
    let connected = |http, offers, reuse_connections| {
        let server = Server::start(Speaks::Tls(offers));
        let mut plan = server.plan(http, 6);
        plan.target.reuse_connections = reuse_connections;
        let run = measure_by(&mut plan, 2);
        let told: Vec<u64> = run.requests.iter().filter_map(|record| record.connect_ns).collect();
        assert!(told.iter().all(|ns| *ns >= handshake_ns), "{told:?}");
        told.len()
    };
    assert_eq!(connected(Http::One, &["http/1.1"], true), 2, "one for each stream");
    assert_eq!(connected(Http::Two, &["h2"], true), 1, "all share it");
    for (http, offers) in [(Http::One, &["http/1.1"][..]), (Http::Two, &["h2"])] {
        assert_eq!(connected(http, offers, false), 6, "one for each request");
    }
}

#[test]
fn http_2_that_is_not_offered_is_a_failed_connection() {
    for offers in [&["http/1.1"][..], &[]] {
        let server = Server::start(Speaks::Tls(offers));
        let (key, message) = class(&measure(&server.plan(Http::Two, 1)).requests[0]);
        assert_eq!(key, "connect", "{message}");
    }
}

#[test]
fn http_2_to_a_server_of_http_1_says_so_and_what_to_do() {
    let server = scripted::Server::of(vec![scripted::send(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    )]);
    let mut plan = plan(&server.url, 1);
    plan.target.http = Http::Two;
    let (key, message) = class(&measure(&plan).requests[0]);
    assert_eq!(key, "connection_lost", "{message}");
    for words in ["no answer in HTTP/2", "give `http: 1`"] {
        assert!(message.contains(words), "{message}");
    }
}

/// A certificate as `openssl req -x509` makes one: signed by itself, an authority, and the server's own.
fn authority_itself(name: &str, from_year: i32, to_year: i32) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
    params.not_after = rcgen::date_time_ymd(to_year, 1, 1);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    rcgen::CertifiedKey { cert, signing_key }
}

#[test]
fn an_authority_that_is_the_server_itself_is_trusted_by_the_file_that_holds_it() {
    for (http, offers, expected) in [
        (Http::One, &["http/1.1"][..], Version::HTTP_11),
        (Http::Two, &["h2"], Version::HTTP_2),
    ] {
        let server = Server::with(authority_itself("127.0.0.1", 2020, 2100), Speaks::Tls(offers));
        let mut plan = server.plan(http, 4);
        // What is not measured reaches it, too.
        runner(&plan).probe();
        assert!(!server.seen.lock().unwrap().is_empty());
        measure_by(&mut plan, 2);
        assert_eq!(server.used().1, expected);
    }
}

#[test]
fn an_authority_that_is_the_server_itself_must_be_the_one_in_the_file_have_its_name_and_be_valid() {
    let ours = || authority_itself("127.0.0.1", 2020, 2100);
    let refused = |made, file: Option<&Path>| {
        let server = Server::with(made, Speaks::Tls(&[]));
        let mut plan = server.plan(Http::One, 1);
        if let Some(file) = file {
            plan.target.ca_file = Some(file.to_str().unwrap().to_owned());
        }
        let (key, message) = class(&measure(&plan).requests[0]);
        assert_eq!(key, "connect", "{message}");
        message
    };
    let other = Server::with(ours(), Speaks::Tls(&[]));
    refused(ours(), Some(&other.ca_file));
    let message = refused(authority_itself("example.org", 2020, 2100), None);
    assert!(message.contains("not valid for name"), "{message}");
    let message = refused(authority_itself("127.0.0.1", 2020, 2021), None);
    assert!(message.contains("expired"), "{message}");
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let (server, other) = (Server::start(Speaks::Tls(&[])), Server::start(Speaks::Tls(&[])));
    let mut plan = server.plan(Http::One, 1);
    plan.target.ca_file = Some(other.ca_file.to_str().unwrap().to_owned());
    let (key, message) = class(&measure(&plan).requests[0]);
    assert_eq!(key, "connect");
    assert!(message.contains("certificate"), "{message}");
}

#[test]
fn a_file_without_certificates_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let mut plan = plan("https://127.0.0.1:1", 1);
        plan.target.ca_file = Some(path.to_str().unwrap().to_owned());
        let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
        let error = Runner::new(&plan, Secrets::default(), prompts).err().unwrap();
        assert!(matches!(error, LoadError::CaFile { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

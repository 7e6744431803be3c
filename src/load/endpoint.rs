//! Where requests go: the address, the headers with their secrets, and how a connection is opened.

use std::{cmp::Reverse, fmt, sync::Arc, time::Duration};

use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use reqwest::Url;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::{
    LoadError,
    stamp::Stamper,
    wire::{Stream, Wire},
};
use crate::{
    plan::{Secrets, Target},
    session::FailureClass,
};

/// A server, ready to be asked.
pub(super) struct Endpoint {
    base: Url,
    web: reqwest::Client,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    headers: HeaderMap,
    /// Request line and headers as they are sent, without the length.
    head: Vec<u8>,
    secrets: Vec<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Reads the address and headers of a target.
    ///
    /// # Errors
    /// The address is no `http` or `https` one, or a header cannot be sent.
    pub(super) fn new(target: &Target, secrets: &Secrets) -> Result<Self, LoadError> {
        let mut url = parse(&target.url)?;
        let refuse = |problem: &str| LoadError::Url {
            url: without_userinfo(&target.url),
            problem: problem.to_owned(),
        };
        let web = web_client(&url)?;
        let headers =
            headers(&web, &url, secrets).map_err(|error| error.unwrap_or_else(|| refuse("it cannot be sent")))?;
        let mut hidden: Vec<String> = secrets.headers.iter().map(|(_, value)| value.clone()).collect();
        hidden.extend(secrets.api_key.clone());
        hidden.extend(url.password().map(str::to_owned));
        // The longest first: a secret that begins with another one would leave its end.
        hidden.sort_by_key(|secret| Reverse(secret.len()));
        // Clearing fails only for addresses without a host, which `parse` refuses.
        let _ = (url.set_username(""), url.set_password(None));
        let base_path = url.path().trim_end_matches('/').to_owned();
        let base_path = base_path.strip_suffix("/v1").unwrap_or(&base_path);
        url.set_path(base_path);
        let path = format!("{base_path}{}", super::dialect::path(target.api));
        let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self {
            tls: tls(&url, &host)?,
            port: url.port_or_known_default().ok_or_else(|| refuse("it has no port"))?,
            head: head(&path, &headers),
            host,
            headers,
            web,
            base: url,
            // An empty or one-letter secret would blot out every message.
            secrets: hidden.into_iter().filter(|secret| secret.len() > 3).collect(),
        })
    }

    /// A whole request, ready to be sent.
    pub(super) fn request(&self, body: &[u8]) -> Vec<u8> {
        let length = format!("content-length: {}\r\n\r\n", body.len());
        [&self.head, length.as_bytes(), body].concat()
    }

    /// A request for another page of the same server (`/version`).
    pub(super) fn page(&self, path: &str) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        self.web.get(url).headers(self.headers.clone())
    }

    /// A text with every secret taken out.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"))
    }

    /// Opens a connection, TLS included.
    ///
    /// # Errors
    /// What kind of failure it is, and why.
    pub(super) async fn connect(
        &self,
        stamper: &Arc<Stamper>,
        timeout: Duration,
    ) -> Result<Stream, (FailureClass, String)> {
        let place = format!("`{}:{}`", self.host, self.port);
        match tokio::time::timeout(timeout, self.open(stamper)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err((FailureClass::Connect, format!("cannot connect to {place}: {error}"))),
            Err(_) => Err((
                FailureClass::ConnectTimeout,
                format!("no connection to {place} within {} s", timeout.as_secs_f64()),
            )),
        }
    }

    async fn open(&self, stamper: &Arc<Stamper>) -> std::io::Result<Stream> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let wire = Wire::new(tcp, Arc::clone(stamper));
        match &self.tls {
            None => Ok(Stream::Plain(wire)),
            Some((connector, name)) => Ok(Stream::Tls(Box::new(connector.connect(name.clone(), wire).await?))),
        }
    }
}

/// The part of a request that all share: everything but the length and the body.
fn head(path: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head
}

fn parse(text: &str) -> Result<Url, LoadError> {
    let refuse = |problem: String| LoadError::Url {
        url: without_userinfo(text),
        problem,
    };
    let url = Url::parse(text).map_err(|error| refuse(format!("{error}; give `http://host:port`")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(refuse("give `http://host:port` or `https://host:port`".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(
            "it has a query or a fragment; give the base address only".into(),
        ));
    }
    Ok(url)
}

/// An address without user name and password, even where it cannot be parsed.
fn without_userinfo(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://{after}")
        }
        None => text.to_owned(),
    }
}

/// Headers of every request; `Err(None)` blames the address.
fn headers(web: &reqwest::Client, url: &Url, secrets: &Secrets) -> Result<HeaderMap, Option<LoadError>> {
    // reqwest turns a user name and password in the address into a header.
    let blank = web.post(url.clone()).build().map_err(|_| None)?;
    let mut headers = blank.headers().clone();
    let host = url.host_str().unwrap_or_default();
    let authority = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    headers.insert(header::HOST, HeaderValue::try_from(authority).map_err(|_| None)?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let agent = concat!("perfgate/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    if let Some(key) = &secrets.api_key {
        let value = secret_value("authorization", &format!("Bearer {key}")).map_err(Some)?;
        headers.insert(header::AUTHORIZATION, value);
    }
    for (name, value) in &secrets.headers {
        let known = HeaderName::try_from(name.as_str()).map_err(|_| {
            Some(LoadError::Header {
                name: name.clone(),
                problem: "not a header name",
            })
        })?;
        headers.insert(known, secret_value(name, value).map_err(Some)?);
    }
    Ok(headers)
}

/// The client for everything that is not measured; it follows no redirect and asks no proxy, as the measured requests.
fn web_client(url: &Url) -> Result<reqwest::Client, LoadError> {
    // Fails where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    if url.scheme() == "http" {
        // A machine without certificates can still measure a server without TLS.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|source| LoadError::Setup {
        what: "the HTTP client",
        source: source.into(),
    })
}

fn secret_value(name: &str, value: &str) -> Result<HeaderValue, LoadError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| LoadError::Header {
        name: name.to_owned(),
        problem: "its value holds a line break or another sign that no header may hold",
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(url: &Url, host: &str) -> Result<Option<(TlsConnector, ServerName<'static>)>, LoadError> {
    if url.scheme() != "https" {
        return Ok(None);
    }
    let mut config = ClientConfig::with_platform_verifier().map_err(|source| LoadError::Setup {
        what: "the system's certificates",
        source: source.into(),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).map_err(|error| LoadError::Url {
        url: url.to_string(),
        problem: error.to_string(),
    })?;
    Ok(Some((TlsConnector::from(Arc::new(config)), name)))
}

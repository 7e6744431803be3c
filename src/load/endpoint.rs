//! Where requests go: the address, the headers with their secrets, and how a connection is opened.

use std::{fmt, io, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    HeaderMap, Request,
    header::{self, HeaderName, HeaderValue},
};
use reqwest::Url;
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::{
    LoadError,
    dialect::{Ask, Dialect},
    forbidden,
    hidden::Hidden,
    lane::Prepared,
    lookup,
    stamp::Stamper,
    tls,
    wire::{Stream, Wire},
};
use crate::{
    plan::{Http, Secrets, Target},
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
    dialect: Dialect,
    /// Request line and headers as they are sent, without the length.
    head: Vec<u8>,
    path: String,
    /// Scheme, host and path, for HTTP/2.
    address: String,
    http: Http,
    hidden: Hidden,
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
    pub(super) fn new(target: &Target, secrets: &Secrets, dialect: Dialect) -> Result<Self, LoadError> {
        let mut url = parse(&target.url)?;
        let refuse = |problem: &str| LoadError::Url {
            url: without_userinfo(&target.url),
            problem: problem.to_owned(),
        };
        let web = tls::web_client(target, url.scheme())?;
        let mut headers = headers(&web, &url, secrets, dialect)
            .map_err(|error| error.unwrap_or_else(|| refuse("it cannot be sent")))?;
        let mut hidden: Vec<String> = secrets.headers.iter().map(|(_, value)| value.clone()).collect();
        hidden.extend(secrets.api_key.clone());
        hidden.extend(url.password().map(str::to_owned));
        let authorization = headers.get(header::AUTHORIZATION);
        hidden.extend(authorization.and_then(|value| value.to_str().ok()).map(str::to_owned));
        if !target.reuse_connections && target.http == Http::One {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // Clearing fails only for addresses without a host, which `parse` refuses.
        let _ = (url.set_username(""), url.set_password(None));
        let base_path = url.path().trim_end_matches('/').to_owned();
        let version = ["/v1", "/v2"]
            .into_iter()
            .find_map(|version| base_path.strip_suffix(version));
        url.set_path(version.unwrap_or(&base_path));
        let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let mut endpoint = Self {
            tls: secured(&url, &host, target)?,
            port: url.port_or_known_default().ok_or_else(|| refuse("it has no port"))?,
            head: Vec::new(),
            address: String::new(),
            path: String::new(),
            http: target.http,
            host,
            dialect,
            headers,
            web,
            base: url,
            hidden: Hidden::new(hidden),
        };
        endpoint.set_model(target.model.as_deref());
        Ok(endpoint)
    }

    /// Puts the model into the path, where the API wants it there.
    pub(super) fn set_model(&mut self, model: Option<&str>) {
        let base = self.base.path().trim_end_matches('/');
        let path = format!("{base}{}", self.dialect.path(model));
        self.address = format!("{}://{}{path}", self.base.scheme(), authority(&self.base));
        self.head = head(&path, &self.headers);
        self.path = path;
    }

    /// A whole HTTP/1.1 request, ready to be sent.
    pub(super) fn request(&self, ask: &Ask) -> Prepared {
        let length = format!("content-length: {}\r\n\r\n", ask.body.len());
        let own = (!ask.headers().is_empty()).then(|| head(&self.path, &self.headers_of(ask)));
        let head = own.as_ref().unwrap_or(&self.head);
        Prepared::One([head, length.as_bytes(), &ask.body].concat())
    }

    /// The headers of all requests, with those that this one has for itself.
    fn headers_of(&self, ask: &Ask) -> HeaderMap {
        let mut headers = self.headers.clone();
        for (name, value) in ask.headers() {
            headers.insert(name, value.clone());
        }
        headers
    }

    /// A whole HTTP/2 request.
    pub(super) fn request_http2(&self, ask: &Ask) -> Prepared {
        let mut request = Request::post(self.address.as_str())
            .version(hyper::Version::HTTP_2)
            .body(Full::new(ask.body.clone()))
            .unwrap_or_default();
        *request.headers_mut() = self.headers_of(ask);
        request.headers_mut().remove(header::HOST);
        Prepared::Two(Box::new(request))
    }

    /// Whether connections may be shared by many requests.
    pub(super) fn may_be_http2(&self) -> bool {
        match self.http {
            Http::One => false,
            Http::Auto => self.tls.is_some(),
            Http::Two => true,
        }
    }

    /// Whether this connection is to be spoken to in HTTP/2.
    pub(super) fn is_http2(&self, stream: &Stream) -> bool {
        stream.has_chosen_http2() || self.http == Http::Two
    }

    /// A request for another page of the same server (`/version`).
    pub(super) fn page(&self, path: &str) -> reqwest::RequestBuilder {
        self.web.get(self.at(path)).headers(self.headers.clone())
    }

    /// A request that makes another page of the same server do its work (`/reset_prefix_cache`, `/tokenize`).
    pub(super) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.web.post(self.at(path)).headers(self.headers.clone())
    }

    /// Another page of the same server.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// Whether an address is of this server.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    /// What all requests carry.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What no message may hold.
    pub(super) fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// A text with every secret taken out.
    pub(super) fn redact(&self, text: &str) -> String {
        self.hidden.redact(text)
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
            Ok(Err(error)) => Err((unconnected(&error), format!("cannot connect to {place}: {error}"))),
            Err(_) => Err((
                FailureClass::ConnectTimeout,
                format!("no connection to {place} within {} s", timeout.as_secs_f64()),
            )),
        }
    }

    async fn open(&self, stamper: &Arc<Stamper>) -> io::Result<Stream> {
        let tcp = lookup::connect(&self.host, self.port).await?;
        tcp.set_nodelay(true)?;
        let wire = Wire::new(tcp, Arc::clone(stamper));
        match &self.tls {
            None => Ok(Stream::Plain(wire)),
            Some((connector, name)) => {
                let stream = Stream::Tls(Box::new(connector.connect(name.clone(), wire).await?));
                if self.http == Http::Two && !stream.has_chosen_http2() {
                    return Err(io::Error::other(
                        "the server does not offer HTTP/2; give `http: auto` or `1`",
                    ));
                }
                Ok(stream)
            }
        }
    }
}

fn unconnected(error: &io::Error) -> FailureClass {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureClass::ConnectRefused,
        _ => FailureClass::Connect,
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
    address(text).map_err(|problem| LoadError::Url {
        url: without_userinfo(text),
        problem,
    })
}

/// An address that may be asked.
///
/// # Errors
/// What is wrong with it, and what to give instead.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; give `http://host:port`"))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err("give `http://host:port` or `https://host:port`".into());
    }
    if url.host_str().is_some_and(forbidden::is_of_a_cloud) {
        return Err("this is where a cloud tells its machines their credentials, and no model server".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment; give the base address only".into());
    }
    Ok(url)
}

/// An address without user name and password, even where it cannot be parsed.
pub(super) fn without_userinfo(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://{after}")
        }
        None => text.to_owned(),
    }
}

/// Headers of every request; `Err(None)` blames the address.
fn headers(
    web: &reqwest::Client,
    url: &Url,
    secrets: &Secrets,
    dialect: Dialect,
) -> Result<HeaderMap, Option<LoadError>> {
    // reqwest turns a user name and password in the address into a header.
    let blank = web.post(url.clone()).build().map_err(|_| None)?;
    let mut headers = blank.headers().clone();
    headers.insert(header::HOST, HeaderValue::try_from(authority(url)).map_err(|_| None)?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static(dialect.content_type()));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let agent = concat!("perfgate/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    if let Some(key) = &secrets.api_key {
        let value = secret_value("authorization", &format!("Bearer {key}")).map_err(Some)?;
        headers.insert(header::AUTHORIZATION, value);
    }
    for (name, value) in dialect.headers(secrets.api_key.as_deref()) {
        headers.insert(HeaderName::from_static(name), secret_value(name, &value).map_err(Some)?);
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

/// Host, and port where it is not the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn secret_value(name: &str, value: &str) -> Result<HeaderValue, LoadError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| LoadError::Header {
        name: name.to_owned(),
        problem: "its value holds a line break or another sign that no header may hold",
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn secured(url: &Url, host: &str, target: &Target) -> Result<Option<(TlsConnector, ServerName<'static>)>, LoadError> {
    if url.scheme() != "https" {
        return Ok(None);
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| LoadError::Url {
        url: url.to_string(),
        problem: error.to_string(),
    })?;
    Ok(Some((tls::connector(target)?, name)))
}

//! The pages on which a server tells how it is doing, fetched beside the load by a client of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use hyper::header;
use reqwest::Url;
use tokio::{runtime::Runtime, task::JoinSet};

use super::{
    LoadError, Runner,
    endpoint::{Endpoint, address, without_userinfo},
    hidden::Hidden,
    server_words, tls,
};
use crate::{
    metric::Told,
    plan::{Http, MetricsPage, Target},
};

/// The page of vLLM with all its histograms has 60 kB; of a hundred models behind one server it has some megabytes.
const MOST_BYTES: usize = 8 << 20;

/// What a server's page is asked for in: a page in another format would be refused.
const ACCEPT: &str = "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5,*/*;q=0.1";

/// The pages of metrics of all replicas of a target.
pub struct MetricsPages {
    pages: Vec<Page>,
    every: Duration,
    /// Whether they ever came: one of the states below.
    heard: AtomicU8,
    /// Apart from the load generator's: what is asked here must not take time of the threads that measure.
    runtime: Runtime,
}

/// Nobody asked for the pages yet; they did not come so far; they came once at least.
const UNASKED: u8 = 0;
const SILENT: u8 = 1;
const HEARD: u8 = 2;

#[derive(Clone)]
struct Page {
    client: reqwest::Client,
    url: Url,
    headers: header::HeaderMap,
    hidden: Hidden,
}

impl MetricsPages {
    /// Those of a target; `None` where nobody is to ask.
    ///
    /// # Errors
    /// The address of the page cannot be used, or the machine refuses what a client needs.
    pub(super) fn of<'a>(
        target: &Target,
        endpoints: impl Iterator<Item = &'a Endpoint>,
    ) -> Result<Option<Arc<Self>>, LoadError> {
        let mut pages: Vec<Page> = Vec::new();
        for endpoint in endpoints {
            let Some((url, headers)) = endpoint.metrics_page(&target.metrics)? else {
                return Ok(None);
            };
            if pages.iter().all(|page| page.url != url) {
                pages.push(Page {
                    client: client(target, endpoint, &url)?,
                    url,
                    headers,
                    hidden: endpoint.hidden().clone(),
                });
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| LoadError::Setup {
            what: "the client of metrics pages",
            source: source.into(),
        })?;
        Ok(Some(Arc::new(Self {
            pages,
            every: target.metrics_interval,
            heard: AtomicU8::new(UNASKED),
            runtime,
        })))
    }

    /// The page of the exporter that tells of a target's GPUs; `None` where there is none.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn of_gpus<'a>(
        target: &Target,
        endpoints: impl Iterator<Item = &'a Endpoint>,
    ) -> Result<Option<Arc<Self>>, LoadError> {
        let Some(address) = &target.gpu_exporter else {
            return Ok(None);
        };
        let target = Target {
            metrics: MetricsPage::Url(address.clone()),
            ..target.clone()
        };
        Self::of(&target, endpoints)
    }

    /// Time between two looks at them.
    pub fn interval(&self) -> Duration {
        self.every
    }

    /// Whether they were asked for and never came.
    pub fn are_silent(&self) -> bool {
        self.heard.load(Ordering::Relaxed) == SILENT
    }

    /// Every replica's page, in no particular order, all within this time; or why one did not come, without secrets.
    ///
    /// # Errors
    /// In words: no connection, no answer in time, an error status, more than some megabytes.
    pub fn fetch(&self, within: Duration) -> Result<Vec<Vec<u8>>, String> {
        let all = async {
            let mut fetches = JoinSet::new();
            for page in &self.pages {
                fetches.spawn(page.clone().fetch());
            }
            let mut found = Vec::with_capacity(self.pages.len());
            while let Some(fetched) = fetches.join_next().await {
                found.push(fetched.map_err(|error| error.to_string())??);
            }
            Ok(found)
        };
        let timed = self.runtime.block_on(async { tokio::time::timeout(within, all).await });
        let found =
            timed.unwrap_or_else(|_| Err(format!("no whole page of metrics within {} s", within.as_secs_f64())));
        let heard = if found.is_ok() { HEARD } else { SILENT };
        self.heard.fetch_max(heard, Ordering::Relaxed);
        found
    }
}

/// What the server under test speaks says nothing of another one.
fn client(target: &Target, endpoint: &Endpoint, url: &Url) -> Result<reqwest::Client, LoadError> {
    if endpoint.is_at(url) {
        return tls::web_client(target, url.scheme());
    }
    let target = Target {
        http: Http::Auto,
        ..target.clone()
    };
    tls::web_client(&target, url.scheme())
}

/// The address of a page that is named, without keys in it.
fn named(text: &str) -> Result<Url, LoadError> {
    let refuse = |problem: String| LoadError::Metrics {
        url: without_userinfo(text),
        problem,
    };
    let url = address(text).map_err(refuse)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or password; remove it".into()));
    }
    Ok(url)
}

impl Page {
    async fn fetch(self) -> Result<Vec<u8>, String> {
        let asked = self.client.get(self.url.clone()).headers(self.headers.clone());
        // The address stands in the configuration; an error need not repeat it.
        let words = |error: reqwest::Error| self.told(&server_words::chain(&error.without_url()));
        let mut answer = asked.send().await.map_err(words)?;
        if !answer.status().is_success() {
            return Err(self.told(&format!("the page of metrics: {}", answer.status())));
        }
        let mut page = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(words)? {
            if page.len() + chunk.len() > MOST_BYTES {
                return Err(format!("the page of metrics has more than {} MiB", MOST_BYTES >> 20));
            }
            page.extend_from_slice(&chunk);
        }
        Ok(page)
    }

    fn told(&self, words: &str) -> String {
        server_words::clip(&self.hidden.redact(words))
    }
}

impl Runner {
    /// Where the server tells how it is doing; `None` where nobody is to ask.
    pub fn metrics_pages(&self) -> Option<&Arc<MetricsPages>> {
        self.metrics.as_ref()
    }

    /// The page of the exporter that tells of the server's GPUs, where there is one.
    pub fn gpu_pages(&self) -> Option<&Arc<MetricsPages>> {
        self.gpus.as_ref()
    }

    /// The series of that page that the plan asks for by name.
    pub fn told_series(&self) -> &[&'static Told] {
        &self.target.told
    }

    /// Has the server's page of metrics at an address of its own.
    ///
    /// # Errors
    /// The address cannot be asked.
    pub fn find_metrics_at(&mut self, address: &str) -> Result<(), LoadError> {
        self.target.metrics = MetricsPage::Url(address.to_owned());
        self.metrics = MetricsPages::of(&self.target, self.fleet.endpoints())?;
        Ok(())
    }
}

impl Endpoint {
    /// Where a server's page of metrics is, and what is sent there: keys only to the server that the requests go to.
    ///
    /// # Errors
    /// An address that cannot be used.
    fn metrics_page(&self, page: &MetricsPage) -> Result<Option<(Url, header::HeaderMap)>, LoadError> {
        let url = match page {
            MetricsPage::Off => return Ok(None),
            MetricsPage::Auto => self.at("/metrics"),
            MetricsPage::Path(path) => self.at(path),
            MetricsPage::Url(url) => named(url)?,
        };
        let mut headers = self.headers().clone();
        if !self.is_at(&url) {
            headers.clear();
        }
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONNECTION);
        headers.insert(header::ACCEPT, header::HeaderValue::from_static(ACCEPT));
        headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
        Ok(Some((url, headers)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;
    use crate::{
        load::dialect::Dialect,
        plan::{Lengths, Load, Plan, Prompts, Secrets, Workload},
    };

    fn endpoint(url: &str, secrets: &Secrets) -> Endpoint {
        let prompts = Prompts::Synthetic {
            input_tokens: Lengths::Fixed(1),
        };
        let workload = Workload::new(prompts, Lengths::Fixed(1));
        let plan = Plan::new(Target::at(url), workload, vec![Load::Concurrency(1)]);
        Endpoint::new(&plan.target, secrets, Dialect::of(&plan)).unwrap()
    }

    fn page(url: &str, page: &MetricsPage) -> (String, bool) {
        let secrets = Secrets {
            api_key: Some("sk-123456".into()),
            headers: vec![("x-route".into(), "blue".into())],
            ..Secrets::default()
        };
        let (url, headers) = endpoint(url, &secrets).metrics_page(page).unwrap().unwrap();
        let has_keys = headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-route");
        (url.to_string(), has_keys)
    }

    #[test]
    fn a_page_is_beside_the_api_and_keys_go_to_no_other_server() {
        let path = MetricsPage::Path("/prometheus/metrics".into());
        let other = MetricsPage::Url("http://127.0.0.1:8002/metrics".into());
        let same = MetricsPage::Url("http://127.0.0.1:8000/stats".into());
        for (url, at, expected) in [
            (
                "http://127.0.0.1:8000/v1",
                &MetricsPage::Auto,
                ("http://127.0.0.1:8000/metrics", true),
            ),
            (
                "http://127.0.0.1:8000/llm/",
                &path,
                ("http://127.0.0.1:8000/llm/prometheus/metrics", true),
            ),
            (
                "http://127.0.0.1:8000",
                &other,
                ("http://127.0.0.1:8002/metrics", false),
            ),
            ("http://127.0.0.1:8000", &same, ("http://127.0.0.1:8000/stats", true)),
        ] {
            assert_eq!(page(url, at), (expected.0.to_owned(), expected.1), "{url}");
        }
    }

    #[test]
    fn a_page_that_never_came_is_known_to_be_silent_until_it_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let endpoint = endpoint(&url, &Secrets::default());
        let pages = MetricsPages::of(&Target::at(&url), [endpoint].iter()).unwrap().unwrap();
        assert!(!pages.are_silent(), "nobody asked");
        let within = Duration::from_secs(10);
        for (is_there, is_silent) in [(false, true), (true, false), (false, false)] {
            let listener = listener.try_clone().unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let status = if is_there { "200 OK" } else { "404 Not Found" };
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
            });
            assert_eq!(pages.fetch(within).is_ok(), is_there);
            server.join().unwrap();
            assert_eq!(pages.are_silent(), is_silent);
        }
    }

    #[test]
    fn t11_a_page_of_metrics_is_no_way_around_what_addresses_may_be() {
        let endpoint = endpoint("http://127.0.0.1:1", &Secrets::default());
        for (address, problem) in [
            ("http://169.254.169.254/metrics", "this is where a cloud tells"),
            ("http://metadata.google.internal/metrics", "this is where a cloud tells"),
            ("http://me:key@127.0.0.1:9/metrics", "a user name or password"),
            ("ftp://127.0.0.1/metrics", "give `http://host:port`"),
            ("http://127.0.0.1:9/metrics?a=b", "a query or a fragment"),
        ] {
            let page = MetricsPage::Url(address.to_owned());
            let error = endpoint.metrics_page(&page).unwrap_err().to_string();
            assert!(
                error.starts_with("page of metrics `") && error.contains(problem),
                "{error}"
            );
            assert!(!error.contains("me:key"), "{error}");
        }
    }
}

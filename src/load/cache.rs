//! Empties the server's prefix cache before each run, where the server has a page for it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{LoadError, endpoint::Endpoint, server_words};
use crate::plan::CacheReset;

/// vLLM (in development mode) and `SGLang`.
const PAGES: [&str; 2] = ["/reset_prefix_cache", "/flush_cache"];

/// A server may need a while for a large cache.
const TIMEOUT: Duration = Duration::from_secs(30);

/// `SGLang` refuses while a request is running, and one that was given up may still be.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(300);

/// Resets the cache of one server as the plan wishes, and remembers which page does it.
pub(super) struct Cache {
    wish: CacheReset,
    known: Mutex<Known>,
}

/// What was learnt of the server's pages.
#[derive(Clone, Copy)]
enum Known {
    /// Nothing yet.
    NotYet,
    /// There is none.
    None,
    Page(&'static str),
}

/// What came of asking for a page.
enum Asked {
    Done,
    NoSuchPage,
    /// It is there, but does not do it now.
    Refused(String),
    NoAnswer(String),
    /// No connection: what is gone has no cache.
    NobodyThere,
}

impl Cache {
    pub(super) fn new(wish: CacheReset) -> Self {
        Self {
            wish,
            known: Mutex::new(Known::NotYet),
        }
    }

    /// Resets the caches of all replicas, one after the other; the page that did, as [`Self::reset`].
    pub(super) async fn reset_all(
        &self,
        replicas: impl Iterator<Item = &Endpoint>,
    ) -> Result<Option<String>, LoadError> {
        let mut page = None;
        for endpoint in replicas {
            page = self.reset(endpoint).await?.or(page);
        }
        Ok(page)
    }

    /// Resets it; the page that did, or `None` where nothing was to be done.
    ///
    /// # Errors
    /// A page that must empty the cache, or that did before, refuses: runs with a warm and with a cold cache would be
    /// mixed.
    async fn reset(&self, endpoint: &Endpoint) -> Result<Option<String>, LoadError> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.wish, known) {
            (CacheReset::Off, _) | (CacheReset::Auto, Known::None) => Ok(None),
            (CacheReset::Path(path), _) => insist(endpoint, path).await,
            (CacheReset::Auto, Known::Page(path)) => insist(endpoint, path).await,
            (CacheReset::Auto, Known::NotYet) => {
                let known = find(endpoint).await;
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
                Ok(match known {
                    Known::Page(path) => Some(path.to_owned()),
                    Known::NotYet | Known::None => None,
                })
            }
        }
    }
}

/// The first page that empties the cache.
async fn find(endpoint: &Endpoint) -> Known {
    for path in PAGES {
        match ask(endpoint, path).await {
            Asked::Done => return Known::Page(path),
            Asked::Refused(_) if insist(endpoint, path).await.is_ok() => return Known::Page(path),
            Asked::NoSuchPage | Asked::Refused(_) => {}
            // The requests themselves will bring out what is wrong with the server.
            Asked::NoAnswer(_) | Asked::NobodyThere => return Known::NotYet,
        }
    }
    Known::None
}

/// Asks for a page until it does its work; `None` where nobody is there, which the requests themselves will bring out.
async fn insist(endpoint: &Endpoint, path: &str) -> Result<Option<String>, LoadError> {
    let refused = |problem: String| LoadError::CacheReset {
        path: path.to_owned(),
        problem: server_words::clip(&endpoint.redact(&problem)),
    };
    for left in (0..TRIES).rev() {
        match ask(endpoint, path).await {
            Asked::Done => return Ok(Some(path.to_owned())),
            Asked::NobodyThere => return Ok(None),
            Asked::NoSuchPage => return Err(refused("the server has no such page".into())),
            Asked::NoAnswer(problem) => return Err(refused(problem)),
            Asked::Refused(problem) if left == 0 => return Err(refused(problem)),
            Asked::Refused(_) => tokio::time::sleep(BETWEEN_TRIES).await,
        }
    }
    Err(refused("it was not asked".into()))
}

async fn ask(endpoint: &Endpoint, path: &str) -> Asked {
    let answer = endpoint.post(path).timeout(TIMEOUT).send().await;
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Asked::NobodyThere,
        Err(error) => return Asked::NoAnswer(server_words::chain(&error.without_url())),
    };
    let status = response.status();
    // Read to its end in any case, so that the connection can be used again.
    let body = response.bytes().await.unwrap_or_default();
    if status.is_success() {
        return Asked::Done;
    }
    // Gateways answer what they do not know with these.
    if [401, 403, 404, 405, 501].contains(&status.as_u16()) {
        return Asked::NoSuchPage;
    }
    let words = server_words::from_body(&body, |text| endpoint.redact(text));
    Asked::Refused(format!("{status}: {words}"))
}

//! How many requests a server holds, as its page of metrics tells: an arm that rests must hold none.

use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Url};

use super::{
    LoadError, Runner,
    endpoint::{address, without_userinfo},
    tls,
};
use crate::plan::{Http, Target};

/// A server that needs longer for its page is treated as one that has none.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Engines renew their figures after the last answer, not with it.
const PATIENCE: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(20);

/// What engines call the requests that they work on, and those that wait.
const NAMES: [&str; 8] = [
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "llamacpp:requests_processing",
    "llamacpp:requests_deferred",
    "sglang:num_running_reqs",
    "sglang:num_queue_reqs",
    "tgi_batch_current_size",
    "tgi_queue_size",
];

/// A page of metrics elsewhere than at the server's own address, asked without its keys.
pub(super) struct MetricsPage {
    web: reqwest::Client,
    url: Url,
}

impl MetricsPage {
    /// # Errors
    /// The address cannot be asked.
    pub(super) fn at(text: &str, target: &Target) -> Result<Self, LoadError> {
        let refuse = |problem: String| LoadError::Metrics {
            url: without_userinfo(text),
            problem,
        };
        let url = address(text).map_err(refuse)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or password; remove it".into()));
        }
        // What the server under test speaks says nothing of this one.
        let target = Target {
            http: Http::Auto,
            ..target.clone()
        };
        let web = tls::web_client(&target, url.scheme())?;
        Ok(Self { web, url })
    }
}

impl Runner {
    /// Has the server's page of metrics elsewhere than at its own address. No key goes there.
    ///
    /// # Errors
    /// The address cannot be asked.
    pub fn find_metrics_at(&mut self, address: &str) -> Result<(), LoadError> {
        self.metrics = Some(MetricsPage::at(address, &self.target)?);
        Ok(())
    }

    /// Requests that all replicas hold, after a second for their figures to follow; `None` where a server does not tell.
    pub fn held_requests(&self) -> Option<u32> {
        self.runtime.block_on(async {
            let begun = Instant::now();
            loop {
                let held = self.held_now().await?;
                if held == 0 || begun.elapsed() > PATIENCE {
                    return Some(held);
                }
                tokio::time::sleep(WAIT).await;
            }
        })
    }

    async fn held_now(&self) -> Option<u32> {
        if let Some(page) = &self.metrics {
            return told(page.web.get(page.url.clone())).await;
        }
        let mut held = 0;
        for endpoint in self.fleet.endpoints() {
            held += told(endpoint.page("/metrics")).await?;
        }
        Some(held)
    }
}

async fn told(page: RequestBuilder) -> Option<u32> {
    let answer = page.timeout(TIMEOUT).send().await.ok()?;
    let page = answer.error_for_status().ok()?.bytes().await.ok()?;
    held(&String::from_utf8_lossy(&page))
}

/// The sum over all series that count requests; `None` where there is none of them.
fn held(page: &str) -> Option<u32> {
    let counts = page.lines().filter_map(|line| {
        let name = line.split(['{', ' ']).next().filter(|name| NAMES.contains(name))?;
        // Labels may hold blanks; what follows them is the value, perhaps with a time.
        let rest = line.rsplit_once('}').map_or(line.get(name.len()..)?, |(_, rest)| rest);
        rest.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    let counts: Vec<f64> = counts.filter(|count| count.is_finite() && *count >= 0.0).collect();
    (!counts.is_empty()).then(|| whole(counts.iter().sum()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
fn whole(count: f64) -> u32 {
    count.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t11_a_page_of_metrics_is_no_way_around_what_addresses_may_be() {
        let target = Target::at("http://127.0.0.1:1");
        for (address, problem) in [
            ("http://169.254.169.254/metrics", "this is where a cloud tells"),
            ("http://metadata.google.internal/metrics", "this is where a cloud tells"),
            ("http://me:key@127.0.0.1:9/metrics", "a user name or password"),
            ("ftp://127.0.0.1/metrics", "give `http://host:port`"),
            ("http://127.0.0.1:9/metrics?a=b", "a query or a fragment"),
        ] {
            let error = MetricsPage::at(address, &target).err().unwrap().to_string();
            assert!(
                error.starts_with("page of metrics `") && error.contains(problem),
                "{error}"
            );
            assert!(!error.contains("me:key"), "{error}");
        }
        assert!(MetricsPage::at("http://127.0.0.1:9/metrics", &target).is_ok());
    }

    #[test]
    fn requests_are_counted_over_engines_states_and_labels() {
        for (page, expected) in [
            (
                "# HELP vllm:num_requests_running Requests\nvllm:num_requests_running{engine=\"0\",model_name=\"a b\"} 2.0\n\
                 vllm:num_requests_waiting{engine=\"0\"} 1.0\nvllm:num_requests_waiting_by_reason{r=\"x\"} 9\n",
                Some(3),
            ),
            (
                "llamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n",
                Some(0),
            ),
            ("sglang:num_running_reqs{a=\"b\"} 4 1700000000\n", Some(4)),
            ("go_goroutines 7\n", None),
            ("vllm:num_requests_running{} NaN\n", None),
            ("", None),
        ] {
            assert_eq!(held(page), expected, "{page}");
        }
    }
}

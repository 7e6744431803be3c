//! How many requests a server holds, as its page of metrics tells: an arm that rests must hold none.

use std::time::{Duration, Instant};

use super::{Runner, endpoint::Endpoint};

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

impl Runner {
    /// Requests that all replicas hold, after a second for their figures to follow; `None` where a server does not tell.
    pub fn held_requests(&self) -> Option<u32> {
        self.runtime.block_on(async {
            let begun = Instant::now();
            loop {
                let mut held = 0;
                for endpoint in self.fleet.endpoints() {
                    held += of(endpoint).await?;
                }
                if held == 0 || begun.elapsed() > PATIENCE {
                    return Some(held);
                }
                tokio::time::sleep(WAIT).await;
            }
        })
    }
}

async fn of(endpoint: &Endpoint) -> Option<u32> {
    let answer = endpoint.page("/metrics").timeout(TIMEOUT).send().await.ok()?;
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

//! When a request is sent again: never at once, never for longer than the budget, never where it would not help.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    time::{Duration, Instant},
};

use super::{ForgeError, Pace, wire::Answer};

/// What an answer that is none calls for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A limit, which the request ended at: nothing happened. `None`: it does not say how long it lasts.
    Limited(Option<Duration>),
    /// The server's own failure: whether something happened is not known.
    Failed(String),
}

/// What an answer calls for; `None`: it is an answer, be it a refusal.
pub(super) fn trouble(answer: &Answer, now_s: u64) -> Option<Trouble> {
    match answer.status {
        408 | 500.. => Some(Trouble::Failed(said(answer))),
        429 => Some(Trouble::Limited(limit(answer, now_s))),
        403 => {
            let words = said(answer).to_ascii_lowercase();
            // A permission that is missing stays so, however often one asks.
            let is_limit = answer.retry_after_s.is_some()
                || answer.limit_remaining == Some(0)
                || ["rate limit", "abuse detection"]
                    .iter()
                    .any(|word| words.contains(word));
            is_limit.then(|| Trouble::Limited(limit(answer, now_s)))
        }
        _ => None,
    }
}

fn limit(answer: &Answer, now_s: u64) -> Option<Duration> {
    let until_reset = || {
        let reset_s = answer.limit_reset_s.filter(|_| answer.limit_remaining == Some(0))?;
        // One more: the clocks may differ by parts of a second.
        Some(reset_s.saturating_sub(now_s) + 1)
    };
    answer.retry_after_s.or_else(until_reset).map(Duration::from_secs)
}

/// GitHub's words in an answer, one line, at most 300 characters.
pub(super) fn said(answer: &Answer) -> String {
    #[derive(serde::Deserialize)]
    struct Words {
        message: String,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let text = match serde_json::from_slice::<Words>(&answer.bytes) {
        Ok(words) => {
            let more = words
                .errors
                .iter()
                .map(|error| match error.get("message").unwrap_or(error) {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
            let all: Vec<String> = std::iter::once(words.message).chain(more).collect();
            all.join("; ")
        }
        Err(_) => format!("status {}", answer.status),
    };
    one_line(&text)
}

/// A text as one line without control signs.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect();
    super::limits::short(plain.trim(), 300)
}

/// So often one request is sent, whatever its answers promise.
const MOST_TRIES: u32 = 10;

/// What is left of the budget, over all requests of one client.
pub(super) struct Patience {
    pace: Pace,
    left: Duration,
    last_write: Option<Instant>,
}

/// The waits of one request.
pub(super) struct Tries {
    /// How often it was sent.
    pub(super) count: u32,
    next: Duration,
    next_unsaid: Duration,
}

impl Patience {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            left: pace.budget,
            last_write: None,
        }
    }

    pub(super) fn tries(&self) -> Tries {
        Tries {
            count: 0,
            next: self.pace.first,
            next_unsaid: self.pace.unsaid_limit,
        }
    }

    /// How long to wait before a write.
    pub(super) fn before_write(&mut self) -> Duration {
        let since = self.last_write.map_or(Duration::MAX, |last| last.elapsed());
        self.pace.between_writes.saturating_sub(since)
    }

    /// A write was sent.
    pub(super) fn wrote(&mut self) {
        self.last_write = Some(Instant::now());
    }

    /// A try took this long and came to nothing.
    pub(super) fn lost(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// How long to wait for a limit: as long as it says, but never shorter than after a failure, and ever longer.
    pub(super) fn wait_for_limit(&mut self, tries: &mut Tries, said: Option<Duration>) -> Result<Duration, ForgeError> {
        let unsaid = tries.next_unsaid;
        let wait = said.unwrap_or(unsaid).max(tries.next);
        tries.next = tries.next.saturating_mul(2);
        if said.is_none() {
            tries.next_unsaid = unsaid.saturating_mul(2);
        }
        let may_wait = tries.count < MOST_TRIES;
        may_wait
            .then(|| self.take(wait))
            .flatten()
            .ok_or(ForgeError::RateLimited {
                wait_s: wait.as_secs(),
                budget_s: self.left.as_secs(),
            })
    }

    /// How long to wait after a failure; `None`: the budget is used up.
    pub(super) fn wait_after_failure(&mut self, tries: &mut Tries) -> Option<Duration> {
        let wait = tries.next.mul_f64(jitter());
        tries.next = tries.next.saturating_mul(2);
        if tries.count >= MOST_TRIES {
            return None;
        }
        self.take(wait)
    }

    fn take(&mut self, wait: Duration) -> Option<Duration> {
        self.left = self.left.checked_sub(wait)?;
        Some(wait)
    }
}

/// From 0.75 to 1.25, so that jobs that failed together do not come back together.
fn jitter() -> f64 {
    let word = u32::try_from(random() % 1_000).unwrap_or_default();
    0.75 + f64::from(word) / 2_000.0
}

/// A number that no other process has.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn answer(status: u16, message: &str) -> Answer {
        Answer {
            status,
            bytes: format!("{{\"message\":\"{message}\"}}").into_bytes(),
            ..Answer::default()
        }
    }

    fn limited(wait_s: u64) -> Trouble {
        Trouble::Limited(Some(Duration::from_secs(wait_s)))
    }

    #[test]
    fn a_refusal_is_an_answer() {
        for status in [200, 201, 204, 304, 400, 401, 404, 409, 410, 422] {
            assert_eq!(trouble(&answer(status, "no"), NOW_S), None, "{status}");
        }
        assert_eq!(
            trouble(&answer(403, "Resource not accessible by integration"), NOW_S),
            None
        );
    }

    #[test]
    fn a_limit_is_told_by_its_headers_or_its_words() {
        let words = "You have exceeded a secondary rate limit. Please wait";
        assert_eq!(trouble(&answer(403, words), NOW_S), Some(Trouble::Limited(None)));
        assert_eq!(trouble(&answer(429, "slow"), NOW_S), Some(Trouble::Limited(None)));
        let mut after = answer(403, "wait");
        after.retry_after_s = Some(7);
        assert_eq!(trouble(&after, NOW_S), Some(limited(7)));
        let mut reset = answer(403, "API limit");
        (reset.limit_remaining, reset.limit_reset_s) = (Some(0), Some(NOW_S + 3_600));
        assert_eq!(trouble(&reset, NOW_S), Some(limited(3_601)));
        // A reset is told with every answer; only with nothing left it is one to wait for.
        reset.limit_remaining = Some(3);
        assert_eq!(trouble(&reset, NOW_S), None);
        reset.status = 429;
        assert_eq!(trouble(&reset, NOW_S), Some(Trouble::Limited(None)));
    }

    #[test]
    fn a_failure_of_the_server_says_so_in_its_words() {
        assert_eq!(
            trouble(&answer(502, "Bad\\nGateway"), NOW_S),
            Some(Trouble::Failed("Bad Gateway".into()))
        );
        let page = Answer {
            status: 503,
            bytes: b"<html>".into(),
            ..Answer::default()
        };
        assert_eq!(trouble(&page, NOW_S), Some(Trouble::Failed("status 503".into())));
    }

    #[test]
    fn the_reasons_of_a_refusal_are_told() {
        let mut refusal = answer(422, "");
        refusal.bytes =
            br#"{"message":"Validation Failed","errors":[{"code":"x","message":"body is too long"},"b",{"code":"c"}]}"#
                .into();
        assert_eq!(
            said(&refusal),
            r#"Validation Failed; body is too long; b; {"code":"c"}"#
        );
        refusal.bytes = format!("{{\"message\":\"{}\"}}", "x".repeat(1_000)).into();
        assert_eq!(said(&refusal).chars().count(), 300);
    }

    #[test]
    fn waits_grow_and_end_with_the_budget() {
        let pace = Pace {
            budget: Duration::from_secs(20),
            ..Pace::default()
        };
        let mut patience = Patience::new(pace);
        let mut tries = patience.tries();
        let waits: Vec<f64> = std::iter::from_fn(|| patience.wait_after_failure(&mut tries))
            .map(|wait| wait.as_secs_f64())
            .collect();
        assert!((3..=5).contains(&waits.len()), "{waits:?}");
        for (wait, whole) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0]) {
            assert!((0.75 * whole..=1.25 * whole).contains(wait), "{waits:?}");
        }
        assert!(waits.iter().sum::<f64>() <= 20.0);
    }

    #[test]
    fn a_limit_of_no_time_is_waited_for_ever_longer_and_not_forever() {
        let mut patience = Patience::new(Pace::default());
        let mut tries = patience.tries();
        let zero = Some(Duration::ZERO);
        let waits: Vec<u64> = std::iter::from_fn(|| patience.wait_for_limit(&mut tries, zero).ok())
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
        // Where waits cost nothing, the number of tries ends it.
        let mut patience = Patience::new(Pace {
            first: Duration::ZERO,
            ..Pace::default()
        });
        let mut tries = patience.tries();
        let limited = (1..1_000).find(|_| {
            tries.count += 1;
            patience.wait_for_limit(&mut tries, zero).is_err()
        });
        assert_eq!(limited, Some(10));
    }

    #[test]
    fn a_limit_beyond_the_budget_ends_it_at_once() {
        let mut patience = Patience::new(Pace::default());
        let mut tries = patience.tries();
        assert_eq!(patience.wait_for_limit(&mut tries, None), Ok(Duration::from_secs(60)));
        patience.lost(Duration::from_secs(10));
        let refusal = patience.wait_for_limit(&mut tries, Some(Duration::from_secs(3_601)));
        assert_eq!(
            refusal,
            Err(ForgeError::RateLimited {
                wait_s: 3_601,
                budget_s: 50
            })
        );
        // The second wait for a limit that says nothing is twice as long.
        let unsaid = patience.wait_for_limit(&mut tries, None);
        assert_eq!(
            unsaid,
            Err(ForgeError::RateLimited {
                wait_s: 120,
                budget_s: 50
            })
        );
        assert_eq!(
            patience.wait_for_limit(&mut tries, Some(Duration::from_secs(50))),
            Ok(Duration::from_secs(50))
        );
    }
}

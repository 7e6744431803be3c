//! The first answer of a server that was just started: that it is ready is what it says, that it answers is what counts.

use std::{sync::Arc, time::Duration};

use super::{
    Interrupt, Runner,
    client::Client,
    dataset::Prompt,
    dialect::{Ask, Payload, Stimulus},
};
use crate::session::{FailureClass, Outcome};

/// Tokens of the answer that is asked for: enough that some of them are words.
const TOKENS: u32 = 8;

/// Between two tries while a server says that it is not up yet.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Statuses of a server, or of what stands before it, that may answer in a moment.
const NOT_YET: [u16; 4] = [429, 502, 503, 504];

/// Why there is no first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Somebody asked to stop.
    Interrupted,
    /// In words, the server's own where it has some.
    Told(String),
}

impl Runner {
    /// Asks for one short answer of the plan's model until there is one, no longer than this.
    ///
    /// # Errors
    /// There is none.
    pub fn first_answer(&self, within: Duration, interrupt: &Interrupt) -> Result<(), NoAnswer> {
        let payload = Payload::new(self.target.api, &Prompt::Text("Say hello.".to_owned()), TOKENS);
        let stimulus = Stimulus {
            templates: Arc::clone(&self.templates),
            payloads: [payload].into(),
        };
        let Some(payload) = stimulus.payloads.first() else {
            return Ok(());
        };
        let ask = stimulus.ask(payload);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                answered = answered(&self.fleet.first, &ask, within) => answered.map_err(NoAnswer::Told),
                () = interrupt.wait() => Err(NoAnswer::Interrupted),
            }
        })
    }
}

async fn answered(client: &Arc<Client>, ask: &Ask, within: Duration) -> Result<(), String> {
    let mut last = String::new();
    let tries = async {
        loop {
            match one_try(client, ask).await {
                Ok(()) => return Ok(()),
                Err((class, words)) if may_come(class) => last = words,
                Err((_, words)) => return Err(words),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    };
    let answer = tokio::time::timeout(within, tries).await;
    answer.unwrap_or_else(|_| too_late(within, &last))
}

fn too_late(within: Duration, last: &str) -> Result<(), String> {
    let last = if last.is_empty() {
        String::new()
    } else {
        format!(" (the last try: {last})")
    };
    Err(format!("none within {} s{last}", within.as_secs_f64().round()))
}

async fn one_try(client: &Arc<Client>, ask: &Ask) -> Result<(), (FailureClass, String)> {
    match client.request(0, ask, None).await.reply.record.outcome {
        Outcome::Completed => Ok(()),
        // Its first tokens may be such as have no text.
        Outcome::Failed(failure) if failure.class == FailureClass::NoTokens => Ok(()),
        Outcome::Failed(failure) => Err((failure.class, format!("{}: {}", failure.class.key(), failure.message))),
    }
}

/// Whether a server that is starting may answer a moment later.
fn may_come(class: FailureClass) -> bool {
    match class {
        FailureClass::ConnectRefused | FailureClass::ConnectTimeout | FailureClass::ConnectionLost => true,
        FailureClass::Http(status) => NOT_YET.contains(&status),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_up_yet_is_asked_again_and_one_that_refuses_is_not() {
        for class in [
            FailureClass::Http(503),
            FailureClass::Http(429),
            FailureClass::ConnectRefused,
        ] {
            assert!(may_come(class), "{class:?}");
        }
        for class in [
            FailureClass::Http(404),
            FailureClass::Http(500),
            FailureClass::BadBody,
            FailureClass::FirstTokenTimeout,
        ] {
            assert!(!may_come(class), "{class:?}");
        }
    }

    #[test]
    fn a_time_that_is_over_is_told_with_the_last_words() {
        let over = |last: &str| too_late(Duration::from_secs(3), last).unwrap_err();
        assert_eq!(over(""), "none within 3 s");
        assert_eq!(
            over("http_503: loading"),
            "none within 3 s (the last try: http_503: loading)"
        );
    }
}

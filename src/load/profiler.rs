//! The engine's own profiler, switched on and off over HTTP. Never in a run that is measured: it slows the engine down.

use std::time::Duration;

use super::{Interrupt, Runner, endpoint::Endpoint, server_words};

/// Pages of vLLM, `SGLang` and the embedded engine.
const START: &str = "/start_profile";
const STOP: &str = "/stop_profile";
/// How long an engine is waited for that is told to stop while perfgate is.
const HASTE: Duration = Duration::from_secs(5);

/// Why an engine's profiler could not be switched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfilerTrouble {
    /// The engine has none, or was started without it.
    #[error("the server has no page `{0}`")]
    NoSuchPage(&'static str),
    /// It is there and does not do it.
    #[error("`{page}` said {words}")]
    Refused {
        /// The page.
        page: &'static str,
        /// The server's own words.
        words: String,
    },
    /// Nobody answers, or not in time: engines answer once their trace is written.
    #[error("`{page}` gave no answer: {words}")]
    NoAnswer {
        /// The page.
        page: &'static str,
        /// Why.
        words: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Runner {
    /// Switches the profiler of the first server on, with this JSON where its engine wants any.
    ///
    /// # Errors
    /// There is none, or it does not answer within the limit.
    pub fn start_profiler(
        &self,
        json: Option<&str>,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), ProfilerTrouble> {
        self.switch((START, json), limit, interrupt)
    }

    /// Switches it off, whoever asked to stop: one that is left on slows down all that comes later. Engines answer once the
    /// trace is written, which takes minutes where it is large; after an interrupt nobody waits so long.
    ///
    /// # Errors
    /// As of [`Runner::start_profiler`].
    pub fn stop_profiler(&self, limit: Duration, interrupt: &Interrupt) -> Result<(), ProfilerTrouble> {
        if !interrupt.is_set() {
            match self.switch((STOP, None), limit, interrupt) {
                Err(ProfilerTrouble::Interrupted) => {}
                done => return done,
            }
        }
        let never = Interrupt::never();
        self.switch((STOP, None), limit.min(HASTE), &never)
            .and(Err(ProfilerTrouble::Interrupted))
    }

    fn switch(
        &self,
        asked: (&'static str, Option<&str>),
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), ProfilerTrouble> {
        self.runtime.block_on(async {
            tokio::select! {
                answered = ask(&self.fleet.first.endpoint, asked, limit) => answered,
                () = interrupt.wait() => Err(ProfilerTrouble::Interrupted),
            }
        })
    }
}

async fn ask(
    endpoint: &Endpoint,
    (page, json): (&'static str, Option<&str>),
    limit: Duration,
) -> Result<(), ProfilerTrouble> {
    let mut request = endpoint.post(page).timeout(limit);
    if let Some(json) = json {
        request = request.body(json.to_owned());
    }
    let no_answer = |error: reqwest::Error| ProfilerTrouble::NoAnswer {
        page,
        words: if error.is_timeout() {
            format!("not within {} s", limit.as_secs_f64())
        } else {
            server_words::clip(&endpoint.redact(&server_words::chain(&error.without_url())))
        },
    };
    let response = request.send().await.map_err(no_answer)?;
    let status = response.status();
    let body = response.bytes().await.map_err(no_answer)?;
    if status.is_success() {
        return Ok(());
    }
    if [404, 405, 501].contains(&status.as_u16()) {
        return Err(ProfilerTrouble::NoSuchPage(page));
    }
    let words = server_words::from_body(&body, |text| endpoint.redact(text));
    Err(ProfilerTrouble::Refused {
        page,
        words: server_words::clip(&format!("{status}: {words}")),
    })
}

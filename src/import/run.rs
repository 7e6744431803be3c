//! One run as a format found it, before it becomes part of a session.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{ImportError, numbers::count_u32};
use crate::{
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load, Slo},
    session::{Environment, Failure, FailureClass, Outcome, Run, Stated, StatedFigure},
};

/// The longest message of a failure that is kept.
const MESSAGE_SIGNS: usize = 300;
/// The keys under which what a user tells a tool of a run may name the commit.
pub(super) const COMMIT_KEYS: [&str; 4] = ["commit", "commit_sha", "git_commit", "git_sha"];

/// A latency at a percentile.
pub(super) type Family = fn(Percentile) -> Metric;

/// One run of another tool.
#[derive(Clone, Debug)]
pub(super) struct ForeignRun {
    /// The file that it comes from, for messages.
    pub(super) path: PathBuf,
    /// Which tool measured, with its version where that is known (`aiperf 0.13.0`).
    pub(super) tool: String,
    /// Id of what it means by its figures ([`crate::metric::KNOWN_DEFINITIONS`]).
    pub(super) definitions: &'static str,
    /// When it began, seconds since 1970 UTC; `None`: the file's own time counts.
    pub(super) started_unix_s: Option<u64>,
    /// Commit under test, where the tool was told.
    pub(super) commit: Option<String>,
    /// What it ran on, as far as the tool tells, the model included.
    pub(super) environment: Environment,
    /// The server's address, where it is told.
    pub(super) url: Option<String>,
    /// Which API it used.
    pub(super) api: Api,
    /// Whether answers were streamed.
    pub(super) streaming: bool,
    /// How hard it pressed.
    pub(super) load: Load,
    /// What it sent, in a few signs (`random`).
    pub(super) workload: String,
    /// What it was asked for, in its own keys: two runs that differ here measured different things.
    pub(super) asked: BTreeMap<String, String>,
    /// What else is told of it (`arm` → `baseline`): runs of one cell must agree, sessions need not.
    pub(super) labels: BTreeMap<String, String>,
    /// Its promise to users.
    pub(super) slo: Slo,
    /// Requests, gaps, warm-up, and what was stated; its repeat comes later.
    pub(super) run: Run,
    /// What a reader should know of it, in sentences.
    pub(super) notes: Vec<String>,
}

impl ForeignRun {
    /// A run of which nothing is known but its tool and its load.
    pub(super) fn new(path: &Path, tool: &str, definitions: &'static str, load: Load) -> Self {
        Self {
            path: path.to_owned(),
            tool: tool.to_owned(),
            definitions,
            started_unix_s: None,
            commit: None,
            environment: Environment::default(),
            url: None,
            api: Api::Chat,
            streaming: true,
            load,
            workload: String::new(),
            asked: BTreeMap::new(),
            labels: BTreeMap::new(),
            slo: Slo::default(),
            run: Run::default(),
            notes: Vec::new(),
        }
    }

    /// Keeps what was asked, where it is known.
    pub(super) fn ask(&mut self, key: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.asked.insert(key.to_owned(), value.to_string());
        }
    }
}

/// Collects what a tool stated.
#[derive(Default)]
pub(super) struct Told(Stated);

impl Told {
    /// So many requests completed, and so many failed, where that is told.
    ///
    /// # Errors
    /// A count that is none.
    pub(super) fn of(path: &Path, completed: (&str, f64), failed: Option<(&str, f64)>) -> Result<Self, ImportError> {
        let count = |(key, number): (&str, f64)| {
            count_u32(number).ok_or_else(|| {
                bad(
                    path,
                    key,
                    format!("is `{number}`; a count of requests is from 0 to 2^32"),
                )
            })
        };
        Ok(Self(Stated {
            completed: Some(count(completed)?),
            failed: failed.map(count).transpose()?,
            ..Stated::default()
        }))
    }

    /// Nobody tells how many requests there were.
    pub(super) fn of_untold() -> Self {
        Self::default()
    }

    /// Token totals over all completed requests.
    pub(super) fn tokens(mut self, input: Option<u64>, output: Option<u64>) -> Self {
        (self.0.input_tokens, self.0.output_tokens) = (input, output);
        self
    }

    /// Why requests failed; of more than there are, nothing.
    pub(super) fn failures(mut self, failures: Vec<(u32, String)>) -> Self {
        let told: u64 = failures.iter().map(|(count, _)| u64::from(*count)).sum();
        if told <= u64::from(self.0.failed.unwrap_or(0)) {
            self.0.failures = failures;
        }
        self
    }

    /// A figure in its metric's unit, from so many samples (0: not told).
    ///
    /// # Errors
    /// A figure below zero. What is absent, infinite or no number is left out, and so is a percentile of the answered requests
    /// alone where others failed.
    pub(super) fn figure(
        &mut self,
        path: &Path,
        key: &str,
        (metric, value, samples): (Metric, Option<f64>, u64),
    ) -> Result<(), ImportError> {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return Ok(());
        };
        if value < 0.0 {
            return Err(bad(path, key, format!("is `{value}`, less than nothing")));
        }
        let is_of_requests = metric.percentile().is_some() && !matches!(metric, Metric::Itl(_));
        if is_of_requests && self.0.failed.is_some_and(|failed| failed > 0) {
            return Ok(());
        }
        self.0.figures.insert(metric, StatedFigure { value, samples });
        Ok(())
    }

    /// A figure that was made of samples.
    pub(super) fn insert(&mut self, metric: Metric, figure: StatedFigure) {
        self.0.figures.insert(metric, figure);
    }

    /// As a run keeps it.
    #[expect(clippy::unnecessary_wraps, reason = "a run keeps an option")]
    pub(super) fn stated(self) -> Option<Box<Stated>> {
        Some(Box::new(self.0))
    }
}

/// The load as `--map` tells it, of a tool that does not.
pub(super) fn told_load(path: &Path, tool: &str, columns: &[(String, String)]) -> Result<Option<Load>, ImportError> {
    let mut load = None;
    for (figure, number) in columns {
        let number = number
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite() && *number > 0.0);
        let found = match (figure.as_str(), number) {
            ("concurrency", Some(streams)) => count_u32(streams).map(Load::Concurrency),
            ("rate_rps", Some(rate_rps)) => Some(Load::Rate {
                rate_rps,
                arrivals: Arrivals::Constant,
            }),
            _ => None,
        };
        if found.is_none() || load.is_some() {
            let problem =
                format!("of {tool}, `--map` takes `concurrency` or `rate_rps`, one of them, with a number above zero");
            return Err(ImportError::Unusable {
                path: path.to_owned(),
                problem,
            });
        }
        load = found;
    }
    Ok(load)
}

/// A value that cannot be.
pub(super) fn bad(path: &Path, key: &str, problem: String) -> ImportError {
    ImportError::Value {
        path: path.to_owned(),
        key: key.to_owned(),
        problem,
    }
}

/// A request that failed, by what its tool says.
pub(super) fn failed(message: &str) -> Outcome {
    let lower = message.to_lowercase();
    let class = if lower.contains("refused") || lower.contains("cannot connect") {
        FailureClass::ConnectRefused
    } else if lower.contains("timeout") || lower.contains("timed out") {
        FailureClass::TotalTimeout
    } else if let Some(status) = status_in(&lower) {
        FailureClass::Http(status)
    } else {
        FailureClass::ConnectionLost
    };
    Outcome::Failed(Box::new(Failure {
        class,
        message: last_line(message).unwrap_or_else(|| "no reason was told".into()),
    }))
}

/// A status that a message names, or its usual words.
fn status_in(lower: &str) -> Option<u16> {
    const WORDS: [(&str, u16); 7] = [
        ("bad request", 400),
        ("unauthorized", 401),
        ("not found", 404),
        ("too many requests", 429),
        ("internal server error", 500),
        ("bad gateway", 502),
        ("service unavailable", 503),
    ];
    let named = WORDS.iter().find(|(words, _)| lower.contains(words));
    named.map(|(_, status)| *status)
}

/// Some tools give a whole traceback, whose last line says what it was; `None` of an empty one.
pub(super) fn last_line(message: &str) -> Option<String> {
    let last = message.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(last.trim().chars().take(MESSAGE_SIGNS).collect())
}

//! A bisection at rest: what was measured of which commit, so that a stopped one goes on, and what came of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{StoreError, read, write};

/// What `schema` says.
const SCHEMA: &str = "perfgate-llm/bisect/1";

/// Each run and each suspect has its line.
const LINE_DEPTH: usize = 3;

/// A search for the commit that made a metric worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bisection {
    /// `perfgate-llm/bisect/1`.
    pub schema: String,
    /// What was asked; results of another question are of no use.
    pub question: Question,
    /// What both ends showed; `null` until they are measured.
    pub ends: Option<EndsFound>,
    /// Every run of the search, in order.
    pub runs: Vec<CommitRun>,
    /// Commits that cannot be measured.
    pub skipped: Vec<Skipped>,
    /// What came of it; `null` while it goes on.
    pub found: Option<Found>,
}

/// What a search is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A commit without the regression.
    pub good: String,
    /// A commit with it.
    pub bad: String,
    /// Whether only first parents are followed.
    pub first_parent: bool,
    /// Paths that the commit is likely to have touched.
    pub paths: Vec<String>,
    /// The metric that was asked for, if any.
    pub metric: Option<String>,
    /// The cell that was asked for, if any.
    pub cell: Option<String>,
    /// Hash of what is measured.
    pub plan_hash: String,
    /// Hash of how a commit is built and its server started.
    pub server_hash: String,
    /// The machine: its values are not another one's.
    pub machine: String,
}

/// What both ends showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndsFound {
    /// The metric that is searched for.
    pub metric: String,
    /// In which cell.
    pub cell: String,
    /// Its values at the good end, in its unit, a run each.
    pub good: Vec<f64>,
    /// Its values at the bad end.
    pub bad: Vec<f64>,
    /// Standard deviation of the logarithm of one run.
    pub run_sd: f64,
    /// The verdict on both ends, in one sentence.
    pub headline: String,
    /// Seconds that a build with its start took.
    pub build_s: f64,
    /// Seconds that a run with its warm-up took.
    pub run_s: f64,
}

/// One run of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRun {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The metric's value, in its unit.
    pub value: f64,
    /// When it was over, seconds since 1970 UTC.
    pub at_unix_s: u64,
    /// Whether it is one of the good end, which shows how the machine drifts.
    pub is_anchor: bool,
}

/// A commit that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The commit.
    pub commit: String,
    /// Why.
    pub why: String,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// `bayes` or `git`.
    pub strategy: String,
    /// The most likely first: the smallest set that holds the first bad one with 90 % probability.
    pub commits: Vec<Suspect>,
    /// The chance of every commit of the range, oldest first.
    pub chances: Vec<CommitChance>,
    /// Whether one commit has 95 % or more.
    pub is_sharp: bool,
    /// Why the search ended before it was sharp, if so.
    pub stopped: Option<String>,
    /// The verdict of the commit against its parent, measured in pairs; `null` where that was not done.
    pub confirmed: Option<Confirmed>,
    /// `git bisect log` of it.
    pub git_log: Option<String>,
}

/// A commit that may have done it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspect {
    /// The commit.
    pub commit: String,
    /// Its chance to be the first bad one.
    pub chance: f64,
    /// First line of its message.
    pub subject: String,
    /// Who wrote it.
    pub author: String,
    /// When, seconds since 1970 UTC.
    pub time_unix_s: i64,
}

/// How likely a commit is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitChance {
    /// The commit.
    pub commit: String,
    /// Its chance to be the first bad one.
    pub chance: f64,
}

/// The first bad commit against its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// The parent.
    pub parent: String,
    /// The verdict.
    pub verdict: String,
    /// The same in one sentence.
    pub headline: String,
}

impl Bisection {
    /// One that begins.
    pub fn of(question: Question) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            question,
            ends: None,
            runs: Vec::new(),
            skipped: Vec::new(),
            found: None,
        }
    }
}

/// Reads a bisection; `None` where there is no file.
///
/// # Errors
/// The file is broken, or of another version.
pub fn read_bisection(path: &Path) -> Result<Option<Bisection>, StoreError> {
    let bytes = match read::bytes_of(path) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        bytes => bytes?,
    };
    read::parse(path, &bytes).map(Some)
}

/// Writes a bisection, whole or not at all.
///
/// # Errors
/// The file system refuses.
pub fn write_bisection(path: &Path, bisection: &Bisection) -> Result<(), StoreError> {
    write::json(path, bisection, LINE_DEPTH)
}

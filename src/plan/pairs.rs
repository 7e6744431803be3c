//! An A/B measurement: two arms in alternation, where their servers are, and when the gate looks.

use std::time::Duration;

use super::Launch;

/// How many pairs are measured at most, how each is cut, and after which the gate looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternation {
    /// After how many pairs the gate looks, rising; no more are measured than the last.
    pub looks: Vec<u32>,
    /// Into how many alternating blocks of requests a pair is cut where both arms are up at once; 1: whole runs.
    pub blocks: u32,
    /// No pair begins that would end later than this after the first began.
    pub max: Option<Duration>,
}

impl Alternation {
    /// Pairs at the last look.
    pub fn most_pairs(&self) -> u32 {
        self.looks.last().copied().unwrap_or(0)
    }
}

impl Default for Alternation {
    /// Looks at 3, 5, 8 and 12 pairs of 20 blocks each, however long they take.
    fn default() -> Self {
        Self {
            looks: vec![3, 5, 8, 12],
            blocks: 20,
            max: None,
        }
    }
}

/// The two servers that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arms {
    /// What the candidate is compared with.
    pub baseline: ArmPlace,
    /// What is judged.
    pub candidate: ArmPlace,
    /// Whether both are up at once.
    pub together: bool,
    /// How long a server that is started may take until it is ready.
    pub start_timeout: Duration,
    /// Where each tells how many requests it holds, baseline first; `None`: on `/metrics` of its own address.
    pub metrics: [Option<String>; 2],
    /// How long a build may take.
    pub build_timeout: Duration,
}

/// Where the server of an arm is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArmPlace {
    /// It runs already, at this base address.
    Url(String),
    /// It is started for each pair, and stopped after it.
    Command(Launch),
}

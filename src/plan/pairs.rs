//! An A/B measurement: two arms in alternation, where their servers are, and when the gate looks.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

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

/// How a server is started.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments of what builds it, before the first start; empty: nothing is to be built.
    pub build: Vec<String>,
    /// Program and arguments; `{port}` in them stands for the port.
    pub command: Vec<String>,
    /// Page that answers with success once the server is ready (`/health`).
    pub ready: String,
    /// The port that it listens on; `None`: a free one is found.
    pub port: Option<u16>,
    /// Variables of its environment, beside ours; `{port}` in a value stands for the port.
    pub env: BTreeMap<String, String>,
    /// Folder that it is built and started in; `None`: ours.
    pub workdir: Option<PathBuf>,
}

impl Launch {
    /// Whether the server is told its port, by its command, its environment or its owner.
    pub fn knows_its_port(&self) -> bool {
        self.port.is_some() || self.takes_port()
    }

    /// Whether its command or its environment takes the port from us, whichever it is.
    pub fn takes_port(&self) -> bool {
        let mut texts = self.command.iter().chain(self.env.values());
        texts.any(|text| text.contains("{port}"))
    }
}

impl fmt::Debug for Launch {
    /// Without the values of variables, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("build", &self.build)
            .field("command", &self.command)
            .field("ready", &self.ready)
            .field("port", &self.port)
            .field("env", &self.env.keys())
            .field("workdir", &self.workdir)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_never_shows_the_values_of_its_variables() {
        let launch = Launch {
            build: Vec::new(),
            command: vec!["serve".into()],
            ready: "/health".into(),
            port: None,
            env: BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]),
            workdir: None,
        };
        let shown = format!("{launch:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
}

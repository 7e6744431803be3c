//! How a cell that got worse is profiled, once it is judged.

use std::{path::PathBuf, time::Duration};

/// How a cell is run again under a profiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiling {
    /// What the server is started under instead of its engine's own profiler (`nsys profile -o {out} {command}`); empty: nothing.
    ///
    /// The word `{command}` stands for all words of the server's command, `{out}` in any word for the file to write, without its
    /// ending.
    pub wrapper: Vec<String>,
    /// Further arguments of the server's command; `{out}` in them stands for the folder to write into.
    pub args: Vec<String>,
    /// Where a server that runs already writes its traces, as it was told when it was started.
    pub dir: Option<PathBuf>,
    /// Requests of the window; `None`: enough for its load.
    pub requests: Option<u32>,
    /// Passes of the model that are recorded, where the engine can count them.
    pub steps: u32,
    /// How long each step may take: the window, and the profiler's writing.
    pub timeout: Duration,
}

impl Default for Profiling {
    /// Twenty passes under the engine's own profiler; traces with stacks take it minutes to write.
    fn default() -> Self {
        Self {
            wrapper: Vec::new(),
            args: Vec::new(),
            dir: None,
            requests: None,
            steps: 20,
            timeout: Duration::from_secs(1800),
        }
    }
}

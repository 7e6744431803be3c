//! What may stand under `profile`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::arms::CommandTwin;
use crate::config::{spans::Span, texts::Word, values::Whole};

/// How a cell that got worse is run again under a profiler (`gate --profile-on-regression`, `bisect --profile`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Profile")]
pub(in crate::config) struct ProfileTwin {
    /// What the server is started under instead of its engine's own profiler: `{command}` stands for its command, `{out}` for the
    /// file to write, without its ending. There is no shell.
    pub(in crate::config) wrapper: Option<CommandTwin>,
    /// Further arguments of the server's command while it is profiled; `{out}` stands for the folder to write into.
    pub(in crate::config) args: Option<CommandTwin>,
    /// Folder in which a server that runs already writes its traces, relative to this file.
    pub(in crate::config) dir: Option<Word>,
    /// Requests of the window; absent takes enough for its load.
    pub(in crate::config) requests: Option<Whole<1, 100_000>>,
    /// Passes of the model that are recorded, where the engine can count them.
    pub(in crate::config) steps: Option<Whole<1, 10_000>>,
    /// How long the window, and the profiler's writing after it, may each take.
    pub(in crate::config) timeout: Option<Span>,
}

//! `runner`: another tool that measures in perfgate's place.

use std::time::Duration;

use super::Resolver;
use crate::config::{
    error::ConfigError,
    runner::{Call, RunnerSettings},
    twin::{ConfigFile, RunnerMap},
};

/// Longest time for one run of an external runner.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

fn map(twin: &ConfigFile) -> Option<&RunnerMap> {
    twin.runner.as_ref()?.map()
}

impl Resolver {
    /// The external runner; `None`: perfgate measures itself.
    pub(super) fn runner(&mut self) -> Result<Option<RunnerSettings>, ConfigError> {
        let tool = self.given(
            "runner.tool",
            |twin| twin.runner.as_ref()?.tool(),
            |tool| tool.name().to_owned(),
        );
        let words = |command: &Vec<String>| command.join(" ");
        let command = self.given("runner.command", |twin| Some(map(twin)?.command.clone()?.0), words);
        let args = self.given("runner.args", |twin| Some(map(twin)?.args.clone()?.0), words);
        let format = self.given(
            "runner.format",
            |twin| Some(map(twin)?.format.clone()?.0),
            String::clone,
        );
        let timeout = self.given(
            "runner.timeout",
            |twin| Some(map(twin)?.timeout?.0),
            |timeout| format!("{timeout:?}"),
        );
        let call = match (tool, command) {
            (None, None) => {
                let is_idle = args.is_none() && format.is_none() && timeout.is_none();
                let message = "there is no runner: give its `tool` or its `command`";
                return if is_idle {
                    Ok(None)
                } else {
                    Err(self.refuse("runner.tool", message))
                };
            }
            (Some(_), Some(_)) => {
                return Err(self.refuse(
                    "runner.command",
                    "give `tool` or `command`, not both; a tool takes `args` beside it",
                ));
            }
            (None, Some(_)) if args.is_some() => {
                return Err(self.refuse("runner.args", "`args` are for a `tool`; write them into the `command`"));
            }
            (None, Some(command)) if !takes_out(&command) => {
                let message =
                    "the tool is not told where to write; put `{out}` where its command takes a folder or a file";
                return Err(self.refuse("runner.command", message));
            }
            (None, Some(command)) => Call::Command(command),
            (Some(tool), None) => Call::Tool(tool, args.unwrap_or_default()),
        };
        Ok(Some(RunnerSettings {
            call,
            format: format.filter(|format| format != "auto"),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        }))
    }
}

fn takes_out(command: &[String]) -> bool {
    command.iter().any(|word| word.contains("{out}"))
}

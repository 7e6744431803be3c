//! What can be wrong with a configuration, each with file, line and key, or the flag, or the variable.

use std::{io, path::PathBuf};

use super::node::Source;

/// Why there is no resolved plan.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read configuration file `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no configuration: binary, far too large, or broken YAML.
    #[error("{place}: {message}")]
    NotYaml {
        /// File, and the line where it is known (`perfgate.yaml:3`).
        place: String,
        /// What was found.
        message: String,
    },
    /// A key, flag or variable holds something that it must not.
    #[error("{place}: {message}")]
    Invalid {
        /// File, line and key (`perfgate.yaml:7: repeat`), or the flag or variable in backticks.
        place: String,
        /// What was found and what to give.
        message: String,
    },
    /// A secret is read from an environment variable that is not there.
    #[error("`{key}` names the environment variable `{variable}`, which is not set; set it or remove the key")]
    SecretMissing {
        /// The key that names the variable.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A secret holds a sign that no header may hold; its value is not shown.
    #[error(
        "the value for `{key}` holds a line break or another sign that no header may hold; check for a stray newline"
    )]
    SecretUnusable {
        /// The key that names it.
        key: String,
    },
}

impl ConfigError {
    pub(super) fn not_yaml(file: &str, line: Option<u64>, message: &str) -> Self {
        let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
        Self::NotYaml {
            place,
            message: message.to_owned(),
        }
    }

    pub(super) fn in_file(file: &str, line: u64, key: &str, message: &str) -> Self {
        let key = if key.is_empty() {
            String::new()
        } else {
            format!(": {key}")
        };
        Self::Invalid {
            place: format!("{file}:{line}{key}"),
            message: message.to_owned(),
        }
    }

    /// An error about a value that came from anywhere; `file` names the configuration file of the layer.
    pub(super) fn at(source: Source, file: &str, key: &str, message: &str) -> Self {
        match source {
            Source::File { line } => Self::in_file(file, line, key, message),
            Source::Env(name) => Self::Invalid {
                place: format!("`{name}`"),
                message: message.to_owned(),
            },
            Source::Flag(name) => Self::Invalid {
                place: format!("`--{name}`"),
                message: message.to_owned(),
            },
            Source::Default => Self::Invalid {
                place: format!("`{key}`"),
                message: message.to_owned(),
            },
        }
    }
}

//! How a server under test is built, started, made as new between two runs, and stopped.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

/// How a server is started.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments of what builds it, before the first start; empty: nothing is to be built.
    pub build: Vec<String>,
    /// Program and arguments; `{port}` in them stands for the port.
    pub command: Vec<String>,
    /// Page that answers with success once the server is ready (`/health`).
    pub ready: String,
    /// How long it may take until it answers; `None`: as long as any arm's.
    pub start_timeout: Option<Duration>,
    /// The port that it listens on; `None`: a free one is found.
    pub port: Option<u16>,
    /// Variables of its environment, beside ours; `{port}` in a value stands for the port.
    pub env: BTreeMap<String, String>,
    /// Folder that it is built and started in; `None`: ours.
    pub workdir: Option<PathBuf>,
    /// Program and arguments of what ends it, before it is asked by a signal; empty: the signal alone.
    pub stop: Vec<String>,
    /// What makes it as new before each run; `None`: nothing but what is done to its prefix cache.
    pub reset: Option<Reset>,
    /// How it is told that it is what was built; `None`: it is not asked.
    pub version: Option<Box<Says>>,
}

/// What makes a server as new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// `POST` to this path of it.
    Page(String),
    /// Program and arguments, as those that start it are given.
    Command(Vec<String>),
}

/// What a server has to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// Where it says it; `None`: where its engine is known to.
    pub page: Option<String>,
    /// What has to stand there; `{commit}` and `{short_commit}` stand for the commit that was built.
    pub contains: String,
}

/// Stands for the commit that was built.
const COMMIT: &str = "{commit}";
/// The same in as many digits as the shortest of the engines' own versions have (llama.cpp).
const SHORT_COMMIT: &str = "{short_commit}";
const SHORT_DIGITS: usize = 7;

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

    /// Whether anything of it depends on the commit.
    pub fn takes_commit(&self) -> bool {
        let commands = [&self.build, &self.command, &self.stop].into_iter().flatten();
        let reset = match &self.reset {
            Some(Reset::Command(command)) => command.as_slice(),
            _ => &[],
        };
        let said = self.version.iter().map(|said| &said.contains);
        let mut texts = commands.chain(self.env.values()).chain(reset).chain(said);
        texts.any(|text| text.contains(COMMIT) || text.contains(SHORT_COMMIT))
    }

    /// The same for one commit.
    #[must_use]
    pub fn at_commit(&self, commit: &str) -> Self {
        let short: String = commit.chars().take(SHORT_DIGITS).collect();
        let fill = |text: &String| text.replace(COMMIT, commit).replace(SHORT_COMMIT, &short);
        let command = |words: &[String]| words.iter().map(fill).collect::<Vec<_>>();
        Self {
            build: command(&self.build),
            command: command(&self.command),
            env: self
                .env
                .iter()
                .map(|(name, value)| (name.clone(), fill(value)))
                .collect(),
            stop: command(&self.stop),
            reset: self.reset.as_ref().map(|reset| match reset {
                Reset::Page(page) => Reset::Page(page.clone()),
                Reset::Command(words) => Reset::Command(command(words)),
            }),
            version: self.version.as_ref().map(|said| {
                Box::new(Says {
                    page: said.page.clone(),
                    contains: fill(&said.contains),
                })
            }),
            ..self.clone()
        }
    }
}

impl fmt::Debug for Launch {
    /// Without the values of variables, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            build,
            command,
            ready,
            start_timeout,
            port,
            env,
            workdir,
            stop,
            reset,
            version,
        } = self;
        f.debug_struct("Launch")
            .field("build", build)
            .field("command", command)
            .field("ready", ready)
            .field("start_timeout", start_timeout)
            .field("port", port)
            .field("env", &env.keys())
            .field("workdir", workdir)
            .field("stop", stop)
            .field("reset", reset)
            .field("version", version)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_never_shows_the_values_of_its_variables() {
        let launch = Launch {
            command: vec!["serve".into()],
            env: BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]),
            ..Launch::default()
        };
        let shown = format!("{launch:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_commit_is_filled_in_wherever_it_stands() {
        let launch = Launch {
            command: vec!["run".into(), "image:{short_commit}".into()],
            stop: vec!["stop".into(), "{commit}".into()],
            reset: Some(Reset::Command(vec!["reset".into(), "{port}".into()])),
            version: Some(Box::new(Says {
                page: None,
                contains: "g{short_commit}".into(),
            })),
            ..Launch::default()
        };
        assert!(launch.takes_commit() && !Launch::default().takes_commit());
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let filled = launch.at_commit(commit);
        assert!(!filled.takes_commit());
        assert_eq!(filled.command, ["run", "image:0123456"]);
        assert_eq!(filled.stop, ["stop", commit]);
        assert_eq!(filled.reset, launch.reset, "the port is the start's matter");
        assert_eq!(filled.version.unwrap().contains, "g0123456");
    }
}

//! What may stand under `arms.NAME.launch`, and the short forms of its keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::arms::{ArmTwin, CommandTwin, PageTwin};
use crate::{
    config::{
        either::scalar_or_map,
        spans::Span,
        texts::Word,
        values::{Scalar, Whole},
    },
    plan::{Reset, Says},
};

/// How a server is started, in one place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Launch")]
pub(in crate::config) struct LaunchTwin {
    /// As `command` of the arm.
    pub(in crate::config) command: Option<CommandTwin>,
    /// As `build` of the arm.
    pub(in crate::config) build: Option<CommandTwin>,
    /// As `ready` of the arm.
    pub(in crate::config) ready: Option<ReadyTwin>,
    /// As `port` of the arm.
    pub(in crate::config) port: Option<Whole<1, 65_535>>,
    /// As `env` of the arm.
    pub(in crate::config) env: Option<BTreeMap<String, Word>>,
    /// As `workdir` of the arm.
    pub(in crate::config) workdir: Option<Word>,
    /// As `stop` of the arm.
    pub(in crate::config) stop: Option<CommandTwin>,
    /// As `reset` of the arm.
    pub(in crate::config) reset: Option<ResetTwin>,
    /// As `version` of the arm.
    pub(in crate::config) version: Option<VersionTwin>,
}

impl ArmTwin {
    /// With the keys of `launch` in their own places; the name of one that stands in both is an error.
    pub(in crate::config) fn gathered(mut self) -> Result<Self, &'static str> {
        let Some(launch) = self.launch.take() else {
            return Ok(self);
        };
        let LaunchTwin {
            command,
            build,
            ready,
            port,
            env,
            workdir,
            stop,
            reset,
            version,
        } = launch;
        one("command", &mut self.command, command)?;
        one("build", &mut self.build, build)?;
        one("ready", &mut self.ready, ready)?;
        one("port", &mut self.port, port)?;
        one("env", &mut self.env, env)?;
        one("workdir", &mut self.workdir, workdir)?;
        one("stop", &mut self.stop, stop)?;
        one("reset", &mut self.reset, reset)?;
        one("version", &mut self.version, version)?;
        Ok(self)
    }
}

fn one<T>(key: &'static str, here: &mut Option<T>, gathered: Option<T>) -> Result<(), &'static str> {
    match (here.is_some(), gathered) {
        (true, Some(_)) => Err(key),
        (false, Some(value)) => {
            *here = Some(value);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// The ready page, with how long it may take or without.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum ReadyTwin {
    /// As long as any arm.
    Page(PageTwin),
    /// So long.
    Within(WithinTwin),
}

/// A ready page, and how long a server may take until it answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct WithinTwin {
    /// The page; `/health` where absent.
    pub(in crate::config) path: Option<PageTwin>,
    /// How long; `arms.start_timeout` where absent.
    pub(in crate::config) timeout: Option<Span>,
}

impl<'de> Deserialize<'de> for ReadyTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a path such as `/health`, or `{path: /health, timeout: 10m}`";
        scalar_or_map(deserializer, expected).map(|either| either.map_or_else(Self::Within, Self::Page))
    }
}

/// A page to post to, or a command.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(transparent)]
pub(in crate::config) struct ResetTwin(CommandTwin);

impl<'de> Deserialize<'de> for ResetTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CommandTwin::deserialize(deserializer).map(Self)
    }
}

impl ResetTwin {
    /// One word that begins with `/` is a page; a program there is given as a list.
    pub(in crate::config) fn reset(self) -> Reset {
        match self.0.0.as_slice() {
            [page] if PageTwin::read(page).is_ok() => Reset::Page(page.clone()),
            _ => Reset::Command(self.0.0),
        }
    }
}

/// What has to stand in the version that a server states.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum VersionTwin {
    /// This, where its engine is known to state it.
    Contains(Text),
    /// This, on a page.
    On(PageSaysTwin),
}

/// A text of one line.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(transparent)]
pub(in crate::config) struct Text(pub(in crate::config) String);

impl Scalar for Text {
    const EXPECTS: &'static str = "a text";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        Word::try_from(text.to_owned()).map(|word| Self(word.0))
    }
}

/// What has to stand on a page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct PageSaysTwin {
    /// The page; where the engine is known to state its version, where absent.
    pub(in crate::config) path: Option<PageTwin>,
    /// What has to stand there; `{commit}` and `{short_commit}` stand for the commit that was built.
    pub(in crate::config) contains: Word,
}

impl<'de> Deserialize<'de> for VersionTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a text such as `{short_commit}`, or `{path: /version, contains: \"{commit}\"}`";
        scalar_or_map(deserializer, expected).map(|either| either.map_or_else(Self::On, Self::Contains))
    }
}

impl VersionTwin {
    pub(in crate::config) fn says(self) -> Says {
        match self {
            Self::Contains(text) => Says {
                page: None,
                contains: text.0,
            },
            Self::On(on) => Says {
                page: on.path.map(|page| page.0),
                contains: on.contains.0,
            },
        }
    }

    /// As it is shown.
    pub(in crate::config) fn text(&self) -> String {
        let Says { page, contains } = self.clone().says();
        page.map_or_else(|| contains.clone(), |page| format!("path={page},contains={contains}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_alone_is_a_page_to_post_to_and_all_else_a_command() {
        let reset =
            |words: &[&str]| ResetTwin(CommandTwin(words.iter().map(|&word| word.to_owned()).collect())).reset();
        assert_eq!(reset(&["/reset"]), Reset::Page("/reset".into()));
        assert_eq!(
            reset(&["/bin/reset", "x"]),
            Reset::Command(vec!["/bin/reset".into(), "x".into()])
        );
        assert_eq!(reset(&["reset"]), Reset::Command(vec!["reset".into()]));
    }
}

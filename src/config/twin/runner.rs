//! What may stand under `runner`: another tool that measures in perfgate's place.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::arms::CommandTwin;
use crate::config::{
    either::scalar_or_map,
    runner::Tool,
    spans::Span,
    texts::Word,
    values::{Scalar, ScalarVisitor, scalar},
};

/// A tool by its name, or a map with `tool` or `command`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum RunnerTwin {
    Tool(ToolTwin),
    Map(RunnerMap),
}

/// A tool, or the command of one, and how its results are read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Runner")]
pub(in crate::config) struct RunnerMap {
    /// A tool whose command line is made from the plan.
    pub(in crate::config) tool: Option<ToolTwin>,
    /// Its command line in your words: `{url}`, `{out}`, `{model}`, `{concurrency}`, `{rate}`, `{requests}`, `{warmup}`,
    /// `{input_tokens}`, `{output_tokens}`, `{seed}` and `{repeat}` stand for what the plan says. There is no shell.
    pub(in crate::config) command: Option<CommandTwin>,
    /// What is added to the command line of a `tool`.
    pub(in crate::config) args: Option<CommandTwin>,
    /// Format of what it writes; by its content where absent.
    pub(in crate::config) format: Option<Word>,
    /// How long one run may take.
    pub(in crate::config) timeout: Option<Span>,
}

impl<'de> Deserialize<'de> for RunnerTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "the name of a tool, or a map with `tool` or `command`")
            .map(|either| either.map_or_else(Self::Map, Self::Tool))
    }
}

impl RunnerTwin {
    pub(in crate::config) fn tool(&self) -> Option<Tool> {
        match self {
            Self::Tool(tool) => Some(tool.0),
            Self::Map(map) => map.tool.map(|tool| tool.0),
        }
    }

    pub(in crate::config) fn map(&self) -> Option<&RunnerMap> {
        match self {
            Self::Tool(_) => None,
            Self::Map(map) => Some(map),
        }
    }
}

/// A tool that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct ToolTwin(pub(in crate::config) Tool);

impl Scalar for ToolTwin {
    const EXPECTS: &'static str = "a tool such as `aiperf`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let known = Tool::ALL.into_iter().find(|tool| tool.name() == text);
        known.map(Self).ok_or_else(|| {
            let names: Vec<String> = Tool::ALL.iter().map(|tool| format!("`{}`", tool.name())).collect();
            format!(
                "`{text}` is no tool that is known: {}; or give its `command`",
                names.join(", ")
            )
        })
    }
}

scalar!([] ToolTwin, json_schema!({"enum": Tool::ALL.map(Tool::name)}));

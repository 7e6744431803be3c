//! What may stand under the keys of an A/B measurement: `measure`, `ab` and `arms`.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::launch::{LaunchTwin, ReadyTwin, ResetTwin, VersionTwin};
use crate::config::{
    spans::Span,
    split::words,
    texts::{Url, Word},
    values::{OneOrMany, Scalar, ScalarVisitor, Whole, scalar},
};

/// How `gate` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum MeasureTwin {
    /// The candidate alone, against a stored baseline.
    Alone,
    /// Baseline and candidate in alternation.
    Ab,
}

/// When an A/B measurement looks, and how its pairs are cut.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ab")]
pub(in crate::config) struct AbTwin {
    /// After how many pairs the gate looks; fixed before the first run.
    pub(in crate::config) looks: Option<OneOrMany<Whole<3, 1000>>>,
    /// Alternating blocks of requests in a pair, or `off` for whole runs.
    pub(in crate::config) blocks: Option<BlocksTwin>,
    /// No pair begins that would end later than this many minutes after the first began.
    pub(in crate::config) max_minutes: Option<Minutes>,
}

/// A number of blocks; `off` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct BlocksTwin(pub(in crate::config) u32);

impl Scalar for BlocksTwin {
    const EXPECTS: &'static str = "a number of blocks, or `off`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("off", _) => Ok(Self(1)),
            (_, Ok(blocks @ 1..=1000)) => Ok(Self(blocks)),
            _ => Err(format!(
                "`{text}` is no number of blocks; give a whole number from 1 to 1000, or `off`"
            )),
        }
    }
}

scalar!([] BlocksTwin, json_schema!({"anyOf": [
    {"type": "integer", "minimum": 1, "maximum": 1000},
    {"const": "off"},
]}));

/// A budget of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) struct Minutes(pub(in crate::config) f64);

impl Scalar for Minutes {
    const EXPECTS: &'static str = "a number of minutes";
    const FROM_TEXT: bool = false;

    fn read(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(minutes) if (0.01..=10_080.0).contains(&minutes) => Ok(Self(minutes)),
            _ => Err(format!("`{text}` is not a number of minutes from 0.01 to 10080")),
        }
    }
}

scalar!([] Minutes, json_schema!({"type": "number", "minimum": 0.01, "maximum": 10_080}));

/// The two servers of an A/B measurement.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arms")]
pub(in crate::config) struct ArmsTwin {
    /// What the candidate is compared with.
    pub(in crate::config) baseline: Option<ArmTwin>,
    /// What is judged.
    pub(in crate::config) candidate: Option<ArmTwin>,
    /// Whether servers that are started are up at once; without, one at a time, as where they share a GPU.
    pub(in crate::config) together: Option<bool>,
    /// How long a server that is started may take until it is ready.
    pub(in crate::config) start_timeout: Option<Span>,
    /// How long a build may take.
    pub(in crate::config) build_timeout: Option<Span>,
}

/// One of the two servers: the address of one that runs, or the command that starts it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arm")]
pub(in crate::config) struct ArmTwin {
    /// Base address of a server that runs already.
    pub(in crate::config) url: Option<Url>,
    /// Program and arguments, as a list or as one text; `{port}` stands for the port. There is no shell.
    pub(in crate::config) command: Option<CommandTwin>,
    /// Program and arguments of what builds it, once before the first start. There is no shell.
    pub(in crate::config) build: Option<CommandTwin>,
    /// Page that answers with success once the server is ready, or that page with how long it may take until it answers.
    pub(in crate::config) ready: Option<ReadyTwin>,
    /// The port that it listens on; absent finds a free one.
    pub(in crate::config) port: Option<Whole<1, 65_535>>,
    /// Variables of its environment; `{port}` in a value stands for the port.
    pub(in crate::config) env: Option<BTreeMap<String, Word>>,
    /// Folder that it is built and started in, relative to this file.
    pub(in crate::config) workdir: Option<Word>,
    /// Address of the page on which it tells how many requests it holds, where that is not `/metrics` of its own.
    pub(in crate::config) metrics: Option<Url>,
    /// Program and arguments of what ends it, before it is asked by a signal; `{port}` stands for the port. There is no shell.
    pub(in crate::config) stop: Option<CommandTwin>,
    /// What makes it as new before each run: a path that is posted to, or program and arguments. There is no shell.
    pub(in crate::config) reset: Option<ResetTwin>,
    /// What has to stand in the version that it states, so that it is known to be what was built.
    pub(in crate::config) version: Option<VersionTwin>,
    /// `build`, `command`, `ready`, `port`, `env`, `workdir`, `stop`, `reset` and `version`, gathered in one place.
    pub(in crate::config) launch: Option<LaunchTwin>,
}

/// A path of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct PageTwin(pub(in crate::config) String);

impl Scalar for PageTwin {
    const EXPECTS: &'static str = "a path such as `/health`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let is_path = text.starts_with('/') && text.chars().all(|sign| ('!'..='~').contains(&sign));
        is_path
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("`{text}` is no page; give a path such as `/health`"))
    }
}

scalar!([] PageTwin, json_schema!({"type": "string", "pattern": r"^/\S*$"}));

/// Program and arguments, at least the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct CommandTwin(pub(in crate::config) Vec<String>);

impl<'de> Deserialize<'de> for CommandTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CommandVisitor;
        impl<'de> Visitor<'de> for CommandVisitor {
            type Value = CommandTwin;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command such as `vllm serve MODEL --port {port}`, or a list of program and arguments")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CommandTwin, E> {
                words(text).map(CommandTwin).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<CommandTwin, A::Error> {
                let mut command = Vec::new();
                while let Some(Word(word)) = items.next_element()? {
                    command.push(word);
                }
                if command.is_empty() {
                    return Err(de::Error::custom("the list is empty; give program and arguments"));
                }
                Ok(CommandTwin(command))
            }
        }
        deserializer.deserialize_any(CommandVisitor)
    }
}

impl JsonSchema for CommandTwin {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<Word>();
        json_schema!({"anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": word, "minItems": 1},
        ]})
    }
}

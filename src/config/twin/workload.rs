//! What may stand under the keys that say what is sent, and what users are promised.

use std::{borrow::Cow, marker::PhantomData, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::load::Ratio;
use crate::{
    config::{
        either::scalar_or_map,
        lengths::LengthsTwin,
        spans::{LimitMs, Pause},
        texts::Word,
        values::{Scalar, ScalarVisitor, Whole, scalar},
    },
    plan::{DatasetFormat, Images, Slo, ThinkTime, TraceFormat},
};

/// The name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct FileName(pub(in crate::config) String);

impl Scalar for FileName {
    const EXPECTS: &'static str = "the name of a file";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        Word::try_from(text.to_owned()).map(|word| Self(word.0))
    }
}

scalar!([] FileName, json_schema!({"type": "string", "minLength": 1}));

/// A file of prompts: its name, or a map with `file`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum DatasetTwin {
    File(FileName),
    Map(DatasetMap),
}

/// A file of prompts and how it is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct DatasetMap {
    /// The file, relative to this one.
    file: FileName,
    /// How it is read; by its content where absent.
    format: Option<DatasetFormatTwin>,
    /// Column or key of the prompt.
    prompt_column: Option<Word>,
    /// Column or key whose text's length (or number) is the answer length.
    output_column: Option<Word>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum DatasetFormatTwin {
    Auto,
    Jsonl,
    ShareGpt,
    Csv,
}

impl<'de> Deserialize<'de> for DatasetTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "the name of a file, or a map with `file`")
            .map(|either| either.map_or_else(Self::Map, Self::File))
    }
}

impl DatasetTwin {
    pub(in crate::config) fn file(&self) -> &str {
        match self {
            Self::File(file) | Self::Map(DatasetMap { file, .. }) => &file.0,
        }
    }

    pub(in crate::config) fn format(&self) -> DatasetFormat {
        match self {
            Self::File(_) => DatasetFormat::Auto,
            Self::Map(map) => match map.format {
                None | Some(DatasetFormatTwin::Auto) => DatasetFormat::Auto,
                Some(DatasetFormatTwin::Jsonl) => DatasetFormat::Jsonl,
                Some(DatasetFormatTwin::ShareGpt) => DatasetFormat::ShareGpt,
                Some(DatasetFormatTwin::Csv) => DatasetFormat::Csv,
            },
        }
    }

    /// Columns of the prompt and of the answer length.
    pub(in crate::config) fn columns(&self) -> (Option<String>, Option<String>) {
        let Self::Map(map) = self else { return (None, None) };
        let name = |word: &Option<Word>| word.as_ref().map(|word| word.0.clone());
        (name(&map.prompt_column), name(&map.output_column))
    }
}

/// A recorded trace: its file, or a map with `file`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(in crate::config) enum TraceTwin {
    File(FileName),
    Map(TraceMap),
}

/// A recorded trace and how it is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct TraceMap {
    /// The file, relative to this one.
    file: FileName,
    /// How it is read; by its content where absent.
    format: Option<TraceFormatTwin>,
    /// How many times faster than recorded it is replayed; the same as `trace_speed`.
    speed: Option<Ratio>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum TraceFormatTwin {
    Auto,
    Mooncake,
    AzureLlm,
    #[serde(rename = "burstgpt")]
    BurstGpt,
    Jsonl,
}

impl<'de> Deserialize<'de> for TraceTwin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar_or_map(deserializer, "the name of a file, or a map with `file`")
            .map(|either| either.map_or_else(Self::Map, Self::File))
    }
}

impl TraceTwin {
    pub(in crate::config) fn file(&self) -> &str {
        match self {
            Self::File(file) | Self::Map(TraceMap { file, .. }) => &file.0,
        }
    }

    pub(in crate::config) fn format(&self) -> TraceFormat {
        let Self::Map(map) = self else {
            return TraceFormat::Auto;
        };
        match map.format {
            None | Some(TraceFormatTwin::Auto) => TraceFormat::Auto,
            Some(TraceFormatTwin::Mooncake) => TraceFormat::Mooncake,
            Some(TraceFormatTwin::AzureLlm) => TraceFormat::AzureLlm,
            Some(TraceFormatTwin::BurstGpt) => TraceFormat::BurstGpt,
            Some(TraceFormatTwin::Jsonl) => TraceFormat::Jsonl,
        }
    }

    pub(in crate::config) fn speed(&self) -> Option<Ratio> {
        match self {
            Self::File(_) => None,
            Self::Map(map) => map.speed,
        }
    }
}

/// Prompts in groups that begin alike.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct SharedPrefixTwin {
    /// How many different prefixes.
    pub(in crate::config) groups: Whole<1, 1_000_000>,
    /// Lengths of the shared beginnings in tokens; `input_tokens` follow them.
    pub(in crate::config) prefix_tokens: LengthsTwin,
    /// Requests of one group that follow each other; absent draws each request's group from the seed.
    pub(in crate::config) prompts_per_group: Option<Whole<1, 1_000_000>>,
}

/// Conversations of several turns.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct ConversationTwin {
    /// Turns of one conversation.
    pub(in crate::config) turns: LengthsTwin,
    /// Pause between an answer's end and the next turn; none where absent.
    pub(in crate::config) think_time: Option<Pause>,
    /// Always that pause (`fixed`), or that pause on average (`exponential`); `fixed` where absent.
    pub(in crate::config) think_time_spread: Option<ThinkSpreadTwin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum ThinkSpreadTwin {
    Fixed,
    Exponential,
}

/// A model's share of the requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct ModelTwin {
    /// Model or adapter name.
    pub(in crate::config) name: Word,
    /// Weight among all; 1 where absent.
    pub(in crate::config) weight: Option<Ratio>,
}

/// Synthetic images in each chat message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct ImagesTwin {
    /// Width in pixels.
    pub(in crate::config) width: Whole<1, 16_384>,
    /// Height in pixels.
    pub(in crate::config) height: Whole<1, 16_384>,
    /// Images in one request; 1 where absent.
    pub(in crate::config) per_request: Option<Whole<1, 100>>,
}

impl ConversationTwin {
    pub(in crate::config) fn think_time(self) -> ThinkTime {
        let time = self.think_time.map_or(Duration::ZERO, |pause| pause.0);
        match self.think_time_spread {
            None | Some(ThinkSpreadTwin::Fixed) => ThinkTime::Fixed(time),
            Some(ThinkSpreadTwin::Exponential) => ThinkTime::Exponential(time),
        }
    }
}

impl ImagesTwin {
    pub(in crate::config) fn images(self) -> Images {
        Images {
            width_px: self.width.as_u32(),
            height_px: self.height.as_u32(),
            per_request: self.per_request.map_or(1, Whole::as_u32),
        }
    }
}

/// Latency limits that a good request meets.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(in crate::config) struct SloTwin {
    /// Longest time to first token.
    pub(in crate::config) ttft: Option<LimitMs>,
    /// Longest time per output token after the first.
    pub(in crate::config) tpot: Option<LimitMs>,
    /// Longest time for the whole answer.
    pub(in crate::config) e2e: Option<LimitMs>,
}

impl SloTwin {
    pub(in crate::config) fn slo(self) -> Slo {
        let ms = |limit: Option<LimitMs>| limit.map(|limit| limit.0);
        Slo {
            ttft_ms: ms(self.ttft),
            tpot_ms: ms(self.tpot),
            e2e_ms: ms(self.e2e),
        }
    }
}

/// Warm-up requests, or a warm-up that goes on until the server is steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum WarmupTwin {
    Requests(u32),
    Auto,
}

impl Scalar for WarmupTwin {
    const EXPECTS: &'static str = "a whole number or `auto`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let requests = Whole::<0, 10_000_000>::read(text).map_err(|message| format!("{message}, or `auto`"))?;
        Ok(Self::Requests(requests.as_u32()))
    }
}

scalar!([] WarmupTwin, json_schema!({"anyOf": [
    {"type": "integer", "minimum": 0, "maximum": 10_000_000},
    {"const": "auto"},
]}));

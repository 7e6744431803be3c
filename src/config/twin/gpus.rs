//! What may stand under `target` of the server's GPUs.

use std::{borrow::Cow, marker::PhantomData, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::config::values::{Scalar, ScalarVisitor, scalar};

/// One GPU: its number, the beginning of its UUID, or a MIG instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct GpuTwin(pub(in crate::config) String);

impl Scalar for GpuTwin {
    const EXPECTS: &'static str = "a number, `GPU-…` or `MIG-…`";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let is_number = text.parse::<u16>().is_ok();
        let is_plain = |rest: &str| {
            !rest.is_empty()
                && rest
                    .chars()
                    .all(|sign| sign.is_ascii_alphanumeric() || "-/".contains(sign))
        };
        let named = text.strip_prefix("GPU-").or_else(|| text.strip_prefix("MIG-"));
        if is_number || named.is_some_and(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is no GPU; give its number as `nvidia-smi` shows it, or the beginning of its UUID (`GPU-…`, `MIG-…`)"
        ))
    }
}

scalar!([] GpuTwin, json_schema!({"anyOf": [
    {"type": "integer", "minimum": 0, "maximum": 65_535},
    {"type": "string", "pattern": r"^(\d+|(GPU|MIG)-[A-Za-z0-9/-]+)$"},
]}));

/// A library that is loaded, which runs its code: nothing beside the configuration, where a pull request could put one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct LibraryTwin(pub(in crate::config) String);

impl Scalar for LibraryTwin {
    const EXPECTS: &'static str = "the absolute path of a library";
    const FROM_TEXT: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let is_path = Path::new(text).is_absolute() && !text.chars().any(char::is_control);
        is_path.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!("`{text}` is no absolute path; give one such as `/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1`")
        })
    }
}

scalar!([] LibraryTwin, json_schema!({"type": "string", "pattern": "^/"}));

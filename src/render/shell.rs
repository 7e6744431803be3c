//! What every page stands in: its head, whose policy lets its own style and script run and nothing else.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    RenderError,
    template::{Language, render},
};

const HEAD: &str = include_str!("../../templates/head.html");

/// What stands in a page beside its text.
#[derive(Clone, Copy)]
pub(super) struct Dress {
    pub(super) style: &'static str,
    /// Empty where the page needs none.
    pub(super) script: &'static str,
}

#[derive(Serialize)]
struct Page<T> {
    #[serde(flatten)]
    content: T,
    version: &'static str,
    style_hash: String,
    has_script: bool,
    script_hash: String,
}

/// A page made from a template that begins with the place of its head.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub(super) fn page(
    name: &'static str,
    template: &str,
    content: impl Serialize,
    dress: Dress,
) -> Result<String, RenderError> {
    let data = Page {
        content,
        version: env!("CARGO_PKG_VERSION"),
        style_hash: hash(dress.style),
        has_script: !dress.script.is_empty(),
        script_hash: hash(dress.script),
    };
    let template = template.replacen("{# head #}\n", HEAD, 1);
    let page = render(name, &template, Language::Html, &data)?;
    // Both places stand before the first value of the page.
    Ok(page
        .replacen("/*style*/", dress.style, 1)
        .replacen("/*script*/", dress.script, 1))
}

/// As a content security policy names what may stand inline.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

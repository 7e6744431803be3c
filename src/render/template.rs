//! The template engine, set up so that a value cannot reach the output unescaped.

use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde::Serialize;

use super::{RenderError, escape};

/// Leaves room for the words of a long error message.
const SHORT_CHARS: usize = 300;

/// What a template writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Markdown,
    Html,
}

impl Language {
    fn plain(self) -> fn(&str) -> String {
        match self {
            Self::Markdown => escape::markdown,
            Self::Html => escape::html,
        }
    }

    fn code(self) -> fn(&str) -> String {
        match self {
            Self::Markdown => escape::markdown_code,
            Self::Html => html_code,
        }
    }
}

fn html_code(text: &str) -> String {
    format!("<code>{}</code>", escape::html(text))
}

/// Renders one template of ours with `data`; every value is escaped for `language`.
///
/// Filters: `code` puts a value into a code span, `prose` does so with the parts between backticks, `line` keeps the spaces
/// at its beginning, `short` cuts at 300 characters.
pub(super) fn render(
    name: &'static str,
    source: &'static str,
    language: Language,
    data: &impl Serialize,
) -> Result<String, RenderError> {
    let broken = |source| RenderError::Template { name, source };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build().map_err(broken)?);
    // The name says that escaping is on; what it means is in the formatter.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("perfgate".into()));
    let (plain, code) = (language.plain(), language.code());
    environment.set_formatter(move |out, _, value| {
        let text = value.to_string();
        let text = if is_safe(value) { text } else { plain(&text) };
        out.write_str(&text).map_err(minijinja::Error::from)
    });
    environment.add_filter("code", move |text: &str| Value::from_safe_string(code(text)));
    environment.add_filter("prose", move |text: &str| {
        Value::from_safe_string(escape::prose(text, plain, code))
    });
    environment.add_filter("line", move |text: &str| {
        let indent = text.len() - text.trim_start_matches(' ').len();
        let text = format!("{}{}", "&#160;".repeat(indent), plain(text));
        Value::from_safe_string(text)
    });
    environment.add_filter("short", short);
    let template = environment.template_from_named_str(name, source).map_err(broken)?;
    template.render(Value::from(Serde(data))).map_err(broken)
}

/// Only the filters above make safe strings: data arrives through serde, which makes none.
fn is_safe(value: &Value) -> bool {
    value.is_safe()
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHORT_CHARS {
        return text.to_owned();
    }
    text.chars().take(SHORT_CHARS).chain(['…']).collect()
}

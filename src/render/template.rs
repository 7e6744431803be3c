//! The template engine, set up so that a value cannot reach the output unescaped.

use std::io::{self, Write};

use minijinja::{
    AutoEscape, Environment, Template, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde::Serialize;

use super::{RenderError, escape};

/// Leaves room for the words of a long error message.
const SHORT_CHARS: usize = 300;
/// One value in a comment, and one sentence; longer ones are somebody's attempt to push the rest out of it.
const VALUE_CHARS: usize = 300;
const SENTENCE_CHARS: usize = 2_000;
/// A command is copied whole or not at all.
const COMMAND_CHARS: usize = 8_000;
/// Steps of the template engine; a report of 5,000 checks takes a tenth.
const FUEL: u64 = 20_000_000;
/// A page of 5,000 checks with their charts has a quarter.
const MAX_BYTES: usize = 64 << 20;

/// What a template writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Markdown,
    Html,
}

impl Language {
    /// Its text without any markup in it.
    pub(super) fn plain(self) -> fn(&str) -> String {
        match self {
            Self::Markdown => |text| escape::markdown(&escape::cut(text, SENTENCE_CHARS)),
            Self::Html => escape::html,
        }
    }

    fn code(self) -> fn(&str) -> String {
        match self {
            Self::Markdown => |text| escape::markdown_code(&escape::cut(text, VALUE_CHARS)),
            Self::Html => html_code,
        }
    }

    fn command(self) -> fn(&str) -> String {
        match self {
            Self::Markdown => |text| escape::markdown_code(&escape::cut(text, COMMAND_CHARS)),
            Self::Html => html_code,
        }
    }

    /// The sentence with its `` `values` `` in code.
    fn prose(self, text: &str) -> String {
        match self {
            Self::Markdown => escape::prose(&escape::cut(text, SENTENCE_CHARS), escape::markdown, self.code()),
            Self::Html => escape::prose(text, escape::html, html_code),
        }
    }
}

fn html_code(text: &str) -> String {
    format!("<code>{}</code>", escape::html(text))
}

/// Renders one template of ours with `data`; every value is escaped for `language`.
pub(super) fn render(
    name: &'static str,
    source: &str,
    language: Language,
    data: &impl Serialize,
) -> Result<String, RenderError> {
    let broken = |source| RenderError::Template { name, source };
    let mut environment = Environment::new();
    escaping(&mut environment, language).map_err(broken)?;
    let template = environment.template_from_named_str(name, source).map_err(broken)?;
    written(&template, data, MAX_BYTES).map_err(broken)
}

/// Sets an engine up for a language: strict, with an end to its work, and all that it writes escaped.
///
/// Filters: `code` puts a value into a code span, `prose` does so with the parts between backticks, `line` keeps the spaces
/// at its beginning, `short` cuts at 300 characters; `command` is `code` for what is copied. In a comment `code` and `prose`
/// cut too, if later.
///
/// # Errors
/// None that is known.
pub(super) fn escaping(environment: &mut Environment<'_>, language: Language) -> Result<(), minijinja::Error> {
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    // The name says that escaping is on; what it means is in the formatter.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("perfgate".into()));
    let (plain, code, command) = (language.plain(), language.code(), language.command());
    environment.set_formatter(move |out, _, value| {
        let text = value.to_string();
        let text = if is_safe(value) { text } else { plain(&text) };
        out.write_str(&text).map_err(minijinja::Error::from)
    });
    environment.add_filter("code", move |text: &str| Value::from_safe_string(code(text)));
    environment.add_filter("command", move |text: &str| Value::from_safe_string(command(text)));
    environment.add_filter("prose", move |text: &str| Value::from_safe_string(language.prose(text)));
    environment.add_filter("line", move |text: &str| {
        let indent = text.len() - text.trim_start_matches(' ').len();
        let text = format!("{}{}", "&#160;".repeat(indent), plain(text));
        Value::from_safe_string(text)
    });
    environment.add_filter("short", short);
    environment.add_filter("address", address);
    Ok(())
}

/// What a template makes of `data`, up to so many bytes.
pub(super) fn written(
    template: &Template<'_, '_>,
    data: &impl Serialize,
    most_bytes: usize,
) -> Result<String, minijinja::Error> {
    let mut page = Page {
        bytes: Vec::new(),
        most_bytes,
    };
    template.render_captured_to(Value::from(Serde(data)), &mut page)?;
    Ok(String::from_utf8_lossy(&page.bytes).into_owned())
}

/// What a template has written, up to a size.
struct Page {
    bytes: Vec<u8>,
    most_bytes: usize,
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most_bytes {
            let most = self.most_bytes;
            return Err(io::Error::other(format!("the page is larger than {most} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Only the filters above make safe strings: data arrives through serde, which makes none.
fn is_safe(value: &Value) -> bool {
    value.is_safe()
}

fn short(text: &str) -> String {
    escape::cut(text, SHORT_CHARS)
}

/// An address in a link; one that was not checked is a bug.
fn address(text: &str) -> Result<Value, minijinja::Error> {
    let checked = escape::address(text).map(Value::from_safe_string);
    checked.ok_or_else(|| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "no address"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rendered(source: &'static str) -> Result<String, RenderError> {
        let data = BTreeMap::from([("value", "{{ 7 * 7 }}{% include 'x' %}")]);
        render("test", source, Language::Html, &data)
    }

    #[test]
    fn t5_a_value_is_never_a_template() {
        let text = rendered("{{ value }} {{ value | prose }} {{ value | code }}").unwrap();
        assert_eq!(
            text.matches("{{ 7 * 7 }}{% include &#39;x&#39; %}").count(),
            3,
            "{text}"
        );
    }

    #[test]
    fn t5_a_loop_runs_out_of_fuel_and_a_page_out_of_room() {
        let bomb = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        let error = format!("{:?}", rendered(bomb).unwrap_err());
        assert!(error.contains("OutOfFuel"), "{error}");
        let flood = "{% for a in range(99999) %}{{ '0123456789abcdef' * 99 }}{% endfor %}";
        let error = format!("{:?}", rendered(flood).unwrap_err());
        assert!(error.contains("larger than"), "{error}");
    }

    #[test]
    fn t5_a_template_reads_no_other_and_knows_every_name() {
        for source in [
            "{% include 'comment.md' %}",
            "{% extends 'x' %}",
            "{{ nothing }}",
            "{{ 'a' | safe_not }}",
        ] {
            assert!(rendered(source).is_err(), "{source}");
        }
    }
}

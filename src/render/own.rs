//! Templates of somebody's own: the same escaping as in ours, and nothing that gets around it.
//!
//! Whoever writes one is trusted, what it shows is not. So the engine knows these filters, tests and functions and no others: each
//! gives back text that is escaped when it is written, or was escaped here. There is no `safe` and no `escape`, `autoescape` is
//! refused, no other file is read, and a page lets no script run.

use std::{error::Error as _, fmt::Write as _};

use minijinja::{
    Environment, Error, filters, functions,
    syntax::SyntaxConfig,
    tests,
    value::{Value, ValueKind},
};

use super::{
    RenderError,
    escape::keep_edges,
    json::Context,
    markdown::one_line,
    template::{Language, escaping, written},
};
use crate::report::Report;

/// More than a template has; a report of ours has 16 kB.
pub const MOST_TEMPLATE_BYTES: usize = 256 << 10;
/// A page of ours has a tenth of it.
const MOST_PAGE_BYTES: usize = 5 << 20;
/// Signs of a line that an error shows.
const SHOWN_CHARS: usize = 120;
/// What a page of somebody's own may do: look as it says.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
                      img-src data:; base-uri 'none'; form-action 'none'\">";
const HEAD: &str = "<head>";

/// A template of somebody's own that the engine understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    name: String,
    source: String,
    language: Language,
}

impl Template {
    /// Reads one; its name tells what it writes: `.md` or `.html`. Names of fields and filters are looked up when it is rendered.
    ///
    /// # Errors
    /// The name tells neither, it is too large, no text, or no template.
    pub fn new(name: &str, bytes: &[u8]) -> Result<Self, RenderError> {
        let broken = |problem: String| RenderError::Own {
            place: name.to_owned(),
            problem,
        };
        let language = language(name).ok_or_else(|| {
            broken("its name does not tell what it writes: Markdown ends with `.md`, HTML with `.html`".into())
        })?;
        if bytes.len() > MOST_TEMPLATE_BYTES {
            return Err(broken(format!("it is larger than {MOST_TEMPLATE_BYTES} bytes")));
        }
        let source = str::from_utf8(bytes).map_err(|error| broken(format!("it is no text: {error}")))?;
        let template = Self {
            name: name.to_owned(),
            source: source.to_owned(),
            language,
        };
        template.refuse_autoescape()?;
        if language == Language::Html && find_head(source).is_none() {
            return Err(broken(without_head()));
        }
        let environment = template.engine()?;
        let parsed = environment.template_from_named_str(name, source).map(|_| ());
        parsed.map_err(|error| template.told(&error))?;
        Ok(template)
    }

    /// What it makes of a report.
    ///
    /// # Errors
    /// It asks for what is not there, does not come to an end, or writes too much; with its line where that is known.
    pub fn render(&self, report: &Report) -> Result<String, RenderError> {
        let environment = self.engine()?;
        let parsed = environment.template_from_named_str(&self.name, &self.source);
        let text = parsed.and_then(|parsed| written(&parsed, &Context::of(report), MOST_PAGE_BYTES));
        let text = text.map_err(|error| self.told(&error))?;
        match self.language {
            Language::Markdown => Ok(text),
            Language::Html => with_policy(&text).ok_or_else(|| RenderError::Own {
                place: self.name.clone(),
                problem: without_head(),
            }),
        }
    }

    fn engine(&self) -> Result<Environment<'_>, RenderError> {
        let mut environment = Environment::empty();
        let told = |error| self.told(&error);
        escaping(&mut environment, self.language).map_err(told)?;
        let mut syntax = SyntaxConfig::builder();
        // As in ours, but for the line end of the last line, which a file has.
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(told)?);
        add_filters(&mut environment);
        add_tests(&mut environment);
        environment.add_function("range", functions::range);
        // One list out of safe and other texts is safe: the others are escaped as they would be by themselves.
        let plain = self.language.plain();
        environment.add_filter("join", move |items: Value, between: Option<String>| {
            join(&items, between.as_deref().unwrap_or_default(), plain)
        });
        Ok(environment)
    }

    /// With `autoescape` a template could have its values escaped for another language, or not at all.
    fn refuse_autoescape(&self) -> Result<(), RenderError> {
        for (at, _) in self.source.match_indices("{%") {
            let rest = self.source.get(at + 2..).unwrap_or_default();
            let word = rest.trim_start_matches(['-', '+']).trim_start();
            if word.starts_with("autoescape") {
                let line = self.source.get(..at).unwrap_or_default().matches('\n').count() + 1;
                return Err(RenderError::Own {
                    place: format!("{}:{line}", self.name),
                    problem: "`autoescape` cannot be changed: everything is escaped".into(),
                });
            }
        }
        Ok(())
    }

    /// An error of the engine with its causes, its line, and what stands there.
    fn told(&self, error: &Error) -> RenderError {
        let what = |error: &Error| {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{}{detail}", error.kind())
        };
        let mut problem = what(error);
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.downcast_ref::<Error>().map_or_else(|| inner.to_string(), what);
            problem.push_str(": ");
            problem.push_str(&text);
            cause = inner.source();
        }
        let line = error.line();
        let text = line.and_then(|line| self.source.lines().nth(line.checked_sub(1)?));
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let _ = write!(problem, "; the line is `{}`", one_line(text, SHOWN_CHARS));
        }
        RenderError::Own {
            place: line.map_or_else(|| self.name.clone(), |line| format!("{}:{line}", self.name)),
            problem,
        }
    }
}

fn language(name: &str) -> Option<Language> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "md" => Some(Language::Markdown),
        "html" => Some(Language::Html),
        _ => None,
    }
}

/// Those of the engine that look at lists, and texts anew: what a filter makes of a text is escaped when it is written, whatever
/// the text was before.
fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("length", filters::length);
    environment.add_filter("default", filters::default);
    environment.add_filter("round", filters::round);
    environment.add_filter("abs", filters::abs);
    environment.add_filter("int", filters::int);
    environment.add_filter("float", filters::float);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("min", filters::min);
    environment.add_filter("max", filters::max);
    environment.add_filter("sum", filters::sum);
    environment.add_filter("select", filters::select);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("map", filters::map);
    environment.add_filter("groupby", filters::groupby);
    environment.add_filter("batch", filters::batch);
    environment.add_filter("items", filters::items);
    environment.add_filter("first", |value: Value| filters::first(&plain_text(value)));
    environment.add_filter("last", |value: Value| filters::last(plain_text(value)));
    environment.add_filter("reverse", |value: Value| filters::reverse(&plain_text(value)));
    environment.add_filter("upper", |text: String| text.to_uppercase());
    environment.add_filter("lower", |text: String| text.to_lowercase());
    environment.add_filter("trim", |text: String| text.trim().to_owned());
    environment.add_filter("replace", |text: String, from: String, to: String| {
        text.replace(&from, &to)
    });
}

fn add_tests(environment: &mut Environment<'_>) {
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("string", tests::is_string);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("in", tests::is_in);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("lt", tests::is_lt);
    environment.add_test("le", tests::is_le);
    environment.add_test("gt", tests::is_gt);
    environment.add_test("ge", tests::is_ge);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
}

/// A text without what says that it was escaped.
fn plain_text(value: Value) -> Value {
    match value.as_str() {
        Some(text) if value.is_safe() => Value::from(text),
        _ => value,
    }
}

fn join(items: &Value, between: &str, plain: fn(&str) -> String) -> Result<Value, Error> {
    let items: Vec<Value> = items.try_iter()?.collect();
    if items.iter().all(|item| !item.is_safe()) {
        let texts: Vec<String> = items.iter().map(Value::to_string).collect();
        return Ok(Value::from(texts.join(between)));
    }
    let escaped = items.iter().map(|item| match item.kind() {
        ValueKind::String if item.is_safe() => item.to_string(),
        _ => plain(&item.to_string()),
    });
    // The edges of the text between are kept: Markdown's escaping trims.
    let between = keep_edges(between, plain);
    Ok(Value::from_safe_string(escaped.collect::<Vec<_>>().join(&between)))
}

fn find_head(page: &str) -> Option<usize> {
    page.to_ascii_lowercase().find(HEAD)
}

fn without_head() -> String {
    "a page begins with `<!doctype html>`, `<html>` and `<head>` and nothing else: behind it perfgate puts the policy that lets \
     no script run"
        .into()
}

/// The page with its policy as the first thing that a browser reads of it.
fn with_policy(page: &str) -> Option<String> {
    let at = find_head(page)?;
    let (before, after) = (page.get(..at)?, page.get(at + HEAD.len()..)?);
    let start = before.trim().to_ascii_lowercase();
    let rest = start.strip_prefix("<!doctype html>").unwrap_or(&start).trim();
    let inside = rest.strip_prefix("<html").and_then(|rest| rest.strip_suffix('>'));
    // An attribute that is not closed would swallow the policy.
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || sign.is_whitespace() || "-=\"".contains(sign);
    let is_html = inside.is_some_and(|rest| {
        let is_named = rest.is_empty() || rest.starts_with(char::is_whitespace);
        is_named && rest.chars().all(is_plain) && rest.matches('"').count() % 2 == 0
    });
    (rest.is_empty() || is_html).then(|| [before, HEAD, "\n", POLICY, after].concat())
}

#[cfg(test)]
mod cases {
    use super::{POLICY, with_policy};

    #[test]
    fn t4_a_page_gets_its_policy_before_anything_that_could_run() {
        for (page, is_taken) in [
            ("<!doctype html>\n<html lang=\"en\">\n<head>\n<title>x</title>", true),
            ("<HTML><HEAD>", true),
            ("<head>", true),
            ("<script>alert(1)</script><head>", false),
            ("<!-- <head> --><script>", false),
            ("<html a=\"x><head>\">", false),
            ("<html a='x><head>'>", false),
            ("<htmlx><head>", false),
            ("<header>", false),
        ] {
            let told = with_policy(page);
            assert_eq!(told.is_some(), is_taken, "{page}");
            let Some(told) = told else { continue };
            let at = told.find("<meta").unwrap();
            assert!(told[..at].trim_end().to_lowercase().ends_with("<head>"), "{told}");
            assert_eq!(
                told.replace(&format!("\n{POLICY}"), "").to_lowercase(),
                page.to_lowercase()
            );
        }
    }
}

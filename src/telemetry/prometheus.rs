//! The Prometheus text format and `OpenMetrics`, as far as samples go: names with colons, labels with escapes, times,
//! exemplars.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, and `OpenMetrics` 1.0. As Prometheus itself does,
//! a page with one broken line is refused whole: half a page would be a wrong sum.

use std::str;

/// One sample of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// `vllm:num_requests_running`.
    pub(super) name: &'a str,
    labels: &'a str,
    pub(super) value: f64,
}

/// Why a page is none of metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoMetrics {
    #[error("the page holds no metric")]
    Empty,
    #[error("the page is compressed, although plain text was asked for")]
    Compressed,
    #[error("the page is HTML, no metrics")]
    Html,
    #[error("the page is JSON, no metrics in the Prometheus text format")]
    Json,
    #[error("line {line} of the page is no metric: {problem}")]
    Line { line: usize, problem: &'static str },
}

/// Hands every sample of a page to `take`, in order.
///
/// Nothing is kept, so that a page costs no memory beyond its own.
///
/// # Errors
/// A page without a sample, and one that is not in this format; what was taken by then does not count.
pub(super) fn read<'a>(page: &'a [u8], mut take: impl FnMut(Sample<'a>)) -> Result<(), NoMetrics> {
    recognise(page)?;
    let mut samples = 0_u32;
    for (at, line) in page.split(|byte| *byte == b'\n').enumerate() {
        let broken = |problem| NoMetrics::Line { line: at + 1, problem };
        let line = str::from_utf8(line).map_err(|_| broken("it is no UTF-8"))?.trim_ascii();
        if line == "# EOF" {
            break;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        take(sample(line).map_err(broken)?);
        samples += 1;
    }
    (samples > 0).then_some(()).ok_or(NoMetrics::Empty)
}

/// What servers send in place of metrics.
fn recognise(page: &[u8]) -> Result<(), NoMetrics> {
    const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh"];
    if COMPRESSED.iter().any(|magic| page.starts_with(magic)) {
        return Err(NoMetrics::Compressed);
    }
    let text = page.trim_ascii_start();
    let second = text.get(1..).map(<[u8]>::trim_ascii_start).and_then(<[u8]>::first);
    match (text.first(), second) {
        (None, _) => Err(NoMetrics::Empty),
        (Some(b'<'), _) => Err(NoMetrics::Html),
        (Some(b'['), _) | (Some(b'{'), Some(b'{' | b'}' | b'[')) => Err(NoMetrics::Json),
        // `{"name" …` may be a metric whose name is quoted, or an object.
        (Some(b'{'), _) if is_object(text) => Err(NoMetrics::Json),
        _ => Ok(()),
    }
}

/// Whether what follows the first quoted text is a colon.
fn is_object(text: &[u8]) -> bool {
    let mut parts = text.splitn(3, |byte| *byte == b'"');
    let after = parts.nth(2).map(<[u8]>::trim_ascii_start);
    after.is_some_and(|after| after.first() == Some(&b':'))
}

fn sample(line: &str) -> Result<Sample<'_>, &'static str> {
    let (mut name, rest) = name(line);
    let mut rest = rest.trim_ascii_start();
    let mut inside = "";
    if let Some(after) = rest.strip_prefix('{') {
        let end = labels(after, |key, value| {
            if let (None, "") = (value, name) {
                name = key;
            }
        })?;
        (inside, rest) = after.split_at_checked(end).ok_or(BROKEN_LABELS)?;
        rest = rest.strip_prefix('}').ok_or(BROKEN_LABELS)?;
    }
    if name.is_empty() {
        return Err("it does not begin with a name");
    }
    // What follows a `#` is an exemplar.
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().ok_or("it has no value")?;
    let value = value.parse().map_err(|_| "its value is no number")?;
    if words.next().is_some_and(|time| time.parse::<f64>().is_err()) {
        return Err("its time is no number");
    }
    if words.next().is_some() {
        return Err("something follows its value and time");
    }
    Ok(Sample {
        name,
        labels: inside,
        value,
    })
}

const BROKEN_LABELS: &str = "its labels are not `name=\"value\"` between braces";

/// The name at the beginning of a text, perhaps none, and the rest.
fn name(text: &str) -> (&str, &str) {
    let is_part = |(at, sign): &(usize, char)| {
        sign.is_ascii_alphabetic() || matches!(sign, '_' | ':') || (*at > 0 && sign.is_ascii_digit())
    };
    let end = text
        .char_indices()
        .find(|part| !is_part(part))
        .map_or(text.len(), |(at, _)| at);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Hands each label to `take`: its key and its value as it is written, escapes included; without a value, the quoted name
/// of the metric. Gives the place of the closing brace.
fn labels<'a>(text: &'a str, mut take: impl FnMut(&'a str, Option<&'a str>)) -> Result<usize, &'static str> {
    let place = |rest: &str| text.len() - rest.len();
    let mut rest = text.trim_ascii_start();
    loop {
        if rest.starts_with('}') {
            return Ok(place(rest));
        }
        let key;
        (key, rest) = match rest.strip_prefix('"') {
            Some(quoted) => until_quote(quoted)?,
            None => name(rest),
        };
        rest = rest.trim_ascii_start();
        if key.is_empty() {
            return Err(BROKEN_LABELS);
        }
        let mut value = None;
        if let Some(after) = rest.strip_prefix('=') {
            let quoted = after.trim_ascii_start().strip_prefix('"').ok_or(BROKEN_LABELS)?;
            let (found, after) = until_quote(quoted)?;
            value = Some(found);
            rest = after.trim_ascii_start();
        }
        take(key, value);
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_ascii_start(),
            None if rest.starts_with('}') => rest,
            None => return Err(BROKEN_LABELS),
        };
    }
}

/// The text up to a quote that no backslash stands before, and what follows that quote.
fn until_quote(text: &str) -> Result<(&str, &str), &'static str> {
    let mut is_escaped = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '"' if !is_escaped => {
                let (inside, rest) = text.split_at_checked(at).ok_or(BROKEN_LABELS)?;
                return Ok((inside, rest.get(1..).unwrap_or("")));
            }
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    Err("a quoted text has no end")
}

impl Sample<'_> {
    /// Its labels but one, in the order of their names: what tells it from the other series of its name.
    pub(super) fn labels_without(&self, left_out: &str) -> String {
        let mut all = Vec::new();
        let inside = format!("{}}}", self.labels);
        let read = labels(&inside, |name, value| {
            if let Some(value) = value.filter(|_| name != left_out) {
                all.push(format!("{name}=\"{value}\""));
            }
        });
        debug_assert!(read.is_ok(), "the labels of a sample were read before");
        all.sort_unstable();
        all.join(",")
    }

    /// The value of a label without its escapes (`\\`, `\"`, `\n`).
    pub(super) fn label(&self, key: &str) -> Option<String> {
        let mut found = None;
        let inside = format!("{}}}", self.labels);
        let read = labels(&inside, |name, value| {
            if let (true, Some(value)) = (name == key, value) {
                found.get_or_insert_with(|| unescaped(value));
            }
        });
        debug_assert!(read.is_ok(), "the labels of a sample were read before");
        found
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match (sign, sign == '\\') {
            (_, false) => plain.push(sign),
            (_, true) => match signs.next() {
                Some('n') => plain.push('\n'),
                Some(other @ ('\\' | '"')) => plain.push(other),
                // Not an escape of the format: it stands for itself.
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(page: &str) -> Result<Vec<(String, f64)>, NoMetrics> {
        let mut found = Vec::new();
        read(page.as_bytes(), |sample| {
            found.push((sample.name.to_owned(), sample.value));
        })?;
        Ok(found)
    }

    fn one(line: &str) -> Sample<'_> {
        let mut found = None;
        read(line.as_bytes(), |sample| found = Some(sample)).unwrap();
        found.unwrap()
    }

    #[test]
    fn names_with_colons_labels_times_and_exemplars_are_read() {
        let page = "# HELP vllm:num_requests_running Requests, \"quoted\" {x} 7\n# TYPE vllm:num_requests_running gauge\r\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"a } b\"} 2.0\n\n  up 1 1700000000000\n\
                    x{} +Inf\ny { a = \"1\" , } -2e-3 17.5\nz_bucket{le=\"+Inf\"} 4 # {trace_id=\"} 9\"} 0.5 17.5\n# EOF\nrubbish {";
        let expected = [
            ("vllm:num_requests_running", 2.0),
            ("up", 1.0),
            ("x", f64::INFINITY),
            ("y", -2e-3),
            ("z_bucket", 4.0),
        ];
        assert_eq!(
            all(page).unwrap(),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert!(one("a NaN").value.is_nan());
        assert!(one("a -Inf").value.is_infinite() && one("a -Inf").value < 0.0);
    }

    #[test]
    fn what_promtool_accepts_is_read_whole() {
        let page = include_str!("../../tests/data/promtool/server.metrics.txt");
        let found = all(page).unwrap();
        assert_eq!(found.len(), page.lines().filter(|line| !line.starts_with('#')).count());
        let mut labels = Vec::new();
        let mut values = Vec::new();
        read(page.as_bytes(), |sample| {
            labels.extend(sample.label("model_name"));
            if sample.name == "engine_temperature_celsius" {
                values.push(sample.value);
            }
        })
        .unwrap();
        assert_eq!(labels, ["a } b", "C:\\dir \"x\", {y}=1\nend"]);
        let [cold, lost, sun, below] = values[..] else {
            unreachable!("four places")
        };
        assert!(cold < -12.4 && lost.is_nan() && sun.is_infinite() && below < sun);
        let count = found.iter().find(|(name, _)| name == "engine_preemptions_total");
        assert!((count.unwrap().1 - 17.0).abs() < f64::EPSILON);
    }

    #[test]
    fn labels_lose_their_escapes() {
        let sample = one(r#"m{a="one \"two\", }",b="c\\d\ne\t",c=""} 1"#);
        assert_eq!(sample.label("a").unwrap(), "one \"two\", }");
        assert_eq!(sample.label("b").unwrap(), "c\\d\ne\\t");
        assert_eq!((sample.label("c").unwrap().as_str(), sample.label("d")), ("", None));
    }

    #[test]
    fn a_quoted_name_stands_among_the_labels() {
        let sample = one(r#"{"my.metric", "my label"="x"} 3"#);
        assert_eq!((sample.name, sample.value), ("my.metric", 3.0));
        assert_eq!(sample.label("my label").unwrap(), "x");
    }

    #[test]
    fn what_is_no_page_of_metrics_is_refused_by_name() {
        for (page, error) in [
            ("", NoMetrics::Empty),
            ("# HELP a b\n\n", NoMetrics::Empty),
            ("\n <!doctype html><html>", NoMetrics::Html),
            ("[{\"iter\": 1}]", NoMetrics::Json),
            ("{\"error\": {\"message\": \"x\"}}", NoMetrics::Json),
            ("{}", NoMetrics::Json),
        ] {
            assert_eq!(all(page), Err(error), "{page}");
        }
        assert_eq!(read(b"\x1f\x8b\x08\0", |_| ()), Err(NoMetrics::Compressed));
        assert_eq!(
            read(b"a 1\nb \xff", |_| ()),
            Err(NoMetrics::Line {
                line: 2,
                problem: "it is no UTF-8"
            })
        );
    }

    #[test]
    fn a_broken_line_is_told_with_its_number() {
        for (line, problem) in [
            ("Not found", "its value is no number"),
            ("1a 2", "it does not begin with a name"),
            ("{a=\"b\"} 2", "it does not begin with a name"),
            ("a", "it has no value"),
            ("a{b=\"c\"}", "it has no value"),
            ("a{b=\"c} 1", "a quoted text has no end"),
            ("a{b=c} 1", BROKEN_LABELS),
            ("a{b=\"c\" d=\"e\"} 1", BROKEN_LABELS),
            ("a{=\"c\"} 1", BROKEN_LABELS),
            ("a{b=\"c\"", BROKEN_LABELS),
            ("a 1 yesterday", "its time is no number"),
            ("a 1 2 3", "something follows its value and time"),
        ] {
            let page = format!("good 1\n{line}\n");
            assert_eq!(all(&page), Err(NoMetrics::Line { line: 2, problem }), "{line}");
        }
    }

    fn escaped(text: &str) -> String {
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(page in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&page, |sample| drop(sample.label("a")));
        }

        #[test]
        fn whatever_looks_like_metrics_does_not_panic_either(page in "([a-z:]{0,3}[{}\"=,#\\\\ \n0-9é+.eN-]{0,12}){0,30}") {
            let _ = read(page.as_bytes(), |sample| drop(sample.label("a")));
        }

        #[test]
        fn what_is_written_is_read_again(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
            labels in prop::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>()), 0..5),
            value in any::<f64>(),
            time in proptest::option::of(any::<i64>()),
        ) {
            let pairs: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
            let time = time.map_or_else(String::new, |time| format!(" {time}"));
            let line = format!("{name}{{{}}} {value:?}{time}\n", pairs.join(","));
            let sample = one(&line);
            prop_assert_eq!(sample.name, name);
            prop_assert!(sample.value.to_bits() == value.to_bits() || value.is_nan());
            for (key, _) in &labels {
                let first = labels.iter().find(|(other, _)| other == key).map(|(_, text)| text);
                prop_assert_eq!(sample.label(key), first.cloned());
            }
        }
    }
}

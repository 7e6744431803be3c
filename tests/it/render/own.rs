//! Templates of somebody's own: what they are given, what they are refused, and that nothing gets around the escaping (T3, T4, T5).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use perfgate::render::{MOST_TEMPLATE_BYTES, Template, context_json, context_schema, html, read_report, report_json};
use serde_json::Value;

use super::{
    fixtures::{all, poisoned, regression},
    payloads::{PAYLOADS, linked, page, parts},
};
use crate::schemas::assert_committed;

/// Those that the documentation shows, and one that turns and prints all it can.
const TEMPLATES: [(&str, &str); 4] = [
    ("summary.md", include_str!("../../../examples/templates/summary.md")),
    ("page.html", include_str!("../../../examples/templates/page.html")),
    ("all.md", EVERYTHING),
    ("all.html", EVERYTHING_IN_HTML),
];
const EVERYTHING: &str = "\
All: {{ headline }} and {{ candidate.name | upper | trim | replace('A', 'b') | lower }}

x {{ checks }} {{ facts }} {{ failures }} {{ differences }} {{ obligations }} {{ trusted }} {{ indicators }}

x {{ warnings | join(' and ') }} x {{ warnings | map('code') | join(', ') }} x {{ warnings | map('prose') | join(' ') }}

x {{ candidate.name | reverse }} x {{ candidate.name | code | replace('&#', '') }} x {{ candidate.name | prose | lower }}

{% set kept %}x {{ candidate.name }} x{% endset %}
{{ kept }}

x {{ kept | upper }} x {{ (candidate.name | code) ~ candidate.name }} x {{ (candidate.name | code)[1:] }} x {{ (candidate.name | code) | last }}

x {% for sign in candidate.name | code %}{{ sign }}{% endfor %} x
";
const EVERYTHING_IN_HTML: &str = "\
<html lang=\"en\"><head><title>{{ headline }}</title></head><body data-name=\"{{ candidate.name }}\">
{{ checks }} {{ facts }} {{ candidate.name | code | replace('&lt;', '<') }} {{ warnings | map('prose') | join('<br>') }}
{% set kept %}{{ candidate.name }}{% endset %}{{ kept }} {{ kept | lower }} {{ (candidate.name | code) | reverse }}
</body></html>
";

fn shown(name: &str, source: &str, text: &str) -> String {
    let template = Template::new(name, source.as_bytes()).unwrap();
    let text = template.render(&poisoned(text)).unwrap();
    if name.contains(".md") { page(&text) } else { text }
}

#[test]
fn t3_t4_a_payload_in_a_template_of_somebody_s_own_is_text() {
    for (name, source) in TEMPLATES {
        let tags = |page: &str| -> Vec<String> {
            let tags = parts(page).0.into_iter();
            // The value of an attribute is a value.
            tags.map(|tag| tag.split('"').step_by(2).collect()).collect()
        };
        let harmless = tags(&shown(name, source, "x"));
        for payload in PAYLOADS {
            let page = shown(name, source, payload);
            assert_eq!(tags(&page), harmless, "{payload:?} in {name}\n{page}");
            let texts = parts(&page).1;
            if name == "summary.md" {
                assert_eq!(texts.iter().find_map(|text| linked(text)), None, "{payload:?}\n{page}");
            }
        }
    }
}

#[test]
fn the_templates_of_the_documentation_show_every_answer() {
    for (name, source) in TEMPLATES {
        let template = Template::new(name, source.as_bytes()).unwrap();
        for (what, report) in all() {
            let text = template.render(&report).unwrap();
            if name == "summary.md" {
                insta::assert_snapshot!(format!("own_summary_{what}"), text);
            }
            // What was judged just now and what was read from its file are shown alike.
            let read = read_report(&report_json(&report).unwrap()).unwrap();
            assert_eq!(template.render(&read).unwrap(), text, "{name} of {what}");
        }
    }
}

#[test]
fn what_the_documentation_shows_is_a_template() {
    let shown = include_str!("../../../docs/templates.md");
    let blocks = shown.split("```jinja\n").skip(1);
    let blocks: Vec<&str> = blocks.map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    for (name, source) in ["a.md", "a.html"].into_iter().zip(blocks) {
        let text = Template::new(name, source.as_bytes()).unwrap().render(&regression());
        let text = text.unwrap();
        assert!(text.contains("TPOT P95") && text.contains("regression"), "{text}");
    }
}

#[test]
fn t4_a_page_of_somebody_s_own_runs_no_script() {
    let text = Template::new("page.html", TEMPLATES[1].1.as_bytes())
        .unwrap()
        .render(&regression());
    let text = text.unwrap();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
    let (before, after) = text.split_once(policy).unwrap();
    assert_eq!(
        before.matches('<').count(),
        4,
        "doctype, html, head, the policy: {before}"
    );
    assert!(after.contains("<title>regression"), "{after}");
    assert!(
        html(&regression()).unwrap().contains("default-src 'none'"),
        "as in ours"
    );
}

/// File, what is wrong with it, and what is told of it.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "t.md",
        "a\n{{ headline | safe }}",
        "`t.md:2`: unknown filter: filter safe is unknown",
    ),
    ("t.md", "{{ headline | escape }}", "`t.md:1`: unknown filter"),
    ("t.md", "{{ headline | e }}", "unknown filter"),
    ("t.md", "{{ headline | string }}", "unknown filter"),
    ("t.md", "{{ checks | tojson }}", "unknown filter"),
    ("t.md", "{{ '%s' | format(headline) }}", "unknown filter"),
    ("t.md", "{{ headline is safe }}", "unknown test"),
    ("t.md", "{{ debug() }}", "debug"),
    ("t.md", "{% set ns = namespace() %}", "namespace"),
    (
        "t.md",
        "a\n\n{% autoescape false %}{{ headline }}{% endautoescape %}",
        "`t.md:3`: `autoescape` cannot be changed",
    ),
    (
        "t.md",
        "{%- \n autoescape 'html' %}{{ headline }}{% endautoescape %}",
        "`autoescape` cannot be changed",
    ),
    (
        "t.md",
        "{%+autoescape none%}{% endautoescape %}",
        "`autoescape` cannot be changed",
    ),
    ("t.md", "{% include 'perfgate.yaml' %}", "`t.md:1`: syntax error"),
    ("t.md", "{% extends 'comment.md' %}", "syntax error"),
    ("t.md", "{% import 'x' as x %}", "syntax error"),
    ("t.md", "\n\n{{ headline", "`t.md:3`: syntax error"),
    (
        "t.md",
        "a\n{{ verdikt }}\n",
        "`t.md:2`: undefined value; the line is `{{ verdikt }}`",
    ),
    ("t.md", "{{ checks[0].p95 }}", "undefined value"),
    ("t.md", "{{ trusted.commit }}", "`t.md:1`: "),
    (
        "t.md",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "ran out of fuel",
    ),
    (
        "t.md",
        "{% for a in range(99999) %}{{ '0123456789abcdef' * 99 }}{% endfor %}",
        "the page is larger than 5242880 bytes",
    ),
    ("t.txt", "x", "its name does not tell what it writes"),
    ("t", "x", "its name does not tell what it writes"),
    ("t.html", "<p>{{ headline }}</p>", "begins with `<!doctype html>`"),
    (
        "t.html",
        "<script>x</script><head></head>",
        "begins with `<!doctype html>`",
    ),
    (
        "t.html",
        "<html lang=\"{{ candidate.name }}'\"><head></head>",
        "begins with `<!doctype html>`",
    ),
];

#[test]
fn t5_a_template_that_is_broken_says_where_and_what() {
    let told = |name: &str, source: &[u8]| {
        let template = Template::new(name, source).and_then(|template| template.render(&regression()));
        template.unwrap_err().to_string()
    };
    for (name, source, expected) in BROKEN {
        let told = told(name, source.as_bytes());
        assert!(told.contains(expected), "{source}\n{told}");
    }
    assert!(told("t.md", "x".repeat(MOST_TEMPLATE_BYTES + 1).as_bytes()).contains("larger than 262144 bytes"));
    assert!(told("t.md", b"a \xff").contains("it is no text"));
}

#[test]
fn what_a_template_is_given_is_as_its_committed_schema_says() {
    let schema = context_schema().unwrap();
    assert_committed("schemas/context.schema.json", &schema);
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for (name, report) in all() {
        let value: Value = serde_json::from_str(&context_json(&report).unwrap()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{name}");
        assert_eq!(value["context"], 1);
    }
    let value: Value = serde_json::from_str(&context_json(&regression()).unwrap()).unwrap();
    let check = &value["checks"][0];
    assert_eq!(
        (&check["verdict"], &check["action"]),
        (&"regression".into(), &"block".into())
    );
    assert!(
        check["numbers"]["change"].as_f64().is_some_and(|change| change != 0.0),
        "{check}"
    );
}

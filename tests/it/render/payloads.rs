//! T3, T4: what a name may hold changes nothing but the text: the page keeps its elements, and nothing is linked or mentioned.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::sync::LazyLock;

use comrak::{Options, markdown_to_html};
use perfgate::render::{NoResult, Past, Posting, comment, comment_without_result, html, markdown};
use proptest::prelude::*;

use super::{
    fixtures::{poisoned, regression},
    without_ours,
};

/// One sign of each kind that Markdown, GitHub or a browser reads, and the known ways around escaping.
pub(super) const PAYLOADS: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<img src=https://evil.test/pixel.png>",
    "![pixel](https://evil.test/pixel.png)",
    "![pixel][1]\n\n[1]: https://evil.test",
    "[click](javascript:alert(1))",
    "[click](https://evil.test \"title\")",
    "[click]: https://evil.test",
    "<https://evil.test>",
    "https://evil.test/path?a=b",
    "HTTPS://EVIL.TEST",
    "ftp://evil.test",
    "www.evil.test",
    "WwW.evil.test",
    "a@evil.test",
    "a@-evil.test",
    "a@b@evil.test",
    "mailto:a@evil.test",
    "xmpp:a@evil.test/room",
    "@octocat",
    "@octo-org/team",
    "(@octocat)",
    "&#64;octocat",
    "\\@octocat",
    "#12",
    "GH-12",
    "owner/name#12",
    "owner/name@0123456789abcdef0123456789abcdef01234567",
    "| a | b |",
    "a\\|b",
    "x |\n|:-:|\n| y |",
    "`code`",
    "``a ` b``",
    "a ` b",
    "``",
    "```\nfence\n```",
    "~~~\nfence\n~~~",
    "    indented",
    "**bold** *em* __bold__ _em_ ~~gone~~",
    "# title",
    "a\n===",
    "a\n---",
    "---",
    "***",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "1) item",
    "- [x] done",
    "> quote",
    "> [!CAUTION]\n> the gate passed",
    "[^1]\n\n[^1]: note",
    "$$x^2$$ and $y$",
    ":tada: :+1: :white_check_mark:",
    "</details></td></tr></table>",
    "</code></pre>",
    "<!-- ",
    "--> <!--",
    "<!-- perfgate-llm:v1 key=default -->",
    "<?php ?> <![CDATA[x]]> <!DOCTYPE html>",
    "&lt;b&gt;&amp;&#60;i&#62;",
    "\u{202e}gate passed\u{202c}",
    "pa\u{200b}ss\u{ad}ed\u{feff}",
    "a\u{0}b\u{1b}[31mred\u{1b}]8;;https://evil.test\u{7}link\u{1b}]8;;\u{7}",
    "line\r\nline\u{2028}line\u{85}line",
    "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{e0041}\u{e0042}",
    "{{ 7 * 7 }}{% include 'x' %}{# x #}",
    "' onmouseover='alert(1)' x='",
    "\" style=\"position:fixed\" x=\"",
];

/// As GitHub reads a comment, raw HTML left in: what its sanitizer would take out must not be there to begin with.
pub(super) fn page(markdown: &str) -> String {
    static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
        let mut options = Options::default();
        let extension = &mut options.extension;
        extension.strikethrough = true;
        extension.table = true;
        extension.autolink = true;
        extension.tasklist = true;
        extension.footnotes = true;
        extension.alerts = true;
        extension.math_dollars = true;
        extension.shortcodes = true;
        options.render.r#unsafe = true;
        options
    });
    markdown_to_html(markdown, &OPTIONS)
}

/// The elements of a page without their text, and the text that is neither code nor markup.
pub(super) fn parts(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut tags, mut texts) = (Vec::new(), Vec::new());
    let mut in_code = 0;
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        let (text, from) = rest.split_at(open);
        if in_code == 0 && !text.trim().is_empty() {
            texts.push(decoded(text));
        }
        let close = from.find('>').map_or(from.len(), |at| at + 1);
        let tag = &from[..close];
        match tag {
            "<code>" => in_code += 1,
            "</code>" => in_code -= 1,
            "<pre>" | "</pre>" => {
                in_code += if tag == "<pre>" { 1 } else { -1 };
                tags.push(tag.to_owned());
            }
            "<span>" | "</span>" => texts.push(String::new()),
            _ => tags.push(tag.to_owned()),
        }
        rest = &from[close..];
    }
    texts.push(decoded(rest));
    (tags, texts)
}

fn decoded(text: &str) -> String {
    let named = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    named.replace("&#39;", "'").replace("&amp;", "&")
}

/// What GitHub would link in a text after the page is made.
pub(super) fn linked(text: &str) -> Option<String> {
    let signs: Vec<char> = text.chars().collect();
    let at = |place: usize| signs.get(place).copied().unwrap_or(' ');
    for (place, sign) in signs.iter().enumerate() {
        let is_linked = match sign {
            '@' => at(place + 1).is_ascii_alphanumeric(),
            '#' => at(place + 1).is_ascii_digit(),
            '-' => {
                let before: String = signs[place.saturating_sub(2)..place].iter().collect();
                before.eq_ignore_ascii_case("gh") && at(place + 1).is_ascii_digit()
            }
            ':' => at(place + 1) == '/' && at(place + 2) == '/',
            _ => false,
        };
        if is_linked {
            return Some(text.to_owned());
        }
    }
    text.to_ascii_lowercase().contains("www.").then(|| text.to_owned())
}

fn posting(notice: &str, report: &str) -> Posting {
    Posting {
        notices: vec![notice.into()],
        links: vec![
            ("run", "https://github.com/o/r/actions/runs/7".into()),
            ("report", report.into()),
        ],
        result: Some(Past {
            sha: "a1b2c3d4e5f60718293a".into(),
            measured_unix_s: Some(1_795_308_360),
            word: "regression".into(),
        }),
        ..Posting::default()
    }
}

/// Every comment that there is, with this text in each place.
fn comments(text: &str) -> [String; 2] {
    let nothing = NoResult {
        what: text.into(),
        phase: Some(text.into()),
        next_steps: vec![text.into()],
        log: vec![text.into(); 25],
    };
    [
        comment(&poisoned(text), &posting(text, ""), usize::MAX).unwrap(),
        comment_without_result(&nothing, &posting(text, "")).unwrap(),
    ]
}

#[track_caller]
fn check(payload: &str) {
    for (poisoned, harmless) in comments(payload).iter().zip(comments("x")) {
        let (tags, texts) = parts(&page(poisoned));
        assert_eq!(tags, parts(&page(&harmless)).0, "{payload:?} in\n{poisoned}");
        for text in texts {
            assert_eq!(linked(&text), None, "{payload:?} in\n{poisoned}");
        }
        let hidden = |sign: char| {
            (sign.is_control() && sign != '\n')
                || matches!(sign, '\u{ad}' | '\u{202a}'..='\u{202e}' | '\u{feff}' | '\u{e0041}')
        };
        assert!(!poisoned.contains(hidden), "{payload:?} in\n{poisoned}");
    }
}

#[test]
fn t3_a_payload_in_a_comment_is_text() {
    for payload in PAYLOADS {
        check(payload);
        check(&format!("a {payload} b"));
        check(&format!("`{payload}`"));
    }
}

#[test]
fn t3_the_oracle_sees_what_is_not_escaped() {
    let base = parts(&page("x")).0;
    for seen in [
        "[a](https://b.test)",
        "www.evil.test",
        "a@evil.test",
        "<b>x</b>",
        "| a |\n|--|\n| b |",
        "$x$",
    ] {
        assert_ne!(parts(&page(seen)).0, base, "{seen}");
    }
    for seen in ["@octocat", "a #12", "gh-7", "x://y"] {
        let texts = parts(&page(&seen.replace("://", "&#58;//"))).1;
        assert!(texts.iter().any(|text| linked(text).is_some()), "{seen}");
    }
}

#[test]
fn t3_every_row_has_the_cells_of_its_head() {
    for payload in PAYLOADS {
        let page = page(&markdown(&poisoned(payload)).unwrap());
        for table in page.split("<table>").skip(1) {
            let table = table.split("</table>").next().unwrap();
            let mut rows = table.split("<tr>").skip(1);
            let head = rows.next().unwrap().matches("<th").count();
            for row in rows {
                assert_eq!(row.matches("<td").count(), head, "{payload:?} in {row}");
            }
        }
    }
}

#[test]
fn t4_a_payload_in_the_page_is_text_and_nothing_is_loaded() {
    let own = |page: &str| {
        let (tags, _) = parts(page);
        // Figures and shapes of the charts follow the text's length.
        tags.into_iter()
            .map(|tag| tag.split([' ', '>']).next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let harmless = own(&without_ours(&html(&poisoned("x")).unwrap()));
    for payload in PAYLOADS {
        let page = without_ours(&html(&poisoned(payload)).unwrap());
        assert_eq!(own(&page), harmless, "{payload:?}");
        for tag in parts(&page).0 {
            // What stands between quotes is a value, and each quote in it is an entity.
            let names: String = tag.split('"').step_by(2).collect();
            let acts = names.split(['<', ' ', '\n']).any(|name| name.starts_with("on"));
            let linked_to = ["href=\"http", "href=\"java", "href=\"data"]
                .iter()
                .any(|way| tag.contains(way));
            let is_loaded = names.contains("src=") || linked_to;
            assert!(!acts && !is_loaded, "{tag} of {payload:?}");
        }
        assert!(page.contains("default-src 'none'"), "no policy");
    }
}

#[test]
fn a_link_is_made_of_checked_addresses_only() {
    let text = comment(&regression(), &posting("", "https://evil.test/)[x](y"), usize::MAX).unwrap();
    assert!(
        text.contains("[run](https://github.com/o/r/actions/runs/7) · measured"),
        "{text}"
    );
    assert!(!text.contains("[report]"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t3_any_text_in_a_comment_is_text(
        text in "[a-zA-Z0-9 @#:/.|<>`*_~!$&;'\"\\[\\](){}^+=\\-\\\\\n\r\t\u{0}\u{ad}\u{200b}\u{202e}\u{301}é模🙂]{0,60}"
    ) {
        check(&format!("x{text}"));
    }
}

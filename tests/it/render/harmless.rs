//! Names from outside do nothing: no markup, no mention, no broken table, no obeyed escape.

use perfgate::render::{html, markdown, terminal_report, terminal_session};

use super::{fixtures::hostile, without_ours};

#[test]
fn a_comment_holds_no_markup_that_is_not_ours() {
    let text = markdown(&hostile()).unwrap();
    for markup in [
        "<script", "<img", "`", "@octocat", "#12 ", "](", "://", "www.evil", "**b**", "\u{202e}", "\u{1b}",
    ] {
        assert!(!text.contains(markup), "{markup:?} in\n{text}");
    }
    let tags = ["b", "code", "span", "details", "summary", "pre"];
    for (at, _) in text.match_indices('<') {
        let tag = text[at + 1..].trim_start_matches('/');
        let known =
            tags.iter().any(|known| tag.starts_with(&format!("{known}>"))) || tag.starts_with("!-- perfgate-llm");
        assert!(known, "{:?}", &tag[..tag.len().min(20)]);
    }
}

#[test]
fn every_row_of_a_table_has_as_many_cells_as_its_head() {
    let text = markdown(&hostile()).unwrap();
    let mut head = None;
    let mut rows = 0;
    for line in text.lines() {
        let cells = line.starts_with('|').then(|| line.matches('|').count());
        assert!(head.is_none() || cells.is_none() || cells == head, "{line}");
        rows += usize::from(cells.is_some());
        head = cells;
    }
    assert!(rows > 20, "{rows} rows");
}

#[test]
fn a_page_holds_no_element_that_is_not_ours() {
    let page = without_ours(&html(&hostile()).unwrap());
    for markup in ["<script", "<img", "\u{202e}", "\u{1b}", "\"'>"] {
        assert!(!page.contains(markup), "{markup:?}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn a_template_in_a_name_is_not_rendered() {
    let report = hostile();
    for text in [markdown(&report).unwrap(), html(&report).unwrap()] {
        assert!(text.contains("{{ 7 "), "{text}");
        // Coordinates may have these digits too.
        assert!(!text.contains("31m49"), "{text}");
    }
}

#[test]
fn a_terminal_obeys_no_name() {
    let report = hostile();
    for text in [
        terminal_report(&report, false, 100),
        terminal_report(&report, false, 160),
        terminal_session(&report.candidate, &report.warnings, false, 100),
    ] {
        let obeyed = text
            .chars()
            .find(|sign| sign.is_control() && *sign != '\n' || *sign == '\u{202e}');
        assert_eq!(obeyed, None, "{text}");
    }
}

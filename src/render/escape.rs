//! Names from outside made harmless: what a terminal, GitHub or a browser would act on is shown instead.

/// Breaks a mention or an issue link without changing how it reads.
const ZERO_WIDTH_SPACE: &str = "&#8203;";

/// The text with everything invisible made visible: control signs and bidirectional overrides as `\u{…}`,
/// line ends and tabs as spaces.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\n' | '\r' | '\t' => shown.push(' '),
            _ if sign.is_control() || is_invisible(sign) => shown.extend(sign.escape_unicode()),
            _ => shown.push(sign),
        }
    }
    shown
}

/// Bidirectional controls, zero-width signs, tags and the byte order mark: they make one text look like another.
fn is_invisible(sign: char) -> bool {
    matches!(sign,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Text for GitHub-flavoured Markdown that reads as it stands: no HTML, table cell, link, mention or emphasis in it.
pub(super) fn markdown(text: &str) -> String {
    escape_markdown(text, true)
}

/// The same inside `<code>`, where GitHub links nothing; commands stay fit for copying.
pub(super) fn markdown_code(text: &str) -> String {
    format!("<code>{}</code>", escape_markdown(text, false))
}

fn escape_markdown(text: &str, in_prose: bool) -> String {
    let text = visible(text);
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.trim().chars().peekable();
    let mut at_start = true;
    while let Some(sign) = rest.next() {
        let next = rest.peek().copied();
        match sign {
            '@' | '#' if in_prose && next.is_some_and(char::is_alphanumeric) => {
                escaped.push_str(&entity(sign));
                escaped.push_str(ZERO_WIDTH_SPACE);
            }
            '$' if in_prose => escaped.push_str("<span>$</span>"),
            _ if is_markup(sign, next, at_start) => escaped.push_str(&entity(sign)),
            _ => escaped.push(sign),
        }
        at_start = false;
    }
    // `www.` begins a link by itself.
    escaped.replace("www.", "www&#46;").replace("WWW.", "WWW&#46;")
}

fn entity(sign: char) -> String {
    format!("&#{};", u32::from(sign))
}

fn is_markup(sign: char, next: Option<char>, at_start: bool) -> bool {
    match sign {
        '&' | '<' | '>' | '"' | '\'' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' | '#' | '!' => true,
        ':' => next == Some('/'),
        '-' | '=' => at_start,
        '+' => at_start && next.is_none_or(char::is_whitespace),
        _ => false,
    }
}

/// Text for HTML, elements and quoted attributes alike.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in visible(text).chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(sign),
        }
    }
    escaped
}

/// A sentence with its `` `values` `` in code; `plain` and `code` escape the two kinds of parts.
pub(super) fn prose(text: &str, plain: fn(&str) -> String, code: fn(&str) -> String) -> String {
    let mut parts = text.split('`').peekable();
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    while let Some(part) = parts.next() {
        let closed = parts.peek().is_some();
        if inside && closed && !part.is_empty() {
            out.push_str(&code(part));
        } else {
            if inside && !closed {
                out.push_str(&plain("`"));
            }
            out.push_str(&keep_edges(part, plain));
        }
        inside = !inside;
    }
    out
}

/// Escapes without losing the spaces between a word and the code beside it.
fn keep_edges(part: &str, escape: fn(&str) -> String) -> String {
    let start = if part.starts_with(char::is_whitespace) { " " } else { "" };
    let end = if part.ends_with(char::is_whitespace) && !part.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{start}{}{end}", escape(part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_is_markdown_any_more() {
        for (value, escaped) in [
            ("a|b", "a&#124;b"),
            ("<script>x</script>", "&#60;script&#62;x&#60;/script&#62;"),
            ("`code`", "&#96;code&#96;"),
            ("@octocat", "&#64;&#8203;octocat"),
            ("fixes #12", "fixes &#35;&#8203;12"),
            ("[a](http://b.c)", "&#91;a&#93;(http&#58;//b.c)"),
            ("www.evil.test", "www&#46;evil.test"),
            ("two\nlines\r\n", "two lines"),
            ("a\u{202e}b", "a\\u{202e}b".replace('\\', "&#92;").as_str()),
            ("&#64;x", "&#38;&#35;&#8203;64;x"),
            ("- item", "&#45; item"),
            ("a-b @ c=16", "a-b &#64; c=16"),
            ("a\\|b", "a&#92;&#124;b"),
        ] {
            assert_eq!(markdown(value), escaped, "{value:?}");
        }
    }

    #[test]
    fn code_keeps_commands_fit_for_copying() {
        assert_eq!(
            markdown_code("--cell 'a|b @ c=1'"),
            "<code>&#45;-cell &#39;a&#124;b &#64; c=1&#39;</code>"
        );
    }

    #[test]
    fn a_terminal_escape_is_shown_and_not_obeyed() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("été 模型 🙂"), "été 模型 🙂");
    }

    #[test]
    fn backticks_in_a_sentence_become_code_and_a_lone_one_stays_text() {
        let render = |text| prose(text, markdown, markdown_code);
        assert_eq!(render("run `a b` now"), "run <code>a b</code> now");
        assert_eq!(render("a ` b"), "a &#96; b");
        assert_eq!(render("`x` and `y`"), "<code>x</code> and <code>y</code>");
        assert_eq!(render("`<script>`"), "<code>&#60;script&#62;</code>");
        assert_eq!(render("``"), "");
    }
}

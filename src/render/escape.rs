//! Names from outside made harmless: what a terminal, GitHub or a browser would act on is shown instead.

mod log;

pub use log::{command_data, command_property, log_safe};

/// Breaks a mention or an issue link without changing how it reads.
const ZERO_WIDTH_SPACE: &str = "&#8203;";
/// More marks on one letter than any language has are drawn over the lines around it.
const MOST_MARKS: usize = 4;

/// The text with everything invisible made visible: control signs and bidirectional overrides as `\u{…}`,
/// line ends and tabs as spaces.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = 0;
    for sign in text.chars() {
        marks = if is_mark(sign) { marks + 1 } else { 0 };
        match sign {
            '\n' | '\r' | '\t' => shown.push(' '),
            _ if sign.is_control() || is_invisible(sign) || marks > MOST_MARKS => shown.extend(sign.escape_unicode()),
            _ => shown.push(sign),
        }
    }
    shown
}

/// Bidirectional controls, zero-width signs, fillers, tags and the byte order mark: they make one text look like another.
fn is_invisible(sign: char) -> bool {
    matches!(sign,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// [`visible`] text for a screen.
pub(super) fn on_screen(text: &str) -> String {
    marked(&visible(text))
}

/// Harmless text between marks of left-to-right where it has letters that run the other way: what stands beside it in a
/// table stays where it is on a terminal that turns such text around.
pub(super) fn marked(text: &str) -> String {
    if text.contains(runs_leftwards) {
        format!("{LEFT_TO_RIGHT}{text}{LEFT_TO_RIGHT}")
    } else {
        text.to_owned()
    }
}

const LEFT_TO_RIGHT: char = '\u{200e}';

/// Letters of Hebrew, Arabic and their neighbours.
fn runs_leftwards(sign: char) -> bool {
    matches!(sign,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

/// Marks that are drawn over the letter before them.
fn is_mark(sign: char) -> bool {
    matches!(sign,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The first `most` signs, and `…` where there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => text.get(..at).unwrap_or(text).chars().chain(['…']).collect(),
        None => text.to_owned(),
    }
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
    let signs: Vec<char> = text.trim().chars().collect();
    let mut escaped = String::with_capacity(text.len());
    for (at, &sign) in signs.iter().enumerate() {
        let (before, after) = (signs.get(..at).unwrap_or(&[]), signs.get(at + 1..).unwrap_or(&[]));
        match treatment(sign, before, after) {
            Treatment::Plain => escaped.push(sign),
            Treatment::Entity => escaped.push_str(&entity(sign)),
            // GitHub looks for what it links after the entities are read: only another node, or another sign, parts it.
            Treatment::Split if in_prose && sign != '.' && sign != ':' && sign != '$' => {
                escaped.push_str(&entity(sign));
                escaped.push_str(ZERO_WIDTH_SPACE);
            }
            Treatment::Split => {
                escaped.push_str("<span>");
                escaped.push_str(&entity(sign));
                escaped.push_str("</span>");
            }
        }
    }
    escaped
}

/// What becomes of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    /// It means nothing.
    Plain,
    /// Markdown reads it, unless it is an entity.
    Entity,
    /// GitHub links what is around it, entity or not.
    Split,
}

fn treatment(sign: char, before: &[char], after: &[char]) -> Treatment {
    let next = after.first();
    let next_is = |is: fn(&char) -> bool| next.is_some_and(is);
    match sign {
        '$' => Treatment::Split,
        '@' if next_is(|next| !next.is_whitespace()) => Treatment::Split,
        '#' if next_is(|next| next.is_alphanumeric()) => Treatment::Split,
        // `GH-12` is issue 12.
        '-' if ends_with(before, "gh") && next_is(char::is_ascii_digit) => Treatment::Split,
        // `://` and `www.` begin a link by themselves.
        ':' if next == Some(&'/') => Treatment::Split,
        ':' if is_emoji(after) => Treatment::Split,
        '.' if ends_with(before, "www") => Treatment::Split,
        '&' | '<' | '>' | '"' | '\'' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '@' | '#' | '!' => {
            Treatment::Entity
        }
        '-' | '=' | ':' if before.is_empty() => Treatment::Entity,
        '+' if before.is_empty() && is_apart(next) => Treatment::Entity,
        '.' | ')' if is_number(before) && is_apart(next) => Treatment::Entity,
        _ => Treatment::Plain,
    }
}

/// Whether a list item may begin here.
fn is_apart(next: Option<&char>) -> bool {
    next.is_none_or(|next| next.is_whitespace())
}

fn is_number(before: &[char]) -> bool {
    !before.is_empty() && before.iter().all(char::is_ascii_digit)
}

fn ends_with(before: &[char], word: &str) -> bool {
    let from = before.len().checked_sub(word.len());
    let tail = from.and_then(|from| before.get(from..)).unwrap_or(&[]);
    tail.len() == word.len()
        && tail
            .iter()
            .zip(word.chars())
            .all(|(sign, own)| sign.eq_ignore_ascii_case(&own))
}

/// Whether this is the rest of `:+1:`.
fn is_emoji(after: &[char]) -> bool {
    let is_name = |sign: &&char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '+' | '-');
    let name = after.iter().take_while(is_name).count();
    name > 0 && after.get(name) == Some(&':')
}

fn entity(sign: char) -> String {
    format!("&#{};", u32::from(sign))
}

/// The address as it may stand in a link: `https` or `http`, no user, nothing that ends a link or an attribute.
pub(super) fn address(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-._~/:?%&=+,#".contains(sign);
    (!rest.is_empty() && url.len() <= 2_000 && rest.chars().all(is_plain)).then(|| url.replace('&', "&amp;"))
}

/// Whether an address may stand in a link.
pub fn is_address(url: &str) -> bool {
    address(url).is_some()
}

/// Text for HTML, elements and quoted attributes alike.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in visible(text).chars() {
        match sign {
            // A runner that shows the page in its log obeys `##[command]` and `::command::`.
            '#' => escaped.push_str("&#35;"),
            ':' if escaped.is_empty() => escaped.push_str("&#58;"),
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
        if inside && closed && !part.trim().is_empty() {
            out.push_str(&code(part));
        } else if inside && closed {
            out.push_str(&plain("``"));
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
pub(super) fn keep_edges(part: &str, escape: fn(&str) -> String) -> String {
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
            ("[a](http://b.c)", "&#91;a&#93;(http<span>&#58;</span>//b.c)"),
            ("wWw.evil.test", "wWw<span>&#46;</span>evil.test"),
            ("a@-b.c", "a&#64;&#8203;-b.c"),
            ("fixes gh-12", "fixes gh&#45;&#8203;12"),
            (":tada: 12:30", "<span>&#58;</span>tada: 12:30"),
            ("costs $5", "costs <span>&#36;</span>5"),
            ("12. x", "12&#46; x"),
            ("12.5 ms", "12.5 ms"),
            ("+12 %", "+12 %"),
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
    fn only_plain_addresses_are_linked() {
        let url = "https://github.com/o/r/actions/runs/7?a=1&b=2";
        assert_eq!(address(url).unwrap(), url.replace('&', "&amp;"));
        for url in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://",
            "https://u@evil.test",
            "https://a.test/)[b](c",
            "https://a.test/ \"x",
            "//evil.test",
            "https://a.test/\u{202e}x",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn code_keeps_commands_fit_for_copying() {
        assert_eq!(
            markdown_code("--cell 'a|b @ c=1'"),
            "<code>&#45;-cell &#39;a&#124;b &#64; c=1&#39;</code>"
        );
        assert_eq!(markdown_code("a@b.c"), "<code>a<span>&#64;</span>b.c</code>");
    }

    #[test]
    fn a_terminal_escape_is_shown_and_not_obeyed() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("été 模型 🙂"), "été 模型 🙂");
        assert_eq!(visible("soft\u{ad}ly"), "soft\\u{ad}ly");
        assert_eq!(
            on_screen("שלום 1"),
            "\u{200e}שלום 1\u{200e}",
            "what follows stays at its right"
        );
        assert_eq!(on_screen("\u{200e}a"), "\\u{200e}a", "no mark but ours");
        let piled = format!("a{}", "\u{301}".repeat(9));
        assert_eq!(visible(&piled).matches('\u{301}').count(), MOST_MARKS);
    }

    #[test]
    fn backticks_in_a_sentence_become_code_and_a_lone_one_stays_text() {
        let render = |text| prose(text, markdown, markdown_code);
        assert_eq!(render("run `a b` now"), "run <code>a b</code> now");
        assert_eq!(render("a ` b"), "a &#96; b");
        assert_eq!(render("`x` and `y`"), "<code>x</code> and <code>y</code>");
        assert_eq!(render("`<script>`"), "<code>&#60;script&#62;</code>");
        assert_eq!(render("``"), "&#96;&#96;");
    }
}

//! Texts as YAML has them, so that every reader gets what was meant.

use std::fmt::Write;

/// One scalar in double quotes, whatever is in it.
pub(super) fn scalar(text: &str) -> String {
    // JSON's is one, but for signs that YAML calls line breaks or does not print.
    let json = serde_json::Value::from(text).to_string();
    let is_odd = |sign: char| matches!(sign, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let mut all = String::with_capacity(json.len());
    for sign in json.chars() {
        if is_odd(sign) {
            // Writing into a text cannot fail.
            let _ = write!(all, "\\u{:04x}", u32::from(sign));
        } else {
            all.push(sign);
        }
    }
    all
}

/// A text of many lines below its key, as people wrote it where YAML allows for it.
pub(super) fn block(text: &str, indent: usize) -> String {
    let is_plain = |sign: char| {
        sign == '\n' || (!sign.is_control() && sign != '\u{2028}' && sign != '\u{2029}' && sign != '\u{feff}')
    };
    let ends_once = text.ends_with('\n') && !text.ends_with("\n\n");
    if !ends_once || text.starts_with([' ', '\n']) || !text.chars().all(is_plain) {
        return format!(" {}\n", scalar(text));
    }
    let lines = text.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("{:indent$}{line}\n", ""),
    });
    format!(" |\n{}", lines.collect::<Vec<_>>().concat())
}

/// A list of scalars, one a line.
pub(super) fn list(items: &[String], indent: usize) -> String {
    let lines = items.iter().map(|item| format!("{:indent$}- {}\n", "", scalar(item)));
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_would_read_otherwise_is_quoted() {
        assert_eq!(scalar("a: \"b\"\n#\u{2028}é"), r#""a: \"b\"\n#\u2028é""#);
        assert_eq!(block("a: 1\n\n  b: 2\n", 4), " |\n    a: 1\n\n      b: 2\n");
        for text in ["a", " a\n", "a\n\n", "a\r\n", "a\tb\u{85}\n", ""] {
            assert_eq!(block(text, 4), format!(" {}\n", scalar(text)), "{text:?}");
        }
        assert_eq!(list(&["no".to_owned(), "1".to_owned()], 2), "  - \"no\"\n  - \"1\"\n");
    }
}

//! Text for the log of a job: nothing in it is a command to the runner.
//!
//! The runner (actions/runner, `ActionCommand`) obeys a line that begins, after white space, with `::name …::`, and
//! `##[name …]` anywhere in a line. It compares as its language does, which skips signs that nobody sees.

use std::fmt::Write as _;

/// The text as it may stand in the log of a job: what the runner would obey is shown with a sign between.
///
/// Text without such lines is given back as it is.
#[must_use]
pub fn log_safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let mut seen = line.chars().filter(|sign| !is_skipped(*sign) && !sign.is_whitespace());
        if (seen.next(), seen.next()) == (Some(':'), Some(':')) {
            safe.push_str("| ");
        }
        part_hashes(line, &mut safe);
    }
    safe
}

/// Puts a space into each `##[`.
fn part_hashes(line: &str, safe: &mut String) {
    let mut hashes = 0;
    for sign in line.chars() {
        match sign {
            '#' => hashes += 1,
            '[' if hashes >= 2 => {
                safe.push(' ');
                hashes = 0;
            }
            _ if is_skipped(sign) => {}
            _ => hashes = 0,
        }
        safe.push(sign);
    }
}

/// What a comparison by language does not see, beside what [`visible`](super::visible) shows.
fn is_skipped(sign: char) -> bool {
    (sign.is_control() && !sign.is_whitespace())
        || super::is_invisible(sign)
        || super::is_mark(sign)
        || matches!(sign, '\u{fe00}'..='\u{fe0f}')
}

/// The data of a workflow command of ours.
#[must_use]
pub fn command_data(text: &str) -> String {
    percent(text, &['%', '\r', '\n'])
}

/// A property of a workflow command of ours.
#[must_use]
pub fn command_property(text: &str) -> String {
    percent(text, &['%', '\r', '\n', ':', ','])
}

fn percent(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        if special.contains(&sign) {
            let _ = write!(escaped, "%{:02X}", u32::from(sign));
        } else {
            escaped.push(sign);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runner_would_obey_is_shown() {
        for (text, safe) in [
            ("::error::x", "| ::error::x"),
            ("  \t::set-output name=a::b\n", "|   \t::set-output name=a::b\n"),
            ("a\r::error::x", "a\r| ::error::x"),
            ("\u{200b}:\u{ad}:error::x", "| \u{200b}:\u{ad}:error::x"),
            ("a ##[error]b", "a ## [error]b"),
            ("###[error]", "### [error]"),
            ("#\u{200b}#[error]", "#\u{200b}# [error]"),
        ] {
            assert_eq!(log_safe(text), safe, "{text:?}");
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        let text = "a::b\n # title [x]\n std::fmt #[test]\n|::|\n{\"a\": \"#[x]\"}\n";
        assert_eq!(log_safe(text), text);
    }

    #[test]
    fn a_command_of_ours_ends_where_we_end_it() {
        assert_eq!(command_data("100 %\r\n::x"), "100 %25%0D%0A::x");
        assert_eq!(command_property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}

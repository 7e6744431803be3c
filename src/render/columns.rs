//! What stands in one column: numbers with their decimal points under one another, and names by the room that a screen
//! gives them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::format::SPACE;
use crate::verdict::wording::THIN;

/// What parts two numbers of one text.
const JOINTS: [char; 2] = ['…', '→'];

/// How many columns of a screen a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text where it fits, else its beginning and `…`.
pub(super) fn cut_to(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for sign in text.chars() {
        let Some(rest) = left.checked_sub(sign.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        cut.push(sign);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// The texts of one column that stands at its right edge, padded so that the decimal points of their numbers stand under
/// one another, and so do their units.
///
/// A text of several numbers (`11.4 → 12.8 ms`) is aligned at each of them; one without a number stays as it is.
pub(super) fn aligned(texts: &[String]) -> Vec<String> {
    let rows: Vec<Vec<Part>> = texts.iter().map(|text| parts(text)).collect();
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |back: usize| {
        let parts = rows.iter().filter_map(|parts| parts.iter().rev().nth(back));
        parts.fold(Widths::default(), Widths::and)
    };
    let widths: Vec<Widths> = (0..most).map(widest).collect();
    let one = |(text, parts): (&String, &Vec<Part>)| {
        if parts.is_empty() {
            return text.clone();
        }
        let with_widths = parts.iter().enumerate().map(|(at, part)| {
            let widths = widths.get(parts.len() - 1 - at).copied().unwrap_or_default();
            part.set(widths, at > 0)
        });
        with_widths.collect()
    };
    texts.iter().zip(&rows).map(one).collect()
}

/// One number with what stands around it.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    /// What parts it from the number before.
    joint: Option<char>,
    /// Up to the decimal point.
    whole: &'a str,
    /// From the decimal point on.
    decimals: &'a str,
    /// Its unit, or what else follows.
    rest: &'a str,
}

/// Room for the widest of each.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    whole: usize,
    decimals: usize,
    rest: usize,
}

impl Widths {
    fn and(self, part: &Part<'_>) -> Self {
        Self {
            whole: self.whole.max(width(part.whole)),
            decimals: self.decimals.max(width(part.decimals)),
            rest: self.rest.max(width(part.rest)),
        }
    }
}

impl Part<'_> {
    fn set(&self, widths: Widths, is_padded: bool) -> String {
        let mut text = String::new();
        if let Some(joint) = self.joint {
            text.extend([SPACE, joint, SPACE]);
        }
        // Before the first number of a row the table pads.
        if is_padded {
            pad(&mut text, widths.whole.saturating_sub(width(self.whole)));
        }
        text.push_str(self.whole);
        for (part, room) in [(self.decimals, widths.decimals), (self.rest, widths.rest)] {
            text.push_str(part);
            pad(&mut text, room.saturating_sub(width(part)));
        }
        text
    }
}

/// No-break spaces: a table does not take them away.
fn pad(text: &mut String, columns: usize) {
    text.extend(std::iter::repeat_n(SPACE, columns));
}

/// The numbers of a text; none where it has none.
fn parts(text: &str) -> Vec<Part<'_>> {
    if !text.contains(|sign: char| sign.is_ascii_digit()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (mut joint, mut rest) = (None, text);
    while let Some((before, after)) = rest.split_once(JOINTS) {
        found.push(part(joint, before));
        joint = rest.get(before.len()..).and_then(|at| at.chars().next());
        rest = after;
    }
    found.push(part(joint, rest));
    found
}

fn part(joint: Option<char>, text: &str) -> Part<'_> {
    let text = text.trim_matches([' ', SPACE]);
    let is_whole = |sign: char| sign.is_ascii_digit() || sign == THIN;
    let start = text.find(|sign: char| sign.is_ascii_digit()).unwrap_or(text.len());
    let (_, number) = text.split_at(start);
    let end = number.find(|sign| !is_whole(sign)).unwrap_or(number.len());
    let (whole, after) = text.split_at(start + end);
    let digits = after.strip_prefix('.').unwrap_or("");
    let decimals = digits.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(digits.len());
    let (decimals, rest) = after.split_at(if decimals == 0 { 0 } else { decimals + 1 });
    Part {
        joint,
        whole,
        decimals,
        rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        let set = aligned(&texts);
        let widest = set.iter().map(|text| width(text)).max().unwrap_or(0);
        let at_right = |text: &String| format!("{}{text}", " ".repeat(widest - width(text))).replace(SPACE, " ");
        set.iter().map(at_right).collect()
    }

    #[test]
    fn decimal_points_and_units_stand_under_one_another() {
        assert_eq!(
            column(&["12.43", "141.3", "12\u{202f}395", "not measured"]),
            ["       12.43", "      141.3 ", "   12\u{202f}395   ", "not measured"]
        );
        assert_eq!(
            column(&["≤ +5.0 %", "≥ −10.0 %", "≤ +50 ms", "≤ +2.25 %"]),
            [" ≤ +5.0  % ", "≥ −10.0  % ", "≤ +50    ms", " ≤ +2.25 % "]
        );
    }

    #[test]
    fn a_text_of_two_numbers_is_aligned_at_both() {
        assert_eq!(
            column(&[
                "11.42 → 12.8 ms",
                "182.4 → 1208.5 ms",
                "12 → 11 tokens/s",
                "not measured"
            ]),
            [
                " 11.42 →   12.8 ms      ",
                "182.4  → 1208.5 ms      ",
                " 12    →   11   tokens/s",
                "            not measured",
            ]
        );
        assert_eq!(
            column(&["+11.0 … +13.2 %", "−0.4 … +8.3 %", ""]),
            ["+11.0 … +13.2 %", " −0.4 …  +8.3 %", "               "]
        );
    }

    #[test]
    fn a_name_is_cut_where_the_screen_ends() {
        assert_eq!(cut_to("模型 a", 6), "模型 a");
        assert_eq!(cut_to("模型模型", 6), "模型…");
        assert_eq!(cut_to("模型模型", 5), "模型…");
        assert_eq!(cut_to("abc", 0), "");
        assert!(width(&cut_to("🙂🙂🙂🙂", 4)) <= 4);
    }
}

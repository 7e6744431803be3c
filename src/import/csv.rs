//! Comma-separated values, as tables of people and of tools have them.

use std::{iter::Peekable, path::Path, str::Chars};

use super::{ImportError, run::bad};

/// Rows with the number of their line, as RFC 4180 has them; `;` and tab part fields too where the header has no comma. A quote
/// opens a field at its beginning alone: elsewhere it is a sign like others (`5" disk`).
pub(super) struct Rows<'a> {
    signs: Peekable<Chars<'a>>,
    comma: char,
    /// Of the line that is read.
    number: usize,
}

/// What is no row, by the line in which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote is open at the end of the file.
    Open(usize),
    /// Something stands behind a closing quote.
    Behind(usize),
}

impl Broken {
    /// As an error of a file.
    pub(super) fn of(self, path: &Path) -> ImportError {
        let (line, problem) = match self {
            Self::Open(line) => (
                line,
                "opens a quote that is still open at the end of the file: was it cut?",
            ),
            Self::Behind(line) => (
                line,
                "has something behind the closing quote of a field; double a quote that is part of a field",
            ),
        };
        bad(path, &format!("line {line}"), problem.to_owned())
    }
}

/// Where a reader stands in a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Open,
    Closed,
}

/// The rows of a text, one after the other.
pub(super) fn rows(text: &str) -> Rows<'_> {
    let header = text.lines().next().unwrap_or_default();
    let comma = [',', ';', '\t'].into_iter().find(|sign| header.contains(*sign));
    Rows {
        signs: text.chars().peekable(),
        comma: comma.unwrap_or(','),
        number: 1,
    }
}

impl Rows<'_> {
    /// One field, and whether another one follows in its row.
    fn field(&mut self) -> Result<(String, bool), Broken> {
        let (mut field, mut quote, mut opened) = (String::new(), Quote::None, self.number);
        while let Some(sign) = self.signs.next() {
            let line = self.number;
            self.number += usize::from(sign == '\n');
            match (sign, quote) {
                ('"', Quote::Open) if self.signs.peek() == Some(&'"') => field.extend(self.signs.next()),
                ('"', Quote::Open) => quote = Quote::Closed,
                (sign, Quote::Open) => field.push(sign),
                ('"', Quote::None) if field.trim().is_empty() => {
                    field.clear();
                    (quote, opened) = (Quote::Open, line);
                }
                ('\r', _) => {}
                ('\n', _) => return Ok((trimmed(field), false)),
                (sign, _) if sign == self.comma => return Ok((trimmed(field), true)),
                (sign, Quote::Closed) if sign.is_whitespace() => {}
                (_, Quote::Closed) => return Err(Broken::Behind(opened)),
                (sign, Quote::None) => field.push(sign),
            }
        }
        if quote == Quote::Open {
            return Err(Broken::Open(opened));
        }
        Ok((trimmed(field), false))
    }
}

fn trimmed(field: String) -> String {
    if field.trim().len() == field.len() {
        return field;
    }
    field.trim().to_owned()
}

impl Iterator for Rows<'_> {
    type Item = Result<(usize, Vec<String>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        self.signs.peek()?;
        let (began, mut row) = (self.number, Vec::new());
        loop {
            match self.field() {
                Ok((field, goes_on)) => {
                    row.push(field);
                    if !goes_on {
                        return Some(Ok((began, row)));
                    }
                }
                Err(broken) => {
                    // Nothing behind it is what it seems.
                    self.signs = "".chars().peekable();
                    return Some(Err(broken));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(usize, Vec<String>)>, Broken> {
        rows(text).collect()
    }

    #[test]
    fn fields_may_hold_what_parts_them() {
        for (text, expected) in [
            (
                "a,b\n1,\"x, \"\"y\"\"\nz\"\n",
                vec![(1, vec!["a", "b"]), (2, vec!["1", "x, \"y\"\nz"])],
            ),
            ("a;b\r\n1;2", vec![(1, vec!["a", "b"]), (2, vec!["1", "2"])]),
            ("a,b\n \"1\" ,\n", vec![(1, vec!["a", "b"]), (2, vec!["1", ""])]),
            ("", vec![]),
        ] {
            let expected: Vec<(usize, Vec<String>)> = expected
                .into_iter()
                .map(|(number, row)| (number, row.into_iter().map(str::to_owned).collect()))
                .collect();
            assert_eq!(all(text), Ok(expected));
        }
    }

    #[test]
    fn a_stray_quote_swallows_nothing() {
        let found = all("a,note\n1,5\" disk\n2,ok\n").unwrap_or_default();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3]);
        assert_eq!(
            found.get(1).map(|(_, row)| row.join("|")).as_deref(),
            Some("1|5\" disk")
        );
        assert_eq!(all("a,note\n1,\"5 disk\n2,ok\n"), Err(Broken::Open(2)));
        assert_eq!(all("a,note\n1,\"5 disk\n2,\"ok\"\n"), Err(Broken::Behind(2)));
    }
}

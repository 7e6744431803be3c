//! Rows of CSV, and numbers as the tools write them.

/// The rows of a text, quotes taken off; `None` where a quote is never closed.
pub(super) fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let (mut is_quoted, mut has_any) = (false, false);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if is_quoted && signs.peek() == Some(&'"') => {
                signs.next();
                field.push('"');
            }
            '"' => {
                is_quoted = !is_quoted;
                has_any = true;
            }
            ',' if !is_quoted => {
                row.push(std::mem::take(&mut field));
                has_any = true;
            }
            '\r' if !is_quoted && signs.peek() == Some(&'\n') => {}
            '\n' if !is_quoted => {
                if has_any || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                has_any = false;
            }
            sign => field.push(sign),
        }
    }
    if has_any || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    (!is_quoted).then_some(rows)
}

/// Where the first line begins that is the header, by its first fields.
pub(super) fn line_that(text: &str, is_header: impl Fn(&str) -> bool) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_header(line.trim_end()) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// A number with commas between thousands (`10,240,000`, `4,963,609,951.19`); `None` for what only looks like one (`74,1`).
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.trim_start_matches('-');
    let mut groups = digits.split(',');
    let first = groups.next()?;
    let is_grouped = groups.clone().next().is_none() || (1..=3).contains(&first.len());
    if !is_grouped || groups.any(|group| group.len() != 3) || fraction.contains(',') {
        return None;
    }
    text.replace(',', "")
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// How many nanoseconds a unit of time has, in any of the tools' spellings.
pub(super) fn unit_ns(unit: &str) -> Option<f64> {
    match unit.trim() {
        "ns" | "nsecond" | "nsec" => Some(1.0),
        "us" | "usecond" | "usec" | "μs" | "µs" => Some(1e3),
        "ms" | "msecond" | "msec" => Some(1e6),
        "s" | "second" | "sec" => Some(1e9),
        _ => None,
    }
}

/// Whole nanoseconds of a time; `None` where it is negative or beyond any capture.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie in the range, and a float cast saturates"
)]
pub(super) fn whole(number: f64) -> Option<u64> {
    (0.0..1e18).contains(&number).then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_quotes_and_line_ends_inside_of_quotes_belong_to_the_field() {
        let text = "a,\"b, \"\"c\"\"\nd\",\r\n\n\"\",x\n";
        let expected: Vec<Vec<String>> = [vec!["a", "b, \"c\"\nd", ""], vec!["", "x"]]
            .into_iter()
            .map(|row| row.into_iter().map(str::to_owned).collect())
            .collect();
        assert_eq!(rows(text), Some(expected));
        assert_eq!(rows("a,\"b"), None);
    }

    #[test]
    fn thousands_are_numbers_and_a_decimal_comma_is_none() {
        for (text, expected) in [
            ("10,240,000", Some(10_240_000.0)),
            ("4,963,609,951.19", Some(4_963_609_951.19)),
            ("74.1", Some(74.1)),
            ("1234567", Some(1_234_567.0)),
            ("74,1", None),
            ("1234,567", None),
            ("n/a", None),
            ("", None),
            ("nan", None),
            ("1.5,000", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}

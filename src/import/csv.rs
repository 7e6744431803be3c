//! Comma-separated values, as tables of people and of tools have them.

/// Rows with the number of their line, as RFC 4180 has them; `;` and tab part fields too where the header has no comma.
pub(super) fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
    let header = text.lines().next().unwrap_or_default();
    let comma = [',', ';', '\t']
        .into_iter()
        .find(|sign| header.contains(*sign))
        .unwrap_or(',');
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut is_quoted, mut number, mut began) = (false, 1, 1);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        number += usize::from(sign == '\n');
        match sign {
            '"' if is_quoted && signs.peek() == Some(&'"') => field.extend(signs.next()),
            '"' => is_quoted = !is_quoted,
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut field).trim().to_owned());
                rows.push((began, std::mem::take(&mut row)));
                began = number;
            }
            sign if sign == comma && !is_quoted => row.push(std::mem::take(&mut field).trim().to_owned()),
            sign => field.push(sign),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field.trim().to_owned());
        rows.push((began, row));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_hold_what_parts_them() {
        for (text, expected) in [
            (
                "a,b\n1,\"x, \"\"y\"\"\nz\"\n",
                vec![(1, vec!["a", "b"]), (2, vec!["1", "x, \"y\"\nz"])],
            ),
            ("a;b\r\n1;2", vec![(1, vec!["a", "b"]), (2, vec!["1", "2"])]),
            ("", vec![]),
        ] {
            let expected: Vec<(usize, Vec<String>)> = expected
                .into_iter()
                .map(|(number, row)| (number, row.into_iter().map(str::to_owned).collect()))
                .collect();
            assert_eq!(rows(text), expected);
        }
    }
}

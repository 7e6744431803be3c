//! Numbers with their nouns.

/// A count with its noun (`1 row`, `3 rows`).
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "row")),
            ["0 rows", "1 row", "2 rows"]
        );
    }
}

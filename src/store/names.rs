//! What a baseline may be called: names and hashes become file names and words on a command line.

use super::StoreError;

const MAX_LENGTH: usize = 64;

/// Checks a name against `^[a-z0-9][a-z0-9._-]{0,63}$`.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    let begins_well = name.bytes().next().is_some_and(plain);
    let whole = name.bytes().all(|sign| plain(sign) || b"._-".contains(&sign));
    if begins_well && whole && name.len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(StoreError::BadName {
        text: name.into(),
        what: "the name of a baseline",
        rule: "use 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, beginning with a letter or digit",
    })
}

/// Checks that a hash can stand in a file name.
pub(super) fn check_hash(hash: &str) -> Result<(), StoreError> {
    let plain = !hash.is_empty() && hash.bytes().all(|sign| sign.is_ascii_alphanumeric());
    if plain && hash.len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(StoreError::BadName {
        text: hash.into(),
        what: "a fingerprint",
        rule: "use 1 to 64 letters and digits",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_neither_leave_the_directory_nor_hide_in_it() {
        for good in ["main", "llama-h100.v2", "0", "a_b", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "..",
            ".",
            ".x",
            "-x",
            "a/b",
            "a\\b",
            "Main",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fingerprint_is_letters_and_digits() {
        assert!(check_hash("00ff12ab").is_ok());
        for bad in ["", "../x", "a-b", "a.b"] {
            assert!(check_hash(bad).is_err(), "{bad}");
        }
    }
}

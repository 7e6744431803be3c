//! A command in one text, split into program and arguments. There is no shell: what only a shell would understand is
//! refused, instead of being handed to the program as it stands.

/// What has a meaning to a shell alone.
const OPERATORS: [&str; 10] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"];

/// Program and arguments: words between blanks; `'…'`, `"…"` and `\` keep blanks.
///
/// # Errors
/// A sentence on a quote that is not closed, on a text without words, or on a word that is the shell's.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    let mut signs = text.chars();
    let mut word: Option<String> = None;
    while let Some(sign) = signs.next() {
        match sign {
            '\'' | '"' => quoted(&mut signs, sign, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().extend(signs.next()),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    let Some(program) = words.first() else {
        return Err("the command is empty; give program and arguments".into());
    };
    if is_assignment(program) {
        return Err(format!(
            "`{program}` sets a variable, as a shell would; give it under `env`"
        ));
    }
    match words.iter().find(|word| OPERATORS.contains(&word.as_str())) {
        Some(operator) => Err(format!(
            "`{operator}` needs a shell, and there is none; give `[sh, -c, \"exec …\"]`"
        )),
        None => Ok(words),
    }
}

/// Takes the rest of a quoted part into a word; a backslash keeps the next sign within `"…"` alone.
fn quoted(signs: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), String> {
    while let Some(sign) = signs.next() {
        match sign {
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => word.extend(signs.next()),
            other => word.push(other),
        }
    }
    Err(format!("a `{quote}` is not closed"))
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|sign: char| sign.is_ascii_digit())
            && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_is_split_at_blanks_outside_quotes() {
        for (text, expected) in [
            ("serve --port {port}", vec!["serve", "--port", "{port}"]),
            ("  a\t b\n", vec!["a", "b"]),
            (r#"a "b c" 'd "e"' f\ g"#, vec!["a", "b c", "d \"e\"", "f g"]),
            (r#"a "" 'x'y"z" "\"""#, vec!["a", "", "xyz", "\""]),
            ("a k=v", vec!["a", "k=v"]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for (text, reason) in [
            ("", "empty"),
            ("  ", "empty"),
            ("a 'b", "`'` is not closed"),
            ("a \"b", "`\"` is not closed"),
            ("a | b", "`|` needs a shell"),
            ("a 2>&1", "`2>&1` needs a shell"),
            ("CUDA_VISIBLE_DEVICES=0 a", "give it under `env`"),
        ] {
            let error = words(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back_as_they_were(list in prop::collection::vec("[^']{0,8}", 1..6)) {
            let mut list = list;
            list.insert(0, "program".to_owned());
            prop_assume!(!list.iter().any(|word| OPERATORS.contains(&word.as_str())));
            let text: Vec<String> = list.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(words(&text.join(" ")).unwrap(), list);
        }
    }
}

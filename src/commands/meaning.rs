//! What must stand in files and reports as it is: a key whose value is part of it could not be told from it, and is refused before
//! anything is measured.

use serde_json::Value;

use super::{CommandError, guard::Guard};
use crate::{
    plan::{FromVariable, Plan, Secrets},
    render,
    session::Session,
    store,
};

/// Words that reports have besides those that their schemas name.
const WORDS: [&str; 2] = ["baseline", "candidate"];

/// Refuses a value that is part of the plan, or of the words that files and reports are made of.
///
/// # Errors
/// One is.
pub(super) fn refuse_in_plan(secrets: &Secrets, plan: &Plan) -> Result<(), CommandError> {
    if let Some(word) = secrets.from_variables.iter().find(|own| is_word(&own.value)) {
        return Err(refused(word, "a word that every report is made of"));
    }
    if secrets.from_variables.is_empty() {
        return Ok(());
    }
    let mut texts = Vec::new();
    texts_of(parsed(&store::plan_json(plan)?), &mut texts);
    texts.extend(plan.loads.iter().map(|load| plan.cell_name(load)));
    refuse(secrets, &texts, "part of the plan")
}

/// The same of a session without runs: what the server says it is, too, decides what may be compared.
///
/// # Errors
/// One is.
pub(super) fn refuse_in_session(secrets: &Secrets, session: &Session) -> Result<(), CommandError> {
    if secrets.from_variables.is_empty() {
        return Ok(());
    }
    let mut texts = Vec::new();
    texts_of(parsed(&store::session_json(session)?), &mut texts);
    refuse(
        secrets,
        &texts,
        "part of what the server or this machine says it is (its model, say)",
    )
}

/// Whether a value is part of a word that files and reports are made of: it is no secret then.
pub(super) fn is_word(value: &str) -> bool {
    let guard = Guard::of([value.to_owned()]);
    !guard.is_empty() && words().iter().any(|word| guard.finds(word))
}

fn refuse(secrets: &Secrets, texts: &[String], what: &str) -> Result<(), CommandError> {
    let is_part = |own: &&FromVariable| {
        let guard = Guard::of([own.value.clone()]);
        texts.iter().any(|text| guard.finds(text))
    };
    match secrets.from_variables.iter().find(is_part) {
        Some(own) => Err(refused(own, what)),
        None => Ok(()),
    }
}

fn refused(own: &FromVariable, what: &str) -> CommandError {
    let (key, variable) = (&own.key, &own.variable);
    CommandError::Usage(format!(
        "the value of `{variable}` (`{key}`) is {what}, and what comes from a variable is a secret, which would be replaced there; a \
         value that is no secret is written as text in the configuration, and a secret stands nowhere else"
    ))
}

/// The words that the schemas of sessions, results and reports name.
fn words() -> Vec<String> {
    let schemas = [
        store::session_schema(),
        store::result_schema(),
        render::report_schema().unwrap_or_default(),
    ];
    let mut words: Vec<String> = WORDS.map(str::to_owned).to_vec();
    for schema in schemas {
        words_of(parsed(&schema), &mut words);
    }
    words
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

fn words_of(schema: Value, words: &mut Vec<String>) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("const" | "enum", value) => texts_of(value, words),
                    // A text that has words of its own names them there: the kinds of failures.
                    ("description", Value::String(text)) => {
                        words.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
                    }
                    (_, value) => words_of(value, words),
                }
            }
        }
        Value::Array(values) => values.into_iter().for_each(|value| words_of(value, words)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Its texts, not its keys.
fn texts_of(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| texts_of(value, texts)),
        Value::Object(entries) => entries.into_iter().for_each(|(_, value)| texts_of(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_file_are_no_secrets() {
        for word in [
            "candidate",
            "baseline",
            "completions",
            "inconclusive",
            "regression",
            "perfgate",
            "incomparable",
            "connect_refused",
        ] {
            assert!(is_word(word), "{word}");
        }
        for value in ["cand", "candidates", "sk-0123456789", "staging-eu"] {
            assert!(!is_word(value), "{value}");
        }
    }
}

//! A conversation as `ShareGPT` has it, and what the system says before its user.

use serde_json::{Value, json};

use super::{Prompt, row::Asked};
use crate::{load::dialect::takes_messages, plan::Api};

/// The user's turns of a conversation, each with the answer that comes next; `None` where no user speaks.
///
/// What the system says goes with the user's words that follow it.
pub(super) fn asked(turns: &Value, api: Api) -> Result<Option<Asked<'_>>, String> {
    let list = turns
        .as_array()
        .ok_or("`conversations` is no array; give `[{\"from\": \"human\", \"value\": \"…\"}]`")?;
    let said = list.iter().map(|turn| {
        let text = |names: [&str; 2]| names.iter().find_map(|name| turn.get(*name)?.as_str());
        Some((text(["from", "role"])?, text(["value", "content"])?))
    });
    let said: Option<Vec<(&str, &str)>> = said.collect();
    let said = said.ok_or("a turn of `conversations` lacks `from` or `value`; both are texts")?;
    let is_user = |from: &str| ["human", "user"].contains(&from);
    let next = said.iter().skip(1).map(Some).chain([None]);
    let (mut system, mut turns) = (None, Vec::new());
    for ((from, text), next) in said.iter().zip(next) {
        if *from == "system" {
            system = Some(*text);
        } else if is_user(from) && !text.trim().is_empty() {
            let answer = next.filter(|(from, _)| !is_user(from) && *from != "system");
            let prompt = match system.take() {
                // Only the first turn begins a list of messages.
                Some(system) if !turns.is_empty() => Prompt::Text(format!("{system}\n\n{text}")),
                system => prompt(system, text, api),
            };
            turns.push((prompt, answer.map(|(_, text)| *text)));
        }
    }
    let mut turns = turns.into_iter();
    let Some((prompt, answer)) = turns.next() else {
        return Ok(None);
    };
    let later = turns.collect();
    Ok(Some(Asked { prompt, answer, later }))
}

/// What a user says after the system: two messages, or one text for an API without them.
pub(super) fn prompt(system: Option<&str>, text: &str, api: Api) -> Prompt {
    match system.filter(|system| !system.trim().is_empty()) {
        None => Prompt::Text(text.to_owned()),
        Some(system) if takes_messages(api) => {
            let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": text}]);
            Prompt::Messages(messages.to_string())
        }
        Some(system) => Prompt::Text(format!("{system}\n\n{text}")),
    }
}

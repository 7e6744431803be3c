//! Asks the server how many tokens texts have: its `/tokenize`, or what it counts when it answers them.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    Interrupt, LoadError, PromptSet,
    client::Client,
    dataset::Prompt,
    dialect::{Ask, Payload, Stimulus, Template},
    endpoint::Endpoint,
    server_words,
};
use crate::{
    plan::{Api, Tokenizer},
    session::Outcome,
};

/// A server that needs longer to count a text of a few hundred words is treated as one that does not.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whom to ask, and in which words.
pub(super) struct Counter<'a> {
    pub(super) client: &'a Arc<Client>,
    pub(super) api: Api,
    pub(super) model: Option<&'a str>,
    pub(super) templates: Arc<[Template]>,
}

/// Learns how many tokens the words of the prompts have, as the plan says; Ctrl-C leaves them as they are.
///
/// # Errors
/// The plan names who counts, and it does not.
pub(super) fn fit(
    prompts: &mut PromptSet,
    counter: &Counter<'_>,
    interrupt: &Interrupt,
    run: &dyn Fn(Count<'_>) -> Result<Vec<u32>, String>,
) -> Result<(), LoadError> {
    if !prompts.needs_server() {
        return Ok(());
    }
    let asked = prompts.tokenizer().clone();
    let mut by_page = |texts: &[String]| run(Box::pin(or_interrupted(counter.pages(texts), interrupt)));
    let mut by_answer = |texts: &[String]| run(Box::pin(or_interrupted(counter.answers(texts), interrupt)));
    let learned = match asked {
        Tokenizer::Server => prompts.learn_from_server(&mut by_page),
        Tokenizer::Calibrated => prompts.calibrate(&mut by_answer),
        _ => prompts.learn_from_server(&mut by_page).or_else(|page| {
            let answer = prompts.calibrate(&mut by_answer);
            answer.map_err(|answer| format!("{page}, and {answer}"))
        }),
    };
    match learned {
        Err(reason) if asked == Tokenizer::Auto || interrupt.is_set() => prompts.assume(&reason),
        Err(problem) => return Err(LoadError::Tokens { problem }),
        Ok(()) => {}
    }
    Ok(())
}

/// The counts of some texts, some time.
pub(super) type Count<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u32>, String>> + 'a>>;

async fn or_interrupted(
    counting: impl Future<Output = Result<Vec<u32>, String>>,
    interrupt: &Interrupt,
) -> Result<Vec<u32>, String> {
    tokio::select! {
        biased;
        counts = counting => counts,
        () = interrupt.wait() => Err("interrupted".into()),
    }
}

impl Counter<'_> {
    /// Counts by the server's `/tokenize`.
    async fn pages(&self, texts: &[String]) -> Result<Vec<u32>, String> {
        let mut counts = Vec::with_capacity(texts.len());
        for text in texts {
            counts.push(page(&self.client.endpoint, self.model, text).await?);
        }
        Ok(counts)
    }

    /// Counts by the prompt tokens that the server states in answers of one token.
    async fn answers(&self, texts: &[String]) -> Result<Vec<u32>, String> {
        let payload = |text: &String| Payload::new(self.api, &Prompt::Text(text.clone()), 1);
        let stimulus = Stimulus {
            templates: Arc::clone(&self.templates),
            payloads: texts.iter().map(payload).collect(),
        };
        let mut counts = Vec::with_capacity(texts.len());
        for (index, payload) in (0..).zip(stimulus.payloads.iter()) {
            counts.push(self.answer(index, &stimulus.ask(payload)).await?);
        }
        Ok(counts)
    }

    async fn answer(&self, index: u32, ask: &Ask) -> Result<u32, String> {
        let record = self.client.request(index, ask, None).await.reply.record;
        match (record.input_tokens, record.outcome) {
            (Some(tokens), _) => Ok(tokens),
            (None, Outcome::Completed) => Err("its answers state no `usage.prompt_tokens` that can be true".into()),
            (None, Outcome::Failed(failure)) => Err(format!(
                "a tiny request failed, {}: {}",
                failure.class.key(),
                failure.message
            )),
        }
    }
}

/// The tokens of a text by the server's `/tokenize`, without those that it puts around a prompt.
///
/// One body for all: vLLM and `SGLang` read `prompt` and `add_special_tokens`, llama.cpp `content` and `add_special`, TGI
/// `inputs`.
async fn page(endpoint: &Endpoint, model: Option<&str>, text: &str) -> Result<u32, String> {
    let body = json!({
        "model": model, "prompt": text, "content": text, "inputs": text,
        "add_special_tokens": false, "add_special": false,
    });
    let trouble = |problem: &dyn fmt::Display| {
        let words = endpoint.redact(&problem.to_string());
        format!(
            "the server's `/tokenize` does not count: {}",
            server_words::clip(&words)
        )
    };
    let request = endpoint.post("/tokenize").body(body.to_string()).timeout(TIMEOUT);
    let no_answer = |error: reqwest::Error| trouble(&server_words::chain(&error.without_url()));
    let response = request.send().await.map_err(no_answer)?;
    let status = response.status();
    let body = response.bytes().await.map_err(no_answer)?;
    if !status.is_success() {
        return Err(trouble(&status));
    }
    let answer: Value = serde_json::from_slice(&body).map_err(|error| trouble(&format!("not JSON: {error}")))?;
    count(&answer).ok_or_else(|| trouble(&"it gives neither `count` nor `tokens`"))
}

/// The count in an answer: `count`, or the length of `tokens`, or of the answer itself.
fn count(answer: &Value) -> Option<u32> {
    if let Some(count) = answer.get("count").and_then(Value::as_u64) {
        return u32::try_from(count).ok();
    }
    let tokens = answer.get("tokens").unwrap_or(answer).as_array()?;
    u32::try_from(tokens.len()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_in_the_words_of_each_engine() {
        for (answer, expected) in [
            (json!({"count": 3, "max_model_len": 2048, "tokens": [1, 2, 3]}), Some(3)),
            (json!({"tokens": [1, 2]}), Some(2)),
            (json!([{"id": 1, "text": "a"}]), Some(1)),
            (json!({"error": "no"}), None),
            (json!("tokens"), None),
        ] {
            assert_eq!(count(&answer), expected, "{answer}");
        }
    }
}

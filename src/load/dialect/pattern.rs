//! The next event of a stream is most often the one before it with another text: then only the text is read.
//!
//! What is around the text must be the same to the last byte, and the text must be a JSON string without escapes, as the
//! one that was read whole was. So the two are the same JSON but for that string, and say the same but for that text.

use std::borrow::Cow;

use super::said::{Course, Said, Usage};

/// An event beyond this is not learned, so that ten thousand streams stay small.
const LIMIT_BYTES: usize = 1 << 10;

/// The latest event of a stream that said nothing but a text.
#[derive(Debug, Default)]
pub(in crate::load) struct Pattern {
    /// All of it but the text.
    around: Vec<u8>,
    /// Where in it the text was; 0 while nothing is learned.
    text_at: usize,
}

impl Pattern {
    /// What an event says that differs from the learned one in its text alone; `None` where it has to be read whole.
    pub(in crate::load) fn read<'a>(&self, data: &'a [u8]) -> Option<Said<'a>> {
        let (before, behind) = self.around.split_at_checked(self.text_at)?;
        let text = data.strip_prefix(before)?.strip_suffix(behind)?;
        let is_plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
        if before.is_empty() || text.is_empty() || !text.iter().all(is_plain) {
            return None;
        }
        Some(Said {
            answer: true,
            text: Cow::Borrowed(str::from_utf8(text).ok()?),
            ..Said::default()
        })
    }

    /// Learns from an event that was read whole, if it said nothing but a text.
    pub(in crate::load) fn learn(&mut self, data: &[u8], said: &Said<'_>) {
        if let Some((before, behind)) = around_text(data, said) {
            self.around.clear();
            self.around.extend_from_slice(before);
            self.around.extend_from_slice(behind);
            self.text_at = before.len();
        }
    }
}

/// What stands before and behind the text in the bytes that it was read from.
fn around_text<'a>(data: &'a [u8], said: &Said<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let Said {
        reasoning: false,
        answer: true,
        text: Cow::Borrowed(text),
        usage,
        own_tokens: None,
        finish: None,
        course: Course::GoesOn,
    } = said
    else {
        return None;
    };
    if *usage != Usage::default() || text.is_empty() || data.len() > LIMIT_BYTES {
        return None;
    }
    let at = text.as_ptr().addr().checked_sub(data.as_ptr().addr())?;
    let (before, rest) = data.split_at_checked(at)?;
    let behind = rest.strip_prefix(text.as_bytes())?;
    (before.ends_with(b"\"") && behind.starts_with(b"\"")).then_some((before, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        load::dialect::{Dialect, tests::dialect},
        plan::Api,
    };

    /// Reads a stream whole, and with a pattern; how many events the pattern has spared.
    fn spared(dialect: Dialect, events: &[String]) -> usize {
        let mut pattern = Pattern::default();
        let mut spared = 0;
        for event in events {
            let whole = dialect.event(event.as_bytes());
            if let Some(said) = pattern.read(event.as_bytes()) {
                assert_eq!(format!("{:?}", Ok::<_, String>(said)), format!("{whole:?}"), "{event}");
                spared += 1;
            } else if let Ok(said) = whole {
                pattern.learn(event.as_bytes(), &said);
            }
        }
        spared
    }

    fn chat(text: &str) -> String {
        format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#)
    }

    #[test]
    fn only_the_text_of_a_plain_chunk_is_read_again() {
        let chat_dialect = dialect(Api::Chat, true);
        let stream = |texts: &[&str]| texts.iter().map(|text| chat(text)).collect::<Vec<_>>();
        assert_eq!(spared(chat_dialect, &stream(&["a", " b", "é", "{}", "a"])), 4);
        assert_eq!(
            spared(chat_dialect, &stream(&["a", "", "b\\n", "\\u00e9", "c"])),
            1,
            "empty or escaped"
        );
        assert_eq!(
            spared(chat_dialect, &stream(&["b\\n", "c", "d"])),
            1,
            "of an escaped one nothing is learned"
        );
        assert_eq!(
            spared(chat_dialect, &stream(&["a", "\",\"refusal\":\"no"])),
            0,
            "more than a text"
        );
        let other = chat("b").replace(r#""id":"x""#, r#""id":"y""#);
        assert_eq!(spared(chat_dialect, &[chat("a"), other.clone(), other]), 1);
    }

    #[test]
    fn what_says_more_than_a_text_is_no_pattern() {
        for event in [
            json!({"choices": [{"delta": {"content": "a", "reasoning": "b"}}]}),
            json!({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}),
            json!({"choices": [{"delta": {"content": "a"}}], "usage": {"completion_tokens": 1}}),
            json!({"choices": [{"delta": {"reasoning": "b"}}]}),
            json!({"choices": [{"delta": {"content": ["a"]}}]}),
        ] {
            assert_eq!(
                spared(dialect(Api::Chat, true), &[event.to_string(), event.to_string()]),
                0,
                "{event}"
            );
        }
    }

    #[test]
    fn a_broken_text_is_left_to_the_whole_reader() {
        let mut pattern = Pattern::default();
        let first = chat("T");
        pattern.learn(
            first.as_bytes(),
            &dialect(Api::Chat, true).event(first.as_bytes()).unwrap(),
        );
        let (before, behind) = first.split_once('T').unwrap();
        let with = |text: &[u8]| [before.as_bytes(), text, behind.as_bytes()].concat();
        assert!(pattern.read(&with(b"b")).is_some());
        for text in [&b"\xff"[..], b"\x01", b"\n", b"a\"", b"\\", b""] {
            assert!(pattern.read(&with(text)).is_none(), "{text:?}");
        }
    }

    /// Any JSON, with names that the APIs know among its own.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            prop::sample::select(vec![
                "choices",
                "delta",
                "content",
                "text",
                "reasoning",
                "usage",
                "error",
                "object",
                "type",
                "token",
                "generated_text",
                "text_output",
                "finish_reason",
                "content_block_delta",
                "text_delta",
                "response.output_text.delta",
                "details",
                "stop",
                "None",
                "a",
                "",
            ])
            .prop_map(str::to_owned),
            "[a-z\"\\\\é{}: ]{0,4}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    /// An event that some API sends for a text.
    fn event_of(api: Api, text: &str, extra: &Value) -> Value {
        match api {
            Api::Chat => json!({"choices": [{"delta": {"content": text}, "logprobs": extra}]}),
            Api::Completions => json!({"choices": [{"text": text, "logprobs": extra}]}),
            Api::Responses => json!({"type": "response.output_text.delta", "delta": text, "item_id": extra}),
            Api::Messages => {
                json!({"type": "content_block_delta", "x": extra, "delta": {"type": "text_delta", "text": text}})
            }
            Api::Tgi => json!({"token": {"id": 1, "text": text, "special": false}, "x": extra}),
            _ => json!({"text_output": text, "x": extra}),
        }
    }

    const APIS: [Api; 6] = [
        Api::Chat,
        Api::Completions,
        Api::Responses,
        Api::Messages,
        Api::Tgi,
        Api::KserveGenerate,
    ];

    #[test]
    fn every_api_s_stream_has_a_pattern() {
        for api in APIS {
            let events = ["a", "b", "c"].map(|text| event_of(api, text, &Value::Null).to_string());
            assert!(spared(dialect(api, true), &events) >= 1, "{api:?}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_of_reading_agree_on_any_json(events in prop::collection::vec(any_json(), 1..8)) {
            let events: Vec<String> = events.iter().flat_map(|event| [event.to_string(), event.to_string()]).collect();
            for api in APIS {
                spared(dialect(api, true), &events);
            }
        }

        #[test]
        fn both_ways_of_reading_agree_on_streams(
            texts in prop::collection::vec("[a-c\"\\\\é\u{1} \n]{0,3}|None|stop|.{0,3}", 1..8),
            extra in any_json(),
        ) {
            for api in APIS {
                let events: Vec<String> =
                    texts.iter().map(|text| event_of(api, text, &extra).to_string()).collect();
                spared(dialect(api, true), &events);
                // As they stand, not as JSON escapes them.
                let marked = event_of(api, "\u{2603}", &extra).to_string();
                let events: Vec<String> = texts.iter().map(|text| marked.replace('\u{2603}', text)).collect();
                spared(dialect(api, true), &events);
            }
        }
    }
}

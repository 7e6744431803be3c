//! A local `tokenizer.json`: counts the tokens of a text, and mends a text until its count is right.

use std::{cmp::Ordering, fs, path::Path, str::FromStr as _};

use tokenizers::Tokenizer;

use super::{
    LoadError,
    hash::sha256_hex,
    vocabulary::{Effort, Vocabulary},
};

/// Most steps in which a text is mended; each halves what is missing or takes off what is too much.
const STEPS: usize = 64;

/// Words of the tokenizer's own, where the common ones are not among its tokens.
const OWN_WORDS: usize = 256;

/// A tokenizer in memory.
pub(super) struct Local {
    tokenizer: Tokenizer,
}

/// A tokenizer file that was read.
pub(super) struct TokenizerFile {
    /// Words of prompts; it counts each prompt.
    pub(super) vocabulary: Vocabulary,
    /// Counts any text.
    pub(super) local: std::sync::Arc<Local>,
    /// SHA-256 of the file's bytes in hex.
    pub(super) sha256: String,
}

/// Reads a `tokenizer.json`.
///
/// # Errors
/// The file is unreadable, is no tokenizer, or counts nothing.
pub(super) fn read(path: &Path) -> Result<TokenizerFile, LoadError> {
    let refuse = |problem: String| LoadError::Tokenizer {
        path: path.to_owned(),
        problem,
    };
    let bytes = fs::read(path).map_err(|error| refuse(format!("{error}; give the path of a `tokenizer.json`")))?;
    let sha256 = sha256_hex(&bytes);
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8; give a `tokenizer.json`".into()))?;
    let tokenizer = Tokenizer::from_str(&text)
        .map_err(|error| refuse(format!("it is no tokenizer of Hugging Face's format ({error})")))?;
    let local = std::sync::Arc::new(Local { tokenizer });
    let vocabulary = local.vocabulary().map_err(refuse)?;
    Ok(TokenizerFile {
        vocabulary: vocabulary.checked_by(std::sync::Arc::clone(&local)),
        local,
        sha256,
    })
}

impl Local {
    /// The tokens of a text, without those that a server puts around it.
    pub(super) fn count(&self, text: &str) -> u32 {
        self.try_count(text).unwrap_or(0)
    }

    fn try_count(&self, text: &str) -> Result<u32, String> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|error| error.to_string())?;
        u32::try_from(encoding.len()).map_err(|error| error.to_string())
    }

    /// Common words that are one token each; where there are too few of them, words of the tokenizer's own.
    fn vocabulary(&self) -> Result<Vocabulary, String> {
        let mut measure = |texts: &[String]| texts.iter().map(|text| self.try_count(text)).collect();
        let common = Vocabulary::learn(&mut measure, Effort::Thorough)?;
        if common.vocabulary.is_exact() {
            return Ok(common.vocabulary);
        }
        let own = Vocabulary::learn_from(&self.own_words(), &mut measure, Effort::Thorough);
        let better = own.ok().filter(|own| own.vocabulary.is_exact());
        Ok(better.unwrap_or(common).vocabulary)
    }

    /// Words that stand in the tokenizer's table with the sign for a space before them, in alphabetical order.
    fn own_words(&self) -> Vec<String> {
        let table = self.tokenizer.get_vocab(false);
        let mut words: Vec<String> = table
            .keys()
            .filter_map(|token| token.strip_prefix(['Ġ', '▁']))
            .filter(|word| (2..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .map(str::to_owned)
            .collect();
        words.sort();
        words.truncate(OWN_WORDS);
        words
    }

    /// The text with words added or taken from its end until it has the length; as near as can be, where none has.
    pub(super) fn mended(&self, mut text: String, tokens: u32, words: &[String]) -> String {
        for step in 0..STEPS {
            let have = self.count(&text);
            match have.cmp(&tokens) {
                Ordering::Equal => return text,
                Ordering::Greater => shorten(&mut text, have - tokens),
                Ordering::Less => match self.longer(&text, have, tokens, words) {
                    Some(longer) => text = longer,
                    // Nothing fits after this word; another one may end so that something does.
                    None if step + 1 < STEPS => shorten(&mut text, 1),
                    None => {}
                },
            }
        }
        text
    }

    /// The text with the most of something after it that does not make it too long.
    fn longer(&self, text: &str, have: u32, tokens: u32, words: &[String]) -> Option<String> {
        let letters = ["a", "e", "i", "o", "1", ".", "!"].map(str::to_owned);
        let spaced = words.iter().take(8).map(|word| format!(" {word}"));
        let units: Vec<String> = spaced.chain(letters).collect();
        let mut times = tokens - have;
        while times > 0 {
            for unit in &units {
                let longer = format!("{text}{}", unit.repeat(usize::try_from(times).unwrap_or(1)));
                if (have + 1..=tokens).contains(&self.count(&longer)) {
                    return Some(longer);
                }
            }
            times /= 2;
        }
        None
    }
}

/// Takes the last words off, but never the whole text.
fn shorten(text: &mut String, words: u32) {
    for _ in 0..words.min(1 + words / 4) {
        match text.rfind(' ') {
            Some(space) => text.truncate(space),
            None if text.chars().count() > 1 => {
                text.pop();
            }
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::load::synthetic;

    /// The signs that byte-level tokenizers have for bytes: printable ones stand for themselves.
    fn byte_signs() -> Vec<char> {
        let plain = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let mut next = 256;
        let sign = |byte: u32| {
            let code = if plain(byte) {
                byte
            } else {
                next += 1;
                next - 1
            };
            char::from_u32(code).unwrap()
        };
        (0..256).map(sign).collect()
    }

    /// A byte-level BPE whose tokens are all bytes and these words, with and without a space before them.
    fn byte_level(words: &[&str]) -> Value {
        let mut tokens: Vec<String> = byte_signs().iter().map(char::to_string).collect();
        let mut merges: Vec<[String; 2]> = Vec::new();
        for word in words.iter().flat_map(|word| [(*word).to_owned(), format!("Ġ{word}")]) {
            let signs: Vec<char> = word.chars().collect();
            for end in 2..=signs.len() {
                let (left, right) = (String::from_iter(&signs[..end - 1]), signs[end - 1].to_string());
                let whole = format!("{left}{right}");
                if !tokens.contains(&whole) {
                    tokens.push(whole);
                    merges.push([left, right]);
                }
            }
        }
        let vocab: serde_json::Map<String, Value> = tokens
            .into_iter()
            .enumerate()
            .map(|(id, token)| (token, json!(id)))
            .collect();
        let byte_level =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": vocab, "merges": merges}
        })
    }

    fn local(json: &Value) -> TokenizerFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        fs::write(&path, json.to_string()).unwrap();
        read(&path).unwrap()
    }

    /// A tokenizer that knows many common words, one that knows few others, and one that knows bytes only.
    fn kinds() -> [TokenizerFile; 3] {
        let common: Vec<&str> =
            "the of and to in is that for it as was with be by on not he his but at are this have from"
                .split(' ')
                .collect();
        [
            local(&byte_level(&common)),
            local(&byte_level(&["zig", "zag", "foo", "the"])),
            local(&byte_level(&[])),
        ]
    }

    #[test]
    fn every_length_is_exact_whatever_the_tokenizer() {
        for (at, kind) in kinds().iter().enumerate() {
            for tokens in (1..=64).chain([100, 511, 512, 1000, 4096]) {
                let text = synthetic::prompt(42, u64::from(tokens), tokens, &kind.vocabulary);
                assert_eq!(kind.local.count(&text), tokens, "tokenizer {at}: `{text}`");
            }
        }
    }

    #[test]
    fn prompts_of_one_block_differ_and_the_same_place_has_the_same_one() {
        for (at, kind) in kinds().iter().enumerate() {
            let text = |id| synthetic::prompt(42, id, 64, &kind.vocabulary);
            let blocks: BTreeSet<String> = (0..200).map(|id| text(id).chars().take(60).collect()).collect();
            assert_eq!(blocks.len(), 200, "tokenizer {at}");
            assert_eq!(text(7), text(7));
        }
    }

    #[test]
    fn a_file_that_is_no_tokenizer_says_what_to_give() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        let missing = read(&path).err().unwrap().to_string();
        assert!(
            missing.contains("t.json") && missing.contains("`tokenizer.json`"),
            "{missing}"
        );
        fs::write(&path, "{}").unwrap();
        let wrong = read(&path).err().unwrap().to_string();
        assert!(wrong.contains("no tokenizer"), "{wrong}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_length_is_exact_for_any_seed(tokens in 1_u32..4097, seed: u64, id in 0_u64..1 << 40) {
            static KIND: std::sync::LazyLock<[TokenizerFile; 3]> = std::sync::LazyLock::new(kinds);
            for kind in &*KIND {
                let text = synthetic::prompt(seed, id, tokens, &kind.vocabulary);
                prop_assert_eq!(kind.local.count(&text), tokens);
            }
        }
    }

    #[test]
    fn a_vocabulary_is_shared_without_a_copy_of_the_tokenizer() {
        let kind = local(&byte_level(&["the"]));
        let copy = kind.vocabulary.clone();
        assert_eq!(Arc::strong_count(&kind.local), 3);
        drop(copy);
    }
}

//! What the name of a range says: a step, a pass of the model with its batch, or just a place.

use crate::op_table::Phase;

/// What a range marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profile) enum Mark {
    /// A step of torch.profiler's schedule.
    Step,
    /// A pass of the model, and what was in its batch where the engine says so.
    Pass(Phase, Option<String>),
    /// A place inside of a pass.
    Place,
}

impl Mark {
    /// By the names that engines give.
    pub(in crate::profile) fn of(name: &str) -> Self {
        if name.starts_with("ProfilerStep#") {
            return Self::Step;
        }
        if let Some(batch) = batch_of(name) {
            return batch;
        }
        let word = name.trim_end_matches(|sign: char| sign.is_ascii_digit());
        let word = word.trim_end_matches(['_', '#', '.', ' ', '-']).to_ascii_lowercase();
        let word = word.strip_suffix("step").unwrap_or(&word);
        match word.trim_end_matches(['_', ' ', '-']) {
            "prefill" | "extend" => Self::Pass(Phase::Prefill, None),
            "decode" => Self::Pass(Phase::Decode, None),
            _ => Self::Place,
        }
    }
}

/// vLLM's names: `execute_context_1(48)_generation_2(2)`, in detail `execute_50_context_1(sq48sk48…)_generation_2(sq2sk90…)`;
/// before, `execute_new_1_cached_2`.
fn batch_of(name: &str) -> Option<Mark> {
    let rest = name.strip_prefix("execute_")?;
    if let Some(rest) = rest.strip_prefix("new_") {
        let (prompts, decoding) = rest.split_once("_cached_")?;
        return Some(pass((number(prompts)?, None), (number(decoding)?, None)));
    }
    let (_, rest) = rest.split_once("context_")?;
    let (context, generation) = rest.split_once("_generation_")?;
    Some(pass(counts(context)?, counts(generation)?))
}

/// Requests and their tokens: `1(48)`, `1(sq48sk48sqsq2304)`.
fn counts(text: &str) -> Option<(u64, Option<u64>)> {
    let (requests, tokens) = text.split_once('(')?;
    let tokens = tokens.strip_prefix("sq").unwrap_or(tokens);
    Some((number(requests)?, Some(number(tokens)?)))
}

/// The digits at the beginning.
fn number(text: &str) -> Option<u64> {
    let end = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn pass((prompts, read): (u64, Option<u64>), (decoding, written): (u64, Option<u64>)) -> Mark {
    let read = read.map_or_else(String::new, |tokens| format!(" of {tokens} tokens"));
    let written = written
        .filter(|tokens| *tokens != decoding)
        .map_or_else(String::new, |tokens| format!(" with {tokens} tokens"));
    let plural = |count| if count == 1 { "" } else { "s" };
    let prompt = format!("{prompts} prompt{}{read}", plural(prompts));
    let request = format!("{decoding} request{}{written}", plural(decoding));
    match (prompts > 0, decoding > 0) {
        (true, true) => Mark::Pass(Phase::Mixed, Some(format!("{prompt}, {request} decoding"))),
        (true, false) => Mark::Pass(Phase::Prefill, Some(prompt)),
        (false, true) => Mark::Pass(Phase::Decode, Some(request)),
        (false, false) => Mark::Pass(Phase::Other, Some("no request".to_owned())),
    }
}

/// A place without the numbers of layers, so that all layers are one: `model.layers.3.attn` is `model.layers.attn`.
pub(in crate::profile) fn place_of(name: &str) -> String {
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|sign| sign.is_ascii_digit());
    let parts: Vec<&str> = name.split('.').filter(|part| !is_number(part)).collect();
    let joined = parts.join(".");
    let plain = joined.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let separated = plain.len() < joined.len() && plain.ends_with(['_', '#', ' ', '-', '.']);
    if separated {
        plain.trim_end_matches(['_', '#', ' ', '-', '.']).to_owned()
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass_of(name: &str) -> (Phase, Option<String>) {
        match Mark::of(name) {
            Mark::Pass(phase, batch) => (phase, batch),
            other => panic!("`{name}` is {other:?}"),
        }
    }

    #[test]
    fn the_names_of_engines_tell_phase_and_batch() {
        for (name, phase, batch) in [
            (
                "execute_context_1(48)_generation_0(0)",
                Phase::Prefill,
                "1 prompt of 48 tokens",
            ),
            ("execute_context_0(0)_generation_2(2)", Phase::Decode, "2 requests"),
            (
                "execute_context_0(0)_generation_2(6)",
                Phase::Decode,
                "2 requests with 6 tokens",
            ),
            (
                "execute_context_1(48)_generation_1(1)",
                Phase::Mixed,
                "1 prompt of 48 tokens, 1 request decoding",
            ),
            ("execute_context_0(0)_generation_0(0)", Phase::Other, "no request"),
            (
                "execute_32_context_0(sq0sk0sqsq0sqsk0)_generation_32(sq32sk55086sqsq32sqsk55086)",
                Phase::Decode,
                "32 requests",
            ),
            ("execute_new_1_cached_2", Phase::Mixed, "1 prompt, 2 requests decoding"),
        ] {
            assert_eq!(pass_of(name), (phase, Some(batch.to_owned())), "{name}");
        }
    }

    #[test]
    fn plain_words_tell_a_phase_and_longer_ones_a_place() {
        for name in ["decode", "decode_step_3", "Decode 12", "decode#4", "decode_step"] {
            assert_eq!(pass_of(name), (Phase::Decode, None), "{name}");
        }
        for name in ["prefill", "prefill_0", "EXTEND"] {
            assert_eq!(pass_of(name), (Phase::Prefill, None), "{name}");
        }
        for name in [
            "decode_attention",
            "layer.0",
            "decoder",
            "step",
            "execute_model",
            "execute_context_x",
        ] {
            assert_eq!(Mark::of(name), Mark::Place, "{name}");
        }
        assert_eq!(Mark::of("ProfilerStep#6"), Mark::Step);
    }

    #[test]
    fn all_layers_are_one_place() {
        for (name, place) in [
            ("layer.0", "layer"),
            ("layer.11", "layer"),
            ("model.layers.3.attn", "model.layers.attn"),
            ("block_7", "block"),
            ("Block #7", "Block"),
            ("attn", "attn"),
            ("conv2d", "conv2d"),
            ("fc1", "fc1"),
        ] {
            assert_eq!(place_of(name), place);
        }
    }
}

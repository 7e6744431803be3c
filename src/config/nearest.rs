//! The key that a mistyped one most likely meant.

use super::node::ticked;
use crate::metric::Metric;

/// The known key nearest to `typed`, if one is near enough to be a slip rather than another word.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let best = known
        .iter()
        .copied()
        .map(|key| (distance(&typed, key), key))
        .min_by_key(|(distance, _)| *distance);
    match best {
        Some((distance, key)) if distance <= (key.len() / 3).max(1) => Some(key),
        _ => known
            .iter()
            .copied()
            .filter(|key| is_part(&typed, key))
            .max_by_key(|key| key.len()),
    }
}

/// What is said of a metric that is none.
pub fn no_metric(key: &str) -> String {
    let known: Vec<&str> = Metric::ALL.into_iter().map(Metric::key).collect();
    let throughput = key
        .to_lowercase()
        .contains("throughput")
        .then_some("output_tokens_per_s");
    match throughput.or_else(|| nearest(key, &known)) {
        Some(near) => format!("there is no metric `{key}`; did you mean `{near}`?"),
        None => format!("there is no metric `{key}`; the metrics are {}", ticked(&known)),
    }
}

/// Letters that a known word must have for one other letter to be a slip: `tpu` is no misspelt `cpu`.
const FEWEST_LETTERS: usize = 5;

/// The known key that `typed` differs from by so many letters at most, and in no part between dots by more than a third, nor
/// at all where that is a short one; a longer or shorter form of it (`gpu` of `gpus`) may well be a word of its own.
pub(super) fn slip<'a>(typed: &str, known: &[&'a str], letters: usize) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let is_form = |key: &str| key.starts_with(&typed) || typed.starts_with(key);
    let near = known
        .iter()
        .filter_map(|key| Some((distance_of_parts(&typed, key)?, !is_form(key), *key)));
    let (distance, is_slip, key) = near.min()?;
    (is_slip && distance <= letters).then_some(key)
}

/// `None` where a part is another word.
fn distance_of_parts(typed: &str, key: &str) -> Option<usize> {
    if typed.split('.').count() != key.split('.').count() {
        return None;
    }
    let most = |key: &str| match key.chars().count() {
        ..FEWEST_LETTERS => 0,
        letters => letters / 3,
    };
    let parts = typed.split('.').zip(key.split('.'));
    parts
        .map(|(typed, key)| Some(distance(typed, key)).filter(|distance| *distance <= most(key)))
        .sum()
}

/// `requests` stands in `num_requests`: the same word, shortened.
fn is_part(typed: &str, key: &str) -> bool {
    typed.len() >= 4 && (key.contains(typed) || typed.contains(key))
}

/// Levenshtein distance: the fewest single-letter changes from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut next = vec![at + 1];
        let mut left = at + 1;
        for ((other, above), corner) in to.chars().zip(row.iter().skip(1)).zip(&row) {
            left = (left + 1).min(above + 1).min(corner + usize::from(letter != other));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_another_word_finds_none() {
        let keys = [
            "num_requests",
            "warmup_requests",
            "repeat",
            "seed",
            "api",
            "api_key_env",
        ];
        for (typed, meant) in [
            ("num_request", Some("num_requests")),
            ("num-requests", Some("num_requests")),
            ("repeats", Some("repeat")),
            ("warmup", Some("warmup_requests")),
            ("sed", Some("seed")),
            ("api_key", Some("api_key_env")),
            ("colour", None),
        ] {
            assert_eq!(nearest(typed, &keys), meant, "{typed}");
        }
    }

    #[test]
    fn the_metric_of_a_word_of_the_field_is_named() {
        for (typed, meant) in [
            ("tpott_p50", "`tpot_p50`"),
            ("output_throughput", "`output_tokens_per_s`"),
            ("colour", "the metrics are `qps`"),
        ] {
            assert!(no_metric(typed).contains(meant), "{}", no_metric(typed));
        }
    }

    #[test]
    fn distance_counts_single_letter_changes() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}

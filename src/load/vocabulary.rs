//! The words of synthetic prompts, and what each costs in tokens: learned by counting a few texts, whoever counts.
//!
//! A text whose words all cost one token has as many tokens as words. Which words do is found in groups: a group that
//! costs as many tokens as it has words holds only such words, and one that costs more is halved.

use std::sync::Arc;

use super::{random::Stream, synthetic, tokenizer::Local};

/// Counts the tokens of texts, in order; each count may hold the same constant number of tokens around the text.
pub(super) type Measure<'a> = &'a mut dyn FnMut(&[String]) -> Result<Vec<u32>, String>;

/// Words that the usual tokenizers hold as one token with the space before them.
const WORDS: [&str; 128] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he",
    "his", "but", "at", "are", "this", "have", "from", "or", "had", "an", "they", "which", "one", "you", "were", "all",
    "her", "she", "there", "would", "their", "we", "him", "been", "has", "when", "who", "will", "no", "more", "if",
    "out", "so", "up", "said", "what", "its", "about", "than", "into", "them", "can", "only", "other", "time", "new",
    "some", "could", "these", "two", "may", "first", "then", "do", "any", "like", "my", "now", "over", "such", "our",
    "man", "me", "even", "most", "made", "after", "also", "well", "did", "many", "must", "years", "back", "see",
    "through", "way", "where", "get", "much", "go", "good", "day", "long", "people", "work", "state", "life", "small",
    "large", "water", "house", "world", "school", "still", "own", "year", "last", "place", "great", "hand", "part",
    "city", "group", "point", "home", "name", "line", "side", "book", "land",
];

/// Fewer words of one token than this make too dull a text, and too few different beginnings.
const MIN_WORDS: usize = 16;

/// How much counting is worth a better answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Counting costs next to nothing.
    Thorough,
    /// Each count is a request that the model answers.
    Frugal,
}

/// The words of synthetic prompts.
#[derive(Clone)]
pub(super) struct Vocabulary {
    /// Words of one token at the beginning of a text as well as inside.
    first: Vec<String>,
    /// All words.
    words: Vec<String>,
    /// Mean tokens of a word, the space before it included.
    tokens_per_word: f64,
    /// Counts each finished text, where it is at hand.
    local: Option<Arc<Local>>,
}

/// What counting a few texts has shown.
pub(super) struct Learned {
    pub(super) vocabulary: Vocabulary,
    /// Tokens around every text: a chat template, a begin-of-text sign.
    pub(super) overhead_tokens: u32,
    /// Texts of the vocabulary that were counted in the end.
    pub(super) checked: usize,
    /// Most tokens by which one of them missed its length.
    pub(super) worst_error_tokens: u32,
}

impl Vocabulary {
    /// Common words, each taken for one token.
    pub(super) fn assumed() -> Self {
        Self {
            first: owned(&WORDS),
            words: owned(&WORDS),
            tokens_per_word: 1.0,
            local: None,
        }
    }

    /// The same words, where a tokenizer counts and mends each finished text.
    pub(super) fn checked_by(self, local: Arc<Local>) -> Self {
        Self {
            local: Some(local),
            ..self
        }
    }

    /// Learns from counts which common words cost one token, or else what a word costs.
    ///
    /// # Errors
    /// Whoever counts cannot, or counts what cannot be.
    pub(super) fn learn(measure: Measure<'_>, effort: Effort) -> Result<Learned, String> {
        Self::learn_from(&owned(&WORDS), measure, effort)
    }

    /// Learns from counts which of these words cost one token, or else what a word costs.
    pub(super) fn learn_from(candidates: &[String], measure: Measure<'_>, effort: Effort) -> Result<Learned, String> {
        let singles = single_tokens(candidates, measure, effort)?;
        let (first, overhead_tokens) = beginnings(&singles, measure, effort)?;
        if singles.len() < MIN_WORDS || first.is_empty() {
            return by_ratio(candidates, measure);
        }
        let vocabulary = Self {
            first,
            words: singles,
            tokens_per_word: 1.0,
            local: None,
        };
        vocabulary.check(overhead_tokens, measure, effort)
    }

    /// Words that may begin a text.
    pub(super) fn first(&self) -> &[String] {
        &self.first
    }

    /// Words that may follow.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// A word drawn from the stream.
    pub(super) fn draw(&self, stream: &mut Stream) -> &str {
        let at = usize::try_from(stream.below(self.words.len() as u64));
        at.ok().and_then(|at| self.words.get(at)).map_or("the", String::as_str)
    }

    /// Whether every word costs one token, as far as is known.
    pub(super) fn is_exact(&self) -> bool {
        self.tokens_per_word <= 1.0 || self.local.is_some()
    }

    /// About how many words make this many tokens, at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and the value is at least 1"
    )]
    pub(super) fn words_for(&self, tokens: u32) -> u32 {
        (f64::from(tokens) / self.tokens_per_word).round().max(1.0) as u32
    }

    /// The text with words added or taken from its end until it has the length, where a tokenizer is at hand.
    pub(super) fn mended(&self, text: String, tokens: u32) -> String {
        match &self.local {
            Some(local) => local.mended(text, tokens, &self.words),
            None => text,
        }
    }

    /// Counts a few of the texts that this vocabulary makes.
    fn check(self, overhead_tokens: u32, measure: Measure<'_>, effort: Effort) -> Result<Learned, String> {
        let lengths: &[u32] = match effort {
            Effort::Thorough => &[1, 2, 9, 33, 100, 257, 400],
            Effort::Frugal => &[40, 250],
        };
        let texts: Vec<String> = lengths.iter().map(|tokens| sample(&self, *tokens)).collect();
        let counts = measure(&texts)?;
        let misses = counts
            .iter()
            .zip(lengths)
            .map(|(count, tokens)| count.saturating_sub(overhead_tokens).abs_diff(*tokens));
        Ok(Learned {
            worst_error_tokens: misses.max().unwrap_or(0),
            checked: texts.len(),
            overhead_tokens,
            vocabulary: self,
        })
    }
}

/// A text that no session sends.
fn sample(vocabulary: &Vocabulary, tokens: u32) -> String {
    synthetic::prompt(u64::MAX, u64::from(tokens), tokens, vocabulary)
}

/// The words that cost one token inside a text.
fn single_tokens(words: &[String], measure: Measure<'_>, effort: Effort) -> Result<Vec<String>, String> {
    let Some(lead) = words.first() else {
        return Ok(Vec::new());
    };
    let after = |group: &[String]| format!("{lead} {}", group.join(" "));
    let counts = measure(&[lead.clone(), after(words)])?;
    let [alone, all] = counts.as_slice() else {
        return Err("not every text was counted".into());
    };
    let mut left = match effort {
        Effort::Thorough => usize::MAX,
        Effort::Frugal => 16,
    };
    let mut groups = vec![(words, cost(*all, *alone)?)];
    let mut singles = Vec::new();
    while !groups.is_empty() {
        let (good, bad): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(group, tokens)| group.len() == *tokens);
        singles.extend(good.into_iter().flat_map(|(group, _)| group.iter().cloned()));
        let halves: Vec<_> = bad
            .into_iter()
            .filter(|(group, _)| group.len() > 1)
            .take(left)
            .map(|(group, tokens)| (group.split_at(group.len() / 2), tokens))
            .collect();
        left = left.saturating_sub(halves.len());
        let texts: Vec<String> = halves.iter().map(|((half, _), _)| after(half)).collect();
        let counts = if texts.is_empty() { Vec::new() } else { measure(&texts)? };
        groups = Vec::new();
        for (((half, other), tokens), count) in halves.into_iter().zip(counts) {
            let tokens_of_half = cost(count, *alone)?;
            groups.push((half, tokens_of_half));
            groups.push((other, tokens.saturating_sub(tokens_of_half)));
        }
    }
    let place = |word: &String| words.iter().position(|known| known == word);
    singles.sort_by_key(place);
    Ok(singles)
}

fn cost(with: u32, without: u32) -> Result<usize, String> {
    let tokens = with.checked_sub(without).filter(|tokens| *tokens > 0);
    let tokens = tokens.ok_or_else(|| format!("a longer text counts {with} tokens, a shorter one {without}"))?;
    usize::try_from(tokens).map_err(|error| error.to_string())
}

/// The words that begin a text as cheaply as any, and the tokens around every text.
fn beginnings(singles: &[String], measure: Measure<'_>, effort: Effort) -> Result<(Vec<String>, u32), String> {
    let tried = match effort {
        Effort::Thorough => 32,
        Effort::Frugal => 4,
    };
    let words: Vec<String> = singles.iter().take(tried).cloned().collect();
    if words.is_empty() {
        return Ok((words, 0));
    }
    let counts = measure(&words)?;
    let least = counts.iter().min().copied().unwrap_or(1);
    let cheap = words.into_iter().zip(counts).filter(|(_, count)| *count == least);
    Ok((cheap.map(|(word, _)| word).collect(), least.saturating_sub(1)))
}

/// All words, with what one costs in the mean: a line through the counts of a few texts, by least squares.
fn by_ratio(words: &[String], measure: Measure<'_>) -> Result<Learned, String> {
    let mut vocabulary = Vocabulary {
        first: words.to_vec(),
        words: words.to_vec(),
        tokens_per_word: 1.0,
        local: None,
    };
    let lengths = [10_u32, 40, 120, 250];
    let texts = lengths.map(|words| sample(&vocabulary, words));
    let counts = measure(&texts)?;
    let points: Vec<(f64, f64)> = lengths
        .iter()
        .zip(&counts)
        .map(|(words, tokens)| (f64::from(*words), f64::from(*tokens)))
        .collect();
    let (slope, overhead) = line(&points);
    if !(slope.is_finite() && slope > 0.0) {
        return Err(format!("texts of {lengths:?} words count {counts:?} tokens"));
    }
    vocabulary.tokens_per_word = slope;
    let overhead_tokens = synthetic::whole(overhead.max(0.0));
    vocabulary.check(overhead_tokens, measure, Effort::Frugal)
}

/// Slope and height at zero of the line with the least squared errors.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let squares: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let products: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = products / squares;
    (slope, slope.mul_add(-mean_x, mean_y))
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Learns from a tokenizer in which words with these letters cost two tokens; also how many texts it counted.
    fn learn(costly: &[char], around: u32, effort: Effort) -> (Learned, usize) {
        let mut counted = 0;
        let mut measure = |texts: &[String]| {
            counted += texts.len();
            Ok(texts.iter().map(|text| around + tokens(text, costly)).collect())
        };
        let learned = Vocabulary::learn(&mut measure, effort).unwrap();
        (learned, counted)
    }

    fn tokens(text: &str, costly: &[char]) -> u32 {
        let cost = |word: &str| 1 + u32::from(word.contains(costly));
        text.split(' ').map(cost).sum()
    }

    fn assert_exact(learned: &Learned, costly: &[char]) {
        assert_eq!(learned.worst_error_tokens, 0);
        for length in [1, 2, 9, 500] {
            let text = synthetic::prompt(7, 3, length, &learned.vocabulary);
            assert_eq!(tokens(&text, costly), length, "{text}");
        }
    }

    #[test]
    fn where_every_word_is_a_token_few_counts_show_it() {
        for effort in [Effort::Thorough, Effort::Frugal] {
            let (learned, counted) = learn(&[], 26, effort);
            assert_exact(&learned, &[]);
            assert_eq!((learned.vocabulary.words().len(), learned.overhead_tokens), (128, 26));
            assert!(
                counted < if effort == Effort::Frugal { 9 } else { 45 },
                "{counted} texts"
            );
        }
    }

    #[test]
    fn words_of_several_tokens_are_found_out_and_left_out() {
        let (learned, counted) = learn(&['w'], 0, Effort::Thorough);
        assert_exact(&learned, &['w']);
        let kept = learned.vocabulary.words();
        assert!(kept.iter().all(|word| !word.contains('w')));
        assert_eq!(kept.len(), WORDS.iter().filter(|word| !word.contains('w')).count());
        assert!(counted < 160, "{counted} texts");
    }

    #[test]
    fn few_requests_are_enough_where_few_words_cost_more() {
        let (learned, counted) = learn(&['j', 'k'], 11, Effort::Frugal);
        assert_exact(&learned, &['j', 'k']);
        assert!(learned.vocabulary.words().len() >= MIN_WORDS && learned.overhead_tokens == 11);
        assert!(counted <= 24, "{counted} requests");
    }

    #[test]
    fn where_no_word_is_one_token_a_word_s_mean_counts() {
        let all: Vec<char> = ('a'..='z').collect();
        for effort in [Effort::Thorough, Effort::Frugal] {
            let (learned, _) = learn(&all, 5, effort);
            assert!((learned.vocabulary.tokens_per_word - 2.0).abs() < 1e-9);
            assert_eq!((learned.overhead_tokens, learned.worst_error_tokens), (5, 0));
            assert!(!learned.vocabulary.is_exact());
        }
    }

    #[test]
    fn counts_that_cannot_be_are_trouble_in_words() {
        let mut stuck = |texts: &[String]| Ok(vec![7; texts.len()]);
        let problem = Vocabulary::learn(&mut stuck, Effort::Frugal).err().unwrap();
        assert!(
            problem.contains("a longer text counts 7 tokens, a shorter one 7"),
            "{problem}"
        );
        let mut broken = |_: &[String]| Err("no".to_owned());
        assert_eq!(Vocabulary::learn(&mut broken, Effort::Thorough).err().unwrap(), "no");
    }

    #[test]
    fn a_line_through_points_has_the_least_squares() {
        // numpy.polyfit([1, 2, 4], [3, 5, 10], 1)
        let (slope, height) = line(&[(1.0, 3.0), (2.0, 5.0), (4.0, 10.0)]);
        assert!(
            (slope - 2.357_142_857).abs() < 1e-6 && (height - 0.5).abs() < 1e-6,
            "{slope} {height}"
        );
    }
}

//! The lengths that a run really draws, where they are not those that were asked for.

use super::{Part, Place, PromptSet, Source};
use crate::{
    plan::{Lengths, Shape},
    stats::moments::Moments,
};

/// Draws that are looked at: as good as all of them.
const MOST_DRAWS: u32 = 100_000;

/// Less than this is no difference.
const WORTH_TELLING: f64 = 0.05;

/// Standard errors that a deviation may be off by chance.
const BY_CHANCE: f64 = 3.0;

impl PromptSet {
    /// Mean and deviation of prompts and answers, where they differ from those that were asked for.
    pub(super) fn drawn(&self) -> Vec<String> {
        let input = match &self.source {
            Source::Synthetic(lengths) => lengths,
            Source::SharedPrefix(prefixes) => &prefixes.input_tokens,
            Source::Dataset { .. } | Source::Trace(_) => return Vec::new(),
        };
        let texts = u32::try_from(self.texts_per_run()).unwrap_or(u32::MAX);
        let prompts = off("prompts", input, texts, |place| self.input_length(place, input));
        let answers = off("answers", &self.output_tokens, self.requests_per_run, |place| {
            self.answer_length(place)
        });
        prompts.into_iter().chain(answers).collect()
    }
}

/// Both of what is drawn, where either is another than asked.
fn off(what: &str, lengths: &Lengths, count: u32, draw: impl Fn(Place) -> u32) -> Option<String> {
    let (mean, std) = asked(lengths)?;
    let place = |index| Place {
        part: Part::Measured,
        cell: 0,
        repeat: 0,
        index,
        series: 0,
        unit: index,
        is_later: false,
        line: None,
    };
    let drawn: Vec<f64> = (0..count.min(MOST_DRAWS))
        .map(|index| f64::from(draw(place(index))))
        .collect();
    let drawn = Moments::of(&drawn)?;
    let drawn_std = drawn.variance.sqrt();
    let by_chance = BY_CHANCE / (2.0 * f64::from(count.min(MOST_DRAWS))).sqrt();
    let is_off =
        (drawn.mean / mean - 1.0).abs() > WORTH_TELLING || (drawn_std - std).abs() > (WORTH_TELLING + by_chance) * std;
    is_off.then(|| {
        format!(
            "{what} have {:.1}±{drawn_std:.1} tokens as drawn, where {lengths} was asked: a bell is cut at its ends, \
             and few draws are not its mean",
            drawn.mean
        )
    })
}

/// Mean and deviation as they were asked for; a distribution without either keeps what it says.
fn asked(lengths: &Lengths) -> Option<(f64, f64)> {
    match *lengths {
        Lengths::Normal { mean, std } | Lengths::LogNormal { mean, std } => Some((mean, std)),
        Lengths::Within { shape, .. } => match shape {
            Shape::Normal { mean, std } | Shape::LogNormal { mean, std } => Some((mean, std)),
        },
        Lengths::Fixed(_) | Lengths::Uniform { .. } | Lengths::Zipf { .. } => None,
    }
}

//! The highest level that still meets the SLO: the search as a pure function of what was measured so far.
//!
//! Floor of the arithmetic: the next level comes from the answers alone, so that a search can be played on a curve.
//! How long a batch lasts is `length.rs`, what it says of a level `level.rs`; when a ladder has seen enough is
//! `saturation.rs`.

mod length;
mod level;
mod saturation;

use crate::{
    plan::{Axis, Capacity},
    session::SearchEnd,
    stats::{moments::Moments, proportion, real, student_t},
};

pub use self::{
    length::{Pace, answer_s, batch_s, is_too_short, least_units, pace, rehearse},
    level::{Batch, completed_rps, judge_batch, why_unknown},
    saturation::{Rung, Spacing, ladder, saturated},
};

/// A level that stays unclear is decided by its share of good requests after this many batches.
pub const MOST_BATCHES_A_LEVEL: usize = 4;

/// Both ends of the final bracket rest on at least this many batches.
pub const EDGE_BATCHES: usize = 2;

/// A search that is not done after this many batches ends with what it knows, which is no answer where the bracket is
/// wider than asked.
pub const MOST_BATCHES: usize = 60;

/// How far a level may lie from the one below it while the bracket is still open.
const WIDEST_STRIDE_RATIO: f64 = 2.0;

/// One-sided confidence of the interval by which a level is met, not met, or unclear: 200 good requests of 200 settle
/// an attainment of 99 %. Both ends of the bracket are measured again, so that one false answer does not stand.
const CONFIDENCE: f64 = 0.9;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Measure a batch at this level.
    Try(f64),
    /// The search is over.
    Done(SearchEnd),
}

/// What the batches of one level say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It meets the SLO.
    Met,
    /// It does not.
    NotMet,
    /// More requests are needed.
    Unclear,
}

/// One level with all its batches.
#[derive(Clone, Copy, Debug)]
struct Level {
    at: f64,
    batches: usize,
    requests: u32,
    good: u32,
    unstable: usize,
}

/// The next step of a search, given all its batches so far.
///
/// A search opens at `start` (the lowest level where nothing is known) and strides up while levels are met, or down
/// while they are not, by ever larger factors up to two. Once the limit lies between two levels it halves the bracket
/// on a log scale, until the bracket is as narrow as `precision_ratio` (or the levels are neighbouring whole numbers),
/// and then measures both its ends again.
pub fn next(search: &Capacity, start: Option<f64>, batches: &[Batch]) -> Next {
    let levels = pooled(batches);
    let is_spent = batches.len() >= MOST_BATCHES;
    let unclear = levels.iter().find(|level| standing(level, search) == Standing::Unclear);
    if let Some(unclear) = unclear.filter(|_| !is_spent) {
        return Next::Try(unclear.at);
    }
    let highest = clamp(search, search.max);
    let lowest = clamp(search, search.min);
    // A level above one that is not met proves nothing: users would meet the lower one on the way.
    let not_met = levels.iter().find(|level| standing(level, search) == Standing::NotMet);
    let met = levels
        .iter()
        .take_while(|level| standing(level, search) == Standing::Met)
        .last();
    let stride = stride(search, start, levels.len());
    match (met, not_met) {
        (None, None) => Next::Try(clamp(search, start.unwrap_or(search.min))),
        (Some(met), None) if met.at >= highest => confirm(&[met], SearchEnd::AboveMax(met.at), is_spent),
        (Some(met), None) => Next::Try(above(search, met.at, stride)),
        (None, Some(limit)) if limit.at <= lowest => confirm(&[limit], SearchEnd::BelowMin(limit.at), is_spent),
        (None, Some(limit)) => Next::Try(below(search, limit.at, stride)),
        (Some(met), Some(limit)) => match between(search, met.at, limit.at) {
            Some(middle) if !is_spent => Next::Try(middle),
            Some(_) => Next::Done(SearchEnd::Wide(met.at, limit.at)),
            None => confirm(&[met, limit], SearchEnd::Found(met.at), is_spent),
        },
    }
}

/// What all batches of a level say: by the Wilson interval of their share of good requests.
///
/// A queue that grew in most batches counts as not met, however well the requests of a short batch still fared.
fn standing(level: &Level, search: &Capacity) -> Standing {
    if level.unstable * 2 > level.batches {
        return Standing::NotMet;
    }
    let share = f64::from(level.good) / f64::from(level.requests.max(1));
    let Some((lower, upper)) = proportion::wilson(level.good, level.requests, CONFIDENCE) else {
        return Standing::NotMet;
    };
    if lower >= search.attainment {
        Standing::Met
    } else if upper < search.attainment {
        Standing::NotMet
    } else if level.batches < MOST_BATCHES_A_LEVEL {
        Standing::Unclear
    } else if share >= search.attainment {
        Standing::Met
    } else {
        Standing::NotMet
    }
}

/// Whether the batches at a level, taken together, say that it meets the SLO.
pub fn is_met(search: &Capacity, level: f64, batches: &[Batch]) -> bool {
    let levels = pooled(batches);
    let found = levels.iter().find(|known| is_same(known.at, level));
    found.is_some_and(|level| standing(level, search) == Standing::Met)
}

/// The end, once each of these levels rests on enough batches.
fn confirm(ends: &[&Level], end: SearchEnd, is_spent: bool) -> Next {
    match ends.iter().find(|level| level.batches < EDGE_BATCHES) {
        Some(thin) if !is_spent => Next::Try(thin.at),
        _ => Next::Done(end),
    }
}

/// All batches by level, rising.
fn pooled(batches: &[Batch]) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for batch in batches {
        let unstable = usize::from(batch.unstable);
        match levels.iter_mut().find(|level| is_same(level.at, batch.level)) {
            Some(level) => {
                level.batches += 1;
                level.requests += batch.requests;
                level.good += batch.good;
                level.unstable += unstable;
            }
            None => levels.push(Level {
                at: batch.level,
                batches: 1,
                requests: batch.requests,
                good: batch.good,
                unstable,
            }),
        }
    }
    levels.sort_by(|one, other| one.at.total_cmp(&other.at));
    levels
}

fn is_same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

/// The factor to the next level outside the bracket; from a hint it begins small, since the limit is likely near.
fn stride(search: &Capacity, start: Option<f64>, tried: usize) -> f64 {
    if start.is_none() {
        return WIDEST_STRIDE_RATIO;
    }
    let doublings = i32::try_from(tried.min(16)).unwrap_or(16);
    search
        .precision_ratio
        .powi(1 << doublings.min(8))
        .min(WIDEST_STRIDE_RATIO)
}

/// The level a stride up; on the grid of whole numbers at least the next one.
fn above(search: &Capacity, level: f64, stride: f64) -> f64 {
    let one_up = match search.axis {
        Axis::Concurrency => level + 1.0,
        Axis::Rate(_) => level,
    };
    clamp(search, (level * stride).max(one_up))
}

/// The level a stride down; on the grid of whole numbers at most the one before.
fn below(search: &Capacity, level: f64, stride: f64) -> f64 {
    let one_down = match search.axis {
        Axis::Concurrency => level - 1.0,
        Axis::Rate(_) => level,
    };
    clamp(search, (level / stride).min(one_down))
}

/// A level between two others, if the bracket is wider than it needs to be.
fn between(search: &Capacity, met: f64, limit: f64) -> Option<f64> {
    let is_narrow = limit / met <= search.precision_ratio;
    let middle = on_grid(search, (met * limit).sqrt());
    (!is_narrow && met < middle && middle < limit).then_some(middle)
}

fn clamp(search: &Capacity, level: f64) -> f64 {
    on_grid(search, level.clamp(search.min, search.max))
}

/// Whole numbers of requests in flight; rates to four digits, so that people can read them.
fn on_grid(search: &Capacity, level: f64) -> f64 {
    match search.axis {
        Axis::Concurrency => level.round().max(1.0),
        Axis::Rate(_) => {
            let digits = 10_f64.powf(3.0 - level.log10().floor());
            (level * digits).round() / digits
        }
    }
}

/// The number of requests that a batch needs so that none bad settles a level, for messages.
pub fn settling_requests(search: &Capacity) -> u32 {
    (1..10_000)
        .find(|requests| {
            proportion::wilson(*requests, *requests, CONFIDENCE).is_some_and(|(lower, _)| lower >= search.attainment)
        })
        .unwrap_or(10_000)
}

/// Where a further search begins: at the answer before it, but each at another place within the precision.
///
/// Else all searches would try the same levels, and their answers would be equal because of that alone. The places are
/// those of the golden ratio, which are apart however many there are.
pub fn start(search: &Capacity, answer: f64, number: u32) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let share = (f64::from(number) * GOLDEN).fract();
    clamp(search, answer * search.precision_ratio.powf(-share))
}

/// What several searches found together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Searches that came to an end.
    pub searches: usize,
    /// The median answer, a search that ended at a bound counting as that bound.
    pub median: Option<SearchEnd>,
    /// 95 % interval of the geometric mean of the answers (Student's t of their logarithms, as levels are searched by
    /// factors), up to the level that was not met any more; `None` below two, or where one ended at a bound or wider than
    /// asked.
    pub interval: Option<(f64, f64)>,
    /// Searches that ended wider than asked.
    pub wide: usize,
}

/// Sums searches up.
pub fn summary(search: &Capacity, ends: impl IntoIterator<Item = SearchEnd>) -> Summary {
    let mut ends: Vec<SearchEnd> = ends.into_iter().collect();
    ends.sort_by(|one, other| {
        place(*one)
            .0
            .total_cmp(&place(*other).0)
            .then(place(*one).1.cmp(&place(*other).1))
    });
    let found: Option<Vec<f64>> = ends
        .iter()
        .map(|end| match end {
            SearchEnd::Found(level) => Some(*level),
            SearchEnd::AboveMax(_) | SearchEnd::BelowMin(_) | SearchEnd::Wide(..) => None,
        })
        .collect();
    Summary {
        searches: ends.len(),
        median: ends.get(ends.len().saturating_sub(1) / 2).copied(),
        interval: found.and_then(|levels| interval(search, &levels)),
        wide: ends.iter().filter(|end| matches!(end, SearchEnd::Wide(..))).count(),
    }
}

/// Where an end stands among others: one below the lowest level is lower than one that found it, and so above.
fn place(end: SearchEnd) -> (f64, u8) {
    match end {
        SearchEnd::BelowMin(level) => (level, 0),
        SearchEnd::Found(level) | SearchEnd::Wide(level, _) => (level, 1),
        SearchEnd::AboveMax(level) => (level, 2),
    }
}

/// An answer is the lower end of a bracket: its limit may be anywhere up to the upper one, however alike answers are.
fn interval(search: &Capacity, levels: &[f64]) -> Option<(f64, f64)> {
    let logs: Vec<f64> = levels.iter().map(|level| level.ln()).collect();
    let moments = Moments::of(&logs)?;
    let t = student_t::inverse_cdf(0.975, real(moments.n - 1))?;
    let half = t * (moments.variance / real(moments.n)).sqrt();
    let (low, high) = ((moments.mean - half).exp(), (moments.mean + half).exp());
    let one_up = match search.axis {
        Axis::Concurrency => high + 1.0,
        Axis::Rate(_) => high,
    };
    Some((low, (high * search.precision_ratio).max(one_up)))
}

#[cfg(test)]
mod tests;

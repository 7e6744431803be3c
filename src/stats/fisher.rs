//! Fisher's exact test: do two arms fail equally often?

use super::Alternative;

/// What one arm counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many were what is looked for (failed requests, say).
    pub hits: u32,
    /// How many were not.
    pub others: u32,
}

/// Two tables are as likely as each other within this factor, as R and scipy have it.
const AS_LIKELY: f64 = 1.0 + 1e-7;

/// The p of a candidate that hits as often as the baseline; `Greater` asks whether it hits more often.
///
/// Sums the chances of all tables with the same totals that show it as much or more; `TwoSided` sums those no
/// likelier than this one. Source: Fisher 1935, "The logic of inductive inference". 1 where nothing was counted.
pub fn p_value(baseline: Counts, candidate: Counts, alternative: Alternative) -> f64 {
    let tables = Totals::of(baseline, candidate).tables();
    let observed = f64::from(candidate.hits);
    let here = tables.iter().find(|table| (table.hits - observed).abs() < 0.5);
    let as_likely = here.map_or(0.0, |table| table.weight * AS_LIKELY);
    let shows_it = |table: &&Table| match alternative {
        Alternative::Less => table.hits <= observed,
        Alternative::Greater => table.hits >= observed,
        Alternative::TwoSided => table.weight <= as_likely,
    };
    let counted: f64 = tables.iter().filter(shows_it).map(|table| table.weight).sum();
    let all: f64 = tables.iter().map(|table| table.weight).sum();
    (counted / all).min(1.0)
}

/// What all tables share; whole numbers, which a float holds exactly.
struct Totals {
    baseline: f64,
    candidate: f64,
    hits: f64,
}

/// One table: the candidate's hits, and how likely it is beside the likeliest.
#[derive(Clone, Copy)]
struct Table {
    hits: f64,
    weight: f64,
}

impl Totals {
    fn of(baseline: Counts, candidate: Counts) -> Self {
        let all = |counts: Counts| f64::from(counts.hits) + f64::from(counts.others);
        Self {
            baseline: all(baseline),
            candidate: all(candidate),
            hits: f64::from(baseline.hits) + f64::from(candidate.hits),
        }
    }

    /// All tables but those that are less likely than a float can tell.
    ///
    /// By steps from the likeliest to both sides: factorials of the counts would take digits away.
    fn tables(&self) -> Vec<Table> {
        let all = self.baseline + self.candidate;
        let likeliest = ((self.candidate + 1.0) * (self.hits + 1.0) / (all + 2.0)).floor();
        let first = Table {
            hits: likeliest.min(self.candidate).min(self.hits),
            weight: 1.0,
        };
        let upwards = std::iter::successors(Some(first), |table| self.with_one_more(*table));
        let downwards = std::iter::successors(self.with_one_less(first), |table| self.with_one_less(*table));
        upwards.chain(downwards).collect()
    }

    fn with_one_more(&self, table: Table) -> Option<Table> {
        let Table { hits, weight } = table;
        let without = self.baseline - self.hits + hits;
        let ratio = (self.candidate - hits) * (self.hits - hits) / ((hits + 1.0) * (without + 1.0));
        likely(hits + 1.0, weight * ratio)
    }

    fn with_one_less(&self, table: Table) -> Option<Table> {
        let Table { hits, weight } = table;
        let without = self.baseline - self.hits + hits;
        let ratio = hits * without / ((self.candidate - hits + 1.0) * (self.hits - hits + 1.0));
        likely(hits - 1.0, weight * ratio)
    }
}

fn likely(hits: f64, weight: f64) -> Option<Table> {
    (weight > 0.0).then_some(Table { hits, weight })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Alternative::{Greater, Less, TwoSided};

    fn counts(hits: u32, others: u32) -> Counts {
        Counts { hits, others }
    }

    #[test]
    fn it_agrees_with_scipy() {
        let file: Value = serde_json::from_str(include_str!("../../tests/data/stats/fisher_binomial.json")).unwrap();
        for case in file["fisher"].as_array().unwrap() {
            let [[a, b], [c, d]]: [[u32; 2]; 2] = serde_json::from_value(case["table"].clone()).unwrap();
            // scipy's "less" is an odds ratio below 1: the second row, our candidate, hits more often.
            for (side, key) in [(Greater, "p_less"), (Less, "p_greater"), (TwoSided, "p_two_sided")] {
                let (found, expected) = (p_value(counts(a, b), counts(c, d), side), case[key].as_f64().unwrap());
                assert!((found - expected).abs() <= 1e-9 * expected, "{case} {key}: {found}");
            }
        }
    }

    #[test]
    fn a_candidate_that_fails_more_often_is_greater() {
        let (good, bad) = (counts(0, 1500), counts(7, 1493));
        assert!(p_value(good, bad, Greater) < 0.01);
        assert!(p_value(bad, good, Less) < 0.01);
        assert!(p_value(good, bad, Less) > 0.99);
    }

    #[test]
    fn nothing_counted_and_everything_counted_have_a_p() {
        let (none, most) = (counts(0, 0), counts(u32::MAX, 0));
        for side in [Greater, Less, TwoSided] {
            assert!((p_value(none, none, side) - 1.0).abs() < 1e-15);
            assert!((p_value(none, counts(3, 4), side) - 1.0).abs() < 1e-15);
            assert!((p_value(most, most, side) - 1.0).abs() < 1e-15);
        }
        assert!(p_value(counts(0, 100_000), counts(100_000, 0), Greater) <= 0.0);
    }

    proptest! {
        #[test]
        fn more_hits_never_look_better_and_the_sides_mirror(
            (a, b, c, d) in (0..200_u32, 0..200_u32, 0..200_u32, 1..200_u32),
        ) {
            let (base, candidate) = (counts(a, b), counts(c, d));
            let p = p_value(base, candidate, Greater);
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert!(p_value(base, counts(c + 1, d - 1), Greater) <= p + 1e-12);
            prop_assert!((p - p_value(candidate, base, Less)).abs() < 1e-9);
            prop_assert!(p + p_value(base, candidate, Less) >= 1.0 - 1e-9);
        }
    }
}

//! What an A/B measurement costs: the plan before its start, the time after its first pair, and the end of the budget.

use std::time::{Duration, Instant};

use crate::{plan::Alternation, session::Session};

/// How often pairs are measured again for each dozen that are planned (simulated: stats.md §2 allows two of twelve).
const MOST_AGAIN: u32 = 2;
const DOZEN: u32 = 12;

/// How many of so many pairs may be measured again.
pub(in crate::commands) const fn most_again(pairs: u32) -> u32 {
    MOST_AGAIN * pairs.div_ceil(DOZEN)
}

/// Time that the pairs take, against what they may take.
pub(in crate::commands) struct Budget {
    began: Instant,
    max: Option<Duration>,
    /// The longest pair so far.
    longest: Duration,
}

impl Budget {
    /// Counts from now on.
    pub(in crate::commands) fn begin(max: Option<Duration>) -> Self {
        Self {
            began: Instant::now(),
            max,
            longest: Duration::ZERO,
        }
    }

    /// Remembers how long a pair took.
    pub(in crate::commands) fn took(&mut self, pair: Duration) {
        self.longest = self.longest.max(pair);
    }

    /// Why another pair would not fit, in words; the first always does.
    pub(in crate::commands) fn exceeded(&self) -> Option<String> {
        exceeded(self.began.elapsed(), self.longest, self.max?)
    }
}

fn exceeded(spent: Duration, longest: Duration, max: Duration) -> Option<String> {
    let would_end = spent + longest;
    (longest > Duration::ZERO && would_end > max).then(|| {
        format!(
            "`max_minutes` allows {}, and another pair would have ended after {}",
            words(max),
            words(would_end)
        )
    })
}

/// What a pair costs, as far as it is known before the first one.
pub(super) struct Price<'a> {
    /// Measured requests of a run of each cell.
    pub(super) requests: &'a [u32],
    /// How long such a run takes, where something tells.
    pub(super) run_s: &'a [Option<f64>],
    /// How long the servers that a pair starts took to start the first time.
    pub(super) starts: &'a [Duration],
}

/// The plan in one line, before anything is measured.
pub(super) fn plan(session: &Session, alternation: &Alternation, price: &Price<'_>) -> String {
    let Price { requests, .. } = price;
    let warm_up = session.plan.warmup_limit.unwrap_or(session.plan.warmup_requests);
    let a_run: u64 = requests.iter().map(|requests| u64::from(requests + warm_up)).sum();
    let looks = alternation.looks.iter();
    let looks: Vec<String> = looks
        .map(|pairs| format!("{pairs} ({})", 2 * u64::from(*pairs) * a_run))
        .collect();
    let cells = match requests.len() {
        1 => "1 cell".to_owned(),
        cells => format!("{cells} cells"),
    };
    format!(
        "plan: pairs of 2 arms × {cells}, {a_run} requests an arm, warm-up included; looks after {} pairs (requests in \
         all); {}",
        looks.join(", "),
        time(alternation, price)
    )
}

/// What is known of the time, and what bounds it.
fn time(alternation: &Alternation, price: &Price<'_>) -> String {
    let pairs = alternation.most_pairs();
    let known: Option<f64> = price.run_s.iter().copied().sum();
    let mut told = match known {
        Some(a_pair_s) => {
            let all_s = 2.0 * a_pair_s * f64::from(pairs);
            let all = Duration::try_from_secs_f64(all_s).unwrap_or(Duration::MAX);
            format!("the measured runs of {pairs} pairs take about {}", words(all))
        }
        None => "the first pair will tell how long they take".to_owned(),
    };
    let starts: Duration = price.starts.iter().sum();
    if !price.starts.is_empty() {
        let all = words(starts.saturating_mul(pairs));
        told = format!("{told}; starting their servers takes about {all} more");
    }
    match alternation.max {
        Some(max) => format!("{told}; no pair begins that would end after {}", words(max)),
        None => told,
    }
}

/// The end of each look from what the first pair took, and which of them the time does not allow.
pub(in crate::commands) fn forecast(pair: Duration, alternation: &Alternation) -> String {
    let fits = |pairs: u32| alternation.max.is_none_or(|max| pair.saturating_mul(pairs) <= max);
    let looks = alternation.looks.iter().copied();
    let (within, beyond): (Vec<u32>, Vec<u32>) = looks.partition(|pairs| fits(*pairs));
    let end = |pairs: &u32| format!("{pairs} after {}", words(pair.saturating_mul(*pairs)));
    let ends = |looks: &[u32]| looks.iter().map(end).collect::<Vec<_>>().join(", ");
    let took = format!("the first pair took {}", words(pair));
    let max = alternation.max.map(words).unwrap_or_default();
    match (within.is_empty(), beyond.first()) {
        (_, None) => format!("{took}; looks at pair {}", ends(&within)),
        (false, Some(next)) => format!(
            "{took}; looks at pair {}; `max_minutes` ends it after {max}, before pair {next}",
            ends(&within)
        ),
        (true, Some(_)) => format!(
            "{took}; looks would be at pair {}, but `max_minutes` ends it after {max}: no look fits, and nothing can be settled; \
             give more time, fewer requests, or fewer load levels",
            ends(&beyond)
        ),
    }
}

/// As people say it (`41 s`, `2 min 3 s`).
fn words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match (whole / 3600, whole % 3600 / 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do() {
        for (seconds, said) in [
            (0.04, "0.0 s"),
            (9.94, "9.9 s"),
            (41.4, "41 s"),
            (123.0, "2 min 3 s"),
            (3600.0, "1 h 0 min"),
            (7325.0, "2 h 2 min"),
        ] {
            assert_eq!(words(Duration::from_secs_f64(seconds)), said);
        }
    }

    #[test]
    fn a_pair_that_would_not_fit_does_not_begin_and_the_first_always_does() {
        let s = Duration::from_secs;
        assert_eq!(exceeded(s(100), s(0), s(60)), None, "nothing is known yet");
        assert_eq!(exceeded(s(40), s(20), s(60)), None);
        let told = exceeded(s(41), s(20), s(60)).unwrap();
        assert_eq!(
            told,
            "`max_minutes` allows 1 min 0 s, and another pair would have ended after 1 min 1 s"
        );
    }

    #[test]
    fn the_plan_tells_requests_and_time_and_says_what_it_does_not_know() {
        let session = crate::measure::synthetic::session(&[1, 4], &[]);
        let told = |max_s: Option<u64>, run_s: [Option<f64>; 2], starts: &[Duration]| {
            let alternation = Alternation {
                looks: vec![3, 5],
                max: max_s.map(Duration::from_secs),
                ..Alternation::default()
            };
            let price = Price {
                requests: &[200, 100],
                run_s: &run_s,
                starts,
            };
            let told = plan(&session, &alternation, &price);
            let (requests, time) = told.split_once("(requests in all); ").unwrap();
            // Each run has its warm-up.
            let a_run = 300 + 2 * session.plan.warmup_requests;
            assert_eq!(
                requests,
                format!(
                    "plan: pairs of 2 arms × 2 cells, {a_run} requests an arm, warm-up included; looks after 3 ({}), 5 ({}) pairs ",
                    6 * a_run,
                    10 * a_run
                )
            );
            time.to_owned()
        };
        let s = Duration::from_secs;
        assert_eq!(
            told(None, [None; 2], &[]),
            "the first pair will tell how long they take"
        );
        assert_eq!(
            told(Some(600), [Some(2.0), None], &[s(20), s(25)]),
            "the first pair will tell how long they take; starting their servers takes about 3 min 45 s more; no pair begins \
             that would end after 10 min 0 s"
        );
        assert_eq!(
            told(None, [Some(2.0), Some(5.5)], &[]),
            "the measured runs of 5 pairs take about 1 min 15 s"
        );
    }

    #[test]
    fn the_forecast_says_which_looks_the_time_does_not_allow() {
        let told = |max_s: u64| {
            let alternation = Alternation {
                max: Some(Duration::from_secs(max_s)),
                ..Alternation::default()
            };
            forecast(Duration::from_secs(20), &alternation)
        };
        assert!(told(240).ends_with("12 after 4 min 0 s"), "{}", told(240));
        assert_eq!(
            told(239),
            "the first pair took 20 s; looks at pair 3 after 1 min 0 s, 5 after 1 min 40 s, 8 after 2 min 40 s; `max_minutes` \
             ends it after 3 min 59 s, before pair 12"
        );
        assert!(
            told(59).contains("but `max_minutes` ends it after 59 s: no look fits, and nothing can be settled"),
            "{}",
            told(59)
        );
    }

    #[test]
    fn the_forecast_names_every_look() {
        let told = forecast(Duration::from_secs(20), &Alternation::default());
        assert_eq!(
            told,
            "the first pair took 20 s; looks at pair 3 after 1 min 0 s, 5 after 1 min 40 s, 8 after 2 min 40 s, 12 after \
             4 min 0 s"
        );
    }
}

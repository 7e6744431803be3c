//! What an A/B measurement costs: the plan before its start, the time after its first pair, and the end of the budget.

use std::time::{Duration, Instant};

use crate::{
    plan::{Alternation, Load},
    session::Session,
};

/// Time that the pairs take, against what they may take.
pub(super) struct Budget {
    began: Instant,
    max: Option<Duration>,
    /// The longest pair so far.
    longest: Duration,
}

impl Budget {
    /// Counts from now on.
    pub(super) fn begin(max: Option<Duration>) -> Self {
        Self {
            began: Instant::now(),
            max,
            longest: Duration::ZERO,
        }
    }

    /// Remembers how long a pair took.
    pub(super) fn took(&mut self, pair: Duration) {
        self.longest = self.longest.max(pair);
    }

    /// Why another pair would not fit, in words; the first always does.
    pub(super) fn exceeded(&self) -> Option<String> {
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

/// The plan in one line, before anything is measured; `run_s` tells how long a measured run of a cell takes, as far as known.
pub(super) fn plan(session: &Session, alternation: &Alternation, requests: &[u32], run_s: &[Option<f64>]) -> String {
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
    let known: Option<f64> = run_s.iter().copied().sum();
    let time = known.map_or_else(String::new, |a_pair_s| {
        let all_s = 2.0 * a_pair_s * f64::from(alternation.most_pairs());
        format!(
            "; the measured runs of {} pairs take about {}",
            alternation.most_pairs(),
            words(Duration::try_from_secs_f64(all_s).unwrap_or_default())
        )
    });
    format!(
        "plan: pairs of 2 arms × {cells}, {a_run} requests an arm, warm-up included; looks after {} pairs (requests in \
         all){time}",
        looks.join(", ")
    )
}

/// How long a measured run of a load takes at least, where its schedule tells.
pub(super) fn scheduled_s(load: &Load, requests: u32) -> Option<f64> {
    match load {
        Load::Rate { rate_rps, .. } => Some(f64::from(requests) / rate_rps),
        _ => None,
    }
}

/// The end of each look from what the first pair took.
pub(super) fn forecast(pair: Duration, alternation: &Alternation) -> String {
    let looks = alternation.looks.iter();
    let ends: Vec<String> = looks
        .map(|pairs| format!("{pairs} after {}", words(pair * *pairs)))
        .collect();
    format!("the first pair took {}; looks at pair {}", words(pair), ends.join(", "))
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
    fn the_forecast_names_every_look() {
        let told = forecast(Duration::from_secs(20), &Alternation::default());
        assert_eq!(
            told,
            "the first pair took 20 s; looks at pair 3 after 1 min 0 s, 5 after 1 min 40 s, 8 after 2 min 40 s, 12 after \
             4 min 0 s"
        );
    }
}

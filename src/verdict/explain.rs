//! One paragraph for each check: what was found, how sure it is, what noise it rests on, what could have been found.

use super::{
    Check, UnitChange, Verdict,
    check::{Draft, Evidence, Said, kind},
    rule::Standing,
    wording,
};
use crate::{
    compare::{Change, Noise, Prior, PriorFrom, Scale, Stored, Tested, Window},
    metric::{Better, Metric},
};

/// The paragraph of one check that was tested.
pub(super) fn check(draft: &Draft, said: &Said<'_>) -> String {
    let Some(Evidence {
        change, tested, window, ..
    }) = &draft.evidence
    else {
        return String::new();
    };
    let check = &draft.check;
    let finding = format!(
        "{} at {} is {} over {}.",
        check.metric.label(),
        check.cell,
        figures(check),
        over(change, said, window.as_ref())
    );
    let answer = answer(check, tested, said);
    let remedy = draft
        .remedy
        .as_ref()
        .map(|remedy| format!("{}.", wording::upper(remedy)));
    let parts = [
        Some(finding),
        Some(answer),
        standing(said),
        Some(noise(check.metric, change)),
        power(check, said),
        remedy,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// The change with its interval and its limit (`+7.7 % (90 % interval +5.3 … +10.1 %, limit +5.0 %)`).
fn figures(check: &Check) -> String {
    let limit = wording::bound(check.metric, check.limit);
    let (by, interval) = match (check.difference, check.change) {
        (Some(UnitChange { by, interval }), _) => {
            let ends = |ends| wording::difference_interval(check.metric, ends);
            (wording::difference(check.metric, by), interval.map(ends))
        }
        (None, Some(change)) => (wording::percent(change), check.interval.map(wording::interval)),
        (None, None) => ("not known".to_owned(), None),
    };
    match interval {
        Some(interval) => format!("{by} (90 % interval {interval}, limit {limit})"),
        None => format!("{by} (limit {limit})"),
    }
}

/// The pairs or sessions behind a change.
fn over(change: &Change, said: &Said<'_>, window: Option<&Window>) -> String {
    if said.rule.is_paired() {
        return format!("{} in alternation", wording::count(said.n, "A/B pair"));
    }
    let runs = wording::count(change.n_candidate, "run");
    let Some(window) = window else {
        return format!("{runs} against {} of a session measured apart", change.n_baseline);
    };
    let sessions = match window.sessions {
        1 => format!("one stored session ({})", wording::count(change.n_baseline, "run")),
        many => format!("{many} stored sessions"),
    };
    let cut = window.cut_at.as_ref().map_or_else(String::new, |cut| {
        let commit = cut.commit.as_ref().map_or_else(String::new, |commit| {
            format!(" at {}", commit.chars().take(10).collect::<String>())
        });
        format!(
            ", those since the level last changed{commit} ({} older left out)",
            cut.left_out
        )
    });
    format!("{runs} against {sessions}{cut}")
}

fn answer(check: &Check, tested: &Tested, said: &Said<'_>) -> String {
    let look = if said.rule.is_paired() { " at this look" } else { "" };
    let level = wording::level(said.rule.levels(said.n).real);
    let family = |p: f64| {
        let checks = wording::count(said.family, kind(check.action));
        format!("family-wise {} over {checks}, limit {level}{look}", wording::p_value(p))
    };
    match check.verdict {
        Verdict::Regression => format!(
            "The change is real ({}) and we are {} that it is beyond the limit.",
            family(said.real),
            wording::sure(tested.p_beyond)
        ),
        Verdict::Improvement => format!("It is better, and really so ({}).", family(said.better)),
        Verdict::Pass => format!("We are {} that it is within the limit.", wording::sure(tested.p_within)),
        _ => format!(
            "That is not settled: it is {}, and we are {}.",
            if said.real <= said.rule.levels(said.n).real {
                format!("a real change ({})", family(said.real))
            } else {
                format!("not shown to be a real change ({})", family(said.real))
            },
            if tested.p_beyond <= 0.5 {
                format!("{} that it is beyond the limit", wording::sure(tested.p_beyond))
            } else {
                format!("{} that it is within the limit", wording::sure(tested.p_within))
            }
        ),
    }
}

/// What a number of pairs that nobody planned means.
fn standing(said: &Said<'_>) -> Option<String> {
    let first = || said.rule.ahead(said.n).first().copied().unwrap_or_default();
    match said.rule.standing(said.n) {
        Standing::Look => None,
        Standing::BeforeFirstLook => Some(format!(
            "Before {} {} it can be shown to be within its limit, and nothing else.",
            first(),
            if said.rule.is_paired() { "pairs" } else { "runs a side" }
        )),
        Standing::BetweenLooks => {
            Some("The measurement ended between two planned looks and is held to the levels of its schedule.".into())
        }
        Standing::Exploratory => Some(
            "There are more pairs than were planned: this look is exploratory, and held to the levels of a longer schedule."
                .into(),
        ),
    }
}

/// What the error is made of; of a share as changes of the baseline's.
fn noise(metric: Metric, change: &Change) -> String {
    let spread = |variance: f64| match change.scale {
        Scale::Log => spread(variance),
        Scale::Share { .. } => wording::size(change.scale.raw_change(metric.better(), variance.max(0.0).sqrt())),
    };
    match change.noise {
        Noise::Paired { variance, prior, .. } => format!(
            "Noise of one pair: {} ({}, {} df).",
            spread(variance),
            known(prior),
            degrees(change.df)
        ),
        Noise::Stored(Stored {
            session_variance: 0.0,
            run_variance,
            ..
        }) => format!(
            "Runs of one session differ by {}.",
            wording::amount(run_variance.sqrt(), false)
        ),
        Noise::Stored(stored) => {
            let own = stored.sessions.saturating_sub(1);
            let from = match own {
                0 => "taken for granted until more sessions are stored".to_owned(),
                own => format!(
                    "from {} and what is taken for granted before them",
                    wording::count(own + 1, "session")
                ),
            };
            format!(
                "Runs of one session differ by {}, sessions by {} ({from}); {} df.",
                spread(stored.run_variance),
                spread(stored.session_variance),
                degrees(change.df)
            )
        }
    }
}

fn known(prior: Option<Prior>) -> String {
    match prior.map(|prior| prior.from) {
        None => "from these pairs alone".into(),
        Some(PriorFrom::Measurements(number)) => {
            format!("prior from {}", wording::count(number, "earlier measurement"))
        }
        Some(PriorFrom::OtherCells(number)) => {
            format!(
                "no earlier measurement; prior from {}",
                wording::count(number, "other cell")
            )
        }
    }
}

fn spread(variance: f64) -> String {
    wording::size(variance.max(0.0).sqrt())
}

fn degrees(df: f64) -> String {
    format!("{df:.0}")
}

/// What these pairs or runs would have found.
fn power(check: &Check, said: &Said<'_>) -> Option<String> {
    let smallest = check.minimum_detectable_change?;
    let these = if said.rule.is_paired() {
        wording::count(said.n, "pair")
    } else {
        "these sessions".to_owned()
    };
    Some(format!(
        "With {these} a change of {} is found with 80 % probability.",
        wording::percent(harmful(check.metric, smallest))
    ))
}

fn harmful(metric: Metric, size: f64) -> f64 {
    match metric.better() {
        Better::Lower => size,
        Better::Higher => -size,
    }
}

//! What a search for the capacity found, for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::escape::visible;
use crate::{
    capacity::{MOST_BATCHES, Summary},
    plan::{Axis, Capacity, Plan, Slo},
    session::{Run, SearchEnd, SearchStep, Session},
};

/// The steps of each search, then the answer with its interval.
pub fn terminal_capacity(session: &Session, search: &Capacity, summary: &Summary, color: bool) -> String {
    let bold = |text: &str| {
        if color {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let mut text = String::new();
    for cell in &session.cells {
        for run in &cell.runs {
            text.push_str(&bold(&format!(
                "Search {} of {}: {}\n",
                run.repeat + 1,
                session.plan.repeats,
                visible(&cell.name)
            )));
            text.push_str(&steps(run, search, &session.plan));
        }
    }
    text.push_str(&bold(&answer(search, summary, &session.plan)));
    let counted = match search.axis {
        Axis::Rate(_) => ", counted from their schedule",
        Axis::Concurrency => "",
    };
    let (promise, share) = (promise(&session.plan.slo), trimmed(search.attainment * 100.0));
    let _ = writeln!(text, "  under {promise}, for {share} % of the requests{counted}");
    text
}

fn steps(run: &Run, search: &Capacity, plan: &Plan) -> String {
    let Some(found) = &run.search else {
        let reason = run.cut_short.as_deref().unwrap_or("it has no answer");
        return format!("  {}\n\n", visible(reason));
    };
    let unit = unit(search, plan);
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        unit.as_str(),
        "Offered",
        "Requests",
        "Met the SLO",
        "Completed",
        "So far",
    ]);
    for column in table.column_iter_mut().take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for step in &found.steps {
        table.add_row([
            trimmed(step.level),
            step.offered_rps
                .map_or_else(|| "–".to_owned(), |rps| format!("{rps:.2} {unit}")),
            step.requests.to_string(),
            format!("{:.1} %", step.attainment * 100.0),
            format!("{:.2} req/s", step.completed_rps),
            so_far(step, search).to_owned(),
        ]);
    }
    format!("{}\n\n", table.trim_fmt())
}

/// What the batches of a level say together; a good batch alone may prove too little, or hide a growing queue.
fn so_far(step: &SearchStep, search: &Capacity) -> &'static str {
    match step.met {
        true => "met",
        false if step.attainment >= search.attainment => "not yet",
        false => "not met",
    }
}

fn answer(search: &Capacity, summary: &Summary, plan: &Plan) -> String {
    let unit = unit(search, plan);
    let level = match summary.median {
        None => return "Capacity: no search came to an end\n".to_owned(),
        Some(SearchEnd::Found(level)) => trimmed(level),
        Some(SearchEnd::AboveMax(level)) => format!("at least {} (the highest tried)", trimmed(level)),
        Some(SearchEnd::BelowMin(level)) => format!("below {} (the lowest tried)", trimmed(level)),
        Some(SearchEnd::Wide(met, missed)) => format!("from {} to below {}", trimmed(met), trimmed(missed)),
    };
    let searches = if summary.searches == 1 {
        "1 search".to_owned()
    } else {
        format!("{} searches", summary.searches)
    };
    let interval = summary.interval.map_or_else(
        || format!(" (from {searches})"),
        |(low, high)| format!(" (95 % interval {} … {}, from {searches})", trimmed(low), trimmed(high)),
    );
    format!("Capacity: {level} {unit}{interval}{}\n", wide(search, summary.wide))
}

/// What to say of searches that ended before they were as precise as asked.
fn wide(search: &Capacity, searches: usize) -> String {
    let (noun, its) = match searches {
        0 => return String::new(),
        1 => ("search", "its"),
        _ => ("searches", "their"),
    };
    format!(
        ", not as precise as asked: {searches} {noun} took {its} most batches, {MOST_BATCHES}; give more `--requests`, or a \
         wider `--precision` than {} %",
        trimmed((search.precision_ratio - 1.0) * 100.0)
    )
}

/// A level of conversations counts these, and not their turns.
fn unit(search: &Capacity, plan: &Plan) -> String {
    match (search.axis, &plan.workload.conversation) {
        (Axis::Rate(_), _) => plan.in_own_unit("req/s"),
        (Axis::Concurrency, None) => "requests in flight".to_owned(),
        (Axis::Concurrency, Some(_)) => "conversations at a time".to_owned(),
    }
}

/// `TTFT ≤ 2 s, TPOT ≤ 200 ms`.
pub(super) fn promise(slo: &Slo) -> String {
    let limits = [("TTFT", slo.ttft_ms), ("TPOT", slo.tpot_ms), ("E2E", slo.e2e_ms)];
    let limits = limits
        .into_iter()
        .filter_map(|(name, ms)| Some(format!("{name} ≤ {}", time(ms?))));
    limits.collect::<Vec<_>>().join(", ")
}

pub(super) fn time(ms: f64) -> String {
    if ms >= 1000.0 {
        format!("{} s", trimmed(ms / 1000.0))
    } else if ms < 1.0 {
        format!("{} µs", trimmed(ms * 1000.0))
    } else {
        format!("{} ms", trimmed(ms))
    }
}

/// Up to two decimals, without zeros at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Arrivals, Conversation, Lengths, ThinkTime};

    #[test]
    fn a_promise_is_told_in_the_unit_that_fits() {
        let slo = Slo {
            ttft_ms: Some(2000.0),
            tpot_ms: Some(0.5),
            e2e_ms: Some(1.0),
        };
        assert_eq!(promise(&slo), "TTFT ≤ 2 s, TPOT ≤ 500 µs, E2E ≤ 1 ms");
    }

    #[test]
    fn a_search_of_conversations_counts_these() {
        let search = |axis| Capacity {
            axis,
            min: 1.0,
            max: 100.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: None,
        };
        let mut plan = crate::measure::synthetic::session(&[4], &[]).plan;
        let units =
            |plan: &Plan| [Axis::Rate(Arrivals::Poisson), Axis::Concurrency].map(|axis| unit(&search(axis), plan));
        assert_eq!(units(&plan), ["req/s", "requests in flight"]);
        plan.workload.conversation = Some(Conversation {
            turns: Lengths::Fixed(3),
            think_time: ThinkTime::Fixed(std::time::Duration::ZERO),
        });
        assert_eq!(units(&plan), ["conversations/s", "conversations at a time"]);
    }

    #[test]
    fn a_search_that_ended_wide_is_told_as_its_bracket() {
        let search = Capacity {
            axis: Axis::Concurrency,
            min: 1.0,
            max: 100.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: None,
        };
        let plan = crate::measure::synthetic::session(&[4], &[]).plan;
        let summary = Summary {
            searches: 1,
            median: Some(SearchEnd::Wide(12.0, 18.0)),
            interval: None,
            wide: 1,
        };
        assert_eq!(
            answer(&search, &summary, &plan),
            "Capacity: from 12 to below 18 requests in flight (from 1 search), not as precise as asked: 1 search took its most \
             batches, 60; give more `--requests`, or a wider `--precision` than 5 %\n"
        );
    }

    #[test]
    fn a_good_batch_that_proves_too_little_is_not_a_missed_one() {
        let search = Capacity {
            axis: Axis::Rate(Arrivals::Poisson),
            min: 1.0,
            max: 100.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: None,
        };
        for (attainment, met, expected) in [(1.0, true, "met"), (1.0, false, "not yet"), (0.98, false, "not met")] {
            let step = SearchStep {
                level: 8.0,
                offered_rps: None,
                requests: 60,
                attainment,
                completed_rps: 7.9,
                met,
            };
            assert_eq!(so_far(&step, &search), expected);
        }
    }
}

//! What a page may weigh: the whole of a usual report, and of an endless one what matters most, each time with a line that says
//! what was left out and where it is.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    format,
    view::{CheckView, ReportView},
};

/// Markup around the text of a row of a table or of a drawn thing, beside what its own names take in JSON.
const MARKUP: usize = 60;
/// A check without its bar and its reason.
const BRIEF: usize = 400;
const FULL: usize = 300;
/// However many there are, so many checks stand in full.
const MOST_IN_FULL: usize = 200;
/// What now is never left out for its length.
const MOST_STEPS: usize = 20;

/// What a page has no room for, in sentences.
#[derive(Debug, Default, Serialize)]
pub(super) struct LeftOut {
    checks: Option<String>,
    indicators: Option<String>,
    runs: Option<String>,
    details: Option<String>,
    metrics: Option<String>,
    /// Of all other lists.
    lists: Vec<String>,
}

/// Leaves out what does not fit into `most` bytes: of the lists their ends, of the checks the bars, reasons and at last the
/// rows of the last, of cells those of the least interesting checks.
pub(super) fn fit(view: &mut ReportView, most: usize) {
    lists(view, most / 20);
    checks(view, most / 100 * 62);
    let ranks = ranks(&view.checks);
    let rank = |cell: &str| ranks.get(cell).copied().unwrap_or(usize::MAX);
    let mut room = most.saturating_sub(fixed(view));
    let all = view.indicators.len();
    let shown = keep(&mut view.indicators, room / 4, |cell| (rank(&cell.name), table(cell)));
    view.left_out.indicators = cells(shown.kept, all, "`perfgate show` of a session lists all of them");
    room = room.saturating_sub(shown.bytes);
    let of_metrics = view.metrics.iter().map(table).sum::<usize>().min(room / 4);
    let room_of_charts = room - of_metrics;
    let all = view.runs.len();
    let shown = keep(&mut view.runs, room_of_charts * 2 / 5, |run| {
        (rank(run.cell()), bytes(run) + 700)
    });
    view.left_out.runs = (shown.kept < all).then(|| {
        format!(
            "Drawn for {} of {all} checks, the worst ones; {WHOLE}",
            grouped(shown.kept)
        )
    });
    let mut spent = shown.bytes;
    let all = view.details.len();
    let rest = room_of_charts.saturating_sub(spent);
    let shown = keep(&mut view.details, rest, |cell| {
        (rank(cell.name()), bytes(cell) * 5 / 4 + 6_000)
    });
    view.left_out.details = cells(shown.kept, all, WHOLE);
    spent += shown.bytes;
    let all = view.metrics.len();
    let rest = room.saturating_sub(spent);
    let shown = keep(&mut view.metrics, rest, |cell| (rank(&cell.name), table(cell)));
    view.left_out.metrics = cells(shown.kept, all, "`report.json` holds all of them");
}

const WHOLE: &str = "`--format html-whole` of `perfgate compare` draws all, however large the page";

/// Where each cell has its first check, worst first.
fn ranks(checks: &[CheckView]) -> HashMap<String, usize> {
    let mut ranks = HashMap::new();
    for (place, check) in checks.iter().enumerate() {
        ranks.entry(check.cell.clone()).or_insert(place);
    }
    ranks
}

fn cells(kept: usize, all: usize, how: &str) -> Option<String> {
    (kept < all).then(|| {
        format!(
            "Shown for {} of {}, those of the worst checks; {how}.",
            grouped(kept),
            format::count(all, "cell")
        )
    })
}

fn grouped(count: usize) -> String {
    crate::verdict::wording::grouped(&count.to_string())
}

/// Lists that are short in every report that was not made to be long.
fn lists(view: &mut ReportView, most: usize) {
    let mut left_out = Vec::new();
    let mut cut = |what: &str, gone: usize| {
        if gone > 0 {
            left_out.push(format!(
                "{} more {what} are left out; `report.json` has them.",
                grouped(gone)
            ));
        }
    };
    cut("warnings", begin(&mut view.warnings, most));
    cut("failures", begin(&mut view.failures, most));
    cut("differences", begin(&mut view.differences, most));
    cut("facts", begin(&mut view.facts, most));
    cut("steps", view.next_steps.len().saturating_sub(MOST_STEPS));
    view.next_steps.truncate(MOST_STEPS);
    cut("paragraphs", begin(&mut view.why, most));
    cut("obligations", begin(&mut view.obligations, most));
    cut("settled obligations", begin(&mut view.given, most));
    cut("charts of the ladder", begin(view.ladder.charts_mut(), most * 2));
    if let Some(trusted) = &mut view.trusted {
        cut("changed files", begin(&mut trusted.changed, most));
    }
    view.left_out.lists = left_out;
}

/// Keeps the beginning that fits; says how many are gone.
fn begin<T: Serialize>(list: &mut Vec<T>, most: usize) -> usize {
    let mut spent = 0;
    let fits = list.iter().take_while(|one| {
        spent += bytes(one) * 3 / 2 + MARKUP;
        spent <= most
    });
    let fits = fits.count();
    let gone = list.len() - fits;
    list.truncate(fits);
    gone
}

/// The worst stand in full as far as they fit, the next without bar and reason, the last not at all.
fn checks(view: &mut ReportView, most: usize) {
    let all = view.checks.len();
    let brief: Vec<usize> = view.checks.iter().map(brief).collect();
    let full: Vec<usize> = view.checks.iter().map(full).collect();
    let mut spent: usize = full.iter().take(MOST_IN_FULL).sum();
    let mut rows = all.min(MOST_IN_FULL);
    while rows < all && spent + brief.get(rows).copied().unwrap_or(0) <= most {
        spent += brief.get(rows).copied().unwrap_or(0);
        rows += 1;
    }
    let mut in_full = rows.min(MOST_IN_FULL);
    while in_full < rows {
        let more = full
            .get(in_full)
            .zip(brief.get(in_full))
            .map_or(0, |(full, brief)| full.saturating_sub(*brief));
        if spent + more > most {
            break;
        }
        spent += more;
        in_full += 1;
    }
    // Long names may be more than even these have room for.
    let mut worst = 0;
    let fits = full.iter().take(in_full).take_while(|bytes| {
        worst += **bytes;
        worst <= most
    });
    let fits = fits.count();
    if fits < in_full {
        (rows, in_full) = (fits, fits);
    }
    view.checks.truncate(rows);
    view.checks
        .iter_mut()
        .skip(in_full)
        .for_each(|check| check.is_brief = true);
    view.left_out.checks = told_of_checks(all, rows, in_full);
}

fn told_of_checks(all: usize, rows: usize, in_full: usize) -> Option<String> {
    let gone = (rows < all).then(|| {
        format!(
            "The last {} of {} are left out. ",
            grouped(all - rows),
            format::count(all, "check")
        )
    });
    let brief = (in_full < rows).then(|| {
        format!(
            "From the {} on, worst first, they stand without interval chart and reason. ",
            ordinal(in_full + 1)
        )
    });
    let told: String = gone.into_iter().chain(brief).collect();
    (!told.is_empty()).then(|| format!("{told}`report.json` has all of it, and `--format html-whole` shows it."))
}

fn ordinal(place: usize) -> String {
    format!("{}th", grouped(place))
}

fn brief(check: &CheckView) -> usize {
    BRIEF + check.cell.len() + check.values.len() + check.interval.len()
}

fn full(check: &CheckView) -> usize {
    FULL + bytes(check)
}

/// A table of figures.
fn table<T: Serialize>(cell: &T) -> usize {
    bytes(cell) * 3 / 2 + 4 * MARKUP
}

/// All that stands whatever fits.
fn fixed(view: &ReportView) -> usize {
    let rows: usize = view
        .checks
        .iter()
        .map(|check| if check.is_brief { brief(check) } else { full(check) })
        .sum();
    let lists = [
        bytes(&view.warnings),
        bytes(&view.failures),
        bytes(&view.differences),
        bytes(&view.facts),
        bytes(&view.next_steps),
        bytes(&view.why),
        bytes(&view.obligations),
        bytes(&view.given),
        bytes(&view.ladder),
        bytes(&view.history),
        bytes(&view.trusted),
    ];
    // Style, script and headings.
    40_000 + rows + lists.iter().sum::<usize>() * 3 / 2
}

/// What was kept, and what it takes.
struct Kept {
    kept: usize,
    bytes: usize,
}

/// Keeps of things with their rank and weight the best ranked ones that fit together, in the order that they have.
fn keep<T>(list: &mut Vec<T>, most: usize, of: impl Fn(&T) -> (usize, usize)) -> Kept {
    let mut order: Vec<(usize, usize, usize)> = list
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let (rank, bytes) = of(one);
            (rank, place, bytes)
        })
        .collect();
    order.sort_unstable();
    let mut spent = 0;
    let mut is_kept = vec![false; list.len()];
    for (_, place, bytes) in order {
        if spent + bytes > most {
            break;
        }
        spent += bytes;
        if let Some(kept) = is_kept.get_mut(place) {
            *kept = true;
        }
    }
    let mut flags = is_kept.into_iter();
    list.retain(|_| flags.next().unwrap_or(false));
    Kept {
        kept: list.len(),
        bytes: spent,
    }
}

/// How long a thing is as JSON: about as long as its text in the page and its shortest markup.
fn bytes(thing: &impl Serialize) -> usize {
    let mut counted = Counted(0);
    // A count takes everything.
    let _ = serde_json::to_writer(&mut counted, thing);
    counted.0
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_ranked_are_kept_in_their_order(
            things in prop::collection::vec((0_usize..50, 1_usize..40), 0..60), most in 0_usize..600,
        ) {
            let mut kept = things.clone();
            let found = keep(&mut kept, most, |thing| *thing);
            prop_assert_eq!((found.kept, found.bytes), (kept.len(), kept.iter().map(|thing| thing.1).sum()));
            prop_assert!(found.bytes <= most);
            let worst_kept = kept.iter().map(|thing| thing.0).max().unwrap_or(0);
            let lost = things.iter().filter(|thing| thing.0 < worst_kept).count();
            prop_assert!(kept.iter().filter(|thing| thing.0 < worst_kept).count() == lost, "one of a better rank was left out");
            let mut rest = things.iter();
            prop_assert!(kept.iter().all(|thing| rest.any(|other| other == thing)), "the order is another");
        }
    }

    #[test]
    fn a_list_keeps_its_beginning() {
        let mut list: Vec<String> = (0..100).map(|place| format!("sentence {place}")).collect();
        assert_eq!(begin(&mut list, 1_000_000), 0);
        let gone = begin(&mut list, 1000);
        assert!(
            gone > 80 && list.len() + gone == 100 && list[0] == "sentence 0",
            "{gone}"
        );
    }
}

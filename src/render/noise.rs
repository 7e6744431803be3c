//! The noise of a machine, what a gate can tell with it, and a configuration that it can hold, for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{
    escape::visible,
    format::{self, SPACE},
};
use crate::{
    noise::{FalseBlocks, Noise, PairsFrom, Resampled, Suggestion},
    stats::proportion::clopper_pearson,
    verdict::{Action, Evidence, Gate, Limit},
};

/// Tables of the noise and of what it allows, then how often the gate blocks a server against itself.
pub fn terminal_noise(noise: &Noise, blocks: &[FalseBlocks]) -> String {
    let sessions = format::count(noise.sessions, "session");
    let measurements = format::count(noise.measurements, "A/A measurement");
    let mut text = format!("{sessions}, {measurements}\n\n");
    for left_out in &noise.missing {
        let _ = writeln!(text, "{}", visible(left_out));
    }
    if !noise.missing.is_empty() {
        text.push('\n');
    }
    if noise.rows.is_empty() {
        text.push_str("no gated metric was measured in all runs\n");
        return text.replace(SPACE, " ");
    }
    text.push_str("How far apart the same server lies (standard deviations)\n");
    let _ = writeln!(text, "{}\n", spreads(noise));
    text.push_str("What a gate can tell here (with 80 % probability)\n");
    let _ = writeln!(text, "{}\n", powers(noise));
    text.push_str(&gains(noise));
    for one in blocks {
        text.push_str(&false_blocks(one));
    }
    text.replace(SPACE, " ")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".into())
}

fn spreads(noise: &Noise) -> String {
    let mut table = table(&[
        "Cell",
        "Metric",
        "Runs",
        "Between runs",
        "Neighbours alike",
        "Between sessions",
        "Of a pair",
    ]);
    for row in &noise.rows {
        let spread = &row.spread;
        let pair = |pair: &crate::noise::PairSpread| {
            let from = match (pair.from, pair.blocks) {
                (PairsFrom::Neighbours, _) => "neighbouring runs".to_owned(),
                (PairsFrom::Measured, 1) => "whole runs".to_owned(),
                (PairsFrom::Measured, blocks) => format!("{blocks} blocks"),
            };
            format!("{} ({from})", format::size(pair.sd))
        };
        let pairs: Vec<String> = spread.pairs.iter().map(pair).collect();
        table.add_row([
            visible(&row.cell),
            row.metric.label().to_owned(),
            spread.runs.to_string(),
            or_dash(spread.between_runs.map(format::size)),
            or_dash(spread.lag1.map(|lag1| format!("{lag1:+.2}"))),
            or_dash(spread.between_sessions.map(format::size)),
            or_dash((!pairs.is_empty()).then(|| pairs.join("\n"))),
        ]);
    }
    table.trim_fmt()
}

fn powers(noise: &Noise) -> String {
    let looks = noise
        .rows
        .iter()
        .map(|row| &row.found_at)
        .max_by_key(|found| found.len());
    let looks: Vec<u32> = looks.into_iter().flatten().map(|(pairs, _)| *pairs).collect();
    let mut header: Vec<String> = vec!["Cell".into(), "Metric".into(), "Limit".into()];
    header.extend(looks.iter().map(|pairs| format!("Finds at {pairs}")));
    header.extend(
        [
            "Pairs for 2× the limit",
            "to see the limit",
            "to pass",
            "Stored finds",
            "Repeats to pass",
        ]
        .map(str::to_owned),
    );
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = table(&header);
    for row in &noise.rows {
        let mut cells = vec![
            visible(&row.cell),
            row.metric.label().to_owned(),
            format::size(row.limit),
        ];
        let found = |look: &u32| {
            row.found_at
                .iter()
                .find(|(pairs, _)| pairs == look)
                .map(|(_, share)| format::size(*share))
        };
        cells.extend(looks.iter().map(|look| or_dash(found(look))));
        let counts = [row.pairs_to_find, row.pairs_to_see, row.pairs_to_pass];
        cells.extend(counts.map(|count| or_dash(count.map(|count| count.to_string()))));
        cells.push(or_dash(row.stored_finds.map(format::size)));
        cells.push(or_dash(row.repeats_to_pass.map(|count| count.to_string())));
        table.add_row(cells);
    }
    table.trim_fmt()
}

/// With twelve, the ratio of two variances is still off by up to three times, nineteen times of twenty.
const ENOUGH_PAIRS: usize = 12;

fn gains(noise: &Noise) -> String {
    let mut text = String::new();
    for row in &noise.rows {
        let what = format!("for {} at {}", row.metric.label(), visible(&row.cell));
        for (blocks, times) in row.spread.gain_of_blocks() {
            let _ = writeln!(text, "{blocks} blocks a pair: {} {what}", fewer(times));
        }
        if let Some((blocks, times)) = row.spread.gain_of_halves().last() {
            let halves = &row.spread.halves;
            let each = halves.iter().map(|half| match half.blocks {
                1 => format!("{} whole", format::size(half.sd)),
                blocks => format!("{} in {blocks}", format::size(half.sd)),
            });
            let each: Vec<String> = each.collect();
            let pairs = halves.iter().map(|half| half.pairs).min().unwrap_or(0);
            let _ = writeln!(
                text,
                "{blocks} blocks a pair: {} {what}, by half the requests of {}: {}{}",
                fewer(*times),
                format::count(pairs, "pair"),
                each.join(", "),
                if pairs < ENOUGH_PAIRS {
                    "; so few pairs tell it roughly"
                } else {
                    ""
                }
            );
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn fewer(times: f64) -> String {
    if times < 1.05 {
        "no fewer pairs than whole runs".to_owned()
    } else {
        format!("{times:.1} times fewer pairs than whole runs")
    }
}

fn false_blocks(one: &FalseBlocks) -> String {
    let (what, warning) = match one.from {
        Resampled::Pairs { pairs, measured } => (
            format!(
                "A/B gate, from {} a cell{}",
                format::count(pairs, "pair"),
                if measured { "" } else { " of neighbouring runs" }
            ),
            (pairs < 20).then_some("few pairs: the tails of the noise are not in them"),
        ),
        Resampled::Sessions { sessions } => (
            format!("stored baseline, from {}", format::count(sessions, "session")),
            (sessions < 10).then_some("few sessions: how far sessions can lie apart is hardly in them"),
        ),
    };
    let share = f64::from(one.blocked) / f64::from(one.resamples.max(1));
    let upper = clopper_pearson(one.blocked, one.resamples, 0.95).map(|(_, high)| high);
    let upper = upper.map_or_else(String::new, |high| {
        format!(", at most {:.2} % by these draws", high * 100.0)
    });
    let warning = warning.map_or_else(String::new, |warning| format!("; {warning}"));
    format!(
        "{what}: blocks this server against itself in {} of {} ({:.2} %{upper}){warning}\n",
        one.blocked,
        one.resamples,
        share * 100.0
    )
}

/// A fragment of `perfgate.yaml` that this machine can hold.
pub fn suggestion_yaml(suggestion: &Suggestion, noise: &Noise) -> String {
    let sessions = format::count(noise.sessions, "session");
    let measurements = format::count(noise.measurements, "A/A measurement");
    let mut text = format!(
        "# by `perfgate noise` from {sessions} and {measurements}: 80 % of slowdowns of twice the limit are found,\n# and 80 % of unchanged servers pass\n"
    );
    if let Some(repeats) = suggestion.repeats {
        let _ = writeln!(text, "repeat: {repeats}");
    } else {
        text.push_str("# stored baselines cannot settle these limits here, however many repeats: measure both sides in alternation\n");
    }
    text.push_str("measure: ab\nab:\n");
    let looks: Vec<String> = suggestion.looks.iter().map(u32::to_string).collect();
    let _ = writeln!(text, "  looks: [{}]", looks.join(", "));
    let blocks = if suggestion.blocks == 1 {
        "off".to_owned()
    } else {
        suggestion.blocks.to_string()
    };
    let _ = writeln!(text, "  blocks: {blocks}");
    if suggestion.gates.values().any(|gate| rule(gate).is_some()) {
        text.push_str("gates:\n");
    }
    for (metric, gate) in &suggestion.gates {
        match rule(gate) {
            Some(rule) => {
                let _ = writeln!(text, "  {}: {rule}", metric.key());
            }
            None => {
                let _ = writeln!(text, "  # {} keeps its limit in {}", metric.key(), metric.unit());
            }
        }
    }
    for metric in &suggestion.hopeless {
        let _ = writeln!(
            text,
            "# no limit below 100 % holds for {}: gate it on another machine",
            metric.key()
        );
    }
    text.replace(SPACE, " ")
}

/// The rule of one metric; `None` of an absolute limit, which no noise moves.
fn rule(gate: &Gate) -> Option<String> {
    let Limit::Relative(share) = gate.limit else {
        return None;
    };
    let limit = format!("{}%", trimmed(share * 100.0));
    let action = match gate.action {
        Action::Block => "block",
        Action::Warn => "warn",
        Action::Report => "report",
    };
    let requires = match gate.requires {
        Some(Evidence::Explanation) => ", requires: explanation",
        Some(Evidence::Profile) => ", requires: profile",
        None => "",
    };
    Some(format!("{{threshold: {limit}, action: {action}{requires}}}"))
}

/// Up to four decimals, without zeros at the end.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

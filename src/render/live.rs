//! A measurement under way: a view that a terminal redraws, and a line for a log.

use super::{
    columns::{cut_to, width},
    escape::on_screen,
    format::{SPACE, Scale, clock},
    grid::Grid,
    spark::{Reach, spark},
    words::Tone,
};
use crate::{
    measure::live::{Live, LiveSide},
    metric::{Metric, Percentile},
};

/// The smallest terminal on which a view tells more than a bar.
pub const LEAST_VIEW: (u16, u16) = (60, 16);

/// A course lies flat where its seconds differ by less.
const LEAST_RATIO: f64 = 0.05;
const MOST_SIGNS: usize = 60;
const NONE: &str = "–";

/// One line of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveLine {
    /// As it is written.
    pub text: String,
    /// How many columns it takes.
    pub columns: usize,
}

impl LiveLine {
    /// A line of text that is cut where the terminal ends.
    pub fn plain(text: &str, columns: u16) -> Self {
        let text = cut_to(&on_screen(text), usize::from(columns).saturating_sub(1));
        let columns = width(&text);
        Self { text, columns }
    }
}

/// The view for a terminal of so many columns and lines: no line is as wide, and there are fewer.
pub fn live_view(live: &Live, (columns, lines): (u16, u16), color: bool) -> Vec<LiveLine> {
    let room = usize::from(columns).saturating_sub(1);
    let paint = |text: &str, codes: &'static str| {
        let text = cut_to(&text.replace(SPACE, " "), room);
        let columns = width(&text);
        let text = match codes {
            "" => text,
            _ if !color => text,
            codes => format!("\u{1b}[{codes}m{text}\u{1b}[0m"),
        };
        LiveLine { text, columns }
    };
    let mut view = vec![paint(&caption(live), "1"), paint(&bar(live, room), "")];
    let most = usize::from(lines).saturating_sub(1);
    let table = table(live);
    let below = below(live, room);
    // What finds no room is left out from the end; blanks first.
    let is_airy = view.len() + table.lines().count() + below.len() + 2 <= most;
    view.extend(is_airy.then(LiveLine::default));
    view.extend(table.lines().map(|line| paint(line, "")));
    view.extend(is_airy.then(LiveLine::default));
    view.extend(below.iter().map(|(line, codes)| paint(line, codes)));
    view.truncate(most);
    view
}

/// The same in one line, without an end.
pub fn live_line(live: &Live) -> String {
    let mut parts = vec![format!("{} of {} requests", live.done, live.planned)];
    for side in &live.sides {
        let mut figures = Vec::new();
        figures.extend(side.requests_per_s.map(|rate| number(Metric::Qps, rate)));
        figures.extend(
            side.output_tokens_per_s
                .map(|rate| number(Metric::OutputTokensPerS, rate)),
        );
        for (name, of, values) in [
            ("TTFT", Metric::Ttft as fn(Percentile) -> Metric, side.ttft_ms),
            ("TPOT", Metric::Tpot, side.tpot_ms),
        ] {
            if let [Some(p50), p95] = values {
                let p95 = p95.map_or_else(|| NONE.to_owned(), |p95| number(of(Percentile::P95), p95));
                figures.push(format!("{name} P50 {} P95 {p95}", number(of(Percentile::P50), p50)));
            }
        }
        let failed = failed(side);
        figures.extend((failed > 0).then(|| format!("{failed} failed")));
        let figures = figures.join(", ");
        parts.push(if side.arm.is_empty() {
            figures
        } else {
            format!("{}: {figures}", on_screen(&side.arm))
        });
    }
    parts.extend(live.left_s.map(|left_s| format!("{} left", clock(left_s))));
    parts.retain(|part| !part.is_empty());
    format!("{}: {}", on_screen(&stage(live)), parts.join("; ")).replace(SPACE, " ")
}

/// `candidate: synthetic-64/16 @ c=4, run 3 of 10, warm-up`.
fn stage(live: &Live) -> String {
    let arm = live.arm.as_ref().map_or_else(String::new, |arm| format!("{arm}: "));
    let warm_up = if live.is_warm_up { ", warm-up" } else { "" };
    format!("{arm}{}, run {} of {}{warm_up}", live.cell, live.run, live.runs)
}

fn caption(live: &Live) -> String {
    let left = match live.left_s {
        // Pairs end at the look that settles them.
        Some(left_s) if is_in_pairs(live) => format!(", {} left at most", clock(left_s)),
        Some(left_s) => format!(", {} left", clock(left_s)),
        None => String::new(),
    };
    format!("{} · {}{left}", on_screen(&stage(live)), clock(live.elapsed_s))
}

fn is_in_pairs(live: &Live) -> bool {
    live.arm.is_some() || live.sides.iter().any(|side| !side.arm.is_empty())
}

/// The whole as a bar where it is known, then the stage and the whole in numbers.
fn bar(live: &Live, room: usize) -> String {
    let stage = format!("{} of {} requests", live.done, live.planned);
    let Some(all) = live.all_planned else {
        return format!("{stage} · {} in all", live.all_done);
    };
    let numbers = format!("{stage} · {} of {all} in all", live.all_done);
    let length = room.saturating_sub(width(&numbers) + 2).min(30);
    let filled = (live.all_done.min(all) * length as u64).checked_div(all).unwrap_or(0);
    let filled = usize::try_from(filled).unwrap_or(length);
    let (filled, empty) = ("█".repeat(filled), "░".repeat(length.saturating_sub(filled)));
    format!("{filled}{empty} {numbers}")
}

/// A metric, and where a side has it.
type Figure = (Metric, fn(&LiveSide) -> Option<f64>);

/// The figures of each arm beside one another.
fn table(live: &Live) -> String {
    let sides = &live.sides;
    let rows: [Figure; 8] = [
        (Metric::Qps, |side| side.requests_per_s),
        (Metric::OutputTokensPerS, |side| side.output_tokens_per_s),
        (Metric::Ttft(Percentile::P50), |side| side.ttft_ms[0]),
        (Metric::Ttft(Percentile::P95), |side| side.ttft_ms[1]),
        (Metric::Tpot(Percentile::P50), |side| side.tpot_ms[0]),
        (Metric::Tpot(Percentile::P95), |side| side.tpot_ms[1]),
        (Metric::E2e(Percentile::P50), |side| side.e2e_ms[0]),
        (Metric::E2e(Percentile::P95), |side| side.e2e_ms[1]),
    ];
    let scales = rows.map(|(metric, of)| Scale::of(metric, sides.iter().filter_map(of)));
    let labels = rows.iter().map(|(metric, _)| metric.label().to_owned());
    let mut grid = Grid::default().names("", labels.chain(["Failed requests".to_owned()]));
    for side in sides {
        let values = rows
            .iter()
            .zip(&scales)
            .map(|((_, of), scale)| of(side).map_or_else(|| NONE.to_owned(), |value| scale.number(value)));
        let cells = values.chain([failed(side).to_string()]);
        grid = grid.numbers(&on_screen(&side.arm), cells);
    }
    if sides.is_empty() {
        grid = grid.numbers("", vec![NONE.to_owned(); rows.len() + 1]);
    }
    grid.names("", scales.iter().map(|scale| scale.unit().to_owned()))
        .text()
}

/// What stands below the table: requests under way, the last minute, GPUs, what failed.
fn below(live: &Live, room: usize) -> Vec<(String, &'static str)> {
    let mut lines = vec![(format!(" in flight {}", live.in_flight), "")];
    if live.tokens_by_second.iter().any(|tokens| *tokens > 0.0) {
        let values: Vec<Option<f64>> = live.tokens_by_second.iter().copied().map(Some).collect();
        let reach = Reach::of(live.tokens_by_second.iter().copied().chain([0.0]), LEAST_RATIO);
        let label = " output tokens by second ";
        let course = spark(&values, reach, room.saturating_sub(width(label)).min(MOST_SIGNS));
        lines.push((format!("{label}{course}"), ""));
    }
    if let Some(gpu) = live.gpu {
        let memory_gb = gigabytes(gpu.memory_used_bytes);
        let memory = Scale::of(Metric::GpuMemoryPeakGb, [memory_gb]).with_unit(memory_gb);
        let busy = gpu.utilization_pct.map(|pct| format!(", utilisation {pct:.0}{SPACE}%"));
        lines.push((format!(" GPU memory {memory}{}", busy.unwrap_or_default()), ""));
    }
    for side in live.sides.iter().filter(|side| !side.failures.is_empty()) {
        let classes = side
            .failures
            .iter()
            .map(|(class, count)| format!("{count} × {}", class.key()));
        let arm = if side.arm.is_empty() {
            String::new()
        } else {
            format!("{}: ", on_screen(&side.arm))
        };
        let classes = classes.collect::<Vec<_>>().join(", ");
        lines.push((format!(" failed: {arm}{classes}"), Tone::Bad.sgr()));
    }
    lines
}

fn failed(side: &LiveSide) -> u64 {
    side.failures.iter().map(|(_, count)| *count).sum()
}

fn number(metric: Metric, value: f64) -> String {
    Scale::of(metric, [value]).with_unit(value)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 bytes are 9 PB")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::live::LiveGpu, session::FailureClass};

    fn side(arm: &str, factor: f64) -> LiveSide {
        LiveSide {
            arm: arm.to_owned(),
            completed: 300,
            failures: Vec::new(),
            requests_per_s: Some(12.43 / factor),
            output_tokens_per_s: Some(12_395.0 / factor),
            ttft_ms: [Some(141.3 * factor), Some(182.4 * factor)],
            tpot_ms: [Some(10.21 * factor), Some(11.42 * factor)],
            e2e_ms: [Some(1410.0 * factor), Some(1610.0 * factor)],
        }
    }

    fn pairs() -> Live {
        Live {
            elapsed_s: 42.0,
            left_s: Some(3_723.0),
            cell: "synthetic-64/16 @ c=4".into(),
            arm: Some("candidate".into()),
            run: 3,
            runs: 10,
            done: 312,
            planned: 500,
            all_done: 1230,
            all_planned: Some(4000),
            in_flight: 4,
            sides: vec![side("baseline", 1.0), side("candidate", 1.1)],
            tokens_by_second: vec![0.0, 100.0, 200.0, 200.0],
            gpu: Some(LiveGpu {
                memory_used_bytes: 61_200_000_000,
                utilization_pct: Some(93.4),
            }),
            ..Live::default()
        }
    }

    fn text(live: &Live, room: (u16, u16)) -> String {
        let lines: Vec<String> = live_view(live, room, false).into_iter().map(|line| line.text).collect();
        lines.join("\n")
    }

    #[test]
    fn a_view_of_pairs_reads_like_this() {
        let mut live = pairs();
        live.sides[1].failures = vec![(FailureClass::Http(500), 2), (FailureClass::Stalled, 1)];
        live.sides[1].ttft_ms[1] = None;
        let expected = "\
candidate: synthetic-64/16 @ c=4, run 3 of 10 · 0:42, 1:02:03 left at most
█████████░░░░░░░░░░░░░░░░░░░░░ 312 of 500 requests · 1230 of 4000 in all

                      baseline   candidate
─────────────────────────────────────────────────────
 QPS                     12.43       11.30   req/s
 Output throughput   12\u{202f}395      11\u{202f}268      tokens/s
 TTFT P50               141.3       155.4    ms
 TTFT P95               182.4            –   ms
 TPOT P50                10.21       11.23   ms
 TPOT P95                11.42       12.56   ms
 E2E P50                  1.41        1.55   s
 E2E P95                  1.61        1.77   s
 Failed requests          0           3

 in flight 4
 output tokens by second ▁▅██
 GPU memory 61.20 GB, utilisation 93 %
 failed: candidate: 2 × http_500, 1 × stalled";
        assert_eq!(text(&live, (100, 40)), expected);
    }

    #[test]
    fn a_small_terminal_gets_what_fits() {
        let hostile = Live {
            cell: "模型\u{1b}[2J\u{202e} 🚀 שלום".repeat(9),
            ..pairs()
        };
        for live in [pairs(), hostile, Live::default()] {
            for room in [(60, 16), (80, 24), (20, 5), (1, 1), (0, 0)] {
                for color in [false, true] {
                    let view = live_view(&live, room, color);
                    assert!(view.len() < usize::from(room.1).max(1), "{room:?}: {view:?}");
                    for line in &view {
                        assert!(line.columns < usize::from(room.0).max(1), "{room:?}: {line:?}");
                        assert!(color || !line.text.contains('\u{1b}'), "{line:?}");
                        assert!(color || width(&line.text) == line.columns, "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_log_gets_one_line() {
        let mut live = pairs();
        live.sides[1].failures = vec![(FailureClass::Stalled, 1)];
        assert_eq!(
            live_line(&live).replace('\u{202f}', " "),
            "candidate: synthetic-64/16 @ c=4, run 3 of 10: 312 of 500 requests; baseline: 12.43 req/s, 12 395 tokens/s, \
             TTFT P50 141.3 ms P95 182.4 ms, TPOT P50 10.21 ms P95 11.42 ms; candidate: 11.30 req/s, 11 268 tokens/s, \
             TTFT P50 155.4 ms P95 200.6 ms, TPOT P50 11.23 ms P95 12.56 ms, 1 failed; 1:02:03 left"
        );
        let first = Live {
            cell: "a".into(),
            is_warm_up: true,
            run: 1,
            runs: 1,
            planned: 9,
            ..Live::default()
        };
        assert_eq!(live_line(&first), "a, run 1 of 1, warm-up: 0 of 9 requests");
    }
}

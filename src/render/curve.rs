//! Throughput against latency: a ladder of load levels as a table, as a chart for a terminal, and as SVG.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::escape::{html, visible};
use crate::{
    metric::{Metric, Percentile},
    report::{Arm, CellFigures, Figure},
};

/// One level of a ladder: medians over its runs; what was not measured is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// The load level (`c=16`).
    pub level: String,
    /// Completed requests per second.
    pub requests_per_s: Option<f64>,
    /// Output tokens per second.
    pub tokens_per_s: Option<f64>,
    /// Median time per output token, in milliseconds.
    pub tpot_p50_ms: Option<f64>,
    /// Counted from the send of a request.
    pub from_send: Waits,
    /// Counted from when it was due; absent in closed loop.
    pub from_schedule: Option<Waits>,
}

/// What was waited for, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    /// Median time to first token.
    pub ttft_p50_ms: Option<f64>,
    /// Its P95.
    pub ttft_p95_ms: Option<f64>,
    /// Median time of a whole answer.
    pub e2e_p50_ms: Option<f64>,
}

impl CurvePoint {
    /// As users feel it: from the schedule where there is one.
    fn felt(&self) -> Waits {
        self.from_schedule.unwrap_or(self.from_send)
    }
}

/// The measured levels of a session, in plan order.
pub fn curve(arm: &Arm) -> Vec<CurvePoint> {
    arm.cells.iter().filter(|cell| cell.runs > 0).map(point).collect()
}

/// A rate of conversations is called so in the name of its cell.
pub(super) fn level(cell: &CellFigures) -> String {
    let level = cell.load.to_string();
    let of_conversations = level.replace("req/s", "conversations/s");
    if cell.name.ends_with(&of_conversations) {
        of_conversations
    } else {
        level
    }
}

fn point(cell: &CellFigures) -> CurvePoint {
    use Percentile::{P50, P95};
    let value = |metric: Metric| match cell.metrics.get(&metric) {
        Some(Figure::Measured { median, .. }) => Some(*median),
        _ => None,
    };
    let waits = |ttft: fn(Percentile) -> Metric, e2e: fn(Percentile) -> Metric| Waits {
        ttft_p50_ms: value(ttft(P50)),
        ttft_p95_ms: value(ttft(P95)),
        e2e_p50_ms: value(e2e(P50)),
    };
    let from_schedule = waits(Metric::TtftFromSchedule, Metric::E2eFromSchedule);
    CurvePoint {
        level: level(cell),
        requests_per_s: value(Metric::Qps),
        tokens_per_s: value(Metric::OutputTokensPerS),
        tpot_p50_ms: value(Metric::Tpot(P50)),
        from_send: waits(Metric::Ttft, Metric::E2e),
        from_schedule: (from_schedule != Waits::default()).then_some(from_schedule),
    }
}

/// The frame of a picture: throughput to the right, median latency upwards, both from zero.
pub(super) struct Frame {
    pub(super) most_throughput: f64,
    pub(super) most_latency_ms: f64,
    has_tokens: bool,
}

impl Frame {
    /// Around all these points.
    pub(super) fn around<'a>(points: impl Iterator<Item = &'a CurvePoint> + Clone) -> Self {
        let mut frame = Self {
            most_throughput: 0.0,
            most_latency_ms: 0.0,
            has_tokens: points.clone().all(|point| point.tokens_per_s.is_some()),
        };
        for (throughput, latency_ms) in points.filter_map(|point| frame.figures(point)).collect::<Vec<_>>() {
            frame.most_throughput = frame.most_throughput.max(throughput);
            frame.most_latency_ms = frame.most_latency_ms.max(latency_ms);
        }
        frame
    }

    /// What throughput is counted in.
    pub(super) fn unit(&self) -> &'static str {
        self.throughput().unit()
    }

    /// The metric to the right.
    pub(super) fn throughput(&self) -> Metric {
        if self.has_tokens {
            Metric::OutputTokensPerS
        } else {
            Metric::Qps
        }
    }

    /// Throughput and latency of a point; `None` where one was not measured.
    pub(super) fn figures(&self, point: &CurvePoint) -> Option<(f64, f64)> {
        let throughput = if self.has_tokens {
            point.tokens_per_s
        } else {
            point.requests_per_s
        };
        Some((throughput?, point.felt().e2e_p50_ms?))
    }

    /// Where a point stands, both ways from 0 to 1.
    pub(super) fn share(&self, (throughput, latency_ms): (f64, f64)) -> (f64, f64) {
        let of = |value: f64, most: f64| {
            if most > 0.0 {
                (value / most).clamp(0.0, 1.0)
            } else {
                0.0
            }
        };
        (
            of(throughput, self.most_throughput),
            of(latency_ms, self.most_latency_ms),
        )
    }
}

/// The levels that can be drawn, each with its place.
struct Drawn<'a> {
    places: Vec<(&'a str, (f64, f64))>,
    frame: Frame,
}

impl<'a> Drawn<'a> {
    fn of(curve: &'a [CurvePoint]) -> Self {
        let frame = Frame::around(curve.iter());
        let place = |point: &'a CurvePoint| Some((point.level.as_str(), frame.share(frame.figures(point)?)));
        Self {
            places: curve.iter().filter_map(place).collect(),
            frame,
        }
    }
}

const CHART_ROWS: u16 = 12;
const CHART_COLUMNS: u16 = 64;

/// The levels as a table, and below it throughput against latency.
pub fn terminal_curve(curve: &[CurvePoint], width: u16) -> String {
    let mut text = format!("{}\n", table(curve).trim_fmt());
    let drawn = Drawn::of(curve);
    if drawn.places.len() < 2 {
        return text;
    }
    let columns = CHART_COLUMNS.min(width.saturating_sub(12)).max(20);
    let _ = writeln!(
        text,
        "\n  E2E P50 against throughput (the digits are the levels, in order)\n"
    );
    for line in chart(&drawn, columns) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn table(curve: &[CurvePoint]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let is_open = curve.iter().any(|point| point.from_schedule.is_some());
    let mut header = vec![
        "", "Level", "req/s", "tokens/s", "TPOT P50", "TTFT P50", "TTFT P95", "E2E P50",
    ];
    if is_open {
        header.extend([
            "TTFT P50\nfrom schedule",
            "TTFT P95\nfrom schedule",
            "E2E P50\nfrom schedule",
        ]);
    }
    table.set_header(header);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (number, point) in (1..).zip(curve) {
        let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms"));
        let plain = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        let waits = |waits: Waits| [waits.ttft_p50_ms, waits.ttft_p95_ms, waits.e2e_p50_ms].map(ms);
        let mut row = vec![
            mark(number).to_string(),
            visible(&point.level),
            plain(point.requests_per_s),
            plain(point.tokens_per_s),
            ms(point.tpot_p50_ms),
        ];
        row.extend(waits(point.from_send));
        if is_open {
            row.extend(waits(point.from_schedule.unwrap_or_default()));
        }
        table.add_row(row);
    }
    table
}

/// `1` to `9`, then `a` to `z`, then a dot.
fn mark(number: u32) -> char {
    char::from_digit(number, 36).unwrap_or('·')
}

/// Rows from the top, with the axis to the left and below.
fn chart(drawn: &Drawn<'_>, columns: u16) -> Vec<String> {
    let mut grid = vec![vec![' '; usize::from(columns)]; usize::from(CHART_ROWS)];
    for (number, (_, (right, up))) in (1..).zip(&drawn.places) {
        let (column, row) = (cell(*right, columns), CHART_ROWS - 1 - cell(*up, CHART_ROWS));
        let place = grid
            .get_mut(usize::from(row))
            .and_then(|row| row.get_mut(usize::from(column)));
        if let Some(place) = place {
            *place = mark(number);
        }
    }
    let mut lines: Vec<String> = grid
        .iter()
        .enumerate()
        .map(|(row, cells)| {
            let label = if row == 0 {
                format!("{:.0} ms", drawn.frame.most_latency_ms)
            } else {
                String::new()
            };
            format!("{label:>10} │{}", cells.iter().collect::<String>())
        })
        .collect();
    lines.push(format!("{:>10} └{}", "0", "─".repeat(usize::from(columns))));
    let end = format!("{:.0} {}", drawn.frame.most_throughput, drawn.frame.unit());
    lines.push(format!("{:>11} 0{end:>width$}", "", width = usize::from(columns) - 1));
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 of a small count"
)]
fn cell(share: f64, count: u16) -> u16 {
    (share * f64::from(count - 1)).round() as u16
}

const LEFT: f64 = 70.0;
const TOP: f64 = 20.0;
const PLOT_WIDTH: f64 = 520.0;
const PLOT_HEIGHT: f64 = 280.0;

/// The curve as an SVG picture of its own.
pub fn curve_svg(curve: &[CurvePoint]) -> String {
    let drawn = Drawn::of(curve);
    let (right, bottom) = (LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT);
    let places: Vec<(f64, f64, &str)> = drawn
        .places
        .iter()
        .map(|(level, (across, up))| (LEFT + across * PLOT_WIDTH, bottom - up * PLOT_HEIGHT, *level))
        .collect();
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"#24292f\">\n\
         <title>Throughput against latency</title>\n<rect width=\"640\" height=\"360\" fill=\"#ffffff\"/>\n",
    );
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#8c959f\"/>"
    );
    let line: Vec<String> = places.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0969da\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
    for (x, y, level) in &places {
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#0969da\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x - 7.0,
            y - 6.0,
            html(level)
        );
    }
    svg.push_str(&labels(&drawn, (right, bottom)));
    svg.push_str("</svg>\n");
    svg
}

fn labels(drawn: &Drawn<'_>, (right, bottom): (f64, f64)) -> String {
    let text = |x: f64, y: f64, anchor: &str, words: String| {
        format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>\n")
    };
    [
        text(
            LEFT - 6.0,
            TOP + 4.0,
            "end",
            format!("{:.0} ms", drawn.frame.most_latency_ms),
        ),
        text(LEFT - 6.0, bottom, "end", "0".to_owned()),
        text(
            right,
            bottom + 16.0,
            "end",
            format!("{:.0} {}", drawn.frame.most_throughput, drawn.frame.unit()),
        ),
        text(
            LEFT + PLOT_WIDTH / 2.0,
            bottom + 34.0,
            "middle",
            format!("throughput ({})", drawn.frame.unit()),
        ),
        text(LEFT, TOP - 8.0, "start", "E2E P50".to_owned()),
    ]
    .concat()
}

#[cfg(test)]
mod tests;

//! Throughput against latency of a ladder of load levels, one line an arm, for the page. The SVG elements stand in
//! `templates/report.html`.

use serde::Serialize;

use super::{
    curve::{CurvePoint, Frame, curve},
    figures::NamedArm,
    format::Scale,
};
use crate::{
    metric::{Metric, Percentile},
    plan::Load,
    report::Arm,
};

/// Fewer levels make no curve.
const FEWEST_LEVELS: usize = 3;
const LEFT: f64 = 70.0;
const TOP: f64 = 24.0;
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 260.0;

/// The curves of a report.
#[derive(Debug, Serialize)]
pub(super) struct Ladder {
    unit: &'static str,
    most_throughput: String,
    most_latency: String,
    lines: Vec<Line>,
    /// For readers who do not see the picture.
    sentence: String,
}

/// The levels of one arm, in plan order.
#[derive(Debug, Serialize)]
struct Line {
    arm: &'static str,
    /// `x,y` of each level.
    path: String,
    marks: Vec<Mark>,
}

/// One level.
#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    y: String,
    label_x: String,
    label_y: String,
    level: String,
    /// The level with its figures.
    title: String,
}

/// The curves where the candidate climbed a ladder; `None` where it did not.
pub(super) fn ladder(arms: &[NamedArm<'_>]) -> Option<Ladder> {
    let (_, candidate) = arms.last()?;
    if !is_ladder(candidate) {
        return None;
    }
    let curves: Vec<(&'static str, Vec<CurvePoint>)> = arms.iter().map(|(name, arm)| (*name, curve(arm))).collect();
    let drawing = Drawing::around(&curves);
    let lines: Vec<Line> = curves.iter().map(|(arm, points)| drawing.line(arm, points)).collect();
    let levels = lines.iter().map(|line| line.marks.len()).max()?;
    let words = |line: &Line| {
        let titles: Vec<&str> = line.marks.iter().map(|mark| mark.title.as_str()).collect();
        titles.join("; ")
    };
    (levels >= FEWEST_LEVELS).then(|| Ladder {
        unit: drawing.frame.unit(),
        most_throughput: drawing.throughput.with_unit(drawing.frame.most_throughput),
        most_latency: drawing.latency.with_unit(drawing.frame.most_latency_ms),
        sentence: lines.iter().map(words).collect::<Vec<_>>().join(". "),
        lines,
    })
}

/// Whether its levels are all of one kind, so that one follows the other.
fn is_ladder(arm: &Arm) -> bool {
    let all = |of: fn(&Load) -> bool| arm.cells.iter().all(|cell| of(&cell.load));
    arm.cells.len() >= FEWEST_LEVELS
        && (all(|load| matches!(load, Load::Concurrency(_))) || all(|load| matches!(load, Load::Rate { .. })))
}

/// What all lines share.
struct Drawing {
    frame: Frame,
    throughput: Scale,
    latency: Scale,
}

impl Drawing {
    fn around(curves: &[(&'static str, Vec<CurvePoint>)]) -> Self {
        let points = curves.iter().flat_map(|(_, points)| points);
        let frame = Frame::around(points.clone());
        let figures: Vec<(f64, f64)> = points.filter_map(|point| frame.figures(point)).collect();
        Self {
            throughput: Scale::of(frame.throughput(), figures.iter().map(|both| both.0)),
            latency: Scale::of(Metric::E2e(Percentile::P50), figures.iter().map(|both| both.1)),
            frame,
        }
    }

    fn line(&self, arm: &'static str, points: &[CurvePoint]) -> Line {
        let marks: Vec<Mark> = points.iter().filter_map(|point| self.mark(arm, point)).collect();
        let path: Vec<String> = marks.iter().map(|mark| format!("{},{}", mark.x, mark.y)).collect();
        Line {
            arm,
            path: path.join(" "),
            marks,
        }
    }

    fn mark(&self, arm: &'static str, point: &CurvePoint) -> Option<Mark> {
        let (throughput, latency_ms) = self.frame.figures(point)?;
        let (right, up) = self.frame.share((throughput, latency_ms));
        let (x, y) = (LEFT + right * WIDTH, TOP + (1.0 - up) * HEIGHT);
        // Left above and right below the marks, so that two arms' labels cover neither each other nor the lines.
        let (beside, below) = if arm == "candidate" { (-7.0, -4.0) } else { (7.0, 13.0) };
        let level = point.level.clone();
        Some(Mark {
            x: format!("{x:.1}"),
            y: format!("{y:.1}"),
            label_x: format!("{:.1}", x + beside),
            label_y: format!("{:.1}", y + below),
            title: format!(
                "{arm} at {level}: {}, E2E P50 {}",
                self.throughput.with_unit(throughput),
                self.latency.with_unit(latency_ms)
            ),
            level,
        })
    }
}

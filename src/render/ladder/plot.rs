//! One chart of a ladder: marks with their reach both ways, lines, a limit, and labels that cover nothing.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

use std::fmt::Write;

use serde::Serialize;

use super::super::{
    axis::{Axis, Round},
    chart::coordinate,
    format::Scale,
    labels::{Anchor, Board, Label, Rect, Side, width},
};

pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = 536.0;
pub(super) const TOP: f64 = 30.0;
pub(super) const BOTTOM: f64 = 246.0;
/// Where labels may stand.
const PLOT: Rect = Rect {
    left: LEFT + 2.0,
    top: 18.0,
    right: 558.0,
    bottom: BOTTOM - 1.0,
};
/// What a mark takes, and one with a ring.
const MARK: f64 = 5.0;
const RINGED: f64 = 9.0;
/// Room for labels along the two sides.
const ROOM_RIGHT: f64 = 66.0;
const ROOM_UP: f64 = 26.0;
/// Marks of both arms nearer than this share the name of their level.
const BESIDE: f64 = 26.0;

/// One chart, ready to be drawn.
#[derive(Debug, Serialize)]
pub(in crate::render) struct Plot {
    pub(super) name: String,
    /// What it shows, in a sentence or two.
    pub(super) sentence: String,
    /// What stands below and above it.
    pub(super) right: String,
    pub(super) up: String,
    pub(super) ticks: Ticks,
    pub(super) slo: Option<SloLine>,
    pub(super) lines: Vec<Line>,
    pub(super) table: Table,
}

/// Round values along both sides.
#[derive(Debug, Serialize)]
pub(super) struct Ticks {
    right: Vec<Tick>,
    up: Vec<Tick>,
}

#[derive(Debug, Serialize)]
struct Tick {
    at: String,
    label: String,
}

/// What the plan promises.
#[derive(Debug, Serialize)]
pub(super) struct SloLine {
    y: String,
    label: Option<Label>,
}

/// One arm.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) arm: &'static str,
    /// `x,y` of each level, rising.
    path: String,
    /// The same of the levels on the Pareto edge; empty where there is none.
    edge: String,
    marks: Vec<Mark>,
    name: Option<Label>,
}

/// One level of one arm.
#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    y: String,
    /// From the smallest to the largest run, both ways.
    reach: String,
    is_edge: bool,
    is_best: bool,
    title: String,
    label: Option<Label>,
}

/// The figures behind a chart.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) head: Vec<String>,
    /// The first of each names its row.
    pub(super) rows: Vec<Vec<String>>,
}

/// A level before it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Which level, from 0.
    pub(super) level: usize,
    /// Both ways: from the smallest run over the median to the largest, each as a share of its side.
    pub(super) right: [f64; 3],
    pub(super) up: [f64; 3],
    pub(super) is_edge: bool,
    pub(super) is_best: bool,
    /// What stands beside it; empty: nothing.
    pub(super) text: String,
    pub(super) title: String,
}

impl Point {
    fn at(&self) -> (f64, f64) {
        let ([_, across, _], [_, up, _]) = (self.right, self.up);
        (x(across), y(up))
    }
}

/// One arm before it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pub(super) arm: &'static str,
    /// Rising.
    pub(super) points: Vec<Point>,
}

fn x(share: f64) -> f64 {
    LEFT + share * (RIGHT - LEFT)
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

/// Round values of two axes.
pub(super) fn ticks((right, along): (Axis, Scale), (up, upward): (Axis, Scale)) -> Ticks {
    Ticks {
        right: across(right.rounds(along, ROOM_RIGHT / (RIGHT - LEFT))),
        up: upwards((up, upward)),
    }
}

/// Names of levels in equal steps, as many as there is room for, and the round values of an axis.
pub(super) fn ticks_of_levels(names: &[String], share: impl Fn(usize) -> f64, up: (Axis, Scale)) -> Ticks {
    let mut kept: Vec<Round> = Vec::new();
    let mut free_from = f64::NEG_INFINITY;
    for (level, name) in names.iter().enumerate() {
        let (at, half) = (x(share(level)), width(name) / 2.0 + 3.0);
        if at - half >= free_from {
            free_from = at + half;
            kept.push(Round {
                share: share(level),
                label: name.clone(),
            });
        }
    }
    Ticks {
        right: across(kept),
        up: upwards(up),
    }
}

fn across(rounds: Vec<Round>) -> Vec<Tick> {
    let tick = |round: Round| Tick {
        at: coordinate(x(round.share)),
        label: round.label,
    };
    rounds.into_iter().map(tick).collect()
}

fn upwards((axis, scale): (Axis, Scale)) -> Vec<Tick> {
    let tick = |round: Round| Tick {
        at: coordinate(y(round.share)),
        label: round.label,
    };
    axis.rounds(scale, ROOM_UP / (BOTTOM - TOP))
        .into_iter()
        .map(tick)
        .collect()
}

/// Lines with their labels: the limit first, then what is best, whose line it is, and the levels from the highest down.
pub(super) fn draw(arms: &[Arm], slo: Option<(f64, String)>) -> (Option<SloLine>, Vec<Line>) {
    let mut board = Board::new(PLOT);
    let points = arms.iter().flat_map(|arm| &arm.points);
    let half = |point: &Point| if point.is_best { RINGED } else { MARK };
    points.for_each(|point| board.block(Rect::around(point.at(), half(point))));
    let slo = slo.map(|(share, text)| slo_line(share, &text, &mut board));
    let mut lines: Vec<Line> = arms.iter().map(line).collect();
    label_best(arms, &mut lines, &mut board);
    for (arm, line) in arms.iter().zip(&mut lines) {
        let last = arm.points.last().map(Point::at);
        line.name = last.and_then(|at| board.put(arm.arm, at, side(arm.arm)));
    }
    label_levels(arms, &mut lines, &mut board);
    (slo, lines)
}

fn slo_line(share: f64, text: &str, board: &mut Board) -> SloLine {
    let height = y(share);
    let places: Vec<((f64, f64), Anchor)> = [
        (RIGHT, Anchor::End),
        (LEFT + 6.0, Anchor::Start),
        (300.0, Anchor::Middle),
    ]
    .into_iter()
    .flat_map(|(x, anchor)| [-5.0, 13.0].map(|below| ((x, height + below), anchor)))
    .collect();
    SloLine {
        y: coordinate(height),
        label: board.write_at(text, &places),
    }
}

fn side(arm: &str) -> Side {
    if arm == "candidate" { Side::Above } else { Side::Below }
}

fn label_best(arms: &[Arm], lines: &mut [Line], board: &mut Board) {
    for (arm, line) in arms.iter().zip(lines) {
        for (point, mark) in arm.points.iter().zip(&mut line.marks) {
            if point.is_best && !point.text.is_empty() {
                mark.label = board.put(&format!("best: {}", point.text), point.at(), side(arm.arm));
            }
        }
    }
}

fn label_levels(arms: &[Arm], lines: &mut [Line], board: &mut Board) {
    let mut named: Vec<(usize, (f64, f64))> = Vec::new();
    // The candidate's first, since it is what is judged.
    for (arm, line) in arms.iter().zip(lines).rev() {
        for (point, mark) in arm.points.iter().zip(&mut line.marks).rev() {
            let (x, y) = point.at();
            let is_named =
                |(level, at): &(usize, (f64, f64))| *level == point.level && (at.0 - x).hypot(at.1 - y) < BESIDE;
            if mark.label.is_none() && !point.text.is_empty() && !named.iter().any(is_named) {
                mark.label = board.put(&point.text, (x, y), side(arm.arm));
            }
            if mark.label.is_some() {
                named.push((point.level, (x, y)));
            }
        }
    }
}

fn line(arm: &Arm) -> Line {
    let path = |points: &mut dyn Iterator<Item = &Point>| {
        let corners = points.map(|point| {
            let (x, y) = point.at();
            format!("{},{}", coordinate(x), coordinate(y))
        });
        corners.collect::<Vec<_>>().join(" ")
    };
    // The edge rises with throughput, whatever the levels do.
    let mut edge: Vec<&Point> = arm.points.iter().filter(|point| point.is_edge).collect();
    edge.sort_by(|one, other| one.at().0.total_cmp(&other.at().0));
    Line {
        arm: arm.arm,
        path: path(&mut arm.points.iter()),
        edge: path(&mut edge.into_iter()),
        marks: arm.points.iter().map(mark).collect(),
        name: None,
    }
}

fn mark(point: &Point) -> Mark {
    let (at_x, at_y) = point.at();
    let ([left, _, right], [low, _, high]) = (point.right, point.up);
    let mut reach = String::new();
    if x(right) - x(left) >= 0.5 {
        let (left, right) = (coordinate(x(left)), coordinate(x(right)));
        let _ = write!(reach, "M{left} {}H{right}", coordinate(at_y));
    }
    if y(low) - y(high) >= 0.5 {
        let (low, high) = (coordinate(y(low)), coordinate(y(high)));
        let _ = write!(reach, "M{} {low}V{high}", coordinate(at_x));
    }
    Mark {
        x: coordinate(at_x),
        y: coordinate(at_y),
        reach,
        is_edge: point.is_edge,
        is_best: point.is_best,
        title: point.title.clone(),
        label: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(text: &str) -> Vec<f64> {
        let signs = |sign: char| !sign.is_ascii_digit() && sign != '.' && sign != '-';
        let parts = text.split(signs).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().unwrap()).collect()
    }

    fn reach() -> impl Strategy<Value = [f64; 3]> {
        prop::array::uniform3(0.0..=1.0_f64).prop_map(|mut ends| {
            ends.sort_unstable_by(f64::total_cmp);
            ends
        })
    }

    fn point() -> impl Strategy<Value = Point> {
        (reach(), reach(), any::<bool>(), any::<bool>()).prop_map(|(right, up, is_edge, is_best)| Point {
            level: 0,
            right,
            up,
            is_edge,
            is_best,
            text: "c=16".to_owned(),
            title: String::new(),
        })
    }

    proptest! {
        #[test]
        fn every_point_is_inside_its_view_box(points in prop::collection::vec(point(), 0..40), limit in 0.0..=1.0_f64) {
            let arms = ["baseline", "candidate"].map(|arm| Arm { arm, points: points.clone() });
            let (slo, lines) = draw(&arms, Some((limit, "SLO 2 s".to_owned())));
            let inside = |numbers: Vec<f64>| numbers.iter().all(|number| (0.0..=560.0).contains(number));
            prop_assert!(inside(numbers(&slo.unwrap().y)));
            for line in &lines {
                prop_assert!(inside(numbers(&line.path)) && inside(numbers(&line.edge)));
                let edge = numbers(&line.edge);
                prop_assert!(edge.iter().step_by(2).is_sorted(), "{edge:?}");
                for mark in &line.marks {
                    prop_assert!(inside(numbers(&mark.reach)) && inside(numbers(&mark.x)), "{mark:?}");
                    prop_assert!((TOP..=BOTTOM).contains(&mark.y.parse::<f64>().unwrap()));
                }
            }
        }
    }

    #[test]
    fn marks_of_both_arms_side_by_side_share_a_name() {
        let point = |at: f64| Point {
            level: 0,
            right: [at; 3],
            up: [0.5; 3],
            is_edge: true,
            is_best: false,
            text: "c=4".into(),
            title: String::new(),
        };
        let labels = |apart: f64| {
            let arms = [("baseline", 0.4), ("candidate", 0.4 + apart)].map(|(arm, at)| Arm {
                arm,
                points: vec![point(at)],
            });
            let (_, lines) = draw(&arms, None);
            lines
                .iter()
                .flat_map(|line| &line.marks)
                .filter(|mark| mark.label.is_some())
                .count()
        };
        assert_eq!((labels(0.02), labels(0.3)), (1, 2));
    }
}

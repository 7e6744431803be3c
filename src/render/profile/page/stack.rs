//! Where the time of a step went, as one bar for each side: what ran by family, what nothing hid, and idle time by its cause.
//!
//! Every coordinate is finite and inside its view box, whatever goes in.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    super::words::{by_ms, ms, share as percent},
    texture::texture,
};
use crate::{
    op_table::{
        Family, IdleCause,
        diff::{TimeDiff, Values},
    },
    render::{
        chart::{coordinate, share},
        format,
        labels::{Anchor, Board, Label, Rect, width},
    },
};

pub(super) const WIDTH: f64 = 460.0;
pub(super) const HEIGHT: f64 = 178.0;
const LEFT: f64 = 66.0;
/// The longer bar ends here; its length stands beside it.
const RIGHT: f64 = 388.0;
const BAR: f64 = 26.0;
const TOPS: [f64; 2] = [44.0, 108.0];
/// Lines on which names stand beside a bar, the nearest first.
const LINES: [[f64; 3]; 2] = [[39.0, 26.0, 13.0], [146.0, 159.0, 172.0]];
/// Narrower parts have no name in the picture; the table behind it has all.
const LEAST: f64 = 2.0;

/// A chart with its table.
#[derive(Debug, Serialize)]
pub(super) struct Stack {
    pub(super) sentence: String,
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<Row>,
}

/// One side.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    side: &'static str,
    pub(super) top: String,
    name_y: String,
    pub(super) parts: Vec<Drawn>,
    pub(super) labels: Vec<Label>,
    /// From a part to its name where that stands apart.
    leaders: Vec<String>,
    pub(super) end: String,
    total: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Drawn {
    pub(super) x: String,
    pub(super) width: String,
    class: &'static str,
    /// Lines or dots over it, which tell it without its colour.
    pub(super) texture: String,
    title: String,
}

/// A row of the table behind it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    values: [String; 3],
}

/// A part of both bars.
pub(super) struct Part {
    name: &'static str,
    class: &'static str,
    ms: [f64; 2],
}

/// `None` where there is no time to draw.
pub(super) fn stack(time: &TimeDiff, sides: [&'static str; 2]) -> Option<Stack> {
    let wall = time.wall.as_ref()?.means();
    let parts = parts(time);
    let longest = wall.into_iter().filter(|ms| ms.is_finite()).fold(0.0, f64::max);
    if longest <= 0.0 || parts.is_empty() {
        return None;
    }
    let mut board = Board::new(Rect {
        left: LEFT - 62.0,
        top: 0.0,
        right: WIDTH,
        bottom: HEIGHT,
    });
    let bars = (0..2).filter_map(|side| {
        bar(
            side,
            (*sides.get(side)?, *wall.get(side)?),
            (&parts, longest),
            &mut board,
        )
    });
    Some(Stack {
        bars: bars.collect(),
        sentence: sentence(wall, &parts),
        rows: rows(wall, &parts),
    })
}

/// What ran, the most of it first, then what nothing hid, then idle time.
fn parts(time: &TimeDiff) -> Vec<Part> {
    let means = Values::means;
    let mut busy: Vec<Part> = time
        .busy
        .iter()
        .map(|busy| Part {
            name: busy.family.name(),
            class: class_of(busy.family),
            ms: means(&busy.values),
        })
        .collect();
    let most = |part: &Part| part.ms[0].max(part.ms[1]);
    busy.sort_by(|a, b| most(b).total_cmp(&most(a)));
    busy.push(Part {
        name: "exposed communication",
        class: "exposed-communication",
        ms: time.exposed_communication_ms,
    });
    busy.push(Part {
        name: "exposed copies",
        class: "exposed-copies",
        ms: time.exposed_copy_ms,
    });
    let idle = time.idle.iter().map(|idle| Part {
        name: short(idle.cause),
        class: class_of_idle(idle.cause),
        ms: means(&idle.values),
    });
    busy.extend(idle);
    busy.retain(|part| part.ms.iter().any(|ms| *ms > 0.0));
    busy
}

const fn class_of(family: Family) -> &'static str {
    match family {
        Family::Gemm => "gemm",
        Family::Attention => "attention",
        Family::Norm => "norm",
        Family::Softmax => "softmax",
        Family::Copy => "copy",
        Family::Communication => "communication",
        Family::Reduction => "reduction",
        Family::Elementwise => "elementwise",
        Family::Graph => "graph",
        Family::Other => "other",
    }
}

const fn class_of_idle(cause: IdleCause) -> &'static str {
    match cause {
        IdleCause::HostWait | IdleCause::Stall => "idle late",
        IdleCause::Profiler => "idle profiler",
        _ => "idle",
    }
}

/// A cause as it stands in a picture.
const fn short(cause: IdleCause) -> &'static str {
    match cause {
        IdleCause::HostWait => "idle: host late",
        IdleCause::KernelWait => "idle: between kernels",
        IdleCause::Other => "idle: other work",
        IdleCause::Profiler => "idle: profiler",
        IdleCause::Stall => "idle: over 1 ms",
        IdleCause::BetweenOps => "idle: between operators",
        IdleCause::Waiting => "idle: over 50 ms",
    }
}

fn bar(
    side: usize,
    (name, wall): (&'static str, f64),
    (parts, longest): (&[Part], f64),
    board: &mut Board,
) -> Option<Bar> {
    let top = *TOPS.get(side)?;
    let x = |ms: f64| LEFT + share(ms, longest, 0.0) * (RIGHT - LEFT);
    let (mut at_ms, mut places) = (0.0, Vec::new());
    for part in parts {
        let own = part.ms.get(side).copied().filter(|ms| ms.is_finite()).unwrap_or(0.0);
        let (left, right) = (x(at_ms), x(at_ms + own));
        at_ms += own;
        if own > 0.0 {
            places.push((part, own, left, right));
        }
    }
    let end = x(at_ms);
    let drawn = places.iter().map(|(part, own, left, right)| Drawn {
        x: coordinate(*left),
        width: coordinate(right - left),
        class: part.class,
        texture: texture(part.class, (*left, *right), (top, top + BAR)),
        title: format!("{}: {} ms, {} of the step", part.name, ms(*own), percent(own / wall)),
    });
    let parts = drawn.collect();
    let (labels, leaders) = labels(places, side, board);
    Some(Bar {
        side: name,
        top: coordinate(top),
        name_y: coordinate(top + BAR / 2.0 + 4.0),
        parts,
        labels,
        leaders,
        end: coordinate(end + 5.0),
        total: format!("{} ms", ms(wall)),
    })
}

/// A part of one bar: itself, its milliseconds, where it begins and ends.
type Placed<'a> = (&'a Part, f64, f64, f64);

/// Names of the parts, the largest first: in them where there is room, else beside the bar; and lines from a part to its name there.
fn labels(mut places: Vec<Placed<'_>>, side: usize, board: &mut Board) -> (Vec<Label>, Vec<String>) {
    let (mut labels, mut leaders) = (Vec::new(), Vec::new());
    let (Some(top), Some(lines)) = (TOPS.get(side), LINES.get(side)) else {
        return (labels, leaders);
    };
    places.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (part, own, left, right) in places.into_iter().filter(|place| place.3 - place.2 >= LEAST) {
        let text = format!("{} {}", part.name, ms(own));
        let middle = f64::midpoint(left, right);
        let room = right - left - 6.0;
        let inside = [text.as_str(), part.name]
            .into_iter()
            .find(|text| width(text) <= room)
            .and_then(|text| board.write(text, (middle, top + BAR / 2.0 + 4.0), Anchor::Middle));
        if let Some(label) = inside {
            labels.push(label);
            continue;
        }
        let anchors = [Anchor::Middle, Anchor::Start, Anchor::End];
        let beside = lines.iter().flat_map(|y| anchors.map(|anchor| ((middle, *y), anchor)));
        if let Some(label) = board.write_at(&text, &beside.collect::<Vec<_>>()) {
            let near = if side == 0 { *top } else { top + BAR };
            let far = label.y.parse::<f64>().unwrap_or(near);
            let far = if side == 0 { far + 2.0 } else { far - 9.0 };
            leaders.push(format!(
                "M{} {}V{}",
                coordinate(middle),
                coordinate(near),
                coordinate(far)
            ));
            labels.push(label);
        }
    }
    (labels, leaders)
}

/// How long a step takes, what most of the change is, and how much of it nothing ran.
fn sentence([good, bad]: [f64; 2], parts: &[Part]) -> String {
    let change = bad - good;
    let ratio = bad / good - 1.0;
    let percent_of = if ratio.is_finite() {
        format!(", {}", format::percent(ratio))
    } else {
        String::new()
    };
    let mut text = format!(
        "A step takes {} → {} ms ({} ms{percent_of})",
        ms(good),
        ms(bad),
        by_ms(change)
    );
    let by = |part: &Part| part.ms[1] - part.ms[0];
    let same_way = |part: &&Part| by(part) * change > 0.0;
    let foremost = parts
        .iter()
        .filter(same_way)
        .max_by(|a, b| by(a).abs().total_cmp(&by(b).abs()));
    if let Some(part) = foremost.filter(|_| change.abs() > 1e-3 * good.abs()) {
        let how = if by(part).abs() > change.abs() / 2.0 {
            "most"
        } else {
            "the largest part"
        };
        let _ = write!(text, "; {how} of it is {} ({} ms)", part.name, by_ms(by(part)));
    }
    let idle = |side: usize| {
        let idle = parts.iter().filter(|part| part.class.starts_with("idle"));
        idle.filter_map(|part| part.ms.get(side)).sum::<f64>()
    };
    let shares = [share(idle(0), good, 0.0), share(idle(1), bad, 0.0)].map(percent);
    let _ = write!(text, ". Nothing ran for {} → {} of it.", shares[0], shares[1]);
    text
}

fn rows(wall: [f64; 2], parts: &[Part]) -> Vec<Row> {
    let row = |name, [good, bad]: [f64; 2]| Row {
        name,
        values: [ms(good), ms(bad), by_ms(bad - good)],
    };
    let rows = parts.iter().map(|part| row(part.name, part.ms));
    rows.chain([row("= step", wall)]).collect()
}

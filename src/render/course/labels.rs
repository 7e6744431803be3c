//! Room for the labels of a chart: none covers another, and what finds no room is left to the table.

use super::axes::{BOTTOM, RIGHT, TOP};
use crate::stats::real;

/// Height of a line.
const LINE: f64 = 12.0;
/// Width of a letter, rather too much than too little.
const LETTER: f64 = 5.8;
/// The lines above the frame.
const ROWS: [f64; 2] = [12.0, 26.0];
/// Between two labels of one line.
const GAP: f64 = 6.0;
/// A date with its commit above it.
const DATE_ROOM: f64 = 64.0;
/// Where the picture ends.
const EDGE: f64 = 418.0;

pub(super) fn width(text: &str) -> f64 {
    real(text.chars().count()) * LETTER
}

/// Heights of labels beside the frame that want to stand at these: in the same order, a line apart at least.
pub(super) fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    let at = |place: usize| wanted.get(place).copied().unwrap_or(BOTTOM);
    order.sort_by(|one, other| at(*one).total_cmp(&at(*other)));
    let mut heights: Vec<f64> = order.iter().map(|place| at(*place).clamp(TOP, BOTTOM)).collect();
    let mut least = TOP;
    for height in &mut heights {
        *height = height.max(least);
        least = *height + LINE;
    }
    let mut most = BOTTOM;
    for height in heights.iter_mut().rev() {
        *height = height.min(most);
        most = *height - LINE;
    }
    let mut found = vec![BOTTOM; wanted.len()];
    for (place, height) in order.into_iter().zip(heights) {
        if let Some(slot) = found.get_mut(place) {
            *slot = height;
        }
    }
    found
}

/// A label above the frame: where it stands, and on which side of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Above {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) anchor: &'static str,
}

/// Places for texts beside these uprights, in order; `None` where there is no room.
pub(super) fn above(uprights: &[(f64, String)]) -> Vec<Option<Above>> {
    let mut taken: [Vec<(f64, f64)>; 2] = [Vec::new(), Vec::new()];
    let place = |(x, text): &(f64, String)| {
        let width = width(text);
        let sides = [("start", x + 3.0, x + 3.0), ("end", x - 3.0, x - 3.0 - width)];
        for (row, y) in taken.iter_mut().zip(ROWS) {
            for (anchor, x, from) in sides {
                let to = from + width;
                let is_free = row
                    .iter()
                    .all(|(left, right)| to + GAP <= *left || from >= *right + GAP);
                if is_free && from >= 0.0 && to <= EDGE {
                    row.push((from, to));
                    return Some(Above { x, y, anchor });
                }
            }
        }
        None
    };
    uprights.iter().map(place).collect()
}

/// Which of these places have room for a date below them: the first ones asked for first.
pub(super) fn dated(wanted: &[(usize, f64)]) -> Vec<usize> {
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for (place, x) in wanted {
        if kept.iter().all(|(_, other)| (x - other).abs() >= DATE_ROOM) {
            kept.push((*place, *x));
        }
    }
    let mut places: Vec<usize> = kept.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// A label that fits beside the frame, or the short one.
pub(super) fn beside(long: String, short: &str) -> String {
    if RIGHT + GAP + width(&long) <= EDGE {
        long
    } else {
        short.to_owned()
    }
}

//! Where the labels of a chart stand: beside their marks, inside the picture, and never one over another or over a mark.

use serde::Serialize;

use super::chart::coordinate;

/// Room that a label of 11 px takes above and below the line that it stands on.
const ASCENT: f64 = 9.5;
const DESCENT: f64 = 3.5;
/// As wide as a letter of the widest usual font is on average, and as those of other scripts.
const LETTER: f64 = 6.9;
const WIDE_LETTER: f64 = 12.0;
/// How far from its mark a label stands: close to it, else ever further, from the third on with a line to it.
const DISTANCES: [f64; 5] = [7.0, 12.0, 18.0, 30.0, 44.0];

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    /// Around a mark.
    pub(super) fn around((x, y): (f64, f64), half: f64) -> Self {
        Self {
            left: x - half,
            top: y - half,
            right: x + half,
            bottom: y + half,
        }
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn is_within(self, outer: Self) -> bool {
        self.left >= outer.left && self.right <= outer.right && self.top >= outer.top && self.bottom <= outer.bottom
    }

    /// What a text takes that stands at a point.
    pub(super) fn of_text(text: &str, (x, y): (f64, f64), anchor: Anchor) -> Self {
        let width = width(text);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        Self {
            left,
            top: y - ASCENT,
            right: left + width,
            bottom: y + DESCENT,
        }
    }
}

/// About how wide a text is, in px; rather too wide.
pub(super) fn width(text: &str) -> f64 {
    let letter = |sign: char| {
        if sign < '\u{1100}' || ('\u{2000}'..'\u{2300}').contains(&sign) {
            LETTER
        } else {
            WIDE_LETTER
        }
    };
    text.chars().map(letter).sum()
}

/// Which part of a text stands at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// On which side of its mark a label stands where there is room on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// To the left and above.
    Above,
    /// To the right and below.
    Below,
}

/// A label with its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Label {
    pub(super) text: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) anchor: Anchor,
    /// The line to a mark that is not next to it.
    pub(super) leader: Option<String>,
}

/// A picture with what is taken of it.
#[derive(Clone, Debug)]
pub(super) struct Board {
    frame: Rect,
    taken: Vec<Rect>,
}

impl Board {
    /// An empty picture.
    pub(super) fn new(frame: Rect) -> Self {
        Self {
            frame,
            taken: Vec::new(),
        }
    }

    /// Nothing may be written here.
    pub(super) fn block(&mut self, part: Rect) {
        self.taken.push(part);
    }

    /// Writes at this point, if there is room.
    pub(super) fn write(&mut self, text: &str, at: (f64, f64), anchor: Anchor) -> Option<Label> {
        let part = Rect::of_text(text, at, anchor);
        let is_free = part.is_within(self.frame) && !self.taken.iter().any(|taken| taken.overlaps(part));
        is_free.then(|| {
            self.taken.push(part);
            Label {
                text: text.to_owned(),
                x: coordinate(at.0),
                y: coordinate(at.1),
                anchor,
                leader: None,
            }
        })
    }

    /// Writes at the first of these points that has room.
    pub(super) fn write_at(&mut self, text: &str, places: &[((f64, f64), Anchor)]) -> Option<Label> {
        places.iter().find_map(|(at, anchor)| self.write(text, *at, *anchor))
    }

    /// Writes beside a mark, as near to it as there is room; `None` where there is none.
    pub(super) fn put(&mut self, text: &str, mark: (f64, f64), side: Side) -> Option<Label> {
        DISTANCES.iter().enumerate().find_map(|(round, distance)| {
            let mut label = self.write_at(text, &around(mark, *distance, side))?;
            if round > 1 {
                let (x, y) = (coordinate(mark.0), coordinate(mark.1));
                label.leader = Some(format!("M{x} {y}L{} {}", label.x, label.y));
            }
            Some(label)
        })
    }
}

/// The places around a mark, best first.
fn around((x, y): (f64, f64), far: f64, side: Side) -> [((f64, f64), Anchor); 8] {
    let aslant = far * 0.75;
    let left = ((x - far, y + 4.0), Anchor::End);
    let right = ((x + far, y + 4.0), Anchor::Start);
    let above = ((x, y - far), Anchor::Middle);
    let below = ((x, y + far + ASCENT), Anchor::Middle);
    let above_left = ((x - aslant, y - aslant), Anchor::End);
    let above_right = ((x + aslant, y - aslant), Anchor::Start);
    let below_left = ((x - aslant, y + aslant + 8.0), Anchor::End);
    let below_right = ((x + aslant, y + aslant + 8.0), Anchor::Start);
    match side {
        Side::Above => [
            above_left,
            above,
            left,
            above_right,
            right,
            below_left,
            below,
            below_right,
        ],
        Side::Below => [
            below_right,
            below,
            right,
            below_left,
            left,
            above_right,
            above,
            above_left,
        ],
    }
}

#[cfg(test)]
impl Label {
    /// What it takes of the picture.
    pub(super) fn part(&self) -> Rect {
        let at = (self.x.parse().unwrap(), self.y.parse().unwrap());
        Rect::of_text(&self.text, at, self.anchor)
    }
}

#[cfg(test)]
impl Rect {
    /// Without what rounding to a tenth may add.
    pub(super) fn shrunk(self) -> Self {
        Self {
            left: self.left + 0.1,
            top: self.top + 0.1,
            right: self.right - 0.1,
            bottom: self.bottom - 0.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Rect = Rect {
        left: 0.0,
        top: 0.0,
        right: 560.0,
        bottom: 300.0,
    };

    #[test]
    fn a_label_stands_on_its_side_and_evades_what_is_taken() {
        let mark = (200.0, 100.0);
        let free = Board::new(FRAME).put("c=16", mark, Side::Above).unwrap();
        assert_eq!((free.anchor, free.leader.as_deref()), (Anchor::End, None));
        let mut crowded = Board::new(FRAME);
        crowded.block(Rect::around(mark, 20.0));
        let evading = crowded.put("c=16", mark, Side::Above).unwrap();
        assert!(!evading.part().overlaps(Rect::around(mark, 19.0)), "{evading:?}");
        assert!(evading.leader.unwrap().starts_with("M200.0 100.0L"));
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        let mut full = Board::new(FRAME);
        full.block(FRAME);
        assert_eq!(full.put("c=16", (200.0, 100.0), Side::Below), None);
        assert_eq!(
            Board::new(FRAME).put(&"x".repeat(200), (200.0, 100.0), Side::Below),
            None
        );
    }

    proptest! {
        #[test]
        fn no_label_covers_another_or_a_mark(
            marks in prop::collection::vec((0.0..560.0_f64, 0.0..300.0_f64, 1_usize..14), 1..60),
        ) {
            let mut board = Board::new(FRAME);
            for (x, y, _) in &marks {
                board.block(Rect::around((*x, *y), 4.0));
            }
            let put = |(place, (x, y, letters)): (usize, &(f64, f64, usize))| {
                let side = if place % 2 == 0 { Side::Above } else { Side::Below };
                board.put(&"m".repeat(*letters), (*x, *y), side)
            };
            let labels: Vec<Label> = marks.iter().enumerate().filter_map(put).collect();
            let parts: Vec<Rect> = labels.iter().map(|label| label.part().shrunk()).collect();
            for (place, part) in parts.iter().enumerate() {
                prop_assert!(part.is_within(FRAME), "{part:?}");
                prop_assert!(!parts[..place].iter().any(|other| other.overlaps(*part)), "{:?}", labels[place]);
                let is_on_mark = marks.iter().any(|(x, y, _)| Rect::around((*x, *y), 3.9).overlaps(*part));
                prop_assert!(!is_on_mark, "{:?}", labels[place]);
            }
        }
    }
}

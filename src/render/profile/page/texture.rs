//! What tells the parts of a bar without their colours: lines and dots inside of a rectangle, as one path.

use std::fmt::Write as _;

/// Between two lines, and between two dots.
const STEP: f64 = 6.0;

/// Empty for what is told by its plain fill or its dashes.
pub(super) fn texture(class: &str, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> String {
    let mut path = String::new();
    // Too narrow to show any.
    if right - left < 1.0 {
        return path;
    }
    let frame = Frame {
        left,
        right,
        top,
        bottom,
    };
    match class {
        "attention" => frame.aslant(&mut path, true),
        "norm" => frame.aslant(&mut path, false),
        "copy" | "exposed-copies" => {
            frame.aslant(&mut path, true);
            frame.aslant(&mut path, false);
        }
        "communication" | "exposed-communication" => frame.upright(&mut path),
        "reduction" => frame.level(&mut path),
        "softmax" | "elementwise" => frame.dots(&mut path),
        _ => {}
    }
    path
}

struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Values from one end to the other, in equal steps.
fn steps(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let values = std::iter::successors(Some(from), |value| Some(value + STEP));
    // A frame is inside of a picture of some hundred units.
    values.take(1000).take_while(move |value| *value < to)
}

impl Frame {
    /// Lines at 45 degrees, cut where the frame ends.
    fn aslant(&self, path: &mut String, rises: bool) {
        let height = self.bottom - self.top;
        for at in steps(self.left - height, self.right) {
            let (from, to) = ((self.left - at).max(0.0), (self.right - at).min(height));
            let y = |along: f64| if rises { self.bottom - along } else { self.top + along };
            if to - from > 0.5 {
                let _ = write!(path, "M{:.1} {:.1}L{:.1} {:.1}", at + from, y(from), at + to, y(to));
            }
        }
    }

    fn upright(&self, path: &mut String) {
        for x in steps(self.left + STEP / 2.0, self.right) {
            let _ = write!(path, "M{x:.1} {:.1}V{:.1}", self.top, self.bottom);
        }
    }

    fn level(&self, path: &mut String) {
        for y in steps(self.top + STEP / 2.0, self.bottom) {
            let _ = write!(path, "M{:.1} {y:.1}H{:.1}", self.left, self.right);
        }
    }

    fn dots(&self, path: &mut String) {
        for y in steps(self.top + STEP / 2.0, self.bottom) {
            for x in steps(self.left + STEP / 2.0, self.right) {
                let _ = write!(path, "M{x:.1} {y:.1}h0");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_point_is_inside_of_its_frame(left in 0.0..400.0_f64, width in 0.0..400.0_f64, class in 0_usize..6) {
            let class = ["attention", "norm", "copy", "communication", "reduction", "softmax"][class];
            let path = texture(class, (left, left + width), (40.0, 66.0));
            for piece in path.split('M').filter(|piece| !piece.is_empty()) {
                let numbers = piece.split(['L', 'V', 'H', ' ', 'h']).filter_map(|number| number.parse::<f64>().ok());
                let numbers: Vec<f64> = numbers.collect();
                let is_inside = |x: f64, y: f64| (left - 0.1..=left + width + 0.1).contains(&x) && (39.9..=66.1).contains(&y);
                prop_assert!(is_inside(numbers[0], numbers[1]), "{piece}");
                if piece.contains('L') {
                    prop_assert!(is_inside(numbers[2], numbers[3]), "{piece}");
                }
            }
            prop_assert!(width < 4.0 || !path.is_empty());
        }
    }

    #[test]
    fn what_is_idle_has_none() {
        assert_eq!(texture("idle", (0.0, 100.0), (0.0, 26.0)), "");
    }
}

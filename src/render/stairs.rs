//! Lines of level and upright steps as the short paths that a page of many charts needs: relative, in whole tenths, so that
//! nothing adds up over a thousand steps.

use std::fmt::Write;

/// A path that is being written.
#[derive(Clone, Debug)]
pub(super) struct Stairs {
    path: String,
    x: i32,
    y: i32,
}

impl Stairs {
    /// Begins at a point.
    pub(super) fn from(x: f64, y: f64) -> Self {
        let (x, y) = (tenths(x), tenths(y));
        let mut path = String::from("M");
        push(&mut path, x);
        path.push(' ');
        push(&mut path, y);
        Self { path, x, y }
    }

    /// Goes sideways.
    pub(super) fn x(&mut self, x: f64) {
        let x = tenths(x);
        step(&mut self.path, 'h', x - self.x);
        self.x = x;
    }

    /// Goes up or down.
    pub(super) fn y(&mut self, y: f64) {
        let y = tenths(y);
        step(&mut self.path, 'v', y - self.y);
        self.y = y;
    }

    /// The line.
    pub(super) fn line(self) -> String {
        self.path
    }

    /// The area within it.
    pub(super) fn area(mut self) -> String {
        self.path.push('z');
        self.path
    }
}

fn step(path: &mut String, way: char, by: i32) {
    if by != 0 {
        path.push(way);
        push(path, by);
    }
}

/// `12`, `1.2`, `-.3`.
fn push(path: &mut String, tenths: i32) {
    let (whole, rest) = (tenths.abs() / 10, tenths.abs() % 10);
    if tenths < 0 {
        path.push('-');
    }
    if whole > 0 || rest == 0 {
        let _ = write!(path, "{whole}");
    }
    if rest > 0 {
        let _ = write!(path, ".{rest}");
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "coordinates of a picture; what is none becomes zero"
)]
fn tenths(value: f64) -> i32 {
    (value * 10.0).round() as i32
}

/// The corners of such a path.
#[cfg(test)]
pub(super) fn corners(path: &str) -> Vec<(f64, f64)> {
    let number = |text: &str| tenths(text.parse().unwrap());
    let (start, steps) = path[1..].split_at(path[1..].find(['h', 'v', 'z']).unwrap_or(path.len() - 1));
    let (x, y) = start.split_once(' ').unwrap();
    let (mut x, mut y) = (number(x), number(y));
    let mut found = vec![(x, y)];
    for (at, way) in steps.match_indices(['h', 'v']) {
        let rest = &steps[at + 1..];
        let by = number(&rest[..rest.find(['h', 'v', 'z']).unwrap_or(rest.len())]);
        if way == "h" {
            x += by;
        } else {
            y += by;
        }
        found.push((x, y));
    }
    found
        .into_iter()
        .map(|(x, y)| (f64::from(x) / 10.0, f64::from(y) / 10.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_short_and_leaves_out_what_does_not_move() {
        let mut stairs = Stairs::from(40.0, 176.04);
        stairs.x(41.23);
        stairs.y(176.0);
        stairs.y(175.7);
        stairs.x(51.2);
        assert_eq!(stairs.clone().line(), "M40 176h1.2v-.3h10");
        assert_eq!(stairs.area(), "M40 176h1.2v-.3h10z");
    }

    proptest! {
        #[test]
        fn a_thousand_steps_later_the_place_is_still_exact(steps in prop::collection::vec((0.0..900.0_f64, 0.0..300.0_f64), 1..1000)) {
            let mut stairs = Stairs::from(0.0, 0.0);
            for (x, y) in &steps {
                stairs.x(*x);
                stairs.y(*y);
            }
            let (x, y) = *corners(&stairs.line()).last().unwrap();
            let (last_x, last_y) = steps[steps.len() - 1];
            prop_assert!((x - last_x).abs() <= 0.051 && (y - last_y).abs() <= 0.051, "{x} {y}");
        }
    }
}

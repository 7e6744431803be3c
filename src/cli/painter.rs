//! Redraws a few lines in place on a terminal.
//!
//! Nothing of the terminal is changed that would have to be set back: no other screen, no hidden cursor, no raw mode. The
//! cursor stands in the line below what was drawn, so that whatever ends the process leaves the terminal as it should be.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use crate::render::LiveLine;

/// The terminal holds back what comes until it is whole; one that does not know this skips it.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";
const TO_END_OF_LINE: &str = "\u{1b}[K";
const TO_END_OF_SCREEN: &str = "\u{1b}[J";

/// What is drawn now.
pub(super) struct Painter<W> {
    to: W,
    drawn: Vec<LiveLine>,
}

impl<W: Write> Painter<W> {
    /// Nothing is drawn yet.
    pub(super) const fn new(to: W) -> Self {
        Self { to, drawn: Vec::new() }
    }

    /// Puts these lines in the place of those that were drawn; `columns` is the width of the terminal now.
    pub(super) fn draw(&mut self, lines: Vec<LiveLine>, columns: u16) {
        if lines == self.drawn {
            return;
        }
        let mut text = String::from(BEGIN);
        self.go_up(&mut text, columns);
        for line in &lines {
            let _ = write!(text, "{}{TO_END_OF_LINE}\r\n", line.text);
        }
        text.push_str(TO_END_OF_SCREEN);
        text.push_str(END);
        self.put(&text);
        self.drawn = lines;
    }

    /// Takes away what was drawn, writes a line that stays, and draws again below it.
    pub(super) fn above(&mut self, columns: u16, write: impl FnOnce()) {
        let drawn = self.clear(columns);
        write();
        self.draw(drawn, columns);
    }

    /// Takes away what was drawn; gives it back.
    pub(super) fn clear(&mut self, columns: u16) -> Vec<LiveLine> {
        let mut text = String::new();
        if !self.drawn.is_empty() {
            self.go_up(&mut text, columns);
            text.push_str(TO_END_OF_SCREEN);
            self.put(&text);
        }
        std::mem::take(&mut self.drawn)
    }

    /// To where the first of the drawn lines begins; a terminal that became narrower has wrapped them.
    fn go_up(&self, text: &mut String, columns: u16) {
        let columns = usize::from(columns).max(1);
        let lines: usize = self
            .drawn
            .iter()
            .map(|line| line.columns.div_ceil(columns).max(1))
            .sum();
        if lines > 0 {
            let _ = write!(text, "\u{1b}[{lines}A\r");
        }
    }

    /// In one piece; a terminal that is gone is no trouble of a measurement.
    fn put(&mut self, text: &str) {
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }
}

/// Columns and lines of standard error.
pub(super) fn size_of_stderr() -> Option<(u16, u16)> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, height)| (width.0, height.0))
}

/// Columns and lines of standard output.
pub(super) fn size_of_stdout() -> Option<(u16, u16)> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, height)| (width.0, height.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<LiveLine> {
        let line = |text: &&str| LiveLine {
            text: (*text).to_owned(),
            columns: text.len(),
        };
        texts.iter().map(line).collect()
    }

    fn written(act: impl FnOnce(&mut Painter<&mut Vec<u8>>)) -> String {
        let mut bytes = Vec::new();
        act(&mut Painter::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_second_picture_takes_the_place_of_the_first() {
        let text = written(|painter| {
            painter.draw(lines(&["one", "two"]), 80);
            painter.draw(lines(&["one"]), 80);
            painter.draw(lines(&["one"]), 80);
        });
        let first = format!("{BEGIN}one{TO_END_OF_LINE}\r\ntwo{TO_END_OF_LINE}\r\n{TO_END_OF_SCREEN}{END}");
        let second = format!("{BEGIN}\u{1b}[2A\rone{TO_END_OF_LINE}\r\n{TO_END_OF_SCREEN}{END}");
        assert_eq!(text, first + &second, "what is drawn already is not drawn again");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_wrapped_are_found_again() {
        let text = written(|painter| {
            painter.draw(lines(&["123456789", ""]), 10);
            painter.clear(4);
            painter.clear(4);
        });
        assert!(text.ends_with(&format!("\u{1b}[4A\r{TO_END_OF_SCREEN}")), "{text:?}");
    }

    #[test]
    fn a_line_that_stays_stands_above() {
        let mut said = false;
        let text = written(|painter| {
            painter.draw(lines(&["one"]), 80);
            painter.above(80, || said = true);
            assert_eq!(painter.clear(80), lines(&["one"]));
        });
        assert!(said);
        assert_eq!(text.matches("one").count(), 2, "{text:?}");
    }

    #[test]
    fn nothing_is_left_to_be_restored() {
        let text = written(|painter| painter.draw(lines(&["one"]), 80));
        for changed in ["?25l", "?1049h", "?47h", "?1000h"] {
            assert!(!text.contains(changed), "{text:?}");
        }
    }
}

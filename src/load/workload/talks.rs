//! Conversations that a dataset holds: which turn of which row each request of a run says.

use super::{
    PromptSet, Source,
    place::{Line, Place},
};
use crate::load::{dataset::Rows, schedule::Talks};

impl PromptSet {
    /// The places of a run with their lines, where requests are turns of conversations and rows are prompts.
    pub(super) fn with_lines(&self, places: Vec<Place>, talks: Option<&Talks>) -> Vec<Place> {
        let (Source::Dataset { rows, .. }, Some(talks)) = (&self.source, talks) else {
            return places;
        };
        let lines = self.lines(&places, rows, talks);
        let with_line = |(place, line)| Place {
            line: Some(line),
            ..place
        };
        places.into_iter().zip(lines).map(with_line).collect()
    }

    /// Each conversation begins a row; where that is too short for it, it goes on with the next one.
    fn lines(&self, places: &[Place], rows: &Rows, talks: &Talks) -> Vec<Line> {
        let turns = |row: u32| {
            let place = places.first().map(|first| Place { index: row, ..*first });
            place.map_or(1, |place| self.row(self.shown(place), rows).turns())
        };
        let mut lines = Vec::with_capacity(places.len());
        let mut next_row = 0;
        for conversation in 0..talks.count() {
            let mut line = Line { row: next_row, turn: 0 };
            for _ in talks.requests(conversation) {
                if line.turn as usize == turns(line.row) {
                    line = Line {
                        row: line.row + 1,
                        turn: 0,
                    };
                }
                lines.push(line);
                line.turn += 1;
            }
            next_row = line.row + 1;
        }
        lines
    }
}

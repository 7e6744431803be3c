//! Conversations: which turn each request of a run is, and of a dataset of conversations which turn of which row it says.

use super::{
    PromptSet, Source,
    place::{Line, Place},
};
use crate::load::{dataset::Rows, schedule::Talks};

impl PromptSet {
    /// The places of a run as turns of its conversations, where it has any.
    pub(super) fn with_turns(&self, mut places: Vec<Place>, talks: Option<&Talks>) -> Vec<Place> {
        let Some(talks) = talks else { return places };
        for unit in 0..talks.count() {
            let requests = talks.requests(unit);
            let turns = places.get_mut(requests.start as usize..requests.end as usize);
            for (turn, place) in turns.into_iter().flatten().enumerate() {
                (place.unit, place.is_later) = (unit, turn > 0);
            }
        }
        let Source::Dataset { rows, .. } = &self.source else {
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

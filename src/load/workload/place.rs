//! A place of a session: which request of which run, and the ids that follow from it.

use crate::load::synthetic;

/// A place of a run: which request of which part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) part: Part,
    /// Place of the run's load level in the plan.
    pub(super) cell: u32,
    pub(super) repeat: u32,
    pub(super) index: u32,
    /// Which series of lengths: 0 for all runs of a plan, so that they are alike.
    pub(super) series: u32,
    /// Its place among the run's units: its conversation, or where there are none itself.
    pub(super) unit: u32,
    /// Whether a turn of its conversation comes before it.
    pub(super) is_later: bool,
    /// What of a dataset stands there, in a conversation.
    pub(super) line: Option<Line>,
}

/// A turn of a row of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from the run's first row.
    pub(super) row: u32,
    /// Counted from 0.
    pub(super) turn: u32,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Measured = 0,
    Warmup = 1,
}

impl Place {
    /// Different for each place of a session, up to 2048 cells and 65 536 repeats.
    pub(super) fn text_id(self) -> u64 {
        const REPEAT: u32 = u32::BITS;
        const CELL: u32 = REPEAT + 16;
        const PART: u32 = synthetic::ID_BITS - 1;
        let cell = u64::from(self.cell) % (1 << (PART - CELL));
        let repeat = u64::from(self.repeat) % (1 << (CELL - REPEAT));
        (self.part as u64) << PART | cell << CELL | repeat << REPEAT | u64::from(self.index)
    }

    /// The same in every run of a series.
    pub(super) fn length_id(self) -> u64 {
        const SERIES: u32 = u32::BITS + 1;
        u64::from(self.series % (1 << 31)) << SERIES | (self.part as u64) << u32::BITS | u64::from(self.index)
    }

    /// The place whose prompt is sent where prompts may be seen again: the same in every run and warm-up.
    pub(super) fn reused(self) -> Self {
        Self {
            part: Part::Measured,
            cell: 0,
            repeat: 0,
            series: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARTS: [Part; 2] = [Part::Measured, Part::Warmup];
    const EDGES: [u32; 4] = [0, 1, 5, 2047];

    fn places() -> Vec<Place> {
        let mut places = Vec::new();
        for part in PARTS {
            for cell in EDGES {
                for repeat in [0, 1, 65_535] {
                    places.extend([0, 1, u32::MAX].map(|index| Place {
                        part,
                        cell,
                        repeat,
                        index,
                        series: 0,
                        unit: 0,
                        is_later: false,
                        line: None,
                    }));
                }
            }
        }
        places
    }

    #[test]
    fn each_place_of_a_session_has_a_text_of_its_own_and_runs_share_their_lengths() {
        let places = places();
        let texts: BTreeSet<u64> = places.iter().map(|place| place.text_id()).collect();
        let lengths: BTreeSet<u64> = places.iter().map(|place| place.length_id()).collect();
        assert_eq!((texts.len(), lengths.len()), (2 * 4 * 3 * 3, 2 * 3));
        assert!(texts.iter().all(|id| *id < 1 << synthetic::ID_BITS));
    }

    #[test]
    fn each_series_has_lengths_of_its_own() {
        let in_series = |series| places().into_iter().map(move |place| Place { series, ..place });
        let lengths: BTreeSet<u64> = [0, 1, 65_535]
            .into_iter()
            .flat_map(in_series)
            .map(Place::length_id)
            .collect();
        assert_eq!(lengths.len(), 3 * 2 * 3);
    }

    #[test]
    fn where_prompts_are_seen_again_only_the_index_counts() {
        let texts: BTreeSet<u64> = places().iter().map(|place| place.reused().text_id()).collect();
        assert_eq!(texts.len(), 3);
    }
}

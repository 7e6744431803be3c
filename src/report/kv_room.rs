//! Whether the KV cache had the same room in all runs of a session: where it had not, its server was another one meanwhile.

use crate::session::Session;

/// Rooms within this share of one another are one (1 %): an engine that measures what is free finds a little more or less at each
/// start.
const SAME: f64 = 0.01;

pub(super) fn of(arm: &str, session: &Session) -> Option<String> {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    let told = runs.filter_map(|run| run.telemetry.kv_capacity_tokens());
    let (least, most) = told.fold((u64::MAX, 0), |(least, most), tokens| {
        (least.min(tokens), most.max(tokens))
    });
    let apart = most.checked_sub(least)?;
    (tokens(apart) > tokens(least) * SAME).then(|| {
        format!(
            "{arm}: its KV cache had room for {least} tokens in one run and for {most} in another: its server was started anew \
             with other settings, or found other memory free"
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "tokens of a KV cache are far below 2^52")]
fn tokens(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    #[test]
    fn a_room_that_changes_between_two_runs_is_told_and_a_start_like_another_is_not() {
        let figures = Figures::default();
        let mut held = session(&[16], &[figures; 2]);
        let mut told = |rooms: [Option<u64>; 2]| {
            for (run, room) in held.cells[0].runs.iter_mut().zip(rooms) {
                run.telemetry.logged_kv_tokens = room;
            }
            of("candidate", &held)
        };
        assert_eq!(told([None, None]), None);
        assert_eq!(told([Some(8192), None]), None);
        assert_eq!(told([Some(100_000), Some(100_900)]), None);
        let moved = told([Some(8192), Some(4096)]).unwrap();
        assert!(
            moved.starts_with("candidate: its KV cache had room for 4096 tokens in one run and for 8192 in another"),
            "{moved}"
        );
    }
}

//! What a reader should know of the machine under the engine: memory errors of its GPUs, and a KV cache whose room changed
//! between two runs.

use crate::session::{Run, Session};

/// Rooms within this share of one another are one (1 %): an engine that measures what is free finds a little more or less at each
/// start.
const SAME: f64 = 0.01;

/// In sentences.
pub(super) fn of(arm: &str, session: &Session) -> Vec<String> {
    memory_errors(arm, session)
        .into_iter()
        .chain(kv_room(arm, session))
        .collect()
}

/// Why nobody could see what spoils a run on a GPU, once for both arms: "none" and "not known" look alike else.
pub(super) fn unseen(sessions: &[&Session]) -> Option<String> {
    let runs = sessions
        .iter()
        .flat_map(|session| &session.cells)
        .flat_map(|cell| &cell.runs);
    let mut told: Vec<&str> = Vec::new();
    for why in runs.flat_map(|run| &run.host.gpu_untold) {
        if !told.contains(&why.as_str()) {
            told.push(why);
        }
    }
    (!told.is_empty()).then(|| {
        format!(
            "what disturbs a GPU was not seen in all runs: {}; throttling or other work that is not seen spoils nothing here",
            told.join("; ")
        )
    })
}

/// A GPU that loses bits ends what ran on it, or computes something else.
fn memory_errors(arm: &str, session: &Session) -> Option<String> {
    let runs: Vec<&Run> = session.cells.iter().flat_map(|cell| &cell.runs).collect();
    let errors: u64 = runs.iter().map(|run| u64::from(run.host.gpu_memory_errors)).sum();
    let hit = runs.iter().filter(|run| run.host.gpu_memory_errors > 0).count();
    (hit > 0).then(|| {
        let errors = match errors {
            1 => "1 memory error".to_owned(),
            many => format!("{many} memory errors"),
        };
        format!(
            "{arm}: its GPUs counted {errors} that they could not correct (ECC) in {hit} of {} runs: see what \
             `nvidia-smi -q -d ECC` says of them",
            runs.len()
        )
    })
}

/// Where the room changed, the server was another one meanwhile.
fn kv_room(arm: &str, session: &Session) -> Option<String> {
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
    fn what_could_not_be_seen_of_the_gpus_is_told_once_for_both_arms() {
        let mut held = session(&[16], &[Figures::default(); 2]);
        assert_eq!(unseen(&[&held, &held]), None);
        for run in &mut held.cells[0].runs {
            run.host.gpu_untold = vec!["NVML could not tell the throttle reasons of GPU 0".into()];
        }
        let told = unseen(&[&held, &held]).unwrap();
        assert_eq!(told.matches("throttle reasons of GPU 0").count(), 1, "{told}");
    }

    #[test]
    fn a_room_that_changes_between_two_runs_is_told_and_a_start_like_another_is_not() {
        let figures = Figures::default();
        let mut held = session(&[16], &[figures; 2]);
        let mut told = |rooms: [Option<u64>; 2]| {
            for (run, room) in held.cells[0].runs.iter_mut().zip(rooms) {
                run.telemetry.logged_kv_tokens = room;
            }
            of("candidate", &held).pop()
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

    #[test]
    fn memory_errors_of_the_gpus_are_told() {
        let mut broken = session(&[4], &[Figures::default(); 5]);
        assert_eq!(of("candidate", &broken), Vec::<String>::new());
        broken.cells[0].runs[2].host.gpu_memory_errors = 2;
        let told = of("candidate", &broken);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(
                "candidate: its GPUs counted 2 memory errors that they could not correct (ECC) in 1 of 5 runs"
            ),
            "{told:?}"
        );
    }
}

//! What it would cost to measure both sides in alternation, from what the two sessions took.

use crate::{
    session::{CellRuns, Run, Session},
    stats::{moments, sequential::USUAL_LOOKS},
    verdict::wording::{count, grouped},
};

/// What `perfgate gate --ab` would ask for (`3 to 12 pairs, 2640 to 10 560 requests, 4 to 16 minutes at the pace of
/// these runs`); `None` where no run sent requests.
pub(super) fn in_pairs(baseline: &Session, candidate: &Session) -> Option<String> {
    let with_runs = |cell: &&CellRuns| cell.runs.iter().any(|run| !run.requests.is_empty());
    let cells = candidate.cells.iter().filter(with_runs).count();
    if cells == 0 {
        return None;
    }
    let plan = &candidate.plan;
    let a_run = u64::from(plan.requests_per_run) + u64::from(plan.warmup_requests);
    let a_pair = a_run * 2 * u64::try_from(cells).ok()?;
    let (fewest, most) = (*USUAL_LOOKS.first()?, *USUAL_LOOKS.last()?);
    let requests = |pairs: u32| grouped(&(a_pair * u64::from(pairs)).to_string());
    let pair_s = pair_s(baseline)? + pair_s(candidate)?;
    let time = |pairs: u32| pair_s * f64::from(pairs);
    Some(format!(
        "{fewest} to {most} pairs at the usual looks, that is {} to {} requests in {}, about {} at the pace of these runs",
        requests(fewest),
        requests(most),
        count(cells, "cell"),
        range(time(fewest), time(most))
    ))
}

fn range(from_s: f64, to_s: f64) -> String {
    if to_s < 90.0 {
        return format!("{:.0} to {:.0} seconds", from_s.max(1.0), to_s.max(1.0));
    }
    format!("{:.0} to {:.0} minutes", (from_s / 60.0).max(1.0), (to_s / 60.0).ceil())
}

/// Seconds of one run of every cell, the warm-up at the pace of the run.
fn pair_s(session: &Session) -> Option<f64> {
    let plan = &session.plan;
    let with_warmup = 1.0 + f64::from(plan.warmup_requests) / f64::from(plan.requests_per_run.max(1));
    let cells = session.cells.iter().filter_map(|cell| {
        let all: Vec<f64> = cell.runs.iter().filter_map(run_s).collect();
        moments::mean(&all)
    });
    let whole: f64 = cells.sum();
    (whole > 0.0).then_some(whole * with_warmup)
}

fn run_s(run: &Run) -> Option<f64> {
    let first = run.requests.iter().map(|record| record.sent_ns).min()?;
    let last = run.requests.iter().map(|record| record.end_ns).max()?;
    Some(std::time::Duration::from_nanos(last.saturating_sub(first)).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, session};

    #[test]
    fn the_price_of_pairs_is_counted_from_the_runs_at_hand() {
        let mut found = session(&[1, 4], &[Figures::default(); 3]);
        found.plan.requests_per_run = 200;
        found.plan.warmup_requests = 50;
        let told = in_pairs(&found, &found).unwrap();
        assert!(
            told.starts_with(
                "3 to 12 pairs at the usual looks, that is 3000 to 12\u{202f}000 requests in 2 cells, about "
            ),
            "{told}"
        );
        for cell in &mut found.cells {
            cell.runs.clear();
        }
        assert_eq!(in_pairs(&found, &found), None);
        assert_eq!(
            (range(0.2, 30.0), range(90.0, 125.0)),
            ("1 to 30 seconds".into(), "2 to 3 minutes".into())
        );
    }
}

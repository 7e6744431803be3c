//! What no run can be, whichever tool wrote it: refused here by the name of its file, before it becomes part of a session.

use super::{ForeignRun, ImportError, run::bad};
use crate::session::RequestRecord;

/// Whole numbers up to here are exact in every program that reads JSON.
const MAX_EXACT: u64 = 1 << 53;
/// The last second of the year 9999, UTC.
const MAX_UNIX_S: u64 = 253_402_300_799;

/// Refuses a run that cannot have been.
pub(super) fn check(run: &ForeignRun) -> Result<(), ImportError> {
    let refuse = |key: &str, problem: String| Err(bad(&run.path, key, problem));
    if let Some(unix_s) = run.started_unix_s.filter(|unix_s| *unix_s > MAX_UNIX_S) {
        return refuse("its start", format!("is `{unix_s}`, after the year 9999"));
    }
    let limits = [run.slo.ttft_ms, run.slo.tpot_ms, run.slo.e2e_ms];
    if let Some(limit) = limits.into_iter().flatten().find(|ms| !ms.is_finite() || *ms < 0.0) {
        return refuse("its limits", format!("are of `{limit}` ms, which cannot be"));
    }
    let needs_first = run.streaming && run.api.has_tokens();
    for record in &run.run.requests {
        if let Some(problem) = wrong(record, needs_first) {
            return refuse(&format!("request {}", record.index), problem);
        }
    }
    if let Some((gap_ns, _)) = run.run.itl.bins.iter().find(|(gap_ns, _)| *gap_ns > MAX_EXACT) {
        return refuse("its gaps", format!("are up to `{gap_ns}` ns, which cannot be"));
    }
    let counted = run
        .run
        .stated
        .iter()
        .flat_map(|told| [told.input_tokens, told.output_tokens]);
    match counted.flatten().find(|tokens| *tokens > MAX_EXACT) {
        Some(tokens) => refuse("its tokens", format!("are `{tokens}` altogether, which cannot be")),
        None => Ok(()),
    }
}

/// What cannot be of a request: stamps that do not follow one another, or that are missing.
fn wrong(record: &RequestRecord, needs_first: bool) -> Option<String> {
    let mut latest = ("send", record.sent_ns);
    for (what, stamp) in [
        ("first token", record.first_token_ns),
        ("first token of its answer", record.first_answer_ns),
        ("last token", record.last_token_ns),
        ("end", Some(record.end_ns)),
    ] {
        let Some(stamp) = stamp else { continue };
        if stamp < latest.1 {
            return Some(format!("has its {what} before its {}", latest.0));
        }
        latest = (what, stamp);
    }
    let has_later = record.first_answer_ns.or(record.last_token_ns).is_some();
    if record.first_token_ns.is_none() && (has_later || (needs_first && record.completed())) {
        return Some("was answered, and has no first token".into());
    }
    if record.scheduled_ns.is_some_and(|due_ns| due_ns > record.sent_ns) {
        return Some("was sent before it was due".into());
    }
    (record.end_ns > MAX_EXACT).then(|| "lasts for months, or its clock is another one".into())
}

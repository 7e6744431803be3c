//! The sentences of a report: headline, next steps, method.

use super::{Check, Obligation, cost};
use crate::{
    compare::Design,
    measure::invalid_because,
    session::{Origin, Session},
    verdict::{
        Action, Bound, Judgement, Lacking, MIN_RUNS, OnUnmet, Refusal, Unmet, Verdict, figures, is_gate,
        wording::{bound, count, count_more},
    },
};

/// A judgement, or why there is none.
type Outcome<'a> = Result<&'a Judgement, &'a Refusal>;

/// The verdict in one sentence with the worst check.
pub(super) fn headline(outcome: Outcome<'_>, obligations: &[Obligation], unmet: Unmet) -> String {
    let judgement = match outcome {
        Err(refusal) => return format!("{}: {}", refusal.verdict.name(), refusal.reason),
        Ok(judgement) => judgement,
    };
    let name = judgement.verdict.name();
    let checks = &judgement.checks;
    let within = blocking_within(checks);
    match judgement.verdict {
        Verdict::Regression => format!("{name}: {}", worst(checks, Verdict::Regression)),
        Verdict::Improvement => format!("{name}: {}; {within}", worst(checks, Verdict::Improvement)),
        Verdict::Inconclusive => format!("{name}: {}", open(judgement, obligations, unmet)),
        _ => format!("{name}: {within}{}", beside(checks)),
    }
}

/// What a pass leaves to say: warnings, and checks that could not be judged.
fn beside(checks: &[Check]) -> String {
    let number = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let mut text = String::new();
    if number(Verdict::Regression) > 0 {
        text = format!("; {}", count(number(Verdict::Regression), "warning"));
    }
    match number(Verdict::Inconclusive) {
        0 => text,
        open => format!("{text}; {} not judged", count(open, "warning check")),
    }
}

/// The first check with this verdict, and how many more there are.
fn worst(checks: &[Check], verdict: Verdict) -> String {
    let mut those = checks.iter().filter(|check| check.verdict == verdict);
    let first = those.next().map_or_else(String::new, |check| {
        let label = check.metric.label();
        if check.limit == Bound::NoMoreFailures && check.p_real.is_none() {
            // No figures decided, but that a server died.
            return format!("{label} at {}: {}", check.cell, check.reason);
        }
        format!(
            "{label} {} at {}, limit {}",
            figures(check),
            check.cell,
            bound(check.metric, check.limit)
        )
    });
    match those.count() {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

fn blocking_within(checks: &[Check]) -> String {
    match checks.iter().filter(|check| check.action == Action::Block).count() {
        0 => "no check blocks".to_owned(),
        1 => "1 blocking check within its limit".to_owned(),
        blocking => format!("{blocking} blocking checks within their limits"),
    }
}

fn open(judgement: &Judgement, obligations: &[Obligation], unmet: Unmet) -> String {
    let checks = &judgement.checks;
    if checks.is_empty() {
        return "nothing was judged: no metric is gated, or no cell was measured on either side".into();
    }
    let is_open = |check: &&Check| check.verdict == Verdict::Inconclusive;
    let blocking: Vec<&Check> = checks.iter().filter(|check| check.action == Action::Block).collect();
    let unsettled: Vec<&Check> = blocking.iter().copied().filter(is_open).collect();
    let told = |check: &Check| {
        let what = settled_by(
            &check.reason,
            (judgement.repeat_more, judgement.lacking),
            &judgement.design,
        );
        format!("{} at {}: {what}", check.metric.label(), check.cell)
    };
    if let Some(first) = unsettled.first() {
        let all = count(blocking.len(), "blocking check");
        return format!("{} of {all} not settled; {}", unsettled.len(), told(first));
    }
    let holds = |owed: &&Obligation| owed.unmet(unmet).is_some_and(|does| does >= OnUnmet::Hold);
    if let Some(owed) = obligations.iter().find(holds) {
        return owed.text.clone();
    }
    let nothing_open = || "only failed requests were judged, which says nothing of how fast it was".to_owned();
    checks.iter().find(is_open).map_or_else(nothing_open, told)
}

/// Why a check is open: it says how many runs it lacks itself, the headline how many settle all that runs can settle.
fn settled_by(reason: &str, (repeat_more, lacking): (Option<usize>, Lacking), design: &Design) -> String {
    let (why, others) = match (reason.split_once("; repeat "), reason.split_once(": measure ")) {
        (Some((why, _)), _) => (why, "; repeat"),
        (None, Some((why, more))) if more.ends_with(" more") => (why, ": measure"),
        _ => (reason, "; others need"),
    };
    let more = repeat_more.map(|more| match design {
        Design::Apart { .. } => format!("{others} {more} more {}", lacking.words()),
        Design::Paired { .. } => format!("{others} {}", count_more(more, "pair")),
    });
    format!("{why}{}", more.unwrap_or_default())
}

/// What the reader should do now, most useful first; `file` is the candidate's.
pub(super) fn next_steps(
    outcome: Outcome<'_>,
    obligations: &[Obligation],
    file: &str,
    sessions: (Option<&Session>, &Session),
) -> Vec<String> {
    let mut steps = match outcome {
        Err(refusal) => refused(refusal, file, sessions.1),
        Ok(judgement) => judged(judgement, file, sessions),
    };
    let owed = obligations.iter().filter(|owed| owed.settled.is_none());
    steps.extend(owed.map(|owed| format!("{}; {}", owed.text, owed.how())));
    if steps.is_empty() {
        steps.push("no action is needed".into());
    }
    steps
}

const ALIKE: &str = "measure both sides alike, or override a field that does not matter with `--allow FIELD`";

/// Whether a session may not become a baseline, as it is of a pull request or another branch.
fn is_not_of_main(session: &Session) -> bool {
    let place = session.origin.as_ref().and_then(Origin::not_of_main);
    session.pairing.is_none() && place.is_some()
}

fn refused(refusal: &Refusal, file: &str, candidate: &Session) -> Vec<String> {
    match refusal.verdict {
        Verdict::NoBaseline if is_not_of_main(candidate) => vec![
            "measure the main branch and keep that: `perfgate baseline save SESSION`; or measure both sides now: `perfgate \
             gate --ab`"
                .into(),
        ],
        Verdict::Incomparable if is_not_of_main(candidate) => vec![
            ALIKE.into(),
            "if the new setting is here to stay, keep a session of the main branch that has it: `perfgate baseline save \
             SESSION`"
                .into(),
        ],
        Verdict::NoBaseline => vec![format!(
            "keep this session as the baseline: `perfgate baseline save {file}`"
        )],
        // The candidate of a pair is no baseline.
        Verdict::Incomparable if candidate.pairing.is_some() => vec![ALIKE.into()],
        Verdict::Incomparable => vec![
            ALIKE.into(),
            format!("if the new setting is here to stay, accept it: `perfgate baseline save {file}`"),
        ],
        _ if refusal.reason.starts_with("different work") => vec![
            "ask both sides for the same work: fixed `output_tokens`, and `ignore_eos: true` under `extra_body` where the \
             server has it"
                .into(),
            "or, if the answers are meant to differ, judge what can be judged with `--allow work`".into(),
        ],
        _ => {
            let verb = if candidate.pairing.is_some() { "gate --ab" } else { "run" };
            vec![format!(
                "fix what is named above and measure again with `perfgate {verb}`; nothing that was measured is lost"
            )]
        }
    }
}

fn judged(judgement: &Judgement, file: &str, (baseline, candidate): (Option<&Session>, &Session)) -> Vec<String> {
    let mut steps = Vec::new();
    if judgement.verdict == Verdict::Regression {
        steps.push("find the cause and measure again".into());
        steps.extend(accepting(judgement, file, candidate));
    }
    if judgement.verdict != Verdict::Inconclusive {
        return steps;
    }
    steps.extend(settling(judgement, (baseline, candidate)));
    steps
}

/// How a change that is wanted is accepted; nobody can want a session that carries no verdict as a baseline.
fn accepting(judgement: &Judgement, file: &str, candidate: &Session) -> Option<String> {
    invalid_because(candidate).is_none().then(|| {
        match judgement.design {
            Design::Apart { .. } if is_not_of_main(candidate) => {
                "or, if the change is wanted, say why in `perfgate-accept.yaml` on the main branch: the next session of it is then \
                 saved as its baseline (by hand: `perfgate baseline save --accept REASON`)"
                    .into()
            }
            Design::Apart { .. } => {
                format!(
                    "or, if the change is wanted, accept it with a new baseline: `perfgate baseline save {file} --accept REASON`"
                )
            }
            // The candidate of a pair is no baseline; what it is compared with next time is what was merged.
            Design::Paired { .. } => {
                "or, if the change is wanted, accept it: once merged, it is the baseline of the next A/B \
                                      measurement"
                    .into()
            }
        }
    })
}

/// What would settle an open gate.
fn settling(judgement: &Judgement, (baseline, candidate): (Option<&Session>, &Session)) -> Vec<String> {
    let mut steps = Vec::new();
    let is_open = |check: &&Check| check.action == Action::Block && check.verdict == Verdict::Inconclusive;
    let open = || judgement.checks.iter().filter(is_open);
    let is_noise = |check: &Check| check.p_real.is_some();
    let lasting: Vec<&Check> = open().filter(|check| is_lasting(check)).collect();
    match &judgement.design {
        Design::Apart { .. } => {
            let cost = baseline.and_then(|baseline| cost::in_pairs(baseline, candidate));
            let what = if lasting.is_empty() {
                "it"
            } else {
                "what noise leaves open"
            };
            let cost = cost.filter(|_| open().any(is_noise));
            steps.extend(cost.map(|cost| in_alternation(what, &cost)));
            steps.extend(more_runs(judgement, baseline, candidate));
        }
        Design::Paired { .. } => steps.extend(more_pairs(judgement, candidate)),
    }
    if !steps.is_empty() && judgement.requests_needed.is_none() {
        steps.extend(told_lasting(&lasting));
    }
    let asked = usize::try_from(candidate.plan.requests_per_run).unwrap_or(usize::MAX);
    if let Some(needed) = judgement.requests_needed.filter(|needed| *needed > asked) {
        let how = if candidate.plan.workload.prompts.is_foreign() {
            format!("{needed} or more")
        } else {
            format!("`--requests {needed}`")
        };
        steps.push(format!("measure both sides with more requests a run: {how}"));
    }
    if !judgement.checks.iter().any(is_gate) {
        steps.push("gate a metric: set a limit under `gates` in `perfgate.yaml`".into());
    }
    if steps.is_empty() && open().next().is_some() {
        steps.push(
            "give each check what its reason names; against noise help an idle machine, more requests a run, or a wider limit"
                .into(),
        );
    }
    steps
}

/// What stays open beside what can be settled.
fn told_lasting(lasting: &[&Check]) -> Option<String> {
    let first = lasting.first()?;
    let others = match lasting.len() {
        1 => String::new(),
        all => format!("; and {} more", all - 1),
    };
    let label = first.metric.label();
    Some(format!(
        "{label} at {} stays open by that: {}{others}",
        first.cell, first.reason
    ))
}

/// Whether no repetition takes away why a check is open: it was not tested, and lacks neither runs nor requests.
fn is_lasting(check: &Check) -> bool {
    check.p_real.or(check.p_beyond).is_none() && check.repeat_more.is_none()
}

/// Two sessions that were measured apart differ by more than their runs: no number of runs takes that away.
fn in_alternation(what: &str, cost: &str) -> String {
    format!(
        "`perfgate gate --ab` can settle {what}: it measures both sides in alternation, so that what drifts between sessions \
         drops out; {cost}"
    )
}

fn more_runs(judgement: &Judgement, baseline: Option<&Session>, candidate: &Session) -> Option<String> {
    let more = judgement.repeat_more?;
    let runs = |session: &Session| session.cells.iter().map(|cell| cell.runs.len()).max().unwrap_or(0);
    let (old, new) = (baseline.map_or(0, runs), runs(candidate));
    let (sides, runs) = match judgement.lacking {
        Lacking::Both => ("both sides", old.max(new)),
        Lacking::Baseline => ("the baseline", old),
        Lacking::Candidate => ("the candidate", new),
    };
    let repeats = (runs + more).max(MIN_RUNS);
    if candidate.plan.workload.prompts.is_foreign() {
        return Some(format!(
            "measure {sides} again, and import {repeats} results or more of each; what is measured apart settles large changes \
             alone, and `perfgate gate --ab` with your tool as its `runner` small ones"
        ));
    }
    Some(format!("measure {sides} again with more runs: `--repeat {repeats}`"))
}

fn more_pairs(judgement: &Judgement, session: &Session) -> Option<String> {
    let more = judgement.repeat_more?;
    let ended = session
        .pairing
        .as_ref()
        .and_then(|pairing| pairing.stopped_early.as_ref());
    let until = ended.map_or("", |_| ", and let it run to its last look");
    Some(format!(
        "measure again with `perfgate gate --ab`{until}: {} would most likely settle it",
        count_more(more, "pair")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_promises_no_runs_to_a_check_that_they_cannot_settle() {
        use Lacking::{Baseline, Both, Candidate};
        let few = "a verdict needs 3 runs a side, the candidate has 2: measure 1 more";
        let table = [
            (
                "noisy; repeat 2 more on each side",
                Some(12),
                Both,
                "noisy; repeat 12 more on each side",
            ),
            (
                "noisy; repeat 2 more of the candidate",
                Some(2),
                Candidate,
                "noisy; repeat 2 more of the candidate",
            ),
            (
                "too noisy",
                Some(12),
                Baseline,
                "too noisy; others need 12 more of the baseline",
            ),
            (
                few,
                Some(1),
                Candidate,
                "a verdict needs 3 runs a side, the candidate has 2: measure 1 more of the candidate",
            ),
            ("too noisy", None, Both, "too noisy"),
        ];
        for (reason, more, lacking, expected) in table {
            let found = settled_by(reason, (more, lacking), &Design::Apart { sessions: 1 });
            assert_eq!(found, expected);
        }
    }
}

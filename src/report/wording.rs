//! The sentences of a report: headline, next steps, method.

use super::{Check, Obligation};
use crate::{
    metric::Better,
    session::Session,
    verdict::{
        Action, BEYOND_LEVEL, Evidence, FAMILY_LEVEL, Judgement, MIN_RUNS, Refusal, Verdict, WITHIN_LEVEL, figures,
        wording::{bound, count, p_value, percent, sure},
    },
};

/// A judgement, or why there is none.
type Outcome<'a> = Result<&'a Judgement, &'a Refusal>;

/// The verdict in one sentence with the worst check.
pub(super) fn headline(outcome: Outcome<'_>, obligations: &[Obligation]) -> String {
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
        Verdict::Inconclusive => format!("{name}: {}", open(judgement, obligations)),
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

fn open(judgement: &Judgement, obligations: &[Obligation]) -> String {
    let checks = &judgement.checks;
    if checks.is_empty() {
        return "nothing was judged: no metric is gated, or no cell was measured on either side".into();
    }
    let is_open = |check: &&Check| check.verdict == Verdict::Inconclusive;
    let blocking: Vec<&Check> = checks.iter().filter(|check| check.action == Action::Block).collect();
    let unsettled: Vec<&Check> = blocking.iter().copied().filter(is_open).collect();
    let told = |check: &Check| {
        let what = settled_by(&check.reason, judgement.repeat_more);
        format!("{} at {}: {what}", check.metric.label(), check.cell)
    };
    if let Some(first) = unsettled.first() {
        let all = count(blocking.len(), "blocking check");
        return format!("{} of {all} not settled; {}", unsettled.len(), told(first));
    }
    if let Some(owed) = obligations.iter().find(|owed| owed.requires == Evidence::Profile) {
        return owed.text.clone();
    }
    checks.iter().find(is_open).map_or_else(String::new, told)
}

/// Why a check is open: it says how many runs it lacks itself, the headline how many settle all that runs can settle.
fn settled_by(reason: &str, repeat_more: Option<usize>) -> String {
    let (why, others) = match reason.split_once("; repeat ") {
        Some((why, _)) => (why, "repeat"),
        None => (reason, "others need"),
    };
    let more = repeat_more.map(|more| format!("; {others} {more} more on each side"));
    format!("{why}{}", more.unwrap_or_default())
}

/// What the reader should do now, most useful first.
pub(super) fn next_steps(outcome: Outcome<'_>, obligations: &[Obligation], candidate: (&str, &Session)) -> Vec<String> {
    let (file, session) = candidate;
    let mut steps = match outcome {
        Err(refusal) => refused(refusal, file),
        Ok(judgement) => judged(judgement, file, session),
    };
    steps.extend(obligations.iter().map(|owed| owed.text.clone()));
    if steps.is_empty() {
        steps.push("no action is needed".into());
    }
    steps
}

fn refused(refusal: &Refusal, file: &str) -> Vec<String> {
    match refusal.verdict {
        Verdict::NoBaseline => vec![format!(
            "keep this session as the baseline: `perfgate baseline save {file}`"
        )],
        Verdict::Incomparable => vec![
            "measure both sides alike, or override a field that does not matter with `--allow FIELD`".into(),
            format!("if the new setting is here to stay, accept it: `perfgate baseline save {file}`"),
        ],
        _ if refusal.reason.starts_with("different work") => vec![
            "ask both sides for the same work: fixed `output_tokens`, and `ignore_eos: true` under `extra_body` where the \
             server has it"
                .into(),
            "or, if the answers are meant to differ, judge what can be judged with `--allow work`".into(),
        ],
        _ => vec![
            "fix what is named above and measure again with `perfgate run`; nothing that was measured is lost".into(),
        ],
    }
}

fn judged(judgement: &Judgement, file: &str, session: &Session) -> Vec<String> {
    let mut steps = Vec::new();
    if judgement.verdict == Verdict::Regression {
        steps.push("find the cause and measure again".into());
        steps.push(format!(
            "or, if the change is wanted, accept it with a new baseline: `perfgate baseline save {file}`"
        ));
    }
    if judgement.verdict != Verdict::Inconclusive {
        return steps;
    }
    if let Some(more) = judgement.repeat_more {
        let runs = session.cells.iter().map(|cell| cell.runs.len()).max().unwrap_or(0);
        let repeats = (runs + more).max(MIN_RUNS);
        steps.push(format!("measure both sides again with more runs: `--repeat {repeats}`"));
    }
    let asked = usize::try_from(session.plan.requests_per_run).unwrap_or(usize::MAX);
    if let Some(needed) = judgement.requests_needed.filter(|needed| *needed > asked) {
        steps.push(format!(
            "measure both sides with more requests a run: `--requests {needed}`"
        ));
    }
    if judgement.checks.is_empty() {
        steps.push("gate a metric: set a limit under `gates` in `perfgate.yaml`".into());
    }
    let unsettled = |check: &Check| check.action == Action::Block && check.verdict == Verdict::Inconclusive;
    if steps.is_empty() && judgement.checks.iter().any(unsettled) {
        steps.push(
            "give each check what its reason names; against noise help an idle machine, more requests a run, or a wider limit"
                .into(),
        );
    }
    steps
}

/// How the verdict was reached, in one paragraph.
pub(super) fn method(outcome: Outcome<'_>) -> String {
    let Ok(judgement) = outcome else {
        return "No change was computed: there is nothing to judge.".into();
    };
    let rule = format!(
        "Each run gives one value of each metric; a change is the ratio of the geometric means of the runs, with a \
         two-sided 90 % interval from Welch's t test on logarithms. A check is a regression when the change is real \
         (Holm-corrected over all checks of its kind, level {}) and beyond its limit with {} confidence; it passes when \
         the change is within the limit with {} confidence; else the runs cannot tell. The two sides were measured one \
         after the other: what drifted in the machine or the server between them is not in the interval.",
        whole(FAMILY_LEVEL),
        whole(1.0 - BEYOND_LEVEL),
        whole(1.0 - WITHIN_LEVEL),
    );
    let example = judgement.checks.iter().find_map(example);
    example.map_or_else(|| rule.clone(), |example| format!("{rule} {example}"))
}

/// The worst tested check in full (`TPOT P95 at … is +7.7 % (…) over 5 runs a side: …`).
fn example(check: &Check) -> Option<String> {
    let (real, beyond) = check.p_real.zip(check.p_beyond)?;
    let runs = if check.n_baseline == check.n_candidate {
        format!("{} runs a side", check.n_baseline)
    } else {
        format!("{} baseline and {} candidate runs", check.n_baseline, check.n_candidate)
    };
    let beyond = if beyond <= 0.5 {
        format!("we are {} that it is beyond the limit", sure(beyond))
    } else {
        format!("we are {} that it is within the limit", sure(1.0 - beyond))
    };
    let power = check.minimum_detectable_change.map_or_else(String::new, |smallest| {
        let signed = match check.metric.better() {
            Better::Lower => smallest,
            Better::Higher => -smallest,
        };
        format!(
            "; with these runs a change of {} is found with 80 % probability",
            percent(signed)
        )
    });
    Some(format!(
        "{} at {} is {} over {runs}, limit {}: {} for no change for the worse, and {beyond}{power}.",
        check.metric.label(),
        check.cell,
        figures(check),
        bound(check.metric, check.limit),
        p_value(real),
    ))
}

fn whole(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_promises_no_runs_to_a_check_that_they_cannot_settle() {
        let table = [
            (
                "noisy; repeat 2 more on each side",
                Some(12),
                "noisy; repeat 12 more on each side",
            ),
            ("too noisy", Some(12), "too noisy; others need 12 more on each side"),
            ("too noisy", None, "too noisy"),
        ];
        for (reason, more, expected) in table {
            assert_eq!(settled_by(reason, more), expected);
        }
    }
}

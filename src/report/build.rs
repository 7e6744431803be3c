//! From two sessions to a report: measure, compare, judge, say it.

use super::{
    Judging, Report, Stored,
    arm::{describe_measured, say_none_replaced},
    clocks, conduct, detail, doubts, headroom, held, imported, machine, method, overridden,
    past::{self, Past, Windows},
    rest, scenario, server_clock, tails, telemetry, wording,
};
use crate::{
    compare::{Design, PairNoise, compare_within},
    measure::{Measurements, measure, measure_alike},
    obligation::{Given, obligations, settle},
    session::{Ended, Session, TokensFrom},
    verdict::{
        Check, Difference, Headroom, Judgement, Lacking, Policy, Refusal, Verdict, differences, judge, judge_alone,
        refuse, refuse_failures, refuse_work,
    },
};

/// What a candidate is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// Name of its file or baseline.
    pub name: &'a str,
    /// The session itself, the newest where it stands in a history.
    pub session: &'a Session,
    /// Older sessions of the same baseline, measured, oldest first.
    pub history: &'a [Measurements],
    /// How far apart the pairs of earlier A/B measurements lay; `None`: none are known.
    pub pair_noise: Option<&'a PairNoise>,
    /// The baseline over time, for charts; `None`: it is one session.
    pub past: Option<&'a Past>,
}

impl<'a> Reference<'a> {
    /// A session of which nothing else is known.
    pub const fn alone(name: &'a str, session: &'a Session) -> Self {
        Self {
            name,
            session,
            history: &[],
            pair_noise: None,
            past: None,
        }
    }
}

/// Compares a candidate, with the name of its file, with a baseline, and judges the change.
pub fn build(reference: Option<&Reference<'_>>, candidate: (&str, &Session), policy: &Policy) -> Report {
    build_knowing(reference, candidate, policy, &Given::default())
}

/// The same where some of what warnings owe was given.
pub fn build_knowing(
    reference: Option<&Reference<'_>>,
    candidate: (&str, &Session),
    policy: &Policy,
    given: &Given<'_>,
) -> Report {
    let baseline = reference.map(|reference| (reference.name, reference.session));
    let (old, new, cut) = measure_both(baseline, candidate.1);
    let differences = baseline.map_or_else(Vec::new, |(_, session)| differences(session, candidate.1, policy));
    let measured = (old.as_ref().map(|(_, _, old)| old), &new);
    let (mut outcome, windows) = outcome(reference, candidate.1, measured, &differences, policy);
    let alone = beside_refusal(&mut outcome, &new, policy);
    let mut obligations = obligations(outcome.as_ref().map_or(&alone, |judgement| &judgement.checks));
    settle(&mut obligations, given);
    if let Ok(judgement) = &mut outcome {
        held::answer_again(judgement, &obligations, policy);
    }
    let verdict = match &outcome {
        Ok(judgement) => judgement.verdict,
        Err(refusal) => refusal.verdict,
    };
    let checks = outcome.as_ref().map_or(&alone, |judgement| &judgement.checks);
    let past = past::of_report(reference, measured, checks, windows.as_ref());
    let of_old = old.iter().flat_map(|(_, _, old)| tails::of("baseline", old));
    let full = headroom::of_both(baseline, candidate.1, policy);
    let of_old: Vec<String> = full.into_iter().chain(of_old).chain(cut).collect();
    let of_new = tails::of("candidate", &new);
    let cliffs = tails::two_modes(old.as_ref().map(|(_, _, old)| old), &new, policy);
    let of_figures = of_old.into_iter().chain(of_new).chain(cliffs).collect();
    let mut warnings = all_warnings(baseline, candidate.1, &differences, outcome.as_ref(), of_figures);
    warnings.extend(baseline.and_then(|(_, session)| overridden::nobody_states(session, candidate.1, policy)));
    let mut baseline_arm = old.map(|(name, session, measured)| describe_measured(name, session, &measured));
    let mut candidate_arm = describe_measured(candidate.0, candidate.1, &new);
    if let Some(baseline) = &mut baseline_arm {
        say_none_replaced([baseline, &mut candidate_arm]);
    }
    let sessions = (baseline.map(|(_, session)| session), candidate.1);
    Report {
        verdict,
        exit_code: held::exit_code(verdict, (checks, &obligations), candidate.1, policy),
        headline: wording::headline(outcome.as_ref(), &obligations, policy.unmet),
        story: outcome.as_ref().ok().and_then(|judgement| judgement.story.clone()),
        next_steps: wording::next_steps(outcome.as_ref(), &obligations, candidate.0, sessions),
        baseline: baseline_arm,
        candidate: candidate_arm,
        method: method::method(outcome.as_ref(), candidate.1, policy),
        judging: Judging::of(policy),
        checks: outcome.map_or(alone, |judgement: Judgement| judgement.checks),
        differences,
        obligations,
        trusted: None,
        stored: Stored::default(),
        warnings,
        detail: Vec::new(),
        telemetry: Vec::new(),
        past,
        profile: None,
    }
}

impl Report {
    /// Adds what charts are drawn of: a page needs it, and nobody else.
    pub fn draw(&mut self, baseline: Option<&Session>, candidate: &Session) {
        self.detail = detail::detail(baseline, candidate);
        self.telemetry = telemetry::telemetry(baseline, candidate);
    }
}

type Outcome = Result<Judgement, Refusal>;

fn outcome(
    reference: Option<&Reference<'_>>,
    candidate: &Session,
    (old, new): (Option<&Measurements>, &Measurements),
    differences: &[Difference],
    policy: &Policy,
) -> (Outcome, Option<Windows>) {
    let Some((reference, old)) = reference.zip(old) else {
        let refusal = refuse(None, candidate, differences, policy).unwrap_or_else(Refusal::no_baseline);
        return (Err(refusal), None);
    };
    if let Some(refusal) = refuse(Some(reference.session), candidate, differences, policy) {
        return (Err(refusal), None);
    }
    let unknown = PairNoise::default();
    let noise = reference.pair_noise.unwrap_or(&unknown);
    let comparison = compare_within(old, new, reference.history, noise);
    if let Some(refusal) = refuse_work(&comparison, policy) {
        return (Err(refusal), None);
    }
    let judgement = judge(&comparison, policy).with_new_cells(&comparison, new, policy);
    match refuse_failures(candidate, &judgement.checks) {
        Some(refusal) => (Err(refusal), None),
        None => (Ok(judgement), Some(past::windows(&comparison))),
    }
}

/// Where there is nothing to compare with, what the candidate itself must keep is still judged: a ceiling that is surely
/// broken blocks, and nothing else comes of it.
fn beside_refusal(outcome: &mut Outcome, new: &Measurements, policy: &Policy) -> Vec<Check> {
    let Err(refusal) = outcome else { return Vec::new() };
    if !matches!(refusal.verdict, Verdict::NoBaseline | Verdict::Incomparable) {
        return Vec::new();
    }
    let checks = judge_alone(new, policy);
    if checks.iter().any(|check| check.verdict == Verdict::Regression) {
        *outcome = Ok(Judgement {
            verdict: Verdict::Regression,
            checks,
            warnings: vec![format!("{}: {}", refusal.verdict.name(), refusal.reason)],
            story: None,
            design: Design::Apart { sessions: 0 },
            repeat_more: None,
            lacking: Lacking::Both,
            requests_needed: None,
        });
        return Vec::new();
    }
    checks
}

fn all_warnings(
    baseline: Option<(&str, &Session)>,
    candidate: &Session,
    differences: &[Difference],
    outcome: Result<&Judgement, &Refusal>,
    of_figures: Vec<String>,
) -> Vec<String> {
    let mut warnings = outcome.map_or_else(|_| Vec::new(), |judgement| judgement.warnings.clone());
    if let Some((_, session)) = baseline {
        warnings.extend(of_session("baseline", session));
    }
    warnings.extend(of_session("candidate", candidate));
    let both: Vec<&Session> = baseline
        .iter()
        .map(|(_, session)| *session)
        .chain([candidate])
        .collect();
    warnings.extend(machine::unseen(&both));
    warnings.extend(notes(baseline.map(|(_, session)| session), candidate));
    if let Some((_, session)) = baseline {
        warnings.extend(counted_differently(session, candidate));
        warnings.extend(rest::unseen(session, candidate));
        warnings.extend(clocks::of(session, candidate));
        if session == candidate {
            warnings.push("both sides are the same session: nothing can differ".into());
        }
    }
    warnings.extend(of_figures);
    warnings.extend(ended_early(candidate, outcome));
    warnings.extend(differences.iter().filter_map(overridden::told));
    warnings
}

/// Why there are fewer pairs than planned, where something is still open.
fn ended_early(candidate: &Session, outcome: Result<&Judgement, &Refusal>) -> Option<String> {
    let why = candidate.pairing.as_ref()?.stopped_early.as_ref()?;
    let is_settled = outcome.is_ok_and(|judgement| judgement.verdict != Verdict::Inconclusive);
    (!is_settled).then(|| format!("the measurement ended before its last look: {why}"))
}

/// What a reader should know of a session by itself, in sentences.
pub fn warnings(session: &Session) -> Vec<String> {
    let notes = session.notes.iter().map(|note| format!("session: {note}"));
    let headroom = headroom::of("session", session, Headroom::default());
    of_session("session", session)
        .into_iter()
        .chain(machine::unseen(&[session]))
        .chain(headroom)
        .chain(notes)
        .collect()
}

/// A session with its name, measured.
type Measured<'a> = (&'a str, &'a Session, Measurements);

/// Both sides measured, and what was cut to make them alike.
fn measure_both<'a>(
    baseline: Option<(&'a str, &'a Session)>,
    candidate: &Session,
) -> (Option<Measured<'a>>, Measurements, Vec<String>) {
    let Some((name, session)) = baseline else {
        return (None, measure(candidate), Vec::new());
    };
    let (old, new, cut) = measure_alike(session, candidate);
    (Some((name, session, old)), new, cut)
}

/// What a reader should know of one session.
fn of_session(arm: &str, session: &Session) -> Vec<String> {
    let mut warnings = Vec::new();
    if session.ended == Ended::Interrupted {
        warnings.push(format!(
            "the {arm} was interrupted: only its finished runs are compared"
        ));
    }
    warnings.extend(imported::of(arm, session));
    warnings.extend(doubts::of(arm, session));
    warnings.extend(conduct::of(arm, session));
    warnings.extend(scenario::warnings(arm, session));
    warnings.extend(server_clock::of(arm, session));
    warnings.extend(machine::of(arm, session));
    for cell in &session.cells {
        let sum = |of: fn(&crate::session::Run) -> u32| cell.runs.iter().map(|run| u64::from(of(run))).sum::<u64>();
        let (failed, all) = (sum(|run| run.warmup.failed), sum(|run| run.warmup.requests));
        if failed > 0 {
            warnings.push(format!(
                "{arm}: {failed} of {all} warm-up requests failed at {}",
                cell.name
            ));
        }
    }
    warnings
}

/// What the sessions note of themselves; what both do stands once.
fn notes(baseline: Option<&Session>, candidate: &Session) -> Vec<String> {
    let old = baseline.map_or(&[][..], |session| session.notes.as_slice());
    let of = |arm: &'static str, own: &[String], other: &[String]| -> Vec<String> {
        let alone = own.iter().filter(|note| !other.contains(note));
        alone.map(|note| format!("{arm}: {note}")).collect()
    };
    let shared = old.iter().filter(|note| candidate.notes.contains(note));
    let mut told = of("baseline", old, &candidate.notes);
    told.extend(of("candidate", &candidate.notes, old));
    told.extend(shared.map(|note| format!("both arms: {note}")));
    told
}

/// Token counts from `usage` on one side and from chunks on the other are not the same count.
fn counted_differently(baseline: &Session, candidate: &Session) -> Option<String> {
    let from_chunks = |session: &Session| {
        let mut requests = session
            .cells
            .iter()
            .flat_map(|cell| &cell.runs)
            .flat_map(|run| &run.requests);
        requests.any(|record| record.completed() && record.tokens_from == TokensFrom::Chunks)
    };
    let (arm, other) = match (from_chunks(baseline), from_chunks(candidate)) {
        (true, false) => ("baseline", "candidate"),
        (false, true) => ("candidate", "baseline"),
        _ => return None,
    };
    Some(format!(
        "not all output tokens of the {arm} were counted by the server's `usage`, as those of the {other} were: TPOT \
         and output throughput do not compare"
    ))
}

//! From two sessions to a report: measure, compare, judge, say it.

use super::{
    Report,
    arm::{describe_measured, say_none_replaced},
    conduct, doubts, tails, wording,
};
use crate::{
    compare::{Background, PairNoise, compare},
    measure::{Measurements, measure, measure_alike},
    obligation::obligations,
    session::{Ended, Session, TokensFrom},
    verdict::{FieldRule, Judgement, Policy, Refusal, differences, judge, refuse, refuse_work},
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
}

impl<'a> Reference<'a> {
    /// A session of which nothing else is known.
    pub const fn alone(name: &'a str, session: &'a Session) -> Self {
        Self {
            name,
            session,
            history: &[],
            pair_noise: None,
        }
    }

    fn background(&self) -> Background {
        Background {
            history: self.history.to_vec(),
            pair_noise: self.pair_noise.cloned().unwrap_or_default(),
        }
    }
}

/// Compares a candidate, with the name of its file, with a baseline, and judges the change.
pub fn build(reference: Option<&Reference<'_>>, candidate: (&str, &Session), policy: &Policy) -> Report {
    let background = reference.map_or_else(Background::default, Reference::background);
    let baseline = reference.map(|reference| (reference.name, reference.session));
    let (old, new, cut) = measure_both(baseline, candidate.1);
    let differences = baseline.map_or_else(Vec::new, |(_, session)| differences(session, candidate.1, policy));
    let refusal = refuse(baseline.map(|(_, session)| session), candidate.1, &differences);
    let outcome = match (refusal, &old) {
        (None, Some((_, _, old))) => {
            let comparison = compare(old, &new, &background);
            refuse_work(&comparison, policy).map_or_else(|| Ok(judge(&comparison, policy)), Err)
        }
        (Some(refusal), _) => Err(refusal),
        (None, None) => Err(Refusal::no_baseline()),
    };
    let verdict = match &outcome {
        Ok(judgement) => judgement.verdict,
        Err(refusal) => refusal.verdict,
    };
    let obligations = outcome
        .as_ref()
        .map_or_else(|_| Vec::new(), |judgement| obligations(&judgement.checks));
    let mut warnings = of_session("candidate", candidate.1);
    if let Some((_, session)) = baseline {
        warnings.splice(0..0, of_session("baseline", session));
        warnings.extend(old.iter().flat_map(|(_, _, old)| tails::of("baseline", old)));
        warnings.extend(counted_differently(session, candidate.1));
        if session == candidate.1 {
            warnings.push("both sides are the same session: nothing can differ".into());
        }
    }
    warnings.extend(cut);
    warnings.extend(tails::of("candidate", &new));
    let allowed = differences
        .iter()
        .filter(|difference| difference.rule == FieldRule::Warn);
    warnings.extend(allowed.map(|d| {
        format!(
            "`{}` differs (`{}`, `{}`) and is allowed: the change may come from it",
            d.field, d.baseline, d.candidate
        )
    }));
    if let Ok(judgement) = &outcome {
        warnings.splice(0..0, judgement.warnings.iter().cloned());
    }
    let mut baseline = old.map(|(name, session, measured)| describe_measured(name, session, &measured));
    let mut candidate_arm = describe_measured(candidate.0, candidate.1, &new);
    if let Some(baseline) = &mut baseline {
        say_none_replaced([baseline, &mut candidate_arm]);
    }
    Report {
        verdict,
        exit_code: verdict.exit_code(),
        headline: wording::headline(outcome.as_ref(), &obligations),
        next_steps: wording::next_steps(outcome.as_ref(), &obligations, candidate),
        baseline,
        candidate: candidate_arm,
        method: wording::method(outcome.as_ref()),
        checks: outcome.map_or_else(|_| Vec::new(), |judgement: Judgement| judgement.checks),
        differences,
        obligations,
        warnings,
    }
}

/// What a reader should know of a session by itself, in sentences.
pub fn warnings(session: &Session) -> Vec<String> {
    of_session("session", session)
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
    warnings.extend(doubts::of(arm, session));
    warnings.extend(conduct::of(arm, session));
    warnings.extend(session.notes.iter().map(|note| format!("{arm}: {note}")));
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

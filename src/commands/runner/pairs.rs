//! Both arms in alternation, each run by another tool: pair after pair, until a planned look settles it or the time is up.

use std::time::Instant;

use super::{
    drive::{Drive, Driven},
    folder,
    joined::{self, Joined},
    server::Server,
    unsaid::Given,
};
use crate::{
    commands::{
        CommandError, Console,
        ab::{
            Follow,
            budget::{Budget, forecast, most_again},
        },
        measure::now_unix_s,
        run::in_full,
    },
    config::{Resolved, RunnerSettings},
    load::Interrupt,
    measure::disturbance,
    plan::{ArmPlace, Arms, Load, Secrets},
    session::{Ended, PairArm, Pairing, Remeasured, Session},
};

/// Measures both arms; in every second pair the candidate comes first, so that drift takes no side.
///
/// # Errors
/// An arm has no address of a server that runs, or the first pair cannot be measured. Trouble after that is data.
pub(super) fn measure_pairs(
    (resolved, secrets): (&Resolved, &Secrets),
    runner: &RunnerSettings,
    follow: &mut dyn Follow,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<[Session; 2], CommandError> {
    let (arms, urls) = arms(resolved)?;
    let [old_page, new_page] = arms.metrics.each_ref().map(Option::as_deref);
    let server = |url: &str, page| Server::at(url, &resolved.plan, secrets.clone(), page);
    let [old, new] = [server(&urls[0], old_page)?, server(&urls[1], new_page)?];
    let sides = [
        (PairArm::Baseline, &urls[0], &old, &new),
        (PairArm::Candidate, &urls[1], &new, &old),
    ];
    let drives = sides.map(|(arm, url, server, other)| Drive {
        runner,
        plan: &resolved.plan,
        given: Given::of(resolved),
        url,
        server,
        other: Some(other),
        folder: folder(resolved),
        arm: Some(arm.name()),
        console,
        interrupt,
    });
    let mut pairs = Pairs {
        resolved,
        drives,
        sessions: [None, None],
        id: format!("{:x}-{:x}", now_unix_s(), std::process::id()),
        remeasured: Vec::new(),
        console,
    };
    pairs.all(follow)
}

/// Servers of their own are started for perfgate's load alone.
fn arms(resolved: &Resolved) -> Result<(&Arms, [String; 2]), CommandError> {
    let url = |place: &ArmPlace| match place {
        ArmPlace::Url(url) => Some(url.clone()),
        ArmPlace::Command(_) => None,
    };
    let found = resolved
        .arms
        .as_ref()
        .and_then(|arms| Some((arms, [url(&arms.baseline)?, url(&arms.candidate)?])));
    found.ok_or_else(|| {
        CommandError::Usage(
            "with a `runner` both arms are servers that run already: give `--baseline-url` and `--candidate-url`"
                .into(),
        )
    })
}

struct Pairs<'a> {
    resolved: &'a Resolved,
    drives: [Drive<'a>; 2],
    sessions: [Option<Joined>; 2],
    id: String,
    /// What was measured again, in its order.
    remeasured: Vec<Remeasured>,
    console: &'a dyn Console,
}

/// One run of each arm at one level, baseline first, each with the models that its server had.
type Both = [(Session, Vec<String>); 2];

impl Pairs<'_> {
    /// Pair after pair, up to the last look.
    fn all(&mut self, follow: &mut dyn Follow) -> Result<[Session; 2], CommandError> {
        let alternation = &self.resolved.alternation;
        let mut budget = Budget::begin(alternation.max);
        for pair in 0..alternation.most_pairs() {
            if let Some(why) = budget.exceeded() {
                return self.finish(&Ended::Complete, Some(&why));
            }
            let began = Instant::now();
            match self.pair(pair, &mut budget) {
                Ok(true) => {}
                Ok(false) => return self.finish(&Ended::Interrupted, None),
                Err(error) if self.sessions.iter().all(Option::is_some) => {
                    return self.finish(&Ended::Aborted(in_full(&error)), None);
                }
                Err(error) => return Err(error),
            }
            let mut sessions = self.finish(&Ended::Interrupted, None)?;
            follow.on_pair(&sessions);
            if pair == 0 {
                self.console.say(&forecast(began.elapsed(), alternation));
            }
            if let Some(why) = self.why_stop((pair, &mut sessions), follow)? {
                return self.finish(&Ended::Complete, Some(&why));
            }
        }
        self.finish(&Ended::Complete, None)
    }

    /// Whether it is over after this pair, in words. What is to be compared is known with the first.
    fn why_stop(
        &self,
        (pair, sessions): (u32, &mut [Session; 2]),
        follow: &mut dyn Follow,
    ) -> Result<Option<String>, CommandError> {
        if pair == 0 && !follow.begin(sessions)? {
            return Ok(Some("the arms cannot be compared".to_owned()));
        }
        let done = pair + 1;
        let alternation = &self.resolved.alternation;
        if done == alternation.most_pairs() || !alternation.looks.contains(&done) {
            return Ok(None);
        }
        for session in sessions.iter_mut() {
            session.ended = Ended::Complete;
        }
        let why = follow.why_stop(sessions);
        Ok(why.map(|why| format!("{why}, after {done} pairs")))
    }

    /// One pair of every cell; `false` where nobody wants it any more, and then what is half is left out.
    fn pair(&mut self, pair: u32, budget: &mut Budget) -> Result<bool, CommandError> {
        let loads = self.resolved.plan.loads.clone();
        let began = Instant::now();
        let mut attempt = Vec::new();
        for load in &loads {
            match self.both(load, pair, pair) {
                Ok(Some(both)) => attempt.push(both),
                stopped => {
                    self.join(attempt)?;
                    return stopped.map(|_| false);
                }
            }
        }
        budget.took(began.elapsed());
        let mut is_wanted = true;
        let mut trouble = None;
        for (load, both) in loads.iter().zip(&mut attempt) {
            if !is_wanted || trouble.is_some() {
                break;
            }
            match self.again(load, pair, (both, budget)) {
                Ok(wanted) => is_wanted = wanted,
                // The first ones are whole, and stay.
                Err(error) => trouble = Some(error),
            }
        }
        self.join(attempt)?;
        trouble.map_or(Ok(is_wanted), Err)
    }

    /// Both arms at one level; `None` where nobody wants it any more. Every second pair begins with the candidate.
    fn both(&self, load: &Load, pair: u32, repeat: u32) -> Result<Option<Both>, CommandError> {
        let [old, new] = &self.drives;
        let candidate_first = !pair.is_multiple_of(2);
        let order = if candidate_first { [new, old] } else { [old, new] };
        let mut runs = Vec::new();
        for drive in order {
            match drive.run(load, repeat)? {
                Driven::Done(run) => runs.push(*run),
                Driven::Unwanted => return Ok(None),
            }
        }
        if candidate_first {
            runs.reverse();
        }
        Ok(runs.try_into().ok())
    }

    /// Measures both again as long as the machine disturbed one of them and it may; `false` where nobody wants it any more,
    /// and then the first ones count.
    fn again(&mut self, load: &Load, pair: u32, (both, budget): (&mut Both, &Budget)) -> Result<bool, CommandError> {
        while let Some(again) = disturbed(pair, both) {
            let most = most_again(self.resolved.alternation.most_pairs());
            let so_far = u32::try_from(self.remeasured.len()).unwrap_or(u32::MAX);
            let often = || format!("{most} pairs were measured again already");
            let why_not = (so_far >= most).then(often).or_else(|| budget.exceeded());
            let told = |what: &str| {
                let (pair, cell, arm) = (pair + 1, &again.cell, again.arm.name());
                format!(
                    "pair {pair} of `{cell}` {what}; the {arm}'s run was spoilt: {}",
                    again.reason
                )
            };
            if let Some(why) = why_not {
                let told = told(&format!("is kept, as {why}"));
                self.console.warn(&told);
                again.arm.pick_mut(both).0.notes.push(told);
                return Ok(true);
            }
            self.console.warn(&told("is measured again"));
            let repeat = self.resolved.alternation.most_pairs() + so_far;
            let Some(fresh) = self.both(load, pair, repeat)? else {
                return Ok(false);
            };
            *both = fresh;
            self.remeasured.push(again);
        }
        Ok(true)
    }

    /// What was measured joins both sessions, or neither.
    fn join(&mut self, attempt: Vec<Both>) -> Result<(), CommandError> {
        let commit = self.resolved.settings.commit.as_ref();
        for both in attempt {
            for (so_far, (run, models)) in self.sessions.iter().zip(&both) {
                joined::check(so_far.as_ref(), (run, models))?;
            }
            for (so_far, run) in self.sessions.iter_mut().zip(both) {
                joined::join(so_far, run, commit);
            }
        }
        Ok(())
    }

    /// Both sessions so far, as arms of one measurement.
    fn finish(&self, ended: &Ended, stopped_early: Option<&str>) -> Result<[Session; 2], CommandError> {
        let [Some(baseline), Some(candidate)] = &self.sessions else {
            return Err(super::nothing_came());
        };
        Ok([
            (&baseline.session, PairArm::Baseline),
            (&candidate.session, PairArm::Candidate),
        ]
        .map(|(session, arm)| Session {
            ended: ended.clone(),
            pairing: Some(Pairing {
                id: self.id.clone(),
                arm,
                looks: self.resolved.alternation.looks.clone(),
                blocks: 1,
                remeasured: self.remeasured.clone(),
                stopped_early: stopped_early.map(str::to_owned),
            }),
            ..session.clone()
        }))
    }
}

/// What the machine did to one of both runs, if so: never a latency, and never what a server did.
fn disturbed(pair: u32, both: &Both) -> Option<Remeasured> {
    let arms = [PairArm::Baseline, PairArm::Candidate];
    let mut found = arms.into_iter().zip(both).flat_map(|(arm, (session, _))| {
        session.cells.iter().flat_map(move |cell| {
            let reasons = cell.runs.iter().filter_map(disturbance::of);
            reasons.map(move |reason| Remeasured {
                cell: cell.name.clone(),
                pair,
                arm,
                reason,
                dead: false,
            })
        })
    });
    found.next()
}

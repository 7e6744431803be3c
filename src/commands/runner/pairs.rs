//! Both arms in alternation, each run by another tool: pair after pair, until a planned look settles it.

use super::{
    drive::{Drive, Driven},
    folder, is_warmup_given,
    joined::{self, Joined},
};
use crate::{
    commands::{CommandError, Console, ab::Follow, measure::now_unix_s, run::in_full},
    config::{Resolved, RunnerSettings},
    load::Interrupt,
    plan::ArmPlace,
    session::{Ended, PairArm, Pairing, Session},
};

/// Measures both arms; in every second pair the candidate comes first, so that drift takes no side.
///
/// # Errors
/// An arm has no address of a server that runs, or the first pair cannot be measured. Trouble after that is data.
pub(super) fn measure_pairs(
    resolved: &Resolved,
    runner: &RunnerSettings,
    follow: &mut dyn Follow,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<[Session; 2], CommandError> {
    let urls = urls(resolved)?;
    let drives = [(PairArm::Baseline, &urls[0]), (PairArm::Candidate, &urls[1])].map(|(arm, url)| Drive {
        runner,
        plan: &resolved.plan,
        is_warmup_given: is_warmup_given(resolved),
        url,
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
    };
    let looks = &resolved.alternation.looks;
    let most = resolved.alternation.most_pairs();
    for pair in 0..most {
        match pairs.pair(pair) {
            Ok(true) => {}
            Ok(false) => return pairs.finish(&Ended::Interrupted, None),
            Err(error) if pairs.sessions.iter().all(Option::is_some) => {
                return pairs.finish(&Ended::Aborted(in_full(&error)), None);
            }
            Err(error) => return Err(error),
        }
        let mut sessions = pairs.finish(&Ended::Interrupted, None)?;
        follow.on_pair(&sessions);
        if pair + 1 < most && looks.contains(&(pair + 1)) {
            for session in &mut sessions {
                session.ended = Ended::Complete;
            }
            if let Some(why) = follow.why_stop(&sessions) {
                let why = format!("{why}, after {} pairs", pair + 1);
                return pairs.finish(&Ended::Complete, Some(&why));
            }
        }
    }
    pairs.finish(&Ended::Complete, None)
}

/// Servers of their own are started for perfgate's load alone.
fn urls(resolved: &Resolved) -> Result<[String; 2], CommandError> {
    let url = |place: &ArmPlace| match place {
        ArmPlace::Url(url) => Some(url.clone()),
        ArmPlace::Command(_) => None,
    };
    let found = resolved
        .arms
        .as_ref()
        .and_then(|arms| Some([url(&arms.baseline)?, url(&arms.candidate)?]));
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
}

impl Pairs<'_> {
    /// One pair of every cell; `false` where nobody wants it any more, and then half a pair is left out.
    fn pair(&mut self, pair: u32) -> Result<bool, CommandError> {
        for load in &self.resolved.plan.loads {
            let order = if pair.is_multiple_of(2) { [0, 1] } else { [1, 0] };
            let mut runs: [Option<Session>; 2] = [None, None];
            for arm in order {
                let Some(drive) = self.drives.get(arm) else { continue };
                match drive.run(load, pair)? {
                    Driven::Done(run) => {
                        if let Some(place) = runs.get_mut(arm) {
                            *place = Some(*run);
                        }
                    }
                    Driven::Unwanted => return Ok(false),
                }
            }
            for (so_far, run) in self.sessions.iter_mut().zip(runs) {
                if let Some(run) = run {
                    *so_far = Some(joined::join(
                        so_far.take(),
                        run,
                        self.resolved.settings.commit.as_ref(),
                    )?);
                }
            }
        }
        Ok(true)
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
                remeasured: Vec::new(),
                stopped_early: stopped_early.map(str::to_owned),
            }),
            ..session.clone()
        }))
    }
}

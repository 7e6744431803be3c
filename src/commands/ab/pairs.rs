//! Pair after pair, until a planned look settles it, the time is up, or somebody stops it.

use std::time::{Duration, Instant};

use super::{
    attempt::{Attempt, Attempts},
    budget::{self, Budget, Price},
    sides::{ARMS, Sides, Wanted},
};
use crate::{
    commands::{CommandError, Console},
    load::{Interrupt, Stopped},
    plan::Alternation,
    session::{Ended, PairArm, Session},
};

/// Who follows a measurement: both sessions so far, baseline first.
pub trait Follow {
    /// Before the first pair, when it is known what is to be compared: whether it is worth measuring.
    ///
    /// # Errors
    /// What is needed to judge cannot be read.
    fn begin(&mut self, _sessions: &[Session; 2]) -> Result<bool, CommandError> {
        Ok(true)
    }
    /// How long a measured run of each cell takes in seconds, where earlier sessions tell.
    fn run_s(&self, _sessions: &[Session; 2]) -> Vec<Option<f64>> {
        Vec::new()
    }
    /// After each pair.
    fn on_pair(&mut self, sessions: &[Session; 2]);
    /// At each look: why no more pairs are wanted, in words (`every blocking check is settled`).
    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String>;
}

/// Why no further pair is measured.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The last planned pair is there.
    LastLook,
    /// A look or a limit, in words.
    Early(String),
    /// An arm whose runs are dead, in words.
    Dead(String),
    /// Ctrl-C.
    Interrupted,
    /// Trouble of one arm, or of both, in words.
    Aborted(Option<PairArm>, String),
}

impl From<Stopped> for End {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Interrupted => Self::Interrupted,
            Stopped::Load(error) => Self::Aborted(None, error.to_string()),
        }
    }
}

/// Measures both arms in alternation; gives both sessions, baseline first.
///
/// # Errors
/// When the measurement cannot begin. Trouble after that is data: it is in the sessions.
pub fn measure(
    wanted: &Wanted<'_>,
    follow: &mut dyn Follow,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<[Session; 2], CommandError> {
    let sides = Sides::prepare(wanted, console, interrupt)?;
    let mut measurement = Measurement {
        attempts: Attempts::new(sides, wanted.arms.together, (console, interrupt)),
        alternation: &wanted.alternation,
        follow,
        console,
    };
    let end = if measurement.follow.begin(&measurement.attempts.sides.sessions)? {
        console.say(&measurement.plan());
        let end = measurement.all_pairs();
        console.end();
        end
    } else {
        End::Early("the arms cannot be compared".to_owned())
    };
    Ok(measurement.finish(&end))
}

struct Measurement<'a> {
    attempts: Attempts<'a>,
    alternation: &'a Alternation,
    follow: &'a mut dyn Follow,
    console: &'a dyn Console,
}

impl Measurement<'_> {
    fn plan(&self) -> String {
        let sides = &self.attempts.sides;
        let [session, _] = &sides.sessions;
        let runner = &sides.of(PairArm::Baseline).runner;
        let loads = session.cells.iter().map(|cell| &cell.load);
        let requests: Vec<u32> = loads.clone().map(|load| runner.request_count(load)).collect();
        let mut known = self.follow.run_s(&sides.sessions).into_iter();
        let scheduled = loads.map(|load| runner.scheduled(load).map(|time| time.as_secs_f64()));
        let run_s: Vec<Option<f64>> = scheduled
            .map(|scheduled| known.next().flatten().or(scheduled))
            .collect();
        let starts: Vec<Duration> = ARMS.into_iter().filter_map(|arm| sides.of(arm).start_took).collect();
        let price = Price {
            requests: &requests,
            run_s: &run_s,
            starts: &starts,
        };
        budget::plan(session, self.alternation, &price)
    }

    fn all_pairs(&mut self) -> End {
        let mut budget = Budget::begin(self.alternation.max);
        for pair in 0..self.alternation.most_pairs() {
            if let Some(why) = budget.exceeded() {
                return End::Early(why);
            }
            let began = Instant::now();
            let measured = self.attempts.pair(pair, &mut budget);
            let (attempt, ended) = measured;
            self.keep(attempt);
            if let Err(end) = ended {
                if matches!(end, End::Dead(_)) {
                    self.attempts.bring_back_the_dead();
                }
                return end;
            }
            self.follow.on_pair(&self.attempts.sides.sessions);
            if pair == 0 {
                self.console.say(&budget::forecast(began.elapsed(), self.alternation));
            }
            let is_last = pair + 1 == self.alternation.most_pairs();
            if !is_last
                && self.alternation.looks.contains(&(pair + 1))
                && let Some(why) = self.look()
            {
                return End::Early(format!("{why}, after {} pairs", pair + 1));
            }
        }
        End::LastLook
    }

    /// What was measured joins the sessions; of a pair that was cut short, the runs that are whole.
    fn keep(&mut self, attempt: Attempt) {
        for (cell, runs) in attempt.into_iter().enumerate() {
            for (arm, run) in ARMS.into_iter().zip(runs) {
                let cell = self.attempts.sides.session_mut(arm).cells.get_mut(cell);
                if let Some((cell, run)) = cell.zip(run) {
                    cell.runs.push(run);
                }
            }
        }
    }

    /// Judges as if this were the end.
    fn look(&mut self) -> Option<String> {
        let sessions = &mut self.attempts.sides.sessions;
        end_as(sessions, &Ended::Complete);
        let why_stop = self.follow.why_stop(sessions);
        // A process that is killed from here on leaves this behind.
        end_as(sessions, &Ended::Interrupted);
        why_stop
    }

    fn finish(self, end: &End) -> [Session; 2] {
        let mut sides = self.attempts.sides;
        for arm in ARMS {
            let session = sides.session_mut(arm);
            session.ended = match end {
                End::LastLook | End::Early(_) | End::Dead(_) => Ended::Complete,
                End::Interrupted => Ended::Interrupted,
                End::Aborted(of, reason) if of.is_none_or(|of| of == arm) => Ended::Aborted(reason.clone()),
                End::Aborted(of, _) => Ended::Aborted(format!(
                    "the {} could not be measured",
                    of.map_or("other arm", PairArm::name)
                )),
            };
            if let (End::Early(why) | End::Dead(why), Some(pairing)) = (end, &mut session.pairing) {
                pairing.stopped_early = Some(why.clone());
            }
        }
        sides.sessions
    }
}

fn end_as(sessions: &mut [Session; 2], ended: &Ended) {
    for session in sessions {
        session.ended = ended.clone();
    }
}

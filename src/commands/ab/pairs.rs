//! Pair after pair, until a planned look settles it, the time is up, or somebody stops it.

use super::{
    cell::{self, Place},
    sides::{ARMS, Sides, Wanted},
};
use crate::{
    commands::{CommandError, Console, measure::why_dead},
    load::{Interrupt, Stopped},
    plan::Alternation,
    session::{Ended, PairArm, Run, Session},
    target::TargetError,
};

/// Who follows a measurement: both sessions so far, baseline first.
pub trait Follow {
    /// After each pair.
    fn on_pair(&mut self, sessions: &[Session; 2]);
    /// At each look: whether more pairs could tell no more.
    fn is_settled(&mut self, sessions: &[Session; 2]) -> bool;
}

/// Why no further pair is measured.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The last planned pair is there.
    LastLook,
    /// A look, or a limit, in words.
    Early(String),
    /// Ctrl-C.
    Interrupted,
    /// Trouble of one arm, or of both, in words.
    Aborted(Option<PairArm>, String),
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
        sides,
        together: wanted.arms.together,
        alternation: &wanted.alternation,
        follow,
        console,
        interrupt,
    };
    let end = measurement.all_pairs();
    console.end();
    Ok(measurement.finish(&end))
}

impl From<Stopped> for End {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Interrupted => Self::Interrupted,
            Stopped::Load(error) => Self::Aborted(None, error.to_string()),
        }
    }
}

struct Measurement<'a> {
    sides: Sides,
    /// Whether both arms' servers are up at once.
    together: bool,
    alternation: &'a Alternation,
    follow: &'a mut dyn Follow,
    console: &'a dyn Console,
    interrupt: &'a Interrupt,
}

impl Measurement<'_> {
    fn all_pairs(&mut self) -> End {
        for pair in 0..self.alternation.most_pairs() {
            if let Err(end) = self.one_pair(pair) {
                return end;
            }
            self.follow.on_pair(&self.sides.sessions);
            let is_last = pair + 1 == self.alternation.most_pairs();
            if !is_last && self.alternation.looks.contains(&(pair + 1)) && self.looks_settled() {
                return End::Early(format!("settled at {} pairs", pair + 1));
            }
        }
        End::LastLook
    }

    /// One pair of every cell, in plan order.
    fn one_pair(&mut self, pair: u32) -> Result<(), End> {
        if self.together {
            self.start(&ARMS)?;
            for (cell, blocks) in self.sides.blocks.clone().into_iter().enumerate() {
                let place = Place { cell, pair };
                if blocks > 1 {
                    self.blocks(place, blocks)?;
                } else {
                    self.whole_runs(&cell::order(pair), place)?;
                }
            }
            self.sides.stop(&ARMS);
            return Ok(());
        }
        for arm in cell::order(pair) {
            self.start(&[arm])?;
            for cell in 0..self.sides.blocks.len() {
                self.whole_runs(&[arm], Place { cell, pair })?;
            }
            self.sides.stop(&[arm]);
        }
        Ok(())
    }

    fn start(&mut self, arms: &[PairArm]) -> Result<(), End> {
        let started = self.sides.start(arms, self.interrupt);
        started.map_err(|(arm, error)| match error {
            TargetError::Interrupted => End::Interrupted,
            error => End::Aborted(Some(arm), error.to_string()),
        })
    }

    fn whole_runs(&mut self, arms: &[PairArm], place: Place) -> Result<(), End> {
        for arm in arms {
            let run = cell::whole_run(&self.sides, *arm, place, (self.console, self.interrupt))?;
            self.keep(*arm, place, run)?;
        }
        Ok(())
    }

    fn blocks(&mut self, place: Place, blocks: u32) -> Result<(), End> {
        let runs = cell::in_blocks(&self.sides, place, blocks, (self.console, self.interrupt))?;
        for (arm, run) in ARMS.into_iter().zip(runs) {
            self.keep(arm, place, run)?;
        }
        Ok(())
    }

    fn keep(&mut self, arm: PairArm, place: Place, mut run: Run) -> Result<(), End> {
        // Of a pair that is not whole, no half of a run is kept.
        if self.interrupt.is_set() && run.cut_short.is_some() {
            return Err(End::Interrupted);
        }
        if let Some(ended) = self.sides.of_mut(arm).ended() {
            run.cut_short = Some(ended.to_string());
        }
        let dead = why_dead(&run);
        if let Some(cell) = self.sides.session_mut(arm).cells.get_mut(place.cell) {
            cell.runs.push(run);
        }
        dead.map_or(Ok(()), |reason| Err(End::Aborted(Some(arm), reason)))
    }

    /// Judges as if this were the end.
    fn looks_settled(&mut self) -> bool {
        let end_as = |sessions: &mut [Session; 2], ended: &Ended| {
            for session in sessions {
                session.ended = ended.clone();
            }
        };
        end_as(&mut self.sides.sessions, &Ended::Complete);
        let is_settled = self.follow.is_settled(&self.sides.sessions);
        // A process that is killed from here on leaves this behind.
        end_as(&mut self.sides.sessions, &Ended::Interrupted);
        is_settled
    }

    fn finish(mut self, end: &End) -> [Session; 2] {
        for arm in ARMS {
            let session = self.sides.session_mut(arm);
            session.ended = match end {
                End::LastLook | End::Early(_) => Ended::Complete,
                End::Interrupted => Ended::Interrupted,
                End::Aborted(of, reason) if of.is_none_or(|of| of == arm) => Ended::Aborted(reason.clone()),
                End::Aborted(of, _) => Ended::Aborted(format!(
                    "the {} could not be measured",
                    of.map_or("other arm", PairArm::name)
                )),
            };
            if let (End::Early(why), Some(pairing)) = (end, &mut session.pairing) {
                pairing.stopped_early = Some(why.clone());
            }
        }
        self.sides.sessions
    }
}

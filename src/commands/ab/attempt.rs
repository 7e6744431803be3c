//! One pair of every cell, measured again where the machine was disturbed or an arm died.

use std::time::Instant;

use super::{
    blocks,
    budget::{Budget, most_again},
    cell::{self, Place},
    neighbours::{self, Neighbours},
    pairs::End,
    sides::{ARMS, Sides},
};
use crate::{
    commands::{Console, measure::why_dead},
    load::Interrupt,
    measure::{client_was_bottleneck, deaths::gone_because, disturbance, power_limits_apart},
    session::{PairArm, Remeasured, Run, Session},
    target::TargetError,
};

/// One death of an arm's server may be an accident; the second is its answer.
const MOST_DEAD: u32 = 2;

/// The runs of one pair, by cell: of each arm, baseline first, where it is there.
pub(super) type Attempt = Vec<[Option<Run>; 2]>;

/// Measures pairs, and counts how often they had to be measured again.
pub(super) struct Attempts<'a> {
    pub(super) sides: Sides,
    /// Whether both arms' servers are up at once.
    together: bool,
    console: &'a dyn Console,
    interrupt: &'a Interrupt,
    neighbours: Neighbours,
    /// How often pairs were measured again so far.
    again: u32,
    /// How often each arm's server died so far.
    dead: [u32; 2],
    /// Pairs with a dead run that were measured again.
    replaced: Vec<Replaced>,
}

/// A pair of a cell that does not count, as another was measured in its place.
struct Replaced {
    cell: usize,
    pair: u32,
    runs: [Option<Run>; 2],
}

impl<'a> Attempts<'a> {
    /// None yet.
    pub(super) fn new(sides: Sides, together: bool, (console, interrupt): (&'a dyn Console, &'a Interrupt)) -> Self {
        Self {
            sides,
            together,
            console,
            interrupt,
            neighbours: Neighbours::default(),
            again: 0,
            dead: [0; 2],
            replaced: Vec::new(),
        }
    }

    /// One pair of every cell. What is whole is given back, however it ended.
    pub(super) fn pair(&mut self, pair: u32, budget: &mut Budget) -> (Attempt, Result<(), End>) {
        let cells: Vec<usize> = (0..self.sides.blocks.len()).collect();
        let mut attempt: Attempt = cells.iter().map(|_| [None, None]).collect();
        let began = Instant::now();
        let mut ended = self.try_cells(pair, pair, &cells, &mut attempt);
        budget.took(began.elapsed());
        while ended.is_ok() {
            ended = self.still_alive(&attempt);
            let spoilt = spoilt(&self.sides.sessions, &attempt);
            if ended.is_err() || spoilt.is_empty() {
                break;
            }
            if let Some(why) = self.why_not_again(budget) {
                for spoilt in &spoilt {
                    let told = self.tell(pair, spoilt, &format!("is kept, as {why}"));
                    self.sides.session_mut(spoilt.arm).notes.push(told);
                }
                break;
            }
            for spoilt in &spoilt {
                self.tell(pair, spoilt, "is measured again");
            }
            ended = self.try_again(pair, &spoilt, &mut attempt);
        }
        (attempt, ended)
    }

    fn why_not_again(&self, budget: &Budget) -> Option<String> {
        let [session, _] = &self.sides.sessions;
        let most = most_again(session.plan.repeats);
        let often = || format!("{most} pairs were measured again already");
        (self.again >= most).then(often).or_else(|| budget.exceeded())
    }

    /// Measures the spoilt cells again, both arms; the new runs count, once they are all there.
    fn try_again(&mut self, pair: u32, spoilt: &[Spoilt], attempt: &mut Attempt) -> Result<(), End> {
        let mut cells: Vec<usize> = spoilt.iter().map(|spoilt| spoilt.cell).collect();
        cells.dedup();
        // Prompts of their own: a server may have those of the first attempt in its prefix cache.
        let [session, _] = &self.sides.sessions;
        let prompts = session.plan.repeats + self.again;
        self.again += 1;
        let mut fresh: Attempt = attempt.iter().map(|_| [None, None]).collect();
        self.try_cells(pair, prompts, &cells, &mut fresh)?;
        for cell in cells {
            if let Some((old, new)) = attempt.get_mut(cell).zip(fresh.get_mut(cell)) {
                std::mem::swap(old, new);
            }
        }
        for spoilt in spoilt {
            self.note(pair, spoilt);
            if let Some(old) = fresh.get_mut(spoilt.cell).filter(|_| spoilt.is_dead) {
                self.replaced.push(Replaced {
                    cell: spoilt.cell,
                    pair,
                    runs: std::mem::take(old),
                });
            }
        }
        Ok(())
    }

    /// An arm has died for good: its first dead run belongs into the session beside its last, in its place or, where that
    /// is the last one's, behind it.
    pub(super) fn bring_back_the_dead(&mut self) {
        for Replaced { cell, pair, runs } in std::mem::take(&mut self.replaced) {
            for (arm, run) in ARMS.into_iter().zip(runs) {
                let session = self.sides.session_mut(arm);
                if let Some((cell, run)) = session.cells.get_mut(cell).zip(run) {
                    put_back(&mut cell.runs, pair, run);
                }
                if let Some(pairing) = &mut session.pairing {
                    pairing.remeasured.retain(|again| !again.dead);
                }
            }
        }
    }

    /// Both sessions know what was measured again.
    fn note(&mut self, pair: u32, spoilt: &Spoilt) {
        for arm in ARMS {
            let session = self.sides.session_mut(arm);
            let cell = session.cells.get(spoilt.cell).map(|cell| cell.name.clone());
            if let Some((pairing, cell)) = session.pairing.as_mut().zip(cell) {
                pairing.remeasured.push(Remeasured {
                    cell,
                    pair,
                    arm: spoilt.arm,
                    reason: spoilt.reason.clone(),
                    dead: spoilt.is_dead,
                });
            }
        }
    }

    /// Says what happens to a spoilt pair; gives the sentence.
    fn tell(&self, pair: u32, spoilt: &Spoilt, what: &str) -> String {
        let [session, _] = &self.sides.sessions;
        let cell = session.cells.get(spoilt.cell).map_or("", |cell| &cell.name);
        let (pair, arm, reason) = (pair + 1, spoilt.arm.name(), &spoilt.reason);
        let told = format!("pair {pair} of `{cell}` {what}; the {arm}'s run was spoilt: {reason}");
        self.console.warn(&told);
        told
    }

    /// Counts deaths; the second of an arm ends the session. In several cells of one attempt it may be one outage.
    fn still_alive(&mut self, attempt: &Attempt) -> Result<(), End> {
        let spoilt = spoilt(&self.sides.sessions, attempt);
        for arm in ARMS {
            let Some(spoilt) = spoilt.iter().find(|spoilt| spoilt.is_dead && spoilt.arm == arm) else {
                continue;
            };
            let dead = arm.pick_mut(&mut self.dead);
            *dead += 1;
            if *dead >= MOST_DEAD {
                let (arm, reason) = (arm.name(), &spoilt.reason);
                return Err(End::Dead(format!(
                    "{dead} runs of the {arm} were dead, the last one: {reason}"
                )));
            }
        }
        Ok(())
    }

    /// Measures cells of a pair, with the prompts of a repeat.
    fn try_cells(&mut self, pair: u32, prompts: u32, cells: &[usize], attempt: &mut Attempt) -> Result<(), End> {
        self.measure_cells(pair, prompts, cells, attempt)?;
        for cell in cells {
            self.neighbours.compare(*cell, attempt);
        }
        Ok(())
    }

    fn measure_cells(&mut self, pair: u32, prompts: u32, cells: &[usize], attempt: &mut Attempt) -> Result<(), End> {
        let places = |cell: &usize| Place {
            cell: *cell,
            pair,
            prompts,
        };
        let order = cell::order(pair);
        if self.together {
            for place in cells.iter().map(places) {
                // Which one comes up beside the other, and on which machine's caches, alternates too.
                self.start(&order)?;
                match self.sides.blocks.get(place.cell) {
                    Some(blocks) if *blocks > 1 => self.blocks(place, *blocks, attempt)?,
                    _ => order.iter().try_for_each(|arm| self.whole_run(*arm, place, attempt))?,
                }
                self.mark_the_dead(place.cell, attempt);
            }
            self.sides.stop(&ARMS, self.console);
            return Ok(());
        }
        for arm in order {
            for place in cells.iter().map(places) {
                self.start(&[arm])?;
                self.whole_run(arm, place, attempt)?;
                self.mark_the_dead(place.cell, attempt);
            }
            self.sides.stop(&[arm], self.console);
        }
        Ok(())
    }

    fn start(&mut self, arms: &[PairArm]) -> Result<(), End> {
        let started = self.sides.start(arms, (self.console, self.interrupt));
        started.map_err(|(arm, error)| trouble(arm, &error))
    }

    fn reset(&self, arm: PairArm) -> Result<(), End> {
        let reset = self.sides.of(arm).reset(self.interrupt);
        reset.map_err(|error| trouble(arm, &error))
    }

    fn whole_run(&mut self, arm: PairArm, place: Place, attempt: &mut Attempt) -> Result<(), End> {
        self.reset(arm)?;
        let before = neighbours::beside(&self.sides, arm);
        let mut run = cell::whole_run(&self.sides, arm, place, (self.console, self.interrupt))?;
        let around = [before, neighbours::beside(&self.sides, arm)];
        self.neighbours.note((place.cell, arm), around, &mut run);
        self.take(arm, place, run, attempt)
    }

    fn blocks(&mut self, place: Place, count: u32, attempt: &mut Attempt) -> Result<(), End> {
        ARMS.into_iter().try_for_each(|arm| self.reset(arm))?;
        let before = ARMS.map(|arm| neighbours::beside(&self.sides, arm));
        let runs = blocks::pair(&self.sides, place, count, (self.console, self.interrupt))?;
        for ((arm, mut run), before) in ARMS.into_iter().zip(runs).zip(before) {
            let around = [before, neighbours::beside(&self.sides, arm)];
            self.neighbours.note((place.cell, arm), around, &mut run);
            self.take(arm, place, run, attempt)?;
        }
        Ok(())
    }

    /// A run that Ctrl-C cut is not taken.
    fn take(&mut self, arm: PairArm, place: Place, mut run: Run, attempt: &mut Attempt) -> Result<(), End> {
        if self.interrupt.is_set() && run.cut_short.is_some() {
            return Err(End::Interrupted);
        }
        run.repeat = place.pair;
        self.sides.of(arm).note(&mut run);
        if let Some(runs) = attempt.get_mut(place.cell) {
            *arm.pick_mut(runs) = Some(run);
        }
        Ok(())
    }

    /// Runs of a cell whose server has ended by itself, be it while the other arm was measured.
    fn mark_the_dead(&mut self, cell: usize, attempt: &mut Attempt) {
        for arm in ARMS {
            let run = attempt.get_mut(cell).and_then(|runs| arm.pick_mut(runs).as_mut());
            if let Some((ended, run)) = self.sides.of_mut(arm).ended().zip(run) {
                run.cut_short = Some(ended.to_string());
                run.server_died = true;
            }
        }
    }
}

/// What a server of ours did to the measurement.
fn trouble(arm: PairArm, error: &TargetError) -> End {
    match error {
        TargetError::Interrupted => End::Interrupted,
        error => End::Aborted(Some(arm), error.to_string()),
    }
}

fn put_back(runs: &mut Vec<Run>, pair: u32, mut run: Run) {
    let last = runs.last().map(|run| run.repeat);
    match runs.iter_mut().find(|run| run.repeat == pair) {
        Some(place) if last != Some(pair) => *place = run,
        _ => {
            run.repeat = last.map_or(pair, |last| last + 1);
            runs.push(run);
        }
    }
}

/// A run that does not count as it is.
#[derive(Debug, PartialEq, Eq)]
struct Spoilt {
    cell: usize,
    arm: PairArm,
    reason: String,
    /// Whether nothing came back, or the server was gone before its end.
    is_dead: bool,
}

fn spoilt(sessions: &[Session; 2], attempt: &Attempt) -> Vec<Spoilt> {
    let mut found = Vec::new();
    for (cell, runs) in attempt.iter().enumerate() {
        for arm in ARMS {
            let Some(run) = arm.pick(runs) else { continue };
            let dead = why_dead(run).or_else(|| gone_because(run));
            let is_dead = dead.is_some();
            let session = arm.pick(sessions);
            let client = || {
                let load = &session.cells.get(cell)?.load;
                let why = client_was_bottleneck(session, load, run)?;
                Some(format!("the client was the bottleneck: {why}"))
            };
            // A cap that somebody set meanwhile, or between the two.
            let capped = || {
                let [old, new] = runs;
                let why = power_limits_apart(old.as_ref()?, new.as_ref()?).filter(|_| arm == PairArm::Candidate)?;
                Some(format!("the arms had other power limits: {why}"))
            };
            let other = || capped().or_else(client);
            if let Some(reason) = dead.or_else(|| disturbance::of(run)).or_else(other) {
                found.push(Spoilt {
                    cell,
                    arm,
                    reason,
                    is_dead,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, fail, in_pairs, session},
        session::ClientUse,
    };

    #[test]
    fn a_run_without_a_value_is_measured_again_only_where_that_was_not_its_servers_doing() {
        let good = session(&[16], &[Figures::default()]);
        let sessions: [Session; 2] = in_pairs(&good, &good).into();
        let spoilt_by = |edit: &dyn Fn(&mut Run)| {
            let mut new = Figures::default().run();
            edit(&mut new);
            let found = spoilt(&sessions, &vec![[Some(Figures::default().run()), Some(new)]]);
            let told = found
                .into_iter()
                .map(|spoilt| (spoilt.arm, spoilt.is_dead, spoilt.reason));
            told.collect::<Vec<_>>()
        };
        let starved = |run: &mut Run| {
            run.client = Some(ClientUse {
                cpu_s: 1.9,
                wall_s: 1.0,
                threads: 2,
                ..ClientUse::default()
            });
        };
        let [(arm, is_dead, reason)] = &spoilt_by(&starved)[..] else {
            unreachable!("the candidate's run is the only one")
        };
        assert_eq!((*arm, *is_dead), (PairArm::Candidate, false));
        assert!(
            reason.starts_with("the client was the bottleneck: it used 95 %"),
            "{reason}"
        );
        // Failures in the tail, and answers that the server sends at once, are what is to be found.
        let failing = |run: &mut Run| run.requests.iter_mut().take(20).for_each(fail);
        let buffered = |run: &mut Run| {
            for record in &mut run.requests {
                record.first_token_ns = record.last_token_ns;
            }
        };
        assert_eq!((spoilt_by(&failing), spoilt_by(&buffered)), (vec![], vec![]));
    }
}

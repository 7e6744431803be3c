//! The two arms of an A/B measurement: what each is measured with, and where its server is.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::Path,
};

use crate::{
    commands::{
        CommandError, Console,
        measure::{self, Arm},
    },
    load::{Interrupt, Runner},
    plan::{Alternation, ArmPlace, Arms, Load, Plan, Secrets, Target},
    session::{PairArm, Pairing, Session},
};

/// What is to be measured in alternation.
pub struct Wanted<'a> {
    /// What to measure; the arms take the place of its target's address.
    pub plan: Plan,
    /// How the arms alternate, and when it is looked.
    pub alternation: Alternation,
    /// Where the servers are.
    pub arms: Arms,
    /// What the requests need and no file may hold.
    pub secrets: Secrets,
    /// Folder that a relative dataset path counts from.
    pub dataset_dir: &'a Path,
    /// Commit of the candidate.
    pub commit: Option<String>,
}

/// One arm.
pub(super) struct Side {
    pub(super) runner: Runner,
}

/// Both arms, baseline first; their sessions lie side by side, as they are written and judged together.
pub(super) struct Sides {
    pub(super) sessions: [Session; 2],
    each: [Side; 2],
    /// Into how many blocks a pair of each cell is cut; 1: whole runs.
    pub(super) blocks: Vec<u32>,
}

/// The arms, baseline first.
pub(super) const ARMS: [PairArm; 2] = [PairArm::Baseline, PairArm::Candidate];

impl Sides {
    /// All that comes before the first pair.
    ///
    /// # Errors
    /// When a server cannot be asked or reached as the plan needs it.
    pub(super) fn prepare(
        wanted: &Wanted<'_>,
        console: &dyn Console,
        interrupt: &Interrupt,
    ) -> Result<Self, CommandError> {
        let id = new_id();
        let [(baseline, old), (candidate, new)] = {
            let one = |arm| prepare(wanted, arm, &id, console, interrupt);
            [one(PairArm::Baseline)?, one(PairArm::Candidate)?]
        };
        let mut sides = Self {
            blocks: baseline.cells.iter().map(|_| 1).collect(),
            sessions: [baseline, candidate],
            each: [old, new],
        };
        if wanted.arms.together && wanted.alternation.blocks > 1 {
            sides.cut(wanted.alternation.blocks);
        }
        Ok(sides)
    }

    /// Cuts the pairs of each cell that can be cut into blocks, and notes which cannot.
    fn cut(&mut self, wanted: u32) {
        let [baseline, _] = &self.sessions;
        let runner = &self.of(PairArm::Baseline).runner;
        let cells = baseline.cells.iter();
        let blocks: Vec<u32> = cells.map(|cell| runner.blocks(&cell.load, wanted)).collect();
        let whole = baseline.cells.iter().zip(&blocks).filter(|(_, blocks)| **blocks == 1);
        let mut notes: Vec<String> = whole.map(|(cell, _)| why_whole(&cell.name, &cell.load)).collect();
        if blocks.iter().any(|blocks| *blocks > 1) {
            notes.push(IN_BLOCKS.to_owned());
        }
        for session in &mut self.sessions {
            session.notes.extend(notes.iter().cloned());
            if let Some(pairing) = session
                .pairing
                .as_mut()
                .filter(|_| blocks.iter().any(|blocks| *blocks > 1))
            {
                pairing.blocks = wanted;
            }
        }
        self.blocks = blocks;
    }

    pub(super) fn of(&self, arm: PairArm) -> &Side {
        arm.pick(&self.each)
    }

    pub(super) fn session_mut(&mut self, arm: PairArm) -> &mut Session {
        arm.pick_mut(&mut self.sessions)
    }
}

/// One arm, ready to be measured; its session says which arm of what it is.
fn prepare(
    wanted: &Wanted<'_>,
    arm: PairArm,
    id: &str,
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<(Session, Side), CommandError> {
    let place = match arm {
        PairArm::Baseline => &wanted.arms.baseline,
        PairArm::Candidate => &wanted.arms.candidate,
    };
    let url = match place {
        ArmPlace::Url(url) => url.clone(),
        ArmPlace::Command(_) => return Err(CommandError::Usage("commands come later".into())),
    };
    let measured = Arm {
        name: Some(arm.name()),
        plan: at(&wanted.plan, &url, wanted.alternation.most_pairs()),
        secrets: wanted.secrets.clone(),
        dataset_dir: wanted.dataset_dir,
        commit: wanted.commit.clone().filter(|_| arm == PairArm::Candidate),
    };
    let (mut session, runner) = measure::prepare(measured, console, interrupt)?;
    session.pairing = Some(Pairing {
        id: id.to_owned(),
        arm,
        looks: wanted.alternation.looks.clone(),
        blocks: 1,
        remeasured: Vec::new(),
        stopped_early: None,
    });
    Ok((session, Side { runner }))
}

/// What blocks do to figures.
const IN_BLOCKS: &str = "each pair was measured in alternating blocks, which begin and end with an idle server: the \
                         throughput is below that of whole runs, on both arms alike";

/// Why a cell is measured in whole runs although both arms are up.
fn why_whole(cell: &str, load: &Load) -> String {
    let why = match load {
        Load::Concurrency(_) | Load::Rate { .. } => "a run has too few requests",
        _ => "such a load changes over the run",
    };
    format!("`{cell}` is measured in whole runs instead of alternating blocks: {why}")
}

/// The plan of one arm: the target's address is the arm's, and a run is one of a pair.
fn at(plan: &Plan, url: &str, pairs: u32) -> Plan {
    Plan {
        target: Target {
            url: url.to_owned(),
            more_urls: Vec::new(),
            ..plan.target.clone()
        },
        repeats: pairs,
        ..plan.clone()
    }
}

/// A name that no other measurement has, from the randomness that the system gives its hash tables.
fn new_id() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measurement_has_a_name_of_its_own() {
        let ids = [new_id(), new_id(), new_id()];
        assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
        assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    }
}

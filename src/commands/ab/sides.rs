//! The two arms of an A/B measurement: what each is measured with, and where its server is.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{building, resting::held_requests};
use crate::{
    commands::{
        CommandError, Console,
        measure::{self, Arm},
        served::{Served, start_of},
    },
    config::IdleAnswers,
    load::{Interrupt, Runner},
    plan::{Alternation, ArmPlace, Arms, Load, MetricsPage, Plan, Secrets, Target},
    report::unseen_rest,
    session::{PairArm, Pairing, Run, Session},
    target::{Start, TargetError},
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
    /// What becomes of `output_tokens` where each row of the prompts states how long its answer is.
    pub idle_answers: Option<IdleAnswers>,
    /// Folder of the logs of servers that are started.
    pub log_dir: PathBuf,
    /// Commit of the candidate.
    pub commit: Option<String>,
    /// The commit that its server is built from, where that is another: a pull request's merged with its base.
    pub built: Option<String>,
    /// Whether servers that are started get no variable that may hold a secret.
    pub withholds_secrets: bool,
}

/// One arm.
pub(super) struct Side {
    pub(super) runner: Runner,
    /// Its server, where that is ours to start.
    served: Option<Served>,
    /// How long its server took to start the first time, if it is ours.
    pub(super) start_took: Option<Duration>,
}

impl Side {
    /// CPU time of its server so far, if it is ours and the system tells.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.served.as_ref()?.server()?.cpu()
    }

    /// Whether its server is up now, be it ours or not.
    pub(super) fn is_up(&self) -> bool {
        self.served.as_ref().is_none_or(|served| served.server().is_some())
    }

    /// Whether its server is ours to start.
    pub(super) const fn is_ours(&self) -> bool {
        self.served.is_some()
    }

    /// Ids of its server's processes, if it is ours, runs, and the system tells.
    pub(super) fn processes(&self) -> Option<Vec<u32>> {
        self.served.as_ref()?.server()?.processes()
    }

    /// Sees to it that its server is up, a new one where the last one has ended.
    fn start(&mut self, with: (&dyn Console, &Interrupt)) -> Result<(), TargetError> {
        let runner = &self.runner;
        let served = self.served.as_mut();
        served.map_or(Ok(()), |served| served.up(runner, with))
    }

    fn stop(&mut self, console: &dyn Console) {
        if let Some(served) = &mut self.served {
            served.stop(console);
        }
    }

    /// Makes its server as new before a run, where it is ours and says how.
    ///
    /// # Errors
    /// What does it fails.
    pub(super) fn reset(&self, interrupt: &Interrupt) -> Result<(), TargetError> {
        let served = self.served.as_ref();
        served.map_or(Ok(()), |served| served.reset(interrupt))
    }

    /// What is known of its server belongs to a run that it served.
    pub(super) fn note(&self, run: &mut Run) {
        if let Some(served) = &self.served {
            served.note(run);
        }
    }

    /// How its server ended, if it is ours and did so by itself.
    pub(super) fn ended(&mut self) -> Option<TargetError> {
        self.served.as_mut()?.ended()
    }
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
        let page = &wanted.plan.target.metrics;
        if let (MetricsPage::Url(url), true) = (page, wanted.arms.metrics.iter().any(Option::is_none)) {
            return Err(CommandError::Usage(format!(
                "`target.metrics` is `{url}`, one page for both arms; give a path, which each arm has at its own address, or \
                 `arms.baseline.metrics` and `arms.candidate.metrics`"
            )));
        }
        building::build(wanted, console, interrupt)?;
        let id = new_id();
        let one = |arm| prepare(wanted, arm, &id, console, interrupt);
        let (candidate, mut new) = one(PairArm::Candidate)?;
        if !wanted.arms.together {
            new.stop(console);
        }
        let (baseline, old) = one(PairArm::Baseline)?;
        let mut sides = Self {
            blocks: baseline.cells.iter().map(|_| 1).collect(),
            sessions: [baseline, candidate],
            each: [old, new],
        };
        if wanted.arms.together && wanted.alternation.blocks > 1 {
            sides.cut(wanted.alternation.blocks);
        }
        if let Some(told) = unseen_rest(ARMS.map(|arm| sides.is_unseen(arm, wanted.arms.together)), "") {
            console.warn(&told);
        }
        // The first pair begins as every other does, on servers of its own whose files the machine has read before.
        sides.stop(&ARMS, console);
        Ok(sides)
    }

    /// Whether an arm's server is up beside the other's, and nobody can see that it rests.
    fn is_unseen(&self, arm: PairArm, together: bool) -> bool {
        let side = self.of(arm);
        let has_to_rest = together || !side.is_ours();
        has_to_rest && side.cpu().is_none() && held_requests(&side.runner).is_none()
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

    pub(super) fn of_mut(&mut self, arm: PairArm) -> &mut Side {
        arm.pick_mut(&mut self.each)
    }

    /// Sees to it that the servers of these arms are up.
    ///
    /// # Errors
    /// One of them is ours to start, and does not come up.
    pub(super) fn start(
        &mut self,
        arms: &[PairArm],
        with: (&dyn Console, &Interrupt),
    ) -> Result<(), (PairArm, TargetError)> {
        let mut arms = arms.iter();
        arms.try_for_each(|arm| self.of_mut(*arm).start(with).map_err(|error| (*arm, error)))
    }

    /// Stops the servers of these arms, where they are ours: the next pair has fresh ones.
    pub(super) fn stop(&mut self, arms: &[PairArm], console: &dyn Console) {
        for arm in arms {
            self.of_mut(*arm).stop(console);
        }
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
    let (url, mut served) = served_of(wanted, arm, (console, interrupt))?;
    let measured = Arm {
        name: Some(arm.name()),
        plan: at(&wanted.plan, &url, wanted.alternation.most_pairs()),
        secrets: wanted.secrets.clone(),
        dataset_dir: wanted.dataset_dir,
        idle_answers: wanted.idle_answers.clone(),
        commit: commit_of(wanted, arm).map(str::to_owned),
        meeting: None,
        served: served.as_mut(),
    };
    let (mut session, mut runner) = measure::prepare(measured, console, interrupt)?;
    // What a server that is down does not say about itself would read as another server.
    let probe = runner.probe();
    if let Some(why) = probe.trouble.filter(|_| probe.is_unreachable) {
        return Err(CommandError::Unreachable { arm: arm.name(), why });
    }
    if let Some(page) = arm.pick(&wanted.arms.metrics) {
        ask_at(&mut runner, (arm, page))?;
        session.plan.target.metrics = MetricsPage::Url(page.clone());
    }
    session.pairing = Some(Pairing {
        id: id.to_owned(),
        arm,
        looks: wanted.alternation.looks.clone(),
        blocks: 1,
        remeasured: Vec::new(),
        stopped_early: None,
    });
    let side = Side {
        runner,
        start_took: served.as_ref().and_then(Served::startup),
        served,
    };
    Ok((session, side))
}

/// Where an arm's server is, and that server where it is ours: it is up to its ready page then.
fn served_of(
    wanted: &Wanted<'_>,
    arm: PairArm,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<(String, Option<Served>), CommandError> {
    let launch = match *arm.pick(&[&wanted.arms.baseline, &wanted.arms.candidate]) {
        ArmPlace::Url(url) => return Ok((url.clone(), None)),
        ArmPlace::Command(launch) => launch,
    };
    let log = wanted.log_dir.join(format!("{}.log", arm.name()));
    let built = wanted.built.as_deref().filter(|_| arm == PairArm::Candidate);
    let commit = built.or_else(|| commit_of(wanted, arm));
    let start = Start {
        withhold_secrets: wanted.withholds_secrets,
        ..start_of((arm.name(), launch), commit, log, wanted.arms.start_timeout)?
    };
    let mut served = Served::new(start);
    let log = served.log().display().to_string();
    console.say(&format!("starting the {}'s server, its log is `{log}`", arm.name()));
    served.start(console, interrupt)?;
    Ok((served.url(), Some(served)))
}

/// Has an arm asked at the page that was named how many requests it holds; whoever names one wants it to be asked, and that
/// nobody could look would come as a surprise.
fn ask_at(runner: &mut Runner, (arm, page): (PairArm, &str)) -> Result<(), CommandError> {
    runner.find_metrics_at(page)?;
    if held_requests(runner).is_some() {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "`arms.{}.metrics` is `{page}`, which does not tell how many requests are in work (of vLLM, SGLang, TGI or llama.cpp); \
         mend the address, have the server show that page, or leave the key out",
        arm.name()
    )))
}

/// The commit of an arm: of the baseline's nobody knows.
pub(super) fn commit_of<'a>(wanted: &'a Wanted<'_>, arm: PairArm) -> Option<&'a str> {
    wanted.commit.as_deref().filter(|_| arm == PairArm::Candidate)
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

//! Whole gates, as `perfgate gate` runs them: sessions in, a report out.

use perfgate::{
    compare::{Background, PairNoise, compare},
    measure::measure,
    report::{self, Reference},
    session::{PairArm, Pairing, Session},
    verdict::{Policy, Refusal, Verdict, differences, is_settled, judge, refuse, refuse_work},
};

use crate::{
    noise::{Machine, Random, Site},
    server::{CONCURRENCY, Effect, World, empty_session},
};

/// After so many pairs the gate looks, as it does unless told otherwise.
pub(crate) const LOOKS: [u32; 4] = [3, 5, 8, 12];

/// What the candidate does, and in how many of the cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planted {
    pub(crate) effect: Effect,
    pub(crate) cells: usize,
}

pub(crate) const NOTHING: Planted = Planted {
    effect: Effect::Nothing,
    cells: 0,
};

impl Planted {
    pub(crate) const fn in_one_cell(effect: Effect) -> Self {
        Self { effect, cells: 1 }
    }

    pub(crate) const fn everywhere(effect: Effect) -> Self {
        Self {
            effect,
            cells: CONCURRENCY.len(),
        }
    }

    fn in_cell(self, place: usize) -> Effect {
        if place < self.cells {
            self.effect
        } else {
            Effect::Nothing
        }
    }
}

/// How a gate ended, and after how many pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) verdict: Verdict,
    pub(crate) pairs: u32,
    /// After how many pairs it first would have blocked; it goes on while another blocking check is open.
    pub(crate) first_blocked: Option<u32>,
}

/// A measurement in alternation that goes on.
struct Alternation<'a> {
    world: &'a World,
    machines: Vec<Machine>,
    planted: Planted,
    arms: [Session; 2],
    random: &'a mut Random,
}

impl<'a> Alternation<'a> {
    fn new(world: &'a World, site: Site, planted: Planted, random: &'a mut Random) -> Self {
        let arm = |arm| Session {
            pairing: Some(Pairing {
                id: "simulated".into(),
                arm,
                looks: LOOKS.to_vec(),
                blocks: 1,
                remeasured: Vec::new(),
                stopped_early: None,
            }),
            ..empty_session(1_790_000_000)
        };
        Self {
            world,
            machines: site.cells.iter().map(|class| Machine::new(*class, random)).collect(),
            planted,
            arms: [arm(PairArm::Baseline), arm(PairArm::Candidate)],
            random,
        }
    }

    /// One pair more of every cell: baseline first in pairs 0, 2, …, candidate first in the others.
    fn measure_pair(&mut self, pair: u32) {
        for (place, (machine, streams)) in self.machines.iter_mut().zip(CONCURRENCY).enumerate() {
            let effects = [Effect::Nothing, self.planted.in_cell(place)];
            let order = if pair.is_multiple_of(2) { [0, 1] } else { [1, 0] };
            for arm in order {
                let slower = machine.next(self.random);
                let run = self.world.run(pair, streams, slower, effects[arm], self.random);
                self.arms[arm].cells[place].runs.push(run);
            }
        }
    }
}

/// A gate in pairs, with what earlier measurements showed of the noise: it ends at the first look that leaves no blocking
/// check open, as `gate --ab` does.
pub(crate) fn in_pairs(world: &World, site: Site, planted: Planted, noise: &PairNoise, random: &mut Random) -> Ending {
    let background = Background {
        pair_noise: noise.clone(),
        ..Background::default()
    };
    let mut measurement = Alternation::new(world, site, planted, random);
    let mut ending = Ending {
        verdict: Verdict::Inconclusive,
        pairs: 0,
        first_blocked: None,
    };
    for look in LOOKS {
        (ending.pairs..look).for_each(|pair| measurement.measure_pair(pair));
        let [baseline, candidate] = &measurement.arms;
        let judged = judged(baseline, candidate, &background);
        let blocks = judged.verdict == Verdict::Regression;
        ending = Ending {
            verdict: judged.verdict,
            pairs: look,
            first_blocked: ending.first_blocked.or(blocks.then_some(look)),
        };
        if judged.settled {
            break;
        }
    }
    ending
}

/// Both arms of a measurement of so many pairs.
pub(crate) fn alternated(world: &World, site: Site, planted: Planted, pairs: u32, random: &mut Random) -> [Session; 2] {
    let mut measurement = Alternation::new(world, site, planted, random);
    (0..pairs).for_each(|pair| measurement.measure_pair(pair));
    measurement.arms
}

/// A verdict, and whether more pairs would change nothing that blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    settled: bool,
}

/// The verdict as `report::build` comes to it, without its texts and warnings, which take ten times as long.
pub(crate) fn judged(baseline: &Session, candidate: &Session, background: &Background) -> Judged {
    let policy = Policy::default();
    let refused = |refusal: Refusal| Judged {
        verdict: refusal.verdict,
        settled: true,
    };
    if let Some(refusal) = refuse(
        Some(baseline),
        candidate,
        &differences(baseline, candidate, &policy),
        &policy,
    ) {
        return refused(refusal);
    }
    let comparison = compare(&measure(baseline), &measure(candidate), background);
    if let Some(refusal) = refuse_work(&comparison, &policy) {
        return refused(refusal);
    }
    let judgement = judge(&comparison, &policy);
    Judged {
        verdict: judgement.verdict,
        settled: is_settled(&judgement.checks),
    }
}

/// The verdict of the whole report.
pub(crate) fn reported(baseline: &Session, candidate: &Session, background: &Background) -> Verdict {
    let reference = Reference {
        history: &background.history,
        pair_noise: Some(&background.pair_noise),
        ..Reference::alone("baseline", baseline)
    };
    report::build(Some(&reference), ("candidate", candidate), &Policy::default()).verdict
}

/// What this many earlier measurements of five pairs showed of the noise.
pub(crate) fn earlier_noise(world: &World, site: Site, measurements: usize, random: &mut Random) -> PairNoise {
    let one = |number: usize| {
        let [baseline, candidate] = alternated(world, site, NOTHING, LOOKS[1], random);
        let compared = compare(&measure(&baseline), &measure(&candidate), &Background::default());
        PairNoise::of(&compared, &format!("earlier {number}"), 1_780_000_000).0
    };
    PairNoise((0..measurements).flat_map(one).collect())
}

/// How a machine differs from one session to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    /// Standard deviation of the log between sessions.
    pub(crate) sd: f64,
    /// Whether all cells drift together.
    pub(crate) together: bool,
}

/// The usual drift of the reference simulation, all cells alike.
pub(crate) const DRIFT_TOGETHER: Drift = Drift {
    sd: 0.03,
    together: true,
};

/// A machine on which sessions are measured one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) drift: Drift,
    pub(crate) runs: u32,
}

/// A session of every cell, measured alone.
pub(crate) fn alone(world: &World, place: Place, planted: Planted, random: &mut Random) -> Session {
    let Place { site, drift, runs } = place;
    let mut session = empty_session(1_790_000_000);
    let shared = random.normal();
    for (place, (cell, streams)) in session.cells.iter_mut().zip(CONCURRENCY).enumerate() {
        let own = random.normal();
        let level = (drift.sd * if drift.together { shared } else { own }).exp();
        let mut machine = Machine::new(site.cells[place], random);
        for repeat in 0..runs {
            let slower = level * machine.next(random);
            let effect = planted.in_cell(place);
            cell.runs.push(world.run(repeat, streams, slower, effect, random));
        }
    }
    session
}

//! How two sessions belong together that were measured in alternation.

/// One arm of an A/B measurement: its run of repeat `i` and the other arm's make pair `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The same in both arms, and in no other measurement.
    pub id: String,
    /// Which arm this is.
    pub arm: PairArm,
    /// After how many pairs the gate looks, rising; fixed before the first run.
    pub looks: Vec<u32>,
    /// Into how many alternating blocks of requests each pair was cut; 1: whole runs, one after the other.
    pub blocks: u32,
    /// Pairs that were measured again because the machine was disturbed, on both sides alike.
    pub remeasured: Vec<Remeasured>,
    /// Why it ended before the last look, in words; `None`: it did not.
    pub stopped_early: Option<String>,
}

/// The arms, in the order in which they stand everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairArm {
    /// What the candidate is compared with.
    Baseline,
    /// What is judged.
    Candidate,
}

/// A pair that was measured again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remeasured {
    /// Cell name.
    pub cell: String,
    /// Which pair, from 0.
    pub pair: u32,
    /// On which arm the machine was disturbed, or which arm was dead.
    pub arm: PairArm,
    /// By what, in words; never a latency.
    pub reason: String,
    /// Whether that run was dead: nothing came back from it, or its server ended by itself.
    pub dead: bool,
}

impl PairArm {
    /// As people read it (`baseline`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        }
    }

    /// What of a pair, baseline first, belongs to this arm.
    pub const fn pick<T>(self, [baseline, candidate]: &[T; 2]) -> &T {
        match self {
            Self::Baseline => baseline,
            Self::Candidate => candidate,
        }
    }

    /// The same, to be changed.
    pub const fn pick_mut<T>(self, [baseline, candidate]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Baseline => baseline,
            Self::Candidate => candidate,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Baseline => Self::Candidate,
            Self::Candidate => Self::Baseline,
        }
    }
}

impl Pairing {
    /// Whether the two are the arms, baseline first, of one measurement.
    pub fn is_pair(baseline: Option<&Self>, candidate: Option<&Self>) -> bool {
        baseline.zip(candidate).is_some_and(|(old, new)| {
            old.id == new.id
                && (old.arm, new.arm) == (PairArm::Baseline, PairArm::Candidate)
                && (&old.looks, old.blocks) == (&new.looks, new.blocks)
        })
    }
}

//! Stretches of a run with a reason: samples in a row that tell the same are one.

use crate::session::Stretch;

/// More than these become longer: what flickers all the time is one long trouble.
const MOST: usize = 32;

/// The stretches so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretches {
    found: Vec<Stretch>,
    /// Whether the last one goes on.
    open: bool,
}

impl Stretches {
    /// At a moment there was this, or nothing.
    pub(super) fn at(&mut self, at_ns: u64, reason: Option<&str>) {
        let Some(reason) = reason else {
            self.end(at_ns);
            return;
        };
        let is_full = self.found.len() >= MOST;
        match self.found.last_mut() {
            Some(last) if is_full || (self.open && last.reason == reason) => last.to_ns = at_ns,
            _ => {
                self.end(at_ns);
                self.found.push(Stretch {
                    from_ns: at_ns,
                    to_ns: at_ns,
                    reason: reason.to_owned(),
                });
            }
        }
        self.open = true;
    }

    fn end(&mut self, at_ns: u64) {
        if let Some(last) = self.found.last_mut().filter(|_| self.open) {
            last.to_ns = at_ns;
        }
        self.open = false;
    }

    /// The last one ends with the run.
    pub(super) fn into_stretches(mut self, ended_ns: u64) -> Vec<Stretch> {
        self.end(ended_ns);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_with_one_reason_are_one_stretch_up_to_the_next_sample_without() {
        let mut stretches = Stretches::default();
        for (at_ns, reason) in [
            (10, None),
            (20, Some("hot")),
            (30, Some("hot")),
            (40, None),
            (50, Some("hot")),
            (60, Some("slow")),
        ] {
            stretches.at(at_ns, reason);
        }
        let told: Vec<_> = stretches
            .into_stretches(75)
            .into_iter()
            .map(|stretch| (stretch.from_ns, stretch.to_ns, stretch.reason))
            .collect();
        let expected = [(20, 40, "hot"), (50, 60, "hot"), (60, 75, "slow")];
        assert_eq!(told, expected.map(|(from, to, reason)| (from, to, reason.to_owned())));
    }

    #[test]
    fn there_are_never_more_than_a_few_and_nothing_is_left_out() {
        let mut stretches = Stretches::default();
        for at_ns in 0..10_000 {
            stretches.at(at_ns, (at_ns % 2 == 0).then_some("hot"));
        }
        let found = stretches.into_stretches(10_000);
        assert_eq!((found.len(), found.last().map(|last| last.to_ns)), (MOST, Some(9_999)));
    }
}

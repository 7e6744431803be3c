//! What is done about gates that stay open, and about what is owed.

use super::Resolver;
use crate::{
    config::twin::{ConfigFile, HeadroomTwin, OnInconclusiveTwin, UnmetTwin},
    verdict::{Headroom, OnInconclusive, OnUnmet, Unmet},
};

impl Resolver {
    pub(super) fn on_inconclusive(&mut self) -> OnInconclusive {
        let read = |twin: &ConfigFile| {
            twin.on_inconclusive.map(|how| match how {
                OnInconclusiveTwin::Warn => OnInconclusive::Warn,
                OnInconclusiveTwin::Block => OnInconclusive::Block,
                OnInconclusiveTwin::Pass => OnInconclusive::Pass,
            })
        };
        self.value("on_inconclusive", OnInconclusive::Warn, read, |how| {
            let text = match how {
                OnInconclusive::Warn => "warn",
                OnInconclusive::Block => "block",
                OnInconclusive::Pass => "pass",
            };
            text.to_owned()
        })
    }

    pub(super) fn headroom(&mut self) -> Headroom {
        let read = |twin: &ConfigFile| {
            twin.memory_headroom.map(|how| match how {
                HeadroomTwin::Off => Headroom::Off,
                HeadroomTwin::Warn => Headroom::Warn,
                HeadroomTwin::Block => Headroom::Block,
            })
        };
        self.value("memory_headroom", Headroom::Warn, read, |how| how.name().to_owned())
    }

    pub(super) fn unmet(&mut self) -> Unmet {
        let built_in = Unmet::default();
        let text = |how: &OnUnmet| how.name().to_owned();
        let explanation = |twin: &ConfigFile| twin.on_unmet_explanation.map(on_unmet);
        let profile = |twin: &ConfigFile| twin.on_unmet_profile.map(on_unmet);
        Unmet {
            explanation: self.value("on_unmet_explanation", built_in.explanation, explanation, text),
            profile: self.value("on_unmet_profile", built_in.profile, profile, text),
        }
    }
}

const fn on_unmet(twin: UnmetTwin) -> OnUnmet {
    match twin {
        UnmetTwin::Ask => OnUnmet::Ask,
        UnmetTwin::Hold => OnUnmet::Hold,
        UnmetTwin::Block => OnUnmet::Block,
    }
}

//! What profiles of both arms tell beside the verdict, and whether a comparison of profiles is of this report at all.

use super::Report;
use crate::{
    op_table::diff::{Diff, Incomparable},
    verdict::{Action, Evidence, Verdict},
};

/// A comparison of profiles that belongs to something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profiles are not of this report: {0}; profile what was measured, or compare without it")]
pub struct OtherProfiles(String);

impl Report {
    /// Adds what profiles tell. They explain a verdict and are no part of it.
    ///
    /// # Errors
    /// They say that they are of another cell or of other commits; of what they do not say, nothing is held against them.
    pub fn explain_by(&mut self, compared: Result<Diff, Incomparable>) -> Result<(), OtherProfiles> {
        if let Ok(diff) = &compared {
            self.hold_origin(diff)?;
        }
        self.profile = Some(compared);
        Ok(())
    }

    fn hold_origin(&self, diff: &Diff) -> Result<(), OtherProfiles> {
        let cells = || self.candidate.cells.iter().map(|cell| cell.name.as_str());
        if let Some(cell) = &diff.origin.cell
            && !cells().any(|own| own == cell)
        {
            let own: Vec<String> = cells().take(4).map(|own| format!("`{own}`")).collect();
            return Err(OtherProfiles(format!(
                "they are of the cell `{cell}`, and it has {}",
                own.join(", ")
            )));
        }
        let arms = [
            ("baseline", self.baseline.as_ref()),
            ("candidate", Some(&self.candidate)),
        ];
        for ((name, arm), said) in arms.into_iter().zip(&diff.origin.commits) {
            let own = arm.and_then(|arm| arm.commit.as_ref());
            if let (Some(said), Some(own)) = (said, own)
                && !is_same_commit(said, own)
            {
                return Err(OtherProfiles(format!(
                    "the {name}'s is of commit `{said}`, and its {name} of `{own}`"
                )));
            }
        }
        Ok(())
    }

    /// Whether somebody wants to know what got slower: a regression that blocks, or one that asks for a profile.
    pub fn asks_for_profile(&self) -> bool {
        let mut checks = self.checks.iter();
        let mut owed = self.obligations.iter();
        checks.any(|check| {
            let asks = check.action == Action::Block || check.requires == Some(Evidence::Profile);
            check.verdict == Verdict::Regression && asks
        }) || owed.any(|owed| owed.requires == Evidence::Profile && owed.settled.is_none())
    }
}

/// Of which one may be cut short.
fn is_same_commit(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_may_be_cut_short() {
        assert!(is_same_commit("0123456789ab", "0123456"));
        assert!(is_same_commit("0123456", "0123456789ab"));
        assert!(!is_same_commit("0123457", "0123456789ab"));
    }
}

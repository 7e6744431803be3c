//! What is wished for: when a comment is written and how, and what fails the job.

use crate::github::{Key, Mode};

/// When a pull request gets its comment. One that is there is always brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Whatever was found.
    #[default]
    Always,
    /// When something was found: anything but a plain pass.
    Changes,
    /// When the merge is blocked, or evidence is owed.
    Regression,
    /// Never.
    Off,
}

/// What fails the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOn {
    /// A regression and trouble: a wrong configuration, a measurement that failed.
    Regression,
    /// Whatever is not settled, too: inconclusive, incomparable, no baseline, evidence that is owed.
    Inconclusive,
    /// Only trouble.
    Never,
}

/// How a verdict is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// When a comment is written.
    pub comment: When,
    /// What becomes of the one that is there.
    pub mode: Mode,
    /// Which of several gates on one pull request.
    pub key: Key,
    /// The same in letters.
    pub key_text: String,
    /// Whether a check run is written.
    pub check_run: bool,
    /// Whether the job summary is.
    pub summary: bool,
    /// What fails the job; it decides, too, whether an unsettled check is neutral.
    pub fail_on: FailOn,
    /// Address of the full report.
    pub report_url: Option<String>,
    /// Whether nothing is sent, and all that would be is told.
    pub dry_run: bool,
}

impl Wish {
    /// The same for a comment that is there: it is brought up to date, and nothing else is sent again.
    #[must_use]
    pub fn for_the_comment_alone(&self) -> Self {
        Self {
            mode: Mode::Update,
            check_run: false,
            summary: false,
            ..self.clone()
        }
    }
}

impl FailOn {
    /// The exit code of the job for that of a verdict.
    pub const fn exit_code(self, verdict: u8) -> u8 {
        match (self, verdict) {
            (Self::Regression, 3) | (Self::Never, 1 | 3) => 0,
            (_, code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_fails_every_job_and_a_regression_all_that_do_not_forbid_it() {
        for (fail_on, codes) in [
            (FailOn::Regression, [0, 1, 2, 0, 4, 5]),
            (FailOn::Inconclusive, [0, 1, 2, 3, 4, 5]),
            (FailOn::Never, [0, 0, 2, 0, 4, 5]),
        ] {
            let found: Vec<u8> = (0..=5).map(|code| fail_on.exit_code(code)).collect();
            assert_eq!(found, codes, "{fail_on:?}");
        }
    }
}

//! Whose rules held, what was given, and what is done about what is owed, in the printed twin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    obligation::{Place, Settled},
    report::{ChangedFile, Trusted},
    session::ProfileKind,
    verdict::{OnUnmet, Unmet},
};

/// Whose rules held.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trusted")]
pub(super) struct TrustedTwin {
    /// The commit that configuration, baselines and acceptances are of.
    commit: String,
    /// Its configuration file; null where it has none and the built-in rules held.
    config: Option<String>,
    /// What the pull request changes of them; shown, never applied.
    not_applied: Vec<ChangedFileTwin>,
}

/// A file of rules that the pull request changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChangedFile")]
pub(super) struct ChangedFileTwin {
    /// Relative to the repository.
    path: String,
    /// A unified diff, cut after some lines; anybody's text.
    diff: String,
}

/// What was given for what is owed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Settled")]
pub(super) struct SettledTwin {
    /// Who gave it; anybody's text.
    who: String,
    /// Where.
    place: PlaceTwin,
    /// The explanation, or the profile's file name; anybody's text.
    text: String,
}

/// Where an explanation or a profile was given.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
#[schemars(rename = "Place")]
pub(super) enum PlaceTwin {
    /// A line of the pull request's description.
    PullRequest,
    /// A trailer of a commit.
    Trailer {
        /// The commit.
        commit: String,
    },
    /// An entry of `perfgate-accept.yaml` at the base.
    AcceptFile,
    /// A profile of this commit.
    Profile {
        /// Which profiler wrote it: `torch`, `nsys` or `ncu`.
        profiler: String,
        /// SHA-256 of the file in hex.
        sha256: String,
        /// Whether the file itself names no commit.
        #[serde(default)]
        commit_is_assumed: bool,
    },
}

/// What evidence does that is still owed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Unmet")]
pub(super) struct UnmetTwin {
    /// A written reason.
    explanation: OnUnmetTwin,
    /// A profiling report.
    profile: OnUnmetTwin,
}

/// What one kind of evidence does that is still owed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnUnmet")]
pub(super) enum OnUnmetTwin {
    /// It is asked for.
    Ask,
    /// Exit code 3.
    Hold,
    /// Exit code 1.
    Block,
}

impl From<&Trusted> for TrustedTwin {
    fn from(trusted: &Trusted) -> Self {
        let changed = trusted.not_applied.iter().map(|changed| ChangedFileTwin {
            path: changed.path.clone(),
            diff: changed.diff.clone(),
        });
        Self {
            commit: trusted.commit.clone(),
            config: trusted.config.clone(),
            not_applied: changed.collect(),
        }
    }
}

impl From<TrustedTwin> for Trusted {
    fn from(twin: TrustedTwin) -> Self {
        let changed = twin.not_applied.into_iter().map(|changed| ChangedFile {
            path: changed.path,
            diff: changed.diff,
        });
        Self {
            commit: twin.commit,
            config: twin.config,
            not_applied: changed.collect(),
        }
    }
}

impl From<&Settled> for SettledTwin {
    fn from(settled: &Settled) -> Self {
        Self {
            who: settled.who.clone(),
            place: match &settled.place {
                Place::PullRequest => PlaceTwin::PullRequest,
                Place::Trailer { commit } => PlaceTwin::Trailer { commit: commit.clone() },
                Place::AcceptFile => PlaceTwin::AcceptFile,
                Place::Profile {
                    kind,
                    sha256,
                    commit_is_assumed,
                } => PlaceTwin::Profile {
                    profiler: kind.name().to_owned(),
                    sha256: sha256.clone(),
                    commit_is_assumed: *commit_is_assumed,
                },
            },
            text: settled.text.clone(),
        }
    }
}

impl SettledTwin {
    /// What was given, or the profiler that there is not.
    pub(super) fn settled(self) -> Result<Settled, String> {
        Ok(Settled {
            who: self.who,
            place: match self.place {
                PlaceTwin::PullRequest => Place::PullRequest,
                PlaceTwin::Trailer { commit } => Place::Trailer { commit },
                PlaceTwin::AcceptFile => Place::AcceptFile,
                PlaceTwin::Profile {
                    profiler,
                    sha256,
                    commit_is_assumed,
                } => Place::Profile {
                    kind: kind(&profiler).ok_or(profiler)?,
                    sha256,
                    commit_is_assumed,
                },
            },
            text: self.text,
        })
    }
}

fn kind(name: &str) -> Option<ProfileKind> {
    ProfileKind::ALL.into_iter().find(|kind| kind.name() == name)
}

impl From<Unmet> for UnmetTwin {
    fn from(unmet: Unmet) -> Self {
        Self {
            explanation: unmet.explanation.into(),
            profile: unmet.profile.into(),
        }
    }
}

impl From<UnmetTwin> for Unmet {
    fn from(twin: UnmetTwin) -> Self {
        Self {
            explanation: twin.explanation.into(),
            profile: twin.profile.into(),
        }
    }
}

impl From<OnUnmet> for OnUnmetTwin {
    fn from(does: OnUnmet) -> Self {
        match does {
            OnUnmet::Ask => Self::Ask,
            OnUnmet::Hold => Self::Hold,
            OnUnmet::Block => Self::Block,
        }
    }
}

impl From<OnUnmetTwin> for OnUnmet {
    fn from(twin: OnUnmetTwin) -> Self {
        match twin {
            OnUnmetTwin::Ask => Self::Ask,
            OnUnmetTwin::Hold => Self::Hold,
            OnUnmetTwin::Block => Self::Block,
        }
    }
}

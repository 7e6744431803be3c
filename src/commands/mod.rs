//! The verbs: one file a verb; each reads as a list of steps.
//!
//! A verb takes resolved settings and a [`Console`], and gives back what the door prints. It never prints itself.

pub mod ab;
pub mod action;
pub mod answer;
pub mod baseline;
pub mod bisect;
pub mod capacity;
pub mod capture;
pub mod check;
pub mod compare;
pub mod demo;
pub mod demo_bisect;
mod engine;
pub mod export;
pub mod gate;
pub mod gate_file;
mod gone;
pub mod guard;
pub mod history;
pub mod import;
pub mod init;
mod judged;
mod kin;
pub mod launch;
pub mod live;
mod meaning;
pub mod measure;
mod meeting;
pub mod merge;
pub mod mlperf;
pub mod noise;
mod origin;
pub mod place;
pub mod post;
pub mod present;
pub mod profile;
pub mod profiles;
mod ratchet;
pub mod reference;
pub mod report;
mod requests;
pub mod run;
pub mod runner;
pub mod selftest;
pub mod served;
pub mod show;
pub mod site;
pub mod sweep;
pub mod trust;
pub mod upkeep;
pub mod watch;

use std::path::PathBuf;

use crate::{
    config::ConfigError,
    git::GitError,
    github::{ForgeError, StepError},
    import::ImportError,
    load::{InFlight, LoadError},
    profile::ProfileError,
    render::{ProfileDiffError, RenderError},
    session::RequestRecord,
    sim::SimError,
    store::StoreError,
    target::TargetError,
    telemetry::GpuNow,
};

/// One stage of a measurement, for the progress display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Arm (`baseline`), where there are several.
    pub arm: Option<&'static str>,
    /// Cell name.
    pub cell: String,
    /// Whether these are warm-up requests.
    pub warm_up: bool,
    /// Which run of the session, from 1.
    pub run: u32,
    /// Runs of the session in all.
    pub runs: u32,
    /// Requests of this stage.
    pub requests: u32,
    /// Requests of the whole session, warm-ups included; 0 where nobody knows yet, as in a search.
    pub requests_in_all: u64,
}

/// What a verb tells its user while it works. The door decides how it looks, and whether it is seen.
pub trait Console: Sync {
    /// A line that stays, for who follows along.
    fn say(&self, line: &str);
    /// A line that stays and is shown to everybody: something is wrong.
    fn warn(&self, line: &str);
    /// What is waited for now, in one line, until there is another.
    fn doing(&self, what: &str) {
        self.say(what);
    }
    /// A stage begins.
    fn begin(&self, stage: &Stage);
    /// One request of the stage ended; of which arm, where a stage is of both.
    fn request_done(&self, arm: Option<&'static str>, record: &RequestRecord);
    /// What counts the requests under way, if anybody looks at it.
    fn in_flight(&self) -> InFlight {
        InFlight::default()
    }
    /// From now on the GPUs are sampled there.
    fn gpu(&self, _now: GpuNow) {}
    /// The measurement is over.
    fn end(&self);
}

/// What a verb leaves behind for the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// For standard output.
    pub text: String,
    /// The exit code.
    pub exit_code: u8,
}

impl Done {
    /// All went well.
    pub fn ok(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            exit_code: 0,
        }
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A stored file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The forge refuses, or is not reached.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// A file is no profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The result of another tool cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The measurement could not begin.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A report cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A stored report cannot be used.
    #[error("`{}` cannot be used", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RenderError,
    },
    /// A stored comparison of profiles cannot be used.
    #[error("`{}` cannot be used", path.display())]
    Compared {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ProfileDiffError,
    },
    /// The embedded engine cannot start.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// A server that we start is not there.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody answers at the address of an arm.
    #[error("the {arm}'s server cannot be reached ({why}); start it, or mend `arms.{arm}.url`")]
    Unreachable {
        /// `baseline` or `candidate`.
        arm: &'static str,
        /// What happened.
        why: String,
    },
    /// The server does not say which model is meant.
    #[error("`model` is not set and `{url}` serves {served}; name one with `--model`")]
    ModelUnclear {
        /// The server's address.
        url: String,
        /// Its models in words.
        served: String,
    },
    /// A file beside the stored ones cannot be written or read.
    #[error("cannot {what} `{}`: {source}", path.display())]
    File {
        /// `read`, `write` or `create`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A session that should not become a baseline.
    #[error(
        "this session should not become a baseline: {objections}; measure again, on the main branch and a quiet machine, or save it all the same with `--force`, which is recorded"
    )]
    Unfit {
        /// What speaks against it, in sentences.
        objections: String,
    },
    /// A session that would loosen the gate for all that comes after it.
    #[error(
        "this session would make the baseline worse than its limits allow: {moved}; mend it on the main branch, or say why it stays: \
         `perfgate baseline save --accept REASON`, or an entry in `perfgate-accept.yaml`"
    )]
    Worse {
        /// What got worse, in words.
        moved: String,
    },
    /// A session of which nobody can tell whether it is worse than what is stored.
    #[error(
        "this session cannot be held against the baseline, which may get worse by it unseen: {headline}; measure the same work again \
         on the main branch, or say why it is the new level: `perfgate baseline save --accept REASON`"
    )]
    Unjudged {
        /// Why, as a report says it.
        headline: String,
    },
    /// What was to be written holds a secret.
    #[error(
        "{what} would hold a secret and is not written; find out where it came from: a server's answer, a name, a log"
    )]
    Secret {
        /// What it is (`the comment`).
        what: &'static str,
    },
    /// Another tool that was to measure did not.
    #[error("the runner `{program}` {why}; {told}")]
    Runner {
        /// Its program.
        program: String,
        /// What happened.
        why: String,
        /// What it complained about.
        told: String,
    },
    /// What another tool measures is not what it was before.
    #[error(
        "the runner's runs are not of one measurement: {what} is `{one}` in an earlier one and `{other}` in this one"
    )]
    Changed {
        /// What of it.
        what: String,
        /// In an earlier run.
        one: String,
        /// In the last one.
        other: String,
    },
    /// The runner cannot be told.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A search for a commit cannot go on, and no commit is to blame.
    #[error("{0}")]
    Unsearchable(String),
    /// Workers that were to measure together did not.
    #[error("{0}")]
    Launch(String),
    /// The command line asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
}

//! Whose rules hold: configuration, baselines and acceptances of a commit that a pull request cannot change.
//!
//! | file | what lives there |
//! |---|---|
//! | `source.rs` | files of a commit, from this clone or from the forge |
//! | `layout.rs` | which path of the working directory is which path of the repository |
//! | `read.rs` | the rules of a commit |
//! | `changed.rs` | what the pull request would change of them |
//! | `inputs.rs` | files that the rules name and that are used from the work tree |
//! | `job.rs` | what this job is about, and what it may write |
//! | `keys.rs` | the keys that requests carry, and where they may go |
//! | `lineage.rs` | whether a baseline is of the base's own history |
//! | `said.rs` | explanations in the description and in commits |
//! | `judge.rs` | what was measured, judged by the rules |
//! | `orders.rs` | the configuration alone, for verbs that measure and judge nothing |
//! | `template.rs` | templates of the repository |

mod changed;
mod inputs;
mod job;
mod judge;
mod keys;
mod layout;
mod lineage;
mod orders;
mod read;
mod said;
mod source;
mod template;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

pub(super) use self::lineage::Lineage;
pub use self::{
    job::{built_in_this_job, commit_of_this_job, provenance, refuse_baseline_write},
    judge::{judge, judge_pairs},
    keys::{Goal, secrets},
    orders::{Orders, named_ref, orders, tell},
    said::{Found, explanations_of_body, explanations_of_commits},
    source::{InClone, OnForge, Source},
    template::{template, template_of_job},
};
use self::{layout::Layout, orders::Whose};
use super::{CommandError, guard::Guard, place};
use crate::{
    config::{self, ACCEPT_FILE, DEFAULT_STORE, Overrides, Resolved},
    git::Repository,
    github::{Event, Forge},
    obligation::Explanation,
    report::{Stored, Trusted},
    session::Provenance,
    store::{self, Baselines},
};

/// What is asked of the configuration.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The file named by `--config`.
    pub config: Option<&'a Path>,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Flags as typed: they come from whoever writes the workflow.
    pub flags: &'a Overrides,
}

impl Asked<'_> {
    fn resolve(&self, file: Option<&Path>) -> Result<Resolved, CommandError> {
        Ok(config::resolve(file, self.variable, self.flags)?)
    }
}

/// All that a verdict rests on besides what was measured.
#[derive(Debug)]
pub struct Rules {
    /// The resolved configuration.
    pub resolved: Resolved,
    /// The stored baselines.
    pub baselines: Baselines,
    /// What `perfgate-accept.yaml` explains.
    pub explanations: Vec<Explanation>,
    /// Which commit they are of; `None`: they are the work tree's.
    pub trusted: Option<Trusted>,
    /// Of which stored commits the forge told whether the base has them in its history.
    pub told: BTreeMap<String, bool>,
    /// SHA-256 in hex of the configuration file; `None` where there is none.
    pub config_sha256: Option<String>,
    /// The commit that the head forked from, where the forge told it.
    pub fork: Option<String>,
    /// What is known of the job that asks, with the commit and hash of these rules.
    pub provenance: Provenance,
    /// What the reader should know of them, in sentences.
    pub problems: Vec<String>,
    /// What no file may hold: the job's tokens, and the values of the configuration's keys.
    pub guard: Guard,
}

/// The rules of this job's gate: those of the base in a pull request, those of `--trusted-ref` where one is given, else the
/// work tree's.
///
/// # Errors
/// The base is not in this clone, or something in it cannot be read.
pub fn rules(asked: &Asked<'_>) -> Result<Rules, CommandError> {
    rules_of(asked, orders::whose_of_a_gate)
}

/// The same for who looks at what is stored: outside of a pull request that is the work tree's, whatever `trusted_ref` stands in
/// its file.
///
/// # Errors
/// As [`rules`].
pub fn rules_to_look_at(asked: &Asked<'_>) -> Result<Rules, CommandError> {
    rules_of(asked, orders::whose)
}

fn rules_of(
    asked: &Asked<'_>,
    whose: fn(&Asked<'_>, Option<&Event>) -> Result<Whose, CommandError>,
) -> Result<Rules, CommandError> {
    let (here, event) = (here()?, Event::of_this_job(asked.variable)?);
    let whose = whose(asked, event.as_ref())?;
    let repository = Repository::open(&here);
    let mut rules = match whose {
        Whose::Ref(name) => at_ref(repository.as_ref().map_err(Clone::clone)?, &name, &here, asked)?,
        Whose::WorkTree(resolved) => of_work_tree(*resolved, &here, asked)?,
    };
    rules.know_job(asked.variable, event.as_ref(), repository.as_ref().ok())?;
    Ok(rules)
}

impl Rules {
    /// Adds what is known of the job: where it runs, and what the pull request explains.
    fn know_job(
        &mut self,
        variable: &dyn Fn(&str) -> Option<String>,
        event: Option<&Event>,
        repository: Option<&Repository>,
    ) -> Result<(), CommandError> {
        let trusted = self.trusted.as_ref().map(|trusted| trusted.commit.clone());
        self.provenance = Provenance {
            trusted_sha: trusted.clone(),
            config_sha256: self.config_sha256.clone(),
            ..job::provenance(variable, event, repository)?
        };
        if event.is_some() && self.resolved.settings.commit.is_none() {
            self.resolved.settings.commit.clone_from(&self.provenance.head_sha);
            self.resolved.settings.built.clone_from(&self.provenance.measured_sha);
        }
        if let Some(pull) = event.and_then(|event| event.pull.as_ref()) {
            self.add(said::explanations_of_body(pull));
        }
        let ends = trusted.zip(self.provenance.measured_sha.clone());
        if let (Some((base, head)), Some(repository)) = (ends, repository) {
            self.add(said::explanations_of_commits(repository, &base, &head)?);
        }
        Ok(())
    }

    /// What a comparison takes from the store: the baseline itself, or the noise of earlier pairs.
    pub fn stored(&self, holds_baseline: bool) -> Stored {
        let store = &self.resolved.settings.store;
        Stored {
            folder: (store.folder() != Some(Path::new(DEFAULT_STORE))).then(|| store.to_string()),
            holds_baseline,
        }
    }

    fn add(&mut self, (explanations, problems): (Vec<Explanation>, Vec<String>)) {
        self.explanations.extend(explanations);
        self.problems.extend(problems);
    }
}

/// The rules of a commit of this clone, and what the work tree would change of them.
///
/// # Errors
/// As [`rules`].
pub fn at_ref(repository: &Repository, name: &str, here: &Path, asked: &Asked<'_>) -> Result<Rules, CommandError> {
    let layout = Layout {
        root: repository.root().to_owned(),
        here: here.to_owned(),
    };
    let mut base = InClone::at(repository, name)?;
    let mut rules = read::rules(&mut base, &layout, asked)?;
    inputs::refuse_changed(&mut base, &layout, &rules.resolved)?;
    let config = layout.inside(&config::file_meant(asked.config, asked.variable));
    let store = folder_inside(&layout, &rules.resolved);
    let changed = changed::in_clone(
        repository,
        base.commit(),
        &layout,
        (config.as_deref(), store.as_deref()),
    )?;
    if let Some(trusted) = &mut rules.trusted {
        trusted.not_applied = changed;
    }
    Ok(rules)
}

/// The rules of a commit of the forge, and what the head would change of them; paths are those of the repository.
///
/// # Errors
/// The forge refuses, or something at the commit cannot be read.
pub fn on_forge(
    forge: &mut dyn Forge,
    base: &str,
    head: Option<&str>,
    asked: &Asked<'_>,
) -> Result<Rules, CommandError> {
    let layout = Layout::without_clone();
    let mut rules = read::rules(&mut OnForge::at(forge, base)?, &layout, asked)?;
    rules.told = lineage::told(forge, base, &rules.baselines)?;
    let Some(head) = head else { return Ok(rules) };
    let compared = match forge.compared(base, head) {
        Ok(compared) => compared,
        // It is only shown: GitHub gives up on comparisons that are too large.
        Err(error) => {
            rules.problems.push(format!(
                "what the pull request changes of the rules, and what its commits explain, is not known: {error}"
            ));
            return Ok(rules);
        }
    };
    rules.fork = Some(compared.fork.clone());
    rules.add(said::explanations_of_brought(&compared.commits));
    let config = layout.inside(&config::file_meant(asked.config, asked.variable));
    let store = folder_inside(&layout, &rules.resolved);
    let files = (config.as_deref(), store.as_deref());
    let changed = changed::on_forge(forge, [base, head], &compared, files)?;
    if compared.is_cut {
        rules.problems.push(
            "the pull request changes more files than GitHub lists: what it changes of the baselines is not shown in full".into(),
        );
    }
    if let Some(trusted) = &mut rules.trusted {
        trusted.not_applied = changed;
    }
    Ok(rules)
}

/// The folder of baselines, where it is one of the repository.
fn folder_inside(layout: &Layout, resolved: &Resolved) -> Option<String> {
    layout.inside(resolved.settings.store.folder()?)
}

/// The work tree's own rules, outside of a pull request.
fn of_work_tree(resolved: Resolved, here: &Path, asked: &Asked<'_>) -> Result<Rules, CommandError> {
    let baselines = place::open_from(&resolved.settings.store, here)?;
    let explanations = own_acceptances(here)?;
    let file = resolved.settings.file.as_deref();
    let config_sha256 = file
        .and_then(|file| fs::read(file).ok())
        .map(|bytes| store::sha256_of(&bytes));
    Ok(Rules {
        guard: Guard::of_job(&resolved, asked.variable),
        resolved,
        baselines,
        explanations,
        trusted: None,
        told: BTreeMap::new(),
        config_sha256,
        fork: None,
        provenance: Provenance::default(),
        problems: Vec::new(),
    })
}

/// What `perfgate-accept.yaml` of the work tree explains.
///
/// # Errors
/// It cannot be understood.
pub fn own_acceptances(here: &Path) -> Result<Vec<Explanation>, CommandError> {
    let root = Repository::open(here).map_or_else(|_| here.to_owned(), |repository| repository.root().to_owned());
    Ok(match fs::read(root.join(ACCEPT_FILE)) {
        Ok(bytes) => config::acceptances(&bytes, ACCEPT_FILE)?,
        Err(_) => Vec::new(),
    })
}

/// The working directory.
///
/// # Errors
/// It is gone.
pub fn here() -> Result<PathBuf, CommandError> {
    env::current_dir().map_err(|source| CommandError::File {
        what: "find",
        path: ".".into(),
        source,
    })
}

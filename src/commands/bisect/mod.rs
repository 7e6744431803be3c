//! `perfgate bisect`: finds the commit that made a metric worse, through noise.
//!
//! | file | what lives there |
//! |---|---|
//! | `history.rs` | the commits between both ends |
//! | `stand.rs` | a checkout with its server: built, started, measured once |
//! | `once.rs` | one run of a commit whose server is up |
//! | `ends.rs` | whether there is anything to find, in which metric and cell, and how large it is |
//! | `kept.rs` | the file that a stopped search goes on from |
//! | `seen.rs` | the runs so far, with the machine's noise and drift |
//! | `hunt.rs` | run after run until the commit is found |
//! | `by_git.rs` | the same by `git bisect run` |
//! | `confirm.rs` | the commit against its parent |
//! | `profiled.rs` | the commit and its parent under a profiler |
//! | `told.rs` | what came of it, in words |
//! | `page.rs` | the same as a page |

mod by_git;
mod confirm;
mod ends;
mod history;
mod hunt;
mod kept;
mod once;
mod page;
mod profiled;
mod seen;
mod stand;
mod told;

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::by_git::step;
use self::{
    ends::Ends,
    history::History,
    kept::Kept,
    stand::{Bench, Stands},
};
use super::{CommandError, Console, Done, trust::Rules};
use crate::{
    bisect::Strategy,
    config::Resolved,
    git::{Checkout, Cleaned, Repository},
    load::Interrupt,
    metric::Metric,
    plan::{ArmPlace, Arms, Launch, Secrets},
    process::temporary,
    store::{self, Found, Question},
    target, telemetry,
    verdict::Verdict,
};

/// Where a search writes when nothing is said.
pub const FOLDER: &str = "perfgate-bisect";
/// Its file there.
pub const FILE: &str = "bisect.json";

/// What is asked of a search.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Asked {
    /// A commit, branch or tag without the regression.
    pub good: String,
    /// One with it.
    pub bad: String,
    /// The metric; without, the worst regression between the ends.
    pub metric: Option<Metric>,
    /// The cell; without, that of the worst regression.
    pub cell: Option<String>,
    /// How commits are chosen; without, what is expected to take less time.
    pub strategy: Option<Strategy>,
    /// Only first parents are followed.
    pub first_parent: bool,
    /// Commits that touch these paths are more likely.
    pub paths: Vec<String>,
    /// No more runs than this, those of the ends not counted.
    pub max_runs: u32,
    /// No run begins later than this after the search began.
    pub max: Option<Duration>,
    /// The code of every commit of the range may be built and run.
    pub may_run_code: bool,
    /// The commit is not measured against its parent once it is found.
    pub unconfirmed: bool,
    /// The commit and its parent are profiled once it is found.
    pub profile: bool,
    /// Where it writes.
    pub folder: PathBuf,
}

/// Finds the commit.
///
/// Exit code 0 where one commit is found and confirmed, 3 where it is not settled which one or whether there is any.
///
/// # Errors
/// No such commits, nothing to start them with, both ends cannot be measured, or a file cannot be written.
pub fn bisect(
    asked: &Asked,
    (rules, secrets): (&Rules, Secrets),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Done, CommandError> {
    refuse_privileged()?;
    let repository = Repository::open(&super::trust::here()?)?;
    let history = History::between(&repository, asked)?;
    let launch = launch(&rules.resolved)?;
    if !asked.may_run_code {
        return Err(CommandError::Usage(format!(
            "this builds and runs the code of {}, each with the rights of this user; say that it may with `--yes-run-code`",
            history.counted()
        )));
    }
    refuse_unknown_cell(asked, &rules.resolved)?;
    console.say(&format!("searching {}", history.told()));
    told::remove_files(&asked.folder)?;
    let mut kept = Kept::open(asked, question(asked, &history, &rules.resolved, &launch)?, console)?;
    let bench = Bench::new((&repository, launch), (rules, secrets), asked, (console, interrupt));
    let mut stands = bench.stands(&history)?;
    let ends = match Ends::known(&kept) {
        Some(ends) => Some(ends),
        None => ends::measured(&bench, &mut stands, asked, (&mut kept, &history), rules)?,
    };
    let Some(ends) = ends else {
        return Ok(told::nothing(&kept));
    };
    let culprit = search((&bench, &mut stands), (&history, &ends), (asked, rules), &mut kept)?;
    let done = told::found(&kept, (&repository, &history), (asked, &bench.guard))?;
    let found = kept.bisection.found.as_ref();
    let Some(culprit) =
        culprit.filter(|_| asked.profile && found.is_some_and(|found| found.is_sharp && found.stopped.is_none()))
    else {
        return Ok(done);
    };
    let parent = found.and_then(|found| Some(found.confirmed.as_ref()?.parent.as_str()));
    let told = profiled::profiled((&bench, &mut stands), (&history, &ends), (asked, parent), culprit);
    Ok(Done {
        text: format!("{}\n\n{told}", done.text.trim_end()),
        ..done
    })
}

/// So often a search goes on with what the pairs of a wrong commit said.
const MOST_REFUTED: usize = 2;

/// Finds the commit and holds it against its parents; where it is no worse than they are, their runs are runs of the search,
/// which goes on. Gives the place of the one that is told.
fn search(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    (asked, rules): (&Asked, &Rules),
    kept: &mut Kept,
) -> Result<Option<usize>, CommandError> {
    let mut refuted = Vec::new();
    loop {
        let found = hunt(bench, stands, (history, ends), (asked, kept))?;
        // Whatever happens to the confirmation, this is not lost.
        kept.found(found.clone())?;
        let suspect = found.commits.first();
        let culprit = suspect.and_then(|suspect| history.place_of(&suspect.commit));
        let is_clear = found.is_sharp && found.stopped.is_none();
        let Some(place) = culprit.filter(|_| is_clear && !asked.unconfirmed) else {
            return Ok(culprit);
        };
        let stopped = |why: &str| Found {
            stopped: Some(why.to_owned()),
            ..found.clone()
        };
        let (confirmed, runs) = match confirm::confirmed((bench, stands), (history, ends), (asked, rules), place) {
            confirm::Answer::Interrupted => {
                kept.found(stopped(hunt::INTERRUPTED))?;
                return Ok(culprit);
            }
            confirm::Answer::NoParent => {
                kept.found(stopped("it has no parent that it could be held against"))?;
                return Ok(culprit);
            }
            confirm::Answer::Said { confirmed, runs } => (confirmed, runs),
        };
        let is_worse = confirmed.verdict == Verdict::Regression.name();
        kept.found(Found {
            confirmed: Some(confirmed),
            ..found
        })?;
        if is_worse {
            return Ok(culprit);
        }
        for (commit, values) in &runs {
            for value in values {
                kept.run(commit, *value, *commit == history.good)?;
            }
        }
        // What it said already it would say again.
        if refuted.contains(&place) || refuted.len() >= MOST_REFUTED || runs.iter().all(|(_, values)| values.is_empty())
        {
            return Ok(culprit);
        }
        refuted.push(place);
        bench.console.say(&format!(
            "{} is no worse than its parent; the search goes on with what these pairs said",
            history.commit(place).map_or("it", |commit| short(&commit.id))
        ));
    }
}

fn refuse_unknown_cell(asked: &Asked, resolved: &Resolved) -> Result<(), CommandError> {
    let Some(cell) = &asked.cell else { return Ok(()) };
    let plan = &resolved.plan;
    if plan.load_of_cell(cell).is_some() {
        return Ok(());
    }
    let names: Vec<String> = plan.loads.iter().map(|load| plan.cell_name(load)).collect();
    Err(CommandError::Usage(format!(
        "the plan has no cell `{cell}`; it has `{}`",
        names.join("`, `")
    )))
}

fn hunt(
    bench: &Bench<'_>,
    stands: &mut Stands,
    (history, ends): (&History, &Ends),
    (asked, kept): (&Asked, &mut Kept),
) -> Result<Found, CommandError> {
    match hunt::chosen(asked, history, ends, bench.console) {
        Strategy::Bayes => hunt::by_posterior((bench, stands), (history, ends), asked, kept),
        Strategy::Git => by_git::hunt((bench, stands), (history, ends), asked, kept),
    }
}

/// Jobs that hold a token with rights must not run the code of commits (github.md T16).
fn refuse_privileged() -> Result<(), CommandError> {
    let event = env::var("GITHUB_EVENT_NAME").unwrap_or_default();
    if matches!(event.as_str(), "pull_request_target" | "workflow_run") {
        return Err(CommandError::Usage(format!(
            "a job of `{event}` holds rights that the code of commits must not have; bisect in a job of `workflow_dispatch`"
        )));
    }
    Ok(())
}

/// How the server of a commit is started: the candidate's command, or that of the only arm.
fn launch(resolved: &Resolved) -> Result<Launch, CommandError> {
    match arms(resolved).map(|arms| &arms.candidate) {
        Some(ArmPlace::Command(launch)) => Ok(launch.clone()),
        _ => Err(CommandError::Usage(
            "the server of each commit is started anew, and nothing says how: give `arms.candidate.command` (with `{port}`), \
             and `arms.candidate.build` where it has to be built"
                .to_owned(),
        )),
    }
}

fn arms(resolved: &Resolved) -> Option<&Arms> {
    resolved.arms.as_ref().or(resolved.only_arm.as_ref())
}

fn start_timeout(resolved: &Resolved) -> Duration {
    arms(resolved).map_or(Duration::from_secs(600), |arms| arms.start_timeout)
}

fn build_timeout(resolved: &Resolved) -> Duration {
    arms(resolved).map_or(Duration::from_secs(3600), |arms| arms.build_timeout)
}

fn question(asked: &Asked, history: &History, resolved: &Resolved, launch: &Launch) -> Result<Question, CommandError> {
    Ok(Question {
        good: history.good.clone(),
        bad: history.bad.clone(),
        first_parent: asked.first_parent,
        paths: asked.paths.clone(),
        metric: asked.metric.map(|metric| metric.key().to_owned()),
        cell: asked.cell.clone(),
        plan_hash: store::sha256_of(store::plan_json(&resolved.plan)?.as_bytes()),
        server_hash: server_hash(launch),
        machine: {
            let machine = telemetry::machine();
            format!("{:?} {:?} {:?}", machine.cpu, machine.cpu_cores, machine.gpus)
        },
    })
}

/// Of all that says how a server is built and started; keys may stand in it.
fn server_hash(launch: &Launch) -> String {
    // Its variables by hand: what it prints of itself has their names alone.
    store::sha256_of(format!("{launch:?} {:?}", launch.env).as_bytes())
}

/// Removes what a search that was killed left behind, and stops the servers that it, or another perfgate that is gone, started.
///
/// # Errors
/// Something that looks like ours is not, or cannot be removed.
pub fn clean_up() -> Result<Done, CommandError> {
    let folder = temporary();
    let repository = Repository::open(&super::trust::here()?);
    // Servers first: they work in the work trees.
    let own = repository.as_ref().ok().map(Repository::own_folder);
    let folders: Vec<PathBuf> = own.into_iter().chain([folder.clone()]).collect();
    let servers = target::sweep(&folders).map_err(|(path, source)| CommandError::File {
        what: "look for servers in",
        path,
        source,
    })?;
    let cleaned = match repository {
        Ok(repository) => Checkout::cleanup_all(&repository, &folder)?,
        // What was done is told.
        Err(_) if servers != target::Swept::default() => Cleaned::default(),
        Err(error) => return Err(error.into()),
    };
    Ok(told::cleaned(&cleaned, &servers))
}

/// A hash as people read it.
fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// The folder's file.
fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

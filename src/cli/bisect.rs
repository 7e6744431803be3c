//! The flags of `perfgate bisect`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{args::PlanArgs, console, rules, variable};
use crate::{
    bisect::Strategy,
    commands::{
        CommandError, Done,
        bisect::{self, Asked, FOLDER},
        trust::{self, Goal},
    },
    config::no_metric,
    load::Interrupt,
    metric::Metric,
    target,
};

pub(super) const EXAMPLES: &str = "\
Needs `arms.candidate.command` (and `arms.candidate.build`) in perfgate.yaml: how the server of a commit is built and started.
Exits with 0 where one commit is found and confirmed, with 3 where it is not settled.

Examples:
  perfgate bisect --good v1.4 --bad main --yes-run-code
  perfgate bisect --good v1.4 --bad main --gate tpot_p95=5% --metric tpot_p95 --max-minutes 480 --yes-run-code
  perfgate bisect --cleanup
The same command goes on where a stopped search ended.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct BisectArgs {
    /// A commit, branch or tag without the regression
    #[arg(long, value_name = "REF", required_unless_present = "cleanup")]
    good: Option<String>,
    /// One with it
    #[arg(long, value_name = "REF", required_unless_present = "cleanup")]
    bad: Option<String>,
    /// The metric to search by (`tpot_p95`) [default: the worst regression between the ends]
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    metric: Option<Metric>,
    /// The cell to search in, as reports name it [default: that of the worst regression]
    #[arg(long, value_name = "CELL")]
    cell: Option<String>,
    /// How commits are chosen [default: what is expected to take less time]
    #[arg(long, value_enum)]
    strategy: Option<StrategyArg>,
    /// Follow only the first parents of merges
    #[arg(long)]
    first_parent: bool,
    /// Commits that touch this path are more likely; may be given several times
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// No more runs than this, those of the ends not counted
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_runs: u32,
    /// Build and run the code of every commit of the range, each with the rights of this user
    #[arg(long)]
    yes_run_code: bool,
    /// Do not measure the commit against its parent once it is found
    #[arg(long)]
    no_confirm: bool,
    /// Run the commit and its parent under a profiler once it is found
    #[arg(long)]
    profile: bool,
    /// Folder for the search's file, its logs and its report
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// Remove the work trees, and stop the servers, that a killed perfgate left behind
    #[arg(long, conflicts_with_all = ["good", "bad"])]
    cleanup: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StrategyArg {
    /// What is most likely after all runs so far.
    Bayes,
    /// `git bisect run`, each commit measured until it is known to be good or bad.
    Git,
}

/// Runs `bisect`.
pub(super) fn run(plan: &PlanArgs, flags: &BisectArgs) -> Result<Done, CommandError> {
    if flags.cleanup {
        return bisect::clean_up();
    }
    let rules = rules(plan.config.as_deref(), &plan.overrides)?;
    let arms = rules.resolved.arms.as_ref().or(rules.resolved.only_arm.as_ref());
    let secrets = trust::secrets(&rules.resolved, Goal::Arms(arms), &variable)?;
    let asked = flags.asked(rules.resolved.alternation.max);
    let interrupt = Interrupt::on_ctrl_c_then(target::stop_all);
    bisect::bisect(&asked, (&rules, secrets), &console(&rules.resolved), &interrupt)
}

impl BisectArgs {
    fn asked(&self, max: Option<Duration>) -> Asked {
        Asked {
            good: self.good.clone().unwrap_or_default(),
            bad: self.bad.clone().unwrap_or_default(),
            metric: self.metric,
            cell: self.cell.clone(),
            strategy: self.strategy.map(|strategy| match strategy {
                StrategyArg::Bayes => Strategy::Bayes,
                StrategyArg::Git => Strategy::Git,
            }),
            first_parent: self.first_parent,
            paths: self.paths.clone(),
            max_runs: self.max_runs,
            max,
            may_run_code: self.yes_run_code,
            unconfirmed: self.no_confirm,
            profile: self.profile,
            folder: self.folder.clone(),
        }
    }
}

pub(super) fn metric(text: &str) -> Result<Metric, String> {
    Metric::from_key(text).ok_or_else(|| no_metric(text))
}

//! The flags of `perfgate check`, whose every exit code `git bisect run` can read.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use clap::Args;

use super::{args::PlanArgs, bisect::metric, complain, in_full, measuring, rules, screen::LiveArgs, variable};
use crate::{
    commands::{
        CommandError, Done,
        check::{self, Asked},
        trust::{self, Goal},
    },
    load::Interrupt,
    metric::Metric,
    target,
};

/// The verb as it is typed.
pub(super) const NAME: &str = "check";

pub(super) const EXAMPLES: &str = "\
For `git bisect run`: exits with 0 where what runs is not slower, 1 where it is, 125 where that cannot be told of this commit
(it does not build, start or answer, or the figures are open), and 128 where no commit is to blame (usage, no baseline, another
plan or machine, a client that was too slow, Ctrl-C).
Measures the server at `--url`, or the one of `arms.candidate.command`, which it builds and starts.

Examples:
  perfgate check --url http://127.0.0.1:8000 --against good.json
  git bisect run perfgate check --config ~/perfgate.yaml --against ~/good.json --output ~/now.json --metric tpot_p95";

#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
pub(super) struct CheckArgs {
    /// Session or baseline file of what it is held against [default: `--baseline`, else the stored one that fits]
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The metric that decides (`tpot_p95`) [default: all gated ones]
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    metric: Option<Metric>,
    /// The cell that decides, as reports name it [default: all]
    #[arg(long, value_name = "CELL")]
    cell: Option<String>,
}

/// Runs `check`.
pub(super) fn run(plan: &PlanArgs, flags: &CheckArgs, live: LiveArgs) -> Done {
    // A panic ends a program with 101, which would call the commit bad.
    let done = catch_unwind(AssertUnwindSafe(|| checked(plan, flags, live)));
    let failed = |exit_code| Done {
        text: String::new(),
        exit_code,
    };
    match done {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            complain(&in_full(&error));
            failed(check::code(&error))
        }
        Err(_) => failed(check::OURS),
    }
}

fn checked(plan: &PlanArgs, flags: &CheckArgs, live: LiveArgs) -> Result<Done, CommandError> {
    let rules = rules(plan.config.as_deref(), &plan.overrides)?;
    let secrets = trust::secrets(&rules.resolved, Goal::Target, &variable)?;
    let asked = Asked {
        against: flags.against.as_deref(),
        metric: flags.metric,
        cell: flags.cell.as_deref(),
    };
    let interrupt = Interrupt::on_ctrl_c_then(target::stop_all);
    let console = measuring(&rules.resolved, live);
    check::check(&asked, (&rules, secrets), &console, &interrupt)
}

//! `perfgate launch`: its flags as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    args::PlanArgs,
    launch_k8s::{self, KubernetesArgs},
    orders,
    progress::Progress,
    screen,
    screen::LiveArgs,
    sharding::ShardArgs,
    variable,
};
use crate::{
    commands::{
        CommandError, Done,
        guard::Guard,
        launch::{
            Order,
            slurm::{self, Asked},
        },
        trust::{self, Goal},
    },
    config::{Overrides, Resolved},
    load::Interrupt,
};

pub(super) const SLURM_EXAMPLES: &str = "\
Examples:
  perfgate launch slurm --shards 4 --url http://server:8000 --rate 800 -o session.json
  perfgate launch slurm --shards 8 --dir /shared/perf --sbatch --partition=cpu --sbatch --time=30
  perfgate launch slurm --shards 4 --rate 800 --dry-run
This program, the working directory and the folder must be the same on all nodes. Keys of `api_key_env` and `headers` go along in the
environment. Exits with 4 where a worker died or a shard is invalid; their files are kept then.";

#[derive(Debug, Subcommand)]
pub(super) enum LaunchVerb {
    /// On the nodes of a Slurm cluster: a batch job with a worker for each shard.
    #[command(after_help = SLURM_EXAMPLES)]
    Slurm {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        slurm: SlurmArgs,
    },
    /// On the nodes of a Kubernetes cluster: an indexed job with a pod for each shard.
    #[command(name = "k8s", after_help = launch_k8s::EXAMPLES)]
    K8s {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        k8s: KubernetesArgs,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Workers")]
pub(super) struct SlurmArgs {
    /// Over how many workers the plan is shared out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    shards: u32,
    /// A folder that all nodes see; a new one is made in it [default: where the session goes]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A further option of sbatch, as `--partition=gpu`; may be given several times.
    #[arg(long = "sbatch", value_name = "OPTION", allow_hyphen_values = true)]
    options: Vec<String>,
    /// Print the job's script, and submit nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Launches what the flags name.
pub(super) fn run(verb: &LaunchVerb) -> Result<Done, CommandError> {
    match verb {
        LaunchVerb::Slurm { plan, slurm } => on_slurm(plan, slurm),
        LaunchVerb::K8s { plan, k8s } => launch_k8s::run(plan, k8s),
    }
}

fn on_slurm(plan: &PlanArgs, flags: &SlurmArgs) -> Result<Done, CommandError> {
    let (resolved, console, guard) = prepared(plan, flags.shards)?;
    let file = plan.config.iter().map(|file| format!("--config={}", file.display()));
    let words: Vec<String> = file.chain(words(&plan.overrides, &["output"])?).collect();
    let order = Order {
        resolved: &resolved,
        words: &words,
        shards: flags.shards,
        guard: &guard,
    };
    let asked = Asked {
        dir: flags.dir.as_deref(),
        options: &flags.options,
    };
    if flags.dry_run {
        return slurm::script(&order, asked).map(Done::ok);
    }
    trust::secrets(&resolved, Goal::Target, &variable)?;
    let interrupt = Interrupt::on_ctrl_c_then(slurm::cancel_under_way);
    slurm::launch(&order, asked, screen(), (&console, &interrupt))
}

/// A plan that can be shared out over so many, where its progress is told, and what must stand nowhere.
pub(super) fn prepared(plan: &PlanArgs, shards: u32) -> Result<(Resolved, Progress, Guard), CommandError> {
    let (mut resolved, console) = orders(plan.config.as_deref(), &plan.overrides, LiveArgs::default())?;
    ShardArgs::one_of(shards).apply(&mut resolved, &variable)?;
    let guard = Guard::of_job(&resolved, &variable);
    Ok((resolved, console, guard))
}

/// The plan's flags as a worker is given them, but for some. Where the session goes is each shard's own matter.
///
/// # Errors
/// A header's value stands among them, which may be a secret.
pub(super) fn words(flags: &Overrides, but: &[&str]) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    for (flag, text) in flags.iter().filter(|(flag, _)| !but.contains(flag)) {
        let value = text.split_once(':').map_or("", |(_, value)| value.trim());
        if flag == "header" && !value.starts_with("env:") {
            let name = text.split(':').next().unwrap_or_default();
            return Err(CommandError::Usage(format!(
                "--header: the value of `{name}` would stand in the workers' command lines, where all users of a machine can read it; \
                 give the variable that holds it (`{name}: env:VARIABLE`), or set it in the configuration file"
            )));
        }
        words.push(format!("--{flag}={text}"));
    }
    Ok(words)
}

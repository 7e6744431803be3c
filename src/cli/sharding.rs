//! `run --shard` and `merge`: their flags as typed.

use std::path::PathBuf;

use clap::Args;

use super::{LiveArgs, args::PlanArgs, complain, mode, orders, progress::Progress, screen, variable};
use crate::{
    commands::{
        self, CommandError, Done,
        guard::Guard,
        run, served,
        trust::{self, Goal},
    },
    config::Resolved,
    load::Interrupt,
    plan::{Load, Meeting, Shard, Sharing},
    target,
};

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  perfgate run --url http://127.0.0.1:8000 --concurrency 1,4,16 -o main.json
  perfgate run --rate 200 --repeat 3 --shard 2/4 --meet /shared/run-17 -o shard-2.json
  perfgate run --concurrency 4000 --repeat 1 --shard auto --start-at 1790000000 -o shard.json";

pub(super) const MERGE_EXAMPLES: &str = "\
Examples:
  perfgate merge shard-*.json -o session.json
Refuses shards of different plans or versions, missing, double and overlapping ones, and clocks more than 100 ms apart.
Exits with 4 where a shard is invalid: the whole then is, and says why; all records are kept.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Several machines")]
pub(super) struct ShardArgs {
    /// Measure only a part of the plan (`2/4`); `auto`: the part that Slurm or a Kubernetes Indexed Job gave this process.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Begin at this time, seconds since 1970 UTC: the same for all shards of a plan with one run.
    #[arg(long, value_name = "UNIX_S", requires = "shard", conflicts_with = "meet")]
    start_at: Option<f64>,
    /// Begin each run together with the other shards, which look into the same new folder.
    #[arg(long, value_name = "DIR", requires = "shard")]
    meet: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Session files of all shards.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Session file that is written.
    #[arg(short, long, value_name = "FILE", default_value = "session.json")]
    output: PathBuf,
    /// Say nothing but what is wrong.
    #[arg(short, long)]
    quiet: bool,
}

impl ShardArgs {
    /// Of one of so many, that meet in a folder: whether the plan can be shared out is known by it.
    pub(super) fn one_of(shards: u32) -> Self {
        Self {
            shard: Some(format!("1/{shards}")),
            start_at: None,
            meet: Some(PathBuf::new()),
        }
    }

    /// Puts them into what was configured.
    ///
    /// # Errors
    /// They are no part of a whole, nobody would know when to begin, or the load cannot be shared out.
    pub(super) fn apply(
        &self,
        resolved: &mut Resolved,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), CommandError> {
        let Some(text) = &self.shard else { return Ok(()) };
        let shard = match text.as_str() {
            "auto" => of_engine(variable)?,
            text => text.parse().map_err(|problem| usage(format!("--shard: {problem}")))?,
        };
        if resolved.settings.runner.is_some() {
            return Err(usage(
                "--shard: another tool measures here (`runner`), which knows nothing of shards".into(),
            ));
        }
        if served::own(resolved).is_some() {
            return Err(usage(
                "--shard: each machine would start a server of its own (`arms.candidate.command`); start one, and give its address \
                 (`--url`)"
                    .into(),
            ));
        }
        if resolved.plan.warmup_limit.is_some() {
            return Err(usage(
                "--shard: each shard sees its own answers, too few to tell when the server is steady; give `warmup` a number".into(),
            ));
        }
        let runs = resolved.plan.loads.len() * resolved.plan.repeats as usize;
        resolved.settings.meeting = Some(match (&self.meet, self.start_at) {
            (Some(folder), _) => Meeting::Folder(folder.clone()),
            (None, Some(at_s)) if runs == 1 => Meeting::At(nanoseconds(at_s)?),
            (None, Some(_)) => {
                return Err(usage(format!(
                    "--start-at: this plan has {runs} runs, and the time of the first says nothing of the others; give a folder that \
                     all shards see (`--meet`), or one level and `--repeat 1`"
                )));
            }
            (None, None) => {
                return Err(usage(
                    "--shard: nobody knows when the others begin; give a folder that all shards see (`--meet`), or a time \
                     (`--start-at`)"
                        .into(),
                ));
            }
        });
        enough_for_all(resolved, shard)?;
        resolved.plan.shard = Some(Sharing::Part(shard));
        Ok(())
    }
}

/// Measures a plan, or the part of it that the flags name.
pub(super) fn measure(plan: &PlanArgs, live: LiveArgs, shard: &ShardArgs) -> Result<Done, CommandError> {
    let (mut resolved, console) = orders(plan.config.as_deref(), &plan.overrides, live)?;
    shard.apply(&mut resolved, &variable)?;
    let keys = (
        trust::secrets(&resolved, Goal::Target, &variable)?,
        &Guard::of_job(&resolved, &variable),
    );
    let interrupt = Interrupt::on_ctrl_c_then(target::stop_all);
    run::run(&resolved, keys, screen(), &console, &interrupt)
}

/// Merges what the flags name.
pub(super) fn merge(args: &MergeArgs) -> Result<Done, CommandError> {
    let console = Progress::new(mode(args.quiet, LiveArgs::default()), None, complain);
    commands::merge::merge(&args.files, &args.output, screen(), &console)
}

fn usage(problem: String) -> CommandError {
    CommandError::Usage(problem)
}

/// The part that an engine of jobs gave this process: Slurm's tasks, or a Kubernetes Indexed Job's.
fn of_engine(variable: &dyn Fn(&str) -> Option<String>) -> Result<Shard, CommandError> {
    let number = |name: &str| variable(name).and_then(|value| value.parse::<u32>().ok());
    let of_slurm = number("SLURM_PROCID").zip(number("SLURM_NTASKS"));
    let of_job = || number("JOB_COMPLETION_INDEX").zip(number("PERFGATE_SHARDS"));
    let found = of_slurm.or_else(of_job).filter(|(index, of)| index < of);
    found.map(|(index, of)| Shard { index, of }).ok_or_else(|| {
        usage(
            "--shard auto: neither SLURM_PROCID with SLURM_NTASKS nor JOB_COMPLETION_INDEX with PERFGATE_SHARDS says which part \
             this is; write `--shard 2/4`"
                .into(),
        )
    })
}

/// Whether a load can be shared out at all, and each shard has a stream; whether it has requests is known with the prompts.
fn enough_for_all(resolved: &Resolved, shard: Shard) -> Result<(), CommandError> {
    let refused = |load: &Load| match load {
        Load::Stages { stages, .. } if stages.len() > 1 => {
            Some("stages, each of which would begin when this shard is done with the one before".to_owned())
        }
        Load::Concurrency(streams) if *streams < shard.of => Some(format!("{streams} requests in flight")),
        Load::Capacity(_) => Some("a search".to_owned()),
        _ => None,
    };
    match resolved.plan.loads.iter().find_map(refused) {
        None => Ok(()),
        Some(what) => Err(usage(format!(
            "--shard {shard}: {what} cannot be shared out over {} machines",
            shard.of
        ))),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a time of this century, and a float cast saturates"
)]
fn nanoseconds(at_s: f64) -> Result<u64, CommandError> {
    if !(1e9..1e10).contains(&at_s) {
        return Err(usage(format!(
            "--start-at: `{at_s}` is no time in seconds since 1970 UTC; `date +%s` gives that of now"
        )));
    }
    Ok((at_s * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_taken_from_slurm_or_from_a_job() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect();
            of_engine(&move |name| set.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
        };
        let second = Shard { index: 1, of: 4 };
        assert_eq!(with(&[("SLURM_PROCID", "1"), ("SLURM_NTASKS", "4")]).unwrap(), second);
        assert_eq!(
            with(&[("JOB_COMPLETION_INDEX", "1"), ("PERFGATE_SHARDS", "4")]).unwrap(),
            second
        );
        for bad in [
            &[("SLURM_PROCID", "4"), ("SLURM_NTASKS", "4")][..],
            &[("SLURM_PROCID", "1")],
            &[],
        ] {
            assert!(with(bad).is_err(), "{bad:?}");
        }
        assert_eq!(nanoseconds(1_790_000_000.5).unwrap(), 1_790_000_000_500_000_000);
        for bad in [0.0, f64::NAN, 1e12] {
            assert!(nanoseconds(bad).is_err(), "{bad}");
        }
    }
}

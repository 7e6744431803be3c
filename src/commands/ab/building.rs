//! What has to be built before the first server is started.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::sides::{ARMS, Wanted, commit_of};
use crate::{
    commands::{CommandError, Console, served::at_commit},
    load::Interrupt,
    plan::{ArmPlace, Launch},
    session::PairArm,
    target::Build,
};

/// Builds both arms, one after the other; what is the same build in the same folder is built once.
///
/// # Errors
/// A build fails; nothing is measured then.
pub(super) fn build(wanted: &Wanted<'_>, console: &dyn Console, interrupt: &Interrupt) -> Result<(), CommandError> {
    let launch = |arm| match arm {
        PairArm::Baseline => launch_of(&wanted.arms.baseline),
        PairArm::Candidate => launch_of(&wanted.arms.candidate),
    };
    let mut done: Vec<Launch> = Vec::new();
    for arm in ARMS {
        let Some(launch) = launch(arm) else { continue };
        let launch = at_commit((arm.name(), launch), commit_of(wanted, arm))?;
        if done.iter().any(|other| is_same(&launch, other)) {
            continue;
        }
        build_one(
            (arm.name(), &launch),
            (&wanted.log_dir, wanted.arms.build_timeout),
            (console, interrupt),
        )?;
        done.push(launch);
    }
    Ok(())
}

/// Builds one arm, where anything of it is to be built.
///
/// # Errors
/// The build fails.
pub(in crate::commands) fn build_one(
    (name, launch): (&str, &Launch),
    (logs, timeout): (&Path, Duration),
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<(), CommandError> {
    if launch.build.is_empty() {
        return Ok(());
    }
    let build = Build {
        command: launch.build.clone(),
        workdir: launch.workdir.clone().unwrap_or_else(|| PathBuf::from(".")),
        env: variables(launch),
        timeout,
        log: logs.join(format!("{name}.build.log")),
    };
    console.say(&format!(
        "building the {name}'s server, its log is `{}`",
        build.log.display()
    ));
    let took = build.run(&|| !interrupt.is_set())?;
    console.say(&format!("built in {:.1} s", took.as_secs_f64()));
    Ok(())
}

/// How an arm is started, if anything of it is to be built.
fn launch_of(place: &ArmPlace) -> Option<&Launch> {
    match place {
        ArmPlace::Command(launch) if !launch.build.is_empty() => Some(launch),
        _ => None,
    }
}

fn is_same(one: &Launch, other: &Launch) -> bool {
    one.build == other.build && one.workdir == other.workdir && variables(one) == variables(other)
}

/// Without those that tell the server its port, as there is none yet.
fn variables(launch: &Launch) -> BTreeMap<String, String> {
    let mut variables = launch.env.clone();
    variables.retain(|_, value| !value.contains("{port}"));
    variables
}

//! `perfgate launch k8s`: its flags as typed.

use clap::Args;

use super::{
    args::PlanArgs,
    asked,
    launch::{prepared, words},
    screen, variable,
};
use crate::{
    commands::{
        CommandError, Done,
        launch::{
            Order,
            k8s::{self, Asked},
        },
        trust::{self, Goal},
    },
    config::{
        Resolved,
        keys::{CONFIG_ENV, KEYS},
    },
    load::Interrupt,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  perfgate launch k8s --shards 4 --image registry/perfgate:1 --claim shared --url http://server:8000 --rate 800 -o session.json
  perfgate launch k8s --shards 4 --image registry/perfgate:1 --claim shared --rate 800 --dry-run | kubectl apply --filename -
The image needs perfgate, a shell and coreutils; the claim is ReadWriteMany. Keys of `api_key_env` and `headers` are read from a Secret, each
under its variable's name. Needs Kubernetes 1.29. Exits with 4 where a pod died or a shard is invalid.";

/// What decides where perfgate writes and whose rules hold here; pods have no such thing.
const NOT_FOR_PODS: [&str; 5] = ["output", "trusted-ref", "store", "report-dir", "baseline"];

#[derive(Debug, Args)]
#[command(next_help_heading = "Workers")]
pub(super) struct KubernetesArgs {
    /// Over how many pods the plan is shared out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    shards: u32,
    /// An image that has perfgate and a shell.
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// A claim that many pods may write at once (`ReadWriteMany`): they meet there, and leave their sessions.
    #[arg(long, value_name = "NAME")]
    claim: String,
    /// The Secret that has the keys.
    #[arg(long, value_name = "NAME", default_value = "perfgate")]
    secret: String,
    /// Namespace of all of them [default: that of the current context]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Cores that a pod asks for (`2`, `500m`)
    #[arg(long, value_name = "N", default_value = "2", value_parser = cpus)]
    cpus: String,
    /// Print the objects, and create none.
    #[arg(long)]
    dry_run: bool,
}

fn cpus(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix('m').unwrap_or(text);
    let is_number = digits
        .parse::<f64>()
        .is_ok_and(|number| number > 0.0 && number.is_finite());
    if is_number && digits.chars().all(|sign| sign.is_ascii_digit() || sign == '.') {
        Ok(text.to_owned())
    } else {
        Err("this is no number of cores: write `2` or `500m`".into())
    }
}

/// Launches what the flags name.
pub(super) fn run(plan: &PlanArgs, flags: &KubernetesArgs) -> Result<Done, CommandError> {
    let (resolved, console, guard) = prepared(plan, flags.shards)?;
    refuse_changed_file(plan)?;
    refuse_open_keys(&resolved)?;
    let mut words = words(&plan.overrides, &NOT_FOR_PODS)?;
    if let (Some(commit), None) = (&resolved.settings.commit, plan.overrides.text("commit")) {
        words.push(format!("--commit={commit}"));
    }
    let variables = variables()?;
    let order = Order {
        resolved: &resolved,
        words: &words,
        shards: flags.shards,
        guard: &guard,
    };
    let asked = Asked {
        namespace: flags.namespace.as_deref(),
        image: &flags.image,
        claim: &flags.claim,
        secret: &flags.secret,
        cpus: &flags.cpus,
        variables: &variables,
    };
    if flags.dry_run {
        return k8s::manifest(&order, asked).map(Done::ok);
    }
    let interrupt = Interrupt::on_ctrl_c_then(k8s::delete_under_way);
    k8s::launch(&order, asked, screen(), (&console, &interrupt))
}

/// Pods have the work tree's file, whoever's rules hold here.
fn refuse_changed_file(plan: &PlanArgs) -> Result<(), CommandError> {
    let orders = trust::orders(&asked(plan.config.as_deref(), &plan.overrides))?;
    let Some(trusted) = orders.trusted else { return Ok(()) };
    let is_changed = trusted
        .not_applied
        .iter()
        .any(|file| Some(&file.path) == trusted.config.as_ref());
    if is_changed {
        return Err(CommandError::Usage(format!(
            "the configuration file is not that of commit `{}`, whose rules hold here: launch from a checkout that has it as it is there",
            trusted.commit
        )));
    }
    Ok(())
}

/// Keys are not here, but where they would go is known.
fn refuse_open_keys(resolved: &Resolved) -> Result<(), CommandError> {
    let is_key = |name: &str| resolved.secret_variables().any(|(_, key)| key == name);
    let in_the_secret = |name: &str| variable(name).or_else(|| is_key(name).then(|| "(in the Secret)".to_owned()));
    trust::secrets(resolved, Goal::Target, &in_the_secret).map(drop)
}

/// Settings of this process's environment, which pods do not have.
fn variables() -> Result<Vec<(String, String)>, CommandError> {
    let mut found = Vec::new();
    for key in KEYS
        .iter()
        .filter(|key| !NOT_FOR_PODS.contains(&key.flag) && key.env != CONFIG_ENV)
    {
        let Some(value) = variable(key.env).filter(|value| !value.trim().is_empty()) else {
            continue;
        };
        if key.flag == "header" {
            return Err(CommandError::Usage(format!(
                "`{}` would stand in the job for all to read: set headers in the configuration file, or by `--header 'Name: env:VARIABLE'`",
                key.env
            )));
        }
        found.push((key.env.to_owned(), value));
    }
    Ok(found)
}

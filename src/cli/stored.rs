//! The verbs that look at what is stored: `baseline`, `history`, `noise` and `report`.

use std::path::{Path, PathBuf};

use super::{
    args::PlanArgs,
    asked,
    flags::{BaselineVerb, SaveArgs, StoreArgs},
    forms::FormArgs,
    keeping,
    looking::{HistoryArgs, NoiseArgs},
    measuring, resolve_with,
    screen::{LiveArgs, screen},
    variable,
};
use crate::{
    commands::{
        CommandError, Console, Done,
        answer::{self, Accepting, Pinning},
        baseline::{self, Saving},
        history::{self, Asked},
        noise, present,
        report::{self, Form},
        trust::{self, Goal, Rules},
    },
    config::{Overrides, Resolved},
    load::Interrupt,
    metric::Metric,
    target,
};

/// Runs one of the verbs of `baseline`.
pub(super) fn baseline(verb: &BaselineVerb) -> Result<Done, CommandError> {
    if matches!(
        verb,
        BaselineVerb::Accept(_) | BaselineVerb::Pin { .. } | BaselineVerb::Rm { .. }
    ) {
        trust::refuse_baseline_write(&variable, &trust::here()?, None)?;
    }
    match verb {
        BaselineVerb::Save(flags) => save(flags),
        BaselineVerb::List { store } => baseline::list(&rules_of(store)?.baselines),
        BaselineVerb::Show { name, store } => baseline::show_one(name, &rules_of(store)?.baselines, screen()),
        BaselineVerb::Accept(flags) => {
            let resolved = resolve(&flags.store)?;
            let accepting = Accepting {
                name: flags.name.as_deref(),
                reason: &flags.reason,
                commit: flags.commit.as_deref(),
                metric: flags.metric.as_deref(),
                cell: flags.cell.as_deref(),
                who: flags.who.as_deref(),
            };
            answer::accept(&accepting, (&resolved.settings.store, &gated(&resolved)), &variable)
        }
        BaselineVerb::Pin {
            name,
            commit,
            remove,
            who,
            store,
        } => {
            let pinning = Pinning {
                name: name.as_deref(),
                commit: commit.as_deref(),
                remove: *remove,
                who: who.as_deref(),
            };
            answer::pin(&pinning, &resolve(store)?.settings.store, &variable)
        }
        BaselineVerb::Copy(flags) => keeping::copy(flags),
        BaselineVerb::Gc(flags) => keeping::gc(flags),
        BaselineVerb::Rm { name, store } => baseline::remove(name, &resolve(store)?.settings.store),
    }
}

fn save(flags: &SaveArgs) -> Result<Done, CommandError> {
    let resolved = resolve(&flags.store)?;
    baseline::save(&Saving {
        file: &flags.session,
        store: &resolved.settings.store,
        name: flags.name.as_deref(),
        policy: &resolved.policy,
        force: flags.force,
        accept: flags.accept.as_deref(),
        who: flags.who.as_deref(),
        variable: &variable,
    })
}

/// Runs `report`.
pub(super) fn report(
    file: &Path,
    (form, is_context, profile_diff): (&FormArgs, bool, Option<&Path>),
    output: Option<&Path>,
) -> Result<Done, CommandError> {
    let screen = form.screen()?;
    let template = form.template.as_deref();
    let template = template.map(|path| trust::template_of_job(path, &asked(None, &Overrides::new())));
    let template = template.transpose()?;
    let form = match &template {
        _ if is_context => Form::Context,
        Some(template) => Form::Own(template),
        None => Form::Ours(form.format.into()),
    };
    let done = report::report(file, (form, profile_diff), screen)?;
    match output {
        Some(path) => present::write_text(path, &done.text).map(|()| Done::ok("")),
        None => Ok(done),
    }
}

/// Runs `history`.
pub(super) fn history(flags: &HistoryArgs) -> Result<Done, CommandError> {
    let rules = rules_of(&flags.store)?;
    let look = Asked {
        metric: flags.metric.as_deref(),
        cell: flags.cell.as_deref(),
        baseline: flags.baseline.as_deref(),
        check: flags.check,
        format: flags.format.into(),
    };
    history::history(&look, &rules, flags.tables.screen(look.format)?)
}

/// Runs `noise`.
pub(super) fn noise(
    files: Vec<PathBuf>,
    flags: &NoiseArgs,
    plan: &PlanArgs,
    live: LiveArgs,
) -> Result<Done, CommandError> {
    let rules = trust::rules_to_look_at(&asked(plan.config.as_deref(), &plan.overrides))?;
    let look = noise::Asked {
        files,
        pairs: flags.pairs,
        resamples: flags.resamples,
        suggest: flags.suggest,
        format: flags.format.into(),
    };
    let secrets = |goal: Goal<'_>| trust::secrets(&rules.resolved, goal, &variable);
    let console = measuring(&rules.resolved, live);
    trust::tell(rules.trusted.as_ref(), &console);
    let with = (&console as &dyn Console, &Interrupt::on_ctrl_c_then(target::stop_all));
    noise::noise(&look, &rules, secrets, with)
}

/// For who writes to the store, which no job of a pull request does.
pub(super) fn resolve(flags: &StoreArgs) -> Result<Resolved, CommandError> {
    resolve_with(flags.config.as_deref(), &overrides(flags))
}

/// For who reads it: in the job of a pull request it is the base's.
fn rules_of(flags: &StoreArgs) -> Result<Rules, CommandError> {
    trust::rules_to_look_at(&asked(flags.config.as_deref(), &overrides(flags)))
}

fn overrides(flags: &StoreArgs) -> Overrides {
    let mut overrides = Overrides::new();
    if let Some(store) = &flags.store {
        overrides.push("store", store);
    }
    overrides
}

pub(super) fn gated(resolved: &Resolved) -> Vec<Metric> {
    resolved.policy.gates.keys().copied().collect()
}

//! The verbs that look at what is stored: `baseline`, `history` and `noise`.

use std::path::PathBuf;

use super::{
    args::PlanArgs,
    flags::{BaselineVerb, HistoryArgs, NoiseArgs, SaveArgs, StoreArgs},
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
        noise, trust,
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
        BaselineVerb::List { store } => baseline::list(&resolve(store)?.settings.store),
        BaselineVerb::Show { name, store } => baseline::show_one(name, &resolve(store)?.settings.store, screen()),
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

/// Runs `history`.
pub(super) fn history(flags: &HistoryArgs) -> Result<Done, CommandError> {
    let resolved = resolve(&flags.store)?;
    let asked = Asked {
        metric: flags.metric.as_deref(),
        cell: flags.cell.as_deref(),
        baseline: flags.baseline.as_deref(),
        check: flags.check,
        format: flags.format.into(),
    };
    history::history(
        &asked,
        (&resolved.settings.store, &resolved.policy),
        flags.tables.screen(asked.format)?,
    )
}

/// Runs `noise`.
pub(super) fn noise(
    files: Vec<PathBuf>,
    flags: &NoiseArgs,
    plan: &PlanArgs,
    live: LiveArgs,
) -> Result<Done, CommandError> {
    let resolved = super::resolve(plan)?;
    let asked = noise::Asked {
        files,
        pairs: flags.pairs,
        resamples: flags.resamples,
        suggest: flags.suggest,
        format: flags.format.into(),
    };
    let secrets = || trust::secrets(&resolved, &variable);
    let with = (
        &measuring(&resolved, live) as &dyn Console,
        &Interrupt::on_ctrl_c_then(target::stop_all),
    );
    noise::noise(&asked, &resolved, secrets, with)
}

fn resolve(flags: &StoreArgs) -> Result<Resolved, CommandError> {
    let mut overrides = Overrides::new();
    if let Some(store) = &flags.store {
        overrides.push("store", store);
    }
    resolve_with(flags.config.as_deref(), &overrides)
}

fn gated(resolved: &Resolved) -> Vec<Metric> {
    resolved.policy.gates.keys().copied().collect()
}

//! What is measured, and by whose configuration: the same that judges it, so that no pull request says where a key goes.

use super::{Asked, at_ref, here, job};
use crate::{
    commands::{CommandError, Console},
    config::Resolved,
    git::Repository,
    github::Event,
    report::Trusted,
};

/// The configuration of a verb that measures and judges nothing.
#[derive(Debug)]
pub struct Orders {
    /// As it was resolved.
    pub resolved: Resolved,
    /// Which commit it is of; `None`: it is the work tree's.
    pub trusted: Option<Trusted>,
}

/// Where the rules of a job stand.
pub(super) enum Whose {
    /// In the objects of this commit, branch or tag.
    Ref(String),
    /// In the work tree.
    WorkTree(Box<Resolved>),
}

/// The configuration of this job: that of the base in a pull request, as the rules are.
///
/// # Errors
/// The base is not in this clone, or something in it cannot be read.
pub fn orders(asked: &Asked<'_>) -> Result<Orders, CommandError> {
    let (here, event) = (here()?, Event::of_this_job(asked.variable)?);
    Ok(match whose(asked, event.as_ref())? {
        Whose::Ref(name) => {
            let rules = at_ref(&Repository::open(&here)?, &name, &here, asked)?;
            Orders {
                resolved: rules.resolved,
                trusted: rules.trusted,
            }
        }
        Whose::WorkTree(resolved) => Orders {
            resolved: *resolved,
            trusted: None,
        },
    })
}

/// Whose rules a gate of this job goes by; outside of pull requests the work tree's own configuration may say so.
pub(super) fn whose_of_a_gate(asked: &Asked<'_>, event: Option<&Event>) -> Result<Whose, CommandError> {
    let mut own = None;
    let name = job::trusted_ref(named_ref(asked).as_deref(), event, || {
        let resolved = asked.resolve(asked.config)?;
        let named = resolved.settings.trusted_ref.clone();
        own = Some(resolved);
        Ok(named)
    })?;
    of(name, own, asked)
}

/// The same for who judges nothing: the file's `trusted_ref` is for gates.
pub(super) fn whose(asked: &Asked<'_>, event: Option<&Event>) -> Result<Whose, CommandError> {
    let name = job::trusted_ref(named_ref(asked).as_deref(), event, || Ok(None))?;
    of(name, None, asked)
}

fn of(name: Option<String>, own: Option<Resolved>, asked: &Asked<'_>) -> Result<Whose, CommandError> {
    Ok(match (name, own) {
        (Some(name), _) => Whose::Ref(name),
        (None, Some(own)) => Whose::WorkTree(Box::new(own)),
        (None, None) => Whose::WorkTree(Box::new(asked.resolve(asked.config)?)),
    })
}

/// The commit, branch or tag that whoever runs this names, by flag or variable.
pub fn named_ref(asked: &Asked<'_>) -> Option<String> {
    let flag = asked.flags.text("trusted-ref").map(str::to_owned);
    flag.or_else(|| (asked.variable)("PERFGATE_TRUSTED_REF").filter(|text| !text.trim().is_empty()))
}

/// Says whose rules hold, where that is not the work tree's.
pub fn tell(trusted: Option<&Trusted>, console: &dyn Console) {
    let Some(trusted) = trusted else { return };
    let commit: String = trusted.commit.chars().take(12).collect();
    match &trusted.config {
        Some(config) => console.say(&format!("the rules are those of `{config}` at commit `{commit}`")),
        None => console.warn(&format!(
            "commit `{commit}` has no configuration of its own: the built-in rules hold"
        )),
    }
    for changed in &trusted.not_applied {
        console.warn(&format!(
            "`{}` is changed here; that is shown, and not applied",
            changed.path
        ));
    }
}

//! Which model an arm is asked for.

use crate::{
    commands::{CommandError, Console},
    load::Probe,
    plan::Plan,
};

/// What the server serves instead of what was asked for.
pub(super) fn notes(plan: &Plan, probe: &Probe) -> Vec<String> {
    let mut notes = Vec::new();
    let mix = plan.workload.models.iter().map(|share| &share.name);
    let asked = mix.chain(plan.target.model.as_ref().filter(|_| plan.workload.models.is_empty()));
    for asked in asked.filter(|asked| !probe.models.is_empty() && !probe.models.contains(asked)) {
        notes.push(format!(
            "`{}` lists no model `{asked}`, only {}",
            plan.target.url,
            in_words(&probe.models)
        ));
    }
    notes
}

/// The model to ask for; `None` for a mix, whose requests name their own, and where the server does not tell its models,
/// so that the requests themselves bring out what is wrong with it.
pub(super) fn choose_model(plan: &Plan, probe: &Probe, console: &dyn Console) -> Result<Option<String>, CommandError> {
    if plan.target.model.is_some() || !plan.workload.models.is_empty() {
        return Ok(plan.target.model.clone());
    }
    let url = &plan.target.url;
    match (probe.models.as_slice(), &probe.trouble) {
        ([only], _) => Ok(Some(only.clone())),
        ([], Some(reason)) => {
            console.warn(&format!(
                "cannot ask `{url}` which model it serves: {reason}; name it with `--model`"
            ));
            Ok(None)
        }
        (models, _) => Err(CommandError::ModelUnclear {
            url: url.clone(),
            served: in_words(models),
        }),
    }
}

fn in_words(models: &[String]) -> String {
    if models.is_empty() {
        return "no model that it lists".to_owned();
    }
    models
        .iter()
        .map(|model| format!("`{model}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

//! The files that a plan is made of, as pods get them: in a config map, under the names that the plan has for them.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use crate::{
    commands::CommandError,
    config::{Resolved, Source},
    plan::{Prompts, Tokenizer},
};

/// A config map holds a megabyte, names and all.
const MOST_BYTES: usize = 900_000;
/// What the configuration file is called there.
pub(super) const CONFIG: &str = "perfgate.yaml";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// Where pods find it, from the folder that they work in.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

/// The configuration file, prompts, tokenizer and certificates of a plan. Those with absolute paths are the pods' own matter: they lie
/// in the image, or on the claim.
///
/// # Errors
/// One cannot be read, is no text or too large, or lies where pods could not have it.
pub(super) fn of(resolved: &Resolved) -> Result<Vec<Input>, CommandError> {
    let settings = &resolved.settings;
    let workload = &resolved.plan.workload;
    let prompts = match &workload.prompts {
        Prompts::Dataset { path, .. } | Prompts::Trace { path, .. } => Some(path),
        Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } | Prompts::Foreign { .. } => None,
    };
    let tokenizer = match &workload.tokenizer {
        Tokenizer::File { path, .. } => Some(path),
        _ => None,
    };
    // Pods look for these from the folder that they work in, whoever named them.
    let counted = prompts.into_iter().chain(tokenizer).map(PathBuf::from);
    let counted = counted.map(|path| (settings.dataset_dir.join(&path), path));
    let files = counted.chain(certificates(resolved));
    let mut inputs = Vec::new();
    if let Some(file) = &settings.file {
        inputs.push(read(file, CONFIG.to_owned())?);
    }
    for (file, path) in files.filter(|(_, path)| !path.is_absolute()) {
        let parts: Vec<Component<'_>> = path.components().filter(|part| *part != Component::CurDir).collect();
        let is_below = parts.iter().all(|part| matches!(part, Component::Normal(_)));
        let path = parts.iter().collect::<PathBuf>();
        let path = path.to_str().filter(|_| is_below);
        let path = path.ok_or_else(|| no_input(&file, "lies outside of the folder that names count from"))?;
        if !inputs.iter().any(|input: &Input| input.path == path) {
            inputs.push(read(&file, path.to_owned())?);
        }
    }
    Ok(inputs)
}

/// Where they are here, and where pods look for them.
fn certificates(resolved: &Resolved) -> Option<(PathBuf, PathBuf)> {
    let file = PathBuf::from(resolved.plan.target.ca_file.as_ref()?);
    let mut origins = resolved.origins.iter();
    let is_of_file =
        origins.any(|origin| origin.key == "target.ca_file" && matches!(origin.source, Source::File { .. }));
    let base = resolved.settings.file.as_deref().and_then(Path::parent);
    // There it is joined with the folder of the file that names it.
    let named = base
        .filter(|_| is_of_file)
        .and_then(|base| file.strip_prefix(base).ok());
    let path = named.unwrap_or(&file).to_owned();
    Some((file, path))
}

fn read(file: &Path, path: String) -> Result<Input, CommandError> {
    let bytes = fs::read(file).map_err(|source| CommandError::File {
        what: "read",
        path: file.to_owned(),
        source,
    })?;
    if bytes.len() > MOST_BYTES {
        return Err(no_input(file, "is too large for a config map"));
    }
    let text = String::from_utf8(bytes).map_err(|_| no_input(file, "is no text"))?;
    Ok(Input { path, text })
}

fn no_input(file: &Path, why: &str) -> CommandError {
    CommandError::Usage(format!(
        "`{}` {why}: put it on the claim, and give its path there, which begins with `{}/`",
        file.display(),
        super::manifest::CLAIM_FOLDER
    ))
}

/// Whether all of them go into one config map.
///
/// # Errors
/// They do not.
pub(super) fn fit(inputs: &[Input]) -> Result<(), CommandError> {
    let bytes: usize = inputs.iter().map(|input| input.text.len()).sum();
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "configuration and prompts have {bytes} bytes together, more than a config map holds: put the prompts on the claim, and give \
         their path there, which begins with `{}/`",
        super::manifest::CLAIM_FOLDER
    )))
}

//! Reads the rules of a commit: configuration, baselines, acceptances.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{Asked, Rules, layout::Layout, source::Source};
use crate::{
    commands::{CommandError, guard::Guard, place},
    config::{self, ACCEPT_FILE, FileText, Resolved, Source as Origin},
    git::GitError,
    obligation::Explanation,
    report::Trusted,
    session::Provenance,
    store::{self, Baselines},
};

/// The rules of a commit; what the pull request would change of them is not known yet.
pub(super) fn rules(base: &mut dyn Source, layout: &Layout, asked: &Asked<'_>) -> Result<Rules, CommandError> {
    let meant = config::file_meant(asked.config, asked.variable);
    let inside = layout.inside(&meant);
    let (mut resolved, config, config_sha256) = if let Some(path) = &inside {
        at_commit(base, (path, &layout.root.join(path)), asked)?
    } else {
        // Whoever names a file outside of the repository runs the job, and no pull request can change it.
        let bytes = fs::read(&meant).map_err(|source| CommandError::File {
            what: "read",
            path: meant.clone(),
            source,
        })?;
        (asked.resolve(Some(&meant))?, None, Some(store::sha256_of(&bytes)))
    };
    refuse_own_library(layout, &resolved)?;
    let baselines = baselines(base, layout, &mut resolved)?;
    let explanations = acceptances(base)?;
    Ok(Rules {
        trusted: Some(Trusted {
            commit: base.commit().to_owned(),
            config,
            not_applied: Vec::new(),
        }),
        told: BTreeMap::new(),
        guard: Guard::of_job(&resolved, asked.variable),
        resolved,
        baselines,
        explanations,
        config_sha256,
        fork: None,
        provenance: Provenance::default(),
        problems: Vec::new(),
    })
}

type Read = (Resolved, Option<String>, Option<String>);

/// The configuration as it stands at the commit; the built-in one where it has none.
fn at_commit(base: &mut dyn Source, (path, place): (&str, &Path), asked: &Asked<'_>) -> Result<Read, CommandError> {
    let bytes = base.file(path)?;
    let name = format!("{path} at {}", short(base.commit()));
    let text = bytes.as_deref().map(|bytes| FileText {
        name: &name,
        path: place,
        bytes,
    });
    let resolved = config::resolve_text(text.as_ref(), asked.variable, asked.flags)?;
    let hash = bytes.as_deref().map(store::sha256_of);
    Ok((resolved, bytes.is_some().then(|| path.to_owned()), hash))
}

/// Whoever names a library lets it run its code here, and what lies in the work tree is the pull request's.
fn refuse_own_library(layout: &Layout, resolved: &Resolved) -> Result<(), CommandError> {
    let library = resolved.settings.nvml_lib.as_deref();
    let Some(inside) = library.and_then(|library| layout.inside(library)) else {
        return Ok(());
    };
    Err(CommandError::Usage(format!(
        "`target.nvml_lib` names `{inside}` of this repository, which a pull request can change; loading a library runs its code: \
         name one outside of it"
    )))
}

/// A commit as people write it.
pub(super) fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

/// The baselines of the commit, and the one that is named where it is a file; a folder outside of the repository is read
/// where it is, and so is an address, which the commit names and not the pull request.
fn baselines(base: &mut dyn Source, layout: &Layout, resolved: &mut Resolved) -> Result<Baselines, CommandError> {
    let store = resolved.settings.store.clone();
    let mut held = BTreeMap::new();
    let named = named_file(base, layout, resolved, &mut held)?;
    let inside = store.folder().and_then(|dir| Some((dir, layout.inside(dir)?)));
    let Some((dir, folder)) = inside else {
        return if named {
            Ok(Baselines::held(store.to_string(), held))
        } else {
            place::open_from(&store, &layout.here)
        };
    };
    for path in base.folder(&folder)? {
        let Some(name) = path.rsplit('/').next().filter(|name| is_stored(name)) else {
            continue;
        };
        if let Some(bytes) = base.file(&path)? {
            held.insert(dir.join(name), bytes);
        }
    }
    Ok(Baselines::held(dir, held))
}

fn is_stored(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json") && !name.starts_with('.')
}

/// Holds the baseline that is named by its file; says whether there is such a file.
fn named_file(
    base: &mut dyn Source,
    layout: &Layout,
    resolved: &mut Resolved,
    held: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<bool, CommandError> {
    let Some(name) = resolved.settings.baseline.clone() else {
        return Ok(false);
    };
    if !name.contains('/') && !is_stored(&name) {
        return Ok(false);
    }
    let path = beside(resolved, &name);
    let bytes = match layout.inside(&path) {
        Some(inside) => match base.file(&inside) {
            Err(CommandError::Git(GitError::NoRegularFile { what: "a folder", .. })) => None,
            bytes => bytes?,
        },
        None => fs::read(&path).ok(),
    };
    let Some(bytes) = bytes else { return Ok(false) };
    resolved.settings.baseline = Some(path.display().to_string());
    held.insert(path, bytes);
    Ok(true)
}

/// A path in the configuration counts from the file's folder, one from elsewhere from the working directory.
fn beside(resolved: &Resolved, name: &str) -> PathBuf {
    let origin = resolved.origins.iter().find(|origin| origin.key == "baseline");
    let folder = resolved.settings.file.as_deref().and_then(Path::parent);
    match (origin.map(|origin| origin.source), folder) {
        (Some(Origin::File { .. }), Some(folder)) => folder.join(name),
        _ => PathBuf::from(name),
    }
}

fn acceptances(base: &mut dyn Source) -> Result<Vec<Explanation>, CommandError> {
    let name = format!("{ACCEPT_FILE} at {}", short(base.commit()));
    let bytes = base.file(ACCEPT_FILE)?;
    let read = bytes.map(|bytes| config::acceptances(&bytes, &name));
    Ok(read.transpose()?.unwrap_or_default())
}
